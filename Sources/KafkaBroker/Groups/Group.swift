import Synchronization

/// One consumer group: its state behind a lock of its own, so that groups do not wait for each other.
final class Group: Sendable {
    let name: String
    private let state: Mutex<GroupState>
    private let memory: MemoryBudget

    init(name: String, state: GroupState, memory: MemoryBudget) {
        self.name = name
        self.memory = memory
        memory.add(state.memoryBytes)
        self.state = Mutex(state)
    }

    deinit { memory.add(-state.withLock { $0.memoryBytes }) }

    /// Runs `body` alone on the state; then, outside of the lock, what it left to be done.
    @discardableResult
    func update<Result: Sendable>(_ body: (inout GroupState) -> Result) -> Result {
        let (result, effects) = state.withLock { state -> (Result, [@Sendable () -> Void]) in
            let before = state.memoryBytes
            let result = body(&state)
            memory.add(state.memoryBytes - before)
            return (result, state.takeEffects())
        }
        for effect in effects { effect() }
        return result
    }

    /// Reads the state.
    func read<Result: Sendable>(_ body: (GroupState) -> Result) -> Result { state.withLock { body($0) } }
}

/// How much memory the members of all groups take.
final class MemoryBudget: Sendable {
    private let used = Atomic<Int>(0)
    private let max: Int

    init(max: Int) { self.max = max }

    func add(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }
    func hasRoom(for bytes: Int) -> Bool { used.load(ordering: .relaxed) <= max - bytes }
    var usedBytes: Int { used.load(ordering: .relaxed) }
}

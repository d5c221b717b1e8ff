import Disk
import KafkaProtocol
import LogStore
import Synchronization

/// Who a group's request comes from.
struct GroupClient: Sendable {
    /// What the client calls itself.
    var id: String
    /// Where it is.
    var host: String
    /// Whether it can be asked to join again with the id it is given.
    var canRejoin = true
}

/// Brings the members of consumer groups to agree on who reads what, and keeps their offsets.
///
/// This is Kafka's classic protocol: members join; the first of them, as leader, is told of all and assigns; each gets
/// its assignment; who is silent for too long is taken out, and all join again. What members say in it is opaque here.
/// A rebalance that is complete and every commit is durable before it is acknowledged, so after a crash members go on
/// as if nothing had been.
///
/// Any thread may call; nothing blocks. Answers come on any thread, outside of all locks.
final class GroupCoordinator: Sendable {
    let logStore: LogStore
    let clock: any Clock
    let timers: Timers
    let settings: GroupSettings
    let memory: MemoryBudget
    private let groups = Mutex<[String: Group]>([:])

    /// A coordinator of the groups that `logStore` knows.
    init(logStore: LogStore, clock: any Clock, timers: Timers, settings: GroupSettings = GroupSettings()) {
        self.logStore = logStore
        self.clock = clock
        self.timers = timers
        self.settings = settings
        memory = MemoryBudget(max: settings.maxMemoryBytes)
        for name in logStore.groups { load(name) }
    }

    var nowMs: Int64 { clock.nowMs() }
    var steadyMs: Int64 { Int64(clock.steadyNs() / 1_000_000) }

    // MARK: The groups

    /// All groups.
    var all: [Group] { groups.withLock { Array($0.values) } }

    /// The group; nil when there is none.
    func group(_ name: String) -> Group? { groups.withLock { $0[name] } }

    /// The group, made when there is none; nil when there are too many.
    func makeGroup(_ name: String) -> Group? {
        groups.withLock { groups in
            if let group = groups[name] { return group }
            guard groups.count < settings.maxGroups, memory.hasRoom(for: 512) else { return nil }
            let group = Group(name: name, state: GroupState(nowMs: nowMs), memory: memory)
            groups[name] = group
            return group
        }
    }

    /// Takes a group out that has become dead.
    func remove(_ group: Group) {
        groups.withLock { groups in
            if groups[group.name] === group { groups[group.name] = nil }
        }
    }

    /// Makes the group as it is kept, if it is not there. Its members have a session timeout to be heard of again.
    func load(_ name: String) {
        let stored = logStore.storedGroup(name)
        let group = groups.withLock { groups -> Group? in
            if groups[name] != nil { return nil }
            let state = stored.map { GroupState($0) } ?? GroupState(nowMs: nowMs)
            let group = Group(name: name, state: state, memory: memory)
            groups[name] = group
            return group
        }
        guard let group else { return }
        group.update { state in
            for id in state.members.keys { touch(id, group, &state) }
            if state.members.count > settings.maxMembers { prepareRebalance(group, &state) }
        }
    }

    /// Why a group cannot have this name; nil when it can. Offsets alone may be kept under the empty name, as ever.
    func refusal(ofName name: String, mayBeEmpty: Bool = false) -> ErrorCode? {
        if name.isEmpty, !mayBeEmpty { return .invalidGroupID }
        return name.utf8.count > settings.maxNameBytes ? .invalidGroupID : nil
    }

    /// What a request of a member is refused with when it is not the one it says it is.
    func refusal(ofMember id: String, instanceID: String?, _ state: borrowing GroupState) -> ErrorCode? {
        if let instanceID {
            guard let current = state.staticMembers[instanceID] else { return .unknownMemberID }
            if current != id { return .fencedInstanceID }
        }
        return state.has(id) ? nil : .unknownMemberID
    }

    // MARK: The disk

    /// Has a change of the group made durable; then calls `done` with the group locked.
    func write(
        _ change: GroupChange, _ group: Group, _ state: inout GroupState,
        done: @escaping @Sendable (LogStoreError?, inout GroupState) -> Void
    ) {
        do throws(LogStoreError) {
            try logStore.changeGroups(change) { error in
                group.update { state in
                    state.writesInFlight -= 1
                    done(error, &state)
                }
            }
            state.writesInFlight += 1
        } catch {
            done(error, &state)
        }
    }

    /// The code for a change that could not be made durable: one that clients try again, but not for ever the same.
    static func code(_ error: LogStoreError) -> ErrorCode {
        error.code == .messageTooLarge ? .invalidCommitOffsetSize : .coordinatorNotAvailable
    }

    // MARK: Sessions

    /// The member was heard of: it lives for another session timeout (or `timeoutMs`).
    func touch(_ id: String, _ group: Group, _ state: inout GroupState, timeoutMs: Int64? = nil) {
        guard let member = state.members[id] else { return }
        let dueMs = steadyMs + (timeoutMs ?? Int64(member.sessionTimeoutMs))
        state.with(id) { $0.expiresMs = dueMs }
        // A timer that comes too early looks again later; so a heartbeat seldom costs more than this.
        if member.timer != nil, member.timerDueMs <= dueMs { return }
        member.timer?.cancel()
        scheduleSession(id, dueMs, group, &state)
    }

    private func scheduleSession(_ id: String, _ dueMs: Int64, _ group: Group, _ state: inout GroupState) {
        state.timerNumber += 1
        let number = state.timerNumber
        let timer = timers.schedule(afterMs: dueMs - steadyMs) { [weak self] in
            self?.sessionTimerFired(id, number, group)
        }
        state.with(id) { member in
            member.timer = timer
            member.timerDueMs = dueMs
            member.timerNumber = number
        }
    }

    private func sessionTimerFired(_ id: String, _ number: UInt64, _ group: Group) {
        group.update { state in
            guard state.phase != .dead, let member = state.members[id], member.timerNumber == number else { return }
            state.with(id) { $0.timer = nil }
            if member.expiresMs > steadyMs {
                scheduleSession(id, member.expiresMs, group, &state)
                return
            }
            // Who waits for the others in a rebalance cannot send heartbeats; it is heard of again at its end.
            if !member.isNew, member.isAwaitingJoin || member.isAwaitingSync { return }
            removeMember(id, group, &state)
        }
    }

    // MARK: Leaving nothing behind

    /// Forgets a group of which nothing is left: no members, no offsets, nothing on its way to the disk.
    func removeIfUnused(_ group: Group, _ state: inout GroupState) {
        guard state.phase == .empty, state.pending.isEmpty, state.writesInFlight == 0 else { return }
        let offsets = logStore.groupOffsets(group.name)
        guard offsets.committed.isEmpty, offsets.unstable.isEmpty else { return }
        let isStored = logStore.storedGroup(group.name) != nil
        state.move(to: .dead, nowMs: nowMs)
        remove(group)
        guard isStored else { return }
        // Should this fail, the next start finds the group, and maintenance forgets it then.
        write(.deleteGroup(group.name), group, &state) { _, _ in }
    }
}

import Synchronization

/// How much memory the requests of all Kafka connections take together. A connection that wants to read on while that
/// is too much waits until others were answered.
final class RequestMemory: Sendable {
    private struct State {
        var usedBytes = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let maxBytes: Int
    private let state = Mutex(State())

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// Bytes held now.
    var usedBytes: Int { state.withLock { $0.usedBytes } }

    /// Whether nothing more should be read.
    var isFull: Bool { state.withLock { $0.usedBytes >= maxBytes } }

    /// Notes that `bytes` more are held, or fewer.
    func change(by bytes: Int) {
        if bytes == 0 { return }
        let calls = state.withLock { state -> [@Sendable () -> Void] in
            state.usedBytes += bytes
            guard state.usedBytes < maxBytes, !state.waiting.isEmpty else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for call in calls { call() }
    }

    /// Calls `call` once there is room: at once, or from the thread that made some.
    func whenFree(_ call: @escaping @Sendable () -> Void) {
        let isFree = state.withLock { state in
            if state.usedBytes < maxBytes { return true }
            state.waiting.append(call)
            return false
        }
        if isFree { call() }
    }
}

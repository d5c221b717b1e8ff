import Synchronization

/// How much memory the requests of all Kafka connections take together. A connection that wants to read on while that
/// is too much waits until others were answered.
final class RequestMemory: Sendable {
    /// What a connection that wants to read on is told.
    enum Grant: Hashable {
        /// There is room.
        case room
        /// There is none, but it may finish the request it is in the middle of; nobody else may until then.
        case overdraft
        /// It is called when there is room.
        case later
    }

    private struct State {
        var usedBytes = 0
        var isOverdrawn = false
        var waiting: [@Sendable () -> Void] = []

        mutating func takeWaiting() -> [@Sendable () -> Void] {
            defer { waiting = [] }
            return waiting
        }
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
            return state.usedBytes < maxBytes ? state.takeWaiting() : []
        }
        for call in calls { call() }
    }

    /// Asks to read on. `retry` is called, from any thread, only after the answer was `later`.
    func request(mayOverdraw: Bool, _ retry: @escaping @Sendable () -> Void) -> Grant {
        state.withLock { state in
            if state.usedBytes < maxBytes { return .room }
            if mayOverdraw, !state.isOverdrawn {
                state.isOverdrawn = true
                return .overdraft
            }
            state.waiting.append(retry)
            return .later
        }
    }

    /// Gives back what `overdraft` allowed.
    func releaseOverdraft() {
        let calls = state.withLock { state in
            state.isOverdrawn = false
            return state.takeWaiting()
        }
        for call in calls { call() }
    }
}

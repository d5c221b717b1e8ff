import Synchronization

/// Lets a number of tasks through at once; the others wait their turn without blocking a thread.
final class AsyncGate: Sendable {
    private struct State {
        var inside = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var first = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// Creates a gate for `limit` tasks at once.
    init(limit: Int) {
        self.limit = limit
    }

    /// Waits for a place. Each `enter` is followed by one `leave`.
    func enter() async {
        await withCheckedContinuation { continuation in
            let mayPass = state.withLock { state in
                if state.inside < limit {
                    state.inside += 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if mayPass { continuation.resume() }
        }
    }

    /// Gives the place to who has waited longest.
    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.first < state.waiting.count else {
                state.inside -= 1
                return nil
            }
            let next = state.waiting[state.first]
            state.first += 1
            if state.first == state.waiting.count {
                state.waiting.removeAll(keepingCapacity: true)
                state.first = 0
            }
            return next
        }
        next?.resume()
    }
}

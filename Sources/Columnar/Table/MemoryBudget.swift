import Disk

/// Bytes that the memory parts of all tables hold together, and the bell that wakes the thread which flushes them.
final class MemoryBudget: Sendable {
    struct State {
        var usedBytes = 0
        /// Whether a background thread flushes; without one, appends flush by themselves.
        var hasFlusher = false
        /// Counts what happened that may be work for the background threads.
        var rings = 0
        /// Counts flushes that failed, so that who waits for memory stops waiting.
        var failures = 0
    }

    let limitBytes: Int
    private let monitor = Monitor(State())

    init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    var usedBytes: Int { monitor.withLock { $0.usedBytes } }
    var isOver: Bool { usedBytes > limitBytes }
    var hasFlusher: Bool { monitor.withLock { $0.hasFlusher } }

    /// Counts `bytes` more (fewer when negative); rings when the limit is passed.
    func add(_ bytes: Int) {
        let rings = monitor.withLock { state -> Bool in
            let wasOver = state.usedBytes > limitBytes
            state.usedBytes += bytes
            return bytes < 0 || (!wasOver && state.usedBytes > limitBytes)
        }
        if rings { ring() }
    }

    func setFlusher(_ present: Bool) { monitor.update { $0.hasFlusher = present } }

    /// Wakes the background threads and those that wait for memory.
    func ring() { monitor.update { $0.rings += 1 } }

    /// Tells that a flush failed.
    func noteFailure() { monitor.update { $0.failures += 1 } }

    /// Waits for a ring after the `seen`-th, at most `timeoutMs`; returns the count of rings.
    func waitForRing(after seen: Int, timeoutMs: Int64) -> Int {
        monitor.wait(timeoutMs: timeoutMs) { $0.rings != seen ? $0.rings : nil } ?? seen
    }

    /// Waits until less than twice the limit is used, a flush fails or `timeoutMs` pass. Returns whether there is
    /// memory now.
    func waitForMemory(timeoutMs: Int64) -> Bool {
        let failures = monitor.withLock { $0.failures }
        _ = monitor.wait(timeoutMs: timeoutMs) { state -> Bool? in
            state.usedBytes <= 2 * self.limitBytes || state.failures != failures || !state.hasFlusher ? true : nil
        }
        return usedBytes <= 2 * limitBytes
    }
}

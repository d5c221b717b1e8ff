import Disk

/// Carries a request's body from the connection's task, which waits without blocking, to a query's thread, which
/// blocks for it. Holds at most about `limit` bytes.
final class RequestPipe: Sendable {
    private struct State {
        var chunks: [[UInt8]] = []
        var next = 0
        var bufferedBytes = 0
        var ending: HTTPFailure??
        var isClosed = false
        var writer: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let monitor = Monitor(State())

    /// Creates a pipe that holds about `limit` bytes before the writer must wait.
    init(limit: Int) {
        self.limit = limit
    }

    /// Hands on bytes; waits while the pipe is full. False when nobody wants more.
    func write(_ bytes: [UInt8]) async -> Bool {
        if bytes.isEmpty { return true }
        let isOpen = monitor.update { state in
            if state.isClosed { return false }
            state.chunks.append(bytes)
            state.bufferedBytes += bytes.count
            return true
        }
        guard isOpen else { return false }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let mayGoOn = monitor.withLock { state in
                if state.isClosed || state.bufferedBytes < limit { return true }
                state.writer = continuation
                return false
            }
            if mayGoOn { continuation.resume() }
        }
        return true
    }

    /// No more bytes come; `failure` says why when it is not the body's proper end.
    func finish(_ failure: HTTPFailure? = nil) {
        monitor.update { state in if state.ending == nil { state.ending = .some(failure) } }
    }

    /// The next bytes; nil at the end. Blocks. Throws what broke the body off.
    func next() throws(HTTPFailure) -> [UInt8]? {
        let (chunk, failure, writer) =
            monitor.wait { state -> ([UInt8]?, HTTPFailure?, CheckedContinuation<Void, Never>?)? in
                if state.next < state.chunks.count {
                    let chunk = state.chunks[state.next]
                    state.next += 1
                    state.bufferedBytes -= chunk.count
                    if state.next == state.chunks.count {
                        state.chunks.removeAll(keepingCapacity: true)
                        state.next = 0
                    }
                    var writer: CheckedContinuation<Void, Never>?
                    if state.bufferedBytes < self.limit { swap(&writer, &state.writer) }
                    return (chunk, nil, writer)
                }
                if let ending = state.ending { return (nil, ending, nil) }
                return nil
            } ?? (nil, nil, nil)
        writer?.resume()
        if let failure { throw failure }
        return chunk
    }

    /// The reader wants no more: a waiting writer goes on, and learns so.
    func close() {
        let writer = monitor.update { state -> CheckedContinuation<Void, Never>? in
            state.isClosed = true
            state.chunks = []
            state.next = 0
            state.bufferedBytes = 0
            defer { state.writer = nil }
            return state.writer
        }
        writer?.resume()
    }
}

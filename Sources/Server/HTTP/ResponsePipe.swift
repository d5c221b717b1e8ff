import Disk

/// Carries a result from the query's thread, which blocks when it is ahead, to the connection's task, which waits
/// without blocking. Holds at most about `limit` bytes.
///
/// The reader first waits for `start`: by then either the query is over, and an error still gets its own status, or
/// more than `limit` bytes are there and the answer must begin.
final class ResponsePipe: Sendable {
    /// How a query ended.
    struct Ending: Sendable {
        /// nil when it ended well.
        var failure: HTTPFailure?
        /// Headers known at the end only (the summary).
        var headers: [(name: String, value: String)]
    }

    private struct State {
        var chunks: [[UInt8]] = []
        var bufferedBytes = 0
        var contentType: String?
        var headers: [(name: String, value: String)] = []
        var ending: Ending?
        var isAbandoned = false
        var hasStarted = false
        var reader: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let monitor = Monitor(State())

    /// Creates a pipe that holds about `limit` bytes before the writer must wait.
    init(limit: Int) {
        self.limit = limit
    }

    // MARK: The query's side

    /// Says what kind of content follows.
    func describe(contentType: String, headers: [(name: String, value: String)]) {
        monitor.withLock {
            $0.contentType = contentType
            $0.headers = headers
        }
    }

    /// Hands on bytes; blocks while the pipe is full. False when nobody reads any more.
    func write(_ bytes: [UInt8]) -> Bool {
        if bytes.isEmpty { return !monitor.withLock(\.isAbandoned) }
        let (reader, isAbandoned) = monitor.withLock { state in
            if !state.isAbandoned {
                state.chunks.append(bytes)
                state.bufferedBytes += bytes.count
            }
            let wakes = state.hasStarted || state.bufferedBytes >= limit
            defer { if wakes { state.reader = nil } }
            return (wakes ? state.reader : nil, state.isAbandoned)
        }
        reader?.resume()
        if isAbandoned { return false }
        return monitor.wait { state in
            if state.isAbandoned { return false }
            return state.bufferedBytes < limit ? true : nil
        } ?? false
    }

    /// Ends the result. Later calls do nothing.
    func finish(_ ending: Ending) {
        let reader = monitor.update { state -> CheckedContinuation<Void, Never>? in
            if state.ending == nil { state.ending = ending }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    // MARK: The connection's side

    /// What is known when the answer must begin.
    struct Start: Sendable {
        var contentType: String?
        var headers: [(name: String, value: String)]
        /// Set when the query is over already: all bytes are in `bytes`.
        var ending: Ending?
        var bytes: [[UInt8]]
    }

    /// Waits until the answer can begin.
    func start() async -> Start {
        let limit = limit
        await waitUntil { $0.ending != nil || $0.bufferedBytes >= limit }
        return monitor.update { state in
            state.hasStarted = true
            defer {
                state.chunks = []
                state.bufferedBytes = 0
            }
            return Start(
                contentType: state.contentType, headers: state.headers, ending: state.ending, bytes: state.chunks)
        }
    }

    /// The next bytes, or how it ended once all are taken.
    func next() async -> (bytes: [[UInt8]], ending: Ending?) {
        await waitUntil { $0.ending != nil || !$0.chunks.isEmpty }
        return monitor.update { state in
            defer {
                state.chunks = []
                state.bufferedBytes = 0
            }
            return (state.chunks, state.ending)
        }
    }

    /// The reader is gone: the writer's next `write` returns false.
    func abandon() {
        monitor.update { state in
            state.isAbandoned = true
            state.chunks = []
            state.bufferedBytes = 0
        }
    }

    private func waitUntil(_ isReady: @escaping @Sendable (borrowing State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isReadyNow = monitor.withLock { state in
                if isReady(state) { return true }
                state.reader = continuation
                return false
            }
            if isReadyNow { continuation.resume() }
        }
    }
}

import Columnar
import Compression
import Disk
import QueryEngine
import Synchronization

/// A query on its way from HTTP to the engine.
struct QueryRequest: Sendable {
    var sql: [UInt8]
    var queryID: String
    var user: User
    var database = "default"
    var defaultFormat: String?
    var parameters: [String: [UInt8]] = [:]
    var settings: [String: String] = [:]
    var isReadonly = false
    /// What follows the text of an INSERT.
    var input: RequestPipe?
    var cancellation = CancellationToken()
}

/// Runs queries on threads of their own, and counts them.
final class QueryRunner: Sendable {
    private let engine: QueryEngine
    private let clock: any Clock
    private let pool: BlockingPool
    private let metrics: ServerMetrics
    private let running = Mutex<[ObjectIdentifier: CancellationToken]>([:])

    init(engine: QueryEngine, clock: any Clock, pool: BlockingPool, metrics: ServerMetrics) {
        self.engine = engine
        self.clock = clock
        self.pool = pool
        self.metrics = metrics
    }

    /// How many queries run now.
    var runningCount: Int { running.withLock(\.count) }

    /// Cancels what runs, for a stop that has waited long enough.
    func cancelAll() {
        for token in running.withLock({ $0.values.map { $0 } }) { token.cancel() }
    }

    /// Runs the query on a query thread and calls `completion` there with how it ended. Throws when too many wait.
    func start(
        _ request: QueryRequest, sink: any ResultSink & Sendable,
        completion: @escaping @Sendable (Swift.Result<QuerySummary, QueryError>) -> Void
    ) throws(HTTPFailure) {
        do throws(BlockingPool.Refusal) {
            try pool.submit { [self] in completion(execute(request, sink: sink)) }
        } catch {
            switch error {
            case .full:
                throw HTTPFailure(QueryError(.tooManyQueries, "Too many simultaneous queries; try again in a moment"))
            case .stopped:
                throw HTTPFailure(503, "The server is stopping", code: .aborted)
            }
        }
    }

    private func execute(_ request: QueryRequest, sink: any ResultSink) -> Swift.Result<QuerySummary, QueryError> {
        let start = clock.steadyNs()
        let id = ObjectIdentifier(request.cancellation)
        running.withLock { $0[id] = request.cancellation }
        let result = Swift.Result { () throws(QueryError) in
            if request.cancellation.isCancelled { throw QueryError(.queryWasCancelled, "Query was cancelled") }
            return try engine.run(request.sql, options: options(request), sink: sink)
        }
        _ = running.withLock { $0.removeValue(forKey: id) }
        record(result, elapsedNs: clock.steadyNs() - start)
        return result
    }

    private func options(_ request: QueryRequest) -> QueryOptions {
        var options = QueryOptions()
        options.queryID = request.queryID
        options.database = request.database
        if let format = request.defaultFormat { options.defaultFormat = format }
        options.parameters = request.parameters
        options.settings = request.settings
        options.isReadonly = request.isReadonly
        options.inputData = request.input.map { PipeInput(pipe: $0) }
        options.cancellation = request.cancellation
        options.user = request.user.name
        return options
    }

    private func record(_ result: Swift.Result<QuerySummary, QueryError>, elapsedNs: UInt64) {
        metrics.queries.add(1)
        metrics.queryDuration.record(nanoseconds: elapsedNs)
        switch result {
        case .success(let summary):
            metrics.queryRowsRead.add(summary.readRows)
            metrics.queryBytesRead.add(summary.readBytes)
            metrics.queryRowsReturned.add(summary.resultRows)
            metrics.rowsInserted.add(summary.writtenRows)
        case .failure(let error):
            if error.code == .queryWasCancelled {
                metrics.queriesCancelled.add(1)
            } else {
                metrics.queryFailures.add(1)
            }
        }
    }

    /// Runs the query and gives back its whole result, at most `maxBytes`.
    func collect(_ request: QueryRequest, maxBytes: Int) async throws(HTTPFailure) -> [UInt8] {
        let sink = MemorySink(maxBytes: maxBytes)
        let result: Swift.Result<QuerySummary, HTTPFailure> = await withCheckedContinuation { continuation in
            do throws(HTTPFailure) {
                try start(request, sink: sink) { result in
                    continuation.resume(returning: result.mapError { HTTPFailure($0) })
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        _ = try result.get()
        return sink.bytes
    }
}

/// Gives a query the rest of its request's body.
private struct PipeInput: InsertData {
    let pipe: RequestPipe

    func next() throws(QueryError) -> [UInt8]? {
        do throws(HTTPFailure) {
            return try pipe.next()
        } catch {
            throw QueryError(error.code ?? .incorrectData, error.message)
        }
    }
}

/// Keeps a small result in memory.
final class MemorySink: ResultSink, Sendable {
    private let maxBytes: Int
    private let state = Mutex<[UInt8]>([])

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// What came so far.
    var bytes: [UInt8] { state.withLock { $0 } }

    func begin(format: ResultFormat, columns: [(name: String, type: DataType)]) throws(QueryError) {}

    func write(_ bytes: [UInt8]) throws(QueryError) {
        let size = state.withLock { all in
            all.append(contentsOf: bytes)
            return all.count
        }
        guard size <= maxBytes else {
            throw QueryError(
                .tooManyRowsOrBytes, "The result is longer than \(maxBytes) bytes; select less or add a LIMIT")
        }
    }
}

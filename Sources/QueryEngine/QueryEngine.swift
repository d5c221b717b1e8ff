import Columnar
import Disk
import Synchronization

/// How the engine treats all queries.
public struct EngineSettings: Sendable {
    /// Threads for one query, the calling one included.
    public var threads = 2
    /// Bytes of memory one query may hold; 0 is no limit.
    public var maxMemoryBytes = 256 << 20
    /// Milliseconds one query may take; 0 is no limit.
    public var timeoutMs: Int64 = 0
    /// How many finished queries `system.query_log` remembers.
    public var queryLogSize = 1000
    /// Bytes of an INSERT's data that one row may take.
    public var maxInsertRowBytes = 16 << 20

    /// Creates the settings as they are by default.
    public init() {}
}

/// The data of an INSERT that comes beside its text, piece by piece.
public protocol InsertData {
    /// The next piece; nil at the end. May block. Throws when the client broke off.
    func next() throws(QueryError) -> [UInt8]?
}

/// What a caller says beside the SQL text.
public struct QueryOptions {
    /// The query's name in logs and for cancelling.
    public var queryID = ""
    /// The current database.
    public var database = "default"
    /// The format of results whose query names none.
    public var defaultFormat = "TabSeparated"
    /// Values for `{name:Type}`, TSV-escaped as clients send them.
    public var parameters: [String: [UInt8]] = [:]
    /// Settings; unknown ones are let pass.
    public var settings: [String: String] = [:]
    /// Whether statements that change anything are refused.
    public var isReadonly = false
    /// What follows the text of an INSERT; nil when nothing does.
    public var inputData: (any InsertData)?
    /// Stops the query.
    public var cancellation = CancellationToken()
    /// Who asks, for the query log.
    public var user = "default"

    /// Creates options that say nothing special.
    public init() {}
}

/// Takes a result. Called on the query's thread only.
public protocol ResultSink: AnyObject {
    /// Comes once, before the first bytes of a result; never for statements without one. Nothing was wrong with the
    /// query so far, and the first block is ready.
    func begin(format: ResultFormat, columns: [(name: String, type: DataType)]) throws(QueryError)
    /// Takes bytes of the result. May block while the client is slow; throws when it is gone.
    func write(_ bytes: [UInt8]) throws(QueryError)
}

/// What a query did.
public struct QuerySummary: Sendable {
    /// Rows read from tables.
    public var readRows: UInt64 = 0
    /// Bytes read from tables.
    public var readBytes: UInt64 = 0
    /// Rows in the result.
    public var resultRows: UInt64 = 0
    /// Bytes of the result as text.
    public var resultBytes: UInt64 = 0
    /// Rows inserted.
    public var writtenRows: UInt64 = 0
    /// Bytes of rows inserted, as they came.
    public var writtenBytes: UInt64 = 0
    /// Nanoseconds the query took.
    public var elapsedNs: UInt64 = 0
    /// The most memory the query held.
    public var peakMemoryBytes: UInt64 = 0
    /// What a statement had to say that is no error: clauses of CREATE TABLE that do not apply.
    public var notices: [String] = []

    /// Creates a summary of nothing done.
    public init() {}
}

/// Runs SQL against a database: parses, plans, executes, writes the result in a format.
///
/// `run` blocks and is called on threads for queries; any number of them may be at work at once.
public final class QueryEngine: Sendable {
    let database: any Database
    let clock: any Clock
    let settings: EngineSettings
    let log: QueryLogBuffer
    private let running = Mutex<[UInt64: RunningQuery]>([:])
    private let nextRun = Atomic<UInt64>(0)

    /// Creates an engine over `database`.
    public init(database: any Database, clock: any Clock, settings: EngineSettings = EngineSettings()) {
        self.database = database
        self.clock = clock
        self.settings = settings
        log = QueryLogBuffer(capacity: settings.queryLogSize)
    }

    /// Queries at work now.
    var runningQueries: [RunningQuery] { running.withLock { Array($0.values) } }

    /// Stops the queries of this name; returns how many there were.
    public func cancel(queryID: String) -> Int {
        let found = runningQueries.filter { $0.queryID == queryID }
        for query in found { query.cancellation.cancel() }
        return found.count
    }

    /// Runs one statement; its result goes to `sink`.
    ///
    /// Throws what is wrong with the query or happened on the way; when `sink.begin` was called before, part of a
    /// result may have been written.
    public func run(_ sql: [UInt8], options: QueryOptions, sink: any ResultSink) throws(QueryError) -> QuerySummary {
        let number = nextRun.wrappingAdd(1, ordering: .relaxed).newValue
        let start = clock.steadyNs()
        let running = RunningQuery(
            queryID: options.queryID, user: options.user, text: Array(sql.prefix(QueryLogBuffer.maxTextBytes)),
            startMs: clock.nowMs(), startNs: start, cancellation: options.cancellation)
        self.running.withLock { $0[number] = running }
        defer { _ = self.running.withLock { $0.removeValue(forKey: number) } }
        var run = QueryRun(engine: self, sql: sql, options: options, sink: sink, startNs: start)
        do throws(QueryError) {
            try run.execute()
            let summary = run.finished(now: clock.steadyNs())
            log.add(running, summary, error: nil)
            return summary
        } catch {
            let failure = error.located(in: sql)
            log.add(running, run.finished(now: clock.steadyNs()), error: failure)
            throw failure
        }
    }
}

/// A query at work.
struct RunningQuery: Sendable {
    var queryID: String
    var user: String
    var text: [UInt8]
    var startMs: Int64
    var startNs: UInt64
    var cancellation: CancellationToken
}

import Columnar
import Disk
import Synchronization

/// What a query may use up. Zero means no limit, as in ClickHouse's settings.
public struct QueryLimits: Sendable {
    /// Bytes of memory for hash tables, sort buffers and the like.
    public var maxMemoryBytes = 1 << 30
    /// Rows read from tables.
    public var maxRowsToRead: UInt64 = 0
    /// Rows of the result.
    public var maxResultRows: UInt64 = 0
    /// Milliseconds from the context's creation.
    public var timeoutMs: Int64 = 0
    /// Threads that work on the query, the calling one included; at least 1.
    public var threads = 2
    /// Whether granules are skipped by what is known of them; off only in tests that compare.
    public var usesPruning = true

    /// Creates limits as they are by default.
    public init() {}
}

/// Tells a running query to stop; shared between the query and whoever may cancel it.
public final class CancellationToken: Sendable {
    private let flag = Atomic<Bool>(false)

    /// Creates a token that is not cancelled.
    public init() {}

    /// Cancels; polled by the query at least once a granule.
    public func cancel() { flag.store(true, ordering: .relaxed) }

    /// Whether `cancel` was called.
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}

/// Counts the memory a query holds and refuses more than its budget.
public final class MemoryTracker: Sendable {
    private let used = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)
    private let limit: Int

    /// Creates a tracker; `limit` 0 is none.
    public init(limit: Int) { self.limit = limit }

    /// The most bytes held at once.
    public var peakBytes: Int { highest.load(ordering: .relaxed) }

    /// The bytes held now.
    public var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Takes `bytes` from the budget; negative gives back. Throws `.memoryLimitExceeded`, having taken nothing.
    public func reserve(_ bytes: Int) throws(QueryError) {
        if bytes <= 0 {
            release(-bytes)
            return
        }
        let now = used.wrappingAdd(bytes, ordering: .relaxed).newValue
        if limit > 0 && now > limit {
            release(bytes)
            throw QueryError(
                .memoryLimitExceeded,
                "Memory limit (for query) exceeded: would use \(now) bytes, maximum is \(limit) bytes "
                    + "(setting max_memory_usage)")
        }
        _ = highest.max(now, ordering: .relaxed)
    }

    /// Gives back `bytes`.
    public func release(_ bytes: Int) { used.wrappingSubtract(bytes, ordering: .relaxed) }
}

/// What a query has read so far; read by others while it runs.
public final class QueryProgress: Sendable {
    let rows = Atomic<UInt64>(0)
    let bytes = Atomic<UInt64>(0)
    let granules = Atomic<UInt64>(0)
    let skipped = Atomic<UInt64>(0)

    /// Rows of granules that were looked into or answered from metadata.
    public var rowsRead: UInt64 { rows.load(ordering: .relaxed) }
    /// Stored bytes of the columns read.
    public var bytesRead: UInt64 { bytes.load(ordering: .relaxed) }
    /// Granules looked into.
    public var granulesRead: UInt64 { granules.load(ordering: .relaxed) }
    /// Granules left out by what is known of them.
    public var granulesSkipped: UInt64 { skipped.load(ordering: .relaxed) }
}

/// All that holds for one run of one query: where tables come from, limits, the clock, counters.
public final class QueryContext: Sendable {
    /// Where tables come from.
    public let database: any Database
    /// The current database's name.
    public let databaseName: String
    /// Tables of the `system` database that the engine keeps itself, asked before the database's own.
    public let systemTables: @Sendable (_ name: String) throws(QueryError) -> Block?
    /// What the functions see.
    public let evaluation: EvaluationContext
    /// What the query may use up.
    public let limits: QueryLimits
    /// Stops the query.
    public let cancellation: CancellationToken
    /// What was read so far.
    public let progress = QueryProgress()
    /// The memory held.
    public let memory: MemoryTracker

    private let clock: any Clock
    private let deadlineNs: UInt64

    /// Creates a context; the time limit counts from here.
    public init(
        database: any Database, databaseName: String = "default", clock: any Clock = SystemClock(),
        limits: QueryLimits = QueryLimits(), cancellation: CancellationToken = CancellationToken(),
        systemTables: @escaping @Sendable (_ name: String) throws(QueryError) -> Block? = { _ throws(QueryError) in nil
        }
    ) {
        self.database = database
        self.databaseName = databaseName
        self.limits = limits
        self.cancellation = cancellation
        self.clock = clock
        self.systemTables = systemTables
        let memory = MemoryTracker(limit: limits.maxMemoryBytes)
        self.memory = memory
        let deadlineNs =
            limits.timeoutMs > 0 ? clock.steadyNs() &+ UInt64(limits.timeoutMs) &* 1_000_000 : UInt64.max
        self.deadlineNs = deadlineNs
        evaluation = EvaluationContext(nowNs: clock.nowMs() * 1_000_000, database: databaseName) {
            () throws(QueryError) in
            try Self.check(cancellation, clock: clock, deadlineNs: deadlineNs, timeoutMs: limits.timeoutMs)
        }
    }

    /// Throws when the query was cancelled or its time is up. Cheap: called once a granule.
    public func checkpoint() throws(QueryError) {
        try Self.check(cancellation, clock: clock, deadlineNs: deadlineNs, timeoutMs: limits.timeoutMs)
    }

    private static func check(
        _ cancellation: CancellationToken, clock: any Clock, deadlineNs: UInt64, timeoutMs: Int64
    ) throws(QueryError) {
        if cancellation.isCancelled { throw QueryError(.queryWasCancelled, "Query was cancelled") }
        if deadlineNs != .max && clock.steadyNs() > deadlineNs {
            throw QueryError(
                .timeoutExceeded,
                "Timeout exceeded: the query ran longer than \(timeoutMs) ms (setting max_execution_time)")
        }
    }

    /// Counts rows as read; throws `.tooManyRows` past the limit.
    func countRead(rows: Int, granules: Int) throws(QueryError) {
        let total = progress.rows.wrappingAdd(UInt64(rows), ordering: .relaxed).newValue
        progress.granules.wrappingAdd(UInt64(granules), ordering: .relaxed)
        if limits.maxRowsToRead > 0 && total > limits.maxRowsToRead {
            throw QueryError(
                .tooManyRows,
                "Limit for rows to read exceeded: \(total) rows, maximum is \(limits.maxRowsToRead) "
                    + "(setting max_rows_to_read)")
        }
    }
}

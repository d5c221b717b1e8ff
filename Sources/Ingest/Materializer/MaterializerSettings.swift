/// How records are brought from topics to tables.
public struct MaterializerSettings: Sendable, Hashable {
    /// Threads that do it; each works for one topic at a time.
    public var threads: Int
    /// Columns past which an inferred table puts the rest into one map.
    public var maxColumns: Int
    /// Bytes of the log read at once.
    public var readBytes: Int
    /// Bytes of the log after which another topic gets its turn.
    public var turnBytes: Int
    /// The most bytes one record batch may decompress into.
    public var maxBatchBytes: Int
    /// Dead letters without a table that wait for a first good record, and for how long, in milliseconds.
    public var maxWaitingDeadLetters: Int
    /// See `maxWaitingDeadLetters`.
    public var tableWaitMs: Int64
    /// Bytes of dead letters at which they are given to the table.
    public var maxDeadLetterBytes: Int
    /// The first pause after an error, in milliseconds; it doubles up to `maxRetryMs`.
    public var retryMs: Int64
    /// The longest pause after errors, in milliseconds.
    public var maxRetryMs: Int64

    /// Creates settings; the defaults suit a machine of 2 cores and 1 GB.
    public init(
        threads: Int = 2, maxColumns: Int = 1000, readBytes: Int = 1 << 20, turnBytes: Int = 8 << 20,
        maxBatchBytes: Int = 128 << 20, maxWaitingDeadLetters: Int = 100, tableWaitMs: Int64 = 1000,
        maxDeadLetterBytes: Int = 4 << 20, retryMs: Int64 = 100, maxRetryMs: Int64 = 30_000
    ) {
        self.threads = threads
        self.maxColumns = maxColumns
        self.readBytes = readBytes
        self.turnBytes = turnBytes
        self.maxBatchBytes = maxBatchBytes
        self.maxWaitingDeadLetters = maxWaitingDeadLetters
        self.tableWaitMs = tableWaitMs
        self.maxDeadLetterBytes = maxDeadLetterBytes
        self.retryMs = retryMs
        self.maxRetryMs = maxRetryMs
    }
}

/// How a topic's way to a table stands.
public struct TopicStatus: Sendable, Hashable {
    /// The topic's name.
    public var topic: String
    /// The table's name.
    public var table: String
    /// Records in the log that the table does not show yet, over all partitions.
    public var lag: Int64
    /// Rows brought to the table since the start.
    public var rows: UInt64
    /// Records set aside since the start because they could not become rows.
    public var deadLetters: UInt64
    /// Why it stands still; nil while it does not.
    public var error: String?
}

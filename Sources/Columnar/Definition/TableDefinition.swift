/// What a table is: its columns, how rows lie in parts, and when they go.
public struct TableDefinition: Sendable, Hashable {
    /// The table's name, any UTF-8 text without NUL.
    public var name: String
    /// The columns, in order.
    public var columns: [ColumnDefinition]
    /// Names of the columns by which rows are sorted within each part; empty when unsorted.
    public var sortingKey: [String]
    /// The column that says when a row happened, when there is one; a part records its smallest and largest value.
    public var timeColumn: String?
    /// How rows are split into parts that never merge with each other.
    public var partitionBy: PartitionScheme
    /// When rows expire; nil means never.
    public var ttl: TimeToLive?
    /// The most compressed bytes the table may keep on disk; past it the oldest partition goes. Nil: no limit.
    public var maxBytes: UInt64?
    /// Settings as they were given, kept for SHOW CREATE TABLE.
    public var settings: [String: String]
    /// COMMENT, empty when none.
    public var comment: String
    /// Whether the table was made from the first record rather than by CREATE TABLE.
    public var isInferred: Bool

    /// Creates a definition. Nothing is checked here: `Catalog.createTable` does.
    public init(
        name: String, columns: [ColumnDefinition], sortingKey: [String] = [], timeColumn: String? = nil,
        partitionBy: PartitionScheme = .none, ttl: TimeToLive? = nil, maxBytes: UInt64? = nil,
        settings: [String: String] = [:], comment: String = "", isInferred: Bool = false
    ) {
        self.name = name
        self.columns = columns
        self.sortingKey = sortingKey
        self.timeColumn = timeColumn
        self.partitionBy = partitionBy
        self.ttl = ttl
        self.maxBytes = maxBytes
        self.settings = settings
        self.comment = comment
        self.isInferred = isInferred
    }

    /// The column called `name`; nil when there is none.
    public func column(_ name: String) -> ColumnDefinition? { columns.first { $0.name == name } }
}

/// How rows are split into partitions. Parts of different partitions never merge, so a partition can be dropped
/// whole.
public enum PartitionScheme: Sendable, Hashable {
    /// All rows in one partition.
    case none
    /// By day (UTC) of a Date, DateTime or DateTime64 column; NULL counts as 1970-01-01.
    case day(column: String)
    /// By month (UTC) of such a column.
    case month(column: String)

    /// The column that decides; nil when none does.
    public var column: String? {
        switch self {
        case .none: nil
        case .day(let column), .month(let column): column
        }
    }
}

/// When rows expire: `seconds` after the time in `column`.
public struct TimeToLive: Sendable, Hashable {
    /// A Date, DateTime or DateTime64 column.
    public var column: String
    /// How long a row lives, counted from the column's value.
    public var seconds: Int64
    /// The expression as it was written, for SHOW CREATE TABLE.
    public var sql: String

    /// Creates a rule.
    public init(column: String, seconds: Int64, sql: String) {
        self.column = column
        self.seconds = seconds
        self.sql = sql
    }
}

/// One partition of one topic: where rows came from.
public struct SourcePartition: Sendable, Hashable, Comparable {
    /// The topic's name.
    public var topic: String
    /// The partition's number.
    public var partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// Orders by topic, then by number.
    public static func < (left: SourcePartition, right: SourcePartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

extension TableDefinition {
    /// Columns of a table's dead letters: records that could not become rows, with why.
    public static let deadLetterColumns: [ColumnDefinition] = [
        ColumnDefinition(name: "topic", type: .lowCardinality(.string)),
        ColumnDefinition(name: "partition", type: .int32),
        ColumnDefinition(name: "offset", type: .int64),
        ColumnDefinition(name: "timestamp", type: .dateTime64(precision: 3, timeZone: nil)),
        ColumnDefinition(name: "reason", type: .string),
        ColumnDefinition(name: "value", type: .string),
    ]
}

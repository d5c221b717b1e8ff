import Columnar

/// What a query may ask of the server around it: tables to read, and the doing of statements that change things.
///
/// The engine knows SQL and columns; what a topic is, and how an INSERT becomes durable, is the server's affair.
/// All calls may block and come on query threads.
public protocol Database: Sendable {
    /// The names of all tables, sorted.
    func tableNames() -> [String]
    /// What is known of a table without reading it; nil when there is none of that name.
    func table(_ name: String) -> TableInfo?
    /// A fixed view of the table's rows; nil when there is no such table.
    func snapshot(_ name: String) throws(QueryError) -> (any TableSnapshot)?
    /// Tables of the `system` database that the server keeps (topics, settings, query_log, parts …): a block each.
    func systemTable(_ name: String) throws(QueryError) -> Block?
    /// The names `systemTable` knows.
    func systemTableNames() -> [String]

    func createTable(_ statement: CreateTableStatement) throws(QueryError)
    func dropTable(_ name: String) throws(QueryError)
    func truncateTable(_ name: String) throws(QueryError)
    func alterTable(_ name: String, _ actions: [AlterAction]) throws(QueryError)
    /// Merges a table's parts; `final` into one a partition.
    func optimizeTable(_ name: String, final: Bool) throws(QueryError)
    /// Writes rows through the table's topic: returns once they are durable there. Blocks are as the insert named
    /// them; columns the table lacks are an error.
    func insert(into name: String, _ block: Block) throws(QueryError)
}

/// A table's definition and size.
public struct TableInfo: Sendable {
    /// The table's name.
    public var name: String
    /// The columns, in the table's order.
    public var columns: [ColumnDefinition]
    /// Names of the sorting key's columns; empty when there is none.
    public var sortingKey: [String]
    /// PARTITION BY as SQL; empty when none.
    public var partitionBy: String
    /// TTL as SQL; empty when none.
    public var ttl: String
    /// The table's settings, as written.
    public var settings: [(name: String, value: String)]
    /// The table's comment; empty when there is none.
    public var comment: String
    /// Rows, those in memory included.
    public var rowCount: UInt64
    /// Compressed bytes on disk.
    public var sizeBytes: UInt64
    /// Parts on disk.
    public var partCount: Int

    /// Creates a description.
    public init(
        name: String, columns: [ColumnDefinition], sortingKey: [String], partitionBy: String, ttl: String,
        settings: [(name: String, value: String)] = [], comment: String = "", rowCount: UInt64, sizeBytes: UInt64,
        partCount: Int
    ) {
        self.name = name
        self.columns = columns
        self.sortingKey = sortingKey
        self.partitionBy = partitionBy
        self.ttl = ttl
        self.settings = settings
        self.comment = comment
        self.rowCount = rowCount
        self.sizeBytes = sizeBytes
        self.partCount = partCount
    }
}

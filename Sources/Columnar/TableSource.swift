/// Rows per granule: the unit of reading, of skipping and of work.
public let granuleRows = 8192

/// A column's name and type, and what a row without a value gets.
public struct ColumnDefinition: Sendable, Hashable {
    /// The column's name.
    public var name: String
    /// The column's type.
    public var type: DataType
    /// The expression's text after DEFAULT; nil means the type's own default (NULL, 0, empty).
    public var defaultExpression: String?
    /// COMMENT, empty when none.
    public var comment: String

    /// Creates a definition.
    public init(name: String, type: DataType, defaultExpression: String? = nil, comment: String = "") {
        self.name = name
        self.type = type
        self.defaultExpression = defaultExpression
        self.comment = comment
    }
}

/// Smallest and largest value of a column in a granule, NULLs left out. Strings may be cut to a prefix: `minimum`
/// is then ≤ and `maximum` ≥ every value.
public struct ValueRange: Sendable, Hashable {
    /// The smallest value that is not NULL.
    public var minimum: Scalar
    /// The largest value that is not NULL.
    public var maximum: Scalar
    /// How many rows are NULL.
    public var nullCount: Int
    /// Whether minimum and maximum are values that occur (not cut, not widened).
    public var isExact: Bool

    /// Creates a range.
    public init(minimum: Scalar, maximum: Scalar, nullCount: Int, isExact: Bool) {
        self.minimum = minimum
        self.maximum = maximum
        self.nullCount = nullCount
        self.isExact = isExact
    }
}

/// A table as a query sees it: a fixed set of rows in sources, each read granule by granule.
///
/// A snapshot keeps what it names alive: parts merged away meanwhile stay readable until it is released.
public protocol TableSnapshot: Sendable {
    /// The columns, in order.
    var columns: [ColumnDefinition] { get }
    /// The names of the columns by which rows are sorted within each part; empty when unsorted.
    var sortingKey: [String] { get }
    /// Parts and memory parts, in no particular order.
    var sources: [any GranuleSource] { get }
}

/// Rows that are read by granule: a part on disk, a memory part, a system table.
public protocol GranuleSource: Sendable {
    /// The part's name, for EXPLAIN and errors.
    var name: String { get }
    /// The partition it belongs to ("20251016" for a day); nil when the table has none.
    var partition: String? { get }
    /// The number of rows in all.
    var rowCount: Int { get }
    /// The number of granules.
    var granuleCount: Int { get }
    /// Whether rows are in sorting-key order within the source.
    var isSorted: Bool { get }
    /// Rows in granule `granule`: `granuleRows`, less in some.
    func rowCount(granule: Int) -> Int
    /// Range of a column over one granule; nil when unknown. Never wrong: a value outside cannot occur.
    func range(column: String, granule: Int) -> ValueRange?
    /// Range of a column over the whole source; nil when unknown.
    func range(column: String) -> ValueRange?
    /// False only when no row of the granule has `value` in string column `column` (a Bloom filter says so).
    func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool
    /// The dictionary shared by all granules of `column`; nil when the column is stored otherwise.
    func dictionary(column: String) throws(ColumnarError) -> ValueDictionary?
    /// Reads one granule of a column, `rowCount(granule:)` rows of the snapshot's type for that column; a column
    /// the source does not store comes as its default. Throws when the bytes are damaged or the name is unknown.
    func read(column: String, granule: Int) throws(ColumnarError) -> Column
    /// Bytes the column takes on disk in granule `granule` (0 in memory), for statistics.
    func storedBytes(column: String, granule: Int) -> Int
}

import Columnar

/// Rows in memory as a table: system tables, `SELECT 1`'s one row, tests.
public struct BlockSnapshot: TableSnapshot {
    /// The columns, in order.
    public let columns: [ColumnDefinition]
    /// By what the blocks' rows are sorted.
    public let sortingKey: [String]
    /// One source a block.
    public let sources: [any GranuleSource]

    /// A table of one block.
    public init(_ block: Block, name: String) { self.init([block], name: name) }

    /// A table of several blocks with the same columns, each a source named "`name`-`number`". With a sorting key
    /// given, the rows of each block must be in its order.
    public init(_ blocks: [Block], name: String, sortingKey: [String] = []) {
        columns = zip(blocks.first?.names ?? [], blocks.first?.columns ?? []).map {
            ColumnDefinition(name: $0, type: $1.type)
        }
        self.sortingKey = sortingKey
        sources = blocks.enumerated().map { index, block in
            BlockSource(block, name: blocks.count == 1 ? name : "\(name)-\(index)", isSorted: !sortingKey.isEmpty)
        }
    }
}

/// A block as a source of granules.
public struct BlockSource: GranuleSource {
    /// The name, for EXPLAIN and errors.
    public let name: String
    /// The partition it claims to belong to.
    public let partition: String?
    /// Whether the rows are in sorting-key order.
    public let isSorted: Bool
    private let block: Block

    /// Creates a source of the block's rows.
    public init(_ block: Block, name: String, isSorted: Bool = false, partition: String? = nil) {
        self.block = block
        self.name = name
        self.isSorted = isSorted
        self.partition = partition
    }

    /// The number of rows.
    public var rowCount: Int { block.rowCount }
    /// The number of granules.
    public var granuleCount: Int { (block.rowCount + granuleRows - 1) / granuleRows }

    private func rows(_ granule: Int) -> Range<Int> {
        granule * granuleRows..<min((granule + 1) * granuleRows, block.rowCount)
    }

    /// Rows in one granule.
    public func rowCount(granule: Int) -> Int { rows(granule).count }
    /// Nothing is known of ranges.
    public func range(column: String, granule: Int) -> ValueRange? { nil }
    /// Nothing is known of ranges.
    public func range(column: String) -> ValueRange? { nil }
    /// Nothing is known of values.
    public func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool { true }

    /// The dictionary of a column that lies in memory as codes.
    public func dictionary(column: String) throws(ColumnarError) -> ValueDictionary? {
        guard let index = block.names.firstIndex(of: column) else { return nil }
        if case .dictionary(let encoded) = block.columns[index].data { return encoded.dictionary }
        return nil
    }

    /// The granule's rows of one column.
    public func read(column: String, granule: Int) throws(ColumnarError) -> Column {
        guard let index = block.names.firstIndex(of: column) else {
            throw ColumnarError(.unknownColumn, "no column \(column) in \(name)")
        }
        return block.columns[index].slice(rows(granule))
    }

    /// Nothing is stored.
    public func storedBytes(column: String, granule: Int) -> Int { 0 }
}

/// `numbers(n)`: counted up as they are read.
struct NumbersSnapshot: TableSnapshot {
    let columns: [ColumnDefinition]
    let sortingKey: [String]
    let sources: [any GranuleSource]

    init(column: String, start: UInt64, count: Int, step: UInt64) {
        let isZero = column == "zero"
        columns = [ColumnDefinition(name: column, type: isZero ? .uint8 : .uint64)]
        sortingKey = [column]
        sources = count == 0 ? [] : [NumbersSource(start: start, rowCount: count, step: step, isZero: isZero)]
    }
}

private struct NumbersSource: GranuleSource {
    let start: UInt64
    let rowCount: Int
    let step: UInt64
    let isZero: Bool

    var name: String { "numbers" }
    var partition: String? { nil }
    var isSorted: Bool { true }
    var granuleCount: Int { (rowCount + granuleRows - 1) / granuleRows }

    func rowCount(granule: Int) -> Int { min(granuleRows, rowCount - granule * granuleRows) }

    private func value(_ row: Int) -> UInt64 { isZero ? 0 : start &+ UInt64(row) &* step }

    private func range(_ first: Int, _ last: Int) -> ValueRange? {
        let (low, high) = (value(first), value(last))
        guard low <= high else { return nil }
        return ValueRange(minimum: .uint(low), maximum: .uint(high), nullCount: 0, isExact: true)
    }

    func range(column: String, granule: Int) -> ValueRange? {
        let first = granule * granuleRows
        return range(first, first + rowCount(granule: granule) - 1)
    }

    func range(column: String) -> ValueRange? { range(0, rowCount - 1) }
    func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool { true }
    func dictionary(column: String) throws(ColumnarError) -> ValueDictionary? { nil }
    func storedBytes(column: String, granule: Int) -> Int { 0 }

    func read(column: String, granule: Int) throws(ColumnarError) -> Column {
        let count = rowCount(granule: granule)
        if isZero { return Column.constant(.uint(0), type: .uint8, count: count) }
        let first = granule * granuleRows
        return Column(type: .uint64, data: .uint64((0..<count).map { value(first + $0) }))
    }
}

import Columnar
import Disk
import QueryEngine

/// A database of tables held in memory, for tests of operators.
struct FixtureDatabase: Database {
    var tables: [String: any TableSnapshot] = [:]

    func tableNames() -> [String] { tables.keys.sorted() }
    func table(_ name: String) -> TableInfo? { nil }
    func snapshot(_ name: String) throws(QueryError) -> (any TableSnapshot)? { tables[name] }
    func systemTable(_ name: String) throws(QueryError) -> Block? { nil }
    func systemTableNames() -> [String] { [] }
    func createTable(_ statement: CreateTableStatement) throws(QueryError) {}
    func dropTable(_ name: String) throws(QueryError) {}
    func truncateTable(_ name: String) throws(QueryError) {}
    func alterTable(_ name: String, _ actions: [AlterAction]) throws(QueryError) {}
    func optimizeTable(_ name: String, final: Bool) throws(QueryError) {}
    func insert(into name: String, _ block: Block) throws(QueryError) {}

    /// Runs a SELECT and gives back its rows as text, a row a string, values between bars.
    func rows(
        _ sql: String, limits: QueryLimits = QueryLimits(), cancellation: CancellationToken = CancellationToken()
    ) throws(QueryError) -> [String] {
        let context = QueryContext(database: self, limits: limits, cancellation: cancellation)
        let executor = try SelectExecutor(try select(sql), context: context)
        var result: [String] = []
        try executor.run { (block) throws(QueryError) in result += text(block) }
        return result
    }

    func select(_ sql: String) throws(QueryError) -> SelectQuery {
        switch try Parser.parse(Array(sql.utf8)).statement {
        case .select(let query): return query
        default: throw QueryError(.syntaxError, "not a SELECT: \(sql)")
        }
    }

    func executor(_ sql: String, limits: QueryLimits = QueryLimits()) throws(QueryError) -> SelectExecutor {
        try SelectExecutor(try select(sql), context: QueryContext(database: self, limits: limits))
    }
}

/// A block's rows as text.
func text(_ block: Block) -> [String] {
    (0..<block.rowCount).map { row in
        block.columns.map { column in
            if column.isNull(at: row) { return "NULL" }
            var bytes: [UInt8] = []
            ValueText.append(column, row: row, to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }.joined(separator: "|")
    }
}

/// A block as a part would keep it: granules of any size, with ranges, value sets and dictionaries.
struct PartFixture: GranuleSource {
    let name: String
    var partition: String?
    let block: Block
    let isSorted: Bool
    let granule: Int
    /// Reads of this column fail as damaged.
    var damagedColumn: String?

    init(_ block: Block, name: String = "part", granule: Int = 100, isSorted: Bool = false) {
        self.block = block
        self.name = name
        self.granule = granule
        self.isSorted = isSorted
    }

    var rowCount: Int { block.rowCount }
    var granuleCount: Int { (block.rowCount + granule - 1) / granule }

    private func rows(_ index: Int) -> Range<Int> { index * granule..<min((index + 1) * granule, rowCount) }
    func rowCount(granule: Int) -> Int { rows(granule).count }

    private func column(_ name: String) -> Column? {
        block.names.firstIndex(of: name).map { block.columns[$0] }
    }

    private func range(_ name: String, _ rows: Range<Int>) -> ValueRange? {
        guard let column = column(name), !rows.isEmpty else { return nil }
        let values = rows.map { column.scalar(at: $0) }.filter { $0 != .null && !isNaN($0) }
        let nulls = rows.filter { column.isNull(at: $0) }.count
        let sorted = values.sorted(by: precedes)
        return ValueRange(
            minimum: sorted.first ?? .null, maximum: sorted.last ?? .null, nullCount: nulls, isExact: true)
    }

    func range(column: String, granule: Int) -> ValueRange? { range(column, rows(granule)) }
    func range(column: String) -> ValueRange? { range(column, 0..<rowCount) }

    func mayContain(column name: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool {
        guard let column = column(name) else { return true }
        return rows(granule).contains { column.scalar(at: $0) == .string(value) }
    }

    func dictionary(column name: String) throws(ColumnarError) -> ValueDictionary? {
        if case .dictionary(let encoded)? = column(name)?.data { return encoded.dictionary }
        return nil
    }

    func read(column name: String, granule: Int) throws(ColumnarError) -> Column {
        if name == damagedColumn { throw ColumnarError(.corrupt, "checksum of block 3 is wrong") }
        guard let column = column(name) else { throw ColumnarError(.unknownColumn, name) }
        return column.slice(rows(granule))
    }

    func storedBytes(column: String, granule: Int) -> Int { 1 }
}

/// Parts as one table.
struct PartsFixture: TableSnapshot {
    let columns: [ColumnDefinition]
    var sortingKey: [String] = []
    let sources: [any GranuleSource]

    init(_ parts: [PartFixture], sortingKey: [String] = []) {
        let block = parts[0].block
        columns = zip(block.names, block.columns).map { ColumnDefinition(name: $0, type: $1.type) }
        sources = parts
        self.sortingKey = sortingKey
    }
}

private func isNaN(_ scalar: Scalar) -> Bool {
    if case .float(let value) = scalar { return value.isNaN }
    return false
}

private func precedes(_ left: Scalar, _ right: Scalar) -> Bool {
    switch (left, right) {
    case (.int(let left), .int(let right)): left < right
    case (.uint(let left), .uint(let right)): left < right
    case (.wide(let left), .wide(let right)): left < right
    case (.float(let left), .float(let right)): left < right
    case (.string(let left), .string(let right)): left.lexicographicallyPrecedes(right)
    default: false
    }
}

/// Columns of integers and strings with few words.
func strings(_ values: [String], type: DataType = .string) -> Column {
    Column(type: type, data: .string(StringData(values)))
}

/// A column of codes into a dictionary of its distinct values.
func dictionary(_ values: [String], type: DataType = .lowCardinality(.string), nulls: [UInt8]? = nil) -> Column {
    let distinct = Set(values).sorted()
    let codes = Dictionary(distinct.enumerated().map { ($1, UInt16($0)) }, uniquingKeysWith: { first, _ in first })
    let data = DictionaryData(
        codes: values.map { codes[$0] ?? 0 },
        dictionary: ValueDictionary(values: Column(type: .string, data: .string(StringData(distinct)))))
    return Column(type: type, data: .dictionary(data), nulls: nulls)
}

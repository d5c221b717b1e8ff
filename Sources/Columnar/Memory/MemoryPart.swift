/// Rows that are not in a part yet, in the order they came.
///
/// They lie in runs: immutable blocks of at most a granule, each one a granule to queries. An append adds a run and
/// joins small neighbours the way a binary counter carries, so that every row is copied O(log granuleRows) times
/// and a thousand appends of one row cost about what one append of a thousand does. A copy of the value is a
/// snapshot: it shares the runs and never changes.
struct MemoryPart: Sendable {
    /// Bytes past which runs are not joined further: a granule stays readable in small memory.
    static let runBytes = 32 << 20

    private(set) var runs: [MemoryRun] = []
    private(set) var rowCount = 0
    private(set) var bytes = 0

    var isEmpty: Bool { runs.isEmpty }

    /// Adds rows, one column for each in `layout`, all of its types.
    mutating func append(_ columns: [Column], rowCount count: Int, layout: MemoryLayoutOfColumns) {
        var start = 0
        while start < count {
            let end = min(start + granuleRows, count)
            let slice = columns.map { start == 0 && end == count ? $0.trimmed() : $0.slice(start..<end) }
            append(MemoryRun(columns: slice, rowCount: end - start, layout: layout))
            start = end
        }
    }

    /// The rows of this part, then those of `newer`.
    func followed(by newer: MemoryPart) -> MemoryPart {
        var result = self
        result.runs += newer.runs
        result.rowCount += newer.rowCount
        result.bytes += newer.bytes
        return result
    }

    private mutating func append(_ run: MemoryRun) {
        runs.append(run)
        rowCount += run.rowCount
        bytes += run.bytes
        while runs.count >= 2 {
            let older = runs[runs.count - 2]
            let newer = runs[runs.count - 1]
            guard older.layout === newer.layout, older.rowCount < 2 * newer.rowCount,
                older.rowCount + newer.rowCount <= granuleRows, older.bytes + newer.bytes <= Self.runBytes
            else { break }
            let joined = older.joined(with: newer)
            runs.removeLast(2)
            runs.append(joined)
            bytes += joined.bytes - older.bytes - newer.bytes
        }
    }
}

/// The columns that runs written under one definition have.
final class MemoryLayoutOfColumns: Sendable {
    let ids: [UInt32]
    let types: [DataType]
    private let indices: [UInt32: Int]

    init(_ stored: StoredDefinition) {
        ids = stored.ids
        types = stored.definition.columns.map(\.type)
        indices = Dictionary(ids.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func index(of id: UInt32) -> Int? { indices[id] }
}

/// An immutable block of the memory part.
final class MemoryRun: Sendable {
    let columns: [Column]
    let rowCount: Int
    let layout: MemoryLayoutOfColumns
    let bytes: Int

    init(columns: [Column], rowCount: Int, layout: MemoryLayoutOfColumns) {
        self.columns = columns
        self.rowCount = rowCount
        self.layout = layout
        bytes = columns.reduce(0) { $0 + $1.memoryBytes }
    }

    func joined(with newer: MemoryRun) -> MemoryRun {
        let joined = columns.indices.map { index in
            joinColumns(columns[index], newer.columns[index], type: layout.types[index])
        }
        return MemoryRun(columns: joined, rowCount: rowCount + newer.rowCount, layout: layout)
    }

    /// The column numbered `id`, as `type`; its default when the run was written before there was such a column.
    func column(id: UInt32, type: DataType) throws(ColumnarError) -> Column {
        guard let index = layout.index(of: id) else { return Column.defaults(type: type, count: rowCount) }
        return try columns[index].converted(to: type)
    }
}

/// Two columns end to end; two of the same constant stay one (most columns of a wide table are empty in a run).
private func joinColumns(_ older: Column, _ newer: Column, type: DataType) -> Column {
    if case .constant(let value, let count) = older.data, case .constant(let other, let more) = newer.data,
        value.scalar(at: 0) == other.scalar(at: 0)
    {
        return Column(type: type, data: .constant(value: value, count: count + more))
    }
    return Column.concatenate([older, newer], type: type)
}

/// A memory part as queries see it.
struct MemorySource: GranuleSource {
    let memory: MemoryPart
    let stored: StoredDefinition
    let name: String

    var partition: String? { nil }
    var rowCount: Int { memory.rowCount }
    var granuleCount: Int { memory.runs.count }
    var isSorted: Bool { stored.definition.sortingKey.isEmpty }

    func rowCount(granule: Int) -> Int { memory.runs[granule].rowCount }
    func range(column: String, granule: Int) -> ValueRange? { nil }
    func range(column: String) -> ValueRange? { nil }
    func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool { true }
    func dictionary(column: String) throws(ColumnarError) -> ValueDictionary? { nil }
    func storedBytes(column: String, granule: Int) -> Int { 0 }

    func read(column: String, granule: Int) throws(ColumnarError) -> Column {
        guard let index = stored.index(of: column) else {
            throw ColumnarError(.unknownColumn, "table \(stored.definition.name) has no column \(column)")
        }
        return try memory.runs[granule].column(id: stored.ids[index], type: stored.definition.columns[index].type)
    }
}

extension StoredDefinition {
    /// The largest value a row may hold, in bytes.
    static let valueBytes = 64 << 20

    /// The columns of `block` as this definition has them: in its order, of its types, defaults where the block has
    /// none. Throws `.unknownColumn` for one the table lacks, `.invalidValue` for a value it cannot hold.
    func aligned(_ block: Block) throws(ColumnarError) -> [Column] {
        var sources = [Int?](repeating: nil, count: definition.columns.count)
        for (position, name) in block.names.enumerated() {
            guard let index = index(of: name) else {
                throw ColumnarError(.unknownColumn, "table \(definition.name) has no column \(name)")
            }
            sources[index] = position
        }
        var result: [Column] = []
        result.reserveCapacity(sources.count)
        for (index, column) in definition.columns.enumerated() {
            guard let position = sources[index] else {
                result.append(Column.defaults(type: column.type, count: block.rowCount))
                continue
            }
            do throws(ColumnarError) {
                let converted = try block.columns[position].converted(to: column.type)
                try converted.requireSmallValues()
                result.append(converted)
            } catch {
                throw ColumnarError(error.code, "column \(column.name): \(error.message)")
            }
        }
        return result
    }
}

extension Column {
    /// The same values in arrays of their size: arrays that grew row by row have up to as much room again.
    func trimmed() -> Column {
        var result = self
        switch data {
        case .string(var values):
            values.bytes = trim(values.bytes)
            values.offsets = trim(values.offsets)
            result.data = .string(values)
        case .int64(let values): result.data = .int64(trim(values))
        case .uint64(let values): result.data = .uint64(trim(values))
        case .float64(let values): result.data = .float64(trim(values))
        case .int32(let values): result.data = .int32(trim(values))
        case .uint32(let values): result.data = .uint32(trim(values))
        case .uint128(let values): result.data = .uint128(trim(values))
        default: break
        }
        if let nulls { result.nulls = trim(nulls) }
        return result
    }

    /// Throws `.invalidValue` when one row is larger than a granule may be.
    fileprivate func requireSmallValues() throws(ColumnarError) {
        guard memoryBytes > StoredDefinition.valueBytes else { return }
        let offsets: [UInt32]
        switch data {
        case .string(let values): offsets = values.offsets
        case .array(let values): offsets = values.offsets
        case .map(let values): offsets = values.offsets
        default: return
        }
        for row in 1..<offsets.count where Int(offsets[row]) - Int(offsets[row - 1]) > StoredDefinition.valueBytes {
            throw ColumnarError(.invalidValue, "row \(row - 1) has more than \(StoredDefinition.valueBytes >> 20) MiB")
        }
    }
}

private func trim<Value: BitwiseCopyable>(_ values: [Value]) -> [Value] {
    if values.capacity <= values.count + values.count / 8 + 64 { return values }
    return values.withUnsafeBufferPointer { Array($0) }
}

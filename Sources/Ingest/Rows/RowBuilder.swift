import Columnar

/// Makes columns of JSON records: one pass over the bytes of each, straight into the columns' buffers.
///
/// The names of a record are expected in the order of the one before, so that most are found by one comparison; the
/// others by a hash of their name. What has no column yet gets one (in inferred tables), in this object first:
/// `finish` says which columns the table must add or widen before it can take the block.
///
/// Not for use by several threads at once. Whenever other hands changed the table's definition, a new builder is made.
///
/// What parsing touches is `@exclusivity(unchecked)`: the run-time checks on these properties would take a third of
/// its time, and no access to them overlaps another.
final class RowBuilder {
    /// The map column for what has no column of its own.
    static let restName = "_rest"
    /// The longest name a column may have, in bytes.
    static let maxNameBytes = 1024

    /// Targets that are no field: not decided yet, the map column, no column because the object's parts have theirs.
    static let undecided: Int32 = -1
    static let rest: Int32 = -2
    static let flattened: Int32 = -3

    /// Whether the table takes new columns.
    let isInferred: Bool
    /// The table's name, for definitions.
    let tableName: String
    /// Columns past which an inferred table puts the rest into one map.
    let maxColumns: Int
    /// Complete rows since the last `finish`.
    @exclusivity(unchecked) private(set) var rowCount = 0
    /// Bytes of the records in those rows.
    private(set) var recordBytes = 0

    @exclusivity(unchecked) var fields: UnsafeMutablePointer<FieldBuilder>
    private(set) var fieldCount = 0
    private var fieldCapacity = 64
    private var fieldIndices: [String: Int32] = [:]
    /// Whether each field is a column of the table already.
    private var isKnown: [Bool] = []
    /// Fields that hold another type than the table's column.
    private var widened: Set<Int32> = []
    /// Fields that take the record's time where a row has none: the time column, and those with DEFAULT now().
    private var timed: [Int32] = []
    private var timeColumn: String?
    private var restField: Int32 = -1
    /// Fields that the record's surroundings fill.
    private(set) var surroundings: [(column: RecordColumn, field: Int32)] = []
    /// In tables that keep the latest version of each row: the fields that say which row, and that it is gone.
    private(set) var keyField: Int32?
    private(set) var deletedField: Int32?

    @exclusivity(unchecked) var paths: PathTable
    /// For each path, the field for each kind of value.
    @exclusivity(unchecked) var targets: [Int32]
    /// The paths of the last record, in order.
    @exclusivity(unchecked) var order: [Int32] = []
    /// How many names of the record at hand were passed.
    @exclusivity(unchecked) var ordinal = 0

    // The record at hand.
    @exclusivity(unchecked) var base: UnsafePointer<UInt8>
    @exclusivity(unchecked) var end = 0
    @exclusivity(unchecked) var timestampMs: Int64 = 0

    let powers = JSONNumber.makePowers()
    @exclusivity(unchecked) var dates = DateCache()
    @exclusivity(unchecked) var scratch: [UInt8] = []
    private let emptyRecord: UnsafeMutablePointer<UInt8>

    /// Creates a builder for a table; `definition` is nil when the first record is to make the table.
    init(tableName: String, definition: TableDefinition?, maxColumns: Int = 1000) {
        self.tableName = tableName
        self.maxColumns = maxColumns
        isInferred = definition?.isInferred ?? true
        timeColumn = definition?.timeColumn
        fields = .allocate(capacity: 64)
        paths = PathTable(limit: 4 * maxColumns + 1000)
        targets = [Int32](repeating: Self.undecided, count: ValueKind.count)
        emptyRecord = .allocate(capacity: 1)
        base = UnsafePointer(emptyRecord)
        for column in definition?.columns ?? [] {
            guard let index = add(name: column.name, type: column.type) else { continue }
            if Self.takesRecordTime(column, of: definition) { timed.append(index) }
            fields[Int(index)].defaultValue = column.literalDefault
        }
        isKnown = [Bool](repeating: true, count: fieldCount)
        for column in definition?.recordColumns ?? [] {
            if let index = fieldIndices[column.rawValue] { surroundings.append((column, index)) }
        }
        if definition?.keepsLatest == true {
            keyField = fieldIndices[LatestColumns.key]
            deletedField = fieldIndices[LatestColumns.deleted]
        }
    }

    deinit {
        fields.deinitialize(count: fieldCount)
        fields.deallocate()
        powers.deallocate()
        emptyRecord.deallocate()
    }

    private static func takesRecordTime(_ column: ColumnDefinition, of definition: TableDefinition?) -> Bool {
        guard column.type.isTemporal && !column.type.isNullable else { return false }
        if definition?.isInferred == true && definition?.timeColumn == column.name { return true }
        let expression = column.defaultExpression?.lowercased() ?? ""
        return expression.hasPrefix("now(") || expression.hasPrefix("now64(")
    }

    /// Whether the block should be finished: a granule of rows, fewer when they are long or have many columns.
    var isFull: Bool {
        rowCount >= granuleRows || recordBytes >= 16 << 20 || rowCount * fieldCount >= 2 << 20
    }

    /// Whether a record has been seen, so that there is a table to create.
    var hasColumns: Bool { fieldCount > 0 }

    /// Adds the record's row. Throws when it is no JSON object; the row is then as if it had never been.
    ///
    /// `declaring` are columns to `declare` first.
    func append(
        _ record: UnsafeRawBufferPointer, timestampMs: Int64, declaring: [ColumnDefinition] = []
    ) throws(JSONFault) {
        guard let start = record.baseAddress, !record.isEmpty else { throw JSONFault(.unexpectedEnd, at: 0) }
        if fieldCount == 0 {
            try JSON.validate(record)
            chooseTimeColumn(record, timestampMs)
        }
        if !declaring.isEmpty { declare(declaring) }
        base = start.assumingMemoryBound(to: UInt8.self)
        end = record.count
        self.timestampMs = timestampMs
        defer { base = UnsafePointer(emptyRecord) }
        do throws(JSONFault) {
            try parseRecord()
        } catch {
            rollBack()
            throw error
        }
        let row = rowCount
        for index in timed where fields[Int(index)].rows <= row {
            _ = fields[Int(index)].putTime(Self.moment(timestampMs), row)
        }
        rowCount = row + 1
        recordBytes += record.count
    }

    /// A record's timestamp, kept inside what a column can hold.
    static func moment(_ timestampMs: Int64) -> Moment {
        let seconds = min(max(Civil.floorDivide(timestampMs, 1000), 0), 4_294_967_295)
        let rest = max(timestampMs - seconds * 1000, 0)
        return Moment(seconds: seconds, nanos: rest < 1000 ? Int32(rest) * 1_000_000 : 0)
    }

    private func rollBack() {
        for index in 0..<fieldCount { fields[index].truncate(rowCount) }
    }
}

// MARK: - Fields

extension RowBuilder {
    /// Adds a field; nil when its type is no column's.
    private func add(name: String, type: DataType) -> Int32? {
        guard FieldKind.builds(type) else { return nil }
        if fieldCount == fieldCapacity {
            let grown = UnsafeMutablePointer<FieldBuilder>.allocate(capacity: fieldCapacity * 2)
            grown.moveInitialize(from: fields, count: fieldCount)
            fields.deallocate()
            fields = grown
            fieldCapacity *= 2
        }
        (fields + fieldCount).initialize(to: FieldBuilder(name: name, type: type))
        let index = Int32(fieldCount)
        fieldIndices[name] = index
        isKnown.append(false)
        fieldCount += 1
        return index
    }

    /// Adds columns whose types are known before a value came, where the table takes new ones and has none of the
    /// name. The first record decides about the time column before this.
    func declare(_ columns: [ColumnDefinition]) {
        guard isInferred else { return }
        for column in columns
        where fieldIndices[column.name] == nil && fieldCount < maxColumns && column.name.utf8.count <= Self.maxNameBytes
        {
            _ = add(name: column.name, type: column.type)
        }
    }

    /// The first record decides about the time column.
    private func chooseTimeColumn(_ record: UnsafeRawBufferPointer, _ timestampMs: Int64) {
        let found = TimeColumn.find(in: record) ?? TimeColumn(name: "_time", precision: 3)
        timeColumn = found.name
        if let index = add(name: found.name, type: .dateTime64(precision: found.precision, timeZone: nil)) {
            timed.append(index)
        }
    }

    /// The field for values of `kind` at `node`, decided once.
    @inline(__always)
    func target(_ node: Int32, _ kind: ValueKind) -> Int32 {
        let found = targets[Int(node) &* ValueKind.count &+ kind.rawValue]
        return found == Self.undecided ? decide(node, kind) : found
    }

    @inline(never)
    private func decide(_ node: Int32, _ kind: ValueKind) -> Int32 {
        let name = pathName(node)
        let target: Int32
        if kind == .object {
            target = takesObjects(name) ?? Self.flattened
        } else if kind == .text {
            target = place(name + "_string", .text)
        } else {
            target = place(name, kind)
        }
        targets[Int(node) * ValueKind.count + kind.rawValue] = target
        return target
    }

    /// The field that takes whole objects under this name; nil when they are flattened.
    private func takesObjects(_ name: String) -> Int32? {
        guard let index = fieldIndices[name], isConverting(index) else { return nil }
        let kind = fields[Int(index)].kind
        return kind == .map || kind == .string ? index : nil
    }

    /// Whether the field takes whatever it can convert, as columns of explicit tables do.
    func isConverting(_ index: Int32) -> Bool {
        if !isInferred { return true }
        if timed.contains(index) { return false }
        switch fields[Int(index)].type {
        case .nullable(.bool), .nullable(.int64), .nullable(.float64), .nullable(.string), .array(.bool),
            .array(.int64), .array(.float64), .array(.string), .map(.string, .string):
            return false
        default: return true
        }
    }

    /// The field for values of `kind` under `name`: the column of that name, else `<name>_<type>`, else a new one,
    /// else the map.
    private func place(_ name: String, _ kind: ValueKind) -> Int32 {
        var name = name
        while let index = fieldIndices[name] {
            let type = fields[Int(index)].type
            if isConverting(index) || kind.fits(type) { return index }
            if kind.widens(type) {
                fields[Int(index)].widen()
                if isKnown[Int(index)] { widened.insert(index) }
                return index
            }
            name += "_" + kind.suffix
        }
        // A value that its own column refused has a place even in explicit tables.
        let isAllowed = isInferred || kind == .text
        guard isAllowed, fieldCount < maxColumns, name.utf8.count <= Self.maxNameBytes, !name.isEmpty else {
            return Self.rest
        }
        return add(name: name, type: kind.type) ?? Self.rest
    }

    /// The map column for what has none of its own, made at the first need.
    func restTarget() -> Int32 {
        if restField >= 0 { return restField }
        var name = Self.restName
        while let index = fieldIndices[name], fields[Int(index)].type != .map(.string, .string) { name += "_" }
        restField = fieldIndices[name] ?? add(name: name, type: .map(.string, .string)) ?? -1
        precondition(restField >= 0, "BUG: no builder for maps")
        return restField
    }

    /// The names from the root down to `node`, joined by dots.
    private func pathName(_ node: Int32) -> String {
        let found = paths.nodes[Int(node)]
        return String(decoding: UnsafeBufferPointer(start: found.path, count: Int(found.pathCount)), as: UTF8.self)
    }

    /// Remembers a new path; -1 when there are too many.
    func addPath(_ parent: Int32, _ key: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
        let node = paths.add(parent, key, count)
        guard node >= 0 else { return -1 }
        targets += [Int32](repeating: Self.undecided, count: ValueKind.count)
        if let index = fieldIndices[pathName(node)], isConverting(index) {
            paths.nodes[Int(node)].declared = index
        }
        return node
    }
}

extension ColumnDefinition {
    /// The value after DEFAULT when it is a literal; nil for any other expression, which only INSERT evaluates.
    var literalDefault: Scalar? {
        guard let text = defaultExpression.map({ Array($0.utf8) }), !text.isEmpty else { return nil }
        var bytes = text
        if text[0] == UInt8(ascii: "'") {
            var index = 0
            guard let content = QuotedText.parse(text, &index), index == text.count else { return nil }
            bytes = content
        }
        return try? ValueText.parseScalar(bytes, type: type)
    }
}

// MARK: - Blocks

/// A block and what the table must change to take it.
struct FinishedBlock {
    /// The rows.
    var block: Block
    /// Columns the table does not have yet.
    var newColumns: [ColumnDefinition]
    /// Columns whose type must become this wider one.
    var widenedColumns: [ColumnDefinition]
}

extension RowBuilder {
    /// The definition of the table that the first records make.
    func inferredDefinition() -> TableDefinition {
        let columns = (0..<fieldCount).filter { isWorthAColumn($0) }.map { definition($0) }
        let time = timeColumn ?? "_time"
        return TableDefinition(
            name: tableName, columns: columns, sortingKey: [time], timeColumn: time, partitionBy: .day(column: time),
            isInferred: true)
    }

    private func definition(_ index: Int) -> ColumnDefinition {
        ColumnDefinition(name: fields[index].name, type: fields[index].type)
    }

    /// A field that only saw NULL waits for a value that tells its type.
    private func isWorthAColumn(_ index: Int) -> Bool {
        fields[index].valueCount > 0 || timed.contains(Int32(index)) || fields[index].defaultValue != nil
    }

    /// The rows so far as a block. The rows stay until `reset`.
    func finish() -> FinishedBlock {
        var names: [String] = []
        var columns: [Column] = []
        var added: [ColumnDefinition] = []
        for index in 0..<fieldCount where isWorthAColumn(index) {
            if !isKnown[index] { added.append(definition(index)) }
            names.append(fields[index].name)
            columns.append(fields[index].finish(rowCount))
        }
        return FinishedBlock(
            block: Block(names: names, columns: columns, rowCount: rowCount), newColumns: added,
            widenedColumns: widened.sorted().map { definition(Int($0)) })
    }

    /// Says that the table took the last `finish` and the changes it asked for.
    func commit() {
        for index in 0..<fieldCount where isWorthAColumn(index) { isKnown[index] = true }
        widened.removeAll()
        reset()
    }

    /// Forgets the rows; keeps what was learnt of names and columns, and buffers of at most `keeping` bytes each.
    func reset(keeping: Int = 1 << 20) {
        for index in 0..<fieldCount { fields[index].reset(keeping: keeping) }
        rowCount = 0
        recordBytes = 0
    }
}

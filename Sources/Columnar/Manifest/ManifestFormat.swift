// The manifest of a table: a log of records, each one atomic change. What it names exists; nothing else does.
//
//     │ "LGSMANI" and the version u8 (1) │ record │ record │ …
//
//     record   │ length of the body u32 │ CRC-32C of length and body │ body: edits end to end │
//     edit     │ kind u8 │ content │
//
//     1 definition   a table's definition (below)
//     2 add part     number varint │ shelf u8 (0 rows, 1 dead letters) │ rows varint │ file's bytes varint
//     3 remove part  number varint
//     4 offset       topic string │ partition varint │ zigzag next offset after what parts hold
//     5 next part    varint: no part has or had a number as large
//
// The first record is a snapshot: everything at once. Each commit appends one record with one write and one
// fdatasync. A last record that fails its checksum, with no whole record anywhere after it, is the torn end of a
// commit that was never acknowledged: it is cut. Damage before that is an error.
//
//     definition   name │ comment │ inferred u8 │ optional time column │ sorting key: count, names
//                  partition by u8 (0 none, 1 day, 2 month) and the column's name
//                  TTL: 0, or 1, column, zigzag seconds, SQL │ 0, or 1 and the most bytes varint
//                  settings: count, name and value each │ next column id varint
//                  columns: count, each: id varint │ name │ type │ optional default expression │ comment

/// Constants of the manifest.
enum ManifestFormat {
    static let magic: [UInt8] = Array("LGSMANI".utf8)
    static let version: UInt8 = 1
    static let headerBytes = 8
    static let recordHeaderBytes = 8
    static let fileName = "MANIFEST"
    /// The largest manifest a reader takes.
    static let maxBytes = 1 << 30
    /// A log shorter than this is never rewritten.
    static let rewriteBytes = 256 << 10

    enum Edit {
        static let definition: UInt8 = 1
        static let addPart: UInt8 = 2
        static let removePart: UInt8 = 3
        static let offset: UInt8 = 4
        static let nextPart: UInt8 = 5
    }
}

/// One change to a table.
enum ManifestEdit: Sendable {
    case definition(StoredDefinition)
    case addPart(PartEntry)
    case removePart(UInt64)
    case offset(SourcePartition, Int64)
    case nextPart(UInt64)
}

/// A part as the manifest names it.
struct PartEntry: Sendable, Hashable {
    var number: UInt64
    var shelf: ShelfKind
    var rowCount: Int
    var sizeBytes: UInt64
}

/// Whose rows a part holds. Written to disk.
enum ShelfKind: UInt8, Sendable {
    case rows = 0
    case deadLetters = 1
}

extension BlockBuilder {
    /// Appends an edit.
    mutating func edit(_ edit: ManifestEdit) {
        switch edit {
        case .definition(let stored):
            uint8(ManifestFormat.Edit.definition)
            definition(stored)
        case .addPart(let entry):
            uint8(ManifestFormat.Edit.addPart)
            varint(entry.number)
            uint8(entry.shelf.rawValue)
            count(entry.rowCount)
            varint(entry.sizeBytes)
        case .removePart(let number):
            uint8(ManifestFormat.Edit.removePart)
            varint(number)
        case .offset(let source, let next):
            uint8(ManifestFormat.Edit.offset)
            string(source.topic)
            varint(UInt64(UInt32(bitPattern: source.partition)))
            zigzag(next)
        case .nextPart(let number):
            uint8(ManifestFormat.Edit.nextPart)
            varint(number)
        }
    }

    private mutating func definition(_ stored: StoredDefinition) {
        let table = stored.definition
        string(table.name)
        string(table.comment)
        uint8(table.isInferred ? 1 : 0)
        optional(table.timeColumn)
        count(table.sortingKey.count)
        for name in table.sortingKey { string(name) }
        switch table.partitionBy {
        case .none: uint8(0)
        case .day: uint8(1)
        case .month: uint8(2)
        }
        string(table.partitionBy.column ?? "")
        uint8(table.ttl == nil ? 0 : 1)
        if let ttl = table.ttl {
            string(ttl.column)
            zigzag(ttl.seconds)
            string(ttl.sql)
        }
        uint8(table.maxBytes == nil ? 0 : 1)
        if let maxBytes = table.maxBytes { varint(maxBytes) }
        count(table.settings.count)
        for (name, value) in table.settings.sorted(by: { $0.key < $1.key }) {
            string(name)
            string(value)
        }
        varint(UInt64(stored.nextID))
        count(table.columns.count)
        for (column, id) in zip(table.columns, stored.ids) {
            varint(UInt64(id))
            string(column.name)
            type(column.type)
            optional(column.defaultExpression)
            string(column.comment)
        }
    }
}

extension BlockCursor {
    /// The next edit. Throws `.corrupt`, `.newerVersion` for a kind it does not know.
    mutating func edit() throws(ColumnarError) -> ManifestEdit {
        switch try uint8() {
        case ManifestFormat.Edit.definition: return .definition(try definition())
        case ManifestFormat.Edit.addPart:
            let number = try varint()
            guard let shelf = ShelfKind(rawValue: try uint8()) else { throw corrupt("an unknown kind of part") }
            let rows = try count(max: 1 << 48)
            return .addPart(PartEntry(number: number, shelf: shelf, rowCount: rows, sizeBytes: try varint()))
        case ManifestFormat.Edit.removePart: return .removePart(try varint())
        case ManifestFormat.Edit.offset:
            let topic = try string()
            let partition = Int32(bitPattern: UInt32(try count(max: Int(UInt32.max))))
            return .offset(SourcePartition(topic: topic, partition: partition), try zigzag())
        case ManifestFormat.Edit.nextPart: return .nextPart(try varint())
        case let kind: throw ColumnarError(.newerVersion, "the manifest has an edit of unknown kind \(kind)")
        }
    }

    private mutating func definition() throws(ColumnarError) -> StoredDefinition {
        var table = TableDefinition(name: try string(), columns: [])
        table.comment = try string()
        table.isInferred = try flag()
        table.timeColumn = try optional()
        for _ in 0..<(try count(max: remaining)) { table.sortingKey.append(try string()) }
        let scheme = try uint8()
        let column = try string()
        switch scheme {
        case 0: table.partitionBy = .none
        case 1: table.partitionBy = .day(column: column)
        case 2: table.partitionBy = .month(column: column)
        default: throw corrupt("an unknown way to partition")
        }
        if try flag() {
            let column = try string()
            let seconds = try zigzag()
            table.ttl = TimeToLive(column: column, seconds: seconds, sql: try string())
        }
        if try flag() { table.maxBytes = try varint() }
        for _ in 0..<(try count(max: remaining)) {
            let name = try string()
            table.settings[name] = try string()
        }
        let nextID = UInt32(try count(max: Int(UInt32.max)))
        var ids: [UInt32] = []
        for _ in 0..<(try count(max: remaining)) {
            ids.append(UInt32(try count(max: Int(UInt32.max))))
            let name = try string()
            let type = try type()
            let expression = try optional()
            let column = ColumnDefinition(
                name: name, type: type, defaultExpression: expression, comment: try string())
            table.columns.append(column)
        }
        guard Set(ids).count == ids.count, ids.allSatisfy({ $0 < nextID }) else {
            throw corrupt("columns of one number")
        }
        do throws(ColumnarError) {
            try table.validate()
        } catch {
            throw corrupt("a definition that cannot be: \(error.message)")
        }
        return StoredDefinition(table, ids: ids, nextID: nextID)
    }
}

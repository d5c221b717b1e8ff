import Columnar
import LogStore

/// What a record says about the current rows of a source's table.
enum Change {
    /// The row of `key` is now what the JSON object says. A row of `oldKey`, when there is one, is gone.
    case put(row: UnsafeRawBufferPointer, key: [UInt8], oldKey: [UInt8]?)
    /// The row of `key` is gone.
    case remove(key: [UInt8])
    /// All rows are gone.
    case clear
    /// Nothing: it is about another table, or tells only of the stream.
    case none
}

/// Why a record of a topic of changes cannot be applied.
struct ChangeFault: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    init(_ fault: JSONFault) { reason = fault.description }
}

/// Reads changes out of records: Maxwell's, Debezium's, or plain rows that a key replaces.
///
/// The primary key is what the table's setting `cdc_key` says, else what the event says: Maxwell's
/// `primary_key_columns` or record key, Debezium's record key.
struct ChangeReader {
    /// Names of the primary key's columns; empty when each event says its own.
    private let keyNames: [[UInt8]]
    /// `database.table`; nil when all of the topic is meant.
    private let sourceTable: [UInt8]?

    init(_ definition: TableDefinition) {
        keyNames = definition.keyColumns.map { Array($0.utf8) }
        sourceTable = definition.settings["cdc_source"].map { Array($0.utf8) }
    }

    /// What a record says, whose value, out of its envelope, is `value`. The row lies in the bytes of `value`.
    func read(_ record: RecordView, _ value: UnsafeRawBufferPointer?) throws(ChangeFault) -> Change {
        guard let value else { return try tombstone(record.key) }
        if JSONValueText.isNull(value) { return try tombstone(record.key) }
        let event: ChangeEvent
        do throws(JSONFault) { event = try ChangeEvent(value) } catch { throw ChangeFault(error) }
        switch event.kind {
        case .maxwell: return try maxwell(event, record.key)
        case .debezium: return try debezium(event, record.key)
        case .plain: return try plain(value, event, record.key)
        }
    }

    // MARK: Maxwell

    private func maxwell(_ event: ChangeEvent, _ recordKey: UnsafeRawBufferPointer?) throws(ChangeFault) -> Change {
        guard let database = event.string("database"), let table = event.string("table") else { return .none }
        guard isWanted([database + [UInt8(ascii: ".")] + table]) else { return .none }
        let type = event.string("type") ?? []
        switch String(decoding: type, as: UTF8.self) {
        case "insert", "update", "bootstrap-insert": break
        case "delete":
            let data = try event.object("data")
            return .remove(key: try maxwellKey(event, recordKey, database, table, [data]))
        // With one table's rows here they are all; else nobody could tell whose.
        case "table-drop", "table-truncate", "truncate": return sourceTable == nil ? .none : .clear
        case "table-create", "table-alter", "database-create", "database-alter", "database-drop", "bootstrap-start",
            "bootstrap-complete", "heartbeat":
            return .none
        default: throw ChangeFault("a change of unknown type '\(String(decoding: type, as: UTF8.self))'")
        }
        let data = try event.object("data")
        let key = try maxwellKey(event, recordKey, database, table, [data])
        var oldKey: [UInt8]?
        if type.elementsEqual(StaticString("update").bytes), let old = event["old"], JSONValueText.isObject(old) {
            let before = try maxwellKey(event, recordKey, database, table, [old, data])
            if before != key { oldKey = before }
        }
        return .put(row: data, key: key, oldKey: oldKey)
    }

    /// The key of a row whose columns are in `objects`; the first that has a column counts.
    private func maxwellKey(
        _ event: ChangeEvent, _ recordKey: UnsafeRawBufferPointer?, _ database: [UInt8], _ table: [UInt8],
        _ objects: [UnsafeRawBufferPointer]
    ) throws(ChangeFault) -> [UInt8] {
        var names = keyNames
        do throws(JSONFault) {
            if names.isEmpty { names = try event["primary_key_columns"].map(MaxwellKey.strings) ?? [] }
            if names.isEmpty, let recordKey { names = try MaxwellKey(recordKey)?.columns.map(\.name) ?? [] }
        } catch {
            throw ChangeFault(error)
        }
        guard !names.isEmpty else {
            throw ChangeFault("neither the event nor its key says the row's primary key: set cdc_key")
        }
        var key = prefix(database, table)
        try append(names, of: objects, to: &key)
        return key.bytes
    }

    /// Rows of several tables in one must not meet.
    private func prefix(_ database: [UInt8], _ table: [UInt8]) -> RowKey {
        var key = RowKey()
        if sourceTable == nil {
            key.append(text: database)
            key.append(text: table)
        }
        return key
    }

    private func append(
        _ names: [[UInt8]], of objects: [UnsafeRawBufferPointer], to key: inout RowKey
    ) throws(ChangeFault) {
        for name in names {
            var found: UnsafeRawBufferPointer?
            for object in objects where found == nil {
                do throws(JSONFault) { found = try ChangeEvent.member(name, of: object) } catch {
                    throw ChangeFault(error)
                }
            }
            guard let found else {
                throw ChangeFault("the row has no column \(String(decoding: name, as: UTF8.self)) of its primary key")
            }
            key.append(found)
        }
    }

    // MARK: Debezium

    private func debezium(_ event: ChangeEvent, _ recordKey: UnsafeRawBufferPointer?) throws(ChangeFault) -> Change {
        if sourceTable != nil {
            guard let source = event["source"], isWanted(try sourceNames(source)) else { return .none }
        }
        let after = event["after"].flatMap { JSONValueText.isObject($0) ? $0 : nil }
        let before = event["before"].flatMap { JSONValueText.isObject($0) ? $0 : nil }
        switch String(decoding: event.string("op") ?? [], as: UTF8.self) {
        case "c", "r":
            guard let after else { throw ChangeFault("a new row without 'after'") }
            return .put(row: after, key: try key(recordKey, after), oldKey: nil)
        case "u":
            guard let after else { throw ChangeFault("a changed row without 'after'") }
            let key = try key(recordKey, after)
            // Debezium itself writes a change of the primary key as a deletion and a new row. Another key may change.
            var oldKey: [UInt8]?
            if !keyNames.isEmpty, let before, let old = try? self.key(nil, before), old != key { oldKey = old }
            return .put(row: after, key: key, oldKey: oldKey)
        case "d": return .remove(key: try key(recordKey, before))
        case "t": return .clear
        // Messages of the source's log are no rows.
        case "m": return .none
        case let op: throw ChangeFault("a change of unknown op '\(op)'")
        }
    }

    /// The ways to name the table that Debezium's `source` describes.
    private func sourceNames(_ source: UnsafeRawBufferPointer) throws(ChangeFault) -> [[UInt8]] {
        do throws(JSONFault) {
            let tableName = try Self.text("table", of: source)
            let collection = try Self.text("collection", of: source)
            guard let table = tableName ?? collection else { return [] }
            let dot = [UInt8(ascii: ".")]
            let (database, schema) = (try Self.text("db", of: source), try Self.text("schema", of: source))
            var names: [[UInt8]] = []
            if let database { names.append(database + dot + table) }
            if let schema { names.append(schema + dot + table) }
            if let database, let schema { names.append(database + dot + schema + dot + table) }
            return names
        } catch {
            throw ChangeFault(error)
        }
    }

    private static func text(
        _ name: StaticString, of object: UnsafeRawBufferPointer
    ) throws(JSONFault) -> [UInt8]? {
        try ChangeEvent.member(Array(name.bytes), of: object).flatMap { JSONValueText.string($0) }
    }

    private func isWanted(_ names: [[UInt8]]) -> Bool { sourceTable.map { names.contains($0) } ?? true }

    // MARK: Plain rows

    /// A row that the record's key, or columns of it, name: what ExtractNewRecordState or a table of Kafka Streams is.
    private func plain(
        _ value: UnsafeRawBufferPointer, _ event: ChangeEvent, _ recordKey: UnsafeRawBufferPointer?
    ) throws(ChangeFault) -> Change {
        guard sourceTable == nil else {
            throw ChangeFault("the setting cdc_source wants records that say their table, this one does not")
        }
        let key = try key(recordKey, value)
        if let deleted = event["__deleted"],
            JSONValueText.isString(deleted, "true") || deleted.first == UInt8(ascii: "t")
        {
            return .remove(key: key)
        }
        return .put(row: value, key: key, oldKey: nil)
    }

    /// The key of a row by the setting, out of the row or of the record's key; else the record's key whole.
    private func key(
        _ recordKey: UnsafeRawBufferPointer?, _ row: UnsafeRawBufferPointer?
    ) throws(ChangeFault) -> [UInt8] {
        let keyText = recordKey.map { ConnectEnvelope($0)?.payload ?? $0 }
        var key = RowKey()
        if !keyNames.isEmpty {
            try append(keyNames, of: [row, keyText].compactMap { $0 }, to: &key)
            return key.bytes
        }
        guard let keyText else {
            throw ChangeFault("the record has no key that says the row's primary key: set cdc_key")
        }
        do throws(JSONFault) {
            guard (try? JSON.validate(keyText)) != nil else {
                key.append(raw: keyText)
                return key.bytes
            }
            guard var members = JSONMembers(keyText) else {
                key.append(keyText)
                return key.bytes
            }
            var columns: [(name: [UInt8], value: UnsafeRawBufferPointer)] = []
            while let member = try members.next() { columns.append((member.name, member.value)) }
            for column in columns.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
                key.append(column.value)
            }
        } catch {
            throw ChangeFault(error)
        }
        return key.bytes
    }

    /// A record without a value: the row of its key is gone, and has been said to be, unless the log was compacted.
    private func tombstone(_ recordKey: UnsafeRawBufferPointer?) throws(ChangeFault) -> Change {
        guard let recordKey else { throw ChangeFault("a record with neither key nor value") }
        let maxwell: MaxwellKey?
        do throws(JSONFault) { maxwell = try MaxwellKey(recordKey) } catch { maxwell = nil }
        if let maxwell {
            guard isWanted([maxwell.database + [UInt8(ascii: ".")] + maxwell.table]), !maxwell.columns.isEmpty,
                keyNames.isEmpty || keyNames.count == maxwell.columns.count
            else { return .none }
            var key = prefix(maxwell.database, maxwell.table)
            for name in keyNames.isEmpty ? maxwell.columns.map(\.name) : keyNames {
                guard let column = maxwell.columns.first(where: { ChangeEvent.isSame($0.name, name) }) else {
                    return .none
                }
                key.append(column.value)
            }
            return .remove(key: key.bytes)
        }
        // Of which table it was is not said; the deletion before it did.
        guard sourceTable == nil, let key = try? key(recordKey, nil) else { return .none }
        return .remove(key: key)
    }
}

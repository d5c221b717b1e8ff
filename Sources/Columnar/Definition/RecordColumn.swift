/// A column that is filled not from a record's value but from what surrounds it in the log. Names and types are those
/// of the virtual columns of ClickHouse's Kafka engine.
public enum RecordColumn: String, Sendable, Hashable, CaseIterable {
    /// The record's key as it came, empty when there is none.
    case key = "_key"
    /// The record's headers; of a name that comes twice both are kept.
    case headers = "_headers"
    /// The record's timestamp.
    case timestamp = "_timestamp"
    /// The topic the record came from.
    case topic = "_topic"
    /// The number of the partition.
    case partition = "_partition"
    /// The record's offset in the partition.
    case offset = "_offset"

    /// The setting that lists them.
    public static let setting = "record_columns"

    /// The column's type.
    public var type: DataType {
        switch self {
        case .key, .topic: .string
        case .headers: .map(.string, .string)
        case .timestamp: .dateTime64(precision: 3, timeZone: nil)
        case .partition, .offset: .uint64
        }
    }

    /// The columns that the setting's value, names between commas, asks for. Throws `.invalidDefinition`.
    static func parse(_ text: String, table: String) throws(ColumnarError) -> [RecordColumn] {
        var result: [RecordColumn] = []
        for part in text.split(separator: ",") {
            let name = part.drop { $0 == " " }
            let bare = String(name.prefix { $0 != " " })
            guard let column = RecordColumn(rawValue: bare), name.dropFirst(bare.count).allSatisfy({ $0 == " " }) else {
                let known = allCases.map(\.rawValue).joined(separator: ", ")
                throw ColumnarError(
                    .invalidDefinition,
                    "table \(table): record_columns names '\(bare)'; there are \(known)")
            }
            if !result.contains(column) { result.append(column) }
        }
        return result
    }
}

extension TableDefinition {
    /// The topic whose records the table takes: that of its name unless the setting `topic` says another.
    public var topic: String { settings["topic"] ?? name }

    /// The columns that records' surroundings fill, as the setting `record_columns` lists them.
    public var recordColumns: [RecordColumn] {
        guard let text = settings[RecordColumn.setting] else { return [] }
        return (try? RecordColumn.parse(text, table: name)) ?? []
    }

    /// The same table with the columns that its settings ask for. Throws `.invalidDefinition`.
    func completed() throws(ColumnarError) -> TableDefinition {
        var result = self
        result.completeLatest()
        result.columns += try missingRecordColumns()
        return result
    }

    /// The columns that the settings ask for and the table does not have yet. Throws `.invalidDefinition` when a
    /// column of that name has another type.
    func missingRecordColumns() throws(ColumnarError) -> [ColumnDefinition] {
        var missing: [ColumnDefinition] = []
        for wanted in try RecordColumn.parse(settings[RecordColumn.setting] ?? "", table: name) {
            guard let found = column(wanted.rawValue) else {
                missing.append(ColumnDefinition(name: wanted.rawValue, type: wanted.type))
                continue
            }
            guard found.type.base == wanted.type else {
                throw ColumnarError(
                    .invalidDefinition,
                    "table \(name): record_columns fills \(found.name) as \(wanted.type), the column is \(found.type)")
            }
        }
        return missing
    }
}

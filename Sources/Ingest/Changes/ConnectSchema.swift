import Columnar

/// What Kafka Connect's schema says of a value's fields beyond their JSON form: times that are numbers, decimals that
/// are bytes. Debezium's types are of the same make.
indirect enum ConnectSchema {
    /// An object; fields that need nothing are left out.
    case object([[UInt8]: ConnectSchema])
    case date
    /// Ticks since 1970; so many digits of the second's fraction.
    case timestamp(digits: Int)
    /// A text that is a time with its zone.
    case zonedTimestamp
    /// Ticks since midnight.
    case time(digits: Int)
    /// The unscaled number's bytes, highest first, in base64.
    case decimal(scale: Int)
    /// An object of scale and value.
    case scaledDecimal
    /// Bits in bytes, lowest first, in base64.
    case bits

    /// Reads a schema; nil when no field of it needs anything. Throws when the text is no JSON.
    init?(_ text: UnsafeRawBufferPointer) throws(JSONFault) {
        guard var members = JSONMembers(text) else { return nil }
        var (name, fields, parameters): ([UInt8], UnsafeRawBufferPointer?, UnsafeRawBufferPointer?) = ([], nil, nil)
        while let member = try members.next() {
            if member.isNamed("name") { name = JSONValueText.string(member.value) ?? [] }
            if member.isNamed("fields") { fields = member.value }
            if member.isNamed("parameters") { parameters = member.value }
        }
        if let known = try Self.named(String(decoding: name, as: UTF8.self), parameters) {
            self = known
            return
        }
        guard let fields else { return nil }
        var found: [[UInt8]: ConnectSchema] = [:]
        for field in try JSONValueText.elements(fields) {
            guard let inner = try ConnectSchema(field),
                let name = try ChangeEvent.member(Array("field".utf8), of: field).flatMap({ JSONValueText.string($0) })
            else { continue }
            found[name] = inner
        }
        if found.isEmpty { return nil }
        self = .object(found)
    }

    private static func named(
        _ name: String, _ parameters: UnsafeRawBufferPointer?
    ) throws(JSONFault) -> ConnectSchema? {
        switch name {
        case "io.debezium.time.Date", "org.apache.kafka.connect.data.Date": return .date
        case "io.debezium.time.Timestamp", "org.apache.kafka.connect.data.Timestamp": return .timestamp(digits: 3)
        case "io.debezium.time.MicroTimestamp": return .timestamp(digits: 6)
        case "io.debezium.time.NanoTimestamp": return .timestamp(digits: 9)
        case "io.debezium.time.ZonedTimestamp": return .zonedTimestamp
        case "io.debezium.time.Time", "org.apache.kafka.connect.data.Time": return .time(digits: 3)
        case "io.debezium.time.MicroTime": return .time(digits: 6)
        case "io.debezium.time.NanoTime": return .time(digits: 9)
        case "io.debezium.data.VariableScaleDecimal": return .scaledDecimal
        case "io.debezium.data.Bits": return .bits
        case "org.apache.kafka.connect.data.Decimal":
            guard let parameters, let scale = try ChangeEvent.member(Array("scale".utf8), of: parameters) else {
                return nil
            }
            let text = JSONValueText.string(scale) ?? Array(scale)
            return Int(String(decoding: text, as: UTF8.self)).map { .decimal(scale: $0) }
        default: return nil
        }
    }

    /// The type of column that holds the values; nil when their JSON form tells it.
    private var type: DataType? {
        switch self {
        case .date: .nullable(.date)
        case .timestamp(let digits): .nullable(.dateTime64(precision: digits, timeZone: nil))
        case .zonedTimestamp: .nullable(.dateTime64(precision: 6, timeZone: nil))
        default: nil
        }
    }

    /// Columns, by dotted name, whose type the schema tells. Those under `before` and `after` are the row's own when
    /// `isRow`.
    func columns(isRow: Bool) -> [ColumnDefinition] {
        guard isRow, case .object(let fields) = self,
            let row = fields[Array("after".utf8)] ?? fields[Array("before".utf8)]
        else { return columns(under: "") }
        return row.columns(under: "")
    }

    private func columns(under prefix: String) -> [ColumnDefinition] {
        guard case .object(let fields) = self else { return [] }
        var result: [ColumnDefinition] = []
        for (name, field) in fields.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let path = prefix + String(decoding: name, as: UTF8.self)
            if let type = field.type { result.append(ColumnDefinition(name: path, type: type)) }
            result += field.columns(under: path + ".")
        }
        return result
    }
}

/// Reads values by the schema that came with them. Remembers the last schema: a topic's records mostly share one.
struct ConnectConverter {
    private var text: [UInt8] = []
    private(set) var schema: ConnectSchema?
    /// Grows with each new schema.
    private(set) var version = 0

    /// The envelope's payload, its values in the form that columns read: times as ISO 8601, decimals as numbers. What
    /// does not look as its schema says stays as it is. Throws when it is no JSON.
    mutating func payload(_ envelope: ConnectEnvelope) throws(JSONFault) -> [UInt8]? {
        guard let schemaText = envelope.schema else {
            schema = nil
            return nil
        }
        if !schemaText.elementsEqual(text) {
            schema = try ConnectSchema(schemaText)
            text = Array(schemaText)
            version += 1
        }
        guard let schema else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(envelope.payload.count + 64)
        try Self.write(envelope.payload, schema, to: &output)
        return output
    }

    private static func write(
        _ value: UnsafeRawBufferPointer, _ schema: ConnectSchema, to output: inout [UInt8]
    ) throws(JSONFault) {
        guard case .object(let fields) = schema, var members = JSONMembers(value) else {
            if let text = converted(value, schema) { output += text } else { output += value }
            return
        }
        output.append(UInt8(ascii: "{"))
        var isFirst = true
        while let member = try members.next() {
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            output.append(UInt8(ascii: "\""))
            output += member.rawName
            output += [UInt8(ascii: "\""), UInt8(ascii: ":")]
            if let field = fields[member.name] {
                try write(member.value, field, to: &output)
            } else {
                output += member.value
            }
        }
        output.append(UInt8(ascii: "}"))
    }

    /// The value in its column's form; nil when it is not what the schema says (NULL always).
    private static func converted(_ value: UnsafeRawBufferPointer, _ schema: ConnectSchema) -> String.UTF8View? {
        switch schema {
        case .object, .zonedTimestamp: nil
        case .date: integer(value).flatMap { ConnectText.date(days: $0) }.map { "\"\($0)\"".utf8 }
        case .timestamp(let digits): integer(value).flatMap { ConnectText.moment($0, digits) }.map { "\"\($0)\"".utf8 }
        case .time(let digits): integer(value).flatMap { ConnectText.time($0, digits) }.map { "\"\($0)\"".utf8 }
        case .decimal(let scale):
            JSONValueText.string(value).flatMap { Base64.decoded($0) }.flatMap { ConnectText.decimal($0, scale: scale) }
                .map { $0.utf8 }
        case .scaledDecimal: scaledDecimal(value).map { $0.utf8 }
        case .bits:
            JSONValueText.string(value).flatMap { Base64.decoded($0) }.flatMap { ConnectText.bits($0) }.map { $0.utf8 }
        }
    }

    private static func integer(_ value: UnsafeRawBufferPointer) -> Int64? {
        Int64(String(decoding: value, as: UTF8.self))
    }

    private static func scaledDecimal(_ value: UnsafeRawBufferPointer) -> String? {
        guard let scale = (try? ChangeEvent.member(Array("scale".utf8), of: value)).flatMap({ $0 }).flatMap(integer),
            let bytes = (try? ChangeEvent.member(Array("value".utf8), of: value)).flatMap({ $0 }),
            let unscaled = JSONValueText.string(bytes).flatMap({ Base64.decoded($0) })
        else { return nil }
        return ConnectText.decimal(unscaled, scale: Int(clamping: scale))
    }
}

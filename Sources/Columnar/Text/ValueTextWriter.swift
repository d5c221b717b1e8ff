/// Writes values of one type as text. Made once a column: it looks the time zone and the enum's names up front.
public struct ValueTextWriter: Sendable {
    /// The type whose values it writes.
    public let type: DataType
    private let zone: TimeZone
    private let enumNames: [Int16: [UInt8]]
    private let fields: [ValueTextWriter]

    /// Creates a writer for values of `type`.
    public init(type: DataType) {
        self.type = type.base
        var zone = TimeZone.utc
        var names: [Int16: [UInt8]] = [:]
        var fields: [ValueTextWriter] = []
        switch type.base {
        case .dateTime(let name?), .dateTime64(_, let name?): zone = TimeZone.named(name) ?? .utc
        case .enum8(let cases), .enum16(let cases):
            for item in cases { names[item.value] = Array(item.name.utf8) }
        case .array(let element): fields = [ValueTextWriter(type: element)]
        case .map(let key, let value): fields = [ValueTextWriter(type: key), ValueTextWriter(type: value)]
        case .tuple(let types): fields = types.map { ValueTextWriter(type: $0) }
        default: break
        }
        self.zone = zone
        self.enumNames = names
        self.fields = fields
    }

    /// Appends the value at `row` as `toString` gives it: unquoted; NULL as `NULL`.
    public func append(_ column: Column, row: Int, to bytes: inout [UInt8]) {
        append(column, row: row, isQuoted: false, to: &bytes)
    }

    /// Appends the value at `row` as it stands inside an array: strings, dates and the like in single quotes.
    public func appendQuoted(_ column: Column, row: Int, to bytes: inout [UInt8]) {
        append(column, row: row, isQuoted: true, to: &bytes)
    }

    private func append(_ column: Column, row: Int, isQuoted: Bool, to bytes: inout [UInt8]) {
        switch column.data {
        case .dictionary(let encoded) where !column.isNull(at: row):
            return append(encoded.dictionary.values, row: Int(encoded.codes[row]), isQuoted: isQuoted, to: &bytes)
        case .constant(let value, _):
            return append(value, row: 0, isQuoted: isQuoted, to: &bytes)
        default: break
        }
        if column.isNull(at: row) {
            bytes.append(contentsOf: [0x4E, 0x55, 0x4C, 0x4C])
            return
        }
        appendValue(column.data, row: row, isQuoted: isQuoted, to: &bytes)
    }

    private func appendValue(_ data: ColumnData, row: Int, isQuoted: Bool, to bytes: inout [UInt8]) {
        switch data {
        case .int8(let values): appendSmall(Int16(values[row]), isQuoted, to: &bytes)
        case .int16(let values): appendSmall(values[row], isQuoted, to: &bytes)
        case .int32(let values): ValueText.append(integer: values[row], to: &bytes)
        case .int64(let values): appendLong(values[row], isQuoted, to: &bytes)
        case .uint8(let values): appendByte(values[row], to: &bytes)
        case .uint16(let values): appendDateOrNumber(values[row], isQuoted, to: &bytes)
        case .uint32(let values): appendTimeOrNumber(values[row], isQuoted, to: &bytes)
        case .uint64(let values): ValueText.append(magnitude: values[row], to: &bytes)
        case .uint128(let values): appendWide(values[row], isQuoted, to: &bytes)
        case .float32(let values): ValueText.append(float: values[row], to: &bytes)
        case .float64(let values): ValueText.append(double: values[row], to: &bytes)
        case .string(let values):
            if isQuoted {
                ValueText.appendQuoted(values[row], to: &bytes)
            } else {
                bytes.append(contentsOf: values[row])
            }
        case .array(let values): appendArray(values, row: row, to: &bytes)
        case .map(let values): appendMap(values, row: row, to: &bytes)
        case .tuple(let columns): appendTuple(columns, row: row, to: &bytes)
        case .dictionary, .constant: preconditionFailure("BUG: an encoded column inside an encoded column")
        }
    }

    private func appendByte(_ value: UInt8, to bytes: inout [UInt8]) {
        if type == .bool {
            bytes.append(contentsOf: (value != 0 ? "true" : "false").utf8)
        } else {
            ValueText.append(integer: value, to: &bytes)
        }
    }

    private func appendSmall(_ value: Int16, _ isQuoted: Bool, to bytes: inout [UInt8]) {
        guard let name = enumNames[value] else { return ValueText.append(integer: value, to: &bytes) }
        if isQuoted { ValueText.appendQuoted(name, to: &bytes) } else { bytes.append(contentsOf: name) }
    }

    private func appendLong(_ value: Int64, _ isQuoted: Bool, to bytes: inout [UInt8]) {
        guard case .dateTime64(let precision, _) = type else { return ValueText.append(integer: value, to: &bytes) }
        if isQuoted { bytes.append(0x27) }
        ValueText.appendDateTime64(ticks: value, precision: precision, zone: zone, to: &bytes)
        if isQuoted { bytes.append(0x27) }
    }

    private func appendDateOrNumber(_ value: UInt16, _ isQuoted: Bool, to bytes: inout [UInt8]) {
        guard type == .date else { return ValueText.append(integer: value, to: &bytes) }
        if isQuoted { bytes.append(0x27) }
        ValueText.appendDate(days: Int64(value), to: &bytes)
        if isQuoted { bytes.append(0x27) }
    }

    private func appendTimeOrNumber(_ value: UInt32, _ isQuoted: Bool, to bytes: inout [UInt8]) {
        if type == .uint32 { return ValueText.append(integer: value, to: &bytes) }
        if isQuoted { bytes.append(0x27) }
        if type == .ipv4 {
            ValueText.appendIPv4(value, to: &bytes)
        } else {
            ValueText.appendDateTime(seconds: Int64(value), zone: zone, to: &bytes)
        }
        if isQuoted { bytes.append(0x27) }
    }

    private func appendWide(_ value: UInt128, _ isQuoted: Bool, to bytes: inout [UInt8]) {
        if isQuoted { bytes.append(0x27) }
        if type == .uuid { ValueText.appendUUID(value, to: &bytes) } else { ValueText.appendIPv6(value, to: &bytes) }
        if isQuoted { bytes.append(0x27) }
    }

    private func appendArray(_ values: ArrayData, row: Int, to bytes: inout [UInt8]) {
        bytes.append(0x5B)
        let elements = values.elements
        for index in Int(values.offsets[row])..<Int(values.offsets[row + 1]) {
            if index > Int(values.offsets[row]) { bytes.append(0x2C) }
            fields[0].appendQuoted(elements, row: index, to: &bytes)
        }
        bytes.append(0x5D)
    }

    private func appendMap(_ values: MapData, row: Int, to bytes: inout [UInt8]) {
        bytes.append(0x7B)
        let (keys, entries) = (values.keys, values.values)
        for index in Int(values.offsets[row])..<Int(values.offsets[row + 1]) {
            if index > Int(values.offsets[row]) { bytes.append(0x2C) }
            fields[0].appendQuoted(keys, row: index, to: &bytes)
            bytes.append(0x3A)
            fields[1].appendQuoted(entries, row: index, to: &bytes)
        }
        bytes.append(0x7D)
    }

    private func appendTuple(_ columns: [Column], row: Int, to bytes: inout [UInt8]) {
        bytes.append(0x28)
        for (index, column) in columns.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            fields[index].appendQuoted(column, row: row, to: &bytes)
        }
        bytes.append(0x29)
    }
}

extension ValueText {
    /// Appends the value at `row` as `toString` gives it; NULL as `NULL`. For many rows make one `ValueTextWriter`.
    public static func append(_ column: Column, row: Int, to bytes: inout [UInt8]) {
        ValueTextWriter(type: column.type).append(column, row: row, to: &bytes)
    }

    /// The text of every row of a column, NULL as empty text.
    public static func strings(_ column: Column) -> StringData {
        let column = column.flattened()
        if case .string(let values) = column.data { return values }
        let writer = ValueTextWriter(type: column.type)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(column.count * 12)
        var offsets: [UInt32] = [0]
        offsets.reserveCapacity(column.count + 1)
        for row in 0..<column.count {
            if column.nulls?[row] != 1 { writer.append(column, row: row, to: &bytes) }
            offsets.append(UInt32(bytes.count))
        }
        return StringData(bytes: bytes, offsets: offsets)
    }
}

extension DataType {
    /// The type's name in ClickHouse's spelling, as `toTypeName` and DESCRIBE show it.
    public var name: String {
        switch self {
        case .bool: "Bool"
        case .int8: "Int8"
        case .int16: "Int16"
        case .int32: "Int32"
        case .int64: "Int64"
        case .uint8: "UInt8"
        case .uint16: "UInt16"
        case .uint32: "UInt32"
        case .uint64: "UInt64"
        case .float32: "Float32"
        case .float64: "Float64"
        case .string: "String"
        case .date: "Date"
        case .dateTime(nil): "DateTime"
        case .dateTime(let zone?): "DateTime(\(quotedName(zone)))"
        case .dateTime64(let precision, nil): "DateTime64(\(precision))"
        case .dateTime64(let precision, let zone?): "DateTime64(\(precision), \(quotedName(zone)))"
        case .uuid: "UUID"
        case .ipv4: "IPv4"
        case .ipv6: "IPv6"
        case .enum8(let cases): "Enum8(\(enumList(cases)))"
        case .enum16(let cases): "Enum16(\(enumList(cases)))"
        case .nullable(.nothing), .nothing: "Nullable(Nothing)"
        case .nullable(let inner): "Nullable(\(inner.name))"
        case .array(.nothing): "Array(Nothing)"
        case .array(let element): "Array(\(element.name))"
        case .map(.nothing, .nothing): "Map(Nothing, Nothing)"
        case .map(let key, let value): "Map(\(key.name), \(value.name))"
        case .lowCardinality(let inner): "LowCardinality(\(inner.name))"
        case .interval(let unit): "Interval\(unit.rawValue.prefix(1).uppercased())\(unit.rawValue.dropFirst())"
        case .tuple(let fields): "Tuple(\(fields.map(\.name).joined(separator: ", ")))"
        }
    }

    private func enumList(_ cases: [EnumCase]) -> String {
        cases.map { "\(quotedName($0.name)) = \($0.value)" }.joined(separator: ", ")
    }

    private func quotedName(_ text: String) -> String {
        var bytes: [UInt8] = []
        ValueText.appendQuoted(Array(text.utf8), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

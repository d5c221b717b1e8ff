// Types as bytes: a number u8, then what the type is made of.
//
//     DateTime: 0, or 1 and the zone │ DateTime64: precision u8, then the same │ Enum: count, names, zigzag values
//     Nullable, LowCardinality, Array: the inner type │ Map: key type, value type

/// Numbers of types, written to disk: never reused.
private enum TypeNumber: UInt8 {
    case bool = 1
    case int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
    case float32, float64, string, date, dateTime, dateTime64, uuid, ipv4, ipv6
    case enum8, enum16, nullable, array, map, lowCardinality
}

extension BlockBuilder {
    /// Appends a varint length and the string's UTF-8.
    mutating func string(_ value: String) {
        count(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    /// Appends a type that `isStorable`.
    mutating func type(_ type: DataType) {
        switch type {
        case .bool: number(.bool)
        case .int8: number(.int8)
        case .int16: number(.int16)
        case .int32: number(.int32)
        case .int64: number(.int64)
        case .uint8: number(.uint8)
        case .uint16: number(.uint16)
        case .uint32: number(.uint32)
        case .uint64: number(.uint64)
        case .float32: number(.float32)
        case .float64: number(.float64)
        case .string: number(.string)
        case .date: number(.date)
        case .dateTime(let zone):
            number(.dateTime)
            optional(zone)
        case .dateTime64(let precision, let zone):
            number(.dateTime64)
            uint8(UInt8(precision))
            optional(zone)
        case .uuid: number(.uuid)
        case .ipv4: number(.ipv4)
        case .ipv6: number(.ipv6)
        case .enum8(let cases): enumeration(.enum8, cases)
        case .enum16(let cases): enumeration(.enum16, cases)
        case .nullable(let inner): wrapper(.nullable, inner)
        case .array(let inner): wrapper(.array, inner)
        case .lowCardinality(let inner): wrapper(.lowCardinality, inner)
        case .map(let key, let value):
            wrapper(.map, key)
            self.type(value)
        case .nothing, .interval, .tuple: preconditionFailure("BUG: \(type) cannot be stored")
        }
    }

    /// Appends 0 for nil, else 1 and the string.
    mutating func optional(_ value: String?) {
        uint8(value == nil ? 0 : 1)
        if let value { string(value) }
    }

    private mutating func number(_ value: TypeNumber) { uint8(value.rawValue) }

    private mutating func wrapper(_ value: TypeNumber, _ inner: DataType) {
        number(value)
        type(inner)
    }

    private mutating func enumeration(_ value: TypeNumber, _ cases: [EnumCase]) {
        number(value)
        count(cases.count)
        for one in cases {
            string(one.name)
            zigzag(Int64(one.value))
        }
    }
}

extension BlockCursor {
    /// A varint length and as many bytes of UTF-8 (repaired where they are not).
    mutating func string() throws(ColumnarError) -> String {
        let length = try count(max: remaining)
        return String(decoding: try take(length), as: UTF8.self)
    }

    /// 0 for nil, else 1 and a string.
    mutating func optional() throws(ColumnarError) -> String? { try flag() ? try string() : nil }

    /// 0 or 1.
    mutating func flag() throws(ColumnarError) -> Bool {
        switch try uint8() {
        case 0: return false
        case 1: return true
        case let other: throw corrupt("\(other) where 0 or 1 belongs")
        }
    }

    /// A type. Throws `.corrupt` for a number that is none, or types nested without end.
    mutating func type(depth: Int = 0) throws(ColumnarError) -> DataType {
        guard depth <= DataType.maxDepth else { throw corrupt("types nest too deep") }
        let value = try uint8()
        switch TypeNumber(rawValue: value) {
        case .bool: return .bool
        case .int8: return .int8
        case .int16: return .int16
        case .int32: return .int32
        case .int64: return .int64
        case .uint8: return .uint8
        case .uint16: return .uint16
        case .uint32: return .uint32
        case .uint64: return .uint64
        case .float32: return .float32
        case .float64: return .float64
        case .string: return .string
        case .date: return .date
        case .dateTime: return .dateTime(timeZone: try optional())
        case .dateTime64:
            let precision = Int(try uint8())
            guard precision <= 9 else { throw corrupt("a precision of \(precision)") }
            return .dateTime64(precision: precision, timeZone: try optional())
        case .uuid: return .uuid
        case .ipv4: return .ipv4
        case .ipv6: return .ipv6
        case .enum8: return .enum8(try cases())
        case .enum16: return .enum16(try cases())
        case .nullable: return .nullable(try type(depth: depth + 1))
        case .array: return .array(try type(depth: depth + 1))
        case .lowCardinality: return .lowCardinality(try type(depth: depth + 1))
        case .map:
            let key = try type(depth: depth + 1)
            return .map(key, try type(depth: depth + 1))
        case nil: throw corrupt("type \(value) is unknown")
        }
    }

    private mutating func cases() throws(ColumnarError) -> [EnumCase] {
        var result: [EnumCase] = []
        for _ in 0..<(try count(max: 65_536)) {
            let name = try string()
            let value = try zigzag()
            guard let value = Int16(exactly: value) else { throw corrupt("an enum value of \(value)") }
            result.append(EnumCase(name: name, value: value))
        }
        return result
    }
}

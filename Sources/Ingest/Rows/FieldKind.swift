import Columnar

/// What a field builder makes of the values it is given.
enum FieldKind: UInt8 {
    case bool
    case int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
    case float32, float64
    case string
    case date, dateTime, dateTime64
    case uuid, ipv4, ipv6
    case enum8, enum16
    case array
    case map

    /// The kind that builds columns of `type`; nil for types that are no columns.
    init?(_ type: DataType) {
        switch type.base {
        case .bool: self = .bool
        case .int8: self = .int8
        case .int16: self = .int16
        case .int32: self = .int32
        case .int64: self = .int64
        case .uint8: self = .uint8
        case .uint16: self = .uint16
        case .uint32: self = .uint32
        case .uint64: self = .uint64
        case .float32: self = .float32
        case .float64: self = .float64
        case .string: self = .string
        case .date: self = .date
        case .dateTime: self = .dateTime
        case .dateTime64: self = .dateTime64
        case .uuid: self = .uuid
        case .ipv4: self = .ipv4
        case .ipv6: self = .ipv6
        case .enum8: self = .enum8
        case .enum16: self = .enum16
        case .array: self = .array
        case .map: self = .map
        case .nothing, .interval, .tuple, .nullable, .lowCardinality: return nil
        }
    }

    /// Whether columns of `type` can be built.
    static func builds(_ type: DataType) -> Bool {
        switch type.base {
        case .array(let element): builds(element)
        case .map(let key, let value): builds(key) && builds(value)
        case let base: FieldKind(base) != nil
        }
    }

    /// Bytes a row takes in the value buffer; strings, arrays and maps keep the end of each row there.
    var width: Int {
        switch self {
        case .bool, .int8, .uint8, .enum8: 1
        case .int16, .uint16, .date, .enum16: 2
        case .int32, .uint32, .float32, .dateTime, .ipv4, .string, .array, .map: 4
        case .int64, .uint64, .float64, .dateTime64: 8
        case .uuid, .ipv6: 16
        }
    }

    /// Whether the value buffer holds ends of rows rather than values.
    var hasEnds: Bool { self == .string || self == .array || self == .map }
}

/// What became of a value given to a field builder.
enum Placement: UInt8 {
    /// It is in the column as it came.
    case exact
    /// The column has the nearest value it can hold, which is not the one that came.
    case rounded
    /// The column cannot hold it; the row is as it was before.
    case refused
}

/// The type of a column, with ClickHouse's names and meaning.
public indirect enum DataType: Hashable, Sendable {
    case bool
    case int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
    case float32, float64
    case string
    /// Days since 1970-01-01, 16 bits.
    case date
    /// Seconds since 1970-01-01 UTC, 32 bits. The zone only says how it reads as text; nil is the server's (UTC).
    case dateTime(timeZone: String?)
    /// Ticks of 10^-precision seconds since 1970-01-01 UTC, signed 64 bits; precision 0 to 9.
    case dateTime64(precision: Int, timeZone: String?)
    case uuid
    case ipv4, ipv6
    case enum8([EnumCase]), enum16([EnumCase])
    case nullable(DataType)
    case array(DataType)
    case map(DataType, DataType)
    /// The same values as the wrapped type; a hint that few of them are distinct.
    case lowCardinality(DataType)
    /// Only inside expressions: the type of NULL alone, and of an empty array's elements.
    case nothing
    /// Only inside expressions: `INTERVAL 5 MINUTE`; the value counts units.
    case interval(IntervalUnit)
    /// Only inside expressions: `(a, b)`, for IN and ORDER BY.
    case tuple([DataType])
}

/// One name of an `Enum8` or `Enum16`.
public struct EnumCase: Hashable, Sendable {
    /// The value's name in SQL.
    public var name: String
    /// The number that is stored.
    public var value: Int16

    /// Creates a case.
    public init(name: String, value: Int16) {
        self.name = name
        self.value = value
    }
}

/// The unit of an INTERVAL.
public enum IntervalUnit: String, Hashable, Sendable, CaseIterable {
    case nanosecond, microsecond, millisecond, second, minute, hour, day, week, month, quarter, year
}

/// How values of a type lie in memory: the case of `ColumnData` that holds them.
public enum PhysicalType: Hashable, Sendable {
    case int8, int16, int32, int64, uint8, uint16, uint32, uint64, uint128, float32, float64, string, array, map, tuple
}

extension DataType {
    /// The case of `ColumnData` that holds this type's values when they are neither constant nor in a dictionary.
    public var physical: PhysicalType {
        switch self {
        case .bool, .uint8, .nothing: .uint8
        case .int8, .enum8: .int8
        case .int16, .enum16: .int16
        case .int32: .int32
        case .int64, .dateTime64, .interval: .int64
        case .uint16, .date: .uint16
        case .uint32, .dateTime, .ipv4: .uint32
        case .uint64: .uint64
        case .uuid, .ipv6: .uint128
        case .float32: .float32
        case .float64: .float64
        case .string: .string
        case .nullable(let inner), .lowCardinality(let inner): inner.physical
        case .array: .array
        case .map: .map
        case .tuple: .tuple
        }
    }

    /// Whether NULL is a value of this type.
    public var isNullable: Bool {
        switch self {
        case .nullable, .nothing: true
        case .lowCardinality(let inner): inner.isNullable
        default: false
        }
    }

    /// The type without Nullable and LowCardinality around it: what the values are.
    public var base: DataType {
        switch self {
        case .nullable(let inner), .lowCardinality(let inner): inner.base
        default: self
        }
    }

    /// The type without LowCardinality around it, Nullable kept.
    public var withoutLowCardinality: DataType {
        if case .lowCardinality(let inner) = self { return inner }
        return self
    }

    /// The same type admitting NULL. Arrays, maps and tuples cannot, and stay as they are.
    public var madeNullable: DataType {
        switch self {
        case .nullable, .array, .map, .tuple, .nothing: self
        case .lowCardinality(let inner): .lowCardinality(inner.madeNullable)
        default: .nullable(self)
        }
    }

    /// Whether it is an integer type (Bool, dates, enums and addresses are not).
    public var isInteger: Bool {
        switch base {
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64: true
        default: false
        }
    }

    /// Whether it is Float32 or Float64.
    public var isFloat: Bool { base == .float32 || base == .float64 }

    /// Whether arithmetic applies: an integer, a float or Bool.
    public var isNumeric: Bool { isInteger || isFloat || base == .bool }

    /// Whether it is a date or a time.
    public var isTemporal: Bool {
        switch base {
        case .date, .dateTime, .dateTime64: true
        default: false
        }
    }
}

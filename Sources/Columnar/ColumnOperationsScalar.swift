// Columns from single values and single values from columns: literals, defaults, results row by row.

extension Column {
    /// `scalar` for `count` rows; memory of one row.
    public static func constant(_ scalar: Scalar, type: DataType, count: Int) -> Column {
        Column(type: type, data: .constant(value: Column(type: type, scalars: [scalar]), count: count))
    }

    /// `count` rows of what stands where no value is: NULL when the type admits it, else 0 or empty.
    public static func defaults(type: DataType, count: Int) -> Column {
        constant(type.defaultScalar, type: type, count: count)
    }

    /// A flat column of `scalars`. A scalar that is not of the type's kind is a bug of the caller; integers are
    /// cut to the type's width.
    public init(type: DataType, scalars: [Scalar]) {
        var nulls: [UInt8]?
        if scalars.contains(.null) { nulls = scalars.map { $0 == .null ? 1 : 0 } }
        self.init(type: type, data: ColumnData(scalars: scalars, type: type.withoutLowCardinality), nulls: nulls)
    }

    /// The value at `row`. Slow: for results, literals and tests, not for loops over rows.
    public func scalar(at row: Int) -> Scalar {
        if isNull(at: row) { return .null }
        switch data {
        case .int8(let values): return .int(Int64(values[row]))
        case .int16(let values): return .int(Int64(values[row]))
        case .int32(let values): return .int(Int64(values[row]))
        case .int64(let values): return .int(values[row])
        case .uint8(let values): return type.base == .bool ? .int(Int64(values[row])) : .uint(UInt64(values[row]))
        case .uint16(let values): return .uint(UInt64(values[row]))
        case .uint32(let values): return .uint(UInt64(values[row]))
        case .uint64(let values): return .uint(values[row])
        case .uint128(let values): return .wide(values[row])
        case .float32(let values): return .float(Double(values[row]))
        case .float64(let values): return .float(values[row])
        case .string(let values): return .string(Array(values[row]))
        case .array(let values):
            let elements = values.elements
            return .array((Int(values.offsets[row])..<Int(values.offsets[row + 1])).map { elements.scalar(at: $0) })
        case .map(let values):
            return .map(
                (Int(values.offsets[row])..<Int(values.offsets[row + 1])).flatMap {
                    [values.keys.scalar(at: $0), values.values.scalar(at: $0)]
                })
        case .tuple(let fields): return .tuple(fields.map { $0.scalar(at: row) })
        case .dictionary(let encoded): return encoded.dictionary.values.scalar(at: Int(encoded.codes[row]))
        case .constant(let value, _): return value.scalar(at: 0)
        }
    }
}

extension DataType {
    /// What stands where no value is.
    public var defaultScalar: Scalar {
        if isNullable { return .null }
        switch base {
        case .enum8(let cases), .enum16(let cases): return .int(Int64(cases.first?.value ?? 0))
        case .array: return .array([])
        case .map: return .map([])
        case .tuple(let fields): return .tuple(fields.map(\.defaultScalar))
        default: break
        }
        switch physical {
        case .int8, .int16, .int32, .int64: return .int(0)
        case .uint8: return base == .bool ? .int(0) : .uint(0)
        case .uint16, .uint32, .uint64: return .uint(0)
        case .uint128: return .wide(0)
        case .float32, .float64: return .float(0)
        case .string: return .string([])
        case .array, .map, .tuple: return .null
        }
    }
}

extension Scalar {
    /// As an integer, cut to the type's width; 0 for NULL.
    func integer<Value: FixedWidthInteger>(_: Value.Type) -> Value {
        switch self {
        case .int(let value): Value(truncatingIfNeeded: value)
        case .uint(let value): Value(truncatingIfNeeded: value)
        case .wide(let value): Value(truncatingIfNeeded: value)
        case .null: 0
        default: preconditionFailure("BUG: \(self) where an integer belongs")
        }
    }

    var double: Double {
        switch self {
        case .float(let value): value
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .null: 0
        default: preconditionFailure("BUG: \(self) where a number belongs")
        }
    }
}

extension ColumnData {
    init(scalars: [Scalar], type: DataType) {
        switch type.physical {
        case .int8: self = .int8(scalars.map { $0.integer(Int8.self) })
        case .int16: self = .int16(scalars.map { $0.integer(Int16.self) })
        case .int32: self = .int32(scalars.map { $0.integer(Int32.self) })
        case .int64: self = .int64(scalars.map { $0.integer(Int64.self) })
        case .uint8: self = .uint8(scalars.map { $0.integer(UInt8.self) })
        case .uint16: self = .uint16(scalars.map { $0.integer(UInt16.self) })
        case .uint32: self = .uint32(scalars.map { $0.integer(UInt32.self) })
        case .uint64: self = .uint64(scalars.map { $0.integer(UInt64.self) })
        case .uint128: self = .uint128(scalars.map { $0.integer(UInt128.self) })
        case .float32: self = .float32(scalars.map { Float($0.double) })
        case .float64: self = .float64(scalars.map(\.double))
        case .string: self = .string(ColumnData.strings(scalars))
        case .array: self = .array(ColumnData.arrays(scalars, type: type.base))
        case .map: self = .map(ColumnData.maps(scalars, type: type.base))
        case .tuple: self = .tuple(ColumnData.tuples(scalars, type: type.base))
        }
    }

    private static func strings(_ scalars: [Scalar]) -> StringData {
        var result = StringData()
        for scalar in scalars {
            switch scalar {
            case .string(let bytes): result.append(bytes)
            case .null: result.append([])
            default: preconditionFailure("BUG: \(scalar) where a string belongs")
            }
        }
        return result
    }

    private static func arrays(_ scalars: [Scalar], type: DataType) -> ArrayData {
        guard case .array(let element) = type else { preconditionFailure("BUG: \(type) is no array") }
        var offsets: [UInt32] = [0]
        var elements: [Scalar] = []
        for scalar in scalars {
            if case .array(let values) = scalar { elements += values }
            offsets.append(UInt32(elements.count))
        }
        return ArrayData(offsets: offsets, elements: Column(type: element, scalars: elements))
    }

    private static func maps(_ scalars: [Scalar], type: DataType) -> MapData {
        guard case .map(let key, let value) = type else { preconditionFailure("BUG: \(type) is no map") }
        var offsets: [UInt32] = [0]
        var keys: [Scalar] = []
        var values: [Scalar] = []
        for scalar in scalars {
            if case .map(let entries) = scalar {
                for index in stride(from: 0, to: entries.count - 1, by: 2) {
                    keys.append(entries[index])
                    values.append(entries[index + 1])
                }
            }
            offsets.append(UInt32(keys.count))
        }
        return MapData(
            offsets: offsets, keys: Column(type: key, scalars: keys), values: Column(type: value, scalars: values))
    }

    private static func tuples(_ scalars: [Scalar], type: DataType) -> [Column] {
        guard case .tuple(let types) = type else { preconditionFailure("BUG: \(type) is no tuple") }
        return types.indices.map { index in
            Column(
                type: types[index],
                scalars: scalars.map { scalar in
                    if case .tuple(let fields) = scalar { fields[index] } else { types[index].defaultScalar }
                })
        }
    }
}

// Types change under parts that are never rewritten for it: a part stores Int64, the table has come to say
// Nullable(Float64). What a part stores is converted as it is read.

extension DataType {
    /// Whether every value of the type is a value of `target`, so that stored columns may be read as `target`.
    public func widens(to target: DataType) -> Bool {
        if self == target { return true }
        if case .array(let from) = self, case .array(let to) = target { return from.widens(to: to) }
        if case .map(let fromKey, let fromValue) = self, case .map(let toKey, let toValue) = target {
            return fromKey.widens(to: toKey) && fromValue.widens(to: toValue)
        }
        if isNullable && !target.isNullable { return false }
        return Self.baseWidens(base, to: target.base)
    }

    private static func baseWidens(_ from: DataType, to target: DataType) -> Bool {
        if from == target { return true }
        switch (from, target) {
        case (.dateTime, .dateTime): return true
        case (.dateTime64(let old, _), .dateTime64(let new, _)): return old == new
        case (.enum8(let old), .enum8(let new)), (.enum8(let old), .enum16(let new)),
            (.enum16(let old), .enum16(let new)):
            return Set(old).isSubset(of: new)
        case (_, .float64): return from.isNumeric
        case (.int8, .float32), (.int16, .float32), (.uint8, .float32), (.uint16, .float32), (.bool, .float32):
            return true
        default: break
        }
        guard let old = from.integerWidth, let new = target.integerWidth else { return false }
        if old.isSigned == new.isSigned { return old.bits <= new.bits }
        return new.isSigned && old.bits < new.bits
    }

    private var integerWidth: (bits: Int, isSigned: Bool)? {
        switch self {
        case .bool: (8, false)
        case .int8: (8, true)
        case .int16: (16, true)
        case .int32: (32, true)
        case .int64: (64, true)
        case .uint8: (8, false)
        case .uint16: (16, false)
        case .uint32: (32, false)
        case .uint64: (64, false)
        default: nil
        }
    }
}

extension Column {
    /// The same values as a column of `target`. Throws `.invalidValue` when the types do not allow it, or when a
    /// NULL meets a type without.
    func converted(to target: DataType) throws(ColumnarError) -> Column {
        if type == target { return self }
        var result = self
        if !target.isNullable && !hasNoNulls {
            throw ColumnarError(.invalidValue, "a NULL in a column of type \(target)")
        }
        if type.physical == target.physical && type.isSameStorage(as: target) {
            result.type = target
            return result
        }
        guard type.widens(to: target) || (type.isNullable && type.base.widens(to: target.base)) else {
            throw ColumnarError(.invalidValue, "values of type \(type) cannot become \(target)")
        }
        switch data {
        case .constant(let value, let count):
            result = Column(type: target, data: .constant(value: try value.converted(to: target), count: count))
        case .dictionary(let encoded):
            var bare = encoded.dictionary.values
            bare.type = type.base
            let values = try bare.converted(to: target.base)
            let data = DictionaryData(codes: encoded.codes, dictionary: ValueDictionary(values: values))
            result = Column(type: target, data: .dictionary(data), nulls: nulls)
        case .array(let arrays):
            guard case .array(let element) = target.base else { break }
            let elements = try arrays.elements.converted(to: element)
            result = Column(
                type: target, data: .array(ArrayData(offsets: arrays.offsets, elements: elements)), nulls: nulls)
        case .map(let maps):
            guard case .map(let key, let value) = target.base else { break }
            let keys = try maps.keys.converted(to: key)
            let values = try maps.values.converted(to: value)
            let data = MapData(offsets: maps.offsets, keys: keys, values: values)
            result = Column(type: target, data: .map(data), nulls: nulls)
        default:
            result = Column(type: target, data: data.widened(to: target.physical), nulls: nulls)
        }
        return result
    }
}

extension DataType {
    /// Whether both types lay out values the same way and mean the same by them.
    fileprivate func isSameStorage(as target: DataType) -> Bool {
        switch (base, target.base) {
        case (.array(let from), .array(let to)): from == to
        case (.map(let fromKey, let fromValue), .map(let toKey, let toValue)): fromKey == toKey && fromValue == toValue
        case (.bool, .uint8), (.dateTime, .dateTime): true
        case (.dateTime64(let old, _), .dateTime64(let new, _)): old == new
        case (.enum8(let old), .enum8(let new)), (.enum16(let old), .enum16(let new)): Set(old).isSubset(of: new)
        case (let from, let to): from == to
        }
    }
}

extension ColumnData {
    fileprivate func widened(to physical: PhysicalType) -> ColumnData {
        switch self {
        case .int8(let values): widenIntegers(values, physical)
        case .int16(let values): widenIntegers(values, physical)
        case .int32(let values): widenIntegers(values, physical)
        case .int64(let values): widenIntegers(values, physical)
        case .uint8(let values): widenIntegers(values, physical)
        case .uint16(let values): widenIntegers(values, physical)
        case .uint32(let values): widenIntegers(values, physical)
        case .uint64(let values): widenIntegers(values, physical)
        case .float32(let values): .float64(values.map { Double($0) })
        default: self
        }
    }
}

private func widenIntegers<Value: FixedWidthInteger>(_ values: [Value], _ physical: PhysicalType) -> ColumnData {
    switch physical {
    case .int8: .int8(values.map { Int8(truncatingIfNeeded: $0) })
    case .int16: .int16(values.map { Int16(truncatingIfNeeded: $0) })
    case .int32: .int32(values.map { Int32(truncatingIfNeeded: $0) })
    case .int64: .int64(values.map { Int64(truncatingIfNeeded: $0) })
    case .uint8: .uint8(values.map { UInt8(truncatingIfNeeded: $0) })
    case .uint16: .uint16(values.map { UInt16(truncatingIfNeeded: $0) })
    case .uint32: .uint32(values.map { UInt32(truncatingIfNeeded: $0) })
    case .uint64: .uint64(values.map { UInt64(truncatingIfNeeded: $0) })
    case .float32: .float32(values.map { Float($0) })
    default: .float64(values.map { Double($0) })
    }
}

/// Reads what `ColumnEncoder` wrote.
enum ColumnDecoder {
    /// The column of `count` rows of `type` in `bytes`, a decompressed block. Throws `.corrupt` on anything that
    /// cannot have been written; never traps.
    static func column(
        _ bytes: UnsafeRawBufferPointer, type: DataType, count: Int, dictionary: ValueDictionary?
    ) throws(ColumnarError) -> Column {
        var cursor = BlockCursor(bytes)
        let column = try decode(type: type, count: count, dictionary: dictionary, &cursor)
        guard cursor.remaining == 0 else { throw cursor.corrupt("\(cursor.remaining) bytes too many") }
        return column
    }

    /// Decodes null marks and values.
    static func decode(
        type: DataType, count: Int, dictionary: ValueDictionary?, _ cursor: inout BlockCursor, depth: Int = 0
    ) throws(ColumnarError) -> Column {
        let nulls = try NullMarks.decode(count, &cursor)
        guard let nulls else {
            let data = try values(type: type, count: count, dictionary: dictionary, &cursor, depth: depth)
            return Column(type: type, data: data)
        }
        guard type.isNullable else { throw cursor.corrupt("NULLs in a column of type \(type)") }
        var kept = 0
        for flag in nulls { kept &+= Int(flag ^ 1) }
        if kept == 0 { return Column.constant(.null, type: type, count: count) }
        let dense = try values(type: type, count: kept, dictionary: dictionary, &cursor, depth: depth)
        return Column(type: type, data: try expand(dense, type, nulls, &cursor), nulls: nulls)
    }

    private static func values(
        type: DataType, count: Int, dictionary: ValueDictionary?, _ cursor: inout BlockCursor, depth: Int
    ) throws(ColumnarError) -> ColumnData {
        switch type.physical {
        case .int8: return try integers(Int8.self, type, count, &cursor) { .int8($0) }
        case .int16: return try integers(Int16.self, type, count, &cursor) { .int16($0) }
        case .int32: return try integers(Int32.self, type, count, &cursor) { .int32($0) }
        case .int64: return try integers(Int64.self, type, count, &cursor) { .int64($0) }
        case .uint8: return try integers(UInt8.self, type, count, &cursor) { .uint8($0) }
        case .uint16: return try integers(UInt16.self, type, count, &cursor) { .uint16($0) }
        case .uint32: return try integers(UInt32.self, type, count, &cursor) { .uint32($0) }
        case .uint64: return try integers(UInt64.self, type, count, &cursor) { .uint64($0) }
        case .uint128: return .uint128(try halves(count, &cursor))
        case .float32: return .float32(try FloatEncoding.decode(Float.self, count: count, &cursor))
        case .float64: return .float64(try FloatEncoding.decode(Double.self, count: count, &cursor))
        case .string:
            return try StringDecoder.decode(type: type, count: count, dictionary: dictionary, &cursor)
        case .array, .map: return try lists(type.base, count, &cursor, depth: depth)
        case .tuple: throw cursor.corrupt("values of type \(type) are not stored")
        }
    }

    private static func integers<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type, _ type: DataType, _ count: Int, _ cursor: inout BlockCursor, _ wrap: ([Value]) -> ColumnData
    ) throws(ColumnarError) -> ColumnData {
        if count > 0, let value = try IntegerDecoder.constant(Value.self, &cursor) {
            return .constant(value: Column(type: type, data: wrap([value])), count: count)
        }
        return wrap(try IntegerDecoder.decode(Value.self, count: count, &cursor))
    }

    private static func halves(_ count: Int, _ cursor: inout BlockCursor) throws(ColumnarError) -> [UInt128] {
        let number = try cursor.uint8()
        guard number == Encoding.halves.rawValue else { throw cursor.corrupt("encoding \(number) is none of 128 bits") }
        let high = try IntegerDecoder.decode(UInt64.self, count: count, &cursor)
        let low = try IntegerDecoder.decode(UInt64.self, count: count, &cursor)
        try cursor.allocate(count, size: 16)
        return (0..<count).map { UInt128(high[$0]) << 64 | UInt128(low[$0]) }
    }

    private static func lists(
        _ type: DataType, _ count: Int, _ cursor: inout BlockCursor, depth: Int
    ) throws(ColumnarError) -> ColumnData {
        let number = try cursor.uint8()
        guard number == Encoding.lists.rawValue, depth <= DataType.maxDepth else {
            throw cursor.corrupt("encoding \(number) is none of arrays")
        }
        let offsets = try StringDecoder.offsets(count, limit: cursor.budget, &cursor)
        switch type {
        case .array(let element):
            let elements = try elements(element, offsets, &cursor, depth)
            return .array(ArrayData(offsets: offsets, elements: elements))
        case .map(let key, let value):
            let keys = try elements(key, offsets, &cursor, depth)
            let values = try elements(value, offsets, &cursor, depth)
            return .map(MapData(offsets: offsets, keys: keys, values: values))
        default: throw cursor.corrupt("arrays in a column of type \(type)")
        }
    }

    /// The elements of all rows, flat.
    private static func elements(
        _ type: DataType, _ offsets: [UInt32], _ cursor: inout BlockCursor, _ depth: Int
    ) throws(ColumnarError) -> Column {
        let count = Int(offsets[offsets.count - 1])
        let column = try decode(type: type, count: count, dictionary: nil, &cursor, depth: depth + 1)
        switch column.data {
        case .constant(let value, _): try cursor.allocate(count, size: value.memoryBytes + 4)
        case .dictionary(let encoded):
            try cursor.allocate(1, size: encoded.flatBytes)
        default: return column
        }
        return column.flattened()
    }

    /// Puts the dense values where no NULL is, and 0 or nothing elsewhere.
    private static func expand(
        _ dense: ColumnData, _ type: DataType, _ nulls: [UInt8], _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> ColumnData {
        switch dense {
        case .int8(let values): return .int8(spread(values, nulls))
        case .int16(let values): return .int16(spread(values, nulls))
        case .int32(let values): return .int32(spread(values, nulls))
        case .int64(let values): return .int64(spread(values, nulls))
        case .uint8(let values): return .uint8(spread(values, nulls))
        case .uint16(let values): return .uint16(spread(values, nulls))
        case .uint32(let values): return .uint32(spread(values, nulls))
        case .uint64(let values): return .uint64(spread(values, nulls))
        case .uint128(let values): return .uint128(spread(values, nulls))
        case .float32(let values): return .float32(spread(values, nulls))
        case .float64(let values): return .float64(spread(values, nulls))
        case .string(let values):
            var offsets: [UInt32] = [0]
            offsets.reserveCapacity(nulls.count + 1)
            var next = 0
            for flag in nulls {
                next &+= Int(flag ^ 1)
                offsets.append(values.offsets[next])
            }
            return .string(StringData(bytes: values.bytes, offsets: offsets))
        case .dictionary(let encoded):
            return .dictionary(DictionaryData(codes: spread(encoded.codes, nulls), dictionary: encoded.dictionary))
        case .constant(let value, let count):
            try cursor.allocate(count, size: max(1, value.memoryBytes))
            let flat = Column(type: type, data: dense).flattened()
            return try expand(flat.data, type, nulls, &cursor)
        case .array, .map, .tuple: throw cursor.corrupt("NULLs in a column of type \(type)")
        }
    }
}

/// `dense` has as many values as `nulls` has zeroes.
private func spread<Value: FixedWidthInteger & BitwiseCopyable>(_ dense: [Value], _ nulls: [UInt8]) -> [Value] {
    spread(dense, nulls, filler: 0)
}

private func spread<Value: StoredFloat>(_ dense: [Value], _ nulls: [UInt8]) -> [Value] {
    spread(dense, nulls, filler: 0)
}

private func spread<Value: BitwiseCopyable>(_ dense: [Value], _ nulls: [UInt8], filler: Value) -> [Value] {
    [Value](unsafeUninitializedCapacity: nulls.count) { buffer, filled in
        var next = 0
        for row in 0..<nulls.count {
            if nulls[row] == 0 {
                buffer.initializeElement(at: row, to: dense[next])
                next += 1
            } else {
                buffer.initializeElement(at: row, to: filler)
            }
        }
        filled = nulls.count
    }
}

extension DictionaryData {
    /// Bytes the rows would take without the dictionary.
    var flatBytes: Int {
        guard case .string(let values) = dictionary.values.data else { return codes.count * 16 }
        var total = 0
        for code in codes { total += Int(values.offsets[Int(code) + 1] - values.offsets[Int(code)]) + 4 }
        return total
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Smallest and largest value of rows, for skipping granules.
enum ColumnRange {
    /// Bytes of a string kept as minimum or maximum.
    static let prefixBytes = 32

    /// The range of all rows. Minimum and maximum are `.null` when every row is NULL; nil when the type has no order
    /// or a NaN is among the values.
    static func of(_ column: Column) -> ValueRange? {
        let nulls = column.flattenedNulls
        var nullCount = 0
        if let nulls { for flag in nulls { nullCount &+= Int(flag & 1) } }
        if nullCount == column.count {
            return ValueRange(minimum: .null, maximum: .null, nullCount: nullCount, isExact: true)
        }
        switch column.data {
        case .constant(let value, _):
            guard var range = of(value) else { return nil }
            range.nullCount = nullCount
            return range
        case .int8(let values): return signed(values, nulls, nullCount)
        case .int16(let values): return signed(values, nulls, nullCount)
        case .int32(let values): return signed(values, nulls, nullCount)
        case .int64(let values): return signed(values, nulls, nullCount)
        case .uint8(let values):
            if column.type.base == .bool { return signed(values, nulls, nullCount) }
            return unsigned(values, nulls, nullCount)
        case .uint16(let values): return unsigned(values, nulls, nullCount)
        case .uint32(let values): return unsigned(values, nulls, nullCount)
        case .uint64(let values): return unsigned(values, nulls, nullCount)
        case .uint128(let values):
            let (low, high) = bounds(values, nulls)
            return ValueRange(minimum: .wide(low), maximum: .wide(high), nullCount: nullCount, isExact: true)
        case .float32(let values): return floats(values, nulls, nullCount)
        case .float64(let values): return floats(values, nulls, nullCount)
        case .string(let values): return strings(values, nulls, nullCount)
        case .dictionary(let encoded): return dictionary(encoded, nulls, nullCount)
        case .array, .map, .tuple: return nil
        }
    }

    private static func signed<Value: FixedWidthInteger>(_ values: [Value], _ nulls: [UInt8]?, _ nullCount: Int)
        -> ValueRange
    {
        let (low, high) = bounds(values, nulls)
        return ValueRange(
            minimum: .int(Int64(truncatingIfNeeded: low)), maximum: .int(Int64(truncatingIfNeeded: high)),
            nullCount: nullCount, isExact: true)
    }

    private static func unsigned<Value: FixedWidthInteger>(
        _ values: [Value], _ nulls: [UInt8]?, _ nullCount: Int
    ) -> ValueRange {
        let (low, high) = bounds(values, nulls)
        return ValueRange(
            minimum: .uint(UInt64(truncatingIfNeeded: low)), maximum: .uint(UInt64(truncatingIfNeeded: high)),
            nullCount: nullCount, isExact: true)
    }

    private static func bounds<Value: FixedWidthInteger>(_ values: [Value], _ nulls: [UInt8]?) -> (Value, Value) {
        var low = Value.max
        var high = Value.min
        if let nulls {
            for row in 0..<values.count where nulls[row] == 0 {
                low = min(low, values[row])
                high = max(high, values[row])
            }
        } else {
            for value in values {
                low = min(low, value)
                high = max(high, value)
            }
        }
        return (low, high)
    }

    private static func floats<Value: StoredFloat>(_ values: [Value], _ nulls: [UInt8]?, _ nullCount: Int)
        -> ValueRange?
    {
        var low = Value.infinity
        var high = -Value.infinity
        for row in 0..<values.count where nulls == nil || nulls?[row] == 0 {
            let value = values[row]
            if value.isNaN { return nil }
            low = min(low, value)
            high = max(high, value)
        }
        return ValueRange(
            minimum: .float(Double(low)), maximum: .float(Double(high)), nullCount: nullCount, isExact: true)
    }

    private static func strings(_ values: StringData, _ nulls: [UInt8]?, _ nullCount: Int) -> ValueRange {
        values.bytes.withUnsafeBytes { bytes in
            var low: Int?
            var high: Int?
            for row in 0..<values.count where nulls == nil || nulls?[row] == 0 {
                if let current = low, !precedes(values, row, current, bytes) {
                    if let top = high, precedes(values, top, row, bytes) { high = row }
                    continue
                }
                low = row
                if high == nil { high = row }
            }
            return range(values, low ?? 0, high ?? 0, nullCount)
        }
    }

    private static func dictionary(_ encoded: DictionaryData, _ nulls: [UInt8]?, _ nullCount: Int) -> ValueRange? {
        let distinct = encoded.usedCodes(nulls)
        guard case .string(let values) = encoded.dictionary.values.data else {
            var range = of(encoded.dictionary.values.gather(distinct))
            range?.nullCount = nullCount
            return range
        }
        return values.bytes.withUnsafeBytes { bytes in
            var low = Int(distinct[0])
            var high = low
            for code in distinct.dropFirst() {
                if precedes(values, Int(code), low, bytes) { low = Int(code) }
                if precedes(values, high, Int(code), bytes) { high = Int(code) }
            }
            return range(values, low, high, nullCount)
        }
    }

    private static func range(_ values: StringData, _ low: Int, _ high: Int, _ nullCount: Int) -> ValueRange {
        var (minimum, maximum) = (Array(values[low]), Array(values[high]))
        var isExact = true
        if minimum.count > prefixBytes {
            minimum.removeLast(minimum.count - prefixBytes)
            isExact = false
        }
        if maximum.count > prefixBytes {
            isExact = false
            guard let above = successor(maximum.prefix(prefixBytes)) else {
                // Thirty-two bytes of 255: nothing short is larger, so the whole value stands.
                return ValueRange(
                    minimum: .string(minimum), maximum: .string(maximum), nullCount: nullCount, isExact: false)
            }
            maximum = above
        }
        return ValueRange(minimum: .string(minimum), maximum: .string(maximum), nullCount: nullCount, isExact: isExact)
    }

    /// The smallest string greater than all that start with `prefix`; nil when there is none.
    private static func successor(_ prefix: ArraySlice<UInt8>) -> [UInt8]? {
        var result = Array(prefix)
        while let last = result.last {
            if last < 255 {
                result[result.count - 1] = last + 1
                return result
            }
            result.removeLast()
        }
        return nil
    }

    /// Whether the string at row `left` is less than that at row `right`, bytewise.
    @inline(__always)
    static func precedes(_ values: StringData, _ left: Int, _ right: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let (a, b) = (Int(values.offsets[left]), Int(values.offsets[right]))
        let (aLength, bLength) = (Int(values.offsets[left + 1]) - a, Int(values.offsets[right + 1]) - b)
        guard let base = bytes.baseAddress else { return false }
        let order = memcmp(base + a, base + b, min(aLength, bLength))
        return order < 0 || (order == 0 && aLength < bLength)
    }
}

extension DictionaryData {
    /// The codes that rows which are not NULL have, each once, in order of the code.
    func usedCodes(_ nulls: [UInt8]?) -> [UInt32] {
        var used = [UInt8](repeating: 0, count: dictionary.values.count)
        if let nulls {
            for row in 0..<codes.count where nulls[row] == 0 { used[Int(codes[row])] = 1 }
        } else {
            for code in codes { used[Int(code)] = 1 }
        }
        return used.indices.filter { used[$0] == 1 }.map { UInt32($0) }
    }
}

extension Scalar {
    /// Whether this value is less than `other` of the same type, in the order of columns; NULLs and mixed kinds are
    /// in no order.
    func precedes(_ other: Scalar) -> Bool {
        switch (self, other) {
        case (.int(let left), .int(let right)): left < right
        case (.uint(let left), .uint(let right)): left < right
        case (.wide(let left), .wide(let right)): left < right
        case (.float(let left), .float(let right)): left < right
        case (.string(let left), .string(let right)): left.lexicographicallyPrecedes(right)
        default: false
        }
    }
}

extension ValueRange {
    /// The range of both together.
    func union(_ other: ValueRange) -> ValueRange {
        if minimum == .null || other.minimum == .null {
            var result = minimum == .null ? other : self
            result.nullCount = nullCount + other.nullCount
            return result
        }
        return ValueRange(
            minimum: other.minimum.precedes(minimum) ? other.minimum : minimum,
            maximum: maximum.precedes(other.maximum) ? other.maximum : maximum,
            nullCount: nullCount + other.nullCount, isExact: isExact && other.isExact)
    }
}

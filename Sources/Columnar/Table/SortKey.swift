#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Values of a column as numbers whose order is that of the values, so that sorting and merging compare 64-bit
/// numbers and look at strings only where the first eight bytes are equal.
///
/// NULLs come last, NaN just before them.
struct SortColumn: Sendable {
    /// One number a row.
    var keys: [UInt64]
    /// The strings behind the numbers, where those do not say everything.
    var strings: StringData?

    /// The columns that order rows as `column` does: the NULL flags first when there are any.
    static func columns(of column: Column) -> [SortColumn] {
        let flat = column.flattened()
        var result: [SortColumn] = []
        if let nulls = flat.nulls, nulls.contains(1) { result.append(SortColumn(keys: nulls.map { UInt64($0) })) }
        let signBit: UInt64 = 1 << 63
        switch flat.data {
        case .int8(let values): result.append(SortColumn(keys: values.map { UInt64(bitPattern: Int64($0)) ^ signBit }))
        case .int16(let values): result.append(SortColumn(keys: values.map { UInt64(bitPattern: Int64($0)) ^ signBit }))
        case .int32(let values): result.append(SortColumn(keys: values.map { UInt64(bitPattern: Int64($0)) ^ signBit }))
        case .int64(let values): result.append(SortColumn(keys: values.map { UInt64(bitPattern: $0) ^ signBit }))
        case .uint8(let values): result.append(SortColumn(keys: values.map { UInt64($0) }))
        case .uint16(let values): result.append(SortColumn(keys: values.map { UInt64($0) }))
        case .uint32(let values): result.append(SortColumn(keys: values.map { UInt64($0) }))
        case .uint64(let values): result.append(SortColumn(keys: values))
        case .uint128(let values):
            result.append(SortColumn(keys: values.map { UInt64(truncatingIfNeeded: $0 >> 64) }))
            result.append(SortColumn(keys: values.map { UInt64(truncatingIfNeeded: $0) }))
        case .float32(let values): result.append(SortColumn(keys: values.map { orderedBits(Double($0)) }))
        case .float64(let values): result.append(SortColumn(keys: values.map { orderedBits($0) }))
        case .string(let values): result.append(SortColumn(keys: prefixes(values), strings: values))
        case .array, .map, .tuple, .dictionary, .constant: break
        }
        return result
    }

    private static func orderedBits(_ value: Double) -> UInt64 {
        if value.isNaN { return .max }
        let bits = value.bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }

    /// The first eight bytes of each string, big-endian, shorter ones filled with zeroes.
    private static func prefixes(_ values: StringData) -> [UInt64] {
        values.bytes.withUnsafeBytes { bytes in
            (0..<values.count).map { row in
                let start = Int(values.offsets[row])
                let length = Int(values.offsets[row + 1]) - start
                if length >= 8 { return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)) }
                var key: UInt64 = 0
                for index in 0..<length { key |= UInt64(bytes[start + index]) << UInt64(56 - 8 * index) }
                return key
            }
        }
    }

    /// How row `row` of `left` compares with row `other` of `right`: less than 0, 0, more than 0.
    @inline(__always)
    static func compare(_ left: [SortColumn], _ row: Int, _ right: [SortColumn], _ other: Int) -> Int {
        for index in 0..<left.count {
            let (a, b) = (left[index].keys[row], right[index].keys[other])
            if a != b { return a < b ? -1 : 1 }
            if let strings = left[index].strings, let others = right[index].strings {
                let order = compareStrings(strings, row, others, other)
                if order != 0 { return order }
            }
        }
        return 0
    }

    private static func compareStrings(_ left: StringData, _ row: Int, _ right: StringData, _ other: Int) -> Int {
        let (a, b) = (Int(left.offsets[row]), Int(right.offsets[other]))
        let (aLength, bLength) = (Int(left.offsets[row + 1]) - a, Int(right.offsets[other + 1]) - b)
        let order = left.bytes.withUnsafeBytes { leftBytes in
            right.bytes.withUnsafeBytes { rightBytes -> Int in
                guard let leftBase = leftBytes.baseAddress, let rightBase = rightBytes.baseAddress else { return 0 }
                return Int(memcmp(leftBase + a, rightBase + b, min(aLength, bLength)))
            }
        }
        return order != 0 ? order : aLength - bLength
    }
}

/// Finds the order of rows.
enum Sorter {
    /// The row numbers in the order of `columns`, equal rows in the order they came; nil when they are in order
    /// already.
    static func permutation(_ columns: [SortColumn], rowCount: Int) -> [UInt32]? {
        let ranked = columns.map { rank($0, rowCount: rowCount) }
        if let packed = pack(ranked, rowCount: rowCount) { return sorted(packed) }
        if (1..<max(1, rowCount)).allSatisfy({ SortColumn.compare(ranked, $0 - 1, ranked, $0) <= 0 }) { return nil }
        var rows = (0..<UInt32(rowCount)).map { $0 }
        rows.sort { left, right in
            let order = SortColumn.compare(ranked, Int(left), ranked, Int(right))
            return order == 0 ? left < right : order < 0
        }
        return rows
    }

    /// Strings of few distinct values as their ranks.
    private static func rank(_ column: SortColumn, rowCount: Int) -> SortColumn {
        guard let strings = column.strings else { return column }
        var interner = StringInterner(maxCount: max(16, min(4096, rowCount / 4)))
        var codes: [UInt32] = []
        codes.reserveCapacity(rowCount)
        let fits = strings.bytes.withUnsafeBytes { bytes -> Bool in
            for row in 0..<strings.count {
                let range = Int(strings.offsets[row])..<Int(strings.offsets[row + 1])
                guard let code = interner.intern(UnsafeRawBufferPointer(rebasing: bytes[range])) else { return false }
                codes.append(code)
            }
            return true
        }
        guard fits else { return column }
        let ranks = interner.values.ranks()
        return SortColumn(keys: codes.map { UInt64(ranks[Int($0)]) })
    }

    /// All keys of a row in one number, and how many bits it has; nil when they do not fit or strings decide.
    private static func pack(_ columns: [SortColumn], rowCount: Int) -> (keys: [UInt64], bits: Int)? {
        var keys = [UInt64](repeating: 0, count: rowCount)
        var bits = 0
        for column in columns {
            guard column.strings == nil else { return nil }
            guard let low = column.keys.min(), let high = column.keys.max() else { continue }
            let width = 64 - (high - low).leadingZeroBitCount
            guard bits + width <= 64 else { return nil }
            bits += width
            guard width > 0 else { continue }
            for row in 0..<rowCount {
                keys[row] = (width == 64 ? 0 : keys[row] << UInt64(width)) | (column.keys[row] - low)
            }
        }
        return (keys, bits)
    }

    /// Sorts by one number a row: digits of 11 bits from the lowest up, so that equal rows keep their order.
    private static func sorted(_ packed: (keys: [UInt64], bits: Int)) -> [UInt32]? {
        let keys = packed.keys
        var isSorted = true
        for row in stride(from: 1, to: keys.count, by: 1) where keys[row] < keys[row - 1] {
            isSorted = false
            break
        }
        if isSorted { return nil }
        var rows = (0..<UInt32(keys.count)).map { $0 }
        var target = [UInt32](repeating: 0, count: keys.count)
        var counts = [Int](repeating: 0, count: 2048)
        var shift: UInt64 = 0
        while Int(shift) < packed.bits {
            for index in counts.indices { counts[index] = 0 }
            for key in keys { counts[Int(key >> shift & 2047)] &+= 1 }
            var next = 0
            for index in counts.indices {
                let count = counts[index]
                counts[index] = next
                next += count
            }
            for row in rows {
                let digit = Int(keys[Int(row)] >> shift & 2047)
                target[counts[digit]] = row
                counts[digit] &+= 1
            }
            swap(&rows, &target)
            shift += 11
        }
        return rows
    }
}

extension StringData {
    /// Row numbers in the bytewise order of the strings.
    func sortedRows() -> [UInt32] {
        bytes.withUnsafeBytes { bytes in
            (0..<UInt32(count)).sorted { ColumnRange.precedes(self, Int($0), Int($1), bytes) }
        }
    }

    /// The place of each row in the bytewise order of the strings.
    func ranks() -> [UInt32] {
        var ranks = [UInt32](repeating: 0, count: count)
        for (rank, row) in sortedRows().enumerated() { ranks[Int(row)] = UInt32(rank) }
        return ranks
    }
}

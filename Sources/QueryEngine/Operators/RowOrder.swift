import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The order of a column's rows under one ORDER BY item: NULLs and NaN behind (or before) all else, whatever the
/// direction.
///
/// Each row has a prefix, an unsigned number that orders like the value as far as 64 bits go; only rows of equal
/// prefix are compared further.
struct RowOrder {
    /// The prefixes, direction and NULLs included: smaller comes first.
    let prefixes: [UInt64]
    /// Whether equal prefixes mean equal values.
    let isExact: Bool
    private let column: Column
    private let strings: StringData?
    private let descending: Bool
    private let nullsFirst: Bool
    /// 1 where the row is NULL or NaN.
    private let last: [UInt8]?

    init(_ column: Column, descending: Bool, nullsFirst: Bool) {
        let flat = column.flattened()
        self.column = flat
        self.descending = descending
        self.nullsFirst = nullsFirst
        last = RowOrder.unordered(flat)
        var isExact = true
        var prefixes: [UInt64]
        if case .string(let values) = flat.data {
            strings = values
            isExact = false
            prefixes = RowOrder.stringPrefixes(values)
        } else {
            strings = nil
            if let numbers = RowOrder.numberPrefixes(flat) {
                prefixes = numbers
                isExact = flat.type.physical != .uint128
            } else {
                prefixes = [UInt64](repeating: 0, count: flat.count)
                isExact = false
            }
        }
        if descending { for row in prefixes.indices { prefixes[row] = ~prefixes[row] } }
        if let last {
            let place: UInt64 = nullsFirst ? 0 : .max
            for row in prefixes.indices where last[row] != 0 { prefixes[row] = place }
            // The smallest or largest value shares its prefix with NULL.
            isExact = false
        }
        self.prefixes = prefixes
        self.isExact = isExact
    }

    /// Negative when row `left` comes first, 0 when they are equal.
    @inline(__always)
    func compare(_ left: Int, _ right: Int) -> Int {
        let (one, other) = (prefixes[left], prefixes[right])
        if one != other { return one < other ? -1 : 1 }
        return isExact ? 0 : compareFully(left, right)
    }

    @inline(never)
    private func compareFully(_ left: Int, _ right: Int) -> Int {
        if let last {
            let (one, other) = (last[left], last[right])
            if one != other { return (one > other) == nullsFirst ? -1 : 1 }
            if one != 0 { return nullRank(left) - nullRank(right) }
        }
        let comparison: Int
        if let strings {
            comparison = RowOrder.compareStrings(strings, left, right)
        } else if case .uint128(let values) = column.data {
            comparison = values[left] < values[right] ? -1 : values[left] > values[right] ? 1 : 0
        } else if column.type.physical.isWord {
            comparison = 0
        } else {
            comparison = compareScalars(column.scalar(at: left), column.scalar(at: right))
        }
        return descending ? -comparison : comparison
    }

    /// NULL comes behind NaN when both come last.
    private func nullRank(_ row: Int) -> Int {
        guard let nulls = column.nulls else { return 0 }
        return nulls[row] != 0 ? (nullsFirst ? -1 : 1) : 0
    }

    private static func unordered(_ column: Column) -> [UInt8]? {
        var flags = column.nulls
        func add<Value: BinaryFloatingPoint>(_ values: [Value]) {
            guard values.contains(where: { $0.isNaN }) else { return }
            var own = flags ?? [UInt8](repeating: 0, count: values.count)
            for row in values.indices where values[row].isNaN { own[row] = 1 }
            flags = own
        }
        switch column.data {
        case .float32(let values): add(values)
        case .float64(let values): add(values)
        default: break
        }
        return flags
    }

    static func compareStrings(_ strings: StringData, _ left: Int, _ right: Int) -> Int {
        let (start, other) = (Int(strings.offsets[left]), Int(strings.offsets[right]))
        let (count, otherCount) = (Int(strings.offsets[left + 1]) - start, Int(strings.offsets[right + 1]) - other)
        return strings.bytes.withUnsafeBytes { bytes in
            let common = min(count, otherCount)
            if common > 0, let base = bytes.baseAddress {
                let comparison = memcmp(base + start, base + other, common)
                if comparison != 0 { return Int(comparison) }
            }
            return count - otherCount
        }
    }

    /// The first eight bytes, big end first.
    private static func stringPrefixes(_ strings: StringData) -> [UInt64] {
        strings.bytes.withUnsafeBytes { bytes in
            (0..<strings.count).map { row in
                let start = Int(strings.offsets[row])
                let count = Int(strings.offsets[row + 1]) - start
                guard let base = bytes.baseAddress else { return 0 }
                if count >= 8 { return UInt64(bigEndian: (base + start).loadUnaligned(as: UInt64.self)) }
                var prefix: UInt64 = 0
                for index in 0..<count {
                    prefix |= UInt64((base + start + index).load(as: UInt8.self)) << UInt64(56 - 8 * index)
                }
                return prefix
            }
        }
    }

    private static func numberPrefixes(_ column: Column) -> [UInt64]? {
        switch column.data {
        case .int8(let values): values.map { UInt64(bitPattern: Int64($0)) ^ 1 << 63 }
        case .int16(let values): values.map { UInt64(bitPattern: Int64($0)) ^ 1 << 63 }
        case .int32(let values): values.map { UInt64(bitPattern: Int64($0)) ^ 1 << 63 }
        case .int64(let values): values.map { UInt64(bitPattern: $0) ^ 1 << 63 }
        case .uint8(let values): values.map { UInt64($0) }
        case .uint16(let values): values.map { UInt64($0) }
        case .uint32(let values): values.map { UInt64($0) }
        case .uint64(let values): values
        case .uint128(let values): values.map { UInt64(truncatingIfNeeded: $0 >> 64) }
        case .float32(let values): values.map { doublePrefix(Double($0)) }
        case .float64(let values): values.map { doublePrefix($0) }
        default: nil
        }
    }

    @inline(__always)
    private static func doublePrefix(_ value: Double) -> UInt64 {
        // Both zeros are equal.
        let bits = value == 0 ? 0 : value.bitPattern
        return bits & 1 << 63 == 0 ? bits ^ 1 << 63 : ~bits
    }
}

/// The rows of columns in the order of several ORDER BY items, all or the `first` of them. Equal rows keep their
/// order.
func sortedRows(_ orders: [RowOrder], count: Int, first wanted: Int? = nil) -> [UInt32] {
    let wanted = min(wanted ?? count, count)
    guard let first = orders.first else { return (0..<UInt32(wanted)).map { $0 } }
    var entries = SortEntry.all(first.prefixes, upTo: wanted < count / 4 ? wanted : nil)
    let isSimple = orders.count == 1 && first.isExact
    entries.sort { left, right in
        if left.prefix != right.prefix { return left.prefix < right.prefix }
        if !isSimple {
            let comparison = compareRows(orders, Int(left.row), Int(right.row))
            if comparison != 0 { return comparison < 0 }
        }
        return left.row < right.row
    }
    return entries.prefix(wanted).map(\.row)
}

private struct SortEntry: BitwiseCopyable {
    var prefix: UInt64
    var row: UInt32

    /// The rows with their prefixes; with `wanted` given, those alone that can be among so many first.
    static func all(_ prefixes: [UInt64], upTo wanted: Int?) -> [SortEntry] {
        guard let wanted, wanted > 0 else {
            return prefixes.indices.map { SortEntry(prefix: prefixes[$0], row: UInt32($0)) }
        }
        // A heap of the smallest prefixes, the largest of them on top.
        var heap = Array(prefixes.prefix(wanted))
        heap.sort(by: >)
        heap.withUnsafeMutableBufferPointer { heap in
            for prefix in prefixes[wanted...] where prefix < heap[0] {
                heap[0] = prefix
                siftDown(heap)
            }
        }
        let bound = heap[0]
        return prefixes.indices.lazy.filter { prefixes[$0] <= bound }
            .map { SortEntry(prefix: prefixes[$0], row: UInt32($0)) }
    }

    private static func siftDown(_ heap: UnsafeMutableBufferPointer<UInt64>) {
        var position = 0
        while true {
            var child = 2 * position + 1
            if child >= heap.count { return }
            if child + 1 < heap.count && heap[child + 1] > heap[child] { child += 1 }
            if heap[child] <= heap[position] { return }
            heap.swapAt(child, position)
            position = child
        }
    }
}

/// Compares two rows by all orders in turn.
func compareRows(_ orders: [RowOrder], _ left: Int, _ right: Int) -> Int {
    for order in orders {
        let comparison = order.compare(left, right)
        if comparison != 0 { return comparison }
    }
    return 0
}

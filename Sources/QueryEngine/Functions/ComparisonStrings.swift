import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// Comparisons of strings, by bytes, and of arrays, maps and tuples, value by value.

func compareStrings(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) -> [UInt8] {
    if let constant = right.constantBytes, case .string(let rows) = left.data {
        return compareStrings(operation, rows, with: constant)
    }
    if let constant = left.constantBytes, case .string(let rows) = right.data {
        return compareStrings(operation.flipped, rows, with: constant)
    }
    let (first, second) = (left.strings, right.strings)
    return first.withRows { first in
        second.withRows { second in
            [UInt8](unsafeUninitializedCapacity: count) { target, filled in
                for row in 0..<count { target[row] = byte(operation.holds(orderOfBytes(first[row], second[row]))) }
                filled = count
            }
        }
    }
}

private func compareStrings(_ operation: ComparisonOperator, _ rows: StringData, with constant: [UInt8]) -> [UInt8] {
    constant.withUnsafeBytes { constant in
        rows.withRows { rows in
            [UInt8](unsafeUninitializedCapacity: rows.count) { target, filled in
                filled = rows.count
                if operation == .equals || operation == .notEquals {
                    let wanted = operation == .equals
                    // Most rows differ in length or the first bytes.
                    for row in 0..<rows.count { target[row] = byte(areEqual(rows[row], constant) == wanted) }
                } else {
                    for row in 0..<rows.count { target[row] = byte(operation.holds(orderOfBytes(rows[row], constant))) }
                }
            }
        }
    }
}

@inline(__always)
func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    guard left.count > 0, let first = left.baseAddress, let second = right.baseAddress else { return true }
    return memcmp(first, second, left.count) == 0
}

/// Negative, zero or positive as `left` sorts before, with or after `right`.
@inline(__always)
func orderOfBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let shared = min(left.count, right.count)
    if shared > 0, let first = left.baseAddress, let second = right.baseAddress {
        let order = memcmp(first, second, shared)
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}

/// The rows of a column of strings as buffers, without copying.
struct StringRows {
    private let bytes: UnsafeRawBufferPointer
    private let offsets: UnsafeBufferPointer<UInt32>
    let count: Int

    init(bytes: UnsafeRawBufferPointer, offsets: UnsafeBufferPointer<UInt32>) {
        self.bytes = bytes
        self.offsets = offsets
        count = offsets.count - 1
    }

    @inline(__always)
    subscript(row: Int) -> UnsafeRawBufferPointer {
        let start = Int(offsets[row])
        return UnsafeRawBufferPointer(rebasing: bytes[start..<Int(offsets[row + 1])])
    }
}

extension StringData {
    @inline(__always)
    func withRows<Result, Failure: Error>(_ body: (StringRows) throws(Failure) -> Result) throws(Failure) -> Result {
        try bytes.withUnsafeBufferPointer { (bytes) throws(Failure) -> Result in
            try offsets.withUnsafeBufferPointer { (offsets) throws(Failure) -> Result in
                try body(StringRows(bytes: UnsafeRawBufferPointer(bytes), offsets: offsets))
            }
        }
    }
}

// MARK: Nested values

/// The order of each row of two columns of arrays, maps or tuples: -1, 0, 1.
func orderOfRows(_ left: Column, _ right: Column, count: Int) throws(QueryError) -> [Int8] {
    let common = try CommonType.of([left.type.base, right.type.base])
    let first = try Cast.column(left, to: common)
    let second = try Cast.column(right, to: common)
    return (0..<count).map { row in Int8(first.scalar(at: row).order(second.scalar(at: row)).signum()) }
}

extension Scalar {
    /// The order of two values of one type; NULL and NaN after all others.
    func order(_ other: Scalar) -> Int {
        func compare<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
            left < right ? -1 : left == right ? 0 : 1
        }
        switch (self, other) {
        case (.null, .null): return 0
        case (.null, _): return 1
        case (_, .null): return -1
        case (.int(let left), .int(let right)): return compare(left, right)
        case (.uint(let left), .uint(let right)): return compare(left, right)
        case (.wide(let left), .wide(let right)): return compare(left, right)
        case (.float(let left), .float(let right)):
            if left.isNaN || right.isNaN { return left.isNaN ? (right.isNaN ? 0 : 1) : -1 }
            return compare(left, right)
        case (.string(let left), .string(let right)):
            return left.withUnsafeBytes { left in right.withUnsafeBytes { right in orderOfBytes(left, right) } }
        case (.array(let left), .array(let right)), (.tuple(let left), .tuple(let right)),
            (.map(let left), .map(let right)):
            for (left, right) in zip(left, right) {
                let order = left.order(right)
                if order != 0 { return order }
            }
            return left.count - right.count
        default: return 0
        }
    }
}

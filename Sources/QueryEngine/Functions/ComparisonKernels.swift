import Columnar

// Comparisons of numbers whose types differ, exact as on paper: no side is rounded to the other's type.

/// Integers of any widths and signs (and what is stored as such).
func compareIntegers(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) -> [UInt8] {
    if let constant = right.integerConstant { return compareIntegers(operation, left, with: constant, count: count) }
    if let constant = left.integerConstant {
        return compareIntegers(operation.flipped, right, with: constant, count: count)
    }
    let (first, second) = (left.type.physical, right.type.physical)
    if first == second, let same = compareSame(operation, left, right, count: count) { return same }
    if first != .uint64 && second != .uint64 {
        return compareValues(operation, left.integers(as: Int64.self), right.integers(as: Int64.self), count: count)
    }
    if left.type.isStoredUnsigned && right.type.isStoredUnsigned {
        return compareValues(operation, left.integers(as: UInt64.self), right.integers(as: UInt64.self), count: count)
    }
    // A 64-bit unsigned beside a signed number: no common type of 64 bits.
    let (signed, unsigned) = second == .uint64 ? (left, right) : (right, left)
    let order: (Int64, UInt64) -> Int = {
        $0 < 0 ? -1 : UInt64(bitPattern: $0) < $1 ? -1 : UInt64(bitPattern: $0) == $1 ? 0 : 1
    }
    let applied = second == .uint64 ? operation : operation.flipped
    return mapPairs(signed.integers(as: Int64.self), unsigned.integers(as: UInt64.self), count: count) {
        byte(applied.holds(order($0, $1)))
    }
}

private func compareSame(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) -> [UInt8]? {
    switch (left.data, right.data) {
    case (.int8(let left), .int8(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.int16(let left), .int16(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.int32(let left), .int32(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.int64(let left), .int64(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.uint8(let left), .uint8(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.uint16(let left), .uint16(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.uint32(let left), .uint32(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    case (.uint64(let left), .uint64(let right)): compareValues(operation, .rows(left), .rows(right), count: count)
    default: nil
    }
}

/// Rows beside one number: compared in the rows' own type when the number fits it, known without looking when not.
private func compareIntegers(
    _ operation: ComparisonOperator, _ column: Column, with constant: Int128, count: Int
) -> [UInt8] {
    func compare<Value: FixedWidthInteger & Sendable>(_ values: [Value]) -> [UInt8] {
        if let fitting = Value(exactly: constant) {
            return compareValues(operation, .rows(values), .constant(fitting), count: count)
        }
        return repeated(operation.holds(constant > 0 ? -1 : 1), count)
    }
    switch column.data {
    case .int8(let values): return compare(values)
    case .int16(let values): return compare(values)
    case .int32(let values): return compare(values)
    case .int64(let values): return compare(values)
    case .uint8(let values): return compare(values)
    case .uint16(let values): return compare(values)
    case .uint32(let values): return compare(values)
    case .uint64(let values): return compare(values)
    case .constant:
        guard let value = column.integerConstant else { preconditionFailure("BUG: a constant without value") }
        return repeated(operation.holds(value < constant ? -1 : value == constant ? 0 : 1), count)
    default: preconditionFailure("BUG: integers expected")
    }
}

extension Column {
    /// The value of a constant column of integers.
    var integerConstant: Int128? {
        switch constantScalar {
        case .int(let value)?: Int128(value)
        case .uint(let value)?: Int128(value)
        default: nil
        }
    }
}

extension DataType {
    /// Whether the values are stored as unsigned integers.
    var isStoredUnsigned: Bool {
        switch physical {
        case .uint8, .uint16, .uint32, .uint64, .uint128: true
        default: false
        }
    }
}

/// Floats beside floats or integers.
func compareFloats(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) -> [UInt8] {
    if left.type.isFloat && right.type.isFloat {
        if case .float32(let first) = left.data, case .float32(let second) = right.data {
            return compareValues(operation, .rows(first), .rows(second), count: count)
        }
        return compareValues(operation, left.doubles(), right.doubles(), count: count)
    }
    if left.type.isFloat { return compareFloats(operation.flipped, right, left, count: count) }
    // Integers at the left, floats at the right.
    if case .float(let constant)? = right.constantScalar {
        return compareIntegers(operation, left, withFloat: constant, count: count)
    }
    let isExact: Bool =
        switch left.type.physical {
        case .int64, .uint64: false
        default: true
        }
    if isExact { return compareValues(operation, left.doubles(), right.doubles(), count: count) }
    if left.type.physical == .uint64 {
        return mapPairs(left.integers(as: UInt64.self), right.doubles(), count: count) {
            byte(holds(operation, exactOrder($0, $1)))
        }
    }
    return mapPairs(left.integers(as: Int64.self), right.doubles(), count: count) {
        byte(holds(operation, exactOrder($0, $1)))
    }
}

/// Integers beside one float: beside an integer that separates them the same way.
private func compareIntegers(
    _ operation: ComparisonOperator, _ column: Column, withFloat constant: Double, count: Int
) -> [UInt8] {
    guard !constant.isNaN else { return repeated(operation == .notEquals, count) }
    let bounded = min(max(constant, -1e30), 1e30)
    let whole = Int128(bounded.rounded(.down))
    if Double(whole) == constant { return compareIntegers(operation, column, with: whole, count: count) }
    switch operation {
    case .equals: return repeated(false, count)
    case .notEquals: return repeated(true, count)
    case .less, .lessOrEquals: return compareIntegers(.lessOrEquals, column, with: whole, count: count)
    case .greater, .greaterOrEquals: return compareIntegers(.greater, column, with: whole, count: count)
    }
}

/// The order of an integer and a double; nil beside NaN.
@inline(__always)
private func exactOrder<Value: FixedWidthInteger>(_ integer: Value, _ double: Double) -> Int? {
    if double.isNaN { return nil }
    let rounded = Double(integer)
    if rounded != double { return rounded < double ? -1 : 1 }
    // Equal after rounding: the double is whole and, but for the very top, fits.
    guard let whole = Value(exactly: double) else { return -1 }
    return integer < whole ? -1 : integer == whole ? 0 : 1
}

@inline(__always)
private func holds(_ operation: ComparisonOperator, _ order: Int?) -> Bool {
    guard let order else { return operation == .notEquals }
    return operation.holds(order)
}

// MARK: Times

/// A DateTime64 column as seconds with a fraction, for comparing with floats; others as they are.
func secondsIfTicks(_ column: Column) -> Column {
    guard case .dateTime64(let precision, _) = column.type.base else { return column }
    let scale = Double(Civil.powerOfTen(precision))
    let values = mapValues(column.integerRows(as: Int64.self)) { Double($0) / scale }
    return Column(type: .float64, data: .float64(values))
}

/// Dates, times and ticks of any precision, or numbers that count seconds, brought to one precision.
func compareTimes(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) -> [UInt8] {
    let precision = max(left.type.tickPrecision, right.type.tickPrecision)
    // A day begins when the clock of the other side's zone shows midnight.
    let zone = left.type.zone ?? right.type.zone ?? .utc
    return compareValues(
        operation, ticks(left, precision: precision, zone: zone), ticks(right, precision: precision, zone: zone),
        count: count)
}

private func ticks(_ column: Column, precision: Int, zone: TimeZone) -> Operand<Int64> {
    let scale = Civil.powerOfTen(precision - column.type.tickPrecision)
    func scaled(_ value: Int64) -> Int64 {
        let (result, overflow) = value.multipliedReportingOverflow(by: scale)
        return overflow ? (value < 0 ? .min : .max) : result
    }
    var values: Operand<Int64>
    if column.type.base == .uint64 {
        // Seconds past 2^63 are later than any time.
        values = column.integers(as: UInt64.self).mapped { Int64(clamping: $0) }
    } else {
        values = column.integers(as: Int64.self)
    }
    if column.type.base == .date {
        values = values.mapped { zone.unix(local: $0 * Civil.daySeconds) }
    }
    return scale == 1 ? values : values.mapped(scaled)
}

extension Operand where Value: BitwiseCopyable {
    @inline(__always)
    func mapped<Out: BitwiseCopyable & Sendable>(_ body: (Value) -> Out) -> Operand<Out> {
        switch self {
        case .rows(let values): .rows(mapValues(values, body))
        case .constant(let value): .constant(body(value))
        }
    }
}

extension DataType {
    /// The precision of DateTime64; 0 for others.
    var tickPrecision: Int {
        if case .dateTime64(let precision, _) = base { return precision }
        return 0
    }

    /// The zone of a time type that names one.
    var zone: TimeZone? {
        switch base {
        case .dateTime(let name?), .dateTime64(_, let name?): TimeZone.named(name)
        default: nil
        }
    }

    /// The zone's name of a time type that names one.
    var zoneName: String? {
        switch base {
        case .dateTime(let name), .dateTime64(_, let name): name
        default: nil
        }
    }
}

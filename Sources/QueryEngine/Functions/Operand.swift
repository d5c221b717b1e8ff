import Columnar

/// One argument of a kernel: values row by row, or one for all rows.
enum Operand<Value: Sendable>: Sendable {
    case rows([Value])
    case constant(Value)

    var constant: Value? {
        if case .constant(let value) = self { return value }
        return nil
    }
}

/// Runs `body` over each value.
@inline(__always)
func mapValues<In, Out: BitwiseCopyable>(_ values: [In], _ body: (In) -> Out) -> [Out] {
    values.withUnsafeBufferPointer { source in
        [Out](unsafeUninitializedCapacity: source.count) { target, filled in
            for row in 0..<source.count { target.initializeElement(at: row, to: body(source[row])) }
            filled = source.count
        }
    }
}

/// Runs `body` over each pair of values.
@inline(__always)
func mapPairs<Left, Right, Out: BitwiseCopyable>(
    _ left: Operand<Left>, _ right: Operand<Right>, count: Int, _ body: (Left, Right) -> Out
) -> [Out] {
    switch (left, right) {
    case (.rows(let left), .constant(let right)): return mapValues(left) { body($0, right) }
    case (.constant(let left), .rows(let right)): return mapValues(right) { body(left, $0) }
    case (.constant(let left), .constant(let right)): return [Out](repeating: body(left, right), count: count)
    case (.rows(let left), .rows(let right)):
        return left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                [Out](unsafeUninitializedCapacity: count) { target, filled in
                    for row in 0..<count { target.initializeElement(at: row, to: body(left[row], right[row])) }
                    filled = count
                }
            }
        }
    }
}

/// 1 for true: a byte of a mask, without a branch.
@inline(__always)
func byte(_ condition: Bool) -> UInt8 { unsafeBitCast(condition, to: UInt8.self) }

extension Column {
    /// The column's numbers as `Value`, cut to its width. The column must hold integers.
    func integers<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(as _: Value.Type) -> Operand<Value> {
        if case .constant(let value, _) = data { return .constant(value.data.integers(as: Value.self)[0]) }
        return .rows(data.integers(as: Value.self))
    }

    /// The column's numbers as doubles.
    func doubles() -> Operand<Double> {
        if case .constant(let value, _) = data { return .constant(value.data.doubles()[0]) }
        return .rows(data.doubles())
    }

    /// The column's numbers as `Value`, row by row even when constant.
    func integerRows<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(as _: Value.Type) -> [Value] {
        switch integers(as: Value.self) {
        case .rows(let values): values
        case .constant(let value): [Value](repeating: value, count: count)
        }
    }
}

extension ColumnData {
    /// Flat integers as `Value`, cut to its width; floats lose their fraction (what does not fit wraps).
    func integers<Value: FixedWidthInteger & BitwiseCopyable>(as _: Value.Type) -> [Value] {
        func converted<Source: FixedWidthInteger>(_ values: [Source]) -> [Value] {
            if Source.self == Value.self { return unsafeBitCast(values, to: [Value].self) }
            return mapValues(values) { Value(truncatingIfNeeded: $0) }
        }
        switch self {
        case .int8(let values): return converted(values)
        case .int16(let values): return converted(values)
        case .int32(let values): return converted(values)
        case .int64(let values): return converted(values)
        case .uint8(let values): return converted(values)
        case .uint16(let values): return converted(values)
        case .uint32(let values): return converted(values)
        case .uint64(let values): return converted(values)
        case .uint128(let values): return converted(values)
        case .float32(let values): return mapValues(values) { wrappedInteger(Double($0)) }
        case .float64(let values): return mapValues(values) { wrappedInteger($0) }
        default: preconditionFailure("BUG: numbers expected")
        }
    }

    /// Flat numbers as doubles.
    func doubles() -> [Double] {
        switch self {
        case .int8(let values): mapValues(values) { Double($0) }
        case .int16(let values): mapValues(values) { Double($0) }
        case .int32(let values): mapValues(values) { Double($0) }
        case .int64(let values): mapValues(values) { Double($0) }
        case .uint8(let values): mapValues(values) { Double($0) }
        case .uint16(let values): mapValues(values) { Double($0) }
        case .uint32(let values): mapValues(values) { Double($0) }
        case .uint64(let values): mapValues(values) { Double($0) }
        case .float32(let values): mapValues(values) { Double($0) }
        case .float64(let values): values
        default: preconditionFailure("BUG: numbers expected")
        }
    }

    /// Integers as the column data of an integer type.
    init(integers values: Operand<Int64>, count: Int, type: DataType) {
        let rows: [Int64]
        switch values {
        case .rows(let values): rows = values
        case .constant(let value): rows = [Int64](repeating: value, count: count)
        }
        let data = ColumnData.int64(rows)
        switch type.physical {
        case .int8: self = .int8(data.integers(as: Int8.self))
        case .int16: self = .int16(data.integers(as: Int16.self))
        case .int32: self = .int32(data.integers(as: Int32.self))
        case .int64: self = data
        case .uint8: self = .uint8(data.integers(as: UInt8.self))
        case .uint16: self = .uint16(data.integers(as: UInt16.self))
        case .uint32: self = .uint32(data.integers(as: UInt32.self))
        case .uint64: self = .uint64(data.integers(as: UInt64.self))
        default: preconditionFailure("BUG: \(type) holds no integers")
        }
    }
}

/// A double without its fraction, as the processor converts it: what does not fit an Int64 is its minimum, and the
/// rest is cut to the width; unsigned 64-bit numbers keep their upper half.
@inline(__always)
func wrappedInteger<Value: FixedWidthInteger>(_ value: Double) -> Value {
    if Value.self == UInt64.self, value >= 9223372036854775808, value < 18446744073709551616 {
        return Value(truncatingIfNeeded: UInt64(value))
    }
    guard value > -9223372036854777856, value < 9223372036854775808 else { return Value(truncatingIfNeeded: Int64.min) }
    return Value(truncatingIfNeeded: Int64(value))
}

import Columnar

/// The binary operators on numbers.
enum ArithmeticOperator: String, CaseIterable, Sendable {
    case plus, minus, multiply, divide, intDiv, intDivOrZero, modulo, moduloOrZero, positiveModulo
    case bitAnd, bitOr, bitXor, bitShiftLeft, bitShiftRight, gcd, lcm

    /// ClickHouse's result type: wide enough for sums and products of narrow types, at most 64 bits.
    func resultType(_ left: DataType, _ right: DataType) -> DataType? {
        let isFloat = left.isFloat || right.isFloat
        let isSigned = left.isSignedInteger || right.isSignedInteger
        let bits = max(left.bitWidth, right.bitWidth)
        switch self {
        case .plus, .multiply:
            if isFloat { return .float64 }
            let wider = min(64, bits * 2)
            return isSigned ? .signedInteger(bits: wider) : .unsignedInteger(bits: wider)
        case .minus: return isFloat ? .float64 : .signedInteger(bits: min(64, bits * 2))
        case .divide: return .float64
        case .intDiv, .intDivOrZero:
            let own = left.bitWidth
            return isFloat || isSigned ? .signedInteger(bits: own) : .unsignedInteger(bits: own)
        case .modulo, .moduloOrZero, .positiveModulo:
            if isFloat { return .float64 }
            let own = right.bitWidth
            if left.isSignedInteger && self != .positiveModulo { return .signedInteger(bits: min(64, own * 2)) }
            return .unsignedInteger(bits: own)
        case .bitAnd, .bitOr, .bitXor, .bitShiftLeft, .bitShiftRight:
            if isFloat { return nil }
            return isSigned ? .signedInteger(bits: bits) : .unsignedInteger(bits: bits)
        case .gcd, .lcm:
            if isFloat { return nil }
            let wider = min(64, bits * 2)
            return isSigned ? .signedInteger(bits: wider) : .unsignedInteger(bits: wider)
        }
    }

    /// Whether a zero at the right is an error.
    var dividesWhole: Bool {
        switch self {
        case .intDiv, .modulo, .positiveModulo, .gcd, .lcm: true
        default: false
        }
    }
}

/// `a + b` and the like; with a date or time and a number or interval, see `TimeArithmetic`.
struct ArithmeticFunction: ScalarFunction {
    let operation: ArithmeticOperator

    var name: String { operation.rawValue }
    var canFail: Bool { operation.dividesWhole }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 2...2)
        let left = arguments[0].type.base
        let right = arguments[1].type.base
        if left.isNumeric && right.isNumeric, let type = operation.resultType(left, right) { return type }
        if let type = TimeArithmetic.resultType(operation, left, right) { return type }
        throw QueryError(
            .illegalArgumentType, "Illegal types \(left.name) and \(right.name) of arguments of function \(name)")
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let (left, right) = (arguments[0], arguments[1])
        if !left.type.isNumeric || !right.type.isNumeric {
            return try TimeArithmetic.evaluate(operation, left, right, type: type, count: rowCount)
        }
        return Column(type: type, data: try numbers(left, right, type, rowCount))
    }

    private func numbers(_ left: Column, _ right: Column, _ type: DataType, _ count: Int) throws(QueryError)
        -> ColumnData
    {
        if type == .float64 { return .float64(doubles(left.doubles(), right.doubles(), count)) }
        if left.type.isFloat || right.type.isFloat {
            return try floatDivision(left.doubles(), right.doubles(), type, count)
        }
        switch operation {
        case .plus, .minus, .multiply, .bitAnd, .bitOr, .bitXor, .bitShiftLeft, .bitShiftRight:
            return wrapping(left, right, type, count)
        default: return try division(left, right, type, count)
        }
    }

    private func doubles(_ left: Operand<Double>, _ right: Operand<Double>, _ count: Int) -> [Double] {
        switch operation {
        case .plus: mapPairs(left, right, count: count) { $0 + $1 }
        case .minus: mapPairs(left, right, count: count) { $0 - $1 }
        case .multiply: mapPairs(left, right, count: count) { $0 * $1 }
        case .positiveModulo:
            mapPairs(left, right, count: count) { left, right in
                let rest = left.truncatingRemainder(dividingBy: right)
                return rest < 0 ? rest + abs(right) : rest
            }
        case .modulo, .moduloOrZero: mapPairs(left, right, count: count) { $0.truncatingRemainder(dividingBy: $1) }
        default: mapPairs(left, right, count: count) { $0 / $1 }
        }
    }

    private func floatDivision(
        _ left: Operand<Double>, _ right: Operand<Double>, _ type: DataType, _ count: Int
    ) throws(QueryError) -> ColumnData {
        let quotients = mapPairs(left, right, count: count) { $1 == 0 ? Double.nan : ($0 / $1).rounded(.towardZero) }
        if operation == .intDiv, quotients.contains(where: { !$0.isFinite }) {
            throw QueryError(.illegalDivision, "Division by zero or overflow in function \(name)")
        }
        let whole = mapValues(quotients) { $0.isFinite ? wrappedInteger($0) as Int64 : 0 }
        return ColumnData(integers: .rows(whole), count: count, type: type)
    }

    // MARK: Integers

    private func wrapping(_ left: Column, _ right: Column, _ type: DataType, _ count: Int) -> ColumnData {
        switch type.physical {
        case .int8: .int8(wrapping(left.integers(as: Int8.self), right.integers(as: Int8.self), count))
        case .int16: .int16(wrapping(left.integers(as: Int16.self), right.integers(as: Int16.self), count))
        case .int32: .int32(wrapping(left.integers(as: Int32.self), right.integers(as: Int32.self), count))
        case .int64: .int64(wrapping(left.integers(as: Int64.self), right.integers(as: Int64.self), count))
        case .uint8: .uint8(wrapping(left.integers(as: UInt8.self), right.integers(as: UInt8.self), count))
        case .uint16: .uint16(wrapping(left.integers(as: UInt16.self), right.integers(as: UInt16.self), count))
        case .uint32: .uint32(wrapping(left.integers(as: UInt32.self), right.integers(as: UInt32.self), count))
        case .uint64: .uint64(wrapping(left.integers(as: UInt64.self), right.integers(as: UInt64.self), count))
        default: preconditionFailure("BUG: arithmetic gives no \(type)")
        }
    }

    private func wrapping<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(
        _ left: Operand<Value>, _ right: Operand<Value>, _ count: Int
    ) -> [Value] {
        switch operation {
        case .plus: mapPairs(left, right, count: count) { $0 &+ $1 }
        case .minus: mapPairs(left, right, count: count) { $0 &- $1 }
        case .multiply: mapPairs(left, right, count: count) { $0 &* $1 }
        case .bitAnd: mapPairs(left, right, count: count) { $0 & $1 }
        case .bitOr: mapPairs(left, right, count: count) { $0 | $1 }
        case .bitXor: mapPairs(left, right, count: count) { $0 ^ $1 }
        case .bitShiftLeft: mapPairs(left, right, count: count) { $1 < 0 ? 0 : $0 << $1 }
        default: mapPairs(left, right, count: count) { $1 < 0 ? 0 : $0 >> $1 }
        }
    }

    private func division(_ left: Column, _ right: Column, _ type: DataType, _ count: Int) throws(QueryError)
        -> ColumnData
    {
        let data: ColumnData
        if left.type.isSignedInteger || right.type.isSignedInteger || operation == .positiveModulo {
            // A 64-bit unsigned number beside a signed one is taken as signed, as the processor would.
            data = .int64(try divided(left.integers(as: Int64.self), right.integers(as: Int64.self), count))
        } else {
            data = .uint64(try divided(left.integers(as: UInt64.self), right.integers(as: UInt64.self), count))
        }
        return ColumnData(integers: .rows(data.integers(as: Int64.self)), count: count, type: type)
    }

    private func divided<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(
        _ left: Operand<Value>, _ right: Operand<Value>, _ count: Int
    ) throws(QueryError) -> [Value] {
        if operation.dividesWhole { try checkDivisors(left, right, count) }
        switch operation {
        case .intDiv, .intDivOrZero:
            return mapPairs(left, right, count: count) { left, right in
                right == 0 ? 0 : left.dividedReportingOverflow(by: right).partialValue
            }
        case .positiveModulo:
            return mapPairs(left, right, count: count) { left, right in
                let rest = right == 0 ? 0 : left.remainderReportingOverflow(dividingBy: right).partialValue
                return rest < 0 ? rest &+ (right < 0 ? 0 &- right : right) : rest
            }
        case .gcd: return mapPairs(left, right, count: count) { greatestDivisor($0, $1) }
        case .lcm:
            return mapPairs(left, right, count: count) { left, right in
                let divisor = greatestDivisor(left, right)
                let product = (left / divisor) &* right
                return product < 0 ? 0 &- product : product
            }
        default:
            return mapPairs(left, right, count: count) { left, right in
                right == 0 ? 0 : left.remainderReportingOverflow(dividingBy: right).partialValue
            }
        }
    }

    private func checkDivisors<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(
        _ left: Operand<Value>, _ right: Operand<Value>, _ count: Int
    ) throws(QueryError) {
        guard count > 0 else { return }
        let isGcd = operation == .gcd || operation == .lcm
        let bad = mapPairs(left, right, count: count) { left, right in
            byte(right == 0) | byte(isGcd && left == 0) | byte(left.dividedReportingOverflow(by: right).overflow)
        }
        if bad.contains(1) { throw QueryError(.illegalDivision, "Division by zero in function \(name)") }
    }
}

private func greatestDivisor<Value: FixedWidthInteger>(_ left: Value, _ right: Value) -> Value {
    var (large, small) = (left.magnitude, right.magnitude)
    while small != 0 { (large, small) = (small, large % small) }
    return Value(truncatingIfNeeded: large)
}

// MARK: One argument

enum ArithmeticFunctions {
    static let all: [any ScalarFunction] =
        ArithmeticOperator.allCases.map { ArithmeticFunction(operation: $0) } + [
            negate, abs, sign, bitNot, bitCount, bitTest,
        ]

    private static func number(_ name: String, _ arguments: [FunctionArgument], floats: Bool = true) throws(QueryError)
        -> DataType
    {
        let type = arguments[0].type.base
        guard type.isNumeric, floats || !type.isFloat else { throw illegalArgument(name, 0, arguments[0].type) }
        return type
    }

    private static let negate = PlainFunction(
        "negate", 1...1,
        type: { (arguments) throws(QueryError) in
            if case .interval = arguments[0].type { return arguments[0].type }
            let type = try number("negate", arguments)
            if type.isFloat || type.isSignedInteger { return type }
            return .signedInteger(bits: min(64, type.bitWidth * 2)) ?? .int64
        },
        body: { (columns, type, count, _) throws(QueryError) in
            if type == .float32 {
                return Column(type: type, data: .float32(mapValues(columns[0].flattened().data.floats()) { -$0 }))
            }
            if type == .float64 {
                return Column(type: type, data: .float64(mapValues(columns[0].flattened().data.doubles()) { -$0 }))
            }
            let values = columns[0].integers(as: Int64.self).mapped { 0 &- $0 }
            return Column(type: type, data: ColumnData(integers: values, count: count, type: type))
        })

    private static let abs = PlainFunction(
        "abs", 1...1,
        type: { (arguments) throws(QueryError) in
            let type = try number("abs", arguments)
            return type.isFloat ? type : .unsignedInteger(bits: type.bitWidth) ?? .uint64
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let column = columns[0]
            if type == .float32 {
                return Column(type: type, data: .float32(mapValues(column.flattened().data.floats()) { $0.magnitude }))
            }
            if type == .float64 {
                return Column(type: type, data: .float64(mapValues(column.flattened().data.doubles()) { $0.magnitude }))
            }
            guard column.type.isSignedInteger else { return column.withType(type) }
            let values = column.integers(as: Int64.self).mapped { Int64(truncatingIfNeeded: $0.magnitude) }
            return Column(type: type, data: ColumnData(integers: values, count: count, type: type))
        })

    private static let sign = PlainFunction(
        "sign", 1...1,
        type: { (arguments) throws(QueryError) in
            _ = try number("sign", arguments)
            return .int8
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let column = columns[0].flattened()
            if column.type.isFloat {
                return Column(
                    type: type, data: .int8(mapValues(column.data.doubles()) { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }))
            }
            if !column.type.isSignedInteger {
                return Column(
                    type: type, data: .int8(mapValues(column.data.integers(as: UInt64.self)) { $0 > 0 ? 1 : 0 }))
            }
            return Column(
                type: type, data: .int8(mapValues(column.data.integers(as: Int64.self)) { Int8($0.signum()) }))
        })

    private static let bitNot = PlainFunction(
        "bitNot", 1...1,
        type: { (arguments) throws(QueryError) in
            let type = try number("bitNot", arguments, floats: false)
            return type == .bool ? .uint8 : type
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let values = columns[0].integers(as: Int64.self).mapped { ~$0 }
            return Column(type: type, data: ColumnData(integers: values, count: count, type: type))
        })

    private static let bitCount = PlainFunction(
        "bitCount", 1...1,
        type: { (arguments) throws(QueryError) in
            _ = try number("bitCount", arguments, floats: false)
            return .uint8
        },
        body: { (columns, type, _, _) throws(QueryError) in
            // A narrow negative number counts its own bits, not those of its extension.
            let bits = columns[0].type.bitWidth
            let mask: UInt64 = bits == 64 ? .max : (1 << UInt64(bits)) - 1
            let values = columns[0].integerRows(as: UInt64.self)
            return Column(type: type, data: .uint8(mapValues(values) { UInt8(($0 & mask).nonzeroBitCount) }))
        })

    private static let bitTest = PlainFunction(
        "bitTest", 2...2,
        type: { (arguments) throws(QueryError) in
            _ = try number("bitTest", arguments, floats: false)
            guard arguments[1].type.isInteger else { throw illegalArgument("bitTest", 1, arguments[1].type) }
            return .uint8
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let left = columns[0].integers(as: UInt64.self)
            let right = columns[1].integers(as: UInt64.self)
            return Column(
                type: type,
                data: .uint8(mapPairs(left, right, count: count) { UInt8(truncatingIfNeeded: $0 >> $1 & 1) }))
        })
}

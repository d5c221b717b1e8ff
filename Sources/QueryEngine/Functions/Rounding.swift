import Columnar

/// `round`, `floor`, `ceil`, `trunc`, to whole numbers or to decimal digits (negative: to tens, hundreds …).
struct RoundingFunction: ScalarFunction {
    let name: String
    /// How floats are rounded; halves go to the even neighbour.
    let rule: FloatingPointRoundingRule

    static let all: [any ScalarFunction] = [
        RoundingFunction(name: "round", rule: .toNearestOrEven),
        RoundingFunction(name: "roundBankers", rule: .toNearestOrEven),
        RoundingFunction(name: "floor", rule: .down), RoundingFunction(name: "ceil", rule: .up),
        RoundingFunction(name: "trunc", rule: .towardZero),
    ]

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 1...2)
        let type = arguments[0].type.base
        guard type.isNumeric else { throw illegalArgument(name, 0, type) }
        if arguments.count == 2, !arguments[1].type.isInteger { throw illegalArgument(name, 1, arguments[1].type) }
        return type
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let digits: Operand<Int64> = arguments.count == 2 ? arguments[1].integers(as: Int64.self) : .constant(0)
        let column = arguments[0]
        switch type {
        case .float64: return Column(type: type, data: .float64(rounded(column.doubles(), digits, rowCount)))
        case .float32:
            return Column(
                type: type,
                data: .float32(mapValues(rounded(column.doubles(), digits, rowCount, isSingle: true)) { Float($0) }))
        default: break
        }
        if let constant = digits.constant, constant >= 0 { return column.flattened() }
        if type == .uint64 {
            let values = mapPairs(column.integers(as: UInt64.self), digits, count: rowCount) {
                Int64(bitPattern: whole($0, $1))
            }
            return Column(type: type, data: ColumnData(integers: .rows(values), count: rowCount, type: type))
        }
        let values = mapPairs(column.integers(as: Int64.self), digits, count: rowCount) { whole($0, $1) }
        return Column(type: type, data: ColumnData(integers: .rows(values), count: rowCount, type: type))
    }

    private func rounded(_ values: Operand<Double>, _ digits: Operand<Int64>, _ count: Int, isSingle: Bool = false)
        -> [Double]
    {
        let rule = rule
        if digits.constant == 0 {
            return mapPairs(values, .constant(0 as Int64), count: count) { value, _ in value.rounded(rule) }
        }
        return mapPairs(values, digits, count: count) { value, digits in
            let clamped = min(max(digits, -300), 300)
            let scale = power(Int(abs(clamped)))
            if clamped < 0 { return (value / scale).rounded(rule) * scale }
            if isSingle {
                let scaled = Float(value) * Float(scale)
                return scaled.isFinite ? Double(scaled.rounded(rule) / Float(scale)) : value
            }
            let scaled = value * scale
            return scaled.isFinite ? scaled.rounded(rule) / scale : value
        }
    }

    private func power(_ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<exponent { result *= 10 }
        return result
    }

    private func whole<Value: FixedWidthInteger>(_ value: Value, _ digits: Int64) -> Value {
        guard digits < 0 else { return value }
        guard digits > -19 else { return 0 }
        guard let scale = Value(exactly: Civil.powerOfTen(Int(-digits))) else { return 0 }
        let rest = value % scale
        let low = value &- rest
        switch rule {
        case .down: return rest < 0 ? low &- scale : low
        case .up: return rest > 0 ? low &+ scale : low
        case .towardZero: return low
        default:
            let half = scale / 2
            if rest >= half { return low &+ scale }
            if Value.isSigned, rest <= 0 &- half { return low &- scale }
            return low
        }
    }
}

import Columnar

/// `a <=> b`, `a IS [NOT] DISTINCT FROM b`: equality that takes two NULLs for equal and never answers NULL.
struct DistinctFromFunction: ScalarFunction {
    static let all: [any ScalarFunction] = [
        DistinctFromFunction(name: "isNotDistinctFrom", whenEqual: 1),
        DistinctFromFunction(name: "isDistinctFrom", whenEqual: 0),
    ]

    let name: String
    /// The answer for equal values.
    let whenEqual: UInt8
    private let equals = ComparisonFunction(operation: .equals)

    init(name: String, whenEqual: UInt8) {
        self.name = name
        self.whenEqual = whenEqual
    }

    var handlesNulls: Bool { true }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 2...2)
        if arguments.contains(where: { $0.type == .nothing }) { return .uint8 }
        // `equals` reads a constant text as a value of the other side's type before it gets here; this does not.
        guard (arguments[0].type.base == .string) == (arguments[1].type.base == .string) else {
            throw QueryError(
                .illegalArgumentType,
                "Illegal types of arguments (\(arguments[0].type.name), \(arguments[1].type.name)) of function \(name)")
        }
        _ = try equals.resultType(arguments.map { FunctionArgument(type: $0.type.base, constant: $0.constant) })
        return .uint8
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let nulls = arguments.map(\.flattenedNulls)
        var answers = [UInt8](repeating: 0, count: rowCount)
        if !arguments.contains(where: { $0.type == .nothing }) {
            let values = arguments.map(\.withoutNulls.withoutDictionary)
            let equal = try equals.evaluate(values, type: .uint8, rowCount: rowCount, context: context).flattened()
            if case .uint8(let own) = equal.data { answers = own }
        }
        for row in 0..<rowCount {
            let left = nulls[0].map { $0[row] } ?? 0
            let right = nulls[1].map { $0[row] } ?? 0
            if left | right != 0 { answers[row] = left & right }
            answers[row] = answers[row] == 1 ? whenEqual : 1 - whenEqual
        }
        return Column(type: .uint8, data: .uint8(answers))
    }
}

import Columnar

@testable import QueryEngine

/// Binds parsed expressions without tables: literals and functions of them, lambdas included.
struct ConstantBinder {
    /// When true every literal is bound as an input column, so that nothing is folded.
    var asColumns = false
    /// The literals met, in order, when `asColumns`.
    var inputs: [(Scalar, DataType)] = []
    /// Parameters of the lambdas around, by name: their place and type.
    private var parameters: [String: (index: Int, type: DataType)] = [:]
    private static let firstParameter = 1000
    let context: EvaluationContext

    init(asColumns: Bool, context: EvaluationContext) {
        self.asColumns = asColumns
        self.context = context
    }

    mutating func bind(_ expression: Expression) throws(QueryError) -> BoundExpression {
        switch expression.kind {
        case .literal(let literal):
            let bound = BoundExpression(literal: literal)
            guard asColumns, let value = bound.constantValue, value != .null else { return bound }
            inputs.append((value, bound.type))
            return .column(index: inputs.count - 1, type: bound.type)
        case .function(let name, _, let arguments, _):
            return try call(name, arguments, expression)
        case .identifier(let parts):
            if parts.count == 1, let parameter = parameters[parts[0]] {
                return .column(index: parameter.index, type: parameter.type)
            }
            throw QueryError(.unknownIdentifier, "no columns here", at: expression.start)
        default: throw QueryError(.notImplemented, "only literals and functions here", at: expression.start)
        }
    }

    private mutating func call(
        _ name: String, _ arguments: [Expression], _ expression: Expression
    ) throws(QueryError) -> BoundExpression {
        var bound: [BoundExpression?] = []
        for argument in arguments {
            if case .lambda = argument.kind { bound.append(nil) } else { bound.append(try bind(argument)) }
        }
        let types = bound.compactMap { $0?.type.base }
        var complete: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            if let done = bound[index] {
                complete.append(done)
            } else if case .lambda(let names, let body) = argument.kind {
                complete.append(try lambda(names, body, over: types))
            }
        }
        return try FunctionCall.make(name, arguments: complete, position: expression.start, context: context)
    }

    private mutating func lambda(
        _ names: [String], _ body: Expression, over types: [DataType]
    ) throws(QueryError) -> BoundExpression {
        let elements = types.flatMap { type -> [DataType] in
            switch type {
            case .array(let element): [element]
            case .map(let key, let value): [key, value]
            default: []
            }
        }
        let outer = parameters
        let base = parameters.values.map { $0.index + 1 }.max() ?? Self.firstParameter
        for (place, name) in names.enumerated() where place < elements.count {
            parameters[name] = (base + place, elements[place])
        }
        defer { parameters = outer }
        return .lambda(
            BoundLambda(
                inputCount: base, parameters: Array(elements.prefix(names.count)), body: try bind(body)))
    }
}

/// The value of an expression of constants: type name and text as TabSeparated writes it, or an error code.
struct ExpressionResult: Equatable, CustomStringConvertible {
    var type: String
    var value: String

    var description: String { "\(type) \(value)" }

    /// 2026-11-21 06:00:00.123456789 UTC.
    static let context = EvaluationContext(nowNs: 1_795_240_800_123_456_789)

    /// Evaluates `sql`; with `asColumns` over three rows that are no constants.
    static func evaluate(_ sql: String, asColumns: Bool) throws(QueryError) -> ExpressionResult {
        let parsed = try Parser.parseExpression(Array(sql.utf8))
        var binder = ConstantBinder(asColumns: asColumns, context: context)
        let bound = try binder.bind(parsed)
        let rows = asColumns ? 3 : 1
        let inputs = binder.inputs.map { value, type in Column.constant(value, type: type, count: rows).flattened() }
        let column = try bound.evaluate(inputs, rowCount: rows, context: context)
        precondition(column.count == rows, "\(sql) gave \(column.count) rows instead of \(rows)")
        let texts = (0..<rows).map { text(column, row: $0) }
        precondition(Set(texts).count == 1, "\(sql) differs by row: \(texts)")
        return ExpressionResult(type: bound.type.name, value: texts[0])
    }

    private static func text(_ column: Column, row: Int) -> String {
        if column.isNull(at: row) { return "\\N" }
        var bytes: [UInt8] = []
        ValueText.append(column, row: row, to: &bytes)
        guard column.type.base == .string || column.type.isEnum else { return String(decoding: bytes, as: UTF8.self) }
        var escaped: [UInt8] = []
        ValueText.appendQuoted(bytes, to: &escaped)
        return String(decoding: escaped.dropFirst().dropLast(), as: UTF8.self)
    }
}

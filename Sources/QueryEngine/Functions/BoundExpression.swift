import Columnar

/// An expression whose names are resolved and whose types are known, ready to compute columns.
public indirect enum BoundExpression: Sendable {
    /// The input column at `index`.
    case column(index: Int, type: DataType)
    /// The same value for every row.
    case constant(Scalar, DataType)
    /// A function of other expressions.
    case call(FunctionCall)
    /// `x -> …`, only as an argument of a function that takes one.
    case lambda(BoundLambda)

    /// The type of the result.
    public var type: DataType {
        switch self {
        case .column(_, let type), .constant(_, let type): type
        case .call(let call): call.type
        case .lambda(let lambda): lambda.body.type
        }
    }

    /// The value, when it is the same for every row.
    public var constantValue: Scalar? {
        if case .constant(let value, _) = self { return value }
        return nil
    }

    /// Computes `rowCount` rows from the input columns, each of that many rows. Results may be constant columns or
    /// dictionaries. Throws what the functions throw.
    public func evaluate(
        _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        switch self {
        case .column(let index, let type):
            var column = inputs[index]
            column.type = type
            return column
        case .constant(let value, let type): return Column.constant(value, type: type, count: rowCount)
        case .call(let call): return try call.evaluate(inputs, rowCount: rowCount, context: context)
        case .lambda: preconditionFailure("BUG: a lambda evaluated outside its function")
        }
    }

    /// Calls `visit` with the index of every input column the expression reads (repeats possible). Parameters of
    /// lambdas are none.
    public func forEachColumn(_ visit: (Int) -> Void) {
        switch self {
        case .column(let index, _): visit(index)
        case .constant: break
        case .call(let call): for argument in call.arguments { argument.forEachColumn(visit) }
        case .lambda(let lambda):
            lambda.body.forEachColumn { index in if index < lambda.inputCount { visit(index) } }
        }
    }

    /// The expression with every input column's index replaced by what `map` says.
    public func mappingColumns(_ map: (Int) -> Int) -> BoundExpression {
        switch self {
        case .column(let index, let type): .column(index: map(index), type: type)
        case .constant: self
        case .call(let call): .call(call.with(arguments: call.arguments.map { $0.mappingColumns(map) }))
        case .lambda(let lambda): .lambda(lambda.mappingColumns(map))
        }
    }

    /// Whether the same inputs give the same result within a query.
    public var isDeterministic: Bool {
        switch self {
        case .column, .constant: true
        case .call(let call): call.function.isDeterministic && call.arguments.allSatisfy { $0.isDeterministic }
        case .lambda(let lambda): lambda.body.isDeterministic
        }
    }

    /// Whether some row's values can make it throw.
    var canFail: Bool {
        switch self {
        case .column, .constant: false
        case .call(let call): call.function.canFail || call.arguments.contains { $0.canFail }
        case .lambda(let lambda): lambda.body.canFail
        }
    }

    /// A literal with the type ClickHouse gives it: the narrowest integer, Float64, String, Bool.
    public init(literal: Expression.Literal) {
        switch literal {
        case .null: self = .constant(.null, .nothing)
        case .bool(let value): self = .constant(.int(value ? 1 : 0), .bool)
        case .unsigned(let value):
            let type: DataType =
                value <= 0xFF ? .uint8 : value <= 0xFFFF ? .uint16 : value <= 0xFFFF_FFFF ? .uint32 : .uint64
            self = .constant(.uint(value), type)
        case .signed(let value):
            if value >= 0 {
                self = BoundExpression(literal: .unsigned(UInt64(value)))
                return
            }
            let type: DataType =
                value >= -128 ? .int8 : value >= -32_768 ? .int16 : value >= -2_147_483_648 ? .int32 : .int64
            self = .constant(.int(value), type)
        case .float(let value): self = .constant(.float(value), .float64)
        case .string(let bytes): self = .constant(.string(bytes), .string)
        }
    }
}

/// The body of `(x, y) -> …`, bound. Parameters are the columns `inputCount`, `inputCount + 1` …, behind the query's
/// own.
public struct BoundLambda: Sendable {
    /// How many input columns there are outside; the first parameter has this index.
    public var inputCount: Int
    /// The parameters' types.
    public var parameters: [DataType]
    /// What is computed.
    public var body: BoundExpression

    /// Creates a lambda.
    public init(inputCount: Int, parameters: [DataType], body: BoundExpression) {
        self.inputCount = inputCount
        self.parameters = parameters
        self.body = body
    }

    func mappingColumns(_ map: (Int) -> Int) -> BoundLambda {
        // Parameters move behind the outer columns' new places.
        let count = inputCount
        var newCount = count
        body.forEachColumn { index in if index < count { newCount = max(newCount, map(index) + 1) } }
        return BoundLambda(
            inputCount: newCount, parameters: parameters,
            body: body.mappingColumns { $0 < count ? map($0) : $0 - count + newCount })
    }
}

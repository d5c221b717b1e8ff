import Columnar

/// Binds resolved expressions to columns.
///
/// Two modes: over the source's columns, and, with `grouping` set, over the keys and aggregates of an aggregation,
/// where a key's expression stands for the key and aggregate functions are collected as they are met.
final class ExpressionBinder {
    let context: QueryContext
    /// The columns that identifiers name; their index is the input's.
    let inputs: [(name: String, type: DataType)]
    let named: [String: SelectQuery]
    let depth: Int
    private var indices: [String: Int]
    /// Where aggregates stand not, for the error: "WHERE", "GROUP BY".
    var clause = "WHERE"
    /// Columns made by arrayJoin, by key.
    var arrayJoinColumns: [String: (index: Int, type: DataType)] = [:]
    /// Set when expressions are bound over an aggregation's result.
    var grouping: Grouping?
    private var lambdaParameters: [(name: String, index: Int, type: DataType)] = []
    private var isInsideAggregate = false

    /// The aggregation whose result is read.
    final class Grouping {
        /// Binds over the rows that are aggregated.
        let input: ExpressionBinder
        var keys: [String: (index: Int, type: DataType)] = [:]
        var keyCount = 0
        var aggregates: [SelectPlan.AggregateCall] = []
        var aggregateIndices: [String: Int] = [:]
        /// By what states can be shared: the first call of that kind.
        var shared: [String: Int] = [:]

        init(input: ExpressionBinder) { self.input = input }
    }

    init(
        context: QueryContext, inputs: [(name: String, type: DataType)], named: [String: SelectQuery], depth: Int
    ) {
        self.context = context
        self.inputs = inputs
        self.named = named
        self.depth = depth
        indices = Dictionary(inputs.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The expression bound. Its names must be resolved already.
    func bind(_ expression: Expression) throws(QueryError) -> BoundExpression {
        if let grouping, let key = grouping.keys[expression.key] {
            return .column(index: key.index, type: key.type)
        }
        switch expression.kind {
        case .literal(let literal): return BoundExpression(literal: literal)
        case .identifier(let parts): return try bindIdentifier(parts.joined(separator: "."), expression)
        case .asterisk:
            throw QueryError(.notImplemented, "* can only stand alone in SELECT or in count(*)", at: expression.start)
        case .lambda:
            throw QueryError(.illegalArgumentType, "A lambda can only be a function's argument", at: expression.start)
        case .parameter(let name, _):
            throw QueryError(.unknownQueryParameter, "Query parameter `\(name)` is not set", at: expression.start)
        case .subquery(let query): return try scalarSubquery(query, at: expression.start)
        case .function(let name, let parameters, let arguments, let isDistinct):
            return try bindFunction(expression, name, parameters, arguments, isDistinct)
        }
    }

    private func bindIdentifier(_ name: String, _ expression: Expression) throws(QueryError) -> BoundExpression {
        if let parameter = lambdaParameters.last(where: { $0.name == name }) {
            return .column(index: parameter.index, type: parameter.type)
        }
        if grouping != nil {
            throw QueryError(
                .notAnAggregate, "Column '\(name)' is not under aggregate function and not in GROUP BY keys",
                at: expression.start)
        }
        guard let index = indices[name] else {
            throw QueryError(.unknownIdentifier, "Unknown expression identifier `\(name)`", at: expression.start)
        }
        return .column(index: index, type: inputs[index].type)
    }

    private func bindFunction(
        _ expression: Expression, _ name: String, _ parameters: [Expression], _ arguments: [Expression],
        _ isDistinct: Bool
    ) throws(QueryError) -> BoundExpression {
        let position = expression.start
        if name == "arrayJoin" {
            if let column = arrayJoinColumns[expression.key] { return .column(index: column.index, type: column.type) }
            throw QueryError(.notImplemented, "arrayJoin cannot stand here", at: position)
        }
        if AggregateRegistry.isAggregate(name), FunctionRegistry.lookup(name) == nil || isDistinct {
            return try bindAggregate(expression, name, parameters, arguments, isDistinct)
        }
        if isDistinct || !parameters.isEmpty {
            if FunctionRegistry.lookup(name) == nil { throw unknownFunction(name, at: position) }
            throw QueryError(
                .badArguments,
                "Function \(name) is no aggregate function: it takes no "
                    + (isDistinct ? "DISTINCT" : "parameters"), at: position)
        }
        if let bound = try bindSet(name, arguments, position) { return bound }
        if FunctionRegistry.lookup(name) == nil { throw unknownFunction(name, at: position) }
        let bound = try bindArguments(arguments)
        return try FunctionCall.make(name, arguments: bound, position: position, context: context.evaluation)
    }

    private func unknownFunction(_ name: String, at position: Int) -> QueryError {
        let meant = nearestName(to: name, in: FunctionRegistry.names + AggregateRegistry.names)
        return QueryError(
            .unknownFunction,
            "Function with name `\(name)` does not exist" + (meant.map { ". Maybe you meant: ['\($0)']" } ?? ""),
            at: position)
    }

    // MARK: Arguments and lambdas

    private func bindArguments(_ arguments: [Expression]) throws(QueryError) -> [BoundExpression] {
        var bound: [BoundExpression?] = []
        for argument in arguments {
            if case .lambda = argument.kind { bound.append(nil) } else { bound.append(try bind(argument)) }
        }
        let arrays = bound.compactMap { $0?.type.base }
        var result: [BoundExpression] = []
        for (index, argument) in arguments.enumerated() {
            if let done = bound[index] {
                result.append(done)
            } else if case .lambda(let parameters, let body) = argument.kind {
                result.append(try bindLambda(parameters, body, over: arrays, at: argument.start))
            }
        }
        return result
    }

    private func bindLambda(
        _ parameters: [String], _ body: Expression, over arguments: [DataType], at position: Int
    ) throws(QueryError) -> BoundExpression {
        var types: [DataType] = []
        for argument in arguments {
            switch argument {
            case .array(let element): types.append(element)
            case .map(let key, let value): types += [key, value]
            default: break
            }
        }
        guard types.count >= parameters.count else {
            throw QueryError(
                .wrongArgumentCount, "The lambda has \(parameters.count) parameters for \(types.count) arrays",
                at: position)
        }
        let base = lambdaParameters.last.map { $0.index + 1 } ?? inputCount
        let outer = lambdaParameters
        for (place, name) in parameters.enumerated() {
            lambdaParameters.append((name, base + place, types[place]))
        }
        defer { lambdaParameters = outer }
        return .lambda(
            BoundLambda(
                inputCount: base, parameters: Array(types.prefix(parameters.count)), body: try bind(body)))
    }

    private var inputCount: Int {
        if let grouping { return grouping.keyCount + grouping.aggregates.count }
        return inputs.count + arrayJoinColumns.count
    }

    // MARK: Aggregates

    private func bindAggregate(
        _ expression: Expression, _ name: String, _ parameters: [Expression], _ arguments: [Expression],
        _ isDistinct: Bool
    ) throws(QueryError) -> BoundExpression {
        guard let grouping else {
            let place =
                isInsideAggregate
                ? "inside another aggregate function" : "in \(clause), where aggregate functions are not allowed"
            throw QueryError(
                .illegalAggregation, "Aggregate function \(expression.columnName) is found \(place)",
                at: expression.start)
        }
        let key = expression.key
        let index: Int
        if let known = grouping.aggregateIndices[key] {
            index = known
        } else {
            index = grouping.aggregates.count
            var call = try grouping.input.aggregateCall(expression, name, parameters, arguments, isDistinct)
            if let sharing = call.function.sharing {
                let shareKey = "\(sharing.key)(\(arguments.map(\.key).joined(separator: ",")))"
                if let leader = grouping.shared[shareKey] {
                    call.sharedWith = leader
                } else {
                    grouping.shared[shareKey] = index
                }
            }
            grouping.aggregateIndices[key] = index
            grouping.aggregates.append(call)
        }
        return .column(index: grouping.keyCount + index, type: grouping.aggregates[index].function.resultType)
    }

    /// Binds an aggregate function's arguments over the rows that are aggregated.
    private func aggregateCall(
        _ expression: Expression, _ name: String, _ parameters: [Expression], _ arguments: [Expression],
        _ isDistinct: Bool
    ) throws(QueryError) -> SelectPlan.AggregateCall {
        isInsideAggregate = true
        defer { isInsideAggregate = false }
        var bound: [BoundExpression] = []
        for argument in arguments {
            if case .asterisk = argument.kind, arguments.count == 1 || name.hasSuffix("If") { continue }
            bound.append(try bind(argument))
        }
        var values: [Scalar] = []
        for parameter in parameters {
            guard let value = try bind(parameter).constantValue else {
                throw QueryError(.badArguments, "Parameters of \(name) must be constants", at: parameter.start)
            }
            values.append(value)
        }
        do throws(QueryError) {
            let function = try AggregateRegistry.make(
                name, parameters: values, types: bound.map(\.type), isDistinct: isDistinct)
            if function.countsRows { bound = [] }
            return SelectPlan.AggregateCall(function: function, arguments: bound, text: expression.columnName)
        } catch {
            var located = error
            if located.position == nil { located.position = expression.start }
            throw located
        }
    }

    // MARK: Subqueries

    private static let setFunctions: Set<String> = ["in", "notIn", "globalIn", "globalNotIn"]

    /// `x IN (SELECT …)`: the query runs now and its rows become the set. `x IN (1, 2)`: so do the constants.
    private func bindSet(
        _ name: String, _ arguments: [Expression], _ position: Int
    ) throws(QueryError) -> BoundExpression? {
        guard Self.setFunctions.contains(name), arguments.count == 2 else { return nil }
        let isNegated = name == "notIn" || name == "globalNotIn"
        switch arguments[1].kind {
        case .subquery(let query):
            let left = try bind(arguments[0])
            let set = try setColumn(query)
            return try FunctionCall.isIn(left, set, isNegated: isNegated, position: position)
        case .function("tuple", _, let items, _):
            let left = try bind(arguments[0])
            var values: [Scalar] = []
            var types: [DataType] = []
            for item in items {
                let bound = try bind(item)
                guard let value = bound.constantValue else { return nil }
                values.append(value)
                types.append(bound.type)
            }
            let set = BoundExpression.constant(.tuple(values), .tuple(types))
            return try FunctionCall.make(
                isNegated ? "notIn" : "in", arguments: [left, set], position: position, context: context.evaluation)
        default: return nil
        }
    }

    private func setColumn(_ query: SelectQuery) throws(QueryError) -> Column {
        let executor = try SelectExecutor(query, context: context, named: named, depth: depth + 1)
        let memory = MemoryScope(context.memory)
        var blocks: [Block] = []
        var bytes = 0
        try executor.run { (block) throws(QueryError) in
            blocks.append(block)
            // A row in a set takes more than in a column.
            bytes += block.columns.reduce(64 * block.rowCount) { $0 + $1.memoryBytes }
            try memory.set(bytes)
        }
        let columns = executor.columns.enumerated().map { index, column in
            blocks.isEmpty
                ? Column.defaults(type: column.type, count: 0).flattened()
                : Column.concatenate(blocks.map { $0.columns[index] }, type: column.type).flattened()
        }
        if columns.count == 1 { return columns[0] }
        return Column(type: .tuple(columns.map(\.type)), data: .tuple(columns))
    }

    /// `(SELECT …)` as a value: no row is NULL, more than one an error.
    private func scalarSubquery(_ query: SelectQuery, at position: Int) throws(QueryError) -> BoundExpression {
        let executor = try SelectExecutor(query, context: context, named: named, depth: depth + 1)
        var row: [Scalar]?
        try executor.run { (block) throws(QueryError) in
            if block.rowCount > 1 || row != nil {
                throw QueryError(
                    QueryError.Code(125, "INCORRECT_RESULT_OF_SCALAR_SUBQUERY"),
                    "Scalar subquery returned more than one row", at: position)
            }
            row = block.columns.map { $0.scalar(at: 0) }
        }
        let types = executor.columns.map { $0.type.withoutLowCardinality }
        if types.count == 1 {
            return .constant(row?[0] ?? .null, types[0].madeNullable)
        }
        guard let row else { return .constant(.null, .nothing) }
        return .constant(.tuple(row), .tuple(types))
    }
}

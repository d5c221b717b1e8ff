import Columnar

/// A function applied to bound arguments.
public struct FunctionCall: Sendable {
    /// The function, made ready for these arguments.
    public let function: any ScalarFunction
    /// The arguments.
    public let arguments: [BoundExpression]
    /// The type of the result.
    public let type: DataType
    /// The type `function.resultType` gave: without the Nullable and LowCardinality that the evaluator adds.
    let innerType: DataType
    /// Byte offset of the call in the SQL text, for errors.
    public let position: Int?
    private let dictionaryResults: DictionaryResults

    private init(
        function: any ScalarFunction, arguments: [BoundExpression], type: DataType, innerType: DataType, position: Int?,
        dictionaryResults: DictionaryResults = DictionaryResults()
    ) {
        self.function = function
        self.arguments = arguments
        self.type = type
        self.innerType = innerType
        self.position = position
        self.dictionaryResults = dictionaryResults
    }

    /// The same call on other arguments of the same types.
    func with(arguments: [BoundExpression]) -> FunctionCall {
        FunctionCall(
            function: function, arguments: arguments, type: type, innerType: innerType, position: position,
            dictionaryResults: dictionaryResults)
    }

    /// Looks the function up, checks the arguments and folds constants: the result is a constant when all arguments
    /// are. With `context` given, `now()` and its like are folded too. Throws `.unknownFunction` (with the nearest
    /// name), `.wrongArgumentCount`, `.illegalArgumentType`, and what evaluating constants throws, all at `position`.
    public static func make(
        _ name: String, arguments: [BoundExpression], position: Int? = nil, context: EvaluationContext? = nil
    ) throws(QueryError) -> BoundExpression {
        guard let function = FunctionRegistry.lookup(name) else {
            let meant = nearestName(to: name, in: FunctionRegistry.names)
            throw QueryError(
                .unknownFunction,
                "Function with name '\(name)' does not exist" + (meant.map { ". Maybe you meant: ['\($0)']" } ?? ""),
                at: position)
        }
        return try make(function, arguments: arguments, position: position, context: context)
    }

    /// The same for a function at hand.
    public static func make(
        _ function: any ScalarFunction, arguments: [BoundExpression], position: Int? = nil,
        context: EvaluationContext? = nil
    ) throws(QueryError) -> BoundExpression {
        do throws(QueryError) {
            let call = try bound(function, arguments, position)
            if let value = call.function.knownResult(arguments.map { FunctionArgument(type: $0.type) }) {
                return .constant(value, call.type)
            }
            return try call.folded(context)
        } catch {
            var located = error
            if located.position == nil { located.position = position }
            throw located
        }
    }

    private static func bound(
        _ function: any ScalarFunction, _ arguments: [BoundExpression], _ position: Int?
    ) throws(QueryError) -> FunctionCall {
        if let other = try function.rewritten(arguments) {
            return try bound(other.function, other.arguments, position)
        }
        let isNullable = !function.handlesNulls && arguments.contains { $0.type.isNullable }
        let described = arguments.map { argument in
            FunctionArgument(
                type: function.seesWholeTypes
                    ? argument.type
                    : function.handlesNulls ? argument.type.withoutLowCardinality : argument.type.base,
                constant: argument.constantValue)
        }
        if !function.handlesNulls, arguments.contains(where: { $0.type.base == .nothing }) {
            // Of a NULL alone nothing is known but that the result is NULL.
            return FunctionCall(
                function: AlwaysNull(name: function.name), arguments: arguments, type: .nothing, innerType: .nothing,
                position: position)
        }
        let inner = try function.resultType(described)
        let ready = try function.prepared(described, type: inner)
        var type = isNullable ? inner.madeNullable : inner
        if ready.keepsDictionary, isLowCardinality(arguments), LowCardinalityRules.allows(inner) {
            type = .lowCardinality(type)
        }
        return FunctionCall(function: ready, arguments: arguments, type: type, innerType: inner, position: position)
    }

    /// Whether one argument is LowCardinality and all others are constant.
    private static func isLowCardinality(_ arguments: [BoundExpression]) -> Bool {
        var found = 0
        for argument in arguments {
            if case .lambda = argument { return false }
            if case .lowCardinality = argument.type {
                found += 1
            } else if argument.constantValue == nil {
                return false
            }
        }
        return found == 1
    }

    private func folded(_ context: EvaluationContext?) throws(QueryError) -> BoundExpression {
        guard function.isDeterministic, arguments.allSatisfy({ $0.constantValue != nil }) else { return .call(self) }
        if function.needsContext && context == nil { return .call(self) }
        let column = try evaluate([], rowCount: 1, context: context ?? EvaluationContext(nowNs: 0))
        return .constant(column.scalar(at: 0), type)
    }

    // MARK: Evaluation

    /// Computes `rowCount` rows.
    public func evaluate(
        _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        if let special = function as? any RowChoosingFunction {
            return try special.evaluate(self, inputs, rowCount: rowCount, context: context)
        }
        var columns: [Column] = []
        columns.reserveCapacity(arguments.count)
        for argument in arguments {
            if case .lambda = argument { continue }
            columns.append(try argument.evaluate(inputs, rowCount: rowCount, context: context))
        }
        return try apply(columns, rowCount: rowCount, context: context)
    }

    /// The function over computed arguments: constants once, dictionaries once a value, NULLs kept away.
    func apply(_ columns: [Column], rowCount: Int, context: EvaluationContext) throws(QueryError) -> Column {
        do throws(QueryError) {
            if function.isDeterministic, columns.allSatisfy(\.isConstant) {
                guard rowCount > 0 else { return Column.defaults(type: type, count: 0).flattened() }
                let ones = columns.map { $0.slice(0..<1) }
                let value = try applyFlat(ones, rowCount: 1, context: context).flattened()
                return Column(type: type, data: .constant(value: value, count: rowCount))
            }
            if function.isDeterministic, let result = try applyToDictionary(columns, rowCount, context) {
                return result
            }
            return try applyFlat(columns.map { $0.withoutDictionary }, rowCount: rowCount, context: context)
        } catch {
            var located = error
            if located.position == nil { located.position = position }
            throw located
        }
    }

    private func applyFlat(_ columns: [Column], rowCount: Int, context: EvaluationContext) throws(QueryError) -> Column
    {
        if function.handlesNulls {
            var result = try function.evaluate(
                columns.map { $0.withType($0.type.withoutLowCardinality) }, type: innerType, rowCount: rowCount,
                context: context)
            result.type = type
            return result
        }
        let nulls = combinedNulls(columns, rowCount: rowCount)
        if let nulls, !nulls.contains(0) { return Column.constant(.null, type: type.madeNullable, count: rowCount) }
        let bare = columns.map { $0.withoutNulls }
        guard let nulls else {
            var result = try function.evaluate(bare, type: innerType, rowCount: rowCount, context: context)
            result.type = type
            return result
        }
        guard function.canFail else {
            let result = try function.evaluate(bare, type: innerType, rowCount: rowCount, context: context).flattened()
            return Column(type: type, data: result.data, nulls: joinedNulls(result.nulls, nulls))
        }
        return try onRows(where: nulls, bare, rowCount: rowCount, context: context)
    }

    /// The function on the rows that are not NULL alone, for what stands at a NULL may be no value it can take.
    private func onRows(
        where nulls: [UInt8], _ columns: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        var rows: [UInt32] = []
        for row in 0..<rowCount where nulls[row] == 0 { rows.append(UInt32(row)) }
        let result = try function.evaluate(
            columns.map { $0.gather(rows) }, type: innerType, rowCount: rows.count, context: context
        ).flattened()
        // One default row behind the results, for the NULLs to point at.
        let spare = Column.concatenate(
            [result.withType(innerType), Column.defaults(type: innerType, count: 1).withoutNulls], type: innerType)
        var source = [UInt32](repeating: UInt32(rows.count), count: rowCount)
        for (position, row) in rows.enumerated() { source[Int(row)] = UInt32(position) }
        let spread = spare.gather(source)
        return Column(type: type, data: spread.data, nulls: joinedNulls(spread.nulls, nulls))
    }

    private func applyToDictionary(
        _ columns: [Column], _ rowCount: Int, _ context: EvaluationContext
    ) throws(QueryError) -> Column? {
        guard !function.handlesNulls, function.keepsDictionary else { return nil }
        var found: Int?
        for (index, column) in columns.enumerated() where !column.isConstant {
            guard case .dictionary = column.data, found == nil else { return nil }
            found = index
        }
        guard let found, case .dictionary(let encoded) = columns[found].data else { return nil }
        for column in columns where column.isConstant && column.isNull(at: 0) { return nil }
        let dictionary = encoded.dictionary
        let source = columns[found].type.base
        guard
            let results = try dictionaryResults.results(
                dictionary, rowCount: rowCount,
                compute: { () throws(QueryError) in
                    try overDictionary(dictionary.values.withType(source), at: found, columns, context)
                })
        else { return nil }
        return results.column(codes: encoded.codes, nulls: columns[found].nulls, type: type)
    }
}

extension FunctionCall {
    /// The function over the values of a dictionary; nil when one of them, perhaps of no row, makes it throw.
    private func overDictionary(
        _ values: Column, at found: Int, _ columns: [Column], _ context: EvaluationContext
    ) throws(QueryError) -> Column? {
        let count = values.count
        let arguments = columns.enumerated().map { index, column in
            index == found ? values : column.withoutNulls.resized(to: count)
        }
        do throws(QueryError) {
            return try function.evaluate(arguments, type: innerType, rowCount: count, context: context)
                .flattened().withType(innerType)
        } catch {
            if function.canFail { return nil }
            throw error
        }
    }
}

/// A function that chooses which rows of which arguments to compute (`if`, `and`), or evaluates lambdas.
protocol RowChoosingFunction: ScalarFunction {
    func evaluate(
        _ call: FunctionCall, _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column
}

/// What a function of a bare NULL is.
private struct AlwaysNull: ScalarFunction {
    let name: String
    var handlesNulls: Bool { true }
    var keepsDictionary: Bool { false }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType { .nothing }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        Column.constant(.null, type: .nothing, count: rowCount)
    }
}

/// Which results may be LowCardinality.
enum LowCardinalityRules {
    static func allows(_ type: DataType) -> Bool {
        switch type.base {
        case .string, .date, .dateTime: true
        default: type.isNumeric && type.base != .bool
        }
    }
}

// MARK: Helpers on columns

extension Column {
    var isConstant: Bool {
        if case .constant = data { return true }
        return false
    }

    func withType(_ type: DataType) -> Column {
        var column = self
        column.type = type
        return column
    }

    /// The same values with the NULL flags dropped and neither Nullable nor LowCardinality in the type.
    var withoutNulls: Column {
        if case .constant(let value, let count) = data {
            let bare = Column(type: type.base, data: value.data)
            return Column(type: type.base, data: .constant(value: bare, count: count))
        }
        return Column(type: type.base, data: data)
    }

    /// Flat when it was a dictionary; constants stay.
    var withoutDictionary: Column {
        if case .dictionary = data { return flattened() }
        return self
    }

    /// A constant column of another length.
    func resized(to count: Int) -> Column {
        guard case .constant(let value, _) = data else { preconditionFailure("BUG: only constants have any length") }
        return Column(type: type, data: .constant(value: value, count: count))
    }
}

/// One flag a row: NULL in any of the columns; nil when there is none.
func combinedNulls(_ columns: [Column], rowCount: Int) -> [UInt8]? {
    var result: [UInt8]?
    for column in columns where !column.hasNoNulls {
        if column.isConstant { return [UInt8](repeating: 1, count: rowCount) }
        result = joinedNulls(result, column.nulls)
    }
    return result
}

/// The union of two sets of NULL flags.
func joinedNulls(_ left: [UInt8]?, _ right: [UInt8]?) -> [UInt8]? {
    guard let left else { return right }
    guard let right else { return left }
    return [UInt8](unsafeUninitializedCapacity: left.count) { target, filled in
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                for row in 0..<left.count { target[row] = left[row] | right[row] }
            }
        }
        filled = left.count
    }
}

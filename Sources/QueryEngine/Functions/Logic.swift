import Columnar

/// `and`, `or`, `xor`, `not`: any number but 0 is true, NULL is unknown.
enum LogicFunctions {
    static let all: [any ScalarFunction] = [Connective(isAnd: true), Connective(isAnd: false), xor, not]

    private static func typed(_ name: String, _ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        for (index, argument) in arguments.enumerated() where !argument.type.isNumeric && argument.type.base != .nothing
        {
            throw illegalArgument(name, index, argument.type, expected: "a number")
        }
        return arguments.contains { $0.type.base == .bool } ? .bool : .uint8
    }

    static func resultType(_ name: String, _ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try typed(name, arguments)
    }

    private static let xor = PlainFunction(
        "xor", 2...1000,
        type: { (arguments) throws(QueryError) in try typed("xor", arguments) },
        body: { (columns, type, count, _) throws(QueryError) in
            var result = truth(columns[0], count: count)
            for column in columns.dropFirst() {
                result = mapPairs(.rows(result), .rows(truth(column, count: count)), count: count) { $0 ^ $1 }
            }
            return Column(type: type, data: .uint8(result))
        })

    private static let not = PlainFunction(
        "not", 1...1,
        type: { (arguments) throws(QueryError) in try typed("not", arguments) },
        body: { (columns, type, count, _) throws(QueryError) in
            Column(type: type, data: .uint8(mapValues(truth(columns[0], count: count)) { $0 ^ 1 }))
        })
}

/// One byte a row: 1 where the number is not 0. What stands at NULLs counts for nothing.
func truth(_ column: Column, count: Int) -> [UInt8] {
    let column = column.flattened()
    switch column.data {
    case .uint8(let values): return mapValues(values) { byte($0 != 0) }
    case .float32(let values): return mapValues(values) { byte($0 != 0) }
    case .float64(let values): return mapValues(values) { byte($0 != 0) }
    default: return mapValues(column.data.integers(as: Int64.self)) { byte($0 != 0) }
    }
}

extension QueryError.Code {
    static let tooFewArguments = QueryError.Code(35, "TOO_FEW_ARGUMENTS_FOR_FUNCTION")
}

/// `and` or `or` of two or more. An argument that can throw is computed only for rows that the ones before it left
/// undecided; none is once no row is.
struct Connective: RowChoosingFunction {
    let isAnd: Bool

    var name: String { isAnd ? "and" : "or" }
    var handlesNulls: Bool { true }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        guard arguments.count >= 2 else {
            throw QueryError(.tooFewArguments, "Function \(name) needs at least 2 arguments, not \(arguments.count)")
        }
        let type = try LogicFunctions.resultType(name, arguments)
        return arguments.contains { $0.type.isNullable } ? .nullable(type) : type
    }

    func evaluate(
        _ call: FunctionCall, _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        // For `and`: isFalse decides; for `or`: isTrue does. One byte a row each.
        var state = State(rowCount: rowCount)
        for argument in call.arguments {
            if state.undecided == 0, rowCount > 0 { break }
            if argument.canFail, state.undecided < rowCount {
                let rows = state.undecidedRows()
                let picked = argument.gatheringInputs(inputs, rows)
                let column = try argument.evaluate(picked, rowCount: rows.count, context: context)
                state.add(column, isAnd: isAnd, at: rows)
            } else {
                state.add(try argument.evaluate(inputs, rowCount: rowCount, context: context), isAnd: isAnd)
            }
        }
        return state.column(call.type, isAnd: isAnd)
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        var state = State(rowCount: rowCount)
        for column in arguments { state.add(column, isAnd: isAnd) }
        return state.column(type, isAnd: isAnd)
    }

    private struct State {
        /// 1 where the result is known: false for `and`, true for `or`.
        var decided: [UInt8]
        /// 1 where some argument was NULL; nil when none was.
        var unknown: [UInt8]?
        /// Rows not decided yet.
        var undecided: Int

        init(rowCount: Int) {
            decided = [UInt8](repeating: 0, count: rowCount)
            undecided = rowCount
        }

        func undecidedRows() -> [UInt32] {
            var rows: [UInt32] = []
            for row in 0..<decided.count where decided[row] == 0 { rows.append(UInt32(row)) }
            return rows
        }

        mutating func add(_ column: Column, isAnd: Bool, at rows: [UInt32]) {
            var wide = State(rowCount: rows.count)
            wide.add(column, isAnd: isAnd)
            for (position, row) in rows.enumerated() { decided[Int(row)] |= wide.decided[position] }
            if let flags = wide.unknown {
                var all = unknown ?? [UInt8](repeating: 0, count: decided.count)
                for (position, row) in rows.enumerated() { all[Int(row)] |= flags[position] }
                unknown = all
            }
            count()
        }

        mutating func add(_ column: Column, isAnd: Bool) {
            let rows = decided.count
            let flat = column.flattened()
            let nulls = flat.flattenedNulls
            let values = flat.type.base == .nothing ? [UInt8](repeating: 0, count: rows) : truth(flat, count: rows)
            let flip: UInt8 = isAnd ? 1 : 0
            if let nulls {
                let known = mapPairs(.rows(values), .rows(nulls), count: rows) { ($0 ^ flip) & ($1 ^ 1) }
                decided = mapPairs(.rows(decided), .rows(known), count: rows) { $0 | $1 }
                unknown = joinedNulls(unknown, nulls)
            } else {
                decided = mapPairs(.rows(decided), .rows(values), count: rows) { $0 | ($1 ^ flip) }
            }
            count()
        }

        private mutating func count() {
            undecided = decided.count - decided.withUnsafeBufferPointer { bytes in bytes.reduce(0) { $0 &+ Int($1) } }
        }

        func column(_ type: DataType, isAnd: Bool) -> Column {
            let flip: UInt8 = isAnd ? 1 : 0
            let values = mapValues(decided) { $0 ^ flip }
            guard let unknown else { return Column(type: type, data: .uint8(values)) }
            // NULL only where nothing decided.
            let nulls = mapPairs(.rows(unknown), .rows(decided), count: decided.count) { $0 & ($1 ^ 1) }
            return Column(type: type, data: .uint8(values), nulls: nulls)
        }
    }
}

extension BoundExpression {
    /// The inputs with those columns that the expression reads cut to `rows`; the others are left as they are.
    func gatheringInputs(_ inputs: [Column], _ rows: [UInt32]) -> [Column] {
        var used: Set<Int> = []
        forEachColumn { used.insert($0) }
        var result = inputs
        for index in used where index < inputs.count { result[index] = inputs[index].gather(rows) }
        return result
    }
}

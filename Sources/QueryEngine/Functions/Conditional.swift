import Columnar

/// `if(c, a, b)` and `multiIf(c, a, c, a, …, b)`: a NULL condition is false. A branch that can throw is computed only
/// for the rows that take it.
struct ConditionalFunction: RowChoosingFunction {
    let name: String

    var handlesNulls: Bool { true }
    var keepsDictionary: Bool { false }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        guard name == "if" ? arguments.count == 3 : arguments.count >= 3 && arguments.count % 2 == 1 else {
            throw QueryError(
                .wrongArgumentCount,
                "Number of arguments for function \(name) doesn't match: passed \(arguments.count), "
                    + (name == "if" ? "should be 3" : "should be odd and at least 3"))
        }
        var branches: [DataType] = []
        for (index, argument) in arguments.enumerated() {
            if index % 2 == 0, index < arguments.count - 1 {
                let type = argument.type.base
                guard type.isInteger || type == .bool || type == .nothing else {
                    throw illegalArgument(name, index, argument.type, expected: "a condition, UInt8")
                }
            } else {
                branches.append(argument.type)
            }
        }
        return try CommonType.of(branches)
    }

    func evaluate(
        _ call: FunctionCall, _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let arguments = call.arguments
        let last = arguments.count / 2
        var chooser = RowChooser(rowCount: rowCount, fallback: last)
        for branch in 0..<last {
            if chooser.isDecided { break }
            let condition = try chooser.onUndecided(arguments[2 * branch], inputs, context)
            chooser.decide(condition, branch: branch)
        }
        var branches: [BoundExpression] = []
        for branch in 0..<last { branches.append(arguments[2 * branch + 1]) }
        branches.append(arguments[arguments.count - 1])
        return try chooser.gather(branches, inputs, type: call.type, context: context)
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        preconditionFailure("BUG: \(name) evaluates its arguments itself")
    }
}

/// `coalesce(a, b, …)` and `ifNull(a, b)`: the first that is not NULL.
struct CoalesceFunction: RowChoosingFunction {
    let name: String

    var handlesNulls: Bool { true }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        if name == "ifNull" { try checkArity(name, arguments.count, 2...2) }
        var types: [DataType] = []
        for argument in arguments where argument.type.base != .nothing {
            types.append(argument.type)
            // What follows one that is never NULL is never reached.
            if !argument.type.isNullable { break }
        }
        let common = try CommonType.of(types)
        let isNullable = types.allSatisfy { $0.isNullable }
        return isNullable ? common.madeNullable : common.withoutNullable
    }

    func evaluate(
        _ call: FunctionCall, _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let arguments = call.arguments.filter { $0.type.base != .nothing }
        guard let last = arguments.last else { return Column.constant(.null, type: .nothing, count: rowCount) }
        if let first = arguments.first, !first.type.isNullable {
            return try Cast.column(try first.evaluate(inputs, rowCount: rowCount, context: context), to: call.type)
        }
        var chooser = RowChooser(rowCount: rowCount, fallback: arguments.count - 1)
        var computed: [BoundExpression] = []
        var columns = inputs
        for (index, argument) in arguments.dropLast().enumerated() {
            let column = try argument.evaluate(inputs, rowCount: rowCount, context: context)
            // The values are needed again once it is known who takes them.
            columns.append(column)
            computed.append(.column(index: columns.count - 1, type: argument.type))
            let nulls = column.flattenedNulls
            chooser.decide(
                nulls.map { mapValues($0) { $0 ^ 1 } } ?? [UInt8](repeating: 1, count: rowCount), branch: index)
        }
        return try chooser.gather(computed + [last], columns, type: call.type, context: context)
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        preconditionFailure("BUG: \(name) evaluates its arguments itself")
    }
}

extension DataType {
    /// The type without Nullable, LowCardinality kept.
    var withoutNullable: DataType {
        switch self {
        case .nullable(let inner): inner
        case .lowCardinality(let inner): .lowCardinality(inner.withoutNullable)
        default: self
        }
    }
}

/// Which branch each row takes.
struct RowChooser {
    private let rowCount: Int
    private let fallback: Int
    /// The branch of each row; `fallback` while undecided.
    private var choice: [Int32]
    private var undecidedCount: Int

    init(rowCount: Int, fallback: Int) {
        self.rowCount = rowCount
        self.fallback = fallback
        choice = [Int32](repeating: Int32(fallback), count: rowCount)
        undecidedCount = rowCount
    }

    var isDecided: Bool { undecidedCount == 0 }

    /// The condition's truth for every row (0 where already decided): NULL is false.
    func onUndecided(
        _ condition: BoundExpression, _ inputs: [Column], _ context: EvaluationContext
    ) throws(QueryError) -> [UInt8] {
        guard condition.canFail, undecidedCount < rowCount else {
            return mask(try condition.evaluate(inputs, rowCount: rowCount, context: context), rowCount)
        }
        let rows = rows(of: fallback)
        let column = try condition.evaluate(
            condition.gatheringInputs(inputs, rows), rowCount: rows.count, context: context)
        let values = mask(column, rows.count)
        var result = [UInt8](repeating: 0, count: rowCount)
        for (position, row) in rows.enumerated() { result[Int(row)] = values[position] }
        return result
    }

    private func mask(_ column: Column, _ count: Int) -> [UInt8] {
        if column.type.base == .nothing { return [UInt8](repeating: 0, count: count) }
        let flat = column.flattened()
        let values = truth(flat, count: count)
        guard let nulls = flat.nulls else { return values }
        return mapPairs(.rows(values), .rows(nulls), count: count) { $0 & ($1 ^ 1) }
    }

    /// Sends the undecided rows whose byte is 1 to `branch`.
    mutating func decide(_ mask: [UInt8], branch: Int) {
        for row in 0..<rowCount where mask[row] != 0 && choice[row] == Int32(fallback) {
            choice[row] = Int32(branch)
            undecidedCount -= 1
        }
    }

    private func rows(of branch: Int) -> [UInt32] {
        var rows: [UInt32] = []
        for row in 0..<rowCount where choice[row] == Int32(branch) { rows.append(UInt32(row)) }
        return rows
    }

    /// Every row from the branch it takes, as `type`. Branches that no row takes are not computed.
    func gather(
        _ branches: [BoundExpression], _ inputs: [Column], type: DataType, context: EvaluationContext
    ) throws(QueryError) -> Column {
        var counts = [Int](repeating: 0, count: branches.count)
        for row in 0..<rowCount { counts[Int(choice[row])] += 1 }
        if let whole = counts.firstIndex(of: rowCount) {
            let column = try branches[whole].evaluate(inputs, rowCount: rowCount, context: context)
            return try Cast.column(column, to: type)
        }
        var parts: [Column] = []
        var starts = [Int](repeating: 0, count: branches.count)
        var strides = [Int](repeating: 1, count: branches.count)
        var isPacked = [Bool](repeating: false, count: branches.count)
        var total = 0
        for (index, branch) in branches.enumerated() where counts[index] > 0 {
            var column: Column
            if branch.canFail {
                let rows = rows(of: index)
                column = try branch.evaluate(
                    branch.gatheringInputs(inputs, rows), rowCount: rows.count, context: context)
                isPacked[index] = true
            } else {
                column = try branch.evaluate(inputs, rowCount: rowCount, context: context)
            }
            if column.isConstant {
                column = column.slice(0..<1)
                strides[index] = 0
            }
            if !type.isNullable, column.nulls != nil {
                // A branch of coalesce: its NULL rows are taken from other branches.
                column = Column(type: column.type.withoutNullable, data: column.data)
            }
            parts.append(try Cast.column(column, to: type).flattened())
            starts[index] = total
            total += parts[parts.count - 1].count
        }
        var taken = [Int](repeating: 0, count: branches.count)
        var source: [UInt32] = []
        source.reserveCapacity(rowCount)
        for row in 0..<rowCount {
            let branch = Int(choice[row])
            let place = isPacked[branch] ? taken[branch] : row
            taken[branch] += 1
            source.append(UInt32(starts[branch] + strides[branch] * place))
        }
        return Column.concatenate(parts, type: type).gather(source)
    }
}

enum ConditionalFunctions {
    static let all: [any ScalarFunction] = [
        ConditionalFunction(name: "if"), ConditionalFunction(name: "multiIf"), CoalesceFunction(name: "coalesce"),
        CoalesceFunction(name: "ifNull"), NullTest(name: "isNull"), NullTest(name: "isNotNull"),
        NullTest(name: "isZeroOrNull"),
        NullTest(name: "isNullable"), nullIf, assumeNotNull, toNullable,
        ExtremeFunction(name: "least", isGreatest: false), ExtremeFunction(name: "greatest", isGreatest: true),
    ]

    private static let nullIf = PlainFunction(
        "nullIf", 2...2,
        type: { (arguments) throws(QueryError) in
            if arguments.contains(where: { $0.type.base == .nothing }) { return arguments[0].type.madeNullable }
            _ = try ComparisonFunction(operation: .equals).resultType(
                arguments.map {
                    FunctionArgument(
                        type: $0.type.base == .nothing ? arguments[0].type : $0.type.base, constant: $0.constant)
                })
            return arguments[0].type.madeNullable
        },
        body: { (columns, type, count, context) throws(QueryError) in
            if columns.contains(where: { $0.type.base == .nothing }) { return try Cast.column(columns[0], to: type) }
            let sides = columns.map { column in
                column.constantScalar.map { BoundExpression.constant($0, column.type.base) }
                    ?? .column(index: 0, type: column.type.base)
            }
            let equals = ComparisonFunction(operation: .equals)
            let other = try equals.rewritten(sides)?.arguments ?? sides
            let bare = zip(columns, other).map { column, side in
                side.constantValue.map { Column.constant($0, type: side.type, count: count) } ?? column.withoutNulls
            }
            let same = try equals.evaluate(bare, type: .uint8, rowCount: count, context: context).flattened()
            guard case .uint8(let mask) = same.data else { preconditionFailure("BUG: equals gives UInt8") }
            let value = columns[0].flattened()
            var nulls = mask
            if let other = columns[1].flattenedNulls {
                nulls = mapPairs(.rows(nulls), .rows(other), count: count) { $0 & ($1 ^ 1) }
            }
            return Column(type: type, data: value.data, nulls: joinedNulls(value.nulls, nulls))
        }
    ).nullAware

    private static let assumeNotNull = PlainFunction(
        "assumeNotNull", 1...1,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.base != .nothing else {
                throw QueryError(.illegalColumn, "Cannot create non-empty column with type Nothing")
            }
            return arguments[0].type.withoutNullable
        },
        body: { (columns, type, _, _) throws(QueryError) in columns[0].flattened().withoutNulls.withType(type) }
    ).nullAware

    private static let toNullable = PlainFunction(
        "toNullable", 1...1,
        type: { (arguments) throws(QueryError) in arguments[0].type.madeNullable },
        body: { (columns, type, _, _) throws(QueryError) in columns[0].withType(type) }
    ).nullAware
}

/// `isNull`, `isNotNull`, `isZeroOrNull`, `isNullable`.
private struct NullTest: ScalarFunction {
    let name: String

    var handlesNulls: Bool { true }
    var keepsDictionary: Bool { false }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 1...1)
        let type = arguments[0].type
        guard name != "isZeroOrNull" || type.isNumeric || type.base == .nothing else {
            throw illegalArgument(name, 0, type)
        }
        return .uint8
    }

    func knownResult(_ arguments: [FunctionArgument]) -> Scalar? {
        guard let type = arguments.first?.type else { return nil }
        switch name {
        case "isNullable": return .uint(type.isNullable ? 1 : 0)
        case "isNull" where !type.isNullable: return .uint(0)
        case "isNotNull" where !type.isNullable: return .uint(1)
        default: return nil
        }
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let column = arguments[0]
        let nulls = column.flattenedNulls
        let mask: [UInt8]
        switch name {
        case "isNull": mask = nulls ?? repeated(false, rowCount)
        case "isNotNull": mask = nulls.map { mapValues($0) { $0 ^ 1 } } ?? repeated(true, rowCount)
        default:
            let zeros =
                column.type.base == .nothing
                ? repeated(true, rowCount) : mapValues(truth(column, count: rowCount)) { $0 ^ 1 }
            mask = joinedNulls(zeros, nulls) ?? zeros
        }
        return Column(type: type, data: .uint8(mask))
    }
}

/// `least` and `greatest`: of those that are not NULL.
private struct ExtremeFunction: ScalarFunction {
    let name: String
    let isGreatest: Bool

    var handlesNulls: Bool { true }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 1...1000)
        // A Bool here is a number.
        return try CommonType.of(arguments.map { $0.type.base == .bool ? .uint8 : $0.type })
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        var best: Column?
        for argument in arguments where argument.type.base != .nothing {
            let next = try Cast.column(argument, to: type).flattened()
            guard let current = best else {
                best = next
                continue
            }
            var takes = try compareColumns(
                isGreatest ? .greater : .less, next.withoutNulls, current.withoutNulls, count: rowCount)
            for row in 0..<rowCount {
                if current.isNull(at: row) || isNaN(current, row) { takes[row] = 1 }
                if next.isNull(at: row) { takes[row] = 0 }
            }
            let rows = (0..<rowCount).map { UInt32(takes[$0] == 1 ? $0 + rowCount : $0) }
            best = Column.concatenate([current, next], type: type).gather(rows)
        }
        return best ?? Column.constant(.null, type: .nothing, count: rowCount)
    }

    private func isNaN(_ column: Column, _ row: Int) -> Bool {
        switch column.data {
        case .float64(let values): values[row].isNaN
        case .float32(let values): values[row].isNaN
        default: false
        }
    }
}

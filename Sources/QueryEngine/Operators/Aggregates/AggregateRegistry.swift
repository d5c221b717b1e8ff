import Columnar

/// The aggregate functions by name, with their combinators.
enum AggregateRegistry {
    /// The names without combinators, in ClickHouse's spelling, sorted.
    static let names: [String] =
        (Array(plain) + Array(aliases.keys) + ["count"]).sorted()

    private static let plain: Set<String> = [
        "sum", "avg", "min", "max", "any", "anyLast", "argMin", "argMax", "uniq", "uniqExact", "quantile", "quantiles",
        "quantileExact", "quantilesExact", "quantileTDigest", "quantilesTDigest", "quantileTiming", "quantilesTiming",
        "median", "medianExact", "medianTDigest", "groupArray", "groupUniqArray", "topK", "stddevPop", "stddevSamp",
        "varPop", "varSamp", "corr", "covarPop", "covarSamp", "groupBitAnd", "groupBitOr", "groupBitXor",
    ]

    private static let aliases: [String: String] = [
        "uniqCombined": "uniq", "uniqCombined64": "uniq", "uniqHLL12": "uniq", "uniqTheta": "uniq",
        "any_value": "any", "first_value": "any", "last_value": "anyLast", "anyValue": "any",
        "stddev_pop": "stddevPop", "stddev_samp": "stddevSamp", "STDDEV_POP": "stddevPop",
        "STDDEV_SAMP": "stddevSamp", "var_pop": "varPop", "var_samp": "varSamp", "VAR_POP": "varPop",
        "VAR_SAMP": "varSamp", "array_agg": "groupArray",
        "medianTiming": "quantileTiming", "approx_top_k": "topK", "quantileBFloat16": "quantile",
        "quantileDD": "quantile", "sumWithOverflow": "sum", "sumKahan": "sum",
        "BIT_AND": "groupBitAnd", "BIT_OR": "groupBitOr", "BIT_XOR": "groupBitXor",
    ]

    /// SQL's own aggregates are known in any case.
    private static let anyCase: Set<String> = ["count", "sum", "avg", "min", "max", "corr", "covarpop", "any_value"]

    /// Whether the name is taken in any case.
    static func isCaseInsensitive(_ name: String) -> Bool { anyCase.contains(name.lowercased()) }

    /// The name that an alias stands for; nil when it is none.
    static func aliasTarget(of name: String) -> String? { aliases[name] }

    /// A name taken apart: `sumIf` is `sum` with a condition.
    struct ParsedName {
        var base: String
        var hasCondition = false
        var isOrNull = false
        var isDistinct = false
        var isOrDefault = false
    }

    /// Takes a name apart; nil when it is no aggregate function's.
    static func parse(_ name: String) -> ParsedName? {
        if let base = baseName(name) { return ParsedName(base: base) }
        let combinators = ["OrNull", "OrDefault", "Distinct", "If"]
        for suffix in combinators where name.hasSuffix(suffix) {
            guard var inner = parse(String(name.dropLast(suffix.count))) else { continue }
            switch suffix {
            case "If":
                if inner.hasCondition { return nil }
                inner.hasCondition = true
            case "OrNull": inner.isOrNull = true
            case "OrDefault": inner.isOrDefault = true
            default: inner.isDistinct = true
            }
            return inner
        }
        return nil
    }

    /// Whether the name is that of an aggregate function.
    static func isAggregate(_ name: String) -> Bool { parse(name) != nil }

    private static func baseName(_ name: String) -> String? {
        if name == "count" || plain.contains(name) { return name }
        if let real = aliases[name] { return real }
        let lower = name.lowercased()
        return anyCase.contains(lower) ? (lower == "covarpop" ? "covarPop" : lower) : nil
    }

    // MARK: Making a function ready

    /// The function for these arguments. `types` includes the condition of `-If`, last.
    static func make(
        _ name: String, parameters: [Scalar], types: [DataType], isDistinct: Bool
    ) throws(QueryError) -> AggregateFunction {
        guard var parsed = parse(name) else {
            let meant = nearestName(to: name, in: names)
            throw QueryError(
                .unknownAggregate,
                "Unknown aggregate function \(name)" + (meant.map { ". Maybe you meant: ['\($0)']" } ?? ""))
        }
        parsed.isDistinct = parsed.isDistinct || isDistinct
        var types = types
        if parsed.hasCondition { try checkCondition(types.popLast(), name: name) }
        if parsed.base == "count" && parsed.isDistinct && !types.isEmpty {
            // ClickHouse counts distinct values by uniqExact, by default.
            parsed.base = "uniqExact"
            parsed.isDistinct = false
        }
        let bare = types.map { $0.base }
        var function = try AggregateMaker(name: name, parameters: parameters, types: bare).make(parsed.base)
        function.name = name
        wrap(&function, parsed, types: types)
        return function
    }

    private static func checkCondition(_ type: DataType?, name: String) throws(QueryError) {
        guard let type else {
            throw QueryError(
                .wrongArgumentCount, "Aggregate function \(name) requires a condition as its last argument")
        }
        guard type.isNumeric || type.base == .nothing else {
            throw QueryError(
                .illegalArgumentType,
                "Illegal type \(type.name) of last argument for aggregate function \(name): must be UInt8")
        }
    }

    private static func wrap(_ function: inout AggregateFunction, _ parsed: ParsedName, types: [DataType]) {
        let bare = types.map { $0.base }
        let make = function.makeState
        let isCount = parsed.base == "count"
        var makeState = make
        if parsed.isDistinct { makeState = { DistinctState(make(), types: bare) } }
        let yieldsArray: Bool
        if case .array = function.resultType { yieldsArray = true } else { yieldsArray = false }
        let counts = isCount || parsed.base.hasPrefix("uniq")
        let hasNullable = types.contains { $0.isNullable }
        if parsed.isOrNull || (hasNullable && !counts && !yieldsArray && !function.takesNulls && !parsed.isOrDefault) {
            function.resultType = function.resultType.madeNullable
            let inner = makeState
            makeState = { OrNullState(inner()) }
        }
        let takesNulls = function.takesNulls
        if parsed.hasCondition || (hasNullable && !takesNulls) {
            let inner = makeState
            let hasCondition = parsed.hasCondition
            makeState = { FilteredState(inner(), hasCondition: hasCondition, takesNulls: takesNulls) }
        }
        if parsed.isDistinct || parsed.isOrNull || parsed.hasCondition || hasNullable { function.sharing = nil }
        function.countsRows = isCount && !parsed.hasCondition && !hasNullable && !parsed.isDistinct
        function.makeState = makeState
    }

    /// What `sum` of a type is: 64 bits of the same kind.
    static func sumType(_ type: DataType) -> DataType {
        if type.isFloat { return .float64 }
        switch type.physical {
        case .int8, .int16, .int32, .int64: return .int64
        default: return .uint64
        }
    }
}

/// Makes one aggregate function for arguments of types without Nullable and LowCardinality.
private struct AggregateMaker {
    let name: String
    let parameters: [Scalar]
    let types: [DataType]

    func make(_ base: String) throws(QueryError) -> AggregateFunction {
        switch base {
        case "count":
            if types.count > 1 { throw wrongCount("at most 1") }
            return function(.uint64) { CountState() }
        case "sum":
            let type = AggregateRegistry.sumType(try number())
            return function(type) { SumState(resultType: type) }
        case "avg":
            let type = try number()
            return function(.float64) { AverageState(argument: type) }
        case "min", "max":
            let type = try only()
            return function(type) { makeExtremeState(type: type, isMaximum: base == "max") }
        case "any", "anyLast":
            let type = try only()
            return function(type) { ChosenValueState(type: type, rule: base == "any" ? .first : .last) }
        case "argMin", "argMax":
            try count(2)
            let type = types[0]
            return function(type) {
                ChosenValueState(type: type, rule: base == "argMin" ? .smallest : .largest, comparesSecond: true)
            }
        case "uniq", "uniqExact":
            if types.isEmpty { throw wrongCount("at least 1") }
            let types = types
            return base == "uniq"
                ? function(.uint64) { UniqueState() } : function(.uint64) { makeUniqueExactState(types) }
        case "stddevPop", "stddevSamp", "varPop", "varSamp":
            _ = try number()
            return function(.float64) {
                VarianceState(isSample: base.hasSuffix("Samp"), isRoot: base.hasPrefix("stddev"))
            }
        case "corr", "covarPop", "covarSamp":
            try count(2)
            for type in types { try checkNumber(type) }
            let kind: CovarianceState.Kind =
                base == "corr" ? .correlation : base == "covarPop" ? .population : .sample
            return function(.float64) { CovarianceState(kind) }
        case "groupBitAnd", "groupBitOr", "groupBitXor":
            let type = try only()
            guard type.isInteger else { throw illegal(type) }
            let kind: BitState.Kind = base == "groupBitAnd" ? .and : base == "groupBitOr" ? .or : .xor
            return function(type) { BitState(kind, type: type) }
        case "groupArray", "groupUniqArray", "topK": return try collecting(base)
        default: return try quantile(base)
        }
    }

    private func collecting(_ base: String) throws(QueryError) -> AggregateFunction {
        let type = try only()
        let limit = try parameters.first.map { (value) throws(QueryError) in try positive(value) }
        switch base {
        case "groupArray":
            return function(.array(type)) {
                CollectedState(element: type, resultType: .array(type), outcome: .array, limit: limit)
            }
        case "groupUniqArray":
            return function(.array(type)) { DistinctValuesState(element: type, top: nil, limit: limit) }
        default:
            return function(.array(type)) { DistinctValuesState(element: type, top: limit ?? 10) }
        }
    }

    private func quantile(_ base: String) throws(QueryError) -> AggregateFunction {
        let type = try only()
        guard type.isNumeric || type.isTemporal else { throw illegal(type) }
        var levels: [Double] = []
        for parameter in parameters { levels.append(try level(parameter)) }
        let isMany = base.hasPrefix("quantiles")
        if !isMany && levels.count > 1 { throw wrongCount("at most one parameter and 1 argument", "parameters") }
        if base.hasPrefix("median") || levels.isEmpty { levels = [0.5] }
        if base.hasSuffix("Exact") {
            let resultType = isMany ? DataType.array(type) : type
            let outcome = CollectedState.Outcome.levels(levels)
            return function(resultType) { CollectedState(element: type, resultType: resultType, outcome: outcome) }
        }
        let isNarrow = base.hasSuffix("TDigest") || base.hasSuffix("Timing")
        let value: DataType = type.isTemporal ? type : isNarrow ? .float32 : .float64
        let resultType = isMany ? DataType.array(value) : value
        let wanted = levels
        let interpolates = !base.hasSuffix("Timing") && !type.isTemporal
        var result = function(resultType) {
            QuantileState(levels: wanted, resultType: resultType, interpolates: interpolates)
        }
        result.sharing = AggregateFunction.Sharing(key: "quantile") { state in
            guard let state = state as? QuantileState else {
                preconditionFailure("BUG: a state that is shared by none")
            }
            return state.finish(levels: wanted, resultType: resultType, interpolates: interpolates)
        }
        return result
    }

    // MARK: Checks

    private func function(
        _ type: DataType, _ makeState: @escaping @Sendable () -> any AggregateState
    ) -> AggregateFunction {
        AggregateFunction(name: name, resultType: type, makeState: makeState)
    }

    private func count(_ expected: Int) throws(QueryError) {
        if types.count != expected { throw wrongCount("\(expected)") }
    }

    private func only() throws(QueryError) -> DataType {
        try count(1)
        return types[0]
    }

    private func number() throws(QueryError) -> DataType {
        let type = try only()
        try checkNumber(type)
        return type
    }

    private func checkNumber(_ type: DataType) throws(QueryError) {
        guard type.isNumeric || type == .nothing else { throw illegal(type) }
    }

    private func level(_ parameter: Scalar) throws(QueryError) -> Double {
        let value: Double?
        switch parameter {
        case .float(let number): value = number
        case .int(let number): value = Double(number)
        case .uint(let number): value = Double(number)
        default: value = nil
        }
        guard let value, value >= 0, value <= 1 else {
            throw QueryError(.argumentOutOfBound, "Quantile level of \(name) must be a number between 0 and 1")
        }
        return value
    }

    private func positive(_ parameter: Scalar) throws(QueryError) -> Int {
        switch parameter {
        case .uint(let number) where number > 0 && number < 1 << 31: return Int(number)
        case .int(let number) where number > 0 && number < 1 << 31: return Int(number)
        default: throw QueryError(.badArguments, "Parameter of aggregate function \(name) should be a positive number")
        }
    }

    private func wrongCount(_ expected: String, _ what: String = "arguments") -> QueryError {
        QueryError(
            .wrongArgumentCount,
            "Number of \(what) for aggregate function \(name) doesn't match: passed \(types.count), "
                + "should be \(expected)")
    }

    private func illegal(_ type: DataType) -> QueryError {
        QueryError(.illegalArgumentType, "Illegal type \(type.name) of argument for aggregate function \(name)")
    }
}

import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// What fits nowhere else: types, the server, identity, random numbers.

enum MiscFunctions {
    /// The version that `version()` shows: ClickHouse's clients read capabilities from it.
    static let version = "25.8.1.1"

    static let all: [any ScalarFunction] =
        [TypeNameFunction(name: "toTypeName")] + identities + server + random + [
            toLowCardinality, throwIf, transform, bar,
        ]

    private static let identities: [any ScalarFunction] = [
        Materialize(),
        PlainFunction(
            "identity", 1...1, type: { (arguments) throws(QueryError) in arguments[0].type },
            body: { (columns, type, _, _) throws(QueryError) in columns[0] }
        ).nullAware,
        PlainFunction("ignore", 0...1000, .uint8) { (_, type, count, _) throws(QueryError) in
            Column.constant(.uint(0), type: type, count: count)
        }.nullAware,
    ]

    private static func text(_ name: String, _ body: @escaping @Sendable (EvaluationContext) -> String)
        -> any ScalarFunction
    {
        PlainFunction(name, 0...0, .string) { (_, type, count, context) throws(QueryError) in
            Column.constant(.string(Array(body(context).utf8)), type: type, count: count)
        }.contextual
    }

    private static let server: [any ScalarFunction] = [
        text("version") { _ in version }, text("currentDatabase") { $0.database },
        text("currentUser") { _ in "default" },
        text("hostName") { _ in hostName }, text("fullHostName") { _ in hostName },
        text("displayName") { _ in hostName },
        PlainFunction("uptime", 0...0, .uint32) { (_, type, count, _) throws(QueryError) in
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            let seconds = Int64(now.tv_sec) - startedAt
            return Column.constant(.uint(UInt64(max(0, seconds))), type: type, count: count)
        }.contextual,
        PlainFunction("revision", 0...0, .uint32) { (_, type, count, _) throws(QueryError) in
            Column.constant(.uint(54_480), type: type, count: count)
        },
        PlainFunction("tcpPort", 0...0, .uint16) { (_, type, count, _) throws(QueryError) in
            Column.constant(.uint(9000), type: type, count: count)
        },
    ]

    /// When the function was first needed counts as the start, seconds of the steady clock; see `markStart`.
    private static let startedAt: Int64 = {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec)
    }()

    /// Notes the start for `uptime()`.
    static func markStart() { _ = startedAt }

    private static let hostName: String = {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    // MARK: Random

    private static let random: [any ScalarFunction] = [
        PlainFunction("rand", 0...1, .uint32) { (_, type, count, _) throws(QueryError) in
            var generator = BlockRandom()
            return Column(
                type: type, data: .uint32((0..<count).map { _ in UInt32(truncatingIfNeeded: generator.next() >> 32) }))
        }.volatile,
        PlainFunction("rand64", 0...1, .uint64) { (_, type, count, _) throws(QueryError) in
            var generator = BlockRandom()
            return Column(type: type, data: .uint64((0..<count).map { _ in generator.next() }))
        }.volatile,
        PlainFunction("randCanonical", 0...1, .float64) { (_, type, count, _) throws(QueryError) in
            var generator = BlockRandom()
            return Column(
                type: type,
                data: .float64((0..<count).map { _ in Double(generator.next() >> 11) / 9_007_199_254_740_992 }))
        }.volatile,
        PlainFunction("generateUUIDv4", 0...1, .uuid) { (_, type, count, _) throws(QueryError) in
            var generator = SystemRandomNumberGenerator()
            return Column(
                type: type,
                data: .uint128(
                    (0..<count).map { _ in
                        let bits = UInt128(generator.next() as UInt64) << 64 | UInt128(generator.next() as UInt64)
                        // Version 4, variant 1.
                        return bits & ~(UInt128(0xF) << 76) & ~(UInt128(3) << 62) | UInt128(4) << 76 | UInt128(2) << 62
                    }))
        }.volatile,
    ]

    /// SplitMix64 from a random seed.
    private struct BlockRandom {
        var state: UInt64

        init() {
            var system = SystemRandomNumberGenerator()
            state = system.next()
        }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    // MARK: Others

    private static let toLowCardinality = PlainFunction(
        "toLowCardinality", 1...1,
        type: { (arguments) throws(QueryError) in
            guard LowCardinalityRules.allows(arguments[0].type) else {
                throw illegalArgument("toLowCardinality", 0, arguments[0].type)
            }
            return .lowCardinality(arguments[0].type)
        },
        body: { (columns, type, _, _) throws(QueryError) in columns[0].withType(type) }
    ).nullAware.flattening

    private static let throwIf = PlainFunction(
        "throwIf", 1...2, canFail: true,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isNumeric else { throw illegalArgument("throwIf", 0, arguments[0].type) }
            return .uint8
        },
        body: { (columns, type, count, _) throws(QueryError) in
            if truth(columns[0], count: count).contains(1) {
                let message =
                    columns.count > 1 ? columns[1].constantBytes.map { String(decoding: $0, as: UTF8.self) } : nil
                throw QueryError(
                    QueryError.Code(395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
                    message ?? "Value passed to 'throwIf' function is non-zero")
            }
            return Column.constant(.uint(0), type: type, count: count)
        })

    private static let transform = PlainFunction(
        "transform", 3...4,
        type: { (arguments) throws(QueryError) in
            guard case .array = arguments[1].type, case .array(let target) = arguments[2].type,
                arguments[1].constant != nil,
                arguments[2].constant != nil
            else {
                throw QueryError(
                    .illegalArgumentType, "transform takes two constant arrays as second and third arguments")
            }
            return try CommonType.of([target, arguments.count > 3 ? arguments[3].type : arguments[0].type])
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let fallback = try Cast.column(columns.count > 3 ? columns[3] : columns[0], to: type).flattened()
            guard case .array(let from)? = columns[1].constantScalar, case .array(let to)? = columns[2].constantScalar,
                case .array(let source) = columns[1].type.base, case .array(let target) = columns[2].type.base,
                from.count == to.count
            else { throw QueryError(.badArguments, "The arrays of transform must have the same length") }
            var places: [Scalar: Int] = [:]
            for (index, value) in from.enumerated() {
                if let key = ConstantSet.convert(value, source, to: columns[0].type.base), places[key] == nil {
                    places[key] = index
                }
            }
            let targets = try Cast.column(Column(type: target, scalars: to), to: type).flattened()
            let rows = (0..<count).map { row in
                UInt32(places[columns[0].scalar(at: row)].map { count + $0 } ?? row)
            }
            return Column.concatenate([fallback, targets], type: type).gather(rows)
        })

    private static let bar = PlainFunction(
        "bar", 3...4,
        type: { (arguments) throws(QueryError) in
            for (index, argument) in arguments.enumerated() where !argument.type.isNumeric {
                throw illegalArgument("bar", index, argument.type)
            }
            return .string
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let parts = columns.map { $0.flattened().data.doubles() }
            var strings = StringData()
            let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
            for row in 0..<count {
                let width = parts.count > 3 ? min(max(parts[3][row], 1), 1000) : 80
                let (low, high) = (parts[1][row], parts[2][row])
                let share = high > low ? (min(max(parts[0][row], low), high) - low) / (high - low) : 0
                let units = share.isFinite ? Int(share * width * 8) : 0
                strings.append((String(repeating: "█", count: units / 8) + eighths[units % 8]).utf8)
            }
            return Column(type: type, data: .string(strings))
        })
}

/// `toTypeName(x)`.
private struct TypeNameFunction: ScalarFunction {
    let name: String
    var handlesNulls: Bool { true }
    var seesWholeTypes: Bool { true }
    var keepsDictionary: Bool { false }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 1...1)
        return .string
    }

    func knownResult(_ arguments: [FunctionArgument]) -> Scalar? {
        arguments.first.map { .string(Array($0.type.name.utf8)) }
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        Column.constant(.string(Array(arguments[0].type.name.utf8)), type: type, count: rowCount)
    }
}

/// `materialize(x)`: the same value, no longer a constant.
private struct Materialize: ScalarFunction {
    let name = "materialize"
    var handlesNulls: Bool { true }
    var seesWholeTypes: Bool { true }
    var keepsDictionary: Bool { false }
    /// Neither folded nor kept as a constant column.
    var isDeterministic: Bool { false }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 1...1)
        return arguments[0].type
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        arguments[0].flattened()
    }
}

import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The cube root, one step nearer than the C library's.
private func refinedCubeRoot(_ value: Double) -> Double {
    let root = cbrt(value)
    guard root.isFinite, root != 0 else { return root }
    return root - (root * root * root - value) / (3 * root * root)
}

enum MathFunctions {
    static let all: [any ScalarFunction] = unary + binary + constants + tests + [factorial, ifNotFinite]

    private static func unary(_ name: String, _ body: @escaping @Sendable (Double) -> Double) -> any ScalarFunction {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isNumeric else { throw illegalArgument(name, 0, arguments[0].type) }
                return .float64
            },
            body: { (columns, type, _, _) throws(QueryError) in
                Column(type: type, data: .float64(mapValues(columns[0].flattened().data.doubles()) { body($0) }))
            })
    }

    private static let unary: [any ScalarFunction] = [
        unary("exp") { exp($0) }, unary("exp2") { exp2($0) }, unary("exp10") { pow(10, $0) }, unary("log") { log($0) },
        unary("log2") { log2($0) }, unary("log10") { log10($0) }, unary("log1p") { log1p($0) },
        unary("sqrt") { $0.squareRoot() }, unary("cbrt") { refinedCubeRoot($0) }, unary("sin") { sin($0) },
        unary("cos") { cos($0) },
        unary("tan") { tan($0) }, unary("asin") { asin($0) }, unary("acos") { acos($0) }, unary("atan") { atan($0) },
        unary("sinh") { sinh($0) }, unary("cosh") { cosh($0) }, unary("tanh") { tanh($0) },
        unary("asinh") { asinh($0) },
        unary("acosh") { acosh($0) }, unary("atanh") { atanh($0) }, unary("erf") { erf($0) },
        unary("erfc") { erfc($0) },
        unary("tgamma") { tgamma($0) }, unary("lgamma") { lgamma($0) }, unary("sigmoid") { 1 / (1 + exp(-$0)) },
        unary("degrees") { $0 * 180 / .pi }, unary("radians") { $0 * .pi / 180 },
    ]

    private static func binary(_ name: String, _ body: @escaping @Sendable (Double, Double) -> Double)
        -> any ScalarFunction
    {
        PlainFunction(
            name, 2...2,
            type: { (arguments) throws(QueryError) in
                for index in 0..<2 where !arguments[index].type.isNumeric {
                    throw illegalArgument(name, index, arguments[index].type)
                }
                return .float64
            },
            body: { (columns, type, count, _) throws(QueryError) in
                Column(
                    type: type,
                    data: .float64(mapPairs(columns[0].doubles(), columns[1].doubles(), count: count) { body($0, $1) }))
            })
    }

    private static let binary: [any ScalarFunction] = [
        binary("pow") { pow($0, $1) }, binary("atan2") { atan2($0, $1) }, binary("hypot") { hypot($0, $1) },
        binary("min2") { Swift.min($0, $1) }, binary("max2") { Swift.max($0, $1) },
    ]

    private static func constant(_ name: String, _ value: Double) -> any ScalarFunction {
        PlainFunction(name, 0...0, .float64) { (_, type, count, _) throws(QueryError) in
            Column.constant(.float(value), type: type, count: count)
        }
    }

    private static let constants: [any ScalarFunction] = [constant("pi", .pi), constant("e", M_E)]

    private static func test(_ name: String, _ body: @escaping @Sendable (Double) -> Bool) -> any ScalarFunction {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isNumeric else { throw illegalArgument(name, 0, arguments[0].type) }
                return .uint8
            },
            body: { (columns, type, _, _) throws(QueryError) in
                Column(type: type, data: .uint8(mapValues(columns[0].flattened().data.doubles()) { byte(body($0)) }))
            })
    }

    private static let tests: [any ScalarFunction] = [
        test("isNaN") { $0.isNaN }, test("isFinite") { $0.isFinite }, test("isInfinite") { $0.isInfinite },
    ]

    private static let ifNotFinite = PlainFunction(
        "ifNotFinite", 2...2,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isNumeric else { throw illegalArgument("ifNotFinite", 0, arguments[0].type) }
            return try CommonType.of(arguments.map(\.type))
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let values = mapPairs(columns[0].doubles(), columns[1].doubles(), count: count) { $0.isFinite ? $0 : $1 }
            return try Cast.column(Column(type: .float64, data: .float64(values)), to: type)
        })

    private static let factorial = PlainFunction(
        "factorial", 1...1, canFail: true,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isInteger else { throw illegalArgument("factorial", 0, arguments[0].type) }
            return .uint64
        },
        body: { (columns, type, _, _) throws(QueryError) in
            let values = columns[0].integerRows(as: Int64.self)
            if values.contains(where: { $0 > 20 }) {
                throw QueryError(.badArguments, "The maximum value accepted by factorial is 20")
            }
            return Column(type: type, data: .uint64(mapValues(values) { $0 < 2 ? 1 : (2...UInt64($0)).reduce(1, *) }))
        })
}

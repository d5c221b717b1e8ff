import Columnar

/// A scalar function made of two closures: most are no more than that.
struct PlainFunction: ScalarFunction {
    typealias Typing = @Sendable ([FunctionArgument]) throws(QueryError) -> DataType
    typealias Body = @Sendable ([Column], DataType, Int, EvaluationContext) throws(QueryError) -> Column

    let name: String
    /// How many arguments it takes.
    let arity: ClosedRange<Int>
    var canFail = false
    var isDeterministic = true
    var needsContext = false
    var handlesNulls = false
    var keepsDictionary = true
    let typing: Typing
    let body: Body

    init(
        _ name: String, _ arity: ClosedRange<Int>, canFail: Bool = false, type: @escaping Typing, body: @escaping Body
    ) {
        self.name = name
        self.arity = arity
        self.canFail = canFail
        typing = type
        self.body = body
    }

    /// A function whose result type does not depend on its arguments.
    init(
        _ name: String, _ arity: ClosedRange<Int>, _ type: DataType, canFail: Bool = false, body: @escaping Body
    ) {
        self.init(name, arity, canFail: canFail, type: { (_) throws(QueryError) in type }, body: body)
    }

    /// A copy that sees NULLs itself.
    var nullAware: PlainFunction {
        var copy = self
        copy.handlesNulls = true
        return copy
    }

    /// A copy that is never folded or computed once for many rows.
    var volatile: PlainFunction {
        var copy = self
        copy.isDeterministic = false
        return copy
    }

    /// A copy that depends on the query's time or database.
    var contextual: PlainFunction {
        var copy = self
        copy.needsContext = true
        return copy
    }

    /// A copy that never answers with a dictionary.
    var flattening: PlainFunction {
        var copy = self
        copy.keepsDictionary = false
        return copy
    }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, arity)
        return try typing(arguments)
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        try body(arguments, type, rowCount, context)
    }
}

/// Throws `.wrongArgumentCount` unless `count` lies in `arity`.
func checkArity(_ name: String, _ count: Int, _ arity: ClosedRange<Int>) throws(QueryError) {
    guard !arity.contains(count) else { return }
    let wanted =
        arity.lowerBound == arity.upperBound
        ? "\(arity.lowerBound)"
        : arity.upperBound >= 100 ? "at least \(arity.lowerBound)" : "\(arity.lowerBound) to \(arity.upperBound)"
    throw QueryError(
        .wrongArgumentCount,
        "Number of arguments for function \(name) doesn't match: passed \(count), should be \(wanted)")
}

/// `.illegalArgumentType` for the argument at `index`.
func illegalArgument(_ name: String, _ index: Int, _ type: DataType, expected: String = "") -> QueryError {
    let ordinals = ["first", "second", "third", "fourth", "fifth"]
    let which = index < ordinals.count ? ordinals[index] : "\(index + 1)th"
    let hint = expected.isEmpty ? "" : ", expected \(expected)"
    return QueryError(.illegalArgumentType, "Illegal type \(type.name) of \(which) argument of function \(name)\(hint)")
}

// MARK: Constants among the arguments

extension FunctionArgument {
    /// The bytes, when the argument is a constant string.
    var constantBytes: [UInt8]? {
        if case .string(let bytes)? = constant { return bytes }
        return nil
    }

    /// The text, when the argument is a constant string.
    var constantText: String? { constantBytes.map { String(decoding: $0, as: UTF8.self) } }

    /// The number, when the argument is a constant integer.
    var constantInteger: Int64? { constant?.asInteger }
}

extension Scalar {
    /// As a signed integer; nil when it is none or too large.
    var asInteger: Int64? {
        switch self {
        case .int(let value): value
        case .uint(let value): Int64(exactly: value)
        default: nil
        }
    }
}

extension Column {
    /// The value of a constant column.
    var constantScalar: Scalar? {
        guard case .constant(let value, _) = data else { return nil }
        return value.scalar(at: 0)
    }

    /// The bytes of a constant string column.
    var constantBytes: [UInt8]? {
        if case .string(let bytes)? = constantScalar { return bytes }
        return nil
    }

    /// All rows as strings; a constant is unfolded. A column of another type is a bug.
    var strings: StringData {
        guard case .string(let values) = flattened().data else { preconditionFailure("BUG: \(type) is no string") }
        return values
    }
}

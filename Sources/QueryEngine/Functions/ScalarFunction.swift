import Columnar
import Disk

/// A function from columns to a column, row by row: `lower(s)`, `plus(a, b)`, `toStartOfHour(t)`.
///
/// `evaluate` works a block at a time. The evaluator around it (see `FunctionCall`) does what is the same for all:
/// NULL in, NULL out (arguments come without `nulls` unless `handlesNulls`), a dictionary argument evaluated once per
/// distinct value, and constants folded.
public protocol ScalarFunction: Sendable {
    /// ClickHouse's name, in its spelling.
    var name: String { get }
    /// Whether the function sees NULLs itself (`isNull`, `coalesce`, `if` …).
    var handlesNulls: Bool { get }
    /// Whether equal arguments give equal results within a query (`rand` does not).
    var isDeterministic: Bool { get }
    /// Whether the result depends on the query's time or database, so that it cannot be folded without them.
    var needsContext: Bool { get }
    /// Whether a row's values can make it throw (a cast of text, a division by zero). Then rows that do not count
    /// (NULL, or the branch not taken) are kept from it.
    var canFail: Bool { get }
    /// Whether the result over a LowCardinality argument may be a dictionary too; `materialize` says no.
    var keepsDictionary: Bool { get }
    /// Whether `resultType` gets the arguments' types with LowCardinality (`toTypeName`).
    var seesWholeTypes: Bool { get }
    /// The value, when the arguments' types alone decide it (`toTypeName`, `isNull` of what cannot be NULL).
    func knownResult(_ arguments: [FunctionArgument]) -> Scalar?
    /// The result's type for these arguments; unless `handlesNulls`, arguments come without Nullable, and the
    /// evaluator makes the result Nullable when one was. LowCardinality is always taken off.
    /// Throws `.wrongArgumentCount`, `.illegalArgumentType`.
    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType
    /// The function and arguments to use instead, when these are better put otherwise (a constant string beside a
    /// date becomes a date); nil when not.
    func rewritten(
        _ arguments: [BoundExpression]
    ) throws(QueryError) -> (function: any ScalarFunction, arguments: [BoundExpression])?
    /// The function made ready for these arguments: patterns compiled, sets built. Called once a query.
    func prepared(_ arguments: [FunctionArgument], type: DataType) throws(QueryError) -> any ScalarFunction
    /// Computes `rowCount` rows. `type` is what `resultType` said. Arguments are flat or `.constant`, their type
    /// without LowCardinality. When all are constant, `rowCount` is 1.
    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column
}

extension ScalarFunction {
    /// NULL in, NULL out.
    public var handlesNulls: Bool { false }
    /// The same arguments give the same result.
    public var isDeterministic: Bool { true }
    /// The arguments alone decide.
    public var needsContext: Bool { false }
    /// Every value has a result.
    public var canFail: Bool { false }
    /// Over a dictionary it is evaluated once a distinct value.
    public var keepsDictionary: Bool { true }
    /// LowCardinality does not matter.
    public var seesWholeTypes: Bool { false }
    /// Rows decide.
    public func knownResult(_ arguments: [FunctionArgument]) -> Scalar? { nil }
    /// As they are.
    public func rewritten(
        _ arguments: [BoundExpression]
    ) throws(QueryError) -> (function: any ScalarFunction, arguments: [BoundExpression])? { nil }
    /// Nothing to prepare.
    public func prepared(_ arguments: [FunctionArgument], type: DataType) throws(QueryError) -> any ScalarFunction {
        self
    }
}

/// What is known of an argument before any row is read.
public struct FunctionArgument: Sendable {
    /// The argument's type.
    public var type: DataType
    /// The value, when the argument is constant (for formats, precisions, zones, patterns).
    public var constant: Scalar?

    /// Creates an argument description.
    public init(type: DataType, constant: Scalar? = nil) {
        self.type = type
        self.constant = constant
    }
}

/// What holds for a whole query.
public struct EvaluationContext: Sendable {
    /// The time `now()` shows, nanoseconds since 1970-01-01 UTC, the same for the whole query.
    public var nowNs: Int64
    /// For `currentDatabase()`.
    public var database: String
    /// Called now and then in long loops; throws when the query was cancelled or ran out of time.
    public var checkpoint: @Sendable () throws(QueryError) -> Void

    /// Creates a context.
    public init(
        nowNs: Int64, database: String = "default", checkpoint: @escaping @Sendable () throws(QueryError) -> Void = {}
    ) {
        self.nowNs = nowNs
        self.database = database
        self.checkpoint = checkpoint
    }
}

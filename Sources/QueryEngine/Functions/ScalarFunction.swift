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
    /// The result's type for these arguments; unless `handlesNulls`, arguments come without Nullable, and the
    /// evaluator makes the result Nullable when one was. Throws `.wrongArgumentCount`, `.illegalArgumentType`.
    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType
    /// Computes `rowCount` rows. `type` is what `resultType` said. Arguments may be flat or `.constant`;
    /// dictionaries are flattened before unless the function's `acceptsDictionary` says otherwise.
    func evaluate(_ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext) throws(QueryError)
        -> Column
}

extension ScalarFunction {
    /// By default a NULL argument makes a NULL result.
    public var handlesNulls: Bool { false }
    /// By default the same arguments give the same result.
    public var isDeterministic: Bool { true }
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

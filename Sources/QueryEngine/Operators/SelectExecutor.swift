import Columnar

/// A SELECT, bound to its tables and ready to run once.
public final class SelectExecutor {
    /// The result's columns, in order.
    public let columns: [(name: String, type: DataType)]
    /// Rows the result would have without LIMIT; nil where that is not known. Valid after `run`.
    public private(set) var rowsBeforeLimit: UInt64?
    /// The row of WITH TOTALS; nil when not asked for. Valid after `run`.
    public private(set) var totals: Block?

    /// Binds `query`: names, types and functions are checked here, and subqueries that stand for a value are run.
    public init(_ query: SelectQuery, context: QueryContext) throws(QueryError) {
        columns = []
        throw QueryError(.notImplemented, "SELECT is not there yet")
    }

    /// Runs the query. `emit` is called in the calling thread, block by block, each with the names and types of
    /// `columns`; blocks are never empty. What it throws ends the query.
    public func run(_ emit: (Block) throws(QueryError) -> Void) throws(QueryError) {}

    /// The plan as lines of text: operators, and for each table the granules read and skipped, and why.
    public func explain() throws(QueryError) -> [String] { [] }
}

import Columnar

/// A SELECT, bound to its tables and ready to run once.
///
/// Used by one thread at a time; the threads that help with the work are its own affair.
public final class SelectExecutor: @unchecked Sendable {
    /// The result's columns, in order.
    public let columns: [(name: String, type: DataType)]
    /// Rows the result would have without LIMIT, at least; nil where there is no LIMIT. Valid after `run`.
    public var rowsBeforeLimit: UInt64? {
        let counts = branches.compactMap(\.rowsBeforeLimit)
        return counts.isEmpty ? nil : counts.reduce(0, +)
    }
    /// The row of WITH TOTALS; nil when not asked for. Valid after `run`.
    public var totals: Block? { branches.lazy.compactMap(\.totals).first }

    private let branches: [SelectRunner]

    /// Binds `query`: names, types and functions are checked here, and subqueries that stand for a value are run.
    public convenience init(_ query: SelectQuery, context: QueryContext) throws(QueryError) {
        try self.init(query, context: context, named: [:], depth: 0)
    }

    init(
        _ query: SelectQuery, context: QueryContext, named: [String: SelectQuery], depth: Int
    ) throws(QueryError) {
        var runners: [SelectRunner] = []
        for branch in [query] + query.unionAll {
            // Names of WITH hold in all branches.
            var branch = branch
            if branch.with.isEmpty { branch.with = query.with }
            let binder = SelectBinder(branch, context: context, named: named, depth: depth)
            runners.append(SelectRunner(try binder.plan(), context: context))
        }
        branches = runners
        columns = try Self.commonColumns(runners.map(\.columns))
    }

    private static func commonColumns(
        _ branches: [[(name: String, type: DataType)]]
    ) throws(QueryError) -> [(name: String, type: DataType)] {
        guard let first = branches.first, branches.count > 1 else { return branches.first ?? [] }
        for branch in branches where branch.count != first.count {
            throw QueryError(
                QueryError.Code(258, "UNION_ALL_RESULT_STRUCTURES_MISMATCH"),
                "Different number of columns in UNION ALL elements: \(first.count) and \(branch.count)")
        }
        var result: [(name: String, type: DataType)] = []
        for (index, column) in first.enumerated() {
            result.append((column.name, try CommonType.of(branches.map { $0[index].type })))
        }
        return result
    }

    /// Runs the query. `emit` is called in the calling thread, block by block, each with the names and types of
    /// `columns`; blocks are never empty. What it throws ends the query.
    public func run(_ emit: (Block) throws(QueryError) -> Void) throws(QueryError) {
        try run(while: { true }, emit)
    }

    /// Runs until the end or until `isWanted` says no.
    func run(
        while isWanted: () -> Bool, _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) {
        for branch in branches where isWanted() {
            if branches.count == 1 {
                try branch.run(while: isWanted, emit)
                continue
            }
            try branch.run(while: isWanted) { (block) throws(QueryError) in try emit(try cast(block)) }
        }
    }

    private func cast(_ block: Block) throws(QueryError) -> Block {
        var result: [Column] = []
        for (column, wanted) in zip(block.columns, columns) {
            result.append(column.type == wanted.type ? column : try Cast.column(column, to: wanted.type))
        }
        return Block(names: columns.map(\.name), columns: result, rowCount: block.rowCount)
    }

    /// Says which of the result's columns are read; the others come as defaults. For subqueries.
    func restrict(to wanted: Set<Int>) {
        for branch in branches { branch.restrict(to: wanted) }
    }

    /// The plan as lines of text: operators, and for each table the granules read and skipped, and why.
    public func explain() throws(QueryError) -> [String] { try explain(indent: 0) }

    func explain(indent: Int) throws(QueryError) -> [String] {
        if branches.count == 1, let only = branches.first { return try only.explain(indent: indent) }
        var lines = [String(repeating: " ", count: indent) + "Union of \(branches.count) queries"]
        for branch in branches { lines += try branch.explain(indent: indent + 2) }
        return lines
    }
}

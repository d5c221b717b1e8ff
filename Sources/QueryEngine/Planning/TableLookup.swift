import Columnar

/// Finds what FROM names.
struct TableLookup {
    let context: QueryContext
    /// WITH name AS (SELECT …).
    let named: [String: SelectQuery]
    /// How many queries are around this one.
    let depth: Int

    /// The source, and the names that may stand before its columns.
    func source(_ from: FromClause?) throws(QueryError) -> (source: PlanSource, qualifiers: Set<String>) {
        switch from {
        case nil:
            let one = BlockSnapshot(Block(names: [], columns: [], rowCount: 1), name: "one")
            return (.table(name: "one", snapshot: one), [])
        case .table(let name, let alias):
            let whole = name.database.map { "\($0).\(name.table)" } ?? name.table
            var qualifiers: Set<String> = [name.table, whole]
            if let alias { qualifiers = [alias] }
            if name.database == nil, let query = named[name.table] {
                return (.subquery(try executor(query, without: name.table)), qualifiers)
            }
            return (.table(name: whole, snapshot: try table(name, whole)), qualifiers)
        case .subquery(let query, let alias):
            return (.subquery(try executor(query)), alias.map { [$0] } ?? [])
        case .function(let name, let arguments, let alias, let position):
            let source = try function(name, arguments, position)
            return (source, [alias ?? name])
        }
    }

    private func executor(_ query: SelectQuery, without name: String? = nil) throws(QueryError) -> SelectExecutor {
        var visible = named
        if let name { visible[name] = nil }
        return try SelectExecutor(query, context: context, named: visible, depth: depth + 1)
    }

    private func table(_ name: TableName, _ whole: String) throws(QueryError) -> any TableSnapshot {
        // Topic names have dots: the whole name may be a table of the current database.
        if let snapshot = try context.database.snapshot(whole) { return snapshot }
        if let database = name.database {
            if database == "system" || database.lowercased() == "information_schema" {
                if let block = try systemTable(database == "system" ? name.table : whole) {
                    return BlockSnapshot(block, name: whole)
                }
            } else if database == context.databaseName || database == "default" {
                if let snapshot = try context.database.snapshot(name.table) { return snapshot }
            } else if !context.database.tableNames().contains(where: { $0.hasPrefix(database + ".") }) {
                throw QueryError(
                    .unknownDatabase, "Database \(database) does not exist; nor does a table \(whole)",
                    at: name.position)
            }
        }
        var known = context.database.tableNames()
        if name.database == "system" {
            known = context.database.systemTableNames().map { "system.\($0)" } + ["system.one", "system.numbers"]
        }
        let wanted = name.database == "system" ? whole : name.database == nil ? name.table : whole
        let meant = nearestName(to: wanted, in: known)
        throw QueryError(
            .unknownTable,
            "Unknown table expression identifier '\(whole)'" + (meant.map { ". Maybe you meant: ['\($0)']" } ?? ""),
            at: name.position)
    }

    private func systemTable(_ name: String) throws(QueryError) -> Block? {
        if name == "one" {
            return Block(names: ["dummy"], columns: [Column(type: .uint8, data: .uint8([0]))], rowCount: 1)
        }
        if let block = try context.systemTables(name) { return block }
        return try context.database.systemTable(name)
    }

    private func function(
        _ name: String, _ arguments: [Expression], _ position: Int
    ) throws(QueryError) -> PlanSource {
        guard name == "numbers" || name == "zeros" || name == "one" else {
            let meant = nearestName(to: name, in: ["numbers", "zeros", "one"])
            throw QueryError(
                .unknownFunction,
                "Unknown table function \(name)" + (meant.map { ". Maybe you meant: ['\($0)']" } ?? ""), at: position)
        }
        if name == "one" {
            let block = Block(names: ["dummy"], columns: [Column(type: .uint8, data: .uint8([0]))], rowCount: 1)
            return .table(name: "one()", snapshot: BlockSnapshot(block, name: "one"))
        }
        var values: [UInt64] = []
        for argument in arguments {
            values.append(try constantUnsigned(argument, what: "argument of \(name)", context: context))
        }
        guard (1...3).contains(values.count) else {
            throw QueryError(
                .wrongArgumentCount, "Table function \(name) requires 'length' or 'offset, length[, step]'",
                at: position)
        }
        let count = values.count == 1 ? values[0] : values[1]
        let start = values.count == 1 ? 0 : values[0]
        let step = values.count == 3 ? max(1, values[2]) : 1
        let rows = values.count == 3 ? count / step + (count % step == 0 ? 0 : 1) : count
        // Granules are listed before they are read.
        guard rows <= 1 << 32 else {
            throw QueryError(
                .argumentOutOfBound, "\(name) of \(rows) rows: the most is \(UInt64(1) << 32)", at: position)
        }
        let snapshot = NumbersSnapshot(
            column: name == "numbers" ? "number" : "zero", start: start, count: Int(rows), step: step)
        return .table(name: "\(name)(\(count))", snapshot: snapshot)
    }
}

/// The value of a constant expression that must be an unsigned integer: LIMIT, OFFSET, `numbers(n)`.
func constantUnsigned(
    _ expression: Expression, what: String, context: QueryContext
) throws(QueryError) -> UInt64 {
    let binder = ExpressionBinder(context: context, inputs: [], named: [:], depth: 0)
    let resolver = NameResolver(columns: [], qualifiers: [])
    let bound = try binder.bind(try resolver.resolve(expression))
    switch bound.constantValue {
    case .uint(let value): return value
    case .int(let value) where value >= 0: return UInt64(value)
    case .float(let value) where value >= 0 && value < 1e18 && value == value.rounded(.down): return UInt64(value)
    default:
        throw QueryError(
            .invalidLimit, "The \(what) must be a constant that is a non-negative number, not \(expression.columnName)",
            at: expression.start)
    }
}

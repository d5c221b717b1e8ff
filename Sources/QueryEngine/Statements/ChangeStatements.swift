import Columnar

// Statements that change something and have no result.

extension QueryRun {
    mutating func change(_ statement: Statement) throws(QueryError) {
        switch statement {
        case .createTable(let create): try createTable(create)
        case .createDatabase(let name, let ifNotExists):
            // Tables named `otel.logs` need no database to be made first; the statement is taken so that schemas work.
            guard ifNotExists || !isDatabase(name) else {
                throw QueryError(.databaseAlreadyExists, "Database \(name) already exists.")
            }
        case .dropTable(let name, let ifExists):
            guard let info = try existing(name, optional: ifExists) else { return }
            try database.dropTable(info.name)
        case .truncateTable(let name, let ifExists):
            guard let info = try existing(name, optional: ifExists) else { return }
            try database.truncateTable(info.name)
        case .alterTable(let name, let actions): try alterTable(name, actions)
        case .optimize(let name, let final): try database.optimizeTable(resolve(changeable(name)).name, final: final)
        case .use(let name):
            guard isDatabase(name) else { throw QueryError(.unknownDatabase, "Database \(name) does not exist") }
        case .set(let settings):
            _ = try QuerySettings([:], clause: settings)
        default: break
        }
    }

    private func existing(_ name: TableName, optional: Bool) throws(QueryError) -> TableInfo? {
        let name = try changeable(name)
        if optional, find(name) == nil { return nil }
        return try resolve(name)
    }

    /// The name, unless it is of a system table.
    func changeable(_ name: TableName) throws(QueryError) -> TableName {
        guard name.database != "system" else {
            throw QueryError(
                .readonly, "Table \(name.whole) is kept by the server and cannot be changed", at: name.position)
        }
        return name
    }

    private mutating func createTable(_ statement: CreateTableStatement) throws(QueryError) {
        var create = statement
        let name = try changeable(statement.name)
        if find(name) != nil {
            if statement.ifNotExists { return }
            throw QueryError(.tableAlreadyExists, "Table \(name.qualified) already exists", at: name.position)
        }
        // `default.t` and `t` are one table; `otel.logs` is the table of that dotted name.
        var stored = name.database == "default" ? name.table : name.whole
        if name.database == nil, options.database != "default" { stored = "\(options.database).\(name.table)" }
        create.name = TableName(database: nil, table: stored, position: name.position)
        var seen: Set<String> = []
        for column in create.columns {
            guard seen.insert(column.name).inserted else {
                throw QueryError(.illegalColumn, "Column \(column.name) is defined twice", at: name.position)
            }
            if let text = column.defaultExpression { _ = try Parser.parseExpression(Array(text.utf8)) }
        }
        // The columns of a table that follows a source's come with its rows, those of the key too.
        let mayComeLater = create.settings.contains { $0.name == "cdc" }
        for key in create.orderBy where !mayComeLater && !seen.contains(key) {
            let meant = nearestName(to: key, in: seen).map { ". Maybe you meant \($0)?" } ?? ""
            throw QueryError(.unknownIdentifier, "Missing column \(key) of the sorting key\(meant)", at: name.position)
        }
        try database.createTable(create)
        summary.notices = create.ignored.map { "\($0) has no meaning here and was ignored" }
    }

    private func alterTable(_ name: TableName, _ actions: [AlterAction]) throws(QueryError) {
        let info = try resolve(changeable(name))
        var columns = Set(info.columns.map(\.name))
        var wanted: [AlterAction] = []
        for action in actions {
            switch action {
            case .addColumn(let column, let ifNotExists, let after):
                if columns.contains(column.name) {
                    if ifNotExists { continue }
                    throw QueryError(
                        .duplicateColumn, "Cannot add column \(column.name): column with this name already exists")
                }
                if let after { try require(after, columns, info) }
                columns.insert(column.name)
            case .dropColumn(let column, let ifExists):
                if ifExists, !columns.contains(column) { continue }
                try require(column, columns, info)
                columns.remove(column)
            case .commentColumn(let column, _): try require(column, columns, info)
            case .modifyTTL, .modifySettings: break
            }
            wanted.append(action)
        }
        if !wanted.isEmpty { try database.alterTable(info.name, wanted) }
    }

    private func require(_ column: String, _ columns: Set<String>, _ info: TableInfo) throws(QueryError) {
        guard !columns.contains(column) else { return }
        let meant = nearestName(to: column, in: columns).map { ". Maybe you meant \($0)?" } ?? ""
        throw QueryError(.columnNotFound, "There is no column \(column) in table \(info.name)\(meant)")
    }
}

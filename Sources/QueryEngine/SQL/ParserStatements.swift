// Statements other than SELECT, and what may follow any statement.

extension StatementParser {
    /// One statement to the end of the text.
    mutating func query() throws(QueryError) -> ParsedQuery {
        while accept(.semicolon) {}
        guard peek().kind != .end else {
            throw QueryError(.syntaxError, "Syntax error: the query is empty", at: 0)
        }
        if isKeyword("INSERT") { return try insert() }
        var parsed = ParsedQuery(statement: try statement())
        if case .select(let select) = parsed.statement { parsed.settings = select.settings }
        try tail(&parsed)
        return parsed
    }

    /// FORMAT, SETTINGS and `;` in any order; what they were set to goes into `parsed`.
    private mutating func tail(_ parsed: inout ParsedQuery) throws(QueryError) {
        while true {
            if parsed.format == nil, accept("FORMAT") {
                parsed.format = try name("a format's name")
            } else if accept("SETTINGS") {
                parsed.settings += try settings()
            } else {
                break
            }
        }
        var ended = false
        while accept(.semicolon) { ended = true }
        guard peek().kind != .end else { return }
        if ended, peek().kind == .word { throw problem(at: peek(), "a second statement; one request takes one") }
        throw unexpected("one of \(Self.following(parsed.statement)) or the end of the query")
    }

    private static func following(_ statement: Statement) -> String {
        guard case .select(let query) = statement else { return "FORMAT, SETTINGS" }
        var words: [String] = ["an operator"]
        if query.from == nil { words.append("FROM") }
        if query.whereClause == nil { words.append("WHERE") }
        if query.groupBy.isEmpty { words.append("GROUP BY") }
        if query.having == nil { words.append("HAVING") }
        if query.orderBy.isEmpty { words.append("ORDER BY") }
        if query.limit == nil { words.append("LIMIT") }
        return (words + ["UNION ALL", "SETTINGS", "FORMAT"]).joined(separator: ", ")
    }

    private mutating func statement() throws(QueryError) -> Statement {
        if isSelectStart() || isSymbol(.leftParenthesis) { return .select(try selectUnion()) }
        let token = peek()
        guard token.kind == .word else { throw unexpected("a statement such as SELECT") }
        switch string(of: token).uppercased() {
        case "CREATE": return try create()
        case "ATTACH": throw unsupported("ATTACH", at: token)
        case "DROP": return try drop()
        case "TRUNCATE": return try truncate()
        case "ALTER": return try alter()
        case "SHOW": return try show()
        case "DESCRIBE", "DESC": return try describe()
        case "EXISTS": return try exists()
        case "EXPLAIN": return try explain()
        case "OPTIMIZE": return try optimize()
        case "USE":
            position += 1
            return .use(try name("a database"))
        case "SET":
            position += 1
            if isKeyword("ROLE") || isKeyword("DEFAULT") { throw unsupported("SET ROLE", at: token) }
            return .set(try settings())
        default: throw unknownStatement(token)
        }
    }

    private static let otherStatements: Set<String> = [
        "DELETE", "UPDATE", "RENAME", "DETACH", "KILL", "SYSTEM", "GRANT", "REVOKE", "CHECK", "BACKUP", "RESTORE",
        "WATCH",
        "BEGIN", "COMMIT", "ROLLBACK", "EXCHANGE", "UNDROP", "MOVE", "REPLACE", "EXECUTE", "FROM", "VALUES",
    ]

    private func unknownStatement(_ token: Token) -> QueryError {
        let word = string(of: token).uppercased()
        if Self.otherStatements.contains(word) { return unsupported("The statement \(word)", at: token) }
        let known = [
            "SELECT", "WITH", "INSERT", "CREATE", "DROP", "TRUNCATE", "ALTER", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN",
            "OPTIMIZE", "USE", "SET",
        ]
        let close = known.min { Self.distance($0, word) < Self.distance($1, word) }
        if let close, Self.distance(close, word) <= 2 {
            return problem(at: token, nil, expected: "a statement; maybe you meant \(close)")
        }
        return problem(at: token, nil, expected: "one of \(known.joined(separator: ", "))")
    }

    /// Edits between two short words.
    private static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8.prefix(32))
        let b = Array(right.utf8.prefix(32))
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let next = min(diagonal + (a[i] == b[j] ? 0 : 1), row[j] + 1, row[j + 1] + 1)
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }

    // MARK: INSERT

    private mutating func insert() throws(QueryError) -> ParsedQuery {
        position += 1
        try expect("INTO")
        if isKeyword("FUNCTION"), isName(ahead: 1) { throw unsupported("INSERT INTO FUNCTION", at: peek()) }
        if isKeyword("TABLE"), isName(ahead: 1), !isKeyword("FORMAT", ahead: 1), !isKeyword("VALUES", ahead: 1) {
            position += 1
        }
        let table = try tableName()
        var parsed = ParsedQuery(statement: .use(""))
        var columns: [String]?
        if isSymbol(.leftParenthesis), !isSelectStart(ahead: 1), !isKeyword("SELECT", ahead: 1) {
            columns = try columnNames()
        }
        if accept("SETTINGS") { parsed.settings = try settings() }
        let source: InsertStatement.Source
        if isKeyword("VALUES") {
            parsed.dataOffset = peek().end
            source = .values
        } else if isKeyword("FORMAT") {
            position += 1
            let format = try name("a format's name")
            parsed.format = format
            parsed.dataOffset = dataStart(previousEnd)
            source = format.lowercased() == "values" ? .values : .format(format)
        } else if isSelectStart() || isSymbol(.leftParenthesis) {
            let select = try selectUnion()
            parsed.settings += select.settings
            source = .select(select)
            parsed.statement = .insert(InsertStatement(table: table, columns: columns, source: source))
            try tail(&parsed)
            return parsed
        } else if peek().kind == .end || isSymbol(.semicolon) {
            // The data comes beside the text; its format is the request's.
            parsed.dataOffset = text.count
            source = .values
        } else {
            throw unexpected(columns == nil ? "'(' and columns, VALUES, FORMAT or SELECT" : "VALUES, FORMAT or SELECT")
        }
        parsed.statement = .insert(InsertStatement(table: table, columns: columns, source: source))
        return parsed
    }

    private mutating func columnNames() throws(QueryError) -> [String] {
        try expect(.leftParenthesis)
        if isSymbol(.asterisk), isSymbol(.rightParenthesis, ahead: 1) {
            position += 2
            return []
        }
        var columns: [String] = []
        repeat {
            if isSymbol(.asterisk) { throw unsupported("A column list with * EXCEPT", at: peek()) }
            var column = try name("a column")
            while accept(.dot) { column += "." + (try name("a column after '.'")) }
            columns.append(column)
        } while accept(.comma)
        try expect(.rightParenthesis, "',' or ')'")
        return columns
    }

    /// Where data begins that stands behind a format's name: after blanks and one line end.
    private func dataStart(_ offset: Int) -> Int {
        var start = offset
        while start < text.count, text[start] == 0x20 || text[start] == 0x09 || text[start] == 0x0D { start += 1 }
        if start < text.count, text[start] == UInt8(ascii: ";") {
            start += 1
            while start < text.count, text[start] == 0x20 || text[start] == 0x0D { start += 1 }
        }
        if start < text.count, text[start] == 0x0A { start += 1 }
        return start
    }

    // MARK: Tables and databases

    mutating func ifExists() -> Bool { accept("IF", "EXISTS") }

    mutating func ifNotExists() -> Bool { accept("IF", "NOT", "EXISTS") }

    /// Skips ON CLUSTER, which one machine has no use for.
    mutating func skipOnCluster() throws(QueryError) -> Bool {
        guard accept("ON", "CLUSTER") else { return false }
        if peek().kind == .string { position += 1 } else { _ = try name("a cluster") }
        return true
    }

    private mutating func drop() throws(QueryError) -> Statement {
        position += 1
        _ = accept("TEMPORARY")
        guard accept("TABLE") else { throw unsupported("DROP \(string(of: peek()).uppercased())", at: peek()) }
        let optional = ifExists()
        let table = try tableName()
        if isSymbol(.comma) { throw unsupported("DROP of several tables at once", at: peek()) }
        _ = try skipOnCluster()
        if !accept("SYNC") { _ = accept("NO", "DELAY") }
        return .dropTable(table, ifExists: optional)
    }

    private mutating func truncate() throws(QueryError) -> Statement {
        position += 1
        if isKeyword("DATABASE") || isKeyword("ALL") {
            throw unsupported("TRUNCATE \(string(of: peek()).uppercased())", at: peek())
        }
        if isKeyword("TABLE"), isName(ahead: 1) { position += 1 }
        let optional = ifExists()
        let table = try tableName()
        _ = try skipOnCluster()
        _ = accept("SYNC")
        return .truncateTable(table, ifExists: optional)
    }

    private mutating func optimize() throws(QueryError) -> Statement {
        position += 1
        try expect("TABLE")
        let table = try tableName()
        _ = try skipOnCluster()
        if isKeyword("PARTITION") { throw unsupported("OPTIMIZE … PARTITION", at: peek()) }
        let final = accept("FINAL")
        if isKeyword("DEDUPLICATE") { throw unsupported("OPTIMIZE … DEDUPLICATE", at: peek()) }
        return .optimize(table, final: final)
    }

    // MARK: Questions about tables

    private mutating func show() throws(QueryError) -> Statement {
        position += 1
        _ = accept("FULL")
        _ = accept("TEMPORARY")
        if accept("TABLES") {
            let database = accept("FROM") || accept("IN") ? try name("a database") : nil
            return .showTables(database: database, like: try likePattern())
        }
        if accept("DATABASES") || accept("SCHEMAS") {
            let like = try likePattern()
            guard like == nil else { throw unsupported("SHOW DATABASES LIKE", at: peek()) }
            return .showDatabases
        }
        if accept("CREATE") {
            if isKeyword("DATABASE") { throw unsupported("SHOW CREATE DATABASE", at: peek()) }
            if isKeyword("TABLE"), isName(ahead: 1) { position += 1 }
            return .showCreateTable(try tableName())
        }
        if accept("COLUMNS") || accept("FIELDS") {
            guard accept("FROM") || accept("IN") else { throw unexpected("FROM and a table") }
            return .describe(try tableName())
        }
        throw unexpected("TABLES, DATABASES, COLUMNS or CREATE TABLE")
    }

    private mutating func likePattern() throws(QueryError) -> String? {
        if isKeyword("ILIKE") || isKeyword("NOT") || isKeyword("WHERE") || isKeyword("LIMIT") {
            throw unsupported("SHOW … \(string(of: peek()).uppercased())", at: peek())
        }
        guard accept("LIKE") else { return nil }
        return try stringLiteral("a pattern in quotes")
    }

    private mutating func describe() throws(QueryError) -> Statement {
        position += 1
        if isKeyword("TABLE"), isName(ahead: 1) || isSymbol(.leftParenthesis, ahead: 1) { position += 1 }
        if isSymbol(.leftParenthesis) || isSelectStart() {
            let parenthesised = accept(.leftParenthesis)
            let query = try subquery()
            if parenthesised { try expect(.rightParenthesis) }
            return .describeQuery(query)
        }
        return .describe(try tableName())
    }

    private mutating func exists() throws(QueryError) -> Statement {
        position += 1
        if isKeyword("DATABASE"), isName(ahead: 1) {
            position += 1
            return .existsDatabase(try name("a database"))
        }
        _ = accept("TEMPORARY")
        if isKeyword("TABLE"), isName(ahead: 1) { position += 1 }
        return .exists(try tableName())
    }

    private mutating func explain() throws(QueryError) -> Statement {
        position += 1
        var kind = ExplainKind.plan
        if accept("SYNTAX") {
            kind = .syntax
        } else if accept("AST") {
            kind = .ast
        } else if isKeyword("PIPELINE") || isKeyword("ESTIMATE") || isKeyword("QUERY") || isKeyword("TABLE")
            || isKeyword("CURRENT")
        {
            throw unsupported("EXPLAIN \(string(of: peek()).uppercased())", at: peek())
        } else {
            _ = accept("PLAN")
        }
        // `indexes = 1, actions = 0`: the plan shows all there is.
        if isName(), isSymbol(.equals, ahead: 1) { _ = try settings() }
        guard isSelectStart() || isSymbol(.leftParenthesis) else { throw unexpected("SELECT") }
        return .explain(kind, try selectUnion())
    }
}

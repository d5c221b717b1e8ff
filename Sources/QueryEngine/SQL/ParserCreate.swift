import Columnar

// CREATE and ALTER: ClickHouse's syntax is read whole, so that a schema written for it works; what has no meaning
// here is collected in `ignored` and said to the user.

extension StatementParser {
    mutating func create() throws(QueryError) -> Statement {
        let start = peek()
        position += 1
        if isKeyword("OR"), isKeyword("REPLACE", ahead: 1) { throw unsupported("CREATE OR REPLACE", at: start) }
        if accept("DATABASE") {
            let optional = ifNotExists()
            let database = try name("a database")
            _ = try skipOnCluster()
            if accept("ENGINE") { _ = try engine() }
            if accept("COMMENT") { _ = try stringLiteral("a comment in quotes") }
            return .createDatabase(name: database, ifNotExists: optional)
        }
        guard accept("TABLE") else { throw unsupported("CREATE \(string(of: peek()).uppercased())", at: start) }
        var statement = CreateTableStatement(name: TableName(database: nil, table: "", position: 0))
        statement.ifNotExists = ifNotExists()
        statement.name = try tableName()
        if try skipOnCluster() { statement.ignored.append("ON CLUSTER") }
        if isKeyword("AS") || isKeyword("CLONE") { throw unsupported("CREATE TABLE … AS", at: peek()) }
        if accept(.leftParenthesis) { try tableElements(&statement) }
        try tableClauses(&statement)
        return .createTable(statement)
    }

    // MARK: Columns

    private mutating func tableElements(_ statement: inout CreateTableStatement) throws(QueryError) {
        while !isSymbol(.rightParenthesis) {
            try tableElement(&statement)
            guard accept(.comma) else { break }
        }
        try expect(.rightParenthesis, "',' or ')'")
    }

    private mutating func tableElement(_ statement: inout CreateTableStatement) throws(QueryError) {
        // INDEX, PROJECTION and CONSTRAINT may also be columns' names: then a type follows at once.
        if isKeyword("INDEX"), isName(ahead: 1), !isTypeThenEnd(ahead: 1) {
            let name = string(of: peek(1))
            skipElement()
            statement.ignored.append("INDEX \(name)")
        } else if isKeyword("PROJECTION"), isName(ahead: 1), isSymbol(.leftParenthesis, ahead: 2) {
            let name = string(of: peek(1))
            skipElement()
            statement.ignored.append("PROJECTION \(name)")
        } else if isKeyword("CONSTRAINT"), isName(ahead: 1),
            isKeyword("CHECK", ahead: 2) || isKeyword("ASSUME", ahead: 2)
        {
            throw unsupported("CONSTRAINT", at: peek())
        } else if accept("PRIMARY", "KEY") {
            let key = try sortingKey(&statement)
            if statement.orderBy.isEmpty { statement.orderBy = key }
        } else {
            statement.columns.append(try columnDefinition(&statement))
        }
    }

    private mutating func isTypeThenEnd(ahead: Int) -> Bool {
        isSymbol(.comma, ahead: ahead + 1) || isSymbol(.rightParenthesis, ahead: ahead + 1)
    }

    /// Skips to the comma or parenthesis that ends the element.
    private mutating func skipElement() {
        var open = 0
        while true {
            switch peek().kind {
            case .symbol(.leftParenthesis): open += 1
            case .symbol(.rightParenthesis):
                if open == 0 { return }
                open -= 1
            case .symbol(.comma) where open == 0: return
            case .end, .invalid: return
            default: break
            }
            position += 1
        }
    }

    private mutating func columnDefinition(_ statement: inout CreateTableStatement) throws(QueryError)
        -> ColumnDefinition
    {
        var (column, ignored) = try column()
        statement.ignored += ignored.map { "\($0) of column \(column.name)" }
        if accept("PRIMARY", "KEY"), statement.orderBy.isEmpty { statement.orderBy = [column.name] }
        if accept("COMMENT") { column.comment = try stringLiteral("a comment in quotes") }
        return column
    }

    /// `name Type [NULL] [DEFAULT x] [COMMENT 'x'] [CODEC(…)] [TTL x]`.
    private mutating func column() throws(QueryError) -> (ColumnDefinition, ignored: [String]) {
        var columnName = try name("a column's name")
        while accept(.dot) { columnName += "." + (try name("a column's name after '.'")) }
        let typeStart = peek()
        if isKeyword("DEFAULT") { throw unexpected("the column's type") }
        let text = try typeText()
        var column = ColumnDefinition(name: columnName, type: try Self.type(text, at: typeStart.start))
        var ignored: [String] = []
        while true {
            let token = peek()
            if accept("NULL") {
                column.type = column.type.madeNullable
            } else if accept("NOT", "NULL") {
                continue
            } else if accept("DEFAULT") {
                let expression = try expression()
                column.defaultExpression = String(decoding: self.text[expression.start..<expression.end], as: UTF8.self)
            } else if isKeyword("MATERIALIZED") || isKeyword("ALIAS") || isKeyword("EPHEMERAL")
                || isKeyword("AUTO_INCREMENT")
            {
                throw unsupported("A column \(string(of: token).uppercased())", at: token)
            } else if accept("COMMENT") {
                column.comment = try stringLiteral("a comment in quotes")
            } else if isKeyword("CODEC") || isKeyword("STATISTICS"), isSymbol(.leftParenthesis, ahead: 1) {
                ignored.append(string(of: token).uppercased())
                position += 1
                try skipParentheses()
            } else if accept("TTL") {
                _ = try expression()
                ignored.append("TTL")
            } else if accept("COLLATE") {
                _ = try name("a collation")
                ignored.append("COLLATE")
            } else {
                return (column, ignored)
            }
        }
    }

    private mutating func skipParentheses() throws(QueryError) {
        try expect(.leftParenthesis)
        var open = 1
        while open > 0 {
            switch peek().kind {
            case .symbol(.leftParenthesis): open += 1
            case .symbol(.rightParenthesis): open -= 1
            case .end, .invalid: throw unexpected("')'")
            default: break
            }
            position += 1
        }
    }

    /// The type that a text names.
    static func type(_ text: String, at position: Int) throws(QueryError) -> DataType {
        do throws(ColumnarError) {
            return try DataType(parsing: text)
        } catch {
            throw QueryError(.unknownType, error.message, at: position)
        }
    }

    // MARK: Clauses of the table

    private mutating func engine() throws(QueryError) -> String {
        _ = accept(.equals)
        let start = peek().start
        _ = try name("an engine")
        if isSymbol(.leftParenthesis) { try skipParentheses() }
        return String(decoding: text[start..<previousEnd], as: UTF8.self)
    }

    private mutating func tableClauses(_ statement: inout CreateTableStatement) throws(QueryError) {
        var primaryKey: [String]?
        var hasOrder = false
        while true {
            if accept("ENGINE") {
                statement.engine = try engine()
            } else if accept("ORDER", "BY") {
                statement.orderBy = try sortingKey(&statement)
                hasOrder = true
            } else if accept("PARTITION", "BY") {
                statement.partitionBy = try expression()
            } else if accept("PRIMARY", "KEY") {
                primaryKey = try sortingKey(&statement)
            } else if accept("SAMPLE", "BY") {
                _ = try expression()
                statement.ignored.append("SAMPLE BY")
            } else if accept("TTL") {
                try timeToLive(&statement)
            } else if accept("SETTINGS") {
                statement.settings += try settings()
            } else if accept("COMMENT") {
                statement.comment = try stringLiteral("a comment in quotes")
            } else {
                break
            }
        }
        if isKeyword("AS") || isKeyword("EMPTY") { throw unsupported("CREATE TABLE … AS SELECT", at: peek()) }
        if let primaryKey {
            if hasOrder {
                if primaryKey != statement.orderBy { statement.ignored.append("PRIMARY KEY (the sorting key serves)") }
            } else {
                statement.orderBy = primaryKey
            }
        }
    }

    private mutating func timeToLive(_ statement: inout CreateTableStatement) throws(QueryError) {
        statement.ttl = try expression()
        if isKeyword("DELETE"), !isKeyword("WHERE", ahead: 1) { position += 1 }
        if isSymbol(.comma) || isKeyword("TO") || isKeyword("WHERE") || isKeyword("GROUP") || isKeyword("RECOMPRESS")
            || isKeyword("DELETE")
        {
            throw unsupported("A TTL other than deletion of old rows", at: peek())
        }
    }

    /// The columns of ORDER BY or PRIMARY KEY. A function of one column sorts by that column: finer, and as good for
    /// finding rows.
    private mutating func sortingKey(_ statement: inout CreateTableStatement) throws(QueryError) -> [String] {
        let key = try expression()
        var items = [key]
        if case .function("tuple", _, let arguments, _) = key.kind { items = arguments }
        for direction: StaticString in ["DESC", "ASC"] where isKeyword(direction) {
            throw unsupported("ORDER BY … \(direction) in CREATE TABLE", at: peek())
        }
        var columns: [String] = []
        for item in items {
            let found = item.columnNames
            guard let column = found.first, Set(found).count == 1 else {
                throw QueryError(
                    .notImplemented, "A sorting key of expressions over other than one column is not supported",
                    at: item.start)
            }
            if case .identifier = item.kind {
            } else {
                let written = String(decoding: text[item.start..<item.end], as: UTF8.self)
                statement.ignored.append("the function in the sorting key: \(written) sorts by \(column)")
            }
            if !columns.contains(column) { columns.append(column) }
        }
        return columns
    }

    // MARK: ALTER

    mutating func alter() throws(QueryError) -> Statement {
        position += 1
        guard accept("TABLE") else { throw unsupported("ALTER \(string(of: peek()).uppercased())", at: peek()) }
        let table = try tableName()
        _ = try skipOnCluster()
        var actions: [AlterAction] = []
        repeat { actions.append(try alterAction()) } while accept(.comma)
        return .alterTable(table, actions)
    }

    private mutating func alterAction() throws(QueryError) -> AlterAction {
        let start = peek()
        if accept("ADD", "COLUMN") {
            let optional = ifNotExists()
            let (definition, _) = try column()
            var after: String?
            if accept("AFTER") {
                after = try name("a column")
            } else if isKeyword("FIRST") {
                throw unsupported("ADD COLUMN … FIRST", at: peek())
            }
            return .addColumn(definition, ifNotExists: optional, after: after)
        }
        if accept("DROP", "COLUMN") {
            let optional = ifExists()
            var column = try name("a column")
            while accept(.dot) { column += "." + (try name("a column after '.'")) }
            return .dropColumn(column, ifExists: optional)
        }
        if accept("MODIFY", "TTL") {
            var statement = CreateTableStatement(name: TableName(database: nil, table: "", position: start.start))
            try timeToLive(&statement)
            guard let ttl = statement.ttl else { throw unexpected("a TTL") }
            return .modifyTTL(ttl)
        }
        if accept("MODIFY", "SETTING") || accept("MODIFY", "SETTINGS") { return .modifySettings(try settings()) }
        if accept("COMMENT", "COLUMN") {
            _ = ifExists()
            let column = try name("a column")
            return .commentColumn(column, try stringLiteral("a comment in quotes"))
        }
        guard start.kind == .word else {
            throw unexpected("ADD COLUMN, DROP COLUMN, MODIFY TTL, MODIFY SETTING or COMMENT COLUMN")
        }
        let second = peek(1).kind == .word ? " " + string(of: peek(1)).uppercased() : ""
        throw unsupported("ALTER TABLE … \(string(of: start).uppercased())\(second)", at: start)
    }
}

extension Expression {
    /// The columns the expression names, in order.
    var columnNames: [String] {
        switch kind {
        case .identifier(let parts): [parts.joined(separator: ".")]
        case .function(_, _, let arguments, _): arguments.flatMap(\.columnNames)
        default: []
        }
    }
}

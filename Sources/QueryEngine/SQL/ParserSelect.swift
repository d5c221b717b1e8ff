// SELECT and its clauses.

extension StatementParser {
    /// The most copies of WITH queries that one statement may hold: each use of a name is a copy.
    private static let maximumInlined = 256

    mutating func isSelectStart(ahead: Int = 0) -> Bool {
        if isKeyword("SELECT", ahead: ahead) { return true }
        if isKeyword("WITH", ahead: ahead) {
            // `with` may be a name: a function's argument, say.
            switch peek(ahead + 1).kind {
            case .symbol(.comma), .symbol(.rightParenthesis), .symbol(.dot), .end: return false
            default: return true
            }
        }
        guard isSymbol(.leftParenthesis, ahead: ahead) else { return false }
        var inner = ahead
        while isSymbol(.leftParenthesis, ahead: inner) {
            inner += 1
            if inner - ahead > Parser.maximumDepth { return false }
        }
        // `((SELECT 1) + 1)` is an expression; a query in parentheses ends with them or goes on with UNION.
        guard isKeyword("SELECT", ahead: inner) else { return false }
        return parenthesesHoldOnlyQuery(ahead: ahead)
    }

    /// Whether the parenthesis `ahead` closes just before the one around it, or a UNION.
    private func parenthesesHoldOnlyQuery(ahead: Int) -> Bool {
        var copy = self
        copy.position += ahead
        var open = 0
        repeat {
            switch copy.peek().kind {
            case .symbol(.leftParenthesis): open += 1
            case .symbol(.rightParenthesis): open -= 1
            case .end, .invalid: return false
            default: break
            }
            copy.position += 1
        } while open > 0
        return copy.isKeyword("UNION") || copy.isSymbol(.rightParenthesis)
    }

    /// A query in parentheses or in the place of an expression; the tokens around it are the caller's.
    mutating func subquery() throws(QueryError) -> SelectQuery {
        try enter(8)
        defer { leave(8) }
        return try selectUnion()
    }

    /// SELECT … [UNION ALL SELECT …].
    mutating func selectUnion() throws(QueryError) -> SelectQuery {
        let scope = commonTables.count
        defer { commonTables.removeLast(commonTables.count - scope) }
        var first = try unionMember()
        while isKeyword("UNION") || isKeyword("INTERSECT") || isKeyword("EXCEPT") {
            guard accept("UNION", "ALL") else {
                let token = peek()
                if accept("UNION", "DISTINCT") || isKeyword("UNION") {
                    throw unsupported("UNION without ALL (use SELECT DISTINCT … FROM (… UNION ALL …))", at: token)
                }
                throw unsupported(string(of: token).uppercased(), at: token)
            }
            let next = try unionMember()
            first.unionAll.append(next)
            first.unionAll += next.unionAll
            first.unionAll[first.unionAll.count - 1 - next.unionAll.count].unionAll = []
        }
        try bound(&first)
        return first
    }

    private mutating func unionMember() throws(QueryError) -> SelectQuery {
        guard isSymbol(.leftParenthesis) else { return try select() }
        position += 1
        let query = try subquery()
        try expect(.rightParenthesis)
        return query
    }

    /// Notes and checks the depth of the finished query.
    private func bound(_ query: inout SelectQuery) throws(QueryError) {
        query.depth = 8 + query.childDepth
        guard query.depth <= Parser.maximumDepth else {
            let start = query.projections.first?.start ?? 0
            throw QueryError(
                .syntaxError, "\(Self.place(start, in: text)): queries nest deeper than \(Parser.maximumDepth) levels",
                at: start)
        }
    }

    // MARK: One SELECT

    private mutating func select() throws(QueryError) -> SelectQuery {
        var query = SelectQuery()
        if accept("WITH") { try withClause(&query) }
        guard accept("SELECT") else { throw unexpected("SELECT") }
        if isKeyword("DISTINCT"), !isSymbol(.comma, ahead: 1), !isKeyword("FROM", ahead: 1) {
            position += 1
            query.isDistinct = true
            if isKeyword("ON") { throw unsupported("DISTINCT ON (use LIMIT 1 BY)", at: peek()) }
        } else if isKeyword("ALL"), !isSymbol(.comma, ahead: 1), !isKeyword("FROM", ahead: 1),
            !isKeyword("AS", ahead: 1)
        {
            position += 1
        }
        if isKeyword("TOP"), peek(1).kind == .number { throw unsupported("TOP (use LIMIT)", at: peek()) }
        query.projections = try projections()
        if accept("FROM") { query.from = try fromClause() }
        try conditions(&query)
        try grouping(&query)
        try ordering(&query)
        try limits(&query)
        if accept("SETTINGS") { query.settings = try settings() }
        if isKeyword("INTO"), isKeyword("OUTFILE", ahead: 1) { throw unsupported("INTO OUTFILE", at: peek()) }
        try bound(&query)
        return query
    }

    private mutating func projections() throws(QueryError) -> [Expression] {
        var list = [try expressionWithAlias(implicit: true)]
        while accept(.comma) {
            // A comma too many before FROM is forgiven, as ClickHouse does.
            if isKeyword("FROM"), isName(ahead: 1) || isSymbol(.leftParenthesis, ahead: 1) { break }
            list.append(try expressionWithAlias(implicit: true))
        }
        return list
    }

    private mutating func withClause(_ query: inout SelectQuery) throws(QueryError) {
        if isKeyword("RECURSIVE"), isName(ahead: 1) { throw unsupported("WITH RECURSIVE", at: peek()) }
        repeat {
            if isName(), isKeyword("AS", ahead: 1), isSymbol(.leftParenthesis, ahead: 2), isSelectStart(ahead: 3) {
                let table = try name("a name")
                position += 2
                let before = inlinedTables
                let body = try subquery()
                try expect(.rightParenthesis)
                commonTables.append(CommonTable(name: table, query: body, inlined: inlinedTables - before + 1))
            } else {
                var named = try expression()
                try expect("AS")
                named.alias = try name("a name after AS")
                query.with.append(named)
            }
        } while accept(.comma)
    }

    /// The query that WITH gave the name, if any.
    mutating func inlined(_ name: String, at start: Int) throws(QueryError) -> SelectQuery? {
        guard let found = commonTables.last(where: { $0.name == name }) else { return nil }
        inlinedTables += found.inlined
        guard inlinedTables <= Self.maximumInlined else {
            throw QueryError(
                .syntaxError,
                "\(Self.place(start, in: text)): WITH queries are used more than \(Self.maximumInlined) times in all",
                at: start)
        }
        return found.query
    }

    // MARK: FROM

    private mutating func fromClause() throws(QueryError) -> FromClause {
        var result: FromClause
        let start = peek().start
        if isSymbol(.leftParenthesis) {
            position += 1
            let query = try subquery()
            try expect(.rightParenthesis)
            result = .subquery(query, alias: try alias(implicit: true))
        } else if isName(), isSymbol(.leftParenthesis, ahead: 1) {
            let function = try name("a table function")
            position += 1
            let arguments = isSymbol(.rightParenthesis) ? [] : try expressionList()
            try expect(.rightParenthesis)
            result = .function(name: function, arguments: arguments, alias: try alias(implicit: true), position: start)
        } else {
            let table = try tableName()
            let alias = try alias(implicit: true)
            if table.database == nil, let query = try inlined(table.table, at: start) {
                result = .subquery(query, alias: alias ?? table.table)
            } else {
                result = .table(table, alias: alias)
            }
        }
        try refuseJoins()
        return result
    }

    private mutating func refuseJoins() throws(QueryError) {
        let token = peek()
        if isKeyword("FINAL") { throw unsupported("FINAL", at: token) }
        if isKeyword("SAMPLE") { throw unsupported("SAMPLE", at: token) }
        if isSymbol(.comma) { throw unsupported("A second table in FROM (a cross join)", at: token) }
        if isKeyword("ARRAY") || isKeyword("LEFT") && isKeyword("ARRAY", ahead: 1) {
            throw unsupported("ARRAY JOIN (use the function arrayJoin)", at: token)
        }
        var words: [String] = []
        for ahead in 0..<4 {
            let next = peek(ahead)
            guard next.kind == .word else { break }
            words.append(string(of: next).uppercased())
            if words.last == "JOIN" { throw unsupported(words.joined(separator: " "), at: token) }
            if !Self.joinWords.contains(words[words.count - 1]) { break }
        }
    }

    private static let joinWords: Set<String> = [
        "GLOBAL", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "ANY", "ALL", "ASOF", "SEMI", "ANTI", "OUTER", "PASTE",
    ]

    /// `t`, `db.t`, `a.b.c`: the first part is the database, the rest the table.
    mutating func tableName() throws(QueryError) -> TableName {
        let start = peek().start
        var parts = [try name("a table")]
        while isSymbol(.dot) {
            position += 1
            // `app.2024`: what stands behind a dot may begin with a digit.
            if peek().kind == .number {
                parts.append(string(of: peek()))
                position += 1
            } else {
                parts.append(try name("a table after '.'"))
            }
        }
        if isSymbol(.minus), peek().start == previousEnd {
            throw unexpected("the end of the table's name (a name with '-' needs quotes: `like-this`)")
        }
        guard parts.count > 1 else { return TableName(database: nil, table: parts[0], position: start) }
        return TableName(database: parts[0], table: parts.dropFirst().joined(separator: "."), position: start)
    }

    // MARK: WHERE, GROUP BY

    private mutating func conditions(_ query: inout SelectQuery) throws(QueryError) {
        if accept("PREWHERE") { query.prewhere = try expressionWithAlias(implicit: false) }
        if accept("WHERE") { query.whereClause = try expressionWithAlias(implicit: false) }
    }

    private mutating func grouping(_ query: inout SelectQuery) throws(QueryError) {
        if accept("GROUP", "BY") {
            for word: StaticString in ["ALL", "ROLLUP", "CUBE", "GROUPING"] where isKeyword(word) {
                let next = peek(1).kind
                if next == .symbol(.leftParenthesis) || word.description == "ALL" && next != .symbol(.comma) {
                    throw unsupported("GROUP BY \(word)", at: peek())
                }
            }
            query.groupBy = try expressionList()
            while isKeyword("WITH") {
                if isKeyword("TOTALS", ahead: 1) {
                    position += 2
                    query.withTotals = true
                } else if isKeyword("ROLLUP", ahead: 1) || isKeyword("CUBE", ahead: 1) {
                    throw unsupported("WITH \(string(of: peek(1)).uppercased())", at: peek())
                } else {
                    throw unexpected("WITH TOTALS")
                }
            }
        } else if accept("WITH", "TOTALS") {
            query.withTotals = true
        }
        if accept("HAVING") { query.having = try expressionWithAlias(implicit: false) }
        if isKeyword("WINDOW"), isName(ahead: 1) { throw unsupported("WINDOW", at: peek()) }
        if isKeyword("QUALIFY") { throw unsupported("QUALIFY", at: peek()) }
    }

    // MARK: ORDER BY, LIMIT

    private mutating func ordering(_ query: inout SelectQuery) throws(QueryError) {
        guard accept("ORDER", "BY") else { return }
        if isKeyword("ALL"), !isSymbol(.comma, ahead: 1) { throw unsupported("ORDER BY ALL", at: peek()) }
        repeat { query.orderBy.append(try orderByItem()) } while accept(.comma)
    }

    private mutating func orderByItem() throws(QueryError) -> OrderByItem {
        var item = OrderByItem(expression: try expressionWithAlias(implicit: false))
        if accept("DESC") || accept("DESCENDING") {
            item.descending = true
        } else if !accept("ASC") {
            _ = accept("ASCENDING")
        }
        if accept("NULLS") {
            if accept("FIRST") {
                item.nullsFirst = true
            } else if !accept("LAST") {
                throw unexpected("FIRST or LAST")
            }
        }
        if isKeyword("COLLATE") { throw unsupported("COLLATE", at: peek()) }
        if isKeyword("WITH"), isKeyword("FILL", ahead: 1) { throw unsupported("WITH FILL", at: peek()) }
        return item
    }

    private mutating func limits(_ query: inout SelectQuery) throws(QueryError) {
        while true {
            if accept("LIMIT") {
                try limit(&query)
            } else if query.offset == nil, accept("OFFSET") {
                query.offset = try limitExpression()
                if !accept("ROWS") { _ = accept("ROW") }
            } else if query.limit == nil, isKeyword("FETCH"),
                isKeyword("FIRST", ahead: 1) || isKeyword("NEXT", ahead: 1)
            {
                position += 2
                query.limit = try limitExpression()
                if !accept("ROWS") { try expect("ROW") }
                try expect("ONLY")
            } else {
                return
            }
        }
    }

    private mutating func limit(_ query: inout SelectQuery) throws(QueryError) {
        var count = try limitExpression()
        var offset: Expression?
        if accept(.comma) {
            offset = count
            count = try limitExpression()
        } else if accept("OFFSET") {
            offset = try limitExpression()
        }
        if isKeyword("WITH"), isKeyword("TIES", ahead: 1) { throw unsupported("LIMIT … WITH TIES", at: peek()) }
        if isKeyword("BY") {
            guard query.limitBy == nil, query.limit == nil else { throw unexpected("one LIMIT … BY") }
            position += 1
            query.limitBy = LimitBy(limit: count, offset: offset, columns: try expressionList())
            return
        }
        guard query.limit == nil else { throw unexpected("one LIMIT") }
        query.limit = count
        if offset != nil { query.offset = offset }
    }

    /// A parameter stands here as its plain value.
    private mutating func limitExpression() throws(QueryError) -> Expression {
        let start = peek().start
        if isSymbol(.leftBrace), let value = try limitParameter() {
            return try make(.literal(value), start: start)
        }
        return try expression(Precedence.concat)
    }

    // MARK: SETTINGS

    /// `name = value, …`.
    mutating func settings() throws(QueryError) -> [Setting] {
        var list: [Setting] = []
        repeat {
            let position = peek().start
            var key = try name("a setting's name")
            while accept(.dot) { key += "." + (try name("a setting's name")) }
            guard accept(.equals) else {
                list.append(Setting(name: key, value: "1", position: position))
                continue
            }
            list.append(Setting(name: key, value: try settingValue(), position: position))
        } while accept(.comma)
        return list
    }

    private mutating func settingValue() throws(QueryError) -> String {
        let token = peek()
        switch token.kind {
        case .string:
            return try stringLiteral("a value")
        case .number, .word, .quotedName:
            position += 1
            return string(of: token)
        case .symbol(.minus) where peek(1).kind == .number:
            position += 2
            return "-" + String(decoding: text[tokenStart(before: 1)..<previousEnd], as: UTF8.self)
        case .symbol(.leftBrace), .symbol(.leftBracket):
            // `{'t': 'filter'}`: kept as text.
            var open = 0
            repeat {
                switch peek().kind {
                case .symbol(.leftBrace), .symbol(.leftBracket): open += 1
                case .symbol(.rightBrace), .symbol(.rightBracket): open -= 1
                case .end, .invalid: throw unexpected("the end of the value")
                default: break
                }
                position += 1
            } while open > 0
            return String(decoding: text[token.start..<previousEnd], as: UTF8.self)
        default:
            throw unexpected("a value")
        }
    }

    private mutating func tokenStart(before count: Int) -> Int {
        position -= count
        defer { position += count }
        return peek().start
    }
}

extension SelectQuery {
    /// The depth of the deepest expression or query inside.
    var childDepth: Int {
        var deepest = 0
        for expression in expressions { deepest = max(deepest, expression.depth) }
        for query in unionAll { deepest = max(deepest, query.depth) }
        switch from {
        case .subquery(let query, _): deepest = max(deepest, query.depth)
        case .function(_, let arguments, _, _): deepest = arguments.reduce(deepest) { max($0, $1.depth) }
        case .table, nil: break
        }
        return deepest
    }

    /// All expressions that stand in the query's own clauses.
    private var expressions: [Expression] {
        var list = with + projections + groupBy + orderBy.map(\.expression)
        list += [prewhere, whereClause, having, limit, offset, limitBy?.limit, limitBy?.offset].compactMap { $0 }
        return list + (limitBy?.columns ?? [])
    }
}

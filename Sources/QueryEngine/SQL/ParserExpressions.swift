/// How tightly operators bind, loosest first; ClickHouse's order.
enum Precedence {
    static let lambda = 1
    static let ternary = 2
    static let or = 3
    static let and = 4
    static let not = 5
    static let isNull = 6
    static let between = 7
    static let comparison = 9
    static let concat = 10
    static let additive = 11
    static let multiplicative = 12
    static let negation = 13
}

extension StatementParser {
    /// An expression of operators that bind at least as tightly as `minimum`.
    mutating func expression(_ minimum: Int = 0) throws(QueryError) -> Expression {
        try enter()
        defer { leave() }
        let start = peek().start
        var left = try prefix(minimum)
        while let next = try infix(left, minimum: minimum, start: start) { left = next }
        return left
    }

    /// NOT, minus, lambdas; else an operand.
    private mutating func prefix(_ minimum: Int) throws(QueryError) -> Expression {
        let token = peek()
        switch token.kind {
        case .word:
            if minimum <= Precedence.lambda, isSymbol(.arrow, ahead: 1) { return try lambda() }
            if isKeyword("NOT") {
                position += 1
                return try call("not", [expression(Precedence.not)], start: token.start)
            }
        case .symbol(.minus):
            position += 1
            if peek().kind == .number { return try number(negative: true, start: token.start) }
            return try call("negate", [expression(Precedence.negation)], start: token.start)
        case .symbol(.plus) where peek(1).kind == .number:
            position += 1
        case .symbol(.leftParenthesis):
            if minimum <= Precedence.lambda, isLambdaParameters() { return try lambda() }
        default:
            break
        }
        return try operand()
    }

    // MARK: Infix operators

    /// Takes an operator behind `left` and its right side; nil when none binds tightly enough.
    private mutating func infix(_ left: Expression, minimum: Int, start: Int) throws(QueryError) -> Expression? {
        let token = peek()
        switch token.kind {
        case .symbol(let symbol): return try infixSymbol(symbol, left, minimum: minimum, start: start)
        case .word: return try infixWord(left, minimum: minimum, start: start)
        default: return nil
        }
    }

    private mutating func infixSymbol(
        _ symbol: Symbol, _ left: Expression, minimum: Int, start: Int
    ) throws(QueryError) -> Expression? {
        switch symbol {
        case .question:
            guard minimum <= Precedence.ternary else { return nil }
            position += 1
            let then = try expression(Precedence.ternary)
            try expect(.colon, "':' of the condition '… ? … : …'")
            let otherwise = try expression(Precedence.ternary)
            return try call("if", [left, then, otherwise], start: start)
        case .concat:
            return try mergeable("concat", symbol: .concat, Precedence.concat, left, minimum: minimum, start: start)
        case .pipe, .ampersand, .caret:
            throw unsupported("The operator '\(symbol.rawValue)' (use bitOr, bitAnd or bitXor)", at: peek())
        default:
            guard let (name, precedence) = Self.binary(symbol), minimum <= precedence else { return nil }
            position += 1
            let right = try expression(precedence + 1)
            return try call(name, [left, right], start: start)
        }
    }

    private static func binary(_ symbol: Symbol) -> (String, Int)? {
        switch symbol {
        case .equals, .doubleEquals: ("equals", Precedence.comparison)
        case .notEquals, .lessGreater: ("notEquals", Precedence.comparison)
        case .less: ("less", Precedence.comparison)
        case .lessOrEquals: ("lessOrEquals", Precedence.comparison)
        case .greater: ("greater", Precedence.comparison)
        case .greaterOrEquals: ("greaterOrEquals", Precedence.comparison)
        case .nullSafeEquals: ("isNotDistinctFrom", Precedence.comparison)
        case .plus: ("plus", Precedence.additive)
        case .minus: ("minus", Precedence.additive)
        case .asterisk: ("multiply", Precedence.multiplicative)
        case .slash: ("divide", Precedence.multiplicative)
        case .percent: ("modulo", Precedence.multiplicative)
        default: nil
        }
    }

    /// `a || b || c` as one call of three arguments.
    private mutating func mergeable(
        _ name: String, symbol: Symbol, _ precedence: Int, _ left: Expression, minimum: Int, start: Int
    ) throws(QueryError) -> Expression? {
        guard minimum <= precedence else { return nil }
        var arguments = [left]
        while accept(symbol) { arguments.append(try expression(precedence + 1)) }
        return try call(name, arguments, start: start)
    }

    private mutating func infixWord(_ left: Expression, minimum: Int, start: Int) throws(QueryError) -> Expression? {
        if isKeyword("AND") {
            guard minimum <= Precedence.and else { return nil }
            var arguments = [left]
            while accept("AND") { arguments.append(try expression(Precedence.and + 1)) }
            return try call("and", arguments, start: start)
        }
        if isKeyword("OR") {
            guard minimum <= Precedence.or else { return nil }
            var arguments = [left]
            while accept("OR") { arguments.append(try expression(Precedence.or + 1)) }
            return try call("or", arguments, start: start)
        }
        if isKeyword("IS") { return try isOperator(left, minimum: minimum, start: start) }
        if isKeyword("DIV") || isKeyword("MOD") {
            guard minimum <= Precedence.multiplicative else { return nil }
            let name = isKeyword("DIV") ? "intDiv" : "modulo"
            position += 1
            return try call(name, [left, expression(Precedence.multiplicative + 1)], start: start)
        }
        return try matchOperator(left, minimum: minimum, start: start)
    }

    /// IS [NOT] NULL, IS [NOT] DISTINCT FROM.
    private mutating func isOperator(_ left: Expression, minimum: Int, start: Int) throws(QueryError) -> Expression? {
        guard minimum <= Precedence.isNull else { return nil }
        position += 1
        let negated = accept("NOT")
        if accept("NULL") { return try call(negated ? "isNotNull" : "isNull", [left], start: start) }
        if accept("DISTINCT", "FROM") {
            let right = try expression(Precedence.comparison)
            return try call(negated ? "isNotDistinctFrom" : "isDistinctFrom", [left, right], start: start)
        }
        throw unexpected(negated ? "NULL or DISTINCT FROM" : "NULL, NOT NULL or [NOT] DISTINCT FROM")
    }

    /// [NOT] BETWEEN, IN, LIKE, ILIKE, REGEXP.
    private mutating func matchOperator(_ left: Expression, minimum: Int, start: Int) throws(QueryError) -> Expression?
    {
        let negated = isKeyword("NOT")
        let at = negated ? 1 : 0
        if isKeyword("BETWEEN", ahead: at) {
            guard minimum <= Precedence.between else { return nil }
            position += at + 1
            return try between(left, negated: negated, start: start)
        }
        guard minimum <= Precedence.comparison else { return nil }
        if isKeyword("GLOBAL", ahead: at) || isKeyword("IN", ahead: at)
            || (isKeyword("GLOBAL") && isKeyword("NOT", ahead: 1))
        {
            return try inOperator(left, start: start)
        }
        let names: (plain: String, negated: String?)
        if isKeyword("LIKE", ahead: at) {
            names = ("like", "notLike")
        } else if isKeyword("ILIKE", ahead: at) {
            names = ("ilike", "notILike")
        } else if isKeyword("REGEXP", ahead: at) || isKeyword("RLIKE", ahead: at) {
            names = ("match", nil)
        } else {
            return nil
        }
        position += at + 1
        let right = try expression(Precedence.comparison + 1)
        if isKeyword("ESCAPE") { throw unsupported("LIKE … ESCAPE", at: peek()) }
        guard negated else { return try call(names.plain, [left, right], start: start) }
        if let name = names.negated { return try call(name, [left, right], start: start) }
        return try call("not", [call(names.plain, [left, right], start: start)], start: start)
    }

    private mutating func between(_ left: Expression, negated: Bool, start: Int) throws(QueryError) -> Expression {
        let low = try expression(Precedence.between + 1)
        try expect("AND")
        let high = try expression(Precedence.between + 1)
        let lower = try call(negated ? "less" : "greaterOrEquals", [left, low], start: start)
        let upper = try call(negated ? "greater" : "lessOrEquals", [left, high], start: start)
        return try call(negated ? "or" : "and", [lower, upper], start: start)
    }

    /// [GLOBAL] [NOT] IN. On one machine GLOBAL changes nothing.
    private mutating func inOperator(_ left: Expression, start: Int) throws(QueryError) -> Expression? {
        _ = accept("GLOBAL")
        let negated = accept("NOT")
        try expect("IN")
        var right = try expression(Precedence.comparison + 1)
        if case .identifier(let parts) = right.kind, parts.count == 1,
            let query = try inlined(parts[0], at: right.start)
        {
            right.kind = .subquery(query)
        }
        return try call(negated ? "notIn" : "in", [left, right], start: start)
    }

    // MARK: Lambdas

    /// Whether `(x, y) ->` comes next.
    private mutating func isLambdaParameters() -> Bool {
        var ahead = 1
        while peek(ahead).kind == .word {
            if isSymbol(.comma, ahead: ahead + 1) {
                ahead += 2
            } else {
                return isSymbol(.rightParenthesis, ahead: ahead + 1) && isSymbol(.arrow, ahead: ahead + 2)
            }
        }
        return false
    }

    private mutating func lambda() throws(QueryError) -> Expression {
        let start = peek().start
        var parameters: [String] = []
        if accept(.leftParenthesis) {
            repeat { parameters.append(try name("a parameter's name")) } while accept(.comma)
            try expect(.rightParenthesis)
        } else {
            parameters.append(try name("a parameter's name"))
        }
        try expect(.arrow)
        return try make(.lambda(parameters: parameters, body: expression(Precedence.lambda)), start: start)
    }

    // MARK: Lists and aliases

    /// An expression with an optional `AS name`; `implicit` also takes a bare name behind it.
    mutating func expressionWithAlias(implicit: Bool) throws(QueryError) -> Expression {
        var result = try expression()
        if let alias = try alias(implicit: implicit) { result.alias = alias }
        return result
    }

    mutating func alias(implicit: Bool) throws(QueryError) -> String? {
        if accept("AS") { return try name("a name after AS") }
        guard implicit else { return nil }
        if peek().kind == .quotedName || (peek().kind == .word && !isClauseKeyword()) { return try name("an alias") }
        return nil
    }

    /// Expressions with commas between.
    mutating func expressionList(implicitAliases: Bool = false) throws(QueryError) -> [Expression] {
        var list = [try expressionWithAlias(implicit: implicitAliases)]
        while accept(.comma) { list.append(try expressionWithAlias(implicit: implicitAliases)) }
        return list
    }

    /// Whether the next word opens a clause or joins expressions, and so is no alias.
    mutating func isClauseKeyword() -> Bool {
        let token = peek()
        guard token.kind == .word, token.end - token.start <= 10 else { return false }
        return Self.clauseKeywords.contains(string(of: token).uppercased())
    }

    private static let clauseKeywords: Set<String> = [
        "FROM", "FINAL", "SAMPLE", "ARRAY", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "JOIN", "GLOBAL", "ANY", "ALL",
        "ASOF", "SEMI", "ANTI", "PASTE", "ONLY", "ON", "USING", "PREWHERE", "WHERE", "WINDOW", "GROUP", "WITH",
        "HAVING",
        "QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH", "SETTINGS", "FORMAT", "UNION", "INTERSECT", "EXCEPT", "NOT",
        "INTO", "AS", "AND", "OR", "IN", "IS", "LIKE", "ILIKE", "REGEXP", "RLIKE", "BETWEEN", "DIV", "MOD", "THEN",
        "WHEN", "ELSE", "END", "ASC", "DESC", "NULLS", "COLLATE", "BY", "SELECT", "REPLACE", "APPLY", "ESCAPE",
    ]
}

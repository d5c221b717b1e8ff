extension StatementParser {
    /// A literal, name, call or bracketed expression with what clings to it: `[i]`, `.1`, `::Type`.
    mutating func operand() throws(QueryError) -> Expression {
        let start = peek().start
        var result = try primary()
        while true {
            let token = peek()
            switch token.kind {
            case .symbol(.doubleColon):
                position += 1
                result = try castOperator(result, start: start)
            case .symbol(.leftBracket):
                position += 1
                let index = try expression()
                try expect(.rightBracket)
                result = try call("arrayElement", [result, index], start: start)
            case .symbol(.dot):
                position += 1
                result = try tupleElement(of: result, start: start)
            default:
                return result
            }
        }
    }

    private mutating func tupleElement(of tuple: Expression, start: Int) throws(QueryError) -> Expression {
        let token = peek()
        if token.kind == .number, let value = Literals.number(bytes(of: token)) {
            position += 1
            return try call("tupleElement", [tuple, make(.literal(value), start: token.start)], start: start)
        }
        let field = try name("a tuple's element: its number or name")
        let literal = try make(.literal(.string(Array(field.utf8))), start: token.start)
        return try call("tupleElement", [tuple, literal], start: start)
    }

    /// `x::Type`. A number is cast from its text, as ClickHouse does: `0.1::Float32` loses nothing on the way.
    private mutating func castOperator(_ value: Expression, start: Int) throws(QueryError) -> Expression {
        var value = value
        if case .literal(let literal) = value.kind {
            switch literal {
            case .unsigned, .signed, .float: value.kind = .literal(.string(Array(text[value.start..<value.end])))
            default: break
            }
        }
        let typeStart = peek().start
        let type = try typeText()
        let typeLiteral = try make(.literal(.string(Array(type.utf8))), start: typeStart)
        return try call("CAST", [value, typeLiteral], start: start)
    }

    private mutating func primary() throws(QueryError) -> Expression {
        let token = peek()
        switch token.kind {
        case .number:
            return try number(negative: false, start: token.start)
        case .string:
            position += 1
            return try make(.literal(.string(Literals.unquote(bytes(of: token)))), start: token.start)
        case .hexString, .binaryString:
            position += 1
            guard let value = Literals.bits(bytes(of: token), perDigit: token.kind == .hexString ? 4 : 1) else {
                throw problem(at: token, "a digit that is none in \(string(of: token))")
            }
            return try make(.literal(.string(value)), start: token.start)
        case .heredoc:
            position += 1
            let tag = (bytes(of: token).dropFirst().firstIndex(of: UInt8(ascii: "$")) ?? token.start) - token.start + 1
            return try make(.literal(.string(Array(bytes(of: token).dropFirst(tag).dropLast(tag)))), start: token.start)
        case .symbol(.leftParenthesis):
            return try parenthesised()
        case .symbol(.leftBracket):
            return try arrayLiteral()
        case .symbol(.leftBrace):
            return try queryParameter()
        case .symbol(.asterisk):
            position += 1
            try refuseColumnTransformers()
            return try make(.asterisk(qualifier: nil), start: token.start)
        case .word:
            return try wordOperand()
        case .quotedName:
            return try identifierOrCall()
        default:
            throw unexpected("an expression")
        }
    }

    mutating func number(negative: Bool, start: Int) throws(QueryError) -> Expression {
        let token = peek()
        guard let value = Literals.number(bytes(of: token), negative: negative) else {
            throw problem(at: token, "a number that cannot be read: \(string(of: token))")
        }
        position += 1
        let literal = try make(.literal(value), start: start)
        guard accept(.doubleColon) else { return literal }
        return try castOperator(literal, start: start)
    }

    /// `(SELECT …)`, `(a)`, `(a, b)`, `(a,)`, `()`.
    private mutating func parenthesised() throws(QueryError) -> Expression {
        let start = peek().start
        position += 1
        if isSelectStart() {
            let query = try subquery()
            try expect(.rightParenthesis)
            return try make(.subquery(query), start: start)
        }
        var items: [Expression] = []
        var isTuple = false
        while !isSymbol(.rightParenthesis) {
            items.append(try expressionWithAlias(implicit: false))
            guard accept(.comma) else { break }
            isTuple = true
        }
        try expect(.rightParenthesis, items.isEmpty ? "an expression" : "',' or ')'")
        guard items.count == 1, !isTuple, var only = items.first else { return try call("tuple", items, start: start) }
        only.start = start
        only.end = previousEnd
        return only
    }

    private mutating func arrayLiteral() throws(QueryError) -> Expression {
        let start = peek().start
        position += 1
        var items: [Expression] = []
        while !isSymbol(.rightBracket) {
            items.append(try expressionWithAlias(implicit: false))
            guard accept(.comma) else { break }
        }
        try expect(.rightBracket, "',' or ']'")
        return try call("array", items, start: start)
    }

    func refuseColumnTransformers() throws(QueryError) {
        var copy = self
        for keyword: StaticString in ["EXCEPT", "REPLACE", "APPLY"] where copy.isKeyword(keyword) {
            // `SELECT * EXCEPT SELECT …` is the set operation and refused elsewhere.
            if copy.isKeyword("SELECT", ahead: 1) { return }
            throw unsupported("* \(keyword)", at: copy.peek())
        }
    }

    // MARK: Words

    private mutating func wordOperand() throws(QueryError) -> Expression {
        let start = peek().start
        let next = peek(1).kind
        if next == .symbol(.leftParenthesis) {
            if let special = try specialCall() { return special }
        } else if next == .string, isKeyword("DATE") || isKeyword("TIMESTAMP") {
            let name = isKeyword("DATE") ? "toDate" : "toDateTime"
            position += 1
            return try call(name, [primary()], start: start)
        }
        if isKeyword("CASE"), let result = try caseExpression() { return result }
        if isKeyword("INTERVAL"), let result = try interval() { return result }
        if next != .symbol(.leftParenthesis), next != .symbol(.dot), let literal = wordLiteral() {
            position += 1
            return try make(.literal(literal), start: start)
        }
        if isOperandRefused() { throw unexpected("an expression") }
        return try identifierOrCall()
    }

    private mutating func wordLiteral() -> Expression.Literal? {
        if isKeyword("NULL") { return .null }
        if isKeyword("TRUE") { return .bool(true) }
        if isKeyword("FALSE") { return .bool(false) }
        if isKeyword("INF") || isKeyword("INFINITY") { return .float(.infinity) }
        if isKeyword("NAN") { return .float(.nan) }
        return nil
    }

    /// Words that open a clause where an expression should stand, such as FROM in `SELECT FROM t`.
    private mutating func isOperandRefused() -> Bool {
        if isKeyword("GROUP") || isKeyword("ORDER") { return isKeyword("BY", ahead: 1) }
        if isSymbol(.leftParenthesis, ahead: 1) { return false }
        return isKeyword("SELECT") || isKeyword("FROM") || isKeyword("WHERE") || isKeyword("PREWHERE")
            || isKeyword("HAVING") || isKeyword("UNION") || isKeyword("AND") || isKeyword("OR") || isKeyword("AS")
            || isKeyword("THEN") || isKeyword("WHEN") || isKeyword("ELSE") || isKeyword("JOIN") || isKeyword("BETWEEN")
            || isKeyword("LIKE") || isKeyword("ILIKE") || isKeyword("IN") || isKeyword("IS")
    }

    /// `a`, `a.b.c`, `t.*`, `f(x)`, `f(p)(x)`.
    private mutating func identifierOrCall() throws(QueryError) -> Expression {
        let start = peek().start
        var parts = [try name("a name")]
        if isSymbol(.leftParenthesis) { return try functionCall(parts[0], start: start) }
        while isSymbol(.dot) {
            if isSymbol(.asterisk, ahead: 1) {
                position += 2
                try refuseColumnTransformers()
                return try make(.asterisk(qualifier: parts.joined(separator: ".")), start: start)
            }
            guard isName(ahead: 1) else { break }
            position += 1
            parts.append(try name("a name after '.'"))
        }
        return try make(.identifier(parts), start: start)
    }

    /// Parameters, arguments and what may follow them; the next token is `(`.
    private mutating func functionCall(_ name: String, start: Int) throws(QueryError) -> Expression {
        var (arguments, isDistinct) = try argumentList(of: name)
        var parameters: [Expression] = []
        if isSymbol(.leftParenthesis) {
            parameters = arguments
            (arguments, isDistinct) = try argumentList(of: name)
        }
        if arguments.count == 1, case .asterisk(qualifier: nil) = arguments[0].kind, name.lowercased() == "count" {
            arguments = []
        }
        var name = name
        if isKeyword("FILTER"), isSymbol(.leftParenthesis, ahead: 1), isKeyword("WHERE", ahead: 2) {
            position += 3
            arguments.append(try expression())
            try expect(.rightParenthesis)
            name += "If"
        }
        if isKeyword("OVER"), isSymbol(.leftParenthesis, ahead: 1) || isName(ahead: 1) {
            throw unsupported("A window function (OVER)", at: peek())
        }
        if isKeyword("NULLS", ahead: 1), isKeyword("RESPECT") || isKeyword("IGNORE") {
            if isKeyword("RESPECT") { throw unsupported("RESPECT NULLS", at: peek()) }
            position += 2
        }
        return try make(
            .function(name: name, parameters: parameters, arguments: arguments, isDistinct: isDistinct), start: start)
    }

    private mutating func argumentList(of name: String) throws(QueryError) -> ([Expression], isDistinct: Bool) {
        try expect(.leftParenthesis)
        // `distinct` may also be a column: it is the keyword only before an expression.
        var isDistinct = false
        if isKeyword("DISTINCT"), !isSymbol(.rightParenthesis, ahead: 1), !isSymbol(.comma, ahead: 1) {
            position += 1
            isDistinct = true
        }
        if isSelectStart() {
            let start = peek().start
            let argument = try make(.subquery(subquery()), start: start)
            try expect(.rightParenthesis)
            return ([argument], isDistinct)
        }
        var arguments: [Expression] = []
        while !isSymbol(.rightParenthesis) {
            arguments.append(try expressionWithAlias(implicit: false))
            guard accept(.comma) else { break }
            if isSymbol(.rightParenthesis) { throw unexpected("an argument of \(name)") }
        }
        try expect(.rightParenthesis, arguments.isEmpty ? "an argument or ')'" : "an operator, ',' or ')'")
        return (arguments, isDistinct)
    }

    // MARK: Types

    /// A type as written, from the next token to the end of its parentheses.
    mutating func typeText() throws(QueryError) -> String {
        let first = peek()
        guard isName() else { throw unexpected("a type") }
        position += 1
        if isSymbol(.leftParenthesis) {
            var open = 0
            repeat {
                let token = peek()
                switch token.kind {
                case .symbol(.leftParenthesis): open += 1
                case .symbol(.rightParenthesis): open -= 1
                case .end, .invalid, .symbol(.semicolon): throw unexpected("')' at the end of the type")
                default: break
                }
                guard open <= Parser.maximumDepth else { throw unexpected("a type that nests less deep") }
                position += 1
            } while open > 0
        } else if isKeyword("PRECISION") || isKeyword("VARYING") {
            position += 1
        }
        return String(decoding: text[first.start..<previousEnd], as: UTF8.self)
    }
}

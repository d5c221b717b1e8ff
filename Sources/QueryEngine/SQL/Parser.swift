import Columnar

/// SQL text → statement.
public enum Parser {
    /// How deep an expression or query may nest: all code that walks the tree may recurse this far. A subquery
    /// counts as eight.
    public static let maximumDepth = 250

    /// Parses one statement, an optional `;` behind it. `{name:Type}` takes its value from `parameters` (in the
    /// TSV-escaped form in which clients send them); with nil they stay in the tree as `.parameter`.
    ///
    /// Throws `.syntaxError` with the place, what was found and what was expected; `.notImplemented` with the name of
    /// a construct that ClickHouse has and this engine does not; `.unknownQueryParameter`.
    public static func parse(_ sql: [UInt8], parameters: [String: [UInt8]]? = nil) throws(QueryError) -> ParsedQuery {
        var parser = StatementParser(sql, parameters: parameters)
        return try parser.query()
    }

    /// Parses an expression alone, such as a DEFAULT or a TTL kept as text.
    public static func parseExpression(_ sql: [UInt8]) throws(QueryError) -> Expression {
        var parser = StatementParser(sql, parameters: nil)
        let result = try parser.expressionWithAlias(implicit: false)
        try parser.expectEnd("an operator or the end")
        return result
    }
}

/// Where the parser stands: the tokens read so far, and what a name means here.
struct StatementParser {
    let text: [UInt8]
    let parameters: [String: [UInt8]]?
    private var lexer: Lexer
    private var tokens: [Token] = []
    /// The index of the token that comes next.
    var position = 0
    /// How deep the constructs around the present one nest.
    private var depth = 0
    /// `WITH name AS (SELECT …)` seen by the queries being parsed, innermost last.
    var commonTables: [CommonTable] = []
    /// How many common tables were put in place of their names, so that doubling them does not explode.
    var inlinedTables = 0

    struct CommonTable {
        var name: String
        var query: SelectQuery
        /// How many tables stand in place of their names inside it, itself included.
        var inlined: Int
    }

    init(_ text: [UInt8], parameters: [String: [UInt8]]?) {
        self.text = text
        self.parameters = parameters
        lexer = Lexer(text)
    }

    // MARK: Tokens

    /// The token `ahead` places on.
    mutating func peek(_ ahead: Int = 0) -> Token {
        while tokens.count <= position + ahead { tokens.append(lexer.next()) }
        return tokens[position + ahead]
    }

    mutating func advance() {
        if peek().kind != .end { position += 1 }
    }

    /// Where the token before the next one ends.
    var previousEnd: Int { position > 0 ? tokens[position - 1].end : 0 }

    func bytes(of token: Token) -> ArraySlice<UInt8> { text[token.start..<token.end] }

    func string(of token: Token) -> String { String(decoding: bytes(of: token), as: UTF8.self) }

    // MARK: Keywords

    /// Whether the token `ahead` places on is the bare word `keyword` (given in capitals), in any case.
    mutating func isKeyword(_ keyword: StaticString, ahead: Int = 0) -> Bool {
        let token = peek(ahead)
        guard token.kind == .word, token.end - token.start == keyword.utf8CodeUnitCount else { return false }
        let expected = UnsafeBufferPointer(start: keyword.utf8Start, count: keyword.utf8CodeUnitCount)
        for index in 0..<expected.count {
            var byte = text[token.start + index]
            if byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") { byte &= 0xDF }
            if byte != expected[index] { return false }
        }
        return true
    }

    /// Takes the keywords when all follow in this order.
    mutating func accept(_ keywords: StaticString...) -> Bool {
        for index in keywords.indices where !isKeyword(keywords[index], ahead: index) { return false }
        position += keywords.count
        return true
    }

    mutating func expect(_ keyword: StaticString) throws(QueryError) {
        guard accept(keyword) else { throw unexpected("\(keyword)") }
    }

    // MARK: Symbols

    mutating func isSymbol(_ symbol: Symbol, ahead: Int = 0) -> Bool { peek(ahead).kind == .symbol(symbol) }

    mutating func accept(_ symbol: Symbol) -> Bool {
        guard isSymbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func expect(_ symbol: Symbol, _ expected: String? = nil) throws(QueryError) {
        guard accept(symbol) else { throw unexpected(expected ?? "'\(symbol.rawValue)'") }
    }

    mutating func expectEnd(_ expected: String) throws(QueryError) {
        guard peek().kind == .end else { throw unexpected(expected) }
    }

    // MARK: Names

    mutating func isName(ahead: Int = 0) -> Bool {
        let kind = peek(ahead).kind
        return kind == .word || kind == .quotedName
    }

    /// A bare or quoted name.
    mutating func name(_ what: String) throws(QueryError) -> String {
        let token = peek()
        switch token.kind {
        case .word:
            position += 1
            return string(of: token)
        case .quotedName:
            guard let name = String(validating: Literals.unquote(bytes(of: token)), as: UTF8.self) else {
                throw problem(at: token, "bytes that are not UTF-8 in a name")
            }
            guard !name.isEmpty else { throw problem(at: token, "an empty name") }
            position += 1
            return name
        case .symbol(.leftBrace):
            return try identifierParameter()
        default:
            throw unexpected(what)
        }
    }

    /// The text of a string literal.
    mutating func stringLiteral(_ what: String) throws(QueryError) -> String {
        let token = peek()
        guard token.kind == .string else { throw unexpected(what) }
        position += 1
        return String(decoding: Literals.unquote(bytes(of: token)), as: UTF8.self)
    }

    // MARK: Depth

    /// Notes that a construct nests in another; every `enter` has its `leave`.
    mutating func enter(_ levels: Int = 1) throws(QueryError) {
        depth += levels
        guard depth <= Parser.maximumDepth else {
            throw problem(at: peek(), "nesting deeper than \(Parser.maximumDepth) levels")
        }
    }

    mutating func leave(_ levels: Int = 1) { depth -= levels }

    /// An expression that ends at the last token taken.
    func make(_ kind: Expression.Kind, start: Int) throws(QueryError) -> Expression {
        var expression = Expression(kind, start: start, end: previousEnd)
        expression.depth = 1 + kind.childDepth
        guard expression.depth <= Parser.maximumDepth else {
            throw QueryError(
                .syntaxError,
                "\(Self.place(start, in: text)): an expression nests deeper than \(Parser.maximumDepth) levels",
                at: start)
        }
        return expression
    }

    func call(_ name: String, _ arguments: [Expression], start: Int) throws(QueryError) -> Expression {
        try make(.function(name: name, parameters: [], arguments: arguments, isDistinct: false), start: start)
    }
}

// MARK: - Errors

extension StatementParser {
    /// What the next token should have been.
    mutating func unexpected(_ expected: String) -> QueryError {
        let token = peek()
        return problem(at: token, nil, expected: expected)
    }

    /// Something wrong with `token` itself.
    func problem(at token: Token, _ what: String?, expected: String? = nil) -> QueryError {
        var message = Self.place(token.start, in: text)
        if let what {
            message += ": \(what)"
        } else if case .invalid(let reason) = token.kind {
            message += ": found \(reason): \(shown(token))"
        } else if token.kind == .end {
            message += ": found the end of the query"
        } else {
            message += ": found \(shown(token))"
        }
        if let expected { message += ", expected \(expected)" }
        return QueryError(.syntaxError, message, at: token.start)
    }

    /// A construct of ClickHouse that this engine lacks.
    func unsupported(_ construct: String, at token: Token) -> QueryError {
        let place = Self.lineAndColumn(token.start, in: text)
        return QueryError(
            .notImplemented, "\(construct) is not supported (line \(place.line), col \(place.column))", at: token.start)
    }

    private func shown(_ token: Token) -> String {
        let limit = 40
        let piece = text[token.start..<min(token.end, token.start + limit)]
        let shown = String(decoding: piece, as: UTF8.self).replacingControls
        return "'\(shown)\(token.end - token.start > limit ? "…" : "")'"
    }

    /// "Syntax error: failed at position 8 (line 1, col 8)".
    static func place(_ offset: Int, in text: [UInt8]) -> String {
        let place = lineAndColumn(offset, in: text)
        return "Syntax error: failed at position \(offset + 1) (line \(place.line), col \(place.column))"
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    static func lineAndColumn(_ offset: Int, in text: [UInt8]) -> (line: Int, column: Int) {
        var line = 1
        var lineStart = 0
        let end = min(offset, text.count)
        for index in 0..<end where text[index] == 0x0A {
            line += 1
            lineStart = index + 1
        }
        return (line, text[lineStart..<end].count { $0 & 0xC0 != 0x80 } + 1)
    }
}

extension String {
    /// The text with control characters as dots, so that an error is one readable line.
    fileprivate var replacingControls: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "·" : $0 }))
    }
}

extension Expression.Kind {
    /// The depth of the deepest part.
    fileprivate var childDepth: Int {
        switch self {
        case .literal, .identifier, .asterisk, .parameter: 0
        case .function(_, let parameters, let arguments, _):
            max(parameters.reduce(0) { max($0, $1.depth) }, arguments.reduce(0) { max($0, $1.depth) })
        case .lambda(_, let body): body.depth
        case .subquery(let query): query.depth
        }
    }
}

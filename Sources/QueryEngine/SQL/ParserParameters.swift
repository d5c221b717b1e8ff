// `{name:Type}`: the value comes from the client beside the query, so that nobody pastes text into SQL.

extension StatementParser {
    /// Reads `{name:Type}`.
    private mutating func parameterSyntax() throws(QueryError) -> (name: String, type: String) {
        try expect(.leftBrace)
        let parameter = try name("a parameter's name")
        try expect(.colon)
        let type = try typeText()
        try expect(.rightBrace)
        return (parameter, type)
    }

    private func value(of parameter: String, at start: Int) throws(QueryError) -> [UInt8]? {
        guard let parameters else { return nil }
        guard let value = parameters[parameter] else {
            throw QueryError(
                .unknownQueryParameter,
                "Query parameter '\(parameter)' is not set: give its value as param_\(parameter)", at: start)
        }
        return value
    }

    /// `{name:Type}` as an expression: a string as it is, an Identifier as a name, anything else cast from its text.
    mutating func queryParameter() throws(QueryError) -> Expression {
        let start = peek().start
        let (name, type) = try parameterSyntax()
        guard let raw = try value(of: name, at: start) else {
            return try make(.parameter(name: name, type: type), start: start)
        }
        if type == "Identifier" {
            return try make(.identifier([identifier(raw, parameter: name, at: start)]), start: start)
        }
        if raw == Array("\\N".utf8) {
            return try call(
                "CAST", [make(.literal(.null), start: start), typeLiteral(type, start: start)], start: start)
        }
        let literal = try make(.literal(.string(Self.unescape(raw))), start: start)
        if type == "String" { return literal }
        return try call("CAST", [literal, typeLiteral(type, start: start)], start: start)
    }

    private func typeLiteral(_ type: String, start: Int) throws(QueryError) -> Expression {
        try make(.literal(.string(Array(type.utf8))), start: start)
    }

    /// `{name:Identifier}` where a name is wanted.
    mutating func identifierParameter() throws(QueryError) -> String {
        let token = peek()
        let (name, type) = try parameterSyntax()
        guard type == "Identifier" else {
            throw problem(at: token, "a parameter of type \(type)", expected: "a name or {\(name):Identifier}")
        }
        guard let raw = try value(of: name, at: token.start) else {
            throw QueryError(.unknownQueryParameter, "Query parameter '\(name)' is not set", at: token.start)
        }
        return try identifier(raw, parameter: name, at: token.start)
    }

    private func identifier(_ raw: [UInt8], parameter: String, at start: Int) throws(QueryError) -> String {
        guard let name = String(validating: Self.unescape(raw), as: UTF8.self), !name.isEmpty else {
            throw QueryError(.badQueryParameter, "The value of query parameter '\(parameter)' is no name", at: start)
        }
        return name
    }

    /// `{n:UInt64}` in LIMIT or OFFSET as a plain number; nil when its value is not known yet.
    mutating func limitParameter() throws(QueryError) -> Expression.Literal? {
        let start = peek().start
        let saved = position
        let (name, type) = try parameterSyntax()
        guard let raw = try value(of: name, at: start) else {
            position = saved
            return nil
        }
        guard let number = UInt64(String(decoding: raw, as: UTF8.self)) else {
            throw QueryError(
                .badQueryParameter,
                "The value of query parameter '\(name)' cannot be read as \(type): "
                    + "'\(String(decoding: raw, as: UTF8.self))'",
                at: start)
        }
        return .unsigned(number)
    }

    /// Resolves the escapes of the TSV form in which clients send values.
    static func unescape(_ raw: [UInt8]) -> [UInt8] {
        guard raw.contains(UInt8(ascii: "\\")) else { return raw }
        var result: [UInt8] = []
        var index = 0
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\"), index + 1 < raw.count else {
                result.append(raw[index])
                index += 1
                continue
            }
            result.append(Literals.controlEscape(raw[index + 1]) ?? raw[index + 1])
            index += 2
        }
        return result
    }
}

import Columnar

// Expressions with a grammar of their own: CASE, INTERVAL, CAST(x AS T), EXTRACT(DAY FROM t) and the like.

extension StatementParser {
    /// CASE [x] WHEN … THEN … [ELSE …] END; nil when `case` is a name here.
    mutating func caseExpression() throws(QueryError) -> Expression? {
        let start = peek().start
        let next = peek(1).kind
        if !isKeyword("WHEN", ahead: 1) {
            // A column named `case` is followed by an operator, a comma or the end.
            switch next {
            case .word, .quotedName, .number, .string, .symbol(.leftParenthesis), .symbol(.minus): break
            default: return nil
            }
            if next == .word, isKeyword("FROM", ahead: 1) || isKeyword("AS", ahead: 1) { return nil }
        }
        position += 1
        let subject = isKeyword("WHEN") ? nil : try expression()
        guard isKeyword("WHEN") else { throw unexpected("WHEN") }
        var arguments: [Expression] = []
        while accept("WHEN") {
            let whenStart = peek().start
            var condition = try expression()
            if let subject { condition = try call("equals", [subject, condition], start: whenStart) }
            try expect("THEN")
            arguments.append(condition)
            arguments.append(try expression())
        }
        if accept("ELSE") {
            arguments.append(try expression())
        } else {
            arguments.append(try make(.literal(.null), start: previousEnd))
        }
        guard accept("END") else { throw unexpected("WHEN, ELSE or END of the CASE") }
        return try call("multiIf", arguments, start: start)
    }

    // MARK: Intervals

    /// INTERVAL 5 MINUTE, INTERVAL '5' MINUTE, INTERVAL '5 minute'; nil when `interval` is a name here.
    mutating func interval() throws(QueryError) -> Expression? {
        let start = peek().start
        let saved = position
        switch peek(1).kind {
        case .number, .string, .symbol(.leftParenthesis), .symbol(.minus), .word, .quotedName, .symbol(.leftBrace):
            break
        default: return nil
        }
        if isClauseKeyword(ahead: 1) { return nil }
        position += 1
        if peek().kind == .string, Self.unit(peek(1), in: self) == nil {
            return try intervalText(start: start)
        }
        if isSymbol(.leftParenthesis, ahead: 0), saved + 1 == position, !intervalParenthesisHasUnit() {
            position = saved
            return nil
        }
        let count = try expression(Precedence.concat)
        guard let unit = Self.unit(peek(), in: self) else {
            throw unexpected("a unit of time: SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR")
        }
        position += 1
        return try call(Self.intervalFunction(unit), [count], start: start)
    }

    /// Whether a unit stands behind the parenthesis that comes next: `INTERVAL (1 + 1) DAY`, not a call of `interval`.
    private func intervalParenthesisHasUnit() -> Bool {
        var copy = self
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
        return Self.unit(copy.peek(), in: copy) != nil
    }

    private mutating func intervalText(start: Int) throws(QueryError) -> Expression {
        let token = peek()
        let text = try stringLiteral("an interval")
        let words = text.split(separator: " ")
        guard words.count == 2, let count = Int64(words[0]), let unit = IntervalUnit(word: String(words[1])) else {
            throw problem(at: token, "an interval that cannot be read: '\(text)'", expected: "one such as '5 minute'")
        }
        let literal = try make(.literal(count < 0 ? .signed(count) : .unsigned(UInt64(count))), start: token.start)
        return try call(Self.intervalFunction(unit), [literal], start: start)
    }

    private static func unit(_ token: Token, in parser: StatementParser) -> IntervalUnit? {
        guard token.kind == .word else { return nil }
        return IntervalUnit(word: parser.string(of: token))
    }

    private static func intervalFunction(_ unit: IntervalUnit) -> String {
        let name = unit.rawValue
        return "toInterval" + name.prefix(1).uppercased() + name.dropFirst()
    }

    mutating func isClauseKeyword(ahead: Int) -> Bool {
        position += ahead
        defer { position -= ahead }
        return isClauseKeyword()
    }

    // MARK: Calls with words between their arguments

    /// A call whose arguments have a grammar of their own; nil when it is a call like any other. The next tokens are
    /// the name and `(`.
    mutating func specialCall() throws(QueryError) -> Expression? {
        let start = peek().start
        if isKeyword("CAST") { return try cast(start: start) }
        if isKeyword("EXISTS"), isSelectStart(ahead: 2) {
            position += 2
            let queryStart = peek().start
            let query = try make(.subquery(subquery()), start: queryStart)
            try expect(.rightParenthesis)
            return try call("exists", [query], start: start)
        }
        if isKeyword("EXTRACT") { return try extract(start: start) }
        if isKeyword("TRIM") { return try trim(start: start) }
        if isKeyword("SUBSTRING") || isKeyword("SUBSTR") || isKeyword("MID") { return try substring(start: start) }
        if isKeyword("POSITION") { return try positionIn(start: start) }
        if isKeyword("DATEDIFF") || isKeyword("DATE_DIFF") || isKeyword("TIMESTAMPDIFF") || isKeyword("TIMESTAMP_DIFF")
        {
            return try dateDifference(start: start)
        }
        if isKeyword("DATE_ADD") || isKeyword("DATEADD") || isKeyword("TIMESTAMP_ADD") || isKeyword("TIMESTAMPADD") {
            return try dateArithmetic("plus", start: start)
        }
        if isKeyword("DATE_SUB") || isKeyword("DATESUB") || isKeyword("TIMESTAMP_SUB") || isKeyword("TIMESTAMPSUB") {
            return try dateArithmetic("minus", start: start)
        }
        return nil
    }

    private mutating func cast(start: Int) throws(QueryError) -> Expression {
        position += 2
        let value = try expression()
        let type: Expression
        if accept("AS") {
            let typeStart = peek().start
            let text = try typeText()
            type = try make(.literal(.string(Array(text.utf8))), start: typeStart)
        } else {
            try expect(.comma, "AS and a type, or ',' and a type in quotes")
            type = try expression()
        }
        try expect(.rightParenthesis)
        return try call("CAST", [value, type], start: start)
    }

    /// EXTRACT(DAY FROM t); nil for `extract(haystack, pattern)`.
    private mutating func extract(start: Int) throws(QueryError) -> Expression? {
        guard isKeyword("FROM", ahead: 3) else { return nil }
        let unitToken = peek(2)
        guard let unit = Self.unit(unitToken, in: self) else { return nil }
        let name: String
        switch unit {
        case .second: name = "toSecond"
        case .minute: name = "toMinute"
        case .hour: name = "toHour"
        case .day: name = "toDayOfMonth"
        case .week: name = "toRelativeWeekNum"
        case .month: name = "toMonth"
        case .quarter: name = "toQuarter"
        case .year: name = "toYear"
        default: throw unsupported("EXTRACT(\(string(of: unitToken)) FROM …)", at: unitToken)
        }
        position += 4
        let value = try expression()
        try expect(.rightParenthesis)
        return try call(name, [value], start: start)
    }

    /// TRIM([BOTH | LEADING | TRAILING] [characters FROM] s).
    private mutating func trim(start: Int) throws(QueryError) -> Expression? {
        position += 2
        let name: String
        if accept("LEADING") {
            name = "trimLeft"
        } else if accept("TRAILING") {
            name = "trimRight"
        } else {
            _ = accept("BOTH")
            name = "trimBoth"
        }
        let first = try expression()
        if accept("FROM") {
            let value = try expression()
            try expect(.rightParenthesis)
            return try call(name, [value, first], start: start)
        }
        var arguments = [first]
        while accept(.comma) { arguments.append(try expression()) }
        try expect(.rightParenthesis, "FROM or ')'")
        return try call(name, arguments, start: start)
    }

    /// SUBSTRING(s FROM a [FOR n]), and the plain form.
    private mutating func substring(start: Int) throws(QueryError) -> Expression {
        let written = string(of: peek())
        position += 2
        var arguments = [try expression()]
        if accept("FROM") {
            arguments.append(try expression())
            if accept("FOR") { arguments.append(try expression()) }
        } else {
            while accept(.comma) { arguments.append(try expression()) }
        }
        try expect(.rightParenthesis, "',', FROM or ')'")
        return try call(written == "SUBSTRING" ? "substring" : written, arguments, start: start)
    }

    /// POSITION(needle IN haystack), and the plain form.
    private mutating func positionIn(start: Int) throws(QueryError) -> Expression {
        position += 2
        let first = try expression(Precedence.concat)
        if accept("IN") {
            let haystack = try expression()
            try expect(.rightParenthesis)
            return try call("position", [haystack, first], start: start)
        }
        var arguments = [first]
        while accept(.comma) { arguments.append(try expression()) }
        try expect(.rightParenthesis, "',', IN or ')'")
        return try call("position", arguments, start: start)
    }

    /// dateDiff(day, a, b) with the unit as a bare word; nil when it is in quotes.
    private mutating func dateDifference(start: Int) throws(QueryError) -> Expression? {
        let unitToken = peek(2)
        guard let unit = Self.unit(unitToken, in: self), isSymbol(.comma, ahead: 3) else {
            return nil
        }
        position += 4
        let literalStart = unitToken.start
        var arguments = [try make(.literal(.string(Array(unit.rawValue.utf8))), start: literalStart)]
        repeat { arguments.append(try expression()) } while accept(.comma)
        try expect(.rightParenthesis)
        return try call("dateDiff", arguments, start: start)
    }

    /// DATE_ADD(DAY, 1, d) and DATE_ADD(d, INTERVAL 1 DAY).
    private mutating func dateArithmetic(_ name: String, start: Int) throws(QueryError) -> Expression? {
        // `d` alone is more often a column than a day.
        if let unit = Self.unit(peek(2), in: self), peek(2).end - peek(2).start > 1, isSymbol(.comma, ahead: 3) {
            let unitStart = peek(2).start
            position += 4
            let count = try expression()
            try expect(.comma)
            let date = try expression()
            try expect(.rightParenthesis)
            let interval = try call(Self.intervalFunction(unit), [count], start: unitStart)
            return try call(name, [date, interval], start: start)
        }
        position += 2
        let first = try expression()
        try expect(.comma)
        let second = try expression()
        try expect(.rightParenthesis)
        return try call(name, [first, second], start: start)
    }
}

extension IntervalUnit {
    /// The unit that a word of SQL names: `day`, `DAYS`, `dd`, `SQL_TSI_DAY`.
    init?(word: String) {
        var name = word.lowercased()
        if name.hasPrefix("sql_tsi_") { name.removeFirst("sql_tsi_".count) }
        if let unit = IntervalUnit(rawValue: name) {
            self = unit
            return
        }
        if name.hasSuffix("s"), let unit = IntervalUnit(rawValue: String(name.dropLast())) {
            self = unit
            return
        }
        switch name {
        case "ns": self = .nanosecond
        case "us": self = .microsecond
        case "ms": self = .millisecond
        case "s", "ss": self = .second
        case "mi", "n": self = .minute
        case "h", "hh": self = .hour
        case "d", "dd": self = .day
        case "w", "wk", "ww": self = .week
        case "m", "mm": self = .month
        case "q", "qq": self = .quarter
        case "y", "yy", "yyyy": self = .year
        default: return nil
        }
    }
}

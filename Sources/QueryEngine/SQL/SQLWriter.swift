import Columnar

/// Writes a tree back as SQL that parses to the same tree, laid out as ClickHouse lays it out.
public struct SQLWriter {
    private(set) var text = ""
    private var indent = 0

    /// Creates a writer with nothing written.
    init() {}

    /// The query over several lines, without `;`.
    public static func text(_ query: SelectQuery) -> String {
        var writer = SQLWriter()
        writer.query(query)
        return writer.text
    }

    /// The expression on one line, alias included.
    public static func text(_ expression: Expression) -> String {
        var writer = SQLWriter()
        writer.aliased(expression)
        return writer.text
    }

    /// A name as it stands in SQL: bare where that is possible, else in backticks.
    public static func identifier(_ name: String) -> String {
        let isBare = name.utf8.enumerated().allSatisfy { index, byte in
            let letter = byte | 0x20
            if letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z") || byte == UInt8(ascii: "_") { return true }
            return index > 0 && byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        }
        if isBare, !name.isEmpty, !reserved.contains(name.lowercased()) { return name }
        let escaped = name.reduce(into: "") { result, character in
            switch character {
            case "`", "\\": result += "\\\(character)"
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return "`\(escaped)`"
    }

    private static let reserved: Set<String> = [
        "all", "and", "any", "array", "as", "asc", "between", "by", "case", "cast", "cross", "desc", "distinct", "div",
        "else", "end", "except", "exists", "false", "fetch", "final", "format", "from", "full", "global", "group",
        "having", "ilike", "in", "inf", "infinity", "inner", "intersect", "interval", "into", "is", "join", "left",
        "like", "limit", "mod", "nan", "not", "null", "nulls", "offset", "on", "or", "order", "prewhere", "qualify",
        "regexp", "right", "rlike", "sample", "select", "settings", "table", "then", "totals", "true", "union", "using",
        "values", "when", "where", "window", "with",
    ]

    /// Bytes as a string literal.
    static func literal(_ bytes: some Collection<UInt8>) -> String {
        var quoted: [UInt8] = []
        ValueText.appendQuoted(bytes, to: &quoted)
        return String(decoding: quoted, as: UTF8.self)
    }

    // MARK: Queries

    private mutating func line(_ words: String) {
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        text += String(repeating: "    ", count: indent) + words
    }

    /// A clause and its items: on the clause's line when there is one, else a line each.
    private mutating func clause(_ words: String, _ items: [String]) {
        if items.count == 1 {
            line("\(words) \(items[0])")
            return
        }
        line(words)
        indent += 1
        for (index, item) in items.enumerated() { line(item + (index + 1 < items.count ? "," : "")) }
        indent -= 1
    }

    mutating func query(_ query: SelectQuery) {
        single(query)
        for next in query.unionAll {
            line("UNION ALL")
            single(next)
        }
    }

    private mutating func single(_ query: SelectQuery) {
        if !query.with.isEmpty { clause("WITH", query.with.map { Self.text($0) }) }
        clause(query.isDistinct ? "SELECT DISTINCT" : "SELECT", query.projections.map { Self.text($0) })
        if let from = query.from { self.from(from) }
        if let condition = query.prewhere { line("PREWHERE \(Self.text(condition))") }
        if let condition = query.whereClause { line("WHERE \(Self.text(condition))") }
        if !query.groupBy.isEmpty { clause("GROUP BY", query.groupBy.map { Self.text($0) }) }
        if query.withTotals { line("    WITH TOTALS") }
        if let condition = query.having { line("HAVING \(Self.text(condition))") }
        if !query.orderBy.isEmpty { clause("ORDER BY", query.orderBy.map { Self.text($0) }) }
        limits(query)
        if !query.settings.isEmpty { line("SETTINGS " + Self.settings(query.settings)) }
    }

    private mutating func from(_ clause: FromClause) {
        switch clause {
        case .table(let name, let alias):
            line("FROM \(name.sql)\(Self.alias(alias))")
        case .subquery(let query, let alias):
            line("FROM")
            line("(")
            indent += 1
            self.query(query)
            indent -= 1
            line(")\(Self.alias(alias))")
        case .function(let name, let arguments, let alias, _):
            line("FROM \(name)(\(arguments.map { Self.text($0) }.joined(separator: ", ")))\(Self.alias(alias))")
        }
    }

    private static func alias(_ name: String?) -> String { name.map { " AS \(identifier($0))" } ?? "" }

    private mutating func limits(_ query: SelectQuery) {
        if let by = query.limitBy {
            let columns = by.columns.map { Self.text($0) }.joined(separator: ", ")
            line("LIMIT \(Self.count(by.limit, offset: by.offset)) BY \(columns)")
        }
        if let limit = query.limit {
            line("LIMIT \(Self.count(limit, offset: query.offset))")
        } else if let offset = query.offset {
            line("OFFSET \(Self.text(offset))")
        }
    }

    private static func count(_ limit: Expression, offset: Expression?) -> String {
        offset.map { "\(text($0)), \(text(limit))" } ?? text(limit)
    }

    private static func text(_ item: OrderByItem) -> String {
        text(item.expression) + (item.descending ? " DESC" : " ASC") + (item.nullsFirst ? " NULLS FIRST" : "")
    }

    static func settings(_ settings: [Setting]) -> String {
        settings.map { setting in
            let isNumber = Double(setting.value) != nil
            return "\(setting.name) = \(isNumber ? setting.value : literal(setting.value.utf8))"
        }.joined(separator: ", ")
    }

    // MARK: Expressions

    private mutating func aliased(_ expression: Expression) {
        self.expression(expression)
        if let alias = expression.alias { text += " AS \(Self.identifier(alias))" }
    }

    private mutating func expression(_ expression: Expression) {
        switch expression.kind {
        case .literal(let literal): text += literal.sql
        case .identifier(let parts): text += parts.map { Self.identifier($0) }.joined(separator: ".")
        case .asterisk(let qualifier): text += (qualifier.map { "\($0)." } ?? "") + "*"
        case .function(let name, let parameters, let arguments, let isDistinct):
            if parameters.isEmpty, !isDistinct, operatorForm(name, arguments) { return }
            text += Self.functionName(name)
            if !parameters.isEmpty { list(parameters, "(", ")") }
            list(arguments, isDistinct ? "(DISTINCT " : "(", ")")
        case .lambda(let parameters, let body):
            text += parameters.count == 1 ? parameters[0] : "(\(parameters.joined(separator: ", ")))"
            text += " -> "
            operand(body)
        case .subquery(let query):
            var inner = SQLWriter()
            inner.query(query)
            text += "(" + inner.text.split(separator: "\n").map { $0.trimmingSpaces }.joined(separator: " ") + ")"
        case .parameter(let name, let type): text += "{\(name):\(type)}"
        }
    }

    private static func functionName(_ name: String) -> String {
        let quoted = identifier(name)
        // Words that open a clause are names all the same before a parenthesis.
        return quoted.hasPrefix("`") && !reserved.contains(name.lowercased()) ? quoted : name
    }

    private mutating func list(_ items: [Expression], _ opening: String, _ closing: String) {
        text += opening
        for (index, item) in items.enumerated() {
            if index > 0 { text += ", " }
            if item.alias != nil {
                aliased(item)
            } else {
                expression(item)
            }
        }
        text += closing
    }

    /// An expression beside an operator: in parentheses when it is one itself.
    private mutating func operand(_ expression: Expression) {
        var needsParentheses = expression.alias != nil
        switch expression.kind {
        case .function(let name, let parameters, let arguments, let isDistinct):
            if parameters.isEmpty, !isDistinct, Self.isOperator(name, arguments.count) { needsParentheses = true }
        case .lambda: needsParentheses = true
        case .literal(.signed), .literal(.float(-Double.infinity...(-Double.leastNonzeroMagnitude))):
            // `-1` beside a minus would become a comment.
            needsParentheses = true
        default: break
        }
        if needsParentheses { text += "(" }
        aliased(expression)
        if needsParentheses { text += ")" }
    }

    private static let infix: [String: String] = [
        "plus": "+", "minus": "-", "multiply": "*", "divide": "/", "modulo": "%", "intDiv": "DIV", "equals": "=",
        "notEquals": "!=", "less": "<", "lessOrEquals": "<=", "greater": ">", "greaterOrEquals": ">=", "like": "LIKE",
        "notLike": "NOT LIKE", "ilike": "ILIKE", "notILike": "NOT ILIKE", "in": "IN", "notIn": "NOT IN",
        "isNotDistinctFrom": "<=>",
    ]

    private static func isOperator(_ name: String, _ count: Int) -> Bool {
        switch name {
        case "and", "or": count >= 2
        case "not", "negate", "isNull", "isNotNull": count == 1
        default: count == 2 && infix[name] != nil
        }
    }

    /// Writes a call as the operator it stands for; false when it is none.
    private mutating func operatorForm(_ name: String, _ arguments: [Expression]) -> Bool {
        switch (name, arguments.count) {
        case ("and", 2...), ("or", 2...):
            for (index, argument) in arguments.enumerated() {
                if index > 0 { text += name == "and" ? " AND " : " OR " }
                operand(argument)
            }
        case ("not", 1):
            text += "NOT "
            operand(arguments[0])
        case ("negate", 1):
            text += "-"
            negated(arguments[0])
        case ("isNull", 1), ("isNotNull", 1):
            operand(arguments[0])
            text += name == "isNull" ? " IS NULL" : " IS NOT NULL"
        case ("in", 2), ("notIn", 2):
            operand(arguments[0])
            text += name == "in" ? " IN " : " NOT IN "
            inSet(arguments[1])
        case ("array", _): list(arguments, "[", "]")
        case ("tuple", 2...): list(arguments, "(", ")")
        case ("arrayElement", 2):
            operand(arguments[0])
            list([arguments[1]], "[", "]")
        default:
            guard arguments.count == 2, let symbol = Self.infix[name] else { return false }
            operand(arguments[0])
            text += " \(symbol) "
            operand(arguments[1])
        }
        return true
    }

    /// Numbers need parentheses after a minus: `-5` is a literal, `-(5)` a negation.
    private mutating func negated(_ expression: Expression) {
        if case .literal = expression.kind {
            text += "("
            aliased(expression)
            text += ")"
        } else {
            operand(expression)
        }
    }

    private mutating func inSet(_ set: Expression) {
        switch set.kind {
        case .literal: list([set], "(", ")")
        case .function("tuple", _, _, _), .subquery, .identifier: expression(set)
        default: operand(set)
        }
    }
}

extension TableName {
    /// The name as SQL.
    var sql: String {
        (database.map { "\(SQLWriter.identifier($0))." } ?? "")
            + (database == nil
                ? SQLWriter.identifier(table)
                : table.split(separator: ".").map { SQLWriter.identifier(String($0)) }.joined(separator: "."))
    }
}

extension Expression.Literal {
    /// The literal as SQL.
    var sql: String {
        switch self {
        case .null: return "NULL"
        case .bool(let value): return value ? "true" : "false"
        case .unsigned(let value): return "\(value)"
        case .signed(let value): return "\(value)"
        case .string(let bytes): return SQLWriter.literal(bytes)
        case .float(let value):
            var bytes: [UInt8] = []
            ValueText.append(double: value, to: &bytes)
            // `1.` and not `1`: it stays a float when read again.
            let isPlain = bytes.allSatisfy {
                $0 == UInt8(ascii: "-") || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
            }
            return String(decoding: bytes, as: UTF8.self) + (isPlain ? "." : "")
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring { drop { $0 == " " } }
}

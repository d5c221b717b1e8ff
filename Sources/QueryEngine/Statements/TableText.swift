import Columnar

/// A table's definition as SQL.
enum TableText {
    /// CREATE TABLE as ClickHouse writes it.
    static func create(_ info: TableInfo) -> String {
        let columns = info.columns.map { column in
            var line = "    \(quoted(column.name)) \(column.type.name)"
            if let text = column.defaultExpression { line += " DEFAULT \(text)" }
            if !column.comment.isEmpty { line += " COMMENT \(SQLWriter.literal(column.comment.utf8))" }
            return line
        }
        var text = "CREATE TABLE default.\(SQLWriter.identifier(info.name))\n"
        if !columns.isEmpty { text += "(\n\(columns.joined(separator: ",\n"))\n)\n" }
        text += engine(info, separator: "\n")
        if !info.comment.isEmpty { text += "\nCOMMENT \(SQLWriter.literal(info.comment.utf8))" }
        return text
    }

    /// ENGINE and what follows it.
    static func engine(_ info: TableInfo, separator: String) -> String {
        var parts = ["ENGINE = MergeTree"]
        if !info.partitionBy.isEmpty { parts.append("PARTITION BY \(info.partitionBy)") }
        parts.append("ORDER BY \(sortingKey(info, empty: "tuple()"))")
        if !info.ttl.isEmpty { parts.append("TTL \(info.ttl)") }
        let granularity = Setting(name: "index_granularity", value: "\(granuleRows)", position: 0)
        let settings = info.settings.map { Setting(name: $0.name, value: $0.value, position: 0) }
        parts.append(
            "SETTINGS \(SQLWriter.settings([granularity] + settings.filter { $0.name != granularity.name }))"
        )
        return parts.joined(separator: separator)
    }

    private static func sortingKey(_ info: TableInfo, empty: String) -> String {
        let key = info.sortingKey.map { SQLWriter.identifier($0) }
        switch key.count {
        case 0: return empty
        case 1: return key[0]
        default: return "(\(key.joined(separator: ", ")))"
        }
    }

    /// The name in backticks whether it needs them or not, as ClickHouse writes columns.
    private static func quoted(_ name: String) -> String {
        let text = SQLWriter.identifier(name)
        return text.hasPrefix("`") ? text : "`\(text)`"
    }
}

/// EXPLAIN AST: the tree, an indented line a node.
enum TreeText {
    static func lines(_ query: SelectQuery) -> [String] {
        var lines: [String] = []
        write(query, 0, &lines)
        return lines
    }

    private static func write(_ query: SelectQuery, _ depth: Int, _ lines: inout [String]) {
        line("SelectQuery\(query.isDistinct ? " (distinct)" : "")", depth, &lines)
        list("With", query.with, depth + 1, &lines)
        list("Projections", query.projections, depth + 1, &lines)
        switch query.from {
        case .table(let name, let alias):
            line("Table \(name.whole)\(alias.map { " (alias \($0))" } ?? "")", depth + 1, &lines)
        case .subquery(let inner, let alias):
            line("Subquery\(alias.map { " (alias \($0))" } ?? "")", depth + 1, &lines)
            write(inner, depth + 2, &lines)
        case .function(let name, let arguments, _, _): list("TableFunction \(name)", arguments, depth + 1, &lines)
        case nil: break
        }
        list("Prewhere", [query.prewhere].compactMap { $0 }, depth + 1, &lines)
        list("Where", [query.whereClause].compactMap { $0 }, depth + 1, &lines)
        list("GroupBy", query.groupBy, depth + 1, &lines)
        list("Having", [query.having].compactMap { $0 }, depth + 1, &lines)
        list("OrderBy", query.orderBy.map(\.expression), depth + 1, &lines)
        list("LimitBy", query.limitBy?.columns ?? [], depth + 1, &lines)
        list("Limit", [query.limit].compactMap { $0 }, depth + 1, &lines)
        list("Offset", [query.offset].compactMap { $0 }, depth + 1, &lines)
        for next in query.unionAll {
            line("UnionAll", depth + 1, &lines)
            write(next, depth + 2, &lines)
        }
    }

    private static func line(_ text: String, _ depth: Int, _ lines: inout [String]) {
        lines.append(String(repeating: " ", count: depth) + text)
    }

    private static func list(_ title: String, _ items: [Expression], _ depth: Int, _ lines: inout [String]) {
        guard !items.isEmpty else { return }
        line("\(title) (children \(items.count))", depth, &lines)
        for item in items { write(item, depth + 1, &lines) }
    }

    private static func write(_ expression: Expression, _ depth: Int, _ lines: inout [String]) {
        let alias = expression.alias.map { " (alias \($0))" } ?? ""
        switch expression.kind {
        case .literal(let literal): line("Literal \(literal.sql)\(alias)", depth, &lines)
        case .identifier(let parts): line("Identifier \(parts.joined(separator: "."))\(alias)", depth, &lines)
        case .asterisk(let qualifier): line("Asterisk\(qualifier.map { " \($0)" } ?? "")", depth, &lines)
        case .function(let name, let parameters, let arguments, let isDistinct):
            line(
                "Function \(name)\(isDistinct ? " (distinct)" : "")\(alias) (children \(arguments.count))", depth,
                &lines)
            list("Parameters", parameters, depth + 1, &lines)
            for argument in arguments { write(argument, depth + 1, &lines) }
        case .lambda(let parameters, let body):
            line("Lambda (\(parameters.joined(separator: ", ")))\(alias)", depth, &lines)
            write(body, depth + 1, &lines)
        case .subquery(let query):
            line("Subquery\(alias)", depth, &lines)
            write(query, depth + 1, &lines)
        case .parameter(let name, let type): line("Parameter {\(name):\(type)}\(alias)", depth, &lines)
        }
    }
}

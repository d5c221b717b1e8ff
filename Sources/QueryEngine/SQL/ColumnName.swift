extension Expression {
    /// The name ClickHouse gives a column of a result: the alias, else the expression as calls: `plus(a, 1)`,
    /// `count()`, `in(x, (1, 2))`. A qualifier in `qualifiers` (the table's name or alias) is left out: `t.a` is `a`.
    public func columnName(qualifiers: Set<String> = []) -> String {
        if let alias { return alias }
        switch kind {
        case .literal(let literal): return literal.sql
        case .identifier(let parts):
            let own = parts.count > 1 && qualifiers.contains(parts[0]) ? parts.dropFirst() : parts[...]
            return own.joined(separator: ".")
        case .asterisk: return "*"
        case .function(let name, let parameters, let arguments, let isDistinct):
            let list = Self.names(arguments, qualifiers)
            switch name {
            case "tuple": return "(\(list))"
            case "array": return "[\(list)]"
            default: break
            }
            let parameters = parameters.isEmpty ? "" : "(\(Self.names(parameters, qualifiers)))"
            return "\(name)\(isDistinct ? "Distinct" : "")\(parameters)(\(list))"
        case .lambda(let parameters, let body):
            return "lambda(tuple(\(parameters.joined(separator: ", "))), \(body.columnName(qualifiers: qualifiers)))"
        case .subquery: return "_subquery1"
        case .parameter(let name, let type): return "{\(name):\(type)}"
        }
    }

    private static func names(_ expressions: [Expression], _ qualifiers: Set<String>) -> String {
        expressions.map { $0.columnName(qualifiers: qualifiers) }.joined(separator: ", ")
    }
}

import Columnar

/// Resolves the names in expressions: aliases are replaced by what they stand for, columns get the table's own
/// spelling. What comes out has no aliases left, so that equal expressions have equal keys.
struct NameResolver {
    /// The columns that can be named, with their index.
    let columns: [String: Int]
    /// Names that may stand before a column: the table's and its alias.
    let qualifiers: Set<String>
    /// Expressions that have a name. An alias wins over a column of the same name, except inside itself.
    private(set) var aliases: [String: Expression] = [:]

    /// Nested aliases can multiply what is written: beyond so many nodes a query is refused.
    private static let limit = 100_000
    private static let maximumDepth = 500

    init(columns: [String], qualifiers: Set<String>) {
        self.columns = Dictionary(columns.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        self.qualifiers = qualifiers
    }

    /// Collects the aliases of an expression and of all within it. Subqueries have names of their own.
    mutating func collectAliases(_ expression: Expression) throws(QueryError) {
        if let alias = expression.alias {
            if let other = aliases[alias] {
                guard other.key == expression.key else {
                    throw QueryError(
                        QueryError.Code(179, "MULTIPLE_EXPRESSIONS_FOR_ALIAS"),
                        "Multiple expressions for alias \(alias)", at: expression.start)
                }
            } else {
                aliases[alias] = expression
            }
        }
        switch expression.kind {
        case .function(_, _, let arguments, _):
            for argument in arguments { try collectAliases(argument) }
        case .lambda(_, let body): try collectAliases(body)
        default: break
        }
    }

    /// The expression with all names resolved.
    func resolve(_ expression: Expression) throws(QueryError) -> Expression {
        var work = Work()
        if let alias = expression.alias { work.open.insert(alias) }
        return try resolve(expression, &work)
    }

    private struct Work {
        /// Aliases being replaced: inside them their own name means the column.
        var open: Set<String> = []
        /// Parameters of lambdas around.
        var parameters: [String] = []
        var nodes = 0
        var depth = 0
    }

    private func resolve(_ expression: Expression, _ work: inout Work) throws(QueryError) -> Expression {
        work.nodes += 1
        work.depth += 1
        defer { work.depth -= 1 }
        if work.nodes > Self.limit || work.depth > Self.maximumDepth {
            throw QueryError(
                .badArguments, "The expression is too big once its aliases are put in", at: expression.start)
        }
        var result = expression
        result.alias = nil
        switch expression.kind {
        case .literal, .asterisk, .subquery, .parameter: return result
        case .identifier(let parts): return try resolveIdentifier(parts, result, &work)
        case .function(let name, let parameters, let arguments, let isDistinct):
            var resolved: [Expression] = []
            for argument in arguments {
                let opened = argument.alias.map { work.open.insert($0).inserted } ?? false
                resolved.append(try resolve(argument, &work))
                if opened, let alias = argument.alias { work.open.remove(alias) }
            }
            result.kind = .function(
                name: name, parameters: parameters, arguments: resolved, isDistinct: isDistinct)
            return result
        case .lambda(let parameters, let body):
            let outer = work.parameters
            work.parameters += parameters
            result.kind = .lambda(parameters: parameters, body: try resolve(body, &work))
            work.parameters = outer
            return result
        }
    }

    private func resolveIdentifier(
        _ parts: [String], _ expression: Expression, _ work: inout Work
    ) throws(QueryError) -> Expression {
        var result = expression
        let name = parts.joined(separator: ".")
        if work.parameters.contains(name) { return result }
        if let alias = aliases[name], !work.open.contains(name) {
            work.open.insert(name)
            defer { work.open.remove(name) }
            return try resolve(alias, &work)
        }
        if let column = columnName(parts) {
            result.kind = .identifier([column])
            return result
        }
        if work.open.contains(name) && aliases[name] != nil {
            throw QueryError(.cyclicAliases, "Cyclic aliases: \(name) refers to itself", at: expression.start)
        }
        throw unknown(name, at: expression.start)
    }

    /// The table's column that is meant: with dots as it is, or behind the table's name.
    func columnName(_ parts: [String]) -> String? {
        let whole = parts.joined(separator: ".")
        if columns[whole] != nil { return whole }
        for skipped in 1..<max(parts.count, 1) {
            let qualifier = parts[..<skipped].joined(separator: ".")
            let rest = parts[skipped...].joined(separator: ".")
            if qualifiers.contains(qualifier), columns[rest] != nil { return rest }
        }
        return nil
    }

    private func unknown(_ name: String, at position: Int) -> QueryError {
        let known = Array(columns.keys) + Array(aliases.keys)
        let meant = nearestName(to: name, in: known.sorted())
        return QueryError(
            .unknownIdentifier,
            "Unknown expression identifier `\(name)`" + (meant.map { ". Maybe you meant: ['\($0)']" } ?? ""),
            at: position)
    }
}

import Columnar

// SHOW, DESCRIBE, EXISTS, EXPLAIN: statements whose result is made on the spot.

extension QueryRun {
    func answer(_ statement: Statement, _ context: QueryContext) throws(QueryError) -> Block {
        switch statement {
        case .showTables(let database, let like): return try showTables(database, like)
        case .showDatabases: return .strings([("name", SystemTables(engine: engine).databases)])
        case .showCreateTable(let name): return .strings([("statement", [TableText.create(try resolve(name))])])
        case .describe(let name): return try describe(name, context)
        case .describeQuery(let query): return Self.description(try SelectExecutor(query, context: context).columns)
        case .exists(let name):
            var exists = find(name) != nil
            if !exists, name.database == "system" { exists = SystemTables(engine: engine).names.contains(name.table) }
            return .number("result", exists ? 1 : 0)
        case .existsDatabase(let name): return .number("result", isDatabase(name) ? 1 : 0)
        case .explain(let kind, let query): return .strings([("explain", try explain(kind, query, context))])
        default: return .strings([])
        }
    }

    private func showTables(_ wanted: String?, _ like: String?) throws(QueryError) -> Block {
        let inside = wanted ?? options.database
        guard isDatabase(inside) else { throw QueryError(.unknownDatabase, "Database \(inside) does not exist") }
        var names: [String]
        switch inside {
        case "system": names = SystemTables(engine: engine).names
        case "default": names = database.tableNames()
        default:
            names = database.tableNames().filter { $0.hasPrefix(inside + ".") }.map {
                String($0.dropFirst(inside.count + 1))
            }
        }
        if let like { names = names.filter { LikeMatch.matches(Array($0.utf8)[...], Array(like.utf8)[...]) } }
        return .strings([("name", names.sorted())])
    }

    private func describe(_ name: TableName, _ context: QueryContext) throws(QueryError) -> Block {
        if find(name) == nil, name.database == "system" {
            var query = SelectQuery()
            query.projections = [Expression(.asterisk(qualifier: nil), start: 0, end: 0)]
            query.from = .table(name, alias: nil)
            return Self.description(try SelectExecutor(query, context: context).columns)
        }
        let info = try resolve(name)
        return Self.description(
            info.columns.map { (name: $0.name, type: $0.type) },
            defaults: info.columns.map { $0.defaultExpression ?? "" },
            comments: info.columns.map(\.comment))
    }

    /// The seven columns of DESCRIBE.
    private static func description(
        _ columns: [(name: String, type: DataType)], defaults: [String]? = nil, comments: [String]? = nil
    ) -> Block {
        let none = [String](repeating: "", count: columns.count)
        let defaults = defaults ?? none
        return .strings([
            ("name", columns.map(\.name)), ("type", columns.map(\.type.name)),
            ("default_type", defaults.map { $0.isEmpty ? "" : "DEFAULT" }), ("default_expression", defaults),
            ("comment", comments ?? none), ("codec_expression", none), ("ttl_expression", none),
        ])
    }

    private func explain(_ kind: ExplainKind, _ query: SelectQuery, _ context: QueryContext) throws(QueryError)
        -> [String]
    {
        switch kind {
        case .plan: return try SelectExecutor(query, context: context).explain()
        case .syntax:
            return SQLWriter.text(query).split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        case .ast: return TreeText.lines(query)
        }
    }
}

/// LIKE: `%` is any text, `_` one character, a backslash takes the next one as it is.
enum LikeMatch {
    static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var text = text
        var pattern = pattern
        // Where to go on when the text after the last `%` does not fit after all.
        var retry: (pattern: ArraySlice<UInt8>, text: ArraySlice<UInt8>)?
        while true {
            if pattern.first == UInt8(ascii: "%") {
                pattern = pattern.dropFirst()
                if pattern.isEmpty { return true }
                retry = (pattern, text)
                continue
            }
            if let rest = step(&text, pattern) {
                pattern = rest
                if text.isEmpty, pattern.isEmpty { return true }
                continue
            }
            if text.isEmpty, pattern.isEmpty { return true }
            guard let (again, from) = retry, !from.isEmpty else { return false }
            retry = (again, from.dropFirst())
            pattern = again
            text = from.dropFirst()
        }
    }

    /// Takes one character off both; nil when they differ.
    private static func step(_ text: inout ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let first = text.first, var wanted = pattern.first else { return nil }
        var rest = pattern.dropFirst()
        if wanted == UInt8(ascii: "_") {
            text = text.dropFirst()
            while let next = text.first, next & 0xC0 == 0x80 { text = text.dropFirst() }
            return rest
        }
        if wanted == UInt8(ascii: "\\"), let escaped = rest.first {
            wanted = escaped
            rest = rest.dropFirst()
        }
        guard first == wanted else { return nil }
        text = text.dropFirst()
        return rest
    }
}

extension Block {
    /// A block of string columns.
    static func strings(_ columns: [(String, [String])]) -> Block {
        Block(
            names: columns.map(\.0), columns: columns.map { Column(type: .string, data: .string(StringData($0.1))) },
            rowCount: columns.first?.1.count ?? 0)
    }

    /// One UInt8.
    static func number(_ name: String, _ value: UInt8) -> Block {
        Block(names: [name], columns: [Column(type: .uint8, data: .uint8([value]))], rowCount: 1)
    }
}

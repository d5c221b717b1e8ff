import Columnar
import QueryEngine

/// CREATE TABLE's clauses as the column store knows them. What cannot be done here is an error that says what can.
enum TableClauses {
    /// `PARTITION BY toDate(c)`, `toYYYYMMDD(c)`, `toYYYYMM(c)`, a Date column, or `tuple()`.
    static func partition(_ expression: Expression?, columns: [ColumnDefinition]) throws(QueryError) -> PartitionScheme
    {
        guard let expression else { return .none }
        switch expression.kind {
        case .function("tuple", _, let arguments, _) where arguments.isEmpty: return .none
        case .identifier(let parts):
            let name = parts.joined(separator: ".")
            if columns.first(where: { $0.name == name })?.type.base == .date { return .day(column: name) }
        case .function(let function, _, let arguments, _):
            guard arguments.count == 1, let column = name(arguments[0]) else { break }
            switch function.lowercased() {
            case "todate", "toyyyymmdd", "tostartofday": return .day(column: column)
            case "toyyyymm", "tostartofmonth": return .month(column: column)
            default: break
            }
        default: break
        }
        throw QueryError(
            .notImplemented, "PARTITION BY here is toDate(column), toYYYYMMDD(column), toYYYYMM(column) or tuple()",
            at: expression.start)
    }

    /// `TTL column + INTERVAL n unit`, also `toDateTime(column) + …` and `+ toIntervalDay(n)`.
    static func timeToLive(_ expression: Expression?) throws(QueryError) -> TimeToLive? {
        guard let expression else { return nil }
        let complaint = QueryError(.notImplemented, "TTL here is column + INTERVAL number unit", at: expression.start)
        guard case .function("plus", _, let arguments, _) = expression.kind, arguments.count == 2,
            let column = timeColumn(arguments[0]), let (count, unit) = interval(arguments[1])
        else { throw complaint }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit.seconds)
        guard !overflow, seconds > 0 else { throw complaint }
        let sql = "\(Identifier.quoted(column)) + INTERVAL \(count) \(unit.name)"
        return TimeToLive(column: column, seconds: seconds, sql: sql)
    }

    /// `max_bytes` among settings; nil when absent or 0.
    static func maxBytes(_ settings: [Setting]) throws(QueryError) -> UInt64? {
        guard let setting = settings.last(where: { $0.name == "max_bytes" }) else { return nil }
        guard let bytes = SettingDefinition.parseBytes(setting.value), bytes >= 0 else {
            throw QueryError(
                .badArguments, "max_bytes wants a number of bytes such as 1000000000 or '10G'", at: setting.position)
        }
        return bytes == 0 ? nil : UInt64(bytes)
    }

    private static func name(_ expression: Expression) -> String? {
        if case .identifier(let parts) = expression.kind { return parts.joined(separator: ".") }
        return nil
    }

    private static func timeColumn(_ expression: Expression) -> String? {
        if let name = name(expression) { return name }
        guard case .function(let function, _, let arguments, _) = expression.kind, arguments.count == 1,
            ["todate", "todatetime"].contains(function.lowercased())
        else { return nil }
        return name(arguments[0])
    }

    private static func interval(_ expression: Expression) -> (Int64, (name: String, seconds: Int64))? {
        guard case .function(let function, _, let arguments, _) = expression.kind, arguments.count == 1,
            case .literal(.unsigned(let count)) = arguments[0].kind, count < 1_000_000_000
        else { return nil }
        let unit: (String, Int64)
        switch function.lowercased() {
        case "tointervalsecond": unit = ("SECOND", 1)
        case "tointervalminute": unit = ("MINUTE", 60)
        case "tointervalhour": unit = ("HOUR", 3600)
        case "tointervalday": unit = ("DAY", 86_400)
        case "tointervalweek": unit = ("WEEK", 604_800)
        case "tointervalmonth": unit = ("MONTH", 30 * 86_400)
        case "tointervalquarter": unit = ("QUARTER", 91 * 86_400)
        case "tointervalyear": unit = ("YEAR", 365 * 86_400)
        default: return nil
        }
        return (Int64(count), unit)
    }
}

extension TableDefinition {
    /// The definition that CREATE TABLE asks for. The column store checks the names in it.
    init(_ statement: CreateTableStatement) throws(QueryError) {
        let name = statement.name.table
        // The columns of a table that follows a source's come with its rows.
        guard !statement.columns.isEmpty || statement.settings.contains(where: { $0.name == "cdc" }) else {
            throw QueryError(.badArguments, "CREATE TABLE wants at least one column", at: statement.name.position)
        }
        let partition = try TableClauses.partition(statement.partitionBy, columns: statement.columns)
        let ttl = try TableClauses.timeToLive(statement.ttl)
        var settings: [String: String] = [:]
        for setting in statement.settings { settings[setting.name] = setting.value }
        let time = partition.column ?? ttl?.column ?? statement.columns.first { $0.type.isTemporal }?.name
        self.init(
            name: name, columns: statement.columns, sortingKey: statement.orderBy, timeColumn: time,
            partitionBy: partition, ttl: ttl,
            maxBytes: try TableClauses.maxBytes(statement.settings), settings: settings, comment: statement.comment)
    }
}

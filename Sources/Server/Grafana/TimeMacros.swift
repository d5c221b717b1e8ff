import QueryEngine

/// Expands Grafana's time macros in SQL text, with the meaning the official ClickHouse plugin gives them, so that one
/// text works in every data source: `$__timeFilter(c)`, `$__timeInterval(c)`, `$__fromTime` and their kin.
struct TimeMacros: Sendable {
    /// Start of the range in milliseconds since 1970-01-01 UTC; nil when the request names none.
    var fromMs: Int64?
    /// End of the range.
    var toMs: Int64?
    /// Width of one point on the chart, in milliseconds.
    var intervalMs: Int64?

    /// The macros' names, longest first where one begins another.
    static let names = [
        "timeFilter_ms", "timeFilter", "dateTimeFilter", "dateFilter", "dt", "timeInterval_ms", "timeInterval",
        "fromTime_ms",
        "toTime_ms", "fromTime", "toTime", "interval_ms", "interval_s", "conditionalAll", "from", "to",
    ]

    /// The SQL with macros expanded; literals and comments are left alone. Text without macros comes back as it is.
    func expand(_ sql: [UInt8]) throws(QueryError) -> [UInt8] {
        guard Self.mayHaveMacro(sql) else { return sql }
        var result: [UInt8] = []
        result.reserveCapacity(sql.count + 128)
        var position = 0
        while position < sql.count {
            if let end = Self.endOfOpaque(sql, position) {
                result.append(contentsOf: sql[position..<end])
                position = end
            } else if sql[position...].starts(with: "$__".utf8) {
                position = try expandMacro(sql, at: position, into: &result)
            } else {
                result.append(sql[position])
                position += 1
            }
        }
        return result
    }

    private static func mayHaveMacro(_ sql: [UInt8]) -> Bool {
        guard sql.count >= 3 else { return false }
        for index in 0..<(sql.count - 2) where sql[index] == UInt8(ascii: "$") {
            if sql[index + 1] == UInt8(ascii: "_"), sql[index + 2] == UInt8(ascii: "_") { return true }
        }
        return false
    }

    /// Where the literal, quoted name or comment that begins at `start` ends; nil when none begins there.
    private static func endOfOpaque(_ sql: [UInt8], _ start: Int) -> Int? {
        let first = sql[start]
        switch first {
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
            var position = start + 1
            while position < sql.count {
                if sql[position] == UInt8(ascii: "\\") {
                    position += 2
                } else if sql[position] == first {
                    return position + 1
                } else {
                    position += 1
                }
            }
            return sql.count
        case UInt8(ascii: "-") where sql[start...].starts(with: "--".utf8):
            return sql[start...].firstIndex(of: 0x0A) ?? sql.count
        case UInt8(ascii: "/") where sql[start...].starts(with: "/*".utf8):
            var position = start + 2
            while position + 1 < sql.count {
                if sql[position] == UInt8(ascii: "*"), sql[position + 1] == UInt8(ascii: "/") { return position + 2 }
                position += 1
            }
            return sql.count
        default: return nil
        }
    }

    /// Expands the macro at `start` and returns where the text goes on.
    private func expandMacro(_ sql: [UInt8], at start: Int, into result: inout [UInt8]) throws(QueryError) -> Int {
        var end = start + 3
        while end < sql.count, Self.isWord(sql[end]) { end += 1 }
        let name = String(decoding: sql[(start + 3)..<end], as: UTF8.self)
        var arguments: [String] = []
        var after = end
        if end < sql.count, sql[end] == UInt8(ascii: "(") {
            (arguments, after) = try Self.arguments(sql, open: end, macro: name)
        }
        result.append(contentsOf: try expansion(name, arguments, at: start).utf8)
        // A macro without arguments leaves a bracket after it alone.
        return Self.argumentCount(name) == 0 ? end : after
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    /// Splits what stands in the brackets that open at `open`, at commas of the outermost level.
    private static func arguments(_ sql: [UInt8], open: Int, macro: String) throws(QueryError) -> ([String], Int) {
        var arguments: [String] = []
        var depth = 0
        var start = open + 1
        var position = open
        while position < sql.count {
            if let end = endOfOpaque(sql, position) {
                position = end
                continue
            }
            let byte = sql[position]
            if byte == UInt8(ascii: "(") || byte == UInt8(ascii: "[") { depth += 1 }
            if byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]") { depth -= 1 }
            if depth == 0 || (depth == 1 && byte == UInt8(ascii: ",")) {
                arguments.append(String(decoding: sql[start..<position], as: UTF8.self).trimmedSpaces)
                start = position + 1
            }
            position += 1
            if depth == 0 { return (arguments, position) }
        }
        throw QueryError(.syntaxError, "The bracket after $__\(macro) is never closed", at: open)
    }

    private static func argumentCount(_ name: String) -> Int? {
        switch name {
        case "timeFilter", "timeFilter_ms", "dateFilter", "timeInterval", "timeInterval_ms": 1
        case "dateTimeFilter", "dt", "conditionalAll": 2
        case "fromTime", "toTime", "fromTime_ms", "toTime_ms", "interval_s", "interval_ms", "from", "to": 0
        default: nil
        }
    }

    private func expansion(_ name: String, _ arguments: [String], at position: Int) throws(QueryError) -> String {
        guard let wanted = Self.argumentCount(name) else {
            let near = nearest(to: name, in: Self.names).map { "; did you mean $__\($0)?" } ?? ""
            throw QueryError(.badArguments, "There is no macro $__\(name)\(near)", at: position)
        }
        guard wanted == 0 || (arguments.count == wanted && !arguments.contains("")) else {
            throw QueryError(
                .badArguments, "$__\(name) wants \(wanted) argument\(wanted == 1 ? "" : "s")", at: position)
        }
        let c = arguments.first ?? ""
        switch name {
        case "timeFilter":
            return
                "\(c) >= toDateTime(\(try seconds(fromMs, name, position))) AND \(c) <= toDateTime(\(try seconds(toMs, name, position)))"
        case "timeFilter_ms":
            return "\(c) >= \(try milli(fromMs, name, position)) AND \(c) <= \(try milli(toMs, name, position))"
        case "dateFilter":
            return "\(c) >= \(try date(fromMs, name, position)) AND \(c) <= \(try date(toMs, name, position))"
        case "dateTimeFilter", "dt":
            let date = try expansion("dateFilter", [c], at: position)
            let time = try expansion("timeFilter", [arguments[1]], at: position)
            return "(\(date)) AND (\(time))"
        case "timeInterval":
            return "toStartOfInterval(toDateTime(\(c)), INTERVAL \(try intervalSeconds(name, position)) second)"
        case "timeInterval_ms":
            return
                "toStartOfInterval(toDateTime64(\(c), 3), INTERVAL \(max(1, try interval(name, position))) millisecond)"
        case "fromTime": return "toDateTime(\(try seconds(fromMs, name, position)))"
        case "toTime": return "toDateTime(\(try seconds(toMs, name, position)))"
        case "fromTime_ms": return try milli(fromMs, name, position)
        case "toTime_ms": return try milli(toMs, name, position)
        case "from": return String(try need(fromMs, name, position))
        case "to": return String(try need(toMs, name, position))
        case "interval_s": return String(try intervalSeconds(name, position))
        case "interval_ms": return String(max(1, try interval(name, position)))
        default: return ["", "''", "'$__all'", "$__all"].contains(arguments[1]) ? "1=1" : c
        }
    }

    private func need(_ value: Int64?, _ name: String, _ position: Int) throws(QueryError) -> Int64 {
        guard let value else {
            throw QueryError(
                .badArguments, "$__\(name) needs the parameters from and to (such as from=${__from}&to=${__to})",
                at: position)
        }
        return value
    }

    private func interval(_ name: String, _ position: Int) throws(QueryError) -> Int64 {
        if let intervalMs { return intervalMs }
        // Without a width, as many points as a chart has room for.
        guard let fromMs, let toMs, toMs > fromMs else {
            throw QueryError(.badArguments, "$__\(name) needs the parameter interval_ms, or from and to", at: position)
        }
        return max(1, (toMs - fromMs) / 500)
    }

    private func intervalSeconds(_ name: String, _ position: Int) throws(QueryError) -> Int64 {
        max(1, try interval(name, position) / 1000)
    }

    private func seconds(_ value: Int64?, _ name: String, _ position: Int) throws(QueryError) -> Int64 {
        try need(value, name, position) / 1000
    }

    private func milli(_ value: Int64?, _ name: String, _ position: Int) throws(QueryError) -> String {
        "fromUnixTimestamp64Milli(\(try need(value, name, position)))"
    }

    private func date(_ value: Int64?, _ name: String, _ position: Int) throws(QueryError) -> String {
        "toDate('\(TimeText.date(ms: try need(value, name, position)))')"
    }
}

import Disk
import HTTPTypes
import Hummingbird
import QueryEngine

/// What Grafana's JSON data sources ask for (simPod's and the older simplejson): panels carry their SQL in
/// `payload.sql`, or in `target` itself, with the same time macros as everywhere.
struct GrafanaEndpoint: Sendable {
    let runner: QueryRunner
    let clock: any Clock

    /// The longest request body and the longest result of one panel, in bytes.
    private static let bodyLimit = 1 << 20
    private static let resultLimit = 32 << 20

    func respond(to request: Request, target: RequestTarget, user: User) async throws(HTTPFailure) -> Response {
        let path = target.path.dropFirst("/grafana".count)
        if path.isEmpty { return .json(Array(#"{"status":"ok"}"#.utf8)) }
        let body = try await readBody(request)
        switch path {
        case "/metrics": return .json(metrics())
        case "/metric-payload-options": return .json(Array("[]".utf8))
        case "/query": return .json(try await query(body, user: user))
        case "/variable": return .json(try await variable(body, user: user))
        case "/search": return .json(try await search(body, user: user))
        case "/annotations": return .json(try await annotations(body, user: user))
        case "/tag-keys": return .json(try await tagKeys(user: user))
        case "/tag-values": return .json(try await tagValues(body, user: user))
        default:
            throw HTTPFailure(
                404,
                "There is no \(target.path) here. There are: /grafana, /grafana/metrics, /grafana/metric-payload-options, "
                    + "/grafana/query, /grafana/variable, /grafana/search, /grafana/annotations, /grafana/tag-keys, /grafana/tag-values"
            )
        }
    }

    private func readBody(_ request: Request) async throws(HTTPFailure) -> JSONValue {
        let bytes = try await BodyReader(request, maxBytes: Self.bodyLimit).collect(limit: Self.bodyLimit)
        if bytes.allSatisfy({ $0 <= 0x20 }) { return .object([]) }
        do throws(JSONValue.ParseError) {
            return try JSONValue(parsing: bytes)
        } catch {
            throw HTTPFailure(400, "The request body is \(error.description)")
        }
    }

    /// What the query editor offers: one metric, whose payload is SQL.
    private func metrics() -> [UInt8] {
        Array(
            #"[{"label":"SQL","value":"sql","payloads":[{"name":"sql","label":"SQL","type":"textarea","placeholder":"#
                .utf8)
            + Array(
                #""SELECT $__timeInterval(timestamp) AS time, count() FROM t WHERE $__timeFilter(timestamp) GROUP BY time ORDER BY time""#
                    .utf8)
            + Array("}]}]".utf8)
    }

    // MARK: Panels

    private func query(_ body: JSONValue, user: User) async throws(HTTPFailure) -> [UInt8] {
        let macros = self.macros(body)
        var json = JSONWriter()
        json.beginArray()
        for item in body["targets"]?.elements ?? [] {
            if item["hide"] == .bool(true) { continue }
            guard let sql = Self.sql(item) else { continue }
            let result = try await run(sql, macros: macros, user: user)
            let refID = item["refId"]?.string
            switch item["type"]?.string {
            case "table": FrameWriter(result).writeTable(refID: refID, to: &json)
            case "timeserie", "timeseries": FrameWriter(result).writeSeries(refID: refID, to: &json)
            default: FrameWriter(result).writeFrame(refID: refID, to: &json)
            }
        }
        json.endArray()
        return json.bytes
    }

    /// The SQL of a target: `payload.sql` (or `payload` being JSON text with it), else `target` when it reads like SQL.
    private static func sql(_ item: JSONValue) -> String? {
        if let sql = item["payload"]?["sql"]?.string, !sql.trimmedSpaces.isEmpty { return sql }
        if let text = item["payload"]?.string, let payload = try? JSONValue(parsing: Array(text.utf8)),
            let sql = payload["sql"]?.string
        {
            return sql
        }
        if let sql = item["data"]?["sql"]?.string { return sql }
        guard let target = item["target"]?.string else { return nil }
        return target.contains(" ") ? target : nil
    }

    private func macros(_ body: JSONValue) -> TimeMacros {
        let now = clock.nowMs()
        func time(_ name: String) -> Int64? {
            body["range"]?[name]?.scalarText.flatMap { TimeText.milliseconds($0, nowMs: now) }
        }
        return TimeMacros(
            fromMs: time("from"), toMs: time("to"),
            intervalMs: body["intervalMs"]?.integer.flatMap { $0 > 0 ? $0 : nil })
    }

    private func run(_ sql: String, macros: TimeMacros, user: User) async throws(HTTPFailure) -> JSONValue {
        let expanded: [UInt8]
        do throws(QueryError) { expanded = try macros.expand(Array(sql.utf8)) } catch { throw HTTPFailure(error) }
        var request = QueryRequest(sql: expanded, queryID: RandomID.make(), user: user)
        request.isReadonly = true
        request.defaultFormat = "JSONCompact"
        request.settings = ["output_format_json_quote_64bit_integers": "0", "date_time_output_format": "iso"]
        let bytes = try await runner.collect(request, maxBytes: Self.resultLimit)
        if bytes.isEmpty { return .object([]) }
        do throws(JSONValue.ParseError) {
            return try JSONValue(parsing: bytes)
        } catch {
            throw HTTPFailure(
                400, "The query has a FORMAT other than JSONCompact; leave FORMAT out", code: .badArguments)
        }
    }

    // MARK: Variables and annotations

    private func variable(_ body: JSONValue, user: User) async throws(HTTPFailure) -> [UInt8] {
        let sql =
            Self.sql(body) ?? Self.sql(.object([.init(name: "target", value: body["payload"]?["target"] ?? .null)]))
        var json = JSONWriter()
        json.beginArray()
        for (text, value) in try await options(sql, body: body, user: user) {
            json.beginObject()
            json.key("__text")
            json.value(text)
            json.key("__value")
            json.value(value)
            json.endObject()
        }
        json.endArray()
        return json.bytes
    }

    private func search(_ body: JSONValue, user: User) async throws(HTTPFailure) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for (text, value) in try await options(Self.sql(body), body: body, user: user) {
            if text == value {
                json.value(text)
            } else {
                json.beginObject()
                json.key("text")
                json.value(text)
                json.key("value")
                json.value(value)
                json.endObject()
            }
        }
        json.endArray()
        return json.bytes
    }

    /// First column as text, second (when there is one) as value; without SQL the tables' names.
    private func options(_ sql: String?, body: JSONValue, user: User) async throws(HTTPFailure) -> [(
        text: String, value: String
    )] {
        let result = try await run(sql ?? "SHOW TABLES", macros: macros(body), user: user)
        return (result["data"]?.elements ?? []).compactMap { row in
            guard let cells = row.elements, let text = cells.first?.scalarText else { return nil }
            return (text, cells.count > 1 ? cells[1].scalarText ?? text : text)
        }
    }

    /// simplejson's annotations: columns time, title, tags, text, as far as the query has them.
    private func annotations(_ body: JSONValue, user: User) async throws(HTTPFailure) -> [UInt8] {
        let annotation = body["annotation"] ?? .object([])
        guard let sql = annotation["query"]?.string ?? Self.sql(annotation) else { return Array("[]".utf8) }
        let frame = FrameWriter(try await run(sql, macros: macros(body), user: user))
        var json = JSONWriter()
        json.beginArray()
        for row in frame.rows {
            json.beginObject()
            json.key("annotation")
            frame.write(annotation, to: &json)
            for (index, column) in frame.columns.enumerated() where index < row.count {
                json.key(column.name)
                frame.writeCell(row[index], column, to: &json)
            }
            json.endObject()
        }
        json.endArray()
        return json.bytes
    }

    // MARK: Filters

    private func tagKeys(user: User) async throws(HTTPFailure) -> [UInt8] {
        let sql = "SELECT DISTINCT name FROM system.columns WHERE database = 'default' ORDER BY name LIMIT 1000"
        return texts(try await run(sql, macros: TimeMacros(), user: user), withType: true)
    }

    private func tagValues(_ body: JSONValue, user: User) async throws(HTTPFailure) -> [UInt8] {
        guard let key = body["key"]?.string else { throw HTTPFailure(400, "tag-values wants {\"key\": \"column\"}") }
        let quoted = "'" + key.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "'"
        let tables = try await run(
            "SELECT table FROM system.columns WHERE database = 'default' AND name = \(quoted) ORDER BY table LIMIT 1",
            macros: TimeMacros(),
            user: user)
        guard let table = tables["data"]?.elements?.first?.elements?.first?.string else { return Array("[]".utf8) }
        let sql =
            "SELECT DISTINCT toString(\(Self.identifier(key))) AS v FROM \(Self.identifier(table)) WHERE v != '' LIMIT 1000"
        return texts(try await run(sql, macros: TimeMacros(), user: user), withType: false)
    }

    private static func identifier(_ name: String) -> String {
        "`" + name.map { $0 == "`" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "`"
    }

    private func texts(_ result: JSONValue, withType: Bool) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for row in result["data"]?.elements ?? [] {
            guard let text = row.elements?.first?.scalarText else { continue }
            json.beginObject()
            if withType {
                json.key("type")
                json.value("string")
            }
            json.key("text")
            json.value(text)
            json.endObject()
        }
        json.endArray()
        return json.bytes
    }
}

import Columnar
import HTTPTypes
import Hummingbird
import LogStore
import QueryEngine

/// `/api/…`: what the command line asks of a running server: topics and compaction.
struct AdminEndpoint: Sendable {
    let catalog: Catalog
    let logStore: LogStore
    let pool: BlockingPool
    /// The settings of a topic created without any.
    let defaults: TopicConfig

    func respond(to request: Request, target: RequestTarget, user: User) async throws(HTTPFailure) -> Response {
        guard user.role == .admin || (user.role == .readonly && request.method == .get) else {
            throw HTTPFailure(
                403, "\(user.name) may not do this: the role is \(user.role.rawValue)", code: .accessDenied)
        }
        if target.path == "/api/compact" {
            guard request.method == .post else { throw HTTPFailure(405, "/api/compact wants POST") }
            return try await compact(target)
        }
        if target.path == "/api/topics" {
            switch request.method {
            case .get, .head: return .json(topics(logStore.topics))
            case .post: return try await create(request)
            default: throw HTTPFailure(405, "/api/topics wants GET or POST")
            }
        }
        if target.path.hasPrefix("/api/topics/") {
            return try await topic(String(target.path.dropFirst("/api/topics/".count)), request)
        }
        throw HTTPFailure(
            404, "There is no \(target.path) here. There are: /api/topics, /api/topics/{topic}, /api/compact")
    }

    // MARK: Compaction

    private func compact(_ target: RequestTarget) async throws(HTTPFailure) -> Response {
        let isFinal = target.text("final") == "1"
        var tables = catalog.tables
        if let name = target.text("table"), !name.isEmpty {
            guard let table = catalog.table(name) else {
                let near = nearest(to: name, in: tables.map(\.name)).map { "; did you mean \($0)?" } ?? ""
                throw HTTPFailure(404, "There is no table \(name)\(near)", code: .unknownTable)
            }
            tables = [table]
        }
        let chosen = tables
        let reports = try await blocking { () throws(HTTPFailure) in
            var reports: [(String, CompactionReport)] = []
            for table in chosen {
                do throws(ColumnarError) {
                    reports.append((table.name, try table.compact(final: isFinal)))
                } catch {
                    throw HTTPFailure(500, "table \(table.name): \(error.message)")
                }
            }
            return reports
        }
        var json = JSONWriter()
        json.beginArray()
        for (name, report) in reports { Self.write(report, table: name, to: &json) }
        json.endArray()
        return .json(json.bytes)
    }

    private static func write(_ report: CompactionReport, table: String, to json: inout JSONWriter) {
        json.beginObject()
        json.key("table")
        json.value(table)
        json.key("parts_before")
        json.value(report.partsBefore)
        json.key("parts_after")
        json.value(report.partsAfter)
        json.key("bytes_before")
        json.value(report.bytesBefore)
        json.key("bytes_after")
        json.value(report.bytesAfter)
        json.key("rows_merged")
        json.value(report.rowsMerged)
        json.key("merges")
        json.value(report.merges)
        json.endObject()
    }

    // MARK: Topics

    private func topics(_ topics: [Topic]) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for topic in topics { Self.write(topic, to: &json) }
        json.endArray()
        return json.bytes
    }

    private static func write(_ topic: Topic, to json: inout JSONWriter) {
        json.beginObject()
        json.key("topic")
        json.value(topic.name)
        json.key("config")
        json.beginObject()
        for (name, value) in topic.config.entries {
            json.key(name)
            json.value(value)
        }
        json.endObject()
        json.key("partitions")
        json.beginArray()
        for partition in topic.partitions {
            json.beginObject()
            json.key("partition")
            json.value(partition.partition)
            json.key("start_offset")
            json.value(partition.startOffset)
            json.key("end_offset")
            json.value(partition.endOffset)
            json.key("bytes")
            json.value(partition.sizeBytes)
            json.key("segments")
            json.value(partition.segments.count)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    private func topic(_ name: String, _ request: Request) async throws(HTTPFailure) -> Response {
        guard let topic = logStore.topic(name) else {
            let near = nearest(to: name, in: logStore.topics.map(\.name)).map { "; did you mean \($0)?" } ?? ""
            throw HTTPFailure(404, "There is no topic \(name)\(near)", code: .unknownTable)
        }
        switch request.method {
        case .get, .head:
            return .json(topics([topic]))
        case .patch, .put:
            let body = try await body(request)
            let config = try Self.config(body["config"] ?? body, from: topic.config)
            try await blocking { () throws(HTTPFailure) in
                try logged { () throws(LogStoreError) in try topic.alter(config) }
            }
            return .json(topics([topic]))
        case .delete:
            let logStore = logStore
            try await blocking { () throws(HTTPFailure) in
                try logged { () throws(LogStoreError) in try logStore.deleteTopic(name) }
            }
            return .json(Array("{}".utf8))
        default: throw HTTPFailure(405, "/api/topics/{topic} wants GET, PUT or DELETE")
        }
    }

    private func create(_ request: Request) async throws(HTTPFailure) -> Response {
        let body = try await body(request)
        guard let name = body["topic"]?.string else {
            throw HTTPFailure(400, "wants {\"topic\": \"name\", \"partitions\": 1, \"config\": {}}")
        }
        let partitions = body["partitions"]?.integer ?? 1
        guard (1...1024).contains(partitions) else {
            throw HTTPFailure(400, "partitions must be from 1 to 1024, not \(partitions)")
        }
        let config = try Self.config(body["config"] ?? .object([]), from: defaults)
        let logStore = logStore
        let topic = try await blocking { () throws(HTTPFailure) in
            try logged { () throws(LogStoreError) in
                try logStore.createTopic(name, partitions: Int(partitions), config: config)
            }
        }
        return .json(topics([topic]), status: .created)
    }

    private func body(_ request: Request) async throws(HTTPFailure) -> JSONValue {
        let bytes = try await BodyReader(request, maxBytes: 1 << 20).collect(limit: 1 << 20)
        do throws(JSONValue.ParseError) { return try JSONValue(parsing: bytes) } catch {
            throw HTTPFailure(400, "The request body is \(error.description)")
        }
    }

    private static func config(_ json: JSONValue, from start: TopicConfig) throws(HTTPFailure) -> TopicConfig {
        var config = start
        guard case .object(let fields) = json else { throw HTTPFailure(400, "config must be an object of settings") }
        for field in fields {
            guard let value = field.value.scalarText else {
                throw HTTPFailure(400, "\(field.name) must be a string or a number")
            }
            try logged { () throws(LogStoreError) in try config.set(field.name, to: value) }
        }
        return config
    }

    /// Runs what blocks on a thread that may.
    private func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () throws(HTTPFailure) -> Value
    ) async throws(HTTPFailure) -> Value {
        do {
            return try await pool.run(body)
        } catch let failure as HTTPFailure {
            throw failure
        } catch {
            throw HTTPFailure(429, "Too much work is waiting; try again in a moment")
        }
    }
}

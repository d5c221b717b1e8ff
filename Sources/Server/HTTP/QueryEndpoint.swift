import Columnar
import Compression
import Disk
import HTTPTypes
import Hummingbird
import NIOCore
import QueryEngine

/// ClickHouse's interface: SQL in the `query` parameter, the body or both; the result streamed back.
struct QueryEndpoint: Sendable {
    let runner: QueryRunner
    let configuration: ServerConfiguration
    let displayName: String
    let clock: any Clock

    /// Bytes of result held back before the answer begins, so that most failures still get a status of their own.
    private static let holdBack = 128 * 1024
    /// How much of an INSERT is looked at before the rest is streamed.
    private static let insertHead = 64 * 1024
    /// Parameters that are not settings.
    private static let ownParameters: Set<String> = [
        "query", "database", "default_format", "query_id", "user", "password", "quota_key", "compress", "decompress",
        "session_id",
        "session_timeout", "session_check", "from", "to", "interval_ms", "client_protocol_version", "role",
        "stacktrace",
        "buffer_size", "wait_end_of_query", "enable_http_compression", "http_headers_progress_interval_ms",
    ]

    /// Answers a query. `channel` tells when the client goes away.
    func respond(to request: Request, target: RequestTarget, user: User, channel: any Channel) async -> Response {
        let queryID = target.text("query_id").flatMap { $0.isEmpty ? nil : String($0.prefix(200)) } ?? RandomID.make()
        do throws(HTTPFailure) {
            let isRead = request.method == .get || request.method == .head
            let (request, target) = try await unpacked(request, target)
            var query = try prepare(request, target: target, user: user, queryID: queryID, isRead: isRead)
            let response = try await run(&query, request: request, target: target, channel: channel)
            return request.method == .head ? response.createHeadResponse() : response
        } catch {
            return withCommonHeaders(error, queryID: queryID)
        }
    }

    /// Takes the fields of a form as parameters; anything else stays as it is.
    private func unpacked(
        _ request: Request, _ target: RequestTarget
    ) async throws(HTTPFailure) -> (Request, RequestTarget) {
        guard let boundary = MultipartForm.boundary(request.headers[.contentType]) else { return (request, target) }
        let limit = Int(configuration.bytes("max_query_size"))
        let body = try await BodyReader(request, maxBytes: limit).collect(limit: limit)
        guard let fields = MultipartForm.parse(body, boundary: boundary) else {
            throw HTTPFailure(400, "The body is no multipart/form-data with the boundary that is announced")
        }
        var request = request
        var target = target
        request.body = RequestBody(buffer: ByteBuffer())
        target.parameters += fields
        return (request, target)
    }

    private func withCommonHeaders(_ failure: HTTPFailure, queryID: String) -> Response {
        var response = failure.response()
        response.headers[.queryID] = queryID
        if let position = failure.position { response.headers[.errorPosition] = String(position) }
        return response
    }

    private func prepare(
        _ request: Request, target: RequestTarget, user: User, queryID: String, isRead: Bool
    ) throws(HTTPFailure) -> QueryRequest {
        var query = QueryRequest(sql: target["query"] ?? [], queryID: queryID, user: user)
        query.database = target.text("database") ?? request.headers[.clickHouseDatabase] ?? "default"
        if query.database.isEmpty { query.database = "default" }
        query.defaultFormat = target.text("default_format") ?? request.headers[.format]
        query.isReadonly = isRead || user.role == .readonly
        for parameter in target.parameters {
            if parameter.name.hasPrefix("param_") {
                query.parameters[String(parameter.name.dropFirst("param_".count))] = parameter.value
            } else if !Self.ownParameters.contains(parameter.name) {
                query.settings[parameter.name] = String(decoding: parameter.value, as: UTF8.self)
            }
        }
        // A chart reads ISO times the same in every browser; the bare form is taken for local time.
        if target["from"] != nil, query.settings["date_time_output_format"] == nil {
            query.settings["date_time_output_format"] = "iso"
        }
        if target.text("decompress") == "1" {
            throw HTTPFailure(501, "decompress=1 is not supported; use Content-Encoding", code: .notImplemented)
        }
        return query
    }

    /// Reads the text, then runs it while the rest of the body flows in.
    private func run(
        _ query: inout QueryRequest, request: Request, target: RequestTarget, channel: any Channel
    ) async throws(HTTPFailure) -> Response {
        let reader = try BodyReader(request, maxBytes: Int(configuration.bytes("max_body")))
        let macros = try TimeMacros(target: target, nowMs: clock.nowMs())
        let pipe = ResponsePipe(limit: Self.holdBack)
        // A client that asks for ClickHouse's own compression takes HTTP's instead.
        let encoding =
            target.text("compress") == "1" ? .gzip : ResponseEncoding.choose(request.headers[.acceptEncoding])
        let watch = ClientWatch(channel: channel, token: query.cancellation)
        let input = RequestPipe(limit: 1 << 20)
        var started = false
        do throws(HTTPFailure) {
            if SQLText.isInsert(query.sql) {
                query.input = input
                try begin(query, pipe: pipe, encoding: encoding)
                started = true
            }
            var hasBody = false
            try await reader.forEachPiece { (piece) throws(HTTPFailure) in
                if started { return await input.write(piece) }
                if !hasBody, !query.sql.isEmpty { query.sql.append(0x0A) }
                hasBody = true
                query.sql.append(contentsOf: piece)
                if query.sql.count >= Self.insertHead, SQLText.isInsert(query.sql) {
                    query.input = input
                    try begin(query, pipe: pipe, encoding: encoding)
                    started = true
                } else {
                    try checkLength(query.sql)
                }
                return true
            }
            if !started {
                if SQLText.isInsert(query.sql) {
                    query.input = input
                } else {
                    await watch.begin()
                    query.sql = try expand(macros, query.sql)
                }
                try begin(query, pipe: pipe, encoding: encoding)
            }
        } catch {
            // A query that waits for more of its body learns that none comes.
            input.finish(error)
            query.cancellation.cancel()
            pipe.abandon()
            watch.end()
            throw error
        }
        input.finish()
        return await answer(query, pipe: pipe, encoding: encoding, watch: watch)
    }

    private func checkLength(_ sql: [UInt8]) throws(HTTPFailure) {
        let limit = configuration.bytes("max_query_size")
        guard sql.count <= Int(limit) else {
            throw HTTPFailure(
                413, "The query is longer than \(limit) bytes (setting max_query_size)", code: .syntaxError)
        }
    }

    private func expand(_ macros: TimeMacros, _ text: [UInt8]) throws(HTTPFailure) -> [UInt8] {
        do throws(QueryError) { return try macros.expand(text) } catch { throw HTTPFailure(error) }
    }

    private func begin(_ query: QueryRequest, pipe: ResponsePipe, encoding: ResponseEncoding) throws(HTTPFailure) {
        let input = query.input
        if query.user.role == .ingest, input == nil {
            throw HTTPFailure(QueryError(.accessDenied, "\(query.user.name): this user may only send records in"))
        }
        let sink = PipeSink(pipe: pipe, encoding: encoding)
        let startNs = clock.steadyNs()
        let clock = clock
        try runner.start(query, sink: sink) { result in
            input?.close()
            switch result {
            case .success(let summary):
                let failure = sink.finish().map { HTTPFailure($0) }
                let header = Self.summary(summary, elapsedNs: clock.steadyNs() - startNs)
                var headers = [("X-ClickHouse-Summary", header)]
                if !summary.notices.isEmpty {
                    headers.append(
                        ("X-Logstore-Notice", HTTPFailure.oneLine(summary.notices.joined(separator: "; "), limit: 1000))
                    )
                }
                pipe.finish(.init(failure: failure, headers: headers.map { (name: $0.0, value: $0.1) }))
            case .failure(let error):
                let failure = HTTPFailure(error)
                if sink.hasWritten { sink.writeException(failure.text) }
                pipe.finish(.init(failure: failure, headers: []))
            }
        }
    }

    private static func summary(_ summary: QuerySummary, elapsedNs: UInt64) -> String {
        let fields: [(String, UInt64)] = [
            ("read_rows", UInt64(summary.readRows)), ("read_bytes", UInt64(summary.readBytes)),
            ("written_rows", UInt64(summary.writtenRows)), ("written_bytes", summary.writtenBytes),
            ("total_rows_to_read", UInt64(summary.readRows)),
            ("result_rows", UInt64(summary.resultRows)), ("result_bytes", UInt64(summary.resultBytes)),
            ("elapsed_ns", elapsedNs),
        ]
        return "{" + fields.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",") + "}"
    }

    private func answer(
        _ query: QueryRequest, pipe: ResponsePipe, encoding: ResponseEncoding, watch: ClientWatch
    ) async -> Response {
        let start = await pipe.start()
        if start.ending != nil { watch.end() }
        var headers = HTTPFields()
        headers[.queryID] = query.queryID
        headers[.timezone] = "UTC"
        headers[.displayName] = displayName
        headers[.contentType] = start.contentType ?? "text/plain; charset=UTF-8"
        for (name, value) in start.headers { if let name = HTTPField.Name(name) { headers[name] = value } }
        if let failure = start.ending?.failure { return withCommonHeaders(failure, queryID: query.queryID) }
        if start.bytes.contains(where: { !$0.isEmpty }) {
            if let name = encoding.name { headers[.contentEncoding] = name }
        }
        headers[.vary] = "Accept-Encoding"
        if let ending = start.ending {
            for (name, value) in ending.headers { if let name = HTTPField.Name(name) { headers[name] = value } }
            var buffer = ByteBuffer()
            buffer.reserveCapacity(start.bytes.reduce(0) { $0 + $1.count })
            for chunk in start.bytes { buffer.writeBytes(chunk) }
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: buffer))
        }
        headers[.exceptionTag] = PipeSink.tag
        let lifetime = PipeLifetime(pipe: pipe, token: query.cancellation, watch: watch)
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in try await lifetime.stream(start.bytes, to: &writer) })
    }
}

extension TimeMacros {
    /// Takes the range from the parameters `from`, `to` and `interval_ms`.
    init(target: RequestTarget, nowMs: Int64) throws(HTTPFailure) {
        fromMs = try Self.time(target, "from", nowMs)
        toMs = try Self.time(target, "to", nowMs)
        intervalMs = target.text("interval_ms").flatMap { Int64($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    private static func time(_ target: RequestTarget, _ name: String, _ nowMs: Int64) throws(HTTPFailure) -> Int64? {
        guard let text = target.text(name), !text.isEmpty else { return nil }
        guard let value = TimeText.milliseconds(text, nowMs: nowMs) else {
            throw HTTPFailure(
                400, "Parameter \(name)=`\(text)` is no time: give milliseconds since 1970, ISO 8601, or now-15m",
                code: .badArguments)
        }
        return value
    }
}

/// Streams the rest of a result. When it is forgotten unread, the query behind it stops.
private final class PipeLifetime: Sendable {
    private let pipe: ResponsePipe
    private let token: CancellationToken
    private let watch: ClientWatch

    init(pipe: ResponsePipe, token: CancellationToken, watch: ClientWatch) {
        self.pipe = pipe
        self.token = token
        self.watch = watch
    }

    deinit {
        watch.end()
        token.cancel()
        pipe.abandon()
    }

    func stream(_ first: [[UInt8]], to writer: inout any ResponseBodyWriter) async throws {
        try await write(first, to: &writer)
        while true {
            let (chunks, ending) = await pipe.next()
            try await write(chunks, to: &writer)
            guard let ending else { continue }
            // After a failure the body is left without its proper end, so that no client takes it for whole.
            if ending.failure != nil { throw BrokenOff() }
            try await writer.finish(nil)
            return
        }
    }

    /// Small pieces go out as one.
    private func write(_ chunks: [[UInt8]], to writer: inout any ResponseBodyWriter) async throws {
        let size = chunks.reduce(0) { $0 + $1.count }
        if size == 0 { return }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(size)
        for chunk in chunks { buffer.writeBytes(chunk) }
        try await writer.write(buffer)
    }

    private struct BrokenOff: Error {}
}

extension HTTPField.Name {
    /// Byte offset of the error in the SQL text, for the console.
    static let errorPosition = named("X-Logstore-Error-Position")
}

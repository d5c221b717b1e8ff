import HTTPTypes
import Hummingbird
import NIOCore

/// What Hummingbird hands over with each request: the connection it came on.
struct Connection: InitializableFromSource, Sendable {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
    }
}

/// Sends each request to the endpoint that answers it.
struct Responder: HTTPResponder {
    typealias Context = Connection

    let authenticator: Authenticator
    let configuration: ServerConfiguration
    let metrics: ServerMetrics
    let query: QueryEndpoint
    let ingest: IngestEndpoint
    let grafana: GrafanaEndpoint
    let health: HealthEndpoint
    let prometheus: MetricsEndpoint
    let tail: TailEndpoint
    let admin: AdminEndpoint

    /// The paths there are, for the answer to a path that is none.
    private static let paths = [
        "/", "/ping", "/replicas_status", "/console", "/play", "/ingest/{topic}", "/tail/{topic}", "/grafana",
        "/health", "/metrics",
        "/api/topics", "/api/compact",
    ]

    func respond(to request: Request, context: Connection) async throws -> Response {
        metrics.httpRequests.add(1)
        let target = RequestTarget(request.head.path ?? "/")
        var response: Response
        do throws(HTTPFailure) {
            try checkOrigin(request, target: target)
            response = try await route(request, target: target, channel: context.channel)
        } catch {
            response = isJSON(target.path) ? error.jsonResponse() : error.response()
            // What is left of the body is not worth reading.
            if error.status == 413 || error.status == 401 || error.status == 403 {
                response.headers[.connection] = "close"
            }
        }
        addCORS(request, &response)
        if request.method == .head, response.body.contentLength != 0 { response = response.createHeadResponse() }
        return response
    }

    private func isJSON(_ path: String) -> Bool {
        path.hasPrefix("/ingest/") || path.hasPrefix("/grafana/") || path.hasPrefix("/api/") || path.hasPrefix("/tail/")
    }

    private func route(_ request: Request, target: RequestTarget, channel: any Channel) async throws(HTTPFailure)
        -> Response
    {
        if request.method == .options { return preflight(request) }
        switch target.path {
        case "/ping", "/replicas_status": return .text("Ok.\n")
        case "/health": return await health.respond()
        case "/console", "/play", "/dashboard":
            return try console(request, target: target)
        default: break
        }
        let user: User
        do throws(HTTPFailure) {
            user = try authenticator.user(headers: request.headers, target: target)
        } catch {
            throw askBrowser(request, error)
        }
        if target.path == "/" { return try await root(request, target: target, user: user, channel: channel) }
        if let topic = tail(target.path, after: "/ingest/") {
            try require(user, [.admin, .ingest])
            return try await ingest.respond(to: request, target: target, topic: topic)
        }
        if target.path == "/metrics" {
            try require(user, [.admin, .readonly])
            return await prometheus.respond()
        }
        if target.path == "/grafana" || target.path.hasPrefix("/grafana/") {
            try require(user, [.admin, .readonly])
            return try await grafana.respond(to: request, target: target, user: user)
        }
        if let topic = tail(target.path, after: "/tail/") {
            try require(user, [.admin, .readonly])
            return try await self.tail.respond(to: request, target: target, topic: topic)
        }
        if target.path == "/api" || target.path.hasPrefix("/api/") {
            return try await admin.respond(to: request, target: target, user: user)
        }
        throw HTTPFailure(
            404,
            "There is no \(target.path) here. There are: " + Self.paths.joined(separator: ", ")
                + ". SQL goes to / (GET or POST).")
    }

    private func tail(_ path: String, after prefix: String) -> String? {
        guard path.hasPrefix(prefix) else { return nil }
        return String(path.dropFirst(prefix.count))
    }

    private func root(
        _ request: Request, target: RequestTarget, user: User, channel: any Channel
    ) async throws(HTTPFailure) -> Response {
        switch request.method {
        case .get, .head:
            if target["query"] == nil {
                return acceptsHTML(request) ? try console(request, target: target) : .text("Ok.\n")
            }
        case .post, .put: break
        default: throw HTTPFailure(405, "SQL goes by GET or POST, not \(request.method.rawValue)")
        }
        return await query.respond(to: request, target: target, user: user, channel: channel)
    }

    private func acceptsHTML(_ request: Request) -> Bool {
        request.headers[.accept]?.contains("text/html") ?? false
    }

    private func console(_ request: Request, target: RequestTarget) throws(HTTPFailure) -> Response {
        do throws(HTTPFailure) {
            _ = try authenticator.user(headers: request.headers, target: target)
        } catch {
            throw askBrowser(request, error)
        }
        var headers = HTTPFields()
        headers[.contentType] = "text/html; charset=UTF-8"
        headers[.cacheControl] = "no-cache"
        headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: ConsolePage.bytes)))
    }

    /// A browser asks its user for a password only after a 401.
    private func askBrowser(_ request: Request, _ failure: HTTPFailure) -> HTTPFailure {
        guard acceptsHTML(request) else { return failure }
        var asking = failure
        asking.status = 401
        asking.headers = [("WWW-Authenticate", "Basic realm=\"logstore\"")]
        return asking
    }

    private func require(_ user: User, _ roles: [User.Role]) throws(HTTPFailure) {
        guard roles.contains(user.role) else {
            throw HTTPFailure(
                403, "\(user.name) may not do this: the role is \(user.role.rawValue)", code: .accessDenied)
        }
    }

    // MARK: Pages of other origins

    private func allowedOrigin(_ request: Request) -> String? {
        guard let origin = request.headers[.origin] else { return nil }
        let allowed = configuration.text("cors_origin").split(separator: ",").map(\.trimmedSpaces)
        return allowed.contains("*") ? "*" : allowed.contains(origin) ? origin : nil
    }

    /// Any web page can make its visitor's browser send a request here. Without users nothing else would stop it from
    /// changing data, so a page of another origin must have been allowed; sending records in is open to all.
    private func checkOrigin(_ request: Request, target: RequestTarget) throws(HTTPFailure) {
        guard configuration.users.isEmpty, let origin = request.headers[.origin], allowedOrigin(request) == nil,
            !target.path.hasPrefix("/ingest/")
        else { return }
        let host = request.head.authority ?? request.headers[.host] ?? ""
        if origin == "http://\(host)" || origin == "https://\(host)" { return }
        throw HTTPFailure(
            403, "Pages of \(origin) may not call this server; allow them with the setting cors_origin",
            code: .accessDenied)
    }

    private func preflight(_ request: Request) -> Response {
        var headers = HTTPFields()
        headers[.allow] = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
        return Response(status: .noContent, headers: headers)
    }

    private func addCORS(_ request: Request, _ response: inout Response) {
        guard let origin = allowedOrigin(request) else { return }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.accessControlExposeHeaders] =
            "X-ClickHouse-Query-Id, X-ClickHouse-Summary, X-ClickHouse-Format, X-ClickHouse-Exception-Code"
        guard request.method == .options else { return }
        response.headers[.accessControlAllowMethods] = "GET, HEAD, POST, PUT, OPTIONS"
        response.headers[.accessControlAllowHeaders] =
            request.headers[.accessControlRequestHeaders]
            ?? "content-type, authorization, x-clickhouse-user, x-clickhouse-key"
        response.headers[.accessControlMaxAge] = "86400"
    }
}

extension Response {
    /// A small answer of plain text.
    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/plain; charset=UTF-8"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// An answer of JSON.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/json; charset=UTF-8"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

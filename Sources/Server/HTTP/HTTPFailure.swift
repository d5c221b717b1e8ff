import HTTPTypes
import Hummingbird
import QueryEngine

/// An answer that says no: the status, ClickHouse's code where there is one, and a sentence.
struct HTTPFailure: Error, Sendable {
    var status: Int
    var code: QueryError.Code?
    var message: String
    /// Byte offset in the SQL text.
    var position: Int?
    var headers: [(name: String, value: String)] = []

    /// Creates a failure that is none of the query engine's.
    init(_ status: Int, _ message: String, code: QueryError.Code? = nil) {
        self.status = status
        self.message = message
        self.code = code
    }

    /// Creates the failure that a query's error becomes.
    init(_ error: QueryError) {
        status = Self.status(of: error.code)
        code = error.code
        message = error.message
        position = error.position
        if error.code == .requiredPassword { headers = [("WWW-Authenticate", "Basic realm=\"logstore\"")] }
    }

    /// The HTTP status for one of ClickHouse's codes, as ClickHouse maps them.
    static func status(of code: QueryError.Code) -> Int {
        switch code.number {
        case 194: 401
        case 192, 193, 516, 497, 164, 291, 302: code.number == 164 ? 403 : 403
        case 6, 15, 26, 27, 36, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 130, 131, 153, 158, 174, 184, 190, 215, 321,
            349, 386, 407, 427,
            440, 441, 456, 457, 469, 10:
            400
        case 8, 16, 46, 47, 50, 60, 63, 73, 81, 115, 119: 404
        case 57, 44, 396: 400
        case 119_999: 404
        case 12, 124, 125, 348: 413
        case 159, 160: 408
        case 1, 48: 501
        case 202: 429
        case 243: 507
        default: 500
        }
    }

    /// ClickHouse's text for it: `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`.
    var text: String {
        guard let code else { return message }
        return "Code: \(code.number). DB::Exception: \(message) (\(code.name))"
    }

    /// A short form for the status line, where some clients show nothing else: one line of printable ASCII.
    var reason: String { Self.oneLine(message, limit: 120) }

    /// The text as one line of printable ASCII, fit for a header.
    static func oneLine(_ text: String, limit: Int) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            if line.utf8.count >= limit { break }
            line.unicodeScalars.append(scalar.value >= 32 && scalar.value < 127 ? scalar : scalar == "\n" ? " " : "?")
        }
        return line
    }

    /// The answer in ClickHouse's form.
    func response() -> Response {
        var fields = HTTPFields()
        if let code { fields[.exceptionCode] = String(code.number) }
        fields[.contentType] = "text/plain; charset=UTF-8"
        return response(fields, body: text + "\n")
    }

    /// The answer as JSON: `{"error":{"code":60,"message":"…"}}`.
    func jsonResponse() -> Response {
        var fields = HTTPFields()
        if let code { fields[.exceptionCode] = String(code.number) }
        fields[.contentType] = "application/json; charset=UTF-8"
        var json = JSONWriter()
        json.beginObject()
        json.key("error")
        json.beginObject()
        json.key("code")
        json.value(code?.number ?? status)
        json.key("message")
        json.value(message)
        if let position {
            json.key("position")
            json.value(position)
        }
        json.endObject()
        json.endObject()
        fields[.reasonPhrase] = reason
        return Response(
            status: .init(code: status), headers: withExtra(fields),
            body: .init(byteBuffer: ByteBuffer(bytes: json.bytes + [0x0A])))
    }

    private func response(_ fields: HTTPFields, body: String) -> Response {
        var fields = fields
        fields[.reasonPhrase] = reason
        return Response(
            status: .init(code: status), headers: withExtra(fields), body: .init(byteBuffer: ByteBuffer(string: body)))
    }

    private func withExtra(_ fields: HTTPFields) -> HTTPFields {
        var fields = fields
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        return fields
    }
}

extension QueryError.Code {
    static let requiredPassword = QueryError.Code(194, "REQUIRED_PASSWORD")
    static let authenticationFailed = QueryError.Code(516, "AUTHENTICATION_FAILED")
    static let accessDenied = QueryError.Code(497, "ACCESS_DENIED")
    static let tooManyQueries = QueryError.Code(202, "TOO_MANY_SIMULTANEOUS_QUERIES")
    static let aborted = QueryError.Code(236, "ABORTED")
}

extension HTTPField.Name {
    /// Read and removed by `ConnectionHandler`: becomes the status line's reason phrase.
    static let reasonPhrase = named("X-Logstore-Reason-Phrase")
    static let exceptionCode = named("X-ClickHouse-Exception-Code")
    static let exceptionTag = named("X-ClickHouse-Exception-Tag")
    static let queryID = named("X-ClickHouse-Query-Id")
    static let format = named("X-ClickHouse-Format")
    static let timezone = named("X-ClickHouse-Timezone")
    static let displayName = named("X-ClickHouse-Server-Display-Name")
    static let summary = named("X-ClickHouse-Summary")
    static let clickHouseUser = named("X-ClickHouse-User")
    static let clickHouseKey = named("X-ClickHouse-Key")
    static let clickHouseDatabase = named("X-ClickHouse-Database")
    static let host = named("Host")

    static func named(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("BUG: \(text) is no header name") }
        return name
    }
}

import ArgumentParser
import NIOCore
import NIOHTTP1
import NIOPosix
import Server

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which server to ask, and as whom.
struct ClientOptions: ParsableArguments {
    @Option(help: "The server's address (LOGSTORE_URL; default: http://127.0.0.1:8123).") var url: String?
    @Option(help: "User name (LOGSTORE_USER).") var user: String?
    @Option(help: "Password (LOGSTORE_PASSWORD, which no other user of this machine sees).") var password: String?

    /// A client for that server.
    func client() throws -> Client {
        var base = url ?? Environment.value("LOGSTORE_URL") ?? "http://127.0.0.1:8123"
        if !base.contains("://") { base = "http://" + base }
        let address: HTTPAddress
        do throws(HTTPAddress.Unreadable) { address = try HTTPAddress(base) } catch {
            throw ValidationError("--url `\(base)` \(error.reason)")
        }
        while base.hasSuffix("/") { base.removeLast() }
        return Client(
            base: base, address: address, user: user ?? Environment.value("LOGSTORE_USER"),
            password: password ?? Environment.value("LOGSTORE_PASSWORD"))
    }
}

/// Talks to a server over HTTP.
struct Client: Sendable {
    /// One request.
    struct Request: Sendable {
        var method: HTTPMethod
        var path: String
        var headers: HTTPHeaders
        var body: [UInt8]?
    }

    /// An answer, of which the body may still be on its way.
    struct Response: Sendable {
        let status: HTTPResponseStatus
        let headers: HTTPHeaders
        let body: ResponseBody
    }

    let base: String
    let address: HTTPAddress
    let user: String?
    let password: String?
    private let idle = IdleConnections()

    init(base: String, address: HTTPAddress, user: String?, password: String?) {
        self.base = base
        self.address = address
        self.user = user
        self.password = password
    }

    /// A request to a path of the server.
    func request(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) -> Request {
        var request = Request(method: method, path: path, headers: [:], body: body)
        if let user { request.headers.add(name: "X-ClickHouse-User", value: user) }
        if let password { request.headers.add(name: "X-ClickHouse-Key", value: password) }
        return request
    }

    /// Sends a request and gives back the response once its head is there. A server that is not there is an error at
    /// once, not something to wait for; `timeoutSeconds` is for the whole of the answer.
    func send(_ request: Request, timeoutSeconds: Int64 = 3600) async throws -> Response {
        do {
            let connection: HTTPConnection
            if let old = idle.take() {
                connection = old
            } else {
                connection = try await HTTPConnection.open(address, timeout: .seconds(10))
            }
            return try await connection.send(request, timeoutSeconds: timeoutSeconds, idle: idle)
        } catch {
            throw CommandFailure("no answer from \(base): \(Self.describe(error))")
        }
    }

    /// Says why a connection failed in fewer words than the library does.
    static func describe(_ error: any Error) -> String {
        var cause = error
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first { cause = first.error }
        if let error = cause as? IOError { return String(cString: strerror(error.errnoCode)) }
        return "\(cause)"
    }

    /// The whole answer to a small request; an answer that says no becomes a failure.
    func fetch(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) async throws -> [UInt8] {
        let response = try await send(request(method, path, body: body))
        let bytes = try await Self.collect(response)
        guard (200..<300).contains(response.status.code) else { throw CommandFailure(Self.message(bytes, response)) }
        return bytes
    }

    /// The response's body, at most 256 MB.
    static func collect(_ response: Response) async throws -> [UInt8] {
        do {
            var bytes: [UInt8] = []
            for try await piece in response.body {
                guard bytes.count + piece.readableBytes <= 256 << 20 else {
                    throw CommandFailure("the answer is longer than 256 MB")
                }
                bytes.append(contentsOf: piece.readableBytesView)
            }
            return bytes
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("the answer broke off: \(describe(error))")
        }
    }

    /// What a refusal says.
    static func message(_ body: [UInt8], _ response: Response) -> String {
        var text = String(decoding: body, as: UTF8.self)
        while text.hasSuffix("\n") { text.removeLast() }
        if let json = try? JSONValue(parsing: body), let message = json["error"]?["message"]?.string { text = message }
        return text.isEmpty ? "the server answered \(response.status)" : text
    }

    /// Text as part of a URL.
    static func escape(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF")
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default: escaped += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
        return escaped
    }
}

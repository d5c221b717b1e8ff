import ArgumentParser
import AsyncHTTPClient
import HTTPTypes
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
        guard base.hasPrefix("http://") || base.hasPrefix("https://") else {
            throw ValidationError("--url `\(base)` wants http://HOST:PORT")
        }
        while base.hasSuffix("/") { base.removeLast() }
        return Client(
            base: base, user: user ?? Environment.value("LOGSTORE_USER"),
            password: password ?? Environment.value("LOGSTORE_PASSWORD"))
    }
}

/// Talks to a server over HTTP.
struct Client: Sendable {
    /// Lives as long as the process. A server that is not there is an error at once, not something to wait for.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration(timeout: .init(connect: .seconds(10)))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    let base: String
    let user: String?
    let password: String?

    /// A request to a path of the server.
    func request(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let user { request.headers.add(name: "X-ClickHouse-User", value: user) }
        if let password { request.headers.add(name: "X-ClickHouse-Key", value: password) }
        if let body { request.body = .bytes(body) }
        return request
    }

    /// Sends a request and gives back the response once its head is there.
    func send(_ request: HTTPClientRequest, timeoutSeconds: Int64 = 3600) async throws -> HTTPClientResponse {
        do {
            return try await Self.http.execute(request, timeout: .seconds(timeoutSeconds))
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
    static func collect(_ response: HTTPClientResponse) async throws -> [UInt8] {
        do {
            return Array(try await response.body.collect(upTo: 256 << 20).readableBytesView)
        } catch {
            throw CommandFailure("the answer broke off: \(describe(error))")
        }
    }

    /// What a refusal says.
    static func message(_ body: [UInt8], _ response: HTTPClientResponse) -> String {
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

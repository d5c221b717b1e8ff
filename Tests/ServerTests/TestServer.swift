import Disk
import Logging
import Synchronization
import TestSupport

@testable import Server

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A whole server in this process, on a free port of this machine and a folder of its own.
struct TestServer {
    let port: Int

    /// Runs `body` against a fresh server and stops it afterwards.
    static func with(
        _ settings: [String: String] = [:], _ body: (TestServer) async throws -> Void
    ) async throws {
        let folder = TemporaryFolder()
        var flags = settings
        flags["data"] = folder.path + "/data"
        flags["http"] = "127.0.0.1:0"
        flags["kafka"] = flags["kafka"] ?? "off"
        let configuration = try ServerConfiguration(flags: flags)
        let store = try await blocking { try Store.open(configuration: configuration) }
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let server = LogstoreServer(configuration: configuration, store: store, logger: logger)
        let (ports, portSource) = AsyncStream<Int>.makeStream()
        let task = Task { try await server.run(signals: []) { port in portSource.yield(port) } }
        var iterator = ports.makeAsyncIterator()
        let port = await iterator.next() ?? 0
        do {
            try await body(TestServer(port: port))
        } catch {
            task.cancel()
            _ = await task.result
            throw error
        }
        task.cancel()
        _ = await task.result
        withExtendedLifetime(folder) {}
    }

    /// Sends bytes and reads until the server closes the connection.
    func raw(_ bytes: [UInt8]) async throws -> [UInt8] {
        let port = port
        return try await blocking { try exchange(port: port, bytes) }
    }

    /// Sends one request and takes the answer apart.
    func send(
        _ method: String, _ target: String, headers: [String] = [], body: [UInt8] = []
    ) async throws -> Reply {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for header in headers { text += header + "\r\n" }
        text += "Content-Length: \(body.count)\r\n\r\n"
        return Reply(try await raw(Array(text.utf8) + body))
    }

    /// The same with a body of text.
    func post(_ target: String, _ body: String, headers: [String] = []) async throws -> Reply {
        try await send("POST", target, headers: headers, body: Array(body.utf8))
    }

    func get(_ target: String, headers: [String] = []) async throws -> Reply {
        try await send("GET", target, headers: headers)
    }
}

/// An answer.
struct Reply {
    var status = 0
    var reason = ""
    /// By lower-case name.
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    /// Whether a chunked body came to its proper end.
    var isComplete = true

    init(_ bytes: [UInt8]) {
        let end = Array("\r\n\r\n".utf8)
        guard let split = (0..<max(0, bytes.count - 3)).first(where: { Array(bytes[$0..<($0 + 4)]) == end }) else {
            return
        }
        let lines = String(decoding: bytes[..<split], as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        let first = lines[0].split(separator: " ", maxSplits: 2)
        status = first.count > 1 ? Int(first[1]) ?? 0 : 0
        reason = first.count > 2 ? String(first[2]) : ""
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        body = Array(bytes[(split + 4)...])
        if headers["transfer-encoding"] == "chunked" { dechunk() }
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    private mutating func dechunk() {
        var plain: [UInt8] = []
        var rest = body[...]
        isComplete = false
        while let end = rest.firstIndex(of: 0x0A) {
            guard let size = Int(String(decoding: rest[..<end].dropLast(), as: UTF8.self), radix: 16) else { break }
            rest = rest[(end + 1)...]
            if size == 0 {
                isComplete = true
                break
            }
            plain += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        body = plain
    }
}

/// Runs what blocks on a thread of its own.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        _ = Thread(name: "test") { continuation.resume(with: Result { try body() }) }
    }
}

private struct SocketFailure: Error {
    let call: String
    let code: Int32
}

private func open(port: Int) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw SocketFailure(call: "socket", code: errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard connected == 0 else {
        close(descriptor)
        throw SocketFailure(call: "connect", code: errno)
    }
    return descriptor
}

private func exchange(port: Int, _ bytes: [UInt8]) throws -> [UInt8] {
    let descriptor = try open(port: port)
    defer { close(descriptor) }
    var sent = 0
    while sent < bytes.count {
        let count = bytes.withUnsafeBytes {
            write(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent)
        }
        // A server that refuses a body answers before it has read it.
        if count <= 0 { break }
        sent += count
    }
    var reply: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let size = buffer.count
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, size) }
        if count <= 0 { return reply }
        reply += buffer[..<count]
    }
}

/// Sends bytes and closes the connection without waiting for an answer.
func hangUp(port: Int, _ bytes: [UInt8]) throws {
    let descriptor = try open(port: port)
    _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, bytes.count) }
    usleep(100_000)
    close(descriptor)
}

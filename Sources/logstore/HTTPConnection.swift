import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Where a server listens, as a URL says it.
struct HTTPAddress: Sendable {
    /// What was wrong with a URL, in words.
    struct Unreadable: Error {
        let reason: String
    }

    let isEncrypted: Bool
    let host: String
    let port: Int
    /// The path in front of every request's own; without a slash at its end.
    let path: String

    /// Reads `http://HOST:PORT/PATH` or `https://…`; an IPv6 address stands in brackets.
    init(_ url: String) throws(Unreadable) {
        var rest = url[...]
        if rest.hasPrefix("http://") {
            isEncrypted = false
            rest = rest.dropFirst(7)
        } else if rest.hasPrefix("https://") {
            isEncrypted = true
            rest = rest.dropFirst(8)
        } else {
            throw Unreadable(reason: "wants http://HOST:PORT")
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = rest[authority.endIndex...]
        guard !path.contains(where: { $0 == "?" || $0 == "#" || $0.isWhitespace || !$0.isASCII }) else {
            throw Unreadable(reason: "wants no query and no fragment")
        }
        guard !authority.contains("@") else {
            throw Unreadable(reason: "wants no user name; say --user and --password")
        }
        var name = authority
        var port = isEncrypted ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                throw Unreadable(reason: "wants a port from 1 to 65535")
            }
            port = number
            name = authority[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        guard !name.isEmpty, !name.contains(where: { $0.isWhitespace || !$0.isASCII || $0 == "[" || $0 == "]" }) else {
            throw Unreadable(reason: "wants a host")
        }
        host = String(name)
        self.port = port
        var prefix = String(path)
        while prefix.hasSuffix("/") { prefix.removeLast() }
        self.path = prefix
    }

    /// What stands in the Host header.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isEncrypted ? 443 : 80) ? name : "\(name):\(port)"
    }
}

/// Why there is no answer, or no more of it.
enum HTTPConnectionError: Error, CustomStringConvertible {
    case closed
    case timedOut(seconds: Int64)
    case noTrust(String)

    var description: String {
        switch self {
        case .closed: "the server closed the connection"
        case .timedOut(let seconds): "it was not there after \(seconds) s"
        case .noTrust(let reason): "TLS cannot be set up: \(reason)"
        }
    }
}

/// One HTTP/1.1 connection: requests one after the other, each with its whole body; a response is read piece by piece,
/// and not faster than it is taken.
final class HTTPConnection: Sendable {
    private let channel: any Channel
    private let inbox: Inbox
    private let address: HTTPAddress

    private init(channel: any Channel, inbox: Inbox, address: HTTPAddress) {
        self.channel = channel
        self.inbox = inbox
        self.address = address
    }

    deinit { channel.close(promise: nil) }

    /// Connects; the host may be a name.
    static func open(_ address: HTTPAddress, timeout: TimeAmount) async throws -> HTTPConnection {
        let inbox = Inbox()
        let tls = address.isEncrypted ? try tlsContext() : nil
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(timeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let isName = (try? SocketAddress(ipAddress: address.host, port: 0)) == nil
                        try pipeline.addHandler(
                            try NIOSSLClientHandler(context: tls, serverHostname: isName ? address.host : nil))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(InboxHandler(inbox))
                }
            }
            .connect(host: address.host, port: address.port).get()
        return HTTPConnection(channel: channel, inbox: inbox, address: address)
    }

    private static func tlsContext() throws(HTTPConnectionError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: .makeClientConfiguration())
        } catch {
            throw .noTrust("\(error)")
        }
    }

    /// Whether another request may be sent, as far as one can know.
    var isOpen: Bool { channel.isActive && !inbox.hasFailed }

    /// Sends a request and waits for the head of its response. Once that was read whole the connection is put to the
    /// idle ones.
    func send(
        _ request: Client.Request, timeoutSeconds: Int64, idle: IdleConnections
    ) async throws -> Client.Response {
        var headers = request.headers
        headers.replaceOrAdd(name: "Host", value: address.authority)
        if request.body != nil || request.method == .POST || request.method == .PUT {
            headers.replaceOrAdd(name: "Content-Length", value: String(request.body?.count ?? 0))
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: request.method, uri: address.path + request.path, headers: headers)
        let inbox = inbox
        let channel = channel
        let deadline = channel.eventLoop.scheduleTask(in: .seconds(timeoutSeconds)) {
            inbox.fail(HTTPConnectionError.timedOut(seconds: timeoutSeconds))
            channel.close(promise: nil)
        }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body = request.body, !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        // A request that cannot be sent may have been answered nevertheless; only the connection's end ends the wait.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil)).whenSuccess { inbox.requestSent() }
        do {
            while true {
                guard case .head(let head) = try await inbox.next(channel) else { continue }
                return Client.Response(
                    status: head.status, headers: head.headers,
                    body: ResponseBody(
                        connection: self, deadline: deadline, isKeptAlive: head.isKeepAlive, idle: idle))
            }
        } catch {
            deadline.cancel()
            throw error
        }
    }

    /// The next piece of the response's body; nil at its end.
    func nextPiece() async throws -> ByteBuffer? {
        switch try await inbox.next(channel) {
        case .body(let piece): piece
        case .end, .head: nil
        }
    }

    /// Whether the request was sent whole: an answer may come before, and then the connection is good for nothing more.
    var hasSentRequest: Bool { inbox.takeRequestSent() }
}

/// What came in and was not taken yet, and who waits for it.
private final class Inbox: Sendable {
    private struct State {
        var parts: CircularBuffer<HTTPClientResponsePart> = []
        var failure: (any Error)?
        var waiter: CheckedContinuation<HTTPClientResponsePart, any Error>?
        var isRequestSent = false
    }

    private let state = Mutex(State())

    var hasFailed: Bool { state.withLock { $0.failure != nil } }
    var isAwaited: Bool { state.withLock { $0.waiter != nil } }

    func requestSent() { state.withLock { $0.isRequestSent = true } }

    func takeRequestSent() -> Bool {
        state.withLock { state in
            defer { state.isRequestSent = false }
            return state.isRequestSent
        }
    }

    func push(_ part: HTTPClientResponsePart) {
        let waiter = state.withLock { state -> CheckedContinuation<HTTPClientResponsePart, any Error>? in
            guard let waiter = state.waiter else {
                state.parts.append(part)
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: part)
    }

    /// Lets whoever waits, now or later, know that nothing more will come. The first reason stands.
    func fail(_ error: any Error) {
        let waiter = state.withLock { state -> CheckedContinuation<HTTPClientResponsePart, any Error>? in
            if state.failure == nil { state.failure = error }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(throwing: error)
    }

    /// The next part, for which more is read when there is none.
    func next(_ channel: any Channel) async throws -> HTTPClientResponsePart {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let ready = state.withLock { state -> Result<HTTPClientResponsePart, any Error>? in
                    if let part = state.parts.popFirst() { return .success(part) }
                    if let failure = state.failure { return .failure(failure) }
                    state.waiter = continuation
                    return nil
                }
                if let ready { continuation.resume(with: ready) } else { channel.read() }
            }
        } onCancel: {
            fail(CancellationError())
            channel.close(promise: nil)
        }
    }
}

/// Moves what a channel brings into an inbox.
private final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let inbox: Inbox

    init(_ inbox: Inbox) {
        self.inbox = inbox
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { inbox.push(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Bytes came, but no whole part of a response.
        if inbox.isAwaited { context.read() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.fail(HTTPConnectionError.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.fail(error)
        context.close(promise: nil)
    }
}

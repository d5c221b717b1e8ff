import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Sits on every connection, between Hummingbird's codec and the encoder. It writes our own reason phrase into the
/// status line, closes connections that take too long over their first head, asks for bodies that wait to be asked
/// for, and tells a running query when its client has gone away.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let headerTimeout: TimeAmount
    private var deadline: Scheduled<Void>?
    private var isGone = false
    /// Requests whose answers have not ended yet.
    private var openRequests = 0
    /// Called once when the client closes its side.
    private var onGone: (id: ObjectIdentifier, call: @Sendable () -> Void)?

    init(headerTimeout: TimeAmount) {
        self.headerTimeout = headerTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: headerTimeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        gone()
    }

    /// Sets what to do when the client goes away: at once if it has already. `id` says whose it is.
    func watch(_ id: ObjectIdentifier, _ call: @escaping @Sendable () -> Void) {
        if isGone { call() } else { onGone = (id, call) }
    }

    /// Stops watching for `id`; the connection may be serving another request meanwhile.
    func unwatch(_ id: ObjectIdentifier) {
        if onGone?.id == id { onGone = nil }
    }

    private func gone() {
        isGone = true
        let call = onGone?.call
        onGone = nil
        call?()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) {
            deadline?.cancel()
            deadline = nil
            // curl holds back a body of a megabyte for a second unless told to go on (RFC 9110, section 10.1.1).
            // Between the answers to earlier requests of the connection there is no place to say so.
            if openRequests == 0, head.version == .http1_1, head.headers["Expect"].contains("100-continue") {
                let goOn = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(goOn)), promise: nil)
            }
            openRequests += 1
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { gone() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        gone()
        context.fireChannelInactive()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        if case .end = part { openRequests -= 1 }
        guard case .head(var head) = part,
            let reason = head.headers.first(name: "X-Logstore-Reason-Phrase")
        else {
            context.write(data, promise: promise)
            return
        }
        head.headers.remove(name: "X-Logstore-Reason-Phrase")
        if !reason.isEmpty { head.status = .custom(code: head.status.code, reasonPhrase: reason) }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}

/// Hummingbird's HTTP/1 channel with a `ConnectionHandler` on each connection.
struct ServerChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = HTTP1Channel.Value

    let inner: HTTP1Channel
    let headerTimeout: TimeAmount

    var responder: HTTPChannelHandler.Responder { inner.responder }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(ConnectionHandler(headerTimeout: headerTimeout), position: .before(codec))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await inner.handle(value: value, logger: logger)
    }
}

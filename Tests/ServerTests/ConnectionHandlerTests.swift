import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Server

@Suite("Connections")
struct ConnectionHandlerTests {
    private func request(expecting: Bool) -> HTTPServerRequestPart {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/ingest/logs")
        if expecting { head.headers.add(name: "Expect", value: "100-continue") }
        return .head(head)
    }

    private func status(_ channel: EmbeddedChannel) throws -> HTTPResponseStatus? {
        guard case .head(let head) = try channel.readOutbound(as: HTTPServerResponsePart.self) else { return nil }
        return head.status
    }

    @Test("a client that waits to be told to send its body is told")
    func expectContinue() throws {
        let channel = EmbeddedChannel(handler: ConnectionHandler(headerTimeout: .seconds(10)))
        try channel.writeInbound(request(expecting: false))
        #expect(try status(channel) == nil)
        try channel.writeOutbound(HTTPServerResponsePart.end(nil))
        _ = try channel.readOutbound(as: HTTPServerResponsePart.self)
        try channel.writeInbound(request(expecting: true))
        #expect(try status(channel) == .continue)
    }

    @Test("nothing is said between the answers to earlier requests")
    func pipelined() throws {
        let channel = EmbeddedChannel(handler: ConnectionHandler(headerTimeout: .seconds(10)))
        try channel.writeInbound(request(expecting: false))
        try channel.writeInbound(request(expecting: true))
        #expect(try status(channel) == nil)
    }
}

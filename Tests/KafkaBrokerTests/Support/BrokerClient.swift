import Disk
import KafkaBroker
import KafkaProtocol
import Testing

/// A client on a connection of its own to a broker in the same process: requests and answers go through the bytes of
/// the protocol.
final class BrokerClient: Sendable {
    /// What a request came to, when it was no response.
    struct NoResponse: Error, CustomStringConvertible {
        let description: String
    }

    let broker: Broker
    let session: Session

    init(_ broker: Broker, _ permissions: Principal.Permissions = .all) {
        self.broker = broker
        session = Session(
            localHost: "localhost", localPort: 9092, remoteHost: "127.0.0.1",
            principal: Principal(name: "tester", permissions: permissions))
    }

    /// Sends the request, in the highest version when none is given; the answer is waited for where it is asked for.
    func begin<Request: KafkaRequest>(_ request: Request, version: Int16? = nil) throws -> PendingResponse<Request> {
        let version = version ?? Request.api.versions.upperBound
        let frame = try request.encoded(version: version, correlationID: 7, clientID: "test client")
        let pending = PendingResponse<Request>(version: version)
        broker.handle(frame[...], from: session) { answer in pending.answer.update { $0 = answer } }
        return pending
    }

    /// Sends the request and waits for the response.
    func send<Request: KafkaRequest>(_ request: Request, version: Int16? = nil) throws -> Request.Response {
        try begin(request, version: version).wait()
    }
}

/// A request whose answer may not be there yet.
final class PendingResponse<Request: KafkaRequest>: Sendable {
    let version: Int16
    let answer = Monitor<Answer?>(nil)

    init(version: Int16) { self.version = version }

    var isAnswered: Bool { answer.withLock { $0 != nil } }

    /// The response, once it is there.
    func wait() throws -> Request.Response {
        switch answer.wait(timeoutMs: 30_000, until: { $0 }) {
        case .response(let output):
            var bytes: [UInt8] = []
            for piece in output.frame() {
                switch piece {
                case .bytes(let part): bytes += part
                case .file(let file, let position, let count):
                    bytes += try file.readExactly(at: position, count: count)
                }
            }
            let (correlationID, response) = try Request.readResponse(bytes[4...], version: version)
            #expect(correlationID == 7)
            return response
        case .lastResponse(_, let reason):
            throw BrokerClient.NoResponse(description: "closed after a response: \(reason)")
        case .silence: throw BrokerClient.NoResponse(description: "no answer is meant to come")
        case .raw: throw BrokerClient.NoResponse(description: "bytes that are no response")
        case .close(let reason): throw BrokerClient.NoResponse(description: "closed: \(reason)")
        case nil: throw BrokerClient.NoResponse(description: "no answer in time")
        }
    }
}

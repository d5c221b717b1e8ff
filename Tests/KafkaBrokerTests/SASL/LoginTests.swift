import Disk
import KafkaProtocol
import Testing

@testable import KafkaBroker

@Suite("Logging in")
struct LoginTests {
    private let fixture: BrokerFixture
    private let session = Session(localHost: "localhost", localPort: 9092, remoteHost: "127.0.0.1", principal: nil)

    init() throws {
        var settings = BrokerSettings()
        settings.users = [
            BrokerUser(name: "app", password: "secret", permissions: .produce),
            BrokerUser(name: "reports", password: "geheim", permissions: .consume),
        ]
        fixture = try BrokerFixture(settings: settings)
    }

    /// What comes of a request, with the refusal's delay gone by.
    private func answer<Request: KafkaRequest>(_ request: Request, version: Int16) throws -> Answer? {
        answer(try request.encoded(version: version, correlationID: 7, clientID: "test"))
    }

    private func answer(_ frame: [UInt8]) -> Answer? {
        let answer = Monitor<Answer?>(nil)
        fixture.broker.handle(frame[...], from: session) { given in answer.update { $0 = given } }
        fixture.advance(milliseconds: 1000)
        return answer.wait(timeoutMs: 30_000) { $0 }
    }

    private func response<Request: KafkaRequest>(_ request: Request, version: Int16) throws -> Request.Response {
        let output: WireOutput
        switch try answer(request, version: version) {
        case .response(let given): output = given
        case .lastResponse(let given, _): output = given
        case let other: throw BrokerClient.NoResponse(description: "\(String(describing: other))")
        }
        var bytes: [UInt8] = []
        for case .bytes(let part) in output.frame() { bytes += part }
        return try Request.readResponse(bytes[4...], version: version).1
    }

    private func handshake(_ mechanism: String, version: Int16) throws -> SASLHandshakeResponse {
        var request = SASLHandshakeRequest()
        request.mechanism = mechanism
        return try response(request, version: version)
    }

    private func authenticate(_ bytes: [UInt8], version: Int16 = 2) throws -> SASLAuthenticateResponse {
        var request = SASLAuthenticateRequest()
        request.bytes = bytes
        return try response(request, version: version)
    }

    private func plain(_ name: String, _ password: String, for other: String = "") -> [UInt8] {
        Array("\(other)\0\(name)\0\(password)".utf8)
    }

    @Test("before anything else only versions are told", arguments: [Int16(0), 3])
    func beforeLogin(_ version: Int16) throws {
        #expect(try response(APIVersionsRequest(), version: version).entries.contains { $0.key == 17 })
        guard case .close(let reason) = try answer(MetadataRequest(), version: 1) else {
            Issue.record("metadata was told to a stranger")
            return
        }
        #expect(reason.contains("before authentication"))
    }

    @Test("PLAIN lets a user in, who may then do what its role says", arguments: [Int16(0), 1, 2])
    func plainLogin(_ version: Int16) throws {
        let handshake = try handshake("PLAIN", version: 1)
        #expect(handshake.error == .none)
        #expect(handshake.mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        let response = try authenticate(plain("app", "secret"), version: version)
        #expect(response.error == .none)
        #expect(response.bytes.isEmpty)
        #expect(response.sessionLifetimeMs == 0)
        #expect(session.principal == Principal(name: "app", permissions: .produce))
        _ = try self.response(MetadataRequest(), version: 1)
        #expect(try self.handshake("PLAIN", version: 1).error == .illegalSASLState)
    }

    @Test(
        "after version 0 of the handshake the mechanism's messages are bare frames", arguments: SASLMechanism.allCases)
    func rawFrames(_ mechanism: SASLMechanism) throws {
        #expect(try handshake(mechanism.rawValue, version: 0).error == .none)
        if mechanism == .plain {
            guard case .raw(let bytes) = answer(plain("app", "secret")) else {
                Issue.record("no bare answer")
                return
            }
            #expect(bytes.isEmpty)
        } else {
            let client = SCRAMClient(mechanism, "app", "secret")
            guard case .raw(let challenge) = answer(client.first) else {
                Issue.record("no challenge")
                return
            }
            let (message, signature) = try client.final(after: challenge)
            guard case .raw(let bytes) = answer(message) else {
                Issue.record("no signature")
                return
            }
            #expect(bytes == signature)
        }
        #expect(session.principal?.name == "app")
        _ = try response(MetadataRequest(), version: 1)
    }

    @Test("SCRAM lets a user in", arguments: [SASLMechanism.scramSHA256, .scramSHA512])
    func scramLogin(_ mechanism: SASLMechanism) throws {
        #expect(try handshake(mechanism.rawValue, version: 1).error == .none)
        let client = SCRAMClient(mechanism, "reports", "geheim")
        let challenge = try authenticate(client.first)
        #expect(session.principal == nil)
        let (message, signature) = try client.final(after: challenge.bytes)
        #expect(try authenticate(message).bytes == signature)
        #expect(session.principal == Principal(name: "reports", permissions: .consume))
    }

    @Test("a wrong password, an unknown name and another's authority end the connection", arguments: [0, 1, 2, 3, 4])
    func refusals(_ number: Int) throws {
        let token = [
            plain("app", "Secret"), plain("nobody", "secret"), plain("app", "secret", for: "reports"),
            Array("app secret".utf8), [UInt8](repeating: 65, count: 9000),
        ][number]
        _ = try handshake("PLAIN", version: 1)
        var request = SASLAuthenticateRequest()
        request.bytes = token
        let frame = try request.encoded(version: 2, correlationID: 7, clientID: "test")
        let answers = Monitor<[Answer]>([])
        fixture.broker.handle(frame[...], from: session) { given in answers.update { $0.append(given) } }
        #expect(answers.withLock { $0.isEmpty }, "a refusal takes its time")
        fixture.advance(milliseconds: 1000)
        guard case .lastResponse = answers.withLock({ $0.first }) else {
            Issue.record("the connection goes on")
            return
        }
        #expect(session.principal == nil)
        guard case .close = try answer(MetadataRequest(), version: 1) else {
            Issue.record("a second attempt was possible")
            return
        }
    }

    @Test("a refusal says why, the same for a wrong password and a wrong name")
    func refusalMessage() throws {
        _ = try handshake("PLAIN", version: 1)
        let response = try authenticate(plain("app", "wrong"))
        #expect(response.error == .saslAuthenticationFailed)
        #expect(
            response.errorMessage == "Authentication failed due to invalid credentials with SASL mechanism PLAIN")
    }

    @Test("a wrong bare frame closes the connection without an answer")
    func rawRefusal() throws {
        _ = try handshake("PLAIN", version: 0)
        guard case .close(let reason) = answer(plain("app\n\u{7}", "wrong")) else {
            Issue.record("a wrong password was answered")
            return
        }
        #expect(reason.contains("`app??`"))
    }

    @Test("an unknown mechanism is refused with the list of those that are known")
    func unknownMechanism() throws {
        let response = try handshake("GSSAPI", version: 1)
        #expect(response.error == .unsupportedSASLMechanism)
        #expect(response.mechanisms.count == 3)
        #expect(try handshake("SCRAM-SHA-512", version: 1).error == .none)
    }

    @Test("a message without a handshake, or two handshakes, are out of order")
    func outOfOrder() throws {
        #expect(try authenticate(plain("app", "secret")).error == .illegalSASLState)
        _ = try handshake("PLAIN", version: 1)
        #expect(try handshake("PLAIN", version: 1).error == .illegalSASLState)
        #expect(session.principal == nil)
    }

    @Test("where nobody has to log in, a handshake is out of place")
    func noUsers() throws {
        let fixture = try BrokerFixture()
        #expect(try fixture.client().send(SASLHandshakeRequest(), version: 1).error == .illegalSASLState)
    }
}

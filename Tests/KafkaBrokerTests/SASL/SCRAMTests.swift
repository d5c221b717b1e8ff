import Testing

@testable import KafkaBroker

@Suite("SCRAM")
struct SCRAMTests {
    private let nobody = Credentials([])

    /// The exchange of RFC 7677, section 3.
    @Test("the example of RFC 7677 is answered as it says")
    func rfcExample() throws {
        let salt = try #require(Base64.decode(Array("W22ZaJ0SNY7soEsUEjb6gQ==".utf8)[...]))
        let keys = SCRAMKeys(.sha256, password: "pencil", salt: salt, iterations: 4096)
        let principal = Principal(name: "user", permissions: .consume)
        var exchange = SCRAMExchange(.sha256, serverNonce: Array("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".utf8))
        let first = try exchange.begin(Array("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".utf8)[...]) { name in
            #expect(name == "user")
            return (keys, principal)
        }
        #expect(
            String(decoding: first.answer, as: UTF8.self)
                == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        #expect(first.principal == nil)
        let proof =
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        let last = try exchange.take(Array(proof.utf8)[...], .scramSHA256, nobody)
        #expect(String(decoding: last.answer, as: UTF8.self) == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        #expect(last.principal == principal)
    }

    @Test("known answers of HMAC and PBKDF2 with SHA-512")
    func sha512() {
        // RFC 4231, test case 2.
        #expect(
            hex(Digest.sha512.hmac(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737")
        #expect(
            hex(Digest.sha512.derive(password: Array("password".utf8), salt: Array("salt".utf8), iterations: 1))
                == "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
                + "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce")
    }

    @Test("a wrong proof, another nonce or another header is refused", arguments: Digest.allCases)
    func refusals(_ digest: Digest) throws {
        let mechanism: SASLMechanism = digest == .sha256 ? .scramSHA256 : .scramSHA512
        let credentials = Credentials([BrokerUser(name: "a,b=c", password: "secret", permissions: .all)])
        #expect(try SCRAMClient(mechanism, "a,b=c", "secret").login(credentials)?.name == "a,b=c")
        for client in [
            SCRAMClient(mechanism, "a,b=c", "Secret"), SCRAMClient(mechanism, "nobody", "secret"),
            SCRAMClient(mechanism, "a,b=c", "secret", nonceSuffix: "x"),
            SCRAMClient(mechanism, "a,b=c", "secret", binding: "n,,x"),
        ] {
            #expect(throws: SASLFailure.self) { try client.login(credentials) }
        }
    }

    @Test("old librdkafka's nonce, with the client's own in front once more, is taken")
    func doubledNonce() throws {
        let credentials = Credentials([BrokerUser(name: "app", password: "secret", permissions: .all)])
        let client = SCRAMClient(.scramSHA256, "app", "secret", noncePrefix: "clientnonce")
        #expect(try client.login(credentials)?.name == "app")
        let wrong = SCRAMClient(.scramSHA256, "app", "Secret", noncePrefix: "clientnonce")
        #expect(throws: SASLFailure.self) { try wrong.login(credentials) }
    }

    @Test("a name that nobody has gets a salt that stays the same, as one that somebody has")
    func unknownNames() throws {
        let credentials = Credentials([BrokerUser(name: "known", password: "secret", permissions: .all)])
        for name in ["known", "unknown"] {
            let salts = (0..<2).map { _ in credentials.keys(name: name, .sha256).keys.salt }
            #expect(salts[0] == salts[1])
            #expect(salts[0].count == 16)
            #expect(credentials.keys(name: name, .sha512).keys.salt != salts[0])
        }
        #expect(credentials.keys(name: "unknown", .sha256).principal == nil)
        #expect(credentials.principal(name: "unknown", password: "secret") == nil)
    }

    @Test(
        "what is no SCRAM message is refused",
        arguments: [
            "", "n", "n,", "n,,", "x,,n=u,r=1", "p=tls-unique,,n=u,r=1", "n,,m=1,n=u,r=1", "n,,n=,r=1", "n,,n=u,r=",
            "n,,n=u=2,r=1", "n,,n=u=XX,r=1", "n,a=other,n=u,r=1", "n,,n=u,r=1\u{1}", "n,,n=u,r=1,tokenauth=true",
        ])
    func malformedFirst(_ text: String) {
        var exchange = SCRAMExchange(.sha256)
        #expect(throws: SASLFailure.self) { try exchange.take(Array(text.utf8)[...], .scramSHA256, nobody) }
    }

    @Test(
        "what is no final message is refused",
        arguments: [
            "", "c=biws", "c=biws,r=1", "c=biws,r=1,p=", "c=!,r=1,p=AAAA", "r=1,c=biws,p=AAAA", "c=biws,r=1,p=A",
        ])
    func malformedFinal(_ text: String) throws {
        var exchange = SCRAMExchange(.sha256)
        _ = try exchange.take(Array("n,,n=u,r=1".utf8)[...], .scramSHA256, nobody)
        #expect(throws: SASLFailure.self) { try exchange.take(Array(text.utf8)[...], .scramSHA256, nobody) }
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}

/// A client's side of SCRAM.
struct SCRAMClient {
    let mechanism: SASLMechanism
    let digest: Digest
    let name: String
    let password: String
    let nonceSuffix: String
    let noncePrefix: String
    let binding: String

    init(
        _ mechanism: SASLMechanism, _ name: String, _ password: String, nonceSuffix: String = "",
        noncePrefix: String = "",
        binding: String = "n,,"
    ) {
        self.mechanism = mechanism
        digest = mechanism == .scramSHA512 ? .sha512 : .sha256
        self.name = name
        self.password = password
        self.nonceSuffix = nonceSuffix
        self.noncePrefix = noncePrefix
        self.binding = binding
    }

    private var bare: String {
        let escaped = name.map { $0 == "," ? "=2C" : $0 == "=" ? "=3D" : String($0) }.joined()
        return "n=\(escaped),r=clientnonce"
    }

    var first: [UInt8] { Array("n,,\(bare)".utf8) }

    /// The final message, and the server's signature that must follow.
    func final(after challenge: [UInt8]) throws -> (message: [UInt8], signature: [UInt8]) {
        let fields = challenge.split(separator: UInt8(ascii: ",")).map { Array($0.dropFirst(2)) }
        try #require(fields.count == 3)
        let salt = try #require(Base64.decode(fields[1][...]))
        let iterations = try #require(UInt32(String(decoding: fields[2], as: UTF8.self)))
        let salted = digest.derive(password: Array(password.utf8), salt: salt, iterations: iterations)
        let clientKey = digest.hmac(key: salted, Array("Client Key".utf8))
        let nonce = Array(noncePrefix.utf8) + fields[0] + Array(nonceSuffix.utf8)
        let bindingText = Base64.encode(Array(binding.utf8))
        let withoutProof = Array("c=".utf8) + bindingText + Array(",r=".utf8) + nonce
        let signed = Array("\(bare),".utf8) + challenge + Array(",".utf8) + withoutProof
        let signature = digest.hmac(key: digest.hash(clientKey), signed)
        let proof = zip(clientKey, signature).map { $0 ^ $1 }
        let serverKey = digest.hmac(key: salted, Array("Server Key".utf8))
        return (
            withoutProof + Array(",p=".utf8) + Base64.encode(proof),
            Array("v=".utf8) + Base64.encode(digest.hmac(key: serverKey, signed))
        )
    }

    func login(_ credentials: Credentials) throws -> Principal? {
        var exchange = SASLExchange(mechanism, credentials)
        let challenge = try exchange.take(first[...]).answer
        let (message, signature) = try final(after: challenge)
        let step = try exchange.take(message[...])
        #expect(step.answer == signature)
        return step.principal
    }
}

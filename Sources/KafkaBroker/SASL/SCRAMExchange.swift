/// The server's side of SCRAM (RFC 5802) without channel binding.
///
///     client  n,,n=NAME,r=CNONCE
///     server  r=CNONCE SNONCE,s=SALT,i=ITERATIONS
///     client  c=biws,r=CNONCE SNONCE,p=PROOF
///     server  v=SIGNATURE
struct SCRAMExchange: Sendable {
    private struct Challenge: Sendable {
        let name: String
        let gs2Header: [UInt8]
        /// What was said so far and is signed: the client's first message without its header, a comma, the server's.
        let signedSoFar: [UInt8]
        let nonce: [UInt8]
        let keys: SCRAMKeys
        let principal: Principal?
    }

    private let digest: Digest
    private let serverNonce: [UInt8]
    private var challenge: Challenge?

    /// `serverNonce`: printable, without commas; random unless a test says otherwise.
    init(_ digest: Digest, serverNonce: [UInt8]? = nil) {
        self.digest = digest
        self.serverNonce = serverNonce ?? Base64.encode(Credentials.randomBytes(24))
    }

    /// Takes the client's first or second message.
    mutating func take(
        _ token: ArraySlice<UInt8>, _ mechanism: SASLMechanism, _ credentials: Credentials
    ) throws(SASLFailure) -> SASLExchange.Step {
        if let challenge { return try finish(token, challenge, mechanism) }
        let digest = digest
        return try begin(token) { credentials.keys(name: $0, digest) }
    }

    /// Answers the first message with a challenge. `keys` knows what is kept of a name.
    mutating func begin(
        _ token: ArraySlice<UInt8>, keys: (String) -> (keys: SCRAMKeys, principal: Principal?)
    ) throws(SASLFailure) -> SASLExchange.Step {
        let first = try ClientFirst(token)
        let (keys, principal) = keys(first.name)
        let nonce = first.nonce + serverNonce
        var answer = Array("r=".utf8) + nonce
        answer += Array(",s=".utf8) + Base64.encode(keys.salt)
        answer += Array(",i=\(keys.iterations)".utf8)
        challenge = Challenge(
            name: first.name, gs2Header: first.gs2Header, signedSoFar: first.bare + [UInt8(ascii: ",")] + answer,
            nonce: nonce, keys: keys, principal: principal)
        return SASLExchange.Step(answer: answer, principal: nil)
    }

    private func finish(
        _ token: ArraySlice<UInt8>, _ challenge: Challenge, _ mechanism: SASLMechanism
    ) throws(SASLFailure) -> SASLExchange.Step {
        let final = try ClientFinal(token)
        // Old librdkafka puts its own nonce in front once more, which Kafka lets pass too. Nothing is lost: the proof
        // is for the message as it came.
        guard final.channelBinding == challenge.gs2Header,
            final.nonce.suffix(challenge.nonce.count) == challenge.nonce[...]
        else {
            throw SASLFailure("a SCRAM message that does not fit the one before", claimedName: challenge.name)
        }
        // The proof is the client's key, hidden by a signature of all that was said; its hash is what we keep.
        let signed = challenge.signedSoFar + [UInt8(ascii: ",")] + final.withoutProof
        let signature = digest.hmac(key: challenge.keys.storedKey, signed)
        guard final.proof.count == digest.size else { throw .wrongCredentials(mechanism, challenge.name) }
        let clientKey = zip(final.proof, signature).map { $0 ^ $1 }
        guard Digest.equal(digest.hash(clientKey), challenge.keys.storedKey), let principal = challenge.principal else {
            throw .wrongCredentials(mechanism, challenge.name)
        }
        let answer = Base64.encode(digest.hmac(key: challenge.keys.serverKey, signed))
        return SASLExchange.Step(answer: Array("v=".utf8) + answer, principal: principal)
    }
}

/// `n,[a=AUTHORIZATION],n=NAME,r=NONCE[,EXTENSION…]`
private struct ClientFirst {
    let gs2Header: [UInt8]
    let bare: [UInt8]
    let name: String
    let nonce: [UInt8]

    init(_ token: ArraySlice<UInt8>) throws(SASLFailure) {
        let fields = token.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { throw SASLFailure("a SCRAM message without a header") }
        switch fields[0] {
        case [UInt8(ascii: "n")], [UInt8(ascii: "y")]: break
        case let flag where flag.first == UInt8(ascii: "p"):
            throw SASLFailure("SCRAM with channel binding is not supported")
        default: throw SASLFailure("a SCRAM message with an unreadable header")
        }
        gs2Header = Array(token[token.startIndex..<fields[2].startIndex])
        bare = Array(fields[2])
        let parts = fields[2].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard parts.count >= 2, let written = Attribute.value(parts[0], "n"), let name = Attribute.name(written),
            let nonce = Attribute.value(parts[1], "r"), !name.isEmpty, !nonce.isEmpty,
            nonce.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw SASLFailure("a SCRAM message that is not `n,,n=NAME,r=NONCE`") }
        guard !parts[2...].contains(where: { $0.elementsEqual("tokenauth=true".utf8) }) else {
            throw SASLFailure("delegation tokens are not supported", claimedName: name)
        }
        if !fields[1].isEmpty {
            guard let authorization = Attribute.value(fields[1], "a"), Attribute.name(authorization) == name else {
                throw SASLFailure("a client may only act for itself, not for another user", claimedName: name)
            }
        }
        self.name = name
        self.nonce = Array(nonce)
    }
}

/// `c=BINDING,r=NONCE[,EXTENSION…],p=PROOF`
private struct ClientFinal {
    let withoutProof: [UInt8]
    let channelBinding: [UInt8]
    let nonce: [UInt8]
    let proof: [UInt8]

    init(_ token: ArraySlice<UInt8>) throws(SASLFailure) {
        let parts = token.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard parts.count >= 3, let last = parts.last, let binding = Attribute.value(parts[0], "c"),
            let channelBinding = Base64.decode(binding), let nonce = Attribute.value(parts[1], "r"),
            let proofText = Attribute.value(last, "p"), let proof = Base64.decode(proofText)
        else { throw SASLFailure("a SCRAM message that is not `c=BINDING,r=NONCE,p=PROOF`") }
        withoutProof = Array(token[token.startIndex..<(last.startIndex - 1)])
        self.channelBinding = channelBinding
        self.nonce = Array(nonce)
        self.proof = proof
    }
}

/// `LETTER=VALUE`
private enum Attribute {
    static func value(_ part: ArraySlice<UInt8>, _ letter: Unicode.Scalar) -> ArraySlice<UInt8>? {
        guard part.count >= 2, part.first == UInt8(ascii: letter), part.dropFirst().first == UInt8(ascii: "=") else {
            return nil
        }
        return part.dropFirst(2)
    }

    /// A name as it is written, `=2C` standing for a comma and `=3D` for an equals sign.
    static func name(_ written: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = written
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            if rest.starts(with: "2C".utf8) {
                bytes.append(UInt8(ascii: ","))
            } else if rest.starts(with: "3D".utf8) {
                bytes.append(UInt8(ascii: "="))
            } else {
                return nil
            }
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

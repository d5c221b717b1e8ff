/// The ways in which a client can say who it is.
enum SASLMechanism: String, Sendable, CaseIterable {
    case plain = "PLAIN"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"
}

/// Why nobody was let in.
struct SASLFailure: Error, Sendable, Hashable {
    /// What the client is told.
    let message: String
    /// Whom it claimed to be, as far as that was said.
    let claimedName: String?

    init(_ message: String, claimedName: String? = nil) {
        self.message = message
        self.claimedName = claimedName
    }

    /// A wrong password and a name that nobody has are told alike.
    static func wrongCredentials(_ mechanism: SASLMechanism, _ name: String) -> SASLFailure {
        SASLFailure(
            "Authentication failed due to invalid credentials with SASL mechanism \(mechanism.rawValue)",
            claimedName: name)
    }
}

/// The messages of one attempt to log in.
struct SASLExchange: Sendable {
    /// What comes of a client's message.
    struct Step: Sendable {
        let answer: [UInt8]
        /// Who the client is, once that is proven.
        let principal: Principal?
    }

    private enum Phase: Sendable {
        case plain
        case scram(SCRAMExchange)
        case over
    }

    /// The longest message; names, passwords and nonces are much shorter.
    static let maxTokenBytes = 8192

    let mechanism: SASLMechanism
    private let credentials: Credentials
    private var phase: Phase

    init(_ mechanism: SASLMechanism, _ credentials: Credentials) {
        self.mechanism = mechanism
        self.credentials = credentials
        phase =
            switch mechanism {
            case .plain: .plain
            case .scramSHA256: .scram(SCRAMExchange(.sha256))
            case .scramSHA512: .scram(SCRAMExchange(.sha512))
            }
    }

    /// Takes the client's next message. After a failure, or once the client is known, there is none to take.
    mutating func take(_ token: ArraySlice<UInt8>) throws(SASLFailure) -> Step {
        let current = phase
        phase = .over
        guard token.count <= Self.maxTokenBytes else {
            throw SASLFailure("a SASL message of \(token.count) bytes; at most \(Self.maxTokenBytes) are taken")
        }
        switch current {
        case .plain:
            return Step(answer: [], principal: try plain(token))
        case .scram(var exchange):
            let step = try exchange.take(token, mechanism, credentials)
            if step.principal == nil { phase = .scram(exchange) }
            return step
        case .over:
            throw SASLFailure("the SASL exchange is over")
        }
    }

    /// `authorization NUL name NUL password` (RFC 4616).
    private func plain(_ token: ArraySlice<UInt8>) throws(SASLFailure) -> Principal {
        let parts = token.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3, let authorization = String(validating: parts[0], as: UTF8.self),
            let name = String(validating: parts[1], as: UTF8.self),
            let password = String(validating: parts[2], as: UTF8.self), !name.isEmpty, !password.isEmpty
        else { throw SASLFailure("a PLAIN message that is not `authorization NUL name NUL password`") }
        guard authorization.isEmpty || authorization == name else {
            throw SASLFailure("a client may only act for itself, not for another user", claimedName: name)
        }
        guard let principal = credentials.principal(name: name, password: password) else {
            throw .wrongCredentials(mechanism, name)
        }
        return principal
    }
}

/// Someone who may log in.
public struct BrokerUser: Sendable, Hashable {
    /// The name to log in with.
    public let name: String
    /// The password.
    public let password: String
    /// What is allowed.
    public let permissions: Principal.Permissions

    /// Creates a user.
    public init(name: String, password: String, permissions: Principal.Permissions) {
        self.name = name
        self.password = password
        self.permissions = permissions
    }
}

/// What a server keeps of a password for SCRAM (RFC 5802, section 3): enough to check a client's proof and to prove
/// itself, not enough to log in with.
struct SCRAMKeys: Sendable {
    let salt: [UInt8]
    let iterations: UInt32
    let storedKey: [UInt8]
    let serverKey: [UInt8]

    /// Derives the keys from a password; takes milliseconds.
    init(_ digest: Digest, password: String, salt: [UInt8], iterations: UInt32) {
        self.salt = salt
        self.iterations = iterations
        let salted = digest.derive(password: Array(password.utf8), salt: salt, iterations: iterations)
        storedKey = digest.hash(digest.hmac(key: salted, Array("Client Key".utf8)))
        serverKey = digest.hmac(key: salted, Array("Server Key".utf8))
    }

    fileprivate init(salt: [UInt8], iterations: UInt32, storedKey: [UInt8], serverKey: [UInt8]) {
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}

/// The users, in the form in which their passwords are checked. Keys are derived once, when the broker starts.
///
/// A name that nobody has is answered like one that somebody has: with a salt that stays the same, and a refusal only
/// at the end.
final class Credentials: Sendable {
    private struct Entry: Sendable {
        let principal: Principal
        let passwordDigest: [UInt8]
        let keys: [Digest: SCRAMKeys]
    }

    /// What RFC 7677 asks for at least, and what Kafka's clients take.
    static let iterations: UInt32 = 4096
    private static let saltBytes = 16

    private let entries: [String: Entry]
    /// Known to this process alone; salts and the digests of passwords come from it.
    private let secret: [UInt8]

    init(_ users: [BrokerUser]) {
        let secret = Self.randomBytes(32)
        self.secret = secret
        var entries: [String: Entry] = [:]
        for user in users {
            var keys: [Digest: SCRAMKeys] = [:]
            for digest in Digest.allCases {
                keys[digest] = SCRAMKeys(
                    digest, password: user.password, salt: Self.salt(secret, user.name, digest),
                    iterations: Self.iterations)
            }
            entries[user.name] = Entry(
                principal: Principal(name: user.name, permissions: user.permissions),
                passwordDigest: Self.passwordDigest(secret, user.password), keys: keys)
        }
        self.entries = entries
    }

    /// Who has that name and that password; nil for nobody.
    func principal(name: String, password: String) -> Principal? {
        let given = Self.passwordDigest(secret, password)
        let entry = entries[name]
        // Of random bytes nobody has the password.
        let isRight = Digest.equal(given, entry?.passwordDigest ?? Self.randomBytes(given.count))
        return isRight ? entry?.principal : nil
    }

    /// What to check a proof of `name` with. `principal` is nil for a name that nobody has; its keys fit no password.
    func keys(name: String, _ digest: Digest) -> (keys: SCRAMKeys, principal: Principal?) {
        let made = SCRAMKeys(
            salt: Self.salt(secret, name, digest), iterations: Self.iterations,
            storedKey: Self.randomBytes(digest.size), serverKey: Self.randomBytes(digest.size))
        guard let entry = entries[name], let keys = entry.keys[digest] else { return (made, nil) }
        return (keys, entry.principal)
    }

    private static func salt(_ secret: [UInt8], _ name: String, _ digest: Digest) -> [UInt8] {
        Array(Digest.sha256.hmac(key: secret, Array("salt \(digest) \(name)".utf8)).prefix(saltBytes))
    }

    private static func passwordDigest(_ secret: [UInt8], _ password: String) -> [UInt8] {
        Digest.sha256.hmac(key: secret, Array("password \(password)".utf8))
    }

    /// Bytes from the system's generator.
    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}

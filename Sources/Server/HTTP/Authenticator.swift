import HTTPTypes
import QueryEngine

/// Tells who a request is from, by Basic, `X-ClickHouse-User`/`-Key`, `user`/`password` parameters or a bearer token.
struct Authenticator: Sendable {
    private let users: [User]

    init(users: [User]) {
        self.users = users
    }

    private struct Claim {
        /// nil for a bearer token, which alone says who it is.
        var name: String?
        var secret: String
    }

    /// The user a request is from. Without configured users that is always the admin.
    func user(headers: HTTPFields, target: RequestTarget) throws(HTTPFailure) -> User {
        if users.isEmpty { return .anonymous }
        var claims: [Claim] = []
        if let authorization = headers[.authorization] { claims.append(try Self.claim(authorization)) }
        if headers[.clickHouseUser] != nil || headers[.clickHouseKey] != nil {
            claims.append(Claim(name: headers[.clickHouseUser] ?? "default", secret: headers[.clickHouseKey] ?? ""))
        }
        if target["user"] != nil || target["password"] != nil {
            claims.append(Claim(name: target.text("user") ?? "default", secret: target.text("password") ?? ""))
        }
        guard let claim = claims.first else {
            throw HTTPFailure(
                QueryError(.requiredPassword, "Authentication failed: this server wants a user and a password"))
        }
        guard claims.count == 1 else {
            throw HTTPFailure(
                QueryError(
                    .authenticationFailed, "Authentication failed: credentials were given in more than one way at once")
            )
        }
        return try find(claim)
    }

    private func find(_ claim: Claim) throws(HTTPFailure) -> User {
        var found: User?
        for user in users {
            let secretMatches = Self.equal(user.password, claim.secret)
            let nameMatches = claim.name.map { Self.equal(user.name, $0) } ?? true
            if secretMatches, nameMatches { found = user }
        }
        guard let found else {
            let who = claim.name.map { "\($0): " } ?? ""
            throw HTTPFailure(
                QueryError(
                    .authenticationFailed,
                    "\(who)Authentication failed: password is incorrect, or there is no user with such name"))
        }
        return found
    }

    /// Compares in time that does not tell where the texts differ.
    private static func equal(_ a: String, _ b: String) -> Bool {
        let left = Array(a.utf8)
        let right = Array(b.utf8)
        var difference = left.count ^ right.count
        for index in 0..<left.count { difference |= Int(left[index] ^ (index < right.count ? right[index] : 0)) }
        return difference == 0
    }

    private static func claim(_ authorization: String) throws(HTTPFailure) -> Claim {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        let value = parts.count == 2 ? parts[1].trimmedSpaces : ""
        switch parts.first?.lowercased() {
        case "bearer": return Claim(name: nil, secret: value)
        case "basic":
            guard let decoded = base64Decode(value) else { break }
            let text = String(decoding: decoded, as: UTF8.self)
            guard let colon = text.firstIndex(of: ":") else { break }
            return Claim(name: String(text[..<colon]), secret: String(text[text.index(after: colon)...]))
        default: break
        }
        throw HTTPFailure(
            QueryError(
                .authenticationFailed, "Authentication failed: the Authorization header is neither Basic nor Bearer"))
    }
}

/// Decodes base64 (padding optional); nil when it is none.
func base64Decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
        let value: UInt8
        switch byte {
        case 0x41...0x5A: value = byte - 0x41
        case 0x61...0x7A: value = byte - 0x61 + 26
        case 0x30...0x39: value = byte - 0x30 + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
        default: return nil
        }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }
    return bytes
}

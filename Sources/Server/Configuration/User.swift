/// Someone who may come in, and what they may do.
public struct User: Sendable, Hashable {
    /// What a user may do.
    public enum Role: String, Sendable, CaseIterable {
        /// Everything.
        case admin
        /// Queries that change nothing.
        case readonly
        /// Sending records in, and nothing else.
        case ingest
    }

    /// The name to log in with.
    public var name: String
    /// The password, also taken as a bearer token.
    public var password: String
    /// What the user may do.
    public var role: Role

    /// Who everyone is when no users are configured.
    static let anonymous = User(name: "default", password: "", role: .admin)

    /// Reads `name:password:role, …`. The password may hold colons, not commas.
    static func parseList(_ text: String) throws(ConfigurationError) -> [User] {
        var users: [User] = []
        for item in text.split(separator: ",") {
            let entry = item.trimmedSpaces
            if entry.isEmpty { continue }
            guard let first = entry.firstIndex(of: ":"), let last = entry.lastIndex(of: ":"), first != last,
                let role = Role(rawValue: String(entry[entry.index(after: last)...]))
            else {
                throw ConfigurationError(
                    "users: entry \(users.count + 1) wants name:password:role, the role being admin, readonly or ingest"
                )
            }
            let user = User(
                name: String(entry[..<first]), password: String(entry[entry.index(after: first)..<last]), role: role)
            guard !user.name.isEmpty, !user.password.isEmpty else {
                throw ConfigurationError("users: entry \(users.count + 1) has an empty name or password")
            }
            guard !users.contains(where: { $0.name == user.name }) else {
                throw ConfigurationError("users: `\(user.name)` is there twice")
            }
            users.append(user)
        }
        return users
    }
}

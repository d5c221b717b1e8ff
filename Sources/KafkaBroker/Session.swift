import Synchronization

/// Someone a connection speaks for, and what they may do.
public struct Principal: Sendable, Hashable {
    /// What is allowed.
    public struct Permissions: OptionSet, Sendable, Hashable {
        /// The bits.
        public let rawValue: UInt8

        /// The permissions of these bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Appending records.
        public static let produce = Permissions(rawValue: 1)
        /// Reading records, being a member of groups and committing their offsets.
        public static let consume = Permissions(rawValue: 2)
        /// Creating, changing and deleting topics and groups.
        public static let administer = Permissions(rawValue: 4)
        /// Everything.
        public static let all: Permissions = [.produce, .consume, .administer]
    }

    /// The name.
    public let name: String
    /// What is allowed.
    public let permissions: Permissions

    /// Creates a principal.
    public init(name: String, permissions: Permissions) {
        self.name = name
        self.permissions = permissions
    }

    /// Who everyone is when no users are configured.
    public static let anonymous = Principal(name: "ANONYMOUS", permissions: .all)
}

/// One connection, as the broker knows it.
public final class Session: Sendable {
    /// The address the client came to: whom it is told to connect to when nothing else is configured.
    public let localHost: String
    /// The port the client came to.
    public let localPort: Int32
    /// Where the client is, for DescribeGroups and messages.
    public let remoteHost: String
    private let storedPrincipal: Mutex<Principal?>

    /// A new connection. `principal`: nil when it must authenticate first.
    public init(localHost: String, localPort: Int32, remoteHost: String, principal: Principal?) {
        self.localHost = localHost
        self.localPort = localPort
        self.remoteHost = remoteHost
        storedPrincipal = Mutex(principal)
    }

    /// Who it speaks for; nil before authentication.
    public var principal: Principal? {
        get { storedPrincipal.withLock { $0 } }
        set { storedPrincipal.withLock { $0 = newValue } }
    }

    var isAuthenticated: Bool { principal != nil }

    /// Whether all of `permissions` are given.
    func may(_ permissions: Principal.Permissions) -> Bool {
        principal?.permissions.isSuperset(of: permissions) ?? false
    }
}

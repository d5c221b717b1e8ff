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
    let sasl = Mutex(SASLState.none)
    private struct Watchers {
        var isClosed = false
        var lastNumber = 0
        var calls: [Int: @Sendable () -> Void] = [:]
    }
    private let watchers = Mutex(Watchers())

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

    /// Whether it is known who it speaks for.
    public var isAuthenticated: Bool { principal != nil }

    /// Notes that the connection is gone: what waits only to answer it is given up.
    public func close() {
        let calls = watchers.withLock { state in
            defer { state.calls = [:] }
            state.isClosed = true
            return state.calls.values.map { $0 }
        }
        for call in calls { call() }
    }

    /// Makes `call` when the connection is gone, at once if it is already; the number is for `forget`.
    func whenClosed(_ call: @escaping @Sendable () -> Void) -> Int {
        let number = watchers.withLock { state -> Int? in
            if state.isClosed { return nil }
            state.lastNumber += 1
            state.calls[state.lastNumber] = call
            return state.lastNumber
        }
        if let number { return number }
        call()
        return 0
    }

    /// Takes back what was to be done when the connection is gone.
    func forget(_ number: Int) { watchers.withLock { _ = $0.calls.removeValue(forKey: number) } }

    /// Whether all of `permissions` are given.
    func may(_ permissions: Principal.Permissions) -> Bool {
        principal?.permissions.isSuperset(of: permissions) ?? false
    }
}

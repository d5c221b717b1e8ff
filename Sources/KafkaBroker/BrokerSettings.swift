/// What the broker is told when it starts.
public struct BrokerSettings: Sendable {
    /// The broker's number, the same in every answer.
    public var nodeID: Int32 = 1
    /// What clients are told the cluster is called.
    public var clusterID = "logstore"
    /// Whom clients are told to connect to; nil: the address they came to.
    public var advertised: (host: String, port: Int32)?
    /// Whether asking for a topic that is not there creates it.
    public var autoCreateTopics = true
    /// How many partitions a topic gets that is created without a number.
    public var defaultPartitions: Int32 = 1
    /// The most bytes of records one fetch answers with.
    public var maxFetchBytes = 64 << 20
    /// Who may log in; empty: everyone may do everything without.
    public var users: [BrokerUser] = []
    /// What holds for consumer groups.
    public var groups = GroupSettings()
    /// What holds for transactions.
    public var transactions = TransactionSettings()

    /// The defaults.
    public init() {}

    /// Whom a client is told to connect to.
    func address(for session: Session) -> (host: String, port: Int32) {
        advertised ?? (session.localHost, session.localPort)
    }
}

/// A partition by its topic's name and its number.
public struct TopicPartition: Sendable, Hashable {
    /// The topic's name.
    public let topic: String
    /// The partition's number.
    public let partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}

/// How far a consumer group says it has come in a partition.
public struct CommittedOffset: Sendable, Hashable {
    /// The offset it will read next.
    public var offset: Int64
    /// The leader epoch it saw; -1 when it did not say.
    public var leaderEpoch: Int32
    /// What the consumer wants to be told again.
    public var metadata: String
    /// When it was committed, in milliseconds since 1970; set by the log.
    public var committedMs: Int64

    /// Creates a committed offset.
    public init(offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "", committedMs: Int64 = 0) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.committedMs = committedMs
    }
}

/// A member of a consumer group, as it is kept.
public struct StoredMember: Sendable, Hashable {
    /// The id that the coordinator gave it.
    public var id: String
    /// The name by which a static member is known across restarts.
    public var instanceID: String?
    /// What the client calls itself.
    public var clientID: String
    /// Where it connected from.
    public var clientHost: String
    /// How long a rebalance waits for it, in milliseconds.
    public var rebalanceTimeoutMs: Int32
    /// How long it may be silent, in milliseconds.
    public var sessionTimeoutMs: Int32
    /// What it said of itself in the group's protocol.
    public var subscription: [UInt8]
    /// What the leader gave it.
    public var assignment: [UInt8]

    /// Creates a member.
    public init(
        id: String, instanceID: String?, clientID: String, clientHost: String, rebalanceTimeoutMs: Int32,
        sessionTimeoutMs: Int32, subscription: [UInt8], assignment: [UInt8]
    ) {
        self.id = id
        self.instanceID = instanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.rebalanceTimeoutMs = rebalanceTimeoutMs
        self.sessionTimeoutMs = sessionTimeoutMs
        self.subscription = subscription
        self.assignment = assignment
    }
}

/// What a consumer group agreed on in its last complete rebalance.
public struct StoredGroup: Sendable, Hashable {
    /// The group's name.
    public var name: String
    /// How many rebalances it has had.
    public var generation: Int32
    /// What kind of clients its members are ("consumer", "connect", …).
    public var protocolType: String
    /// The way of assigning that was chosen; nil when there are no members.
    public var protocolName: String?
    /// The member that assigns; nil when there are none.
    public var leader: String?
    /// Since when it is as it is, in milliseconds since 1970.
    public var changedMs: Int64
    /// The members, in the order they came.
    public var members: [StoredMember]

    /// Creates a group.
    public init(
        name: String, generation: Int32, protocolType: String, protocolName: String?, leader: String?,
        changedMs: Int64, members: [StoredMember]
    ) {
        self.name = name
        self.generation = generation
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.leader = leader
        self.changedMs = changedMs
        self.members = members
    }
}

/// A change to what is kept of consumer groups.
public enum GroupChange: Sendable, Hashable {
    /// Offsets per partition.
    public typealias Offsets = [TopicPartition: CommittedOffset]

    /// The group has come this far.
    case commit(group: String, Offsets)
    /// The group with everything of it is gone.
    case deleteGroup(String)
    /// The group's offsets in these partitions are gone.
    case deletePartitions(group: String, [TopicPartition])
    /// The group has rebalanced.
    case rebalance(StoredGroup)
    /// The group will have come this far once the producer's transaction commits.
    case stage(group: String, producerID: Int64, producerEpoch: Int16, Offsets)
    /// The producer's transaction has ended: what it staged in epochs up to this one counts, or is forgotten.
    case endTransaction(producerID: Int64, producerEpoch: Int16, isCommit: Bool)
    /// All groups' offsets in the topic are gone.
    case deleteTopic(String)

    /// The same with the time at which offsets are committed.
    func stamped(_ nowMs: Int64) -> GroupChange {
        switch self {
        case .commit(let group, let offsets):
            return .commit(group: group, Self.stamp(offsets, nowMs))
        case .stage(let group, let producerID, let epoch, let offsets):
            return .stage(group: group, producerID: producerID, producerEpoch: epoch, Self.stamp(offsets, nowMs))
        default:
            return self
        }
    }

    private static func stamp(_ offsets: Offsets, _ nowMs: Int64) -> Offsets {
        offsets.mapValues { offset in
            var offset = offset
            offset.committedMs = nowMs
            return offset
        }
    }
}

/// A group's offsets.
public struct GroupOffsets: Sendable, Hashable {
    /// What is committed.
    public var committed: [TopicPartition: CommittedOffset] = [:]
    /// The partitions with offsets staged by transactions that have not ended.
    public var unstable: Set<TopicPartition> = []
}

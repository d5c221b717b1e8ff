import KafkaProtocol
import LogStore

/// A member of a group. Its metadata and its assignment are opaque: what they mean is between the clients.
struct GroupMember: Sendable {
    typealias JoinReply = @Sendable (JoinGroupResponse) -> Void
    typealias SyncReply = @Sendable (SyncGroupResponse) -> Void

    var id: String
    let instanceID: String?
    let clientID: String
    let clientHost: String
    let protocolType: String
    var rebalanceTimeoutMs: Int32
    var sessionTimeoutMs: Int32
    /// The ways of assigning that the member knows, the one it likes best first, each with its metadata.
    var protocols: [JoinGroupRequest.Choice]
    var assignment: [UInt8] = []
    /// Its place among the members: who came first.
    var order: UInt64 = 0

    /// How to answer its JoinGroup, while it waits for the rebalance.
    var joinReply: JoinReply?
    /// How to answer its SyncGroup, while it waits for the assignment.
    var syncReply: SyncReply?
    /// Whether it has not been through a rebalance yet.
    var isNew = false

    /// When it is taken for dead, on the steady clock in milliseconds.
    var expiresMs: Int64 = 0
    /// The call that looks whether it is; it may come early, and then looks again later.
    var timer: Timers.Token?
    var timerDueMs: Int64 = 0
    var timerNumber: UInt64 = 0

    var isStatic: Bool { instanceID != nil }
    var isAwaitingJoin: Bool { joinReply != nil }
    var isAwaitingSync: Bool { syncReply != nil }

    /// What the member said for this way of assigning.
    func metadata(_ protocolName: String?) -> [UInt8] {
        protocols.first { $0.name == protocolName }?.metadata ?? []
    }

    /// Whether the member knows these ways, in this order, with this metadata.
    func matches(_ others: [JoinGroupRequest.Choice]) -> Bool {
        protocols.count == others.count
            && zip(protocols, others).allSatisfy { $0.name == $1.name && $0.metadata == $1.metadata }
    }

    /// About how much memory it takes.
    var memoryBytes: Int {
        512 + id.utf8.count + (instanceID?.utf8.count ?? 0) + clientID.utf8.count + protocolType.utf8.count
            + assignment.count + Self.memoryBytes(protocols)
    }

    static func memoryBytes(_ protocols: [JoinGroupRequest.Choice]) -> Int {
        protocols.reduce(0) { $0 + 64 + $1.name.utf8.count + $1.metadata.count }
    }

    /// The member as it is kept, with the assignment it gets.
    func stored(protocolName: String?, assignment: [UInt8]) -> StoredMember {
        StoredMember(
            id: id, instanceID: instanceID, clientID: clientID, clientHost: clientHost,
            rebalanceTimeoutMs: rebalanceTimeoutMs, sessionTimeoutMs: sessionTimeoutMs,
            subscription: metadata(protocolName), assignment: assignment)
    }
}

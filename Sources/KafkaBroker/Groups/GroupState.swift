import KafkaProtocol
import LogStore

/// A group's members and where it stands in a rebalance. It only keeps its own books; when to change what is the
/// coordinator's business.
///
///     Empty ─join▶ PreparingRebalance ─all joined, or time is up▶ CompletingRebalance ─leader's sync▶ Stable
///       ▲               │       ▲  ▲                                       │                           │
///       └─nobody left───┘       │  └──────── a member came or went ────────┘                           │
///                               └──────────────────────────────────────────────────────────────────────┘
///
/// From Empty a group that is deleted, or has nothing left, becomes Dead: its object is no longer in use.
struct GroupState: Sendable {
    /// Where it stands; by the names that clients see.
    enum Phase: String, Sendable {
        case empty = "Empty"
        case preparingRebalance = "PreparingRebalance"
        case completingRebalance = "CompletingRebalance"
        case stable = "Stable"
        case dead = "Dead"
    }

    /// What a rebalance in preparation waits for.
    enum JoinWait: Sendable {
        /// More members of a group that was empty: for `delayMs`, and as long as ever more come `remainingMs` more.
        case firstMembers(delayMs: Int64, remainingMs: Int64)
        /// All members, each with its request to join.
        case everyone
    }

    private(set) var phase: Phase = .empty
    /// Since when it is in this phase, in milliseconds since 1970.
    private(set) var changedMs: Int64
    private(set) var generation: Int32 = 0
    /// What kind of clients the members are; nil for a group that never had any.
    private(set) var protocolType: String?
    /// The way of assigning that was chosen.
    private(set) var protocolName: String?
    private(set) var leader: String?
    /// The topics that its members read, as far as they say so in a way known here.
    private(set) var subscribedTopics: Set<String>?

    private(set) var members: [String: GroupMember] = [:]
    /// The ids of static members by the names that stay.
    private(set) var staticMembers: [String: String] = [:]
    /// Ids given to clients that have not joined with them yet.
    private(set) var pending: [String: Timers.Token] = [:]
    /// Members that know the generation but have not asked for their assignment yet.
    var pendingSync: Set<String> = []
    private(set) var awaitingJoin = 0
    private(set) var memoryBytes = 0
    private var protocolCounts: [String: Int] = [:]
    private var joined: UInt64 = 0

    var joinWait = JoinWait.everyone
    var joinTimer: Timers.Token?
    var joinTimerNumber: UInt64 = 0
    var syncTimer: Timers.Token?
    /// Counts timers, so that one that fires late is known to be outdated.
    var timerNumber: UInt64 = 0
    /// Whether members came while the first rebalance waited for them.
    var newMemberAdded = false
    /// How many changes of the group are on their way to the disk.
    var writesInFlight = 0

    /// What is to be done once the lock is released.
    private(set) var effects: [@Sendable () -> Void] = []

    /// A group without members.
    init(nowMs: Int64) { changedMs = nowMs }

    /// The group as it was when it was last kept.
    init(_ stored: StoredGroup) {
        changedMs = stored.changedMs
        generation = stored.generation
        protocolType = stored.protocolType
        protocolName = stored.protocolName
        let name = stored.protocolName ?? ""
        for member in stored.members {
            var choice = JoinGroupRequest.Choice()
            choice.name = name
            choice.metadata = member.subscription
            add(
                GroupMember(
                    id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost, protocolType: stored.protocolType,
                    rebalanceTimeoutMs: member.rebalanceTimeoutMs, sessionTimeoutMs: member.sessionTimeoutMs,
                    protocols: [choice], assignment: member.assignment))
        }
        leader = stored.leader.flatMap { members[$0] == nil ? nil : $0 } ?? oldestMember?.id
        if members.isEmpty {
            protocolName = nil
        } else {
            phase = .stable
        }
        subscribedTopics = computeSubscribedTopics()
    }

    mutating func then(_ effect: @escaping @Sendable () -> Void) { effects.append(effect) }

    mutating func takeEffects() -> [@Sendable () -> Void] {
        if effects.isEmpty { return [] }
        defer { effects = [] }
        return effects
    }

    // MARK: Asking

    func has(_ id: String) -> Bool { members[id] != nil }
    func isLeader(_ id: String) -> Bool { leader == id }
    func isPending(_ id: String) -> Bool { pending[id] != nil }

    /// The members in the order they came.
    var orderedMembers: [GroupMember] { members.values.sorted { $0.order < $1.order } }
    private var oldestMember: GroupMember? { members.values.min { $0.order < $1.order } }

    /// Whether a rebalance need wait for nobody any more.
    var hasEveryoneJoined: Bool { members.count == awaitingJoin && pending.isEmpty }

    /// The longest time any member asks a rebalance to wait.
    var rebalanceTimeoutMs: Int64 { Int64(max(0, members.values.map(\.rebalanceTimeoutMs).max() ?? 0)) }

    /// Whether a client of this type with these ways of assigning can be a member beside those that are.
    func supports(_ type: String, _ protocols: [JoinGroupRequest.Choice]) -> Bool {
        if phase == .empty { return !type.isEmpty && !protocols.isEmpty }
        return protocolType == type && protocols.contains { protocolCounts[$0.name, default: 0] == members.count }
    }

    /// The way that all members know and most like best: each votes for the first of its ways that all know.
    func selectProtocol() -> String? {
        let candidates = protocolCounts.filter { $0.value == members.count }
        var votes: [String: Int] = [:]
        for member in members.values {
            if let choice = member.protocols.first(where: { candidates[$0.name] != nil }) {
                votes[choice.name, default: 0] += 1
            }
        }
        // Of two with as many votes always the same.
        return votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    }

    /// Whether offsets in the topic are in use; unknown counts as yes.
    func isSubscribed(to topic: String) -> Bool { subscribedTopics?.contains(topic) ?? true }

    // MARK: Members

    mutating func add(_ added: GroupMember) {
        var member = added
        if members.isEmpty { protocolType = member.protocolType }
        joined += 1
        member.order = joined
        if let instanceID = member.instanceID { staticMembers[instanceID] = member.id }
        count(member, 1)
        if member.isAwaitingJoin { awaitingJoin += 1 }
        if leader == nil { leader = member.id }
        removePending(member.id)
        members[member.id] = member
    }

    /// Takes the member out. Whatever it waits for, it is told that it is unknown.
    mutating func remove(_ id: String) {
        removePending(id)
        pendingSync.remove(id)
        answerJoin(id, .failure(.unknownMemberID))
        answerSync(id, .failure(.unknownMemberID))
        guard let member = members.removeValue(forKey: id) else { return }
        member.timer?.cancel()
        count(member, -1)
        if let instanceID = member.instanceID, staticMembers[instanceID] == id { staticMembers[instanceID] = nil }
        if leader == id { leader = oldestMember?.id }
    }

    /// Gives a static member that came back its new id; whoever still waits under the old one is told so.
    mutating func replaceStatic(_ instanceID: String, _ oldID: String, by newID: String) {
        answerJoin(oldID, .failure(.fencedInstanceID, memberID: oldID))
        answerSync(oldID, .failure(.fencedInstanceID))
        guard var member = members.removeValue(forKey: oldID) else { return }
        count(member, -1)
        // The old id's timer finds nobody; the new id gets its own.
        member.timer?.cancel()
        member.timer = nil
        member.id = newID
        count(member, 1)
        members[newID] = member
        if pendingSync.remove(oldID) != nil { pendingSync.insert(newID) }
        if leader == oldID { leader = newID }
        staticMembers[instanceID] = newID
    }

    /// Changes what a member said of itself, and waits with its request, if it made one.
    mutating func update(
        _ id: String, protocols: [JoinGroupRequest.Choice], rebalanceTimeoutMs: Int32, sessionTimeoutMs: Int32,
        joinReply: GroupMember.JoinReply?
    ) {
        // A client that asks again has given up on its earlier request.
        answerJoin(id, .failure(.rebalanceInProgress, memberID: id))
        guard var member = members[id] else { return }
        count(member, -1)
        member.protocols = protocols
        member.rebalanceTimeoutMs = rebalanceTimeoutMs
        member.sessionTimeoutMs = sessionTimeoutMs
        member.joinReply = joinReply
        if joinReply != nil { awaitingJoin += 1 }
        count(member, 1)
        members[id] = member
    }

    /// Changes of a member what needs no book-keeping.
    mutating func with(_ id: String, _ body: (inout GroupMember) -> Void) {
        if members[id] != nil { body(&members[id, default: Self.nobody]) }
    }

    private static let nobody = GroupMember(
        id: "", instanceID: nil, clientID: "", clientHost: "", protocolType: "", rebalanceTimeoutMs: 0,
        sessionTimeoutMs: 0, protocols: [])

    mutating func setAssignment(_ id: String, _ assignment: [UInt8]) {
        guard let old = members[id]?.assignment else { return }
        memoryBytes += assignment.count - old.count
        members[id]?.assignment = assignment
    }

    mutating func addPending(_ id: String, _ timer: Timers.Token) {
        pending[id] = timer
        memoryBytes += 512 + id.utf8.count
    }

    mutating func removePending(_ id: String) {
        guard let timer = pending.removeValue(forKey: id) else { return }
        timer.cancel()
        memoryBytes -= 512 + id.utf8.count
    }

    private mutating func count(_ member: GroupMember, _ sign: Int) {
        memoryBytes += sign * member.memoryBytes
        // A name given twice is one way.
        for name in Set(member.protocols.map(\.name)) {
            let count = protocolCounts[name, default: 0] + sign
            protocolCounts[name] = count == 0 ? nil : count
        }
    }

    // MARK: Answers

    /// Answers the member's JoinGroup, if it waits. True when it did.
    @discardableResult
    mutating func answerJoin(_ id: String, _ response: JoinGroupResponse) -> Bool {
        guard let reply = members[id]?.joinReply else { return false }
        members[id]?.joinReply = nil
        awaitingJoin -= 1
        then { reply(response) }
        return true
    }

    /// Answers the member's SyncGroup, if it waits. True when it did.
    @discardableResult
    mutating func answerSync(_ id: String, _ response: SyncGroupResponse) -> Bool {
        guard let reply = members[id]?.syncReply else { return false }
        members[id]?.syncReply = nil
        then { reply(response) }
        return true
    }

    /// Tells a member of the current generation; the leader also of all members.
    func joinResponse(for id: String) -> JoinGroupResponse {
        var response = JoinGroupResponse()
        response.generationID = generation
        response.protocolType = protocolType
        response.protocolName = protocolName
        response.leader = leader ?? ""
        response.memberID = id
        if isLeader(id) {
            response.members = orderedMembers.map { member in
                var entry = JoinGroupResponse.Member()
                entry.memberID = member.id
                entry.groupInstanceID = member.instanceID
                entry.metadata = member.metadata(protocolName)
                return entry
            }
        }
        return response
    }

    /// Tells a member its assignment.
    func syncResponse(for id: String) -> SyncGroupResponse {
        var response = SyncGroupResponse()
        response.protocolType = protocolType
        response.protocolName = protocolName
        response.assignment = members[id]?.assignment ?? []
        return response
    }

    // MARK: Phases

    mutating func move(to phase: Phase, nowMs: Int64) {
        self.phase = phase
        changedMs = nowMs
    }

    /// Sees to it that the leader is one that joined. False when none did.
    mutating func electJoinedLeader() -> Bool {
        guard let leader, let current = members[leader] else { return false }
        if current.isAwaitingJoin { return true }
        guard let joined = members.values.filter(\.isAwaitingJoin).min(by: { $0.order < $1.order }) else {
            return false
        }
        self.leader = joined.id
        return true
    }

    /// The members that are there make the next generation.
    mutating func beginGeneration(nowMs: Int64) {
        // Numbers of generations may run out after 2³¹ rebalances; -1 means "none" to clients.
        generation = generation == .max ? 1 : generation + 1
        protocolName = members.isEmpty ? nil : selectProtocol()
        subscribedTopics = computeSubscribedTopics()
        pendingSync = []
        move(to: members.isEmpty ? .empty : .completingRebalance, nowMs: nowMs)
    }

    private func computeSubscribedTopics() -> Set<String>? {
        guard protocolType == ConsumerSubscription.protocolType else { return nil }
        var topics: Set<String> = []
        for member in members.values {
            guard let part = ConsumerSubscription.topics(member.metadata(protocolName)) else { return nil }
            topics.formUnion(part)
        }
        return topics
    }

    /// The group as it is to be kept, with these assignments.
    func stored(_ name: String, assignments: [String: [UInt8]], nowMs: Int64) -> StoredGroup {
        StoredGroup(
            name: name, generation: generation, protocolType: protocolType ?? "", protocolName: protocolName,
            leader: leader, changedMs: nowMs,
            members: orderedMembers.map {
                $0.stored(protocolName: protocolName, assignment: assignments[$0.id] ?? [])
            })
    }
}

extension JoinGroupResponse {
    /// A refusal; `memberID` is what the client is told its id is.
    static func failure(_ error: ErrorCode, memberID: String = "") -> JoinGroupResponse {
        var response = JoinGroupResponse()
        response.error = error
        response.memberID = memberID
        response.protocolName = nil
        return response
    }
}

extension SyncGroupResponse {
    /// A refusal.
    static func failure(_ error: ErrorCode) -> SyncGroupResponse {
        var response = SyncGroupResponse()
        response.error = error
        return response
    }
}

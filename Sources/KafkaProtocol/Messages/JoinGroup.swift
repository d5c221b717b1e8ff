// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Becomes a member of a group, or stays one through a rebalance.
public struct JoinGroupRequest: KafkaRequest {
    public static let api = API(11, "JoinGroup", 0...7, flexibleFrom: 6)
    public typealias Response = JoinGroupResponse

    /// A way of sharing partitions that the member can follow ("range", "cooperative-sticky"…).
    public struct Choice: WireStruct {
        public var name = ""
        /// What the leader gets to see of the member. Only clients know what is in it.
        public var metadata: [UInt8] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&metadata)
        }
    }

    public var groupID = ""
    /// Without a heartbeat for this long the member is taken to be gone.
    public var sessionTimeoutMs: Int32 = 0
    /// How long others wait for the member to join again; in version 0 the session timeout.
    public var rebalanceTimeoutMs: Int32 = -1
    /// Empty at first; the coordinator answers with one.
    public var memberID = ""
    /// The name of a static member; nil: a dynamic one.
    public var groupInstanceID: String?
    /// What kind of group it is: "consumer", "connect"…
    public var protocolType = ""
    /// The one liked best first.
    public var protocols: [Choice] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&sessionTimeoutMs)
        try coder.field(&rebalanceTimeoutMs, .from(1))
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, .from(5))
        try coder.field(&protocolType)
        try coder.field(&protocols)
    }
}

/// The group's new generation, as the member that joined sees it.
public struct JoinGroupResponse: WireStruct {
    /// A member, as the leader gets to see it.
    public struct Member: WireStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        public var metadata: [UInt8] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID, .from(5))
            try coder.field(&metadata)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var generationID: Int32 = -1
    public var protocolType: String?
    /// The way of sharing that was chosen; nil with an error, which versions below 7 write as "".
    public var protocolName: String? = ""
    /// The leader's member id.
    public var leader = ""
    public var memberID = ""
    /// All members for the leader, none for others.
    public var members: [Member] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(2))
        try coder.field(&error)
        try coder.field(&generationID)
        try coder.field(&protocolType, .from(7))
        try coder.field(&protocolName, nullable: .from(7))
        try coder.field(&leader)
        try coder.field(&memberID)
        try coder.field(&members)
    }
}

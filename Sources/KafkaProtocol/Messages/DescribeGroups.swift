// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for groups' state and members.
public struct DescribeGroupsRequest: KafkaRequest {
    public static let api = API(15, "DescribeGroups", 0...5, flexibleFrom: 5)
    public typealias Response = DescribeGroupsResponse

    /// The groups' ids.
    public var groups: [String] = []
    public var includeAuthorizedOperations = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groups)
        try coder.field(&includeAuthorizedOperations, .from(3))
    }
}

/// Groups' state and members.
public struct DescribeGroupsResponse: WireStruct {
    /// A member.
    public struct Member: WireStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        /// What the client calls itself.
        public var clientID = ""
        /// Where it connects from.
        public var clientHost = ""
        /// What it joined with, of the chosen protocol.
        public var metadata: [UInt8] = []
        /// What it is to read.
        public var assignment: [UInt8] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID, .from(4))
            try coder.field(&clientID)
            try coder.field(&clientHost)
            try coder.field(&metadata)
            try coder.field(&assignment)
        }
    }

    /// A group. One that does not exist is "Dead", without an error.
    public struct Group: WireStruct {
        public var error = ErrorCode.none
        public var groupID = ""
        /// "Stable", "PreparingRebalance", "CompletingRebalance", "Empty" or "Dead"; "" with an error.
        public var state = ""
        public var protocolType = ""
        /// The chosen way of sharing partitions; "" when there is none.
        public var protocolName = ""
        public var members: [Member] = []
        /// A bit for each; the smallest number: not asked for.
        public var authorizedOperations: Int32 = .min

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&groupID)
            try coder.field(&state)
            try coder.field(&protocolType)
            try coder.field(&protocolName)
            try coder.field(&members)
            try coder.field(&authorizedOperations, .from(3))
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var groups: [Group] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&groups)
    }
}

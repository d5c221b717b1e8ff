// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Takes members out of a group.
public struct LeaveGroupRequest: KafkaRequest {
    public static let api = API(13, "LeaveGroup", 0...4, flexibleFrom: 4)
    public typealias Response = LeaveGroupResponse

    /// A member that leaves.
    public struct Member: WireStruct {
        /// Empty when only the static member's name is known.
        public var memberID = ""
        public var groupInstanceID: String?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID, .from(3))
        }
    }

    public var groupID = ""
    /// The only member that leaves, before version 3.
    public var memberID = ""
    public var members: [Member] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&memberID, .upTo(2))
        try coder.field(&members, .from(3))
    }
}

/// What became of each member.
public struct LeaveGroupResponse: WireStruct {
    /// What became of one member.
    public struct Member: WireStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        public var error = ErrorCode.none

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID)
            try coder.field(&error)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var members: [Member] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&error)
        try coder.field(&members, .from(3))
    }
}

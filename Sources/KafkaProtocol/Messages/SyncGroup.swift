// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Hands the leader's assignment in, or waits for it.
public struct SyncGroupRequest: KafkaRequest {
    public static let api = API(14, "SyncGroup", 0...5, flexibleFrom: 4)
    public typealias Response = SyncGroupResponse

    /// What one member is to read.
    public struct Assignment: WireStruct {
        public var memberID = ""
        /// Only clients know what is in it.
        public var assignment: [UInt8] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&memberID)
            try coder.field(&assignment)
        }
    }

    public var groupID = ""
    public var generationID: Int32 = 0
    public var memberID = ""
    public var groupInstanceID: String?
    /// What the member believes; nil: not checked.
    public var protocolType: String?
    /// What the member believes; nil: not checked.
    public var protocolName: String?
    /// Every member's, from the leader; none from others.
    public var assignments: [Assignment] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&generationID)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, .from(3))
        try coder.field(&protocolType, .from(5))
        try coder.field(&protocolName, .from(5))
        try coder.field(&assignments)
    }
}

/// What the member is to read.
public struct SyncGroupResponse: WireStruct {
    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var protocolType: String?
    public var protocolName: String?
    public var assignment: [UInt8] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&error)
        try coder.field(&protocolType, .from(5))
        try coder.field(&protocolName, .from(5))
        try coder.field(&assignment)
    }
}

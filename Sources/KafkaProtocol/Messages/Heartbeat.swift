// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Says that a member is alive, and learns of rebalances.
public struct HeartbeatRequest: KafkaRequest {
    public static let api = API(12, "Heartbeat", 0...4, flexibleFrom: 4)
    public typealias Response = HeartbeatResponse

    public var groupID = ""
    public var generationID: Int32 = 0
    public var memberID = ""
    public var groupInstanceID: String?

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&generationID)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, .from(3))
    }
}

/// Whether the member may go on.
public struct HeartbeatResponse: WireStruct {
    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&error)
    }
}

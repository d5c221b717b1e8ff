// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks which broker looks after a group or transactional id.
public struct FindCoordinatorRequest: KafkaRequest {
    public static let api = API(10, "FindCoordinator", 0...3, flexibleFrom: 3)
    public typealias Response = FindCoordinatorResponse

    /// The group's or transactional id.
    public var key = ""
    /// 0: a group, 1: a transactional id.
    public var keyType: Int8 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&key)
        try coder.field(&keyType, .from(1))
    }
}

/// The broker to turn to.
public struct FindCoordinatorResponse: WireStruct {
    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var errorMessage: String?
    public var nodeID: Int32 = -1
    public var host = ""
    public var port: Int32 = -1

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&error)
        try coder.field(&errorMessage, .from(1))
        try coder.field(&nodeID)
        try coder.field(&host)
        try coder.field(&port)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for a producer id, or raises the epoch of one.
public struct InitProducerIDRequest: KafkaRequest {
    public static let api = API(22, "InitProducerId", 0...4, flexibleFrom: 2)
    public typealias Response = InitProducerIDResponse

    /// nil: the producer is idempotent only.
    public var transactionalID: String? = ""
    public var transactionTimeoutMs: Int32 = 0
    /// The id the producer has; -1: none.
    public var producerID: Int64 = -1
    /// The epoch the producer has; -1: none.
    public var producerEpoch: Int16 = -1

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalID)
        try coder.field(&transactionTimeoutMs)
        try coder.field(&producerID, .from(3))
        try coder.field(&producerEpoch, .from(3))
    }
}

/// A producer id.
public struct InitProducerIDResponse: WireStruct {
    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var producerID: Int64 = -1
    public var producerEpoch: Int16 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Says that a transaction is going to commit a group's offsets.
public struct AddOffsetsToTxnRequest: KafkaRequest {
    public static let api = API(25, "AddOffsetsToTxn", 0...3, flexibleFrom: 3)
    public typealias Response = AddOffsetsToTxnResponse

    public var transactionalID = ""
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    public var groupID = ""

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&groupID)
    }
}

/// Whether it may.
public struct AddOffsetsToTxnResponse: WireStruct {
    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error)
    }
}

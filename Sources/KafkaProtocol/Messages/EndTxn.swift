// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Commits or aborts a transaction.
public struct EndTxnRequest: KafkaRequest {
    public static let api = API(26, "EndTxn", 0...3, flexibleFrom: 3)
    public typealias Response = EndTxnResponse

    public var transactionalID = ""
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    /// Whether to commit; otherwise to abort.
    public var isCommit = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&isCommit)
    }
}

/// Whether it is decided.
public struct EndTxnResponse: WireStruct {
    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks which transactional ids there are.
public struct ListTransactionsRequest: KafkaRequest {
    public static let api = API(66, "ListTransactions", 0...1, flexibleFrom: 0)
    public typealias Response = ListTransactionsResponse

    /// Only those in one of these states; none: all.
    public var states: [String] = []
    /// Only those of these producers; none: all.
    public var producerIDs: [Int64] = []
    /// Only those in flight for longer than this; -1: all.
    public var minDurationMs: Int64 = -1

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&states)
        try coder.field(&producerIDs)
        try coder.field(&minDurationMs, .from(1))
    }
}

/// The transactional ids.
public struct ListTransactionsResponse: WireStruct {
    /// A transactional id.
    public struct Transaction: WireStruct {
        public var transactionalID = ""
        public var producerID: Int64 = 0
        public var state = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&transactionalID)
            try coder.field(&producerID)
            try coder.field(&state)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    /// States asked for that do not exist.
    public var unknownStates: [String] = []
    public var transactions: [Transaction] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error)
        try coder.field(&unknownStates)
        try coder.field(&transactions)
    }
}

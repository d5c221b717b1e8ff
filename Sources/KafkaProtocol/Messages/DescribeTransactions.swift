// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for the state of transactional ids.
public struct DescribeTransactionsRequest: KafkaRequest {
    public static let api = API(65, "DescribeTransactions", 0...0, flexibleFrom: 0)
    public typealias Response = DescribeTransactionsResponse

    public var transactionalIDs: [String] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalIDs)
    }
}

/// The state of transactional ids.
public struct DescribeTransactionsResponse: WireStruct {
    /// A topic's partitions.
    public struct Topic: WireStruct {
        public var name = ""
        public var partitions: [Int32] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&partitions)
        }
    }

    /// The state of one transactional id.
    public struct Transaction: WireStruct {
        public var error = ErrorCode.none
        public var transactionalID = ""
        /// "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead".
        public var state = ""
        public var timeoutMs: Int32 = 0
        /// Milliseconds since 1970; -1: none is in flight.
        public var startTimeMs: Int64 = 0
        public var producerID: Int64 = 0
        public var producerEpoch: Int16 = 0
        /// What the transaction in flight writes to.
        public var topics: [Topic] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&transactionalID)
            try coder.field(&state)
            try coder.field(&timeoutMs)
            try coder.field(&startTimeMs)
            try coder.field(&producerID)
            try coder.field(&producerEpoch)
            try coder.field(&topics)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var transactions: [Transaction] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&transactions)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Stores how far a group has read, once the transaction commits.
public struct TxnOffsetCommitRequest: KafkaRequest {
    public static let api = API(28, "TxnOffsetCommit", 0...3, flexibleFrom: 3)
    public typealias Response = TxnOffsetCommitResponse

    /// A partition and the offset to be read next.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var committedOffset: Int64 = 0
        /// The epoch of the last record read; -1: unknown.
        public var committedLeaderEpoch: Int32 = -1
        /// What the client wants to have back with the offset.
        public var metadata: String? = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&committedOffset)
            try coder.field(&committedLeaderEpoch, .from(2))
            try coder.field(&metadata)
        }
    }

    /// A topic's partitions.
    public struct Topic: WireStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&partitions)
        }
    }

    public var transactionalID = ""
    public var groupID = ""
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    /// -1: commits without being a member.
    public var generationID: Int32 = -1
    public var memberID = ""
    public var groupInstanceID: String?
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalID)
        try coder.field(&groupID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&generationID, .from(3))
        try coder.field(&memberID, .from(3))
        try coder.field(&groupInstanceID, .from(3))
        try coder.field(&topics)
    }
}

/// What became of each partition's offset.
public struct TxnOffsetCommitResponse: WireStruct {
    /// What became of one partition's offset.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var error = ErrorCode.none

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&error)
        }
    }

    /// A topic's partitions.
    public struct Topic: WireStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&partitions)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&topics)
    }
}

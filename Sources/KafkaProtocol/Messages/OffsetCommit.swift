// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Stores how far a group has read.
public struct OffsetCommitRequest: KafkaRequest {
    public static let api = API(8, "OffsetCommit", 1...8, flexibleFrom: 8)
    public typealias Response = OffsetCommitResponse

    /// A partition and the offset to be read next.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var committedOffset: Int64 = 0
        /// The epoch of the last record read; -1: unknown.
        public var committedLeaderEpoch: Int32 = -1
        /// When the client committed, in milliseconds since 1970; -1: now.
        public var commitTimestamp: Int64 = -1
        /// What the client wants to have back with the offset.
        public var metadata: String? = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&committedOffset)
            try coder.field(&committedLeaderEpoch, .from(6))
            try coder.field(&commitTimestamp, .range(1...1))
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

    public var groupID = ""
    /// -1: commits without being a member.
    public var generationID: Int32 = -1
    public var memberID = ""
    /// The name of a static member; nil: a dynamic one.
    public var groupInstanceID: String?
    /// How long to keep the offsets; -1: as the broker does.
    public var retentionTimeMs: Int64 = -1
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&generationID)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, .from(7))
        try coder.field(&retentionTimeMs, .range(2...4))
        try coder.field(&topics)
    }
}

/// What became of each partition's offset.
public struct OffsetCommitResponse: WireStruct {
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
        try coder.field(&throttleTimeMs, .from(3))
        try coder.field(&topics)
    }
}

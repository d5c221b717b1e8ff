// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks how far a group has read.
public struct OffsetFetchRequest: KafkaRequest {
    public static let api = API(9, "OffsetFetch", 1...7, flexibleFrom: 6)
    public typealias Response = OffsetFetchResponse

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

    public var groupID = ""
    /// nil: all of which the group has offsets.
    public var topics: [Topic]? = []
    /// Whether offsets that a transaction in flight may change are answered with an error.
    public var requireStable = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&topics, nullable: .from(2))
        try coder.field(&requireStable, .from(7))
    }
}

/// Offsets, by partition. Of an unknown group, or a partition without one, the offset is -1 and there is no error.
public struct OffsetFetchResponse: WireStruct {
    /// One partition's offset.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        /// -1: none.
        public var committedOffset: Int64 = -1
        public var committedLeaderEpoch: Int32 = -1
        /// What the client gave with the offset.
        public var metadata: String? = ""
        public var error = ErrorCode.none

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&committedOffset)
            try coder.field(&committedLeaderEpoch, .from(5))
            try coder.field(&metadata)
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
    /// What is wrong with the group as a whole; in version 1 each partition says so.
    public var error = ErrorCode.none

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(3))
        try coder.field(&topics)
        try coder.field(&error, .from(2))
    }
}

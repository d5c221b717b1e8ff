// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for a partition's first or last offset, or for the first one at or after a time.
public struct ListOffsetsRequest: KafkaRequest {
    public static let api = API(2, "ListOffsets", 1...7, flexibleFrom: 6)
    public typealias Response = ListOffsetsResponse

    /// A partition and the time asked for.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        /// The leader's epoch the client knows of; -1: none.
        public var currentLeaderEpoch: Int32 = -1
        /// Milliseconds since 1970 for the first record at or after that time; -1: the end of the partition, -2: its
        /// start, -3 (from version 7): the record with the largest timestamp.
        public var timestamp: Int64 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&currentLeaderEpoch, .from(4))
            try coder.field(&timestamp)
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

    /// The asking broker; -1: a consumer.
    public var replicaID: Int32 = -1
    /// 0: everything, 1: only what is committed, so that the end is the last stable offset.
    public var isolationLevel: Int8 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&replicaID)
        try coder.field(&isolationLevel, .from(2))
        try coder.field(&topics)
    }
}

/// Offsets, by partition.
public struct ListOffsetsResponse: WireStruct {
    /// What was found in one partition.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var error = ErrorCode.none
        /// The found record's timestamp; -1 when the start or end was asked for, or nothing was found.
        public var timestamp: Int64 = -1
        /// -1: nothing was found.
        public var offset: Int64 = -1
        public var leaderEpoch: Int32 = -1

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&error)
            try coder.field(&timestamp)
            try coder.field(&offset)
            try coder.field(&leaderEpoch, .from(4))
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
        try coder.field(&throttleTimeMs, .from(2))
        try coder.field(&topics)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks where leaders' epochs end, so that a client notices that a log was cut.
public struct OffsetForLeaderEpochRequest: KafkaRequest {
    public static let api = API(23, "OffsetForLeaderEpoch", 2...4, flexibleFrom: 4)
    public typealias Response = OffsetForLeaderEpochResponse

    /// A partition and an epoch.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        /// The leader's epoch the client knows of; -1: not checked.
        public var currentLeaderEpoch: Int32 = -1
        /// The epoch asked for.
        public var leaderEpoch: Int32 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&currentLeaderEpoch)
            try coder.field(&leaderEpoch)
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
    public var replicaID: Int32 = -2
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&replicaID, .from(3))
        try coder.field(&topics)
    }
}

/// Where epochs end, by partition.
public struct OffsetForLeaderEpochResponse: WireStruct {
    /// Where an epoch of one partition ends.
    public struct Partition: WireStruct {
        public var error = ErrorCode.none
        public var index: Int32 = 0
        /// The largest epoch that is not above the one asked for; -1: none.
        public var leaderEpoch: Int32 = -1
        /// The offset after that epoch's last record; -1: none.
        public var endOffset: Int64 = -1

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&index)
            try coder.field(&leaderEpoch)
            try coder.field(&endOffset)
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

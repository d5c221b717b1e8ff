// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Reads record batches, waiting for them if asked to.
public struct FetchRequest: KafkaRequest {
    public static let api = API(1, "Fetch", 4...12, flexibleFrom: 12)
    public typealias Response = FetchResponse

    /// A partition and where to read it.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var currentLeaderEpoch: Int32 = -1
        public var fetchOffset: Int64 = 0
        public var lastFetchedEpoch: Int32 = -1
        public var logStartOffset: Int64 = -1
        public var maxBytes: Int32 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&currentLeaderEpoch, .from(9))
            try coder.field(&fetchOffset)
            try coder.field(&lastFetchedEpoch, .from(12))
            try coder.field(&logStartOffset, .from(5))
            try coder.field(&maxBytes)
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

    /// Partitions a session no longer wants.
    public struct Forgotten: WireStruct {
        public var name = ""
        public var partitions: [Int32] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&partitions)
        }
    }

    public var replicaID: Int32 = -1
    public var maxWaitMs: Int32 = 0
    public var minBytes: Int32 = 0
    public var maxBytes: Int32 = .max
    /// 0: everything, 1: only what is committed.
    public var isolationLevel: Int8 = 0
    public var sessionID: Int32 = 0
    public var sessionEpoch: Int32 = -1
    public var topics: [Topic] = []
    public var forgotten: [Forgotten] = []
    public var rackID = ""

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&replicaID)
        try coder.field(&maxWaitMs)
        try coder.field(&minBytes)
        try coder.field(&maxBytes, .from(3))
        try coder.field(&isolationLevel, .from(4))
        try coder.field(&sessionID, .from(7))
        try coder.field(&sessionEpoch, .from(7))
        try coder.field(&topics)
        try coder.field(&forgotten, .from(7))
        try coder.field(&rackID, .from(11))
    }
}

/// Record batches, by partition.
public struct FetchResponse: WireStruct {
    /// A transaction whose records a reader of committed ones leaves out.
    public struct AbortedTransaction: WireStruct {
        public var producerID: Int64 = 0
        public var firstOffset: Int64 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&producerID)
            try coder.field(&firstOffset)
        }
    }

    /// One partition's records.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var error = ErrorCode.none
        public var highWatermark: Int64 = -1
        public var lastStableOffset: Int64 = -1
        public var logStartOffset: Int64 = -1
        public var abortedTransactions: [AbortedTransaction]?
        public var preferredReadReplica: Int32 = -1
        public var records: RecordData? = RecordData()

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&error)
            try coder.field(&highWatermark)
            try coder.field(&lastStableOffset, .from(4))
            try coder.field(&logStartOffset, .from(5))
            try coder.field(&abortedTransactions, .from(4))
            try coder.field(&preferredReadReplica, .from(11))
            try coder.field(&records)
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
    public var error = ErrorCode.none
    public var sessionID: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&error, .from(7))
        try coder.field(&sessionID, .from(7))
        try coder.field(&topics)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Appends record batches.
///
/// Versions 0 to 2 are told to clients, some of which conclude from them that compression works, but carry the old
/// message sets, which are not taken.
public struct ProduceRequest: KafkaRequest {
    public static let api = API(0, "Produce", 3...9, flexibleFrom: 9, advertisedFrom: 0)
    public typealias Response = ProduceResponse

    /// What goes to one partition.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var records: RecordData?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&records)
        }
    }

    /// What goes to one topic.
    public struct Topic: WireStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&partitions)
        }
    }

    public var transactionalID: String?
    /// 0: no answer, 1: the leader's promise, -1: all replicas' promise.
    public var acks: Int16 = 1
    public var timeoutMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalID, .from(3))
        try coder.field(&acks)
        try coder.field(&timeoutMs)
        try coder.field(&topics)
    }
}

/// What became of each partition's records.
public struct ProduceResponse: WireStruct {
    /// A record that made its batch be refused.
    public struct RecordError: WireStruct {
        public var batchIndex: Int32 = 0
        public var message: String?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&batchIndex)
            try coder.field(&message)
        }
    }

    /// What became of one partition's records.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var error = ErrorCode.none
        public var baseOffset: Int64 = -1
        public var logAppendTimeMs: Int64 = -1
        public var logStartOffset: Int64 = -1
        public var recordErrors: [RecordError] = []
        public var errorMessage: String?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&error)
            try coder.field(&baseOffset)
            try coder.field(&logAppendTimeMs, .from(2))
            try coder.field(&logStartOffset, .from(5))
            try coder.field(&recordErrors, .from(8))
            try coder.field(&errorMessage, .from(8))
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

    public var topics: [Topic] = []
    public var throttleTimeMs: Int32 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics)
        try coder.field(&throttleTimeMs, .from(1))
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Says which partitions a transaction is going to write to.
public struct AddPartitionsToTxnRequest: KafkaRequest {
    public static let api = API(24, "AddPartitionsToTxn", 0...3, flexibleFrom: 3)
    public typealias Response = AddPartitionsToTxnResponse

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

    public var transactionalID = ""
    public var producerID: Int64 = 0
    public var producerEpoch: Int16 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&transactionalID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&topics)
    }
}

/// What became of each partition.
public struct AddPartitionsToTxnResponse: WireStruct {
    /// What became of one partition.
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

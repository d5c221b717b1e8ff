// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks which producers partitions know.
public struct DescribeProducersRequest: KafkaRequest {
    public static let api = API(61, "DescribeProducers", 0...0, flexibleFrom: 0)
    public typealias Response = DescribeProducersResponse

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

    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics)
    }
}

/// Producers, by partition.
public struct DescribeProducersResponse: WireStruct {
    /// A producer that wrote to the partition.
    public struct Producer: WireStruct {
        public var producerID: Int64 = 0
        public var producerEpoch: Int32 = 0
        public var lastSequence: Int32 = -1
        public var lastTimestamp: Int64 = -1
        public var coordinatorEpoch: Int32 = 0
        /// Where its transaction in flight starts; -1: there is none.
        public var transactionStartOffset: Int64 = -1

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&producerID)
            try coder.field(&producerEpoch)
            try coder.field(&lastSequence)
            try coder.field(&lastTimestamp)
            try coder.field(&coordinatorEpoch)
            try coder.field(&transactionStartOffset)
        }
    }

    /// One partition's producers.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        public var error = ErrorCode.none
        public var errorMessage: String?
        public var producers: [Producer] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&error)
            try coder.field(&errorMessage)
            try coder.field(&producers)
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

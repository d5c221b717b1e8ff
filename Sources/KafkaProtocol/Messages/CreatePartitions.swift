// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Gives topics more partitions.
public struct CreatePartitionsRequest: KafkaRequest {
    public static let api = API(37, "CreatePartitions", 0...3, flexibleFrom: 2)
    public typealias Response = CreatePartitionsResponse

    /// The brokers that a new partition is to lie on.
    public struct Assignment: WireStruct {
        public var brokerIDs: [Int32] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&brokerIDs)
        }
    }

    /// A topic, and how many partitions it is to have.
    public struct Topic: WireStruct {
        public var name = ""
        /// All partitions, not only the new ones.
        public var count: Int32 = 0
        /// One for each new partition; nil: as the broker likes.
        public var assignments: [Assignment]? = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&count)
            try coder.field(&assignments)
        }
    }

    public var topics: [Topic] = []
    public var timeoutMs: Int32 = 0
    /// Whether to answer as if, and create nothing.
    public var validateOnly = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics)
        try coder.field(&timeoutMs)
        try coder.field(&validateOnly)
    }
}

/// What became of each topic.
public struct CreatePartitionsResponse: WireStruct {
    /// What became of one topic.
    public struct Topic: WireStruct {
        public var name = ""
        public var error = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&error)
            try coder.field(&errorMessage)
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

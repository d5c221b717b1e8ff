// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Creates topics.
public struct CreateTopicsRequest: KafkaRequest {
    public static let api = API(19, "CreateTopics", 0...6, flexibleFrom: 5)
    public typealias Response = CreateTopicsResponse

    /// The brokers that a partition is to lie on, chosen by the client.
    public struct Assignment: WireStruct {
        public var partition: Int32 = 0
        public var brokerIDs: [Int32] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&partition)
            try coder.field(&brokerIDs)
        }
    }

    /// A setting of the topic.
    public struct Config: WireStruct {
        public var name = ""
        /// nil: the default.
        public var value: String? = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&value)
        }
    }

    /// A topic to create.
    public struct Topic: WireStruct {
        public var name = ""
        /// -1: the broker's default (from version 4), or as many as there are assignments.
        public var partitionCount: Int32 = 0
        /// -1: the broker's default (from version 4), or as the assignments say.
        public var replicationFactor: Int16 = 0
        public var assignments: [Assignment] = []
        public var configs: [Config] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&partitionCount)
            try coder.field(&replicationFactor)
            try coder.field(&assignments)
            try coder.field(&configs)
        }
    }

    public var topics: [Topic] = []
    public var timeoutMs: Int32 = 60000
    /// Whether to answer as if, and create nothing.
    public var validateOnly = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics)
        try coder.field(&timeoutMs)
        try coder.field(&validateOnly, .from(1))
    }
}

/// What became of each topic.
public struct CreateTopicsResponse: WireStruct {
    /// A setting that the topic has.
    public struct Config: WireStruct {
        public var name = ""
        public var value: String? = ""
        public var isReadOnly = false
        /// Where the value comes from, by the numbers of DescribeConfigs. Clients refuse -1.
        public var source: Int8 = -1
        public var isSensitive = false

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&value)
            try coder.field(&isReadOnly)
            try coder.field(&source)
            try coder.field(&isSensitive)
        }
    }

    /// What became of one topic.
    public struct Topic: WireStruct {
        public var name = ""
        public var error = ErrorCode.none
        public var errorMessage: String?
        /// Why the settings are not told, if they are not.
        public var configError = ErrorCode.none
        public var partitionCount: Int32 = -1
        public var replicationFactor: Int16 = -1
        /// nil: not told.
        public var configs: [Config]? = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&error)
            try coder.field(&errorMessage, .from(1))
            try coder.field(&partitionCount, .from(5))
            try coder.field(&replicationFactor, .from(5))
            try coder.field(&configs, .from(5))
            try coder.tagged(0, &configError, isPresent: configError != .none)
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

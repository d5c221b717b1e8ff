// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Deletes topics.
public struct DeleteTopicsRequest: KafkaRequest {
    public static let api = API(20, "DeleteTopics", 0...5, flexibleFrom: 4)
    public typealias Response = DeleteTopicsResponse

    public var names: [String] = []
    public var timeoutMs: Int32 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&names)
        try coder.field(&timeoutMs)
    }
}

/// What became of each topic.
public struct DeleteTopicsResponse: WireStruct {
    /// What became of one topic.
    public struct Topic: WireStruct {
        public var name = ""
        public var error = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&error)
            try coder.field(&errorMessage, .from(5))
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&topics)
    }
}

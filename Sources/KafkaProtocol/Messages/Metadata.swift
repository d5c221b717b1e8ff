// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for brokers, topics and partitions; may create topics.
public struct MetadataRequest: KafkaRequest {
    public static let api = API(3, "Metadata", 0...12, flexibleFrom: 9)
    public typealias Response = MetadataResponse

    /// A topic asked for.
    public struct Topic: WireStruct {
        /// 0: asked for by name.
        public var id: UInt128 = 0
        /// nil: asked for by id.
        public var name: String? = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&id, .from(10))
            try coder.field(&name, nullable: .from(10))
        }
    }

    /// nil: all topics (in version 0 an empty list says so).
    public var topics: [Topic]? = []
    public var allowAutoTopicCreation = true
    public var includeClusterAuthorizedOperations = false
    public var includeTopicAuthorizedOperations = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics, nullable: .from(1))
        try coder.field(&allowAutoTopicCreation, .from(4))
        try coder.field(&includeClusterAuthorizedOperations, .range(8...10))
        try coder.field(&includeTopicAuthorizedOperations, .from(8))
    }
}

/// Brokers, topics and partitions.
public struct MetadataResponse: WireStruct {
    /// A broker clients can connect to.
    public struct Broker: WireStruct {
        public var nodeID: Int32 = 0
        public var host = ""
        public var port: Int32 = 0
        public var rack: String?

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&nodeID)
            try coder.field(&host)
            try coder.field(&port)
            try coder.field(&rack, .from(1))
        }
    }

    /// A partition and who leads it.
    public struct Partition: WireStruct {
        public var error = ErrorCode.none
        public var index: Int32 = 0
        public var leaderID: Int32 = 0
        public var leaderEpoch: Int32 = -1
        public var replicas: [Int32] = []
        public var inSyncReplicas: [Int32] = []
        public var offlineReplicas: [Int32] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&index)
            try coder.field(&leaderID)
            try coder.field(&leaderEpoch, .from(7))
            try coder.field(&replicas)
            try coder.field(&inSyncReplicas)
            try coder.field(&offlineReplicas, .from(5))
        }
    }

    /// A topic.
    public struct Topic: WireStruct {
        public var error = ErrorCode.none
        /// nil: an id that no topic has.
        public var name: String? = ""
        public var id: UInt128 = 0
        public var isInternal = false
        public var partitions: [Partition] = []
        public var authorizedOperations: Int32 = .min

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&name, nullable: .from(12))
            try coder.field(&id, .from(10))
            try coder.field(&isInternal, .from(1))
            try coder.field(&partitions)
            try coder.field(&authorizedOperations, .from(8))
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var brokers: [Broker] = []
    public var clusterID: String?
    public var controllerID: Int32 = -1
    public var topics: [Topic] = []
    public var clusterAuthorizedOperations: Int32 = .min

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(3))
        try coder.field(&brokers)
        try coder.field(&clusterID, .from(2))
        try coder.field(&controllerID, .from(1))
        try coder.field(&topics)
        try coder.field(&clusterAuthorizedOperations, .range(8...10))
    }
}

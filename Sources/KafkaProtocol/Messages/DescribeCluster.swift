// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for the brokers.
public struct DescribeClusterRequest: KafkaRequest {
    public static let api = API(60, "DescribeCluster", 0...1, flexibleFrom: 0)
    public typealias Response = DescribeClusterResponse

    public var includeClusterAuthorizedOperations = false
    /// 1: brokers, 2: controllers.
    public var endpointType: Int8 = 1

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&includeClusterAuthorizedOperations)
        try coder.field(&endpointType, .from(1))
    }
}

/// The brokers.
public struct DescribeClusterResponse: WireStruct {
    /// A broker that clients can connect to.
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
            try coder.field(&rack)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var errorMessage: String?
    public var endpointType: Int8 = 1
    public var clusterID = ""
    public var controllerID: Int32 = -1
    public var brokers: [Broker] = []
    /// A bit for each; the smallest number: not asked for.
    public var clusterAuthorizedOperations: Int32 = .min

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error)
        try coder.field(&errorMessage)
        try coder.field(&endpointType, .from(1))
        try coder.field(&clusterID)
        try coder.field(&controllerID)
        try coder.field(&brokers)
        try coder.field(&clusterAuthorizedOperations)
    }
}

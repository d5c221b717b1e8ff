// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Sets all settings of topics or brokers: those not named go back to their defaults.
public struct AlterConfigsRequest: KafkaRequest {
    public static let api = API(33, "AlterConfigs", 0...2, flexibleFrom: 2)
    public typealias Response = AlterConfigsResponse

    /// A setting.
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

    /// A topic or broker, as in DescribeConfigs.
    public struct Resource: WireStruct {
        public var type: Int8 = 0
        public var name = ""
        public var configs: [Config] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&type)
            try coder.field(&name)
            try coder.field(&configs)
        }
    }

    public var resources: [Resource] = []
    /// Whether to answer as if, and change nothing.
    public var validateOnly = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&resources)
        try coder.field(&validateOnly)
    }
}

/// What became of each topic or broker.
public struct AlterConfigsResponse: WireStruct {
    /// What became of one topic or broker.
    public struct Resource: WireStruct {
        public var error = ErrorCode.none
        public var errorMessage: String? = ""
        public var type: Int8 = 0
        public var name = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&errorMessage)
            try coder.field(&type)
            try coder.field(&name)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var resources: [Resource] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&resources)
    }
}

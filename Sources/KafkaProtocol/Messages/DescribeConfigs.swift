// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks for the settings of topics or brokers.
public struct DescribeConfigsRequest: KafkaRequest {
    public static let api = API(32, "DescribeConfigs", 0...4, flexibleFrom: 4)
    public typealias Response = DescribeConfigsResponse

    /// A topic or broker.
    public struct Resource: WireStruct {
        /// 2: a topic, 4: a broker, 8: a broker's loggers.
        public var type: Int8 = 0
        /// The topic's name, or the broker's number as text.
        public var name = ""
        /// The settings asked for; nil: all.
        public var keys: [String]? = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&type)
            try coder.field(&name)
            try coder.field(&keys)
        }
    }

    public var resources: [Resource] = []
    /// Whether to tell where else a value would come from.
    public var includeSynonyms = false
    public var includeDocumentation = false

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&resources)
        try coder.field(&includeSynonyms, .from(1))
        try coder.field(&includeDocumentation, .from(3))
    }
}

/// Settings.
public struct DescribeConfigsResponse: WireStruct {
    /// A place that a value can come from; the first that has one counts.
    public struct Synonym: WireStruct {
        public var name = ""
        public var value: String? = ""
        /// As of a setting.
        public var source: Int8 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&value)
            try coder.field(&source)
        }
    }

    /// A setting and its value. Version 0 says only whether the value is the default, later ones where it comes from:
    /// both are to be set.
    public struct Config: WireStruct {
        public var name = ""
        /// nil: kept back, being sensitive.
        public var value: String? = ""
        public var isReadOnly = false
        public var isDefault = false
        /// 1: the topic's own, 2: the broker's, changed while it runs, 3: the same for all brokers, 4: the broker's
        /// configuration, 5: the default. Clients refuse -1.
        public var source: Int8 = -1
        public var isSensitive = false
        public var synonyms: [Synonym] = []
        /// 0: unknown, 1: boolean, 2: string, 3: int, 4: short, 5: long, 6: double, 7: list, 8: class, 9: password.
        public var type: Int8 = 0
        public var documentation: String? = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&name)
            try coder.field(&value)
            try coder.field(&isReadOnly)
            try coder.field(&isDefault, .upTo(0))
            try coder.field(&source, .from(1))
            try coder.field(&isSensitive)
            try coder.field(&synonyms, .from(1))
            try coder.field(&type, .from(3))
            try coder.field(&documentation, .from(3))
        }
    }

    /// A topic's or broker's settings.
    public struct Resource: WireStruct {
        public var error = ErrorCode.none
        public var errorMessage: String? = ""
        public var type: Int8 = 0
        public var name = ""
        public var configs: [Config] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&errorMessage)
            try coder.field(&type)
            try coder.field(&name)
            try coder.field(&configs)
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

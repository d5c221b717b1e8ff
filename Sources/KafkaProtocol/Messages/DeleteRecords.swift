// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Deletes the records at partitions' starts.
public struct DeleteRecordsRequest: KafkaRequest {
    public static let api = API(21, "DeleteRecords", 0...2, flexibleFrom: 2)
    public typealias Response = DeleteRecordsResponse

    /// A partition, and where it is to start.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        /// The first offset that stays; -1: delete all there is.
        public var offset: Int64 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&offset)
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
    public var timeoutMs: Int32 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics)
        try coder.field(&timeoutMs)
    }
}

/// Where each partition starts now.
public struct DeleteRecordsResponse: WireStruct {
    /// Where one partition starts now.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        /// The first offset there is; -1 with an error.
        public var lowWatermark: Int64 = -1
        public var error = ErrorCode.none

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&lowWatermark)
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

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Deletes a group's offsets of partitions.
public struct OffsetDeleteRequest: KafkaRequest {
    public static let api = API(47, "OffsetDelete", 0...0, flexibleFrom: nil)
    public typealias Response = OffsetDeleteResponse

    /// A partition.
    public struct Partition: WireStruct {
        public var index: Int32 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
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

    public var groupID = ""
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groupID)
        try coder.field(&topics)
    }
}

/// What became of each offset.
public struct OffsetDeleteResponse: WireStruct {
    /// What became of one partition's offset.
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

    /// What is wrong with the group as a whole.
    public var error = ErrorCode.none
    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&error)
        try coder.field(&throttleTimeMs)
        try coder.field(&topics)
    }
}

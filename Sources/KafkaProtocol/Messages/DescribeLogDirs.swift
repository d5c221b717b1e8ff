// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks how much room partitions take.
public struct DescribeLogDirsRequest: KafkaRequest {
    public static let api = API(35, "DescribeLogDirs", 0...4, flexibleFrom: 2)
    public typealias Response = DescribeLogDirsResponse

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

    /// nil: all.
    public var topics: [Topic]? = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&topics)
    }
}

/// How much room partitions take, by folder.
public struct DescribeLogDirsResponse: WireStruct {
    /// One partition.
    public struct Partition: WireStruct {
        public var index: Int32 = 0
        /// Bytes.
        public var size: Int64 = 0
        /// How far a copy that is being made is behind.
        public var offsetLag: Int64 = 0
        /// Whether this is a copy that will take the partition's place.
        public var isFuture = false

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&index)
            try coder.field(&size)
            try coder.field(&offsetLag)
            try coder.field(&isFuture)
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

    /// A folder that partitions lie in.
    public struct Folder: WireStruct {
        public var error = ErrorCode.none
        public var path = ""
        public var topics: [Topic] = []
        /// The volume's size; -1: unknown.
        public var totalBytes: Int64 = -1
        /// What is free on the volume; -1: unknown.
        public var usableBytes: Int64 = -1

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&error)
            try coder.field(&path)
            try coder.field(&topics)
            try coder.field(&totalBytes, .from(4))
            try coder.field(&usableBytes, .from(4))
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var folders: [Folder] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error, .from(3))
        try coder.field(&folders)
    }
}

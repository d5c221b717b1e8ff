// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks which APIs and versions the broker speaks: the first request of most clients.
public struct APIVersionsRequest: KafkaRequest {
    public static let api = API(18, "ApiVersions", 0...3, flexibleFrom: 3)
    public typealias Response = APIVersionsResponse

    /// The client library.
    public var clientSoftwareName = ""
    /// Its version.
    public var clientSoftwareVersion = ""

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&clientSoftwareName, .from(3))
        try coder.field(&clientSoftwareVersion, .from(3))
    }
}

/// What the broker speaks.
public struct APIVersionsResponse: WireStruct {
    /// One API.
    public struct Entry: WireStruct {
        public var key: Int16 = 0
        public var minVersion: Int16 = 0
        public var maxVersion: Int16 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&key)
            try coder.field(&minVersion)
            try coder.field(&maxVersion)
        }
    }

    public var error = ErrorCode.none
    public var entries: [Entry] = []
    public var throttleTimeMs: Int32 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&error)
        try coder.field(&entries)
        try coder.field(&throttleTimeMs, .from(1))
    }
}

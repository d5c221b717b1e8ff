// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks which groups there are.
public struct ListGroupsRequest: KafkaRequest {
    public static let api = API(16, "ListGroups", 0...4, flexibleFrom: 3)
    public typealias Response = ListGroupsResponse

    /// Only groups in one of these states; none: all.
    public var states: [String] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&states, .from(4))
    }
}

/// The groups.
public struct ListGroupsResponse: WireStruct {
    /// A group.
    public struct Group: WireStruct {
        public var groupID = ""
        /// What kind of group it is; "" when it only holds offsets.
        public var protocolType = ""
        public var state = ""

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&groupID)
            try coder.field(&protocolType)
            try coder.field(&state, .from(4))
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var groups: [Group] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs, .from(1))
        try coder.field(&error)
        try coder.field(&groups)
    }
}

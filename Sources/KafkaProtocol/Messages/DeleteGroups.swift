// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Deletes groups that have no members, with their offsets.
public struct DeleteGroupsRequest: KafkaRequest {
    public static let api = API(42, "DeleteGroups", 0...2, flexibleFrom: 2)
    public typealias Response = DeleteGroupsResponse

    public var groups: [String] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&groups)
    }
}

/// What became of each group.
public struct DeleteGroupsResponse: WireStruct {
    /// What became of one group.
    public struct Group: WireStruct {
        public var groupID = ""
        public var error = ErrorCode.none

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&groupID)
            try coder.field(&error)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var groups: [Group] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&groups)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Asks who may do what.
public struct DescribeACLsRequest: KafkaRequest {
    public static let api = API(29, "DescribeAcls", 0...3, flexibleFrom: 2)
    public typealias Response = DescribeACLsResponse

    public var resourceType: Int8 = 0
    /// nil: any.
    public var resourceName: String? = ""
    public var patternType: Int8 = 3
    /// nil: any.
    public var principal: String? = ""
    /// nil: any.
    public var host: String? = ""
    public var operation: Int8 = 0
    public var permissionType: Int8 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&resourceType)
        try coder.field(&resourceName)
        try coder.field(&patternType, .from(1))
        try coder.field(&principal)
        try coder.field(&host)
        try coder.field(&operation)
        try coder.field(&permissionType)
    }
}

/// Who may do what.
public struct DescribeACLsResponse: WireStruct {
    /// A permission or a ban.
    public struct ACL: WireStruct {
        public var principal = ""
        public var host = ""
        public var operation: Int8 = 0
        public var permissionType: Int8 = 0

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&principal)
            try coder.field(&host)
            try coder.field(&operation)
            try coder.field(&permissionType)
        }
    }

    /// What may, or must not, be accessed.
    public struct Resource: WireStruct {
        public var type: Int8 = 0
        public var name = ""
        public var patternType: Int8 = 3
        public var acls: [ACL] = []

        public init() {}

        public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
            try coder.field(&type)
            try coder.field(&name)
            try coder.field(&patternType, .from(1))
            try coder.field(&acls)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var error = ErrorCode.none
    public var errorMessage: String? = ""
    public var resources: [Resource] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&throttleTimeMs)
        try coder.field(&error)
        try coder.field(&errorMessage)
        try coder.field(&resources)
    }
}

// Fields have the names of Kafka's schema; documented is what these do not say.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// Chooses how to prove who the client is.
///
/// After version 0 the mechanism's messages follow as raw frames, after version 1 inside SaslAuthenticate.
public struct SASLHandshakeRequest: KafkaRequest {
    public static let api = API(17, "SaslHandshake", 0...1, flexibleFrom: nil)
    public typealias Response = SASLHandshakeResponse

    public var mechanism = ""

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&mechanism)
    }
}

/// Whether the broker knows the mechanism.
public struct SASLHandshakeResponse: WireStruct {
    public var error = ErrorCode.none
    /// All the broker knows, told on success too: some clients look the chosen one up.
    public var mechanisms: [String] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&error)
        try coder.field(&mechanisms)
    }
}

/// A message of the mechanism, from the client.
public struct SASLAuthenticateRequest: KafkaRequest {
    public static let api = API(36, "SaslAuthenticate", 0...2, flexibleFrom: 2)
    public typealias Response = SASLAuthenticateResponse

    public var bytes: [UInt8] = []

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&bytes)
    }
}

/// A message of the mechanism, from the broker.
public struct SASLAuthenticateResponse: WireStruct {
    public var error = ErrorCode.none
    public var errorMessage: String? = ""
    public var bytes: [UInt8] = []
    /// How long until the client has to prove itself again; 0: forever.
    public var sessionLifetimeMs: Int64 = 0

    public init() {}

    public mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&error)
        try coder.field(&errorMessage)
        try coder.field(&bytes)
        try coder.field(&sessionLifetimeMs, .from(1))
    }
}

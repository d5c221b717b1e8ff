/// What stands before the body of every request.
///
///     header 1: api key (2 bytes), api version (2), correlation id (4), client id (nullable string, 16-bit length)
///     header 2: the same, then tagged fields; used by flexible versions
public struct RequestHeader: Sendable, Hashable {
    /// The API's number.
    public var key: Int16
    /// The version of the body.
    public var version: Int16
    /// What the answer repeats.
    public var correlationID: Int32
    /// What the client calls itself.
    public var clientID: String?

    /// Creates a header.
    public init(key: Int16, version: Int16, correlationID: Int32, clientID: String?) {
        self.key = key
        self.version = version
        self.correlationID = correlationID
        self.clientID = clientID
    }

    /// Reads the header at the start of `frame`; returns it with what is left. `api` tells, by number, what is spoken
    /// here: of an unknown API the rest after the client id is left unread.
    public static func read(
        _ frame: ArraySlice<UInt8>, api: (Int16) -> API?
    ) throws(WireError) -> (header: RequestHeader, body: ArraySlice<UInt8>) {
        var coder = WireCoder(reading: frame, version: 0, isFlexible: false)
        var header = RequestHeader(key: 0, version: 0, correlationID: 0, clientID: nil)
        try coder.field(&header.key)
        try coder.field(&header.version)
        try coder.field(&header.correlationID)
        try coder.field(&header.clientID)
        guard let api = api(header.key), api.isFlexible(header.version) else { return (header, coder.remaining) }
        var tags = WireCoder(reading: coder.remaining, version: 0, isFlexible: true)
        try tags.endStructure(nil)
        return (header, tags.remaining)
    }
}

extension KafkaRequest {
    /// Reads a request's body. Bytes after it are ignored, as Kafka does: librdkafka asks for all topics with three
    /// zeroes too many.
    public static func read(_ body: ArraySlice<UInt8>, version: Int16) throws(WireError) -> Self {
        var coder = WireCoder(reading: body, version: version, isFlexible: api.isFlexible(version))
        var request = Self()
        try request.code(&coder)
        return request
    }

    /// The request as a client sends it, without the frame's length.
    public consuming func encoded(version: Int16, correlationID: Int32, clientID: String?) throws(WireError) -> [UInt8]
    {
        let isFlexible = Self.api.isFlexible(version)
        var coder = WireCoder(writing: WireOutput(), version: version, isFlexible: false)
        var (key, version, correlationID, clientID) = (Self.api.key, version, correlationID, clientID)
        try coder.field(&key)
        try coder.field(&version)
        try coder.field(&correlationID)
        try coder.field(&clientID)
        var output = coder.finish()
        if isFlexible { output.unsignedVarint(0) }
        var body = WireCoder(writing: output, version: version, isFlexible: isFlexible)
        try self.code(&body)
        return body.finish().flattened
    }

    /// A response's header and body. The header of flexible versions has tagged fields, but never that of ApiVersions:
    /// its readers do not know yet what the broker speaks.
    public static func encode(
        _ response: consuming Response, version: Int16, correlationID: Int32
    ) throws(WireError) -> WireOutput {
        let isFlexible = api.isFlexible(version)
        var output = WireOutput()
        output.integer(correlationID)
        if isFlexible, api.key != APIVersionsRequest.api.key { output.unsignedVarint(0) }
        var coder = WireCoder(writing: output, version: version, isFlexible: isFlexible)
        var response = response
        try response.code(&coder)
        return coder.finish()
    }

    /// Reads a response as a client does: the frame without its length.
    public static func readResponse(
        _ frame: ArraySlice<UInt8>, version: Int16
    ) throws(WireError) -> (correlationID: Int32, response: Response) {
        let isFlexible = api.isFlexible(version)
        var head = WireCoder(reading: frame, version: 0, isFlexible: false)
        var correlationID: Int32 = 0
        try head.field(&correlationID)
        var coder = WireCoder(reading: head.remaining, version: version, isFlexible: isFlexible)
        if isFlexible, api.key != APIVersionsRequest.api.key { try coder.endStructure(nil) }
        var response = Response()
        try response.code(&coder)
        guard coder.remaining.isEmpty else { throw WireError(.invalid, "bytes follow a \(api.name) response") }
        return (correlationID, response)
    }
}

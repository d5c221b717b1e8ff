import KafkaProtocol
import Testing

/// A message that the library can read and write, with its type hidden.
struct Message: Sendable, CustomTestStringConvertible {
    /// Kafka's name with "Request" or "Response".
    var name: String
    var api: API
    var isRequest: Bool
    /// Reads a frame without its length, of the first version, and writes what was read in the second.
    var convert: @Sendable (ArraySlice<UInt8>, Int16, Int16) throws(WireError) -> (any WireStruct, [UInt8])

    var testDescription: String { name }

    /// Reads a frame without its length, and writes what was read again.
    func pass(_ frame: [UInt8], _ version: Int16) throws(WireError) -> (value: any WireStruct, frame: [UInt8]) {
        try convert(frame[...], version, version)
    }

    /// The header and body, as a request or response of `version`.
    func frame(_ schema: Schema, _ value: FieldValue, version: Int16, addsUnknownTags: Bool = false) -> [UInt8] {
        var writer = SchemaWriter(version: version, isFlexible: schema.isFlexible(version))
        if isRequest {
            writer.number(Int64(api.key), 2)
            writer.number(Int64(version), 2)
        }
        writer.number(4711, 4)
        if isRequest { writer.number(-1, 2) }
        writer.addsUnknownTags = addsUnknownTags
        if writer.isFlexible, isRequest || api.key != 18 { writer.structure([], [:]) }
        if case .structure(let fields) = value { writer.structure(schema.fields, fields) }
        return writer.bytes
    }

    static func request<Request: KafkaRequest>(_: Request.Type) -> Message {
        Message(name: Request.api.name + "Request", api: Request.api, isRequest: true) {
            frame, version, target throws(WireError) in
            let (header, body) = try RequestHeader.read(frame) { $0 == Request.api.key ? Request.api : nil }
            let request = try Request.read(body, version: version)
            let again = try request.encoded(
                version: target, correlationID: header.correlationID, clientID: header.clientID)
            return (request, again)
        }
    }

    static func response<Request: KafkaRequest>(_: Request.Type) -> Message {
        Message(name: Request.api.name + "Response", api: Request.api, isRequest: false) {
            frame, version, target throws(WireError) in
            let (correlationID, response) = try Request.readResponse(frame, version: version)
            let again = try Request.encode(response, version: target, correlationID: correlationID)
            return (response, again.flattened)
        }
    }

    private static func both<Request: KafkaRequest>(_ type: Request.Type) -> [Message] {
        [request(type), response(type)]
    }

    /// Every message.
    static let all: [Message] =
        both(ProduceRequest.self) + both(FetchRequest.self) + both(ListOffsetsRequest.self)
        + both(MetadataRequest.self) + both(OffsetCommitRequest.self) + both(OffsetFetchRequest.self)
        + both(FindCoordinatorRequest.self) + both(JoinGroupRequest.self) + both(HeartbeatRequest.self)
        + both(LeaveGroupRequest.self) + both(SyncGroupRequest.self) + both(DescribeGroupsRequest.self)
        + both(ListGroupsRequest.self) + both(SASLHandshakeRequest.self) + both(APIVersionsRequest.self)
        + both(CreateTopicsRequest.self) + both(DeleteTopicsRequest.self) + both(DeleteRecordsRequest.self)
        + both(InitProducerIDRequest.self) + both(OffsetForLeaderEpochRequest.self)
        + both(AddPartitionsToTxnRequest.self) + both(AddOffsetsToTxnRequest.self) + both(EndTxnRequest.self)
        + both(TxnOffsetCommitRequest.self) + both(DescribeACLsRequest.self) + both(DescribeConfigsRequest.self)
        + both(AlterConfigsRequest.self) + both(DescribeLogDirsRequest.self) + both(SASLAuthenticateRequest.self)
        + both(CreatePartitionsRequest.self) + both(DeleteGroupsRequest.self)
        + both(IncrementalAlterConfigsRequest.self) + both(OffsetDeleteRequest.self)
        + both(DescribeClusterRequest.self) + both(DescribeProducersRequest.self)
        + both(DescribeTransactionsRequest.self) + both(ListTransactionsRequest.self)
}

/// A message as another program wrote it.
struct GoldenMessage: Sendable {
    var name: String
    var version: Int16
    var variant: String
    var writer: String
    var frame: [UInt8]

    /// All of the fixtures, by name of the message.
    static let all: [String: [GoldenMessage]] = {
        var all: [String: [GoldenMessage]] = [:]
        for line in (try? fixtureLines("messages.txt")) ?? [] {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 5, let version = Int16(words[1]) else { continue }
            let digits = words[4].compactMap(\.hexDigitValue).map { UInt8($0) }
            let frame = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            let golden = GoldenMessage(
                name: words[0], version: version, variant: words[2], writer: words[3], frame: frame)
            all[golden.name, default: []].append(golden)
        }
        return all
    }()
}

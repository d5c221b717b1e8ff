import Disk
import KafkaProtocol
import TestSupport
import Testing

@Suite("Frames and headers")
struct FrameTests {
    private func api(_ key: Int16) -> API? { key == MetadataRequest.api.key ? MetadataRequest.api : nil }

    @Test("a request's header is read, and the body is what follows")
    func header() throws {
        let request = MetadataRequest()
        let frame = try request.encoded(version: 4, correlationID: -5, clientID: "café")
        let (header, body) = try RequestHeader.read(frame[...], api: api)
        #expect(header == RequestHeader(key: 3, version: 4, correlationID: -5, clientID: "café"))
        #expect(try MetadataRequest.read(body, version: 4).topics?.isEmpty == true)
    }

    @Test("a flexible request's header has tagged fields, but its client id still has 16 bits of length")
    func flexibleHeader() throws {
        let frame: [UInt8] = [0, 3, 0, 9, 0, 0, 0, 1, 0, 2, 97, 98] + [1, 5, 2, 7, 7] + [0, 1, 0, 0, 0]
        let (header, body) = try RequestHeader.read(frame[...], api: api)
        #expect(header.clientID == "ab")
        let request = try MetadataRequest.read(body, version: 9)
        #expect(request.topics == nil)
        #expect(request.allowAutoTopicCreation)
    }

    @Test("librdkafka's request for all topics, which ends with three bytes too many, is one for all topics")
    func allTopicsOfLibrdkafka() throws {
        let frame: [UInt8] =
            [0, 3, 0, 12, 0, 0, 0, 3, 0, 7] + Array("rdkafka".utf8) + [0] + [0, 0, 0, 0, 1, 0, 0]
        let (header, body) = try RequestHeader.read(frame[...], api: api)
        let request = try MetadataRequest.read(body, version: header.version)
        #expect(request.topics == nil)
    }

    @Test("of an API that nobody here speaks the header is read and the rest left alone")
    func unknownAPI() throws {
        let frame: [UInt8] = [0x03, 0xE7, 0, 9, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        let (header, body) = try RequestHeader.read(frame[...], api: api)
        #expect(header == RequestHeader(key: 999, version: 9, correlationID: 1, clientID: nil))
        #expect(Array(body) == [0xFF, 0xFF, 0xFF])
    }

    @Test("the header of an ApiVersions response never has tagged fields; that of others has in flexible versions")
    func responseHeaders() throws {
        var versions = APIVersionsResponse()
        versions.error = .unsupportedVersion
        let first = try APIVersionsRequest.encode(versions, version: 3, correlationID: 1).flattened
        #expect(first == [0, 0, 0, 1] + [0, 35] + [1] + [0, 0, 0, 0] + [0])
        let old = try APIVersionsRequest.encode(versions, version: 0, correlationID: 1).flattened
        #expect(old == [0, 0, 0, 1] + [0, 35] + [0, 0, 0, 0])
        let second = try HeartbeatRequest.encode(HeartbeatResponse(), version: 4, correlationID: 2).flattened
        #expect(second == [0, 0, 0, 2] + [0] + [0, 0, 0, 0] + [0, 0] + [0])
        let third = try HeartbeatRequest.encode(HeartbeatResponse(), version: 3, correlationID: 2).flattened
        #expect(third == [0, 0, 0, 2] + [0, 0, 0, 0] + [0, 0])
    }

    @Test("a frame starts with the length of all that follows, and large runs of bytes are not copied into it")
    func frame() throws {
        let batch = [UInt8](repeating: 7, count: 10_000)
        var partition = FetchResponse.Partition()
        partition.records = RecordData(batch[...])
        var topic = FetchResponse.Topic()
        topic.name = "t"
        topic.partitions = [partition, partition]
        var response = FetchResponse()
        response.topics = [topic]
        let output = try FetchRequest.encode(response, version: 11, correlationID: 1)
        let (count, flattened) = (output.count, output.flattened)
        #expect(count == flattened.count)
        let pieces = output.frame()
        #expect(pieces.reduce(0) { $0 + $1.count } == count + 4)
        var bytes: [UInt8] = []
        for case .bytes(let piece) in pieces { bytes += piece }
        #expect(Array(bytes.prefix(4)) == withUnsafeBytes(of: Int32(count).bigEndian) { Array($0) })
        #expect(Array(bytes.dropFirst(4)) == flattened)
        #expect(pieces.filter { $0.count == 10_000 }.count == 2)
        let again = try FetchRequest.readResponse(flattened[...], version: 11).response
        #expect(again.topics[0].partitions[1].records?.bytes.map { Array($0) } == batch)
    }

    @Test("records that lie in a file keep their place between the bytes around them")
    func filePieces() throws {
        let disk = SimulatedDisk()
        try disk.createDirectory("/data")
        let file = try disk.open("/data/segment", .create)
        var partition = FetchResponse.Partition()
        partition.records = RecordData(file, position: 40, count: 12)
        var topic = FetchResponse.Topic()
        topic.partitions = [partition]
        var response = FetchResponse()
        response.topics = [topic]
        for version in [11, 12] as [Int16] {
            let output = try FetchRequest.encode(response, version: version, correlationID: 1)
            let count = output.count
            let pieces = output.frame()
            #expect(pieces.reduce(0) { $0 + $1.count } == count + 4)
            let found = pieces.compactMap { piece -> [UInt64]? in
                if case .file(_, let position, let count) = piece { [position, UInt64(count)] } else { nil }
            }
            #expect(found == [[40, 12]])
            guard case .bytes(let head) = pieces[0] else { continue }
            // The records' length stands just before them: 32 bits, or a varint of the length + 1.
            #expect(Array(head.suffix(version == 12 ? 1 : 4)) == (version == 12 ? [13] : [0, 0, 0, 12]))
        }
    }
}

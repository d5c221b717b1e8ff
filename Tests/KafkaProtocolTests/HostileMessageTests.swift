import KafkaProtocol
import TestSupport
import Testing

@Suite("Hostile bytes in Kafka's messages")
struct HostileMessageTests {
    @Test("every message that was cut anywhere is refused", arguments: Message.all)
    func truncations(_ message: Message) throws {
        for golden in try #require(GoldenMessage.all[message.name]) {
            for count in golden.frame.indices {
                #expect(throws: WireError.self, "\(golden.name) \(golden.version), \(count) bytes") {
                    try message.pass(Array(golden.frame.prefix(count)), golden.version)
                }
            }
        }
    }

    @Test("bytes after a request are ignored, those after a response refused", arguments: Message.all)
    func excess(_ message: Message) throws {
        for golden in try #require(GoldenMessage.all[message.name]) {
            if message.name.hasSuffix("Request") {
                #expect(try message.pass(golden.frame + [0], golden.version).frame == golden.frame)
            } else {
                #expect(throws: WireError.self) { try message.pass(golden.frame + [0], golden.version) }
            }
        }
    }

    @Test("flipped bits give an error, or another message that can be written and read", arguments: Message.all)
    func flips(_ message: Message) throws {
        var random = SeededRandom(seed: UInt64(message.api.key))
        for golden in try #require(GoldenMessage.all[message.name]) {
            for _ in 0..<60 {
                var frame = golden.frame
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let at = Int.random(in: frame.indices, using: &random)
                    frame[at] = Bool.random(using: &random) ? frame[at] ^ (1 << (random.next() & 7)) : 0xFF
                }
                guard let (_, again) = try? message.pass(frame, golden.version) else { continue }
                // Bad UTF-8, flags other than 0 and 1 and lengths longer than needed are put right once.
                #expect(try message.pass(again, golden.version).frame == again)
            }
        }
    }

    @Test("arbitrary bytes behind a header never do harm", arguments: Message.all)
    func noise(_ message: Message) throws {
        let schema = try #require(Schema.all[message.name])
        var random = SeededRandom(seed: 3)
        for version in schema.versions {
            let empty = FieldValue.structure([:])
            var header = message.frame(Schema(name: "", key: 0, versions: 0...0), empty, version: version)
            if schema.isFlexible(version) { header.append(0) }
            for _ in 0..<40 {
                // Small bytes make counts and lengths that fit.
                let noise = random.bytes(Int.random(in: 0...120, using: &random)).map { $0 < 128 ? $0 & 3 : $0 }
                guard let (_, again) = try? message.pass(header + noise, version) else { continue }
                #expect(try message.pass(again, version).frame == again)
            }
        }
    }

    @Test("a count that the rest of the frame cannot hold is refused at once", arguments: [1, 9] as [Int16])
    func hugeCounts(_ version: Int16) {
        let counts: [[UInt8]] =
            version < 9
            ? [[0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 0, 2]]
            : [[0xFF, 0xFF, 0xFF, 0xFF, 0x07], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [3]]
        for count in counts {
            #expect(throws: WireError.self) { try MetadataRequest.read((count + [0])[...], version: version) }
        }
    }

    @Test("as many elements as one message may have are read, one more is not")
    func mostElements() throws {
        func body(_ count: Int) -> [UInt8] {
            withUnsafeBytes(of: Int32(count).bigEndian) { Array($0) } + [UInt8](repeating: 0, count: count * 2)
        }
        let most = WireCoder.maxElements
        #expect(try MetadataRequest.read(body(most)[...], version: 1).topics?.count == most)
        let error = #expect(throws: WireError.self) { try MetadataRequest.read(body(most + 1)[...], version: 1) }
        #expect(error?.code == .invalid)
    }

    @Test("elements of arrays inside arrays count together")
    func nestedElements() throws {
        // Topics without a name and with many partitions, each of which takes four bytes.
        func request(_ topics: Int, _ partitions: Int) throws -> [UInt8] {
            var topic = FetchRequest.Forgotten()
            topic.partitions = Array(repeating: 1, count: partitions)
            var request = FetchRequest()
            request.forgotten = Array(repeating: topic, count: topics)
            return try request.encoded(version: 7, correlationID: 0, clientID: nil)
        }
        let header = 2 + 2 + 4 + 2
        let fits = try request(10, WireCoder.maxElements / 10 - 1)
        #expect(try FetchRequest.read(fits.dropFirst(header), version: 7).forgotten.count == 10)
        let tooMany = try request(10, WireCoder.maxElements / 10)
        #expect(throws: WireError.self) { try FetchRequest.read(tooMany.dropFirst(header), version: 7) }
    }

    @Test("floods of tagged fields are refused")
    func tagFloods() {
        func body(_ count: Int) -> [UInt8] {
            var writer = SchemaWriter(version: 4, isFlexible: true)
            writer.varint(1)
            writer.number(7, 4)
            writer.varint(1)
            writer.varint(0)
            writer.varint(count)
            for tag in 0..<count {
                writer.varint(tag)
                writer.varint(0)
            }
            return writer.bytes
        }
        #expect(throws: Never.self) { try HeartbeatRequest.read(body(1000)[...], version: 4) }
        #expect(throws: WireError.self) {
            try HeartbeatRequest.read(body(WireCoder.maxElements + 1)[...], version: 4)
        }
    }

    @Test(
        "tagged fields whose number, count or size cannot be are refused",
        arguments: [
            [1], [1, 0], [1, 0, 1], [2, 0, 0], [1, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0], [0x80],
            [1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        ] as [[UInt8]])
    func badTags(_ tags: [UInt8]) {
        let body: [UInt8] = [1, 0, 0, 0, 7, 1, 0]
        #expect(throws: Never.self) { try HeartbeatRequest.read((body + [0])[...], version: 4) }
        #expect(throws: WireError.self) { try HeartbeatRequest.read((body + tags)[...], version: 4) }
    }

    @Test("a known tagged field that is too short is refused")
    func shortTag() throws {
        var topic = CreateTopicsResponse.Topic()
        topic.configError = .invalidConfig
        topic.configs = nil
        var response = CreateTopicsResponse()
        response.topics = [topic]
        var frame = try CreateTopicsRequest.encode(response, version: 5, correlationID: 1).flattened
        #expect(
            try CreateTopicsRequest.readResponse(frame[...], version: 5).response.topics[0].configError
                == .invalidConfig)
        // The frame ends with the field: one of it, number 0, two bytes, 40; and no tagged field of the response.
        #expect(frame.suffix(6) == [1, 0, 2, 0, 40, 0])
        frame.replaceSubrange((frame.count - 4)..., with: [1, 40, 0])
        #expect(throws: WireError.self) { try CreateTopicsRequest.readResponse(frame[...], version: 5) }
    }
}

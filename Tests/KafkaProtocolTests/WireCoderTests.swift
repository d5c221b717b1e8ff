import KafkaProtocol
import Testing

/// A structure with one field of each kind.
private struct Kinds: WireStruct {
    var flag = false
    var ratio = 0.0
    var text = ""
    var note: String? = ""
    var bytes: [UInt8]? = []
    var id: UInt128 = 0
    var numbers: [Int64]? = []
    var late: Int32 = 5

    mutating func fields(_ coder: inout WireCoder) throws(WireError) {
        try coder.field(&flag)
        try coder.field(&ratio)
        try coder.field(&text)
        try coder.field(&note, nullable: .from(1))
        try coder.field(&bytes)
        try coder.field(&id)
        try coder.field(&numbers, nullable: .from(1))
        try coder.field(&late, .from(2))
    }
}

@Suite("Reading and writing fields")
struct WireCoderTests {
    private func read(_ bytes: [UInt8], _ version: Int16, flexible: Bool) throws(WireError) -> Kinds {
        var coder = WireCoder(reading: bytes[...], version: version, isFlexible: flexible)
        var kinds = Kinds()
        try kinds.code(&coder)
        return kinds
    }

    private func write(_ kinds: Kinds, _ version: Int16, flexible: Bool) throws(WireError) -> [UInt8] {
        var coder = WireCoder(writing: WireOutput(), version: version, isFlexible: flexible)
        var kinds = kinds
        try kinds.code(&coder)
        return coder.finish().flattened
    }

    private var example: Kinds {
        var kinds = Kinds()
        kinds.flag = true
        kinds.ratio = -0.5
        kinds.text = "é"
        kinds.note = nil
        kinds.bytes = nil
        kinds.id = 0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF
        kinds.numbers = [-2]
        return kinds
    }

    private let id: [UInt8] = [
        0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
    ]

    @Test("the bytes of older versions are those of the specification")
    func old() throws {
        let head: [UInt8] = [1, 0xBF, 0xE0, 0, 0, 0, 0, 0, 0, 0, 2, 0xC3, 0xA9]
        let tail: [UInt8] = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]
        let bytes = head + [0xFF, 0xFF] + [0xFF, 0xFF, 0xFF, 0xFF] + id + tail
        #expect(try write(example, 1, flexible: false) == bytes)
        let again = try read(bytes, 1, flexible: false)
        #expect(String(describing: again) == String(describing: example))
    }

    @Test("the bytes of flexible versions are those of the specification")
    func flexible() throws {
        let head: [UInt8] = [1, 0xBF, 0xE0, 0, 0, 0, 0, 0, 0, 3, 0xC3, 0xA9]
        let tail: [UInt8] = [2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 5, 0]
        let bytes = head + [0] + [0] + id + tail
        #expect(try write(example, 2, flexible: true) == bytes)
        #expect(String(describing: try read(bytes, 2, flexible: true)) == String(describing: example))
    }

    @Test("null is written as empty, and refused when read, in versions where it must not be")
    func null() throws {
        var kinds = Kinds()
        kinds.note = nil
        kinds.numbers = nil
        let bytes = try write(kinds, 0, flexible: false)
        let again = try read(bytes, 0, flexible: false)
        #expect(again.note?.isEmpty == true && again.numbers?.isEmpty == true)
        #expect(throws: WireError.self) { try read(try write(example, 1, flexible: false), 0, flexible: false) }
        let error = #expect(throws: WireError.self) {
            try SASLHandshakeRequest.read([0xFF, 0xFF], version: 0)
        }
        #expect(error?.code == .invalid)
    }

    @Test("a text that is too long for an old version's length is refused, not cut")
    func tooLong() throws {
        var kinds = Kinds()
        kinds.text = String(repeating: "x", count: 32767)
        #expect(try read(try write(kinds, 0, flexible: false), 0, flexible: false).text.utf8.count == 32767)
        kinds.text += "x"
        #expect(throws: WireError.self) { try write(kinds, 0, flexible: false) }
        #expect(try read(try write(kinds, 0, flexible: true), 0, flexible: true).text.utf8.count == 32768)
    }

    @Test("negative lengths other than -1 are refused")
    func negativeLengths() {
        #expect(throws: WireError.self) { try SASLHandshakeRequest.read([0xFF, 0xFE], version: 0) }
        #expect(throws: WireError.self) { try SASLHandshakeRequest.read([0x80, 0x00], version: 0) }
        #expect(throws: WireError.self) { try DeleteGroupsRequest.read([0x80, 0, 0, 0], version: 0) }
        #expect(throws: WireError.self) { try SASLAuthenticateRequest.read([0xFF, 0xFF, 0xFF, 0xFE], version: 0) }
    }

    @Test("text that is not UTF-8 is read with its wrong bytes replaced")
    func badText() throws {
        #expect(try SASLHandshakeRequest.read([0, 3, 97, 0xFF, 98], version: 0).mechanism == "a\u{FFFD}b")
    }

    @Test("a field of other versions keeps its default")
    func defaults() throws {
        let request = try JoinGroupRequest.read([0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], version: 0)
        #expect(request.sessionTimeoutMs == 9)
        #expect(request.rebalanceTimeoutMs == -1)
        #expect(request.groupInstanceID == nil)
    }

    @Test("what was read of records shares the frame's memory")
    func recordsAreShared() throws {
        let batch = [UInt8](repeating: 3, count: 100)
        var partition = ProduceRequest.Partition()
        partition.records = RecordData(batch[...])
        var topic = ProduceRequest.Topic()
        topic.partitions = [partition]
        var request = ProduceRequest()
        request.topics = [topic]
        let frame = try request.encoded(version: 7, correlationID: 1, clientID: nil)
        let read = try ProduceRequest.read(frame.dropFirst(10), version: 7)
        let records = try #require(read.topics[0].partitions[0].records?.bytes)
        #expect(records.endIndex == frame.endIndex)
        let isShared = records.withUnsafeBufferPointer { inner in
            frame.withUnsafeBufferPointer { outer in
                inner.baseAddress.map { outer.baseAddress.map { $0 + outer.count } == $0 + inner.count } ?? false
            }
        }
        #expect(isShared)
    }
}

import Compression
import Disk
import LogStore
import TestSupport
import Testing

@Suite("Record batches")
struct RecordBatchTests {
    /// Writes `value` big-endian at `position` and sets the checksum right again.
    private func forged<Value: FixedWidthInteger>(_ batch: [UInt8], _ position: Int, _ value: Value) -> [UInt8] {
        var copy = batch
        withUnsafeBytes(of: value.bigEndian) { copy.replaceSubrange(position..<position + $0.count, with: $0) }
        let checksum = CRC32C.checksum(Array(copy[21...]))
        withUnsafeBytes(of: checksum.bigEndian) { copy.replaceSubrange(17..<21, with: $0) }
        return copy
    }

    private func code(_ bytes: [UInt8], maxBytes: Int = 1 << 20) -> LogStoreError.Code? {
        logCode { () throws(LogStoreError) in
            _ = try RecordBatch(verifying: bytes, maxBytes: maxBytes, checkingRecords: true)
        }
    }

    @Test("keys, values, headers and timestamps come back", arguments: Codec.allCases)
    func roundTrip(codec: Codec) throws {
        var builder = RecordBatchBuilder(codec: codec)
        builder.append(timestampMs: 1000, key: [1, 2], value: [3])
        builder.append(timestampMs: 900, key: nil, value: nil)
        builder.append(timestampMs: 5000, key: [], value: [], headers: [([7], [8, 9]), ([10], nil), ([], [])])
        builder.append(timestampMs: .max, key: nil, value: [UInt8](repeating: 1, count: 300))
        #expect(builder.count == 4)
        let bytes = try builder.finish()
        let header = try RecordBatch(verifying: bytes, maxBytes: 10_000, checkingRecords: true)
        #expect(header.recordCount == 4 && header.lastOffset == 3 && header.codec == codec)
        #expect(header.maxTimestampMs == .max && header.baseTimestampMs == 1000)
        var seen: [String] = []
        try RecordBatch.forEachRecord(in: bytes + bytes, maxDecompressedBytes: 10_000) { record in
            var text = "\(record.offset) \(record.timestampMs) \(record.key.map(Array.init) as Any)"
            text += " \(record.value.map { $0.count } as Any)"
            record.forEachHeader { key, value in text += " \(Array(key)):\(value.map(Array.init) as Any)" }
            seen.append(text)
        }
        #expect(seen.count == 8)
        #expect(seen[0] == "0 1000 Optional([1, 2]) Optional(1)")
        #expect(seen[1] == "1 900 nil nil")
        #expect(seen[2] == "2 5000 Optional([]) Optional(0) [7]:Optional([8, 9]) [10]:nil []:Optional([])")
        #expect(seen[3] == "3 \(Int64.max) nil Optional(300)")
    }

    @Test("the header stands where Kafka has it")
    func layout() throws {
        let bytes = try batch(["hi"], timestampMs: 0x0102_0304)
        let expected: [UInt8] =
            [0, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 58] + [0, 0, 0, 0] + [2] + bytes[17..<21]
            + [0, 0] + [0, 0, 0, 0] + [0, 0, 0, 0, 1, 2, 3, 4] + [0, 0, 0, 0, 1, 2, 3, 4]
            + [UInt8](repeating: 0xFF, count: 14) + [0, 0, 0, 1]
            // Length 8, attributes, timestamp and offset delta, no key, a value of 2 bytes, no headers.
            + [16, 0, 0, 0, 1, 4, 0x68, 0x69, 0]
        #expect(bytes == expected)
        #expect(CRC32C.checksum(Array(bytes[21...])) == 0 || bytes[17...20].contains { $0 != 0 })
    }

    @Test("lengths, magic, checksum and counts that lie are told apart")
    func lies() throws {
        let good = try batch(["one", "two", "three"])
        #expect(code(good) == nil)
        #expect(code([]) == .corruptBatch)
        #expect(code(Array(good.dropLast())) == .corruptBatch)
        #expect(code(good + [0]) == .corruptBatch)
        #expect(code(good, maxBytes: good.count - 1) == .messageTooLarge)
        #expect(code(forged(good, 16, UInt8(1))) == .corruptBatch)
        for length in [0, -1, 48, Int32.max, Int32.min] { #expect(code(forged(good, 8, length)) == .corruptBatch) }
        var flipped = good
        flipped[70] ^= 1
        #expect(code(flipped) == .corruptBatch)
        #expect(code(forged(good, 21, Int16(5))) == .unsupportedCompression)
        #expect(code(forged(good, 21, Int16(0x20))) == .invalidRecord)
        #expect(code(forged(good, 57, Int32(2))) == .invalidRecord)
        for count in [0, -1, 4, Int32.max] {
            #expect(code(forged(forged(good, 57, count), 23, count &- 1)) == .invalidRecord)
        }
        // A codec that is not the one used.
        for codec in 1...4 as ClosedRange<Int16> { #expect(code(forged(good, 21, codec)) == .invalidRecord) }
    }

    @Test("a bomb inside a batch is refused")
    func bomb() throws {
        var builder = RecordBatchBuilder(codec: .zstd)
        builder.append(timestampMs: 0, value: [UInt8](repeating: 0, count: 40_000_000))
        #expect(code(try builder.finish()) == .messageTooLarge)
    }

    @Test("flipped bits in records never trap", arguments: [Codec.none, .snappy, .lz4, .gzip, .zstd])
    func fuzz(codec: Codec) throws {
        var builder = RecordBatchBuilder(codec: codec)
        for number in 0..<4 as Range<UInt8> {
            builder.append(
                timestampMs: Int64(number), key: [number], value: [UInt8](repeating: number, count: 20),
                headers: [([1], [2])])
        }
        let bytes = try builder.finish()
        for bit in 21 * 8..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let right = forged(damaged, 16, UInt8(2))
            try? RecordBatch.forEachRecord(in: right, maxDecompressedBytes: 10_000) { record in
                record.forEachHeader { _, _ in }
            }
        }
        var random = SeededRandom(seed: 9)
        for _ in 0..<500 {
            let records = random.bytes(Int.random(in: 0..<60, using: &random))
            var header = Array(bytes[..<61])
            header.replaceSubrange(8..<12, with: withUnsafeBytes(of: Int32(49 + records.count).bigEndian, Array.init))
            try? RecordBatch.forEachRecord(
                in: forged(header + records, 16, UInt8(2)), maxDecompressedBytes: 10_000
            ) { record in record.forEachHeader { _, _ in } }
        }
    }

    @Test("what an append refuses leaves no trace")
    func refusedAppends() throws {
        let store = try LogFixture().open()
        var config = TopicConfig()
        config.maxMessageBytes = 200
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        let good = try batch(["fine"])
        let big = try batch([String(repeating: "x", count: 300)])
        for bad in [[], [big], [good, big], [[1, 2, 3]], [good + good]] as [[[UInt8]]] {
            #expect(logCode { () throws(LogStoreError) in _ = try log.appendBlocking(bad) } != nil)
        }
        #expect(log.endOffset == 0)
        #expect(try log.appendBlocking([good]).baseOffset == 0)
    }
}

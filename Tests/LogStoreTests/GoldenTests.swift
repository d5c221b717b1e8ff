import Compression
import Disk
import LogStore
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The files in `Fixtures/log-v1` were written by the first version of the format. Every later version reads them;
/// as long as the format stays, it also writes the same bytes. To make them anew (a decision!), run the tests with
/// LOGSTORE_WRITE_FIXTURES set. What is written otherwise by now, and is read as before, is in `later` as it is today.
@Suite("Golden log files, format 1")
struct GoldenTests {
    static let folder = "/data/log"
    static var fixtures: String {
        let tests = parentDirectory(of: parentDirectory(of: #filePath) ?? "") ?? ""
        return (parentDirectory(of: tests) ?? "") + "/Fixtures/log-v1"
    }

    /// The files below `path` on the real disk, by their paths relative to it.
    func readTree(_ path: String, _ prefix: String = "") throws -> [String: [UInt8]] {
        let disk = POSIXFileSystem()
        var files: [String: [UInt8]] = [:]
        for name in try disk.list(path) {
            let child = path + "/" + name
            if try disk.status(child)?.isDirectory == true {
                files.merge(try readTree(child, prefix + name + "/")) { $1 }
            } else {
                files[prefix + name] = try disk.readFile(child, maxBytes: 1 << 20)
            }
        }
        return files
    }

    /// Writes the log that the fixtures hold.
    private func written() throws -> LogFixture {
        var fixture = LogFixture()
        fixture.settings.makeTopicID = { 0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF }
        fixture.settings.indexIntervalBytes = 256
        let store = try fixture.open()
        var config = TopicConfig()
        config.segmentBytes = 1024
        config.retentionMs = 86_400_000
        let log = try store.createTopic("golden", partitions: 2, config: config).partitions[0]
        for number in 0..<24 as Range<Int64> {
            var builder = RecordBatchBuilder()
            builder.append(
                timestampMs: 1_700_000_000_000 + number * 1000, key: Array("k\(number)".utf8),
                value: Array("value \(number)".utf8), headers: [(Array("h".utf8), nil)])
            builder.append(timestampMs: 1_700_000_000_500 + number * 1000, value: UnsafeRawBufferPointer?.none)
            _ = try log.appendBlocking([try builder.finish()])
        }
        try store.commitOffsets(
            group: "readers",
            [TopicPartition(topic: "golden", partition: 0): CommittedOffset(offset: 17, leaderEpoch: 0, metadata: "m")])
        try store.commitOffsets(
            group: "gone", [TopicPartition(topic: "golden", partition: 1): CommittedOffset(offset: 1)])
        try store.deleteGroup("gone")
        store.close()
        return fixture
    }

    /// One batch of each codec, in a segment of its own: other versions of the codecs' libraries write other bytes.
    private func writtenCompressed() throws -> LogFixture {
        var fixture = LogFixture()
        fixture.settings.makeTopicID = { 1 }
        let store = try fixture.open()
        let log = try store.createTopic("compressed", partitions: 1).partitions[0]
        for codec in Codec.allCases { _ = try log.appendBlocking([batch(compressedTexts(codec), codec: codec)]) }
        store.close()
        return fixture
    }

    /// A compacted log: batches without records, shorter batches, batches that reach further, a delete horizon.
    private func writtenCompacted() throws -> LogFixture {
        var fixture = LogFixture()
        fixture.settings.makeTopicID = { 2 }
        fixture.settings.indexIntervalBytes = 256
        let store = try fixture.open()
        let log = try store.createTopic("golden", partitions: 1, config: compacted(segmentBytes: 1024)).partitions[0]
        for number in 0..<40 {
            let value = number % 8 == 5 ? nil : "value \(number)"
            let records = [
                KeyedRecord(key: "a\(number % 3)", value: value, timestampMs: 1_700_000_000_000 + Int64(number)),
                KeyedRecord(key: "b\(number % 7)", value: "x", timestampMs: 1_700_000_000_000),
            ]
            _ = try log.appendBlocking([keyedBatch(records)])
        }
        try store.compact()
        store.close()
        return fixture
    }

    private func compressedTexts(_ codec: Codec) -> [String] {
        (0..<20).map { "\(codec.name) record \($0), and the same words as always" }
    }

    func writeFixtures(_ fixture: LogFixture, _ target: String) throws {
        let disk = POSIXFileSystem()
        for path in fixture.disk.allFiles {
            let copy = target + path.dropFirst(Self.folder.count)
            try disk.createDirectory(parentDirectory(of: copy) ?? "/")
            try disk.replaceFile(copy, with: fixture.disk.contents(path) ?? [])
        }
    }

    private func opened(_ name: String) throws -> LogStore {
        if getenv("LOGSTORE_WRITE_FIXTURES") != nil {
            let fixture =
                switch name {
                case "plain": try written()
                case "compacted": try writtenCompacted()
                default: try writtenCompressed()
                }
            try writeFixtures(fixture, Self.fixtures + "/" + name)
        }
        let files = try readTree(Self.fixtures + "/" + name)
        #expect(files.count > 4)
        let fixture = LogFixture()
        for (path, bytes) in files { fixture.disk.plant(Self.folder + "/" + path, bytes) }
        return try fixture.open()
    }

    @Test("the first version's files are read, every record of them")
    func read() throws {
        let store = try opened("plain")
        #expect(store.recovery.problems == [])
        #expect(store.recovery.scannedBytes == 0, "closed in order, nothing needs to be read through")
        let topic = try #require(store.topic("golden"))
        #expect(topic.id == 0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF)
        #expect(topic.config.retentionMs == 86_400_000)
        #expect(topic.partitions.map(\.endOffset) == [48, 0])
        let log = topic.partitions[0]
        #expect(log.segments.count > 2)
        var next: Int64 = 0
        while next < log.endOffset {
            try RecordBatch.forEachRecord(in: try log.read(from: next, maxBytes: 500), maxDecompressedBytes: 500) {
                record in
                let number = next / 2
                #expect(record.offset == next)
                #expect(record.timestampMs == 1_700_000_000_000 + number * 1000 + next % 2 * 500)
                #expect(record.key.map(Array.init) == (next % 2 == 0 ? Array("k\(number)".utf8) : nil))
                #expect(record.value.map(Array.init) == (next % 2 == 0 ? Array("value \(number)".utf8) : nil))
                #expect(record.headerCount == Int(1 - next % 2))
                next += 1
            }
        }
        #expect(try log.offset(atOrAfterMs: 1_700_000_010_001) == 21)
        #expect(store.groups == ["readers"])
        #expect(
            store.committedOffsets(group: "readers") == [
                TopicPartition(topic: "golden", partition: 0): CommittedOffset(
                    offset: 17, leaderEpoch: 0, metadata: "m", committedMs: 1_700_000_000_000)
            ])
        #expect(try store.verify() == [])
    }

    @Test("batches of every codec are read")
    func readCompressed() throws {
        let store = try opened("compressed")
        let log = try #require(store.topic("compressed")?.partitions[0])
        #expect(try log.everything().map(\.text) == Codec.allCases.flatMap(compressedTexts))
    }

    @Test("a compacted log is read")
    func readCompacted() throws {
        let store = try opened("compacted")
        #expect(store.recovery.problems == [])
        #expect(store.recovery.scannedBytes == 0, "closed in order, nothing needs to be read through")
        let log = try #require(store.topic("golden")?.partitions[0])
        #expect(log.startOffset == 0 && log.endOffset == 80)
        let records = try log.keyedRecords()
        #expect(records.count < 40)
        for (offset, record) in records {
            let isFirst = offset % 2 == 0
            #expect(record.key == (isFirst ? "a\(offset / 2 % 3)" : "b\(offset / 2 % 7)"))
            #expect(record.timestampMs == 1_700_000_000_000 + (isFirst ? offset / 2 : 0))
        }
        #expect(try store.verify() == [])
    }

    @Test("the same log is compacted to the same bytes")
    func writeCompacted() throws {
        let fixture = try writtenCompacted()
        let golden = try readTree(Self.fixtures + "/compacted")
        #expect(fixture.disk.allFiles == golden.keys.map { Self.folder + "/" + $0 }.sorted())
        for (path, bytes) in golden {
            #expect(fixture.disk.contents(Self.folder + "/" + path) == bytes, "\(path)")
        }
    }

    @Test("the same log is written as the same bytes")
    func write() throws {
        _ = try opened("plain")
        let fixture = try written()
        let golden = try readTree(Self.fixtures + "/plain")
        #expect(fixture.disk.allFiles == golden.keys.map { Self.folder + "/" + $0 }.sorted())
        let topicPath = "topics/golden/topic"
        for (path, bytes) in golden where path != topicPath {
            #expect(fixture.disk.contents(Self.folder + "/" + path) == bytes, "\(path)")
        }
        let topicFile = try #require(fixture.disk.contents(Self.folder + "/" + topicPath))
        let later = Self.fixtures + "/later"
        if getenv("LOGSTORE_WRITE_FIXTURES") != nil {
            try POSIXFileSystem().createDirectory(later)
            try POSIXFileSystem().replaceFile(later + "/topic", with: topicFile)
        }
        #expect(try POSIXFileSystem().readFile(later + "/topic", maxBytes: 1 << 16) == topicFile)
    }

    @Test("verification names what is damaged, and nothing else")
    func verification() throws {
        let fixture = try written()
        var store = try fixture.open()
        var total: Int64 = 0
        let none = try store.verify { done, all in
            if done <= all { total = done }
        }
        #expect(none == [])
        #expect(total == store.topic("golden")?.partitions[0].sizeBytes)
        store.close()
        let segment = LogFixture.segmentPath(topic: "golden")
        fixture.disk.flipBit(segment, 700 * 8)
        store = try fixture.open()
        let problems = try store.verify()
        #expect(problems.map(\.path) == [segment])
        #expect(problems.first?.message.contains("damaged at byte") == true)
    }
}

import Disk
import LogStore
import TestSupport
import Testing

@Suite("Damaged files")
struct DamageTests {
    private let texts = (0..<12).map { "this is record number \($0) of twelve" }

    /// A log of twelve one-record batches; `isClean` says whether it was closed in order.
    private func damagedLog(isClean: Bool, segmentBytes: Int64 = 1 << 20) throws -> LogFixture {
        var fixture = LogFixture()
        fixture.settings.indexIntervalBytes = 100
        var config = TopicConfig()
        config.segmentBytes = segmentBytes
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for (number, text) in texts.enumerated() {
            _ = try log.appendBlocking([batch([text], timestampMs: 1000 + Int64(number))])
        }
        if isClean { store.close() }
        fixture.disk.crash(.all)
        return fixture
    }

    /// Reads all that can be read, going on behind damage as the errors say.
    private func salvage(_ log: PartitionLog) throws -> [SeenRecord] {
        var seen: [SeenRecord] = []
        var next = log.startOffset
        while next < log.endOffset {
            do {
                let found = try records(try log.read(from: next, maxBytes: 150)).filter { $0.offset >= next }
                let last = try #require(found.last)
                seen += found
                next = last.offset + 1
            } catch let error as LogStoreError {
                #expect(error.code == .corruptBatch)
                let resume = try #require(error.resumeOffset)
                try #require(resume > next)
                next = resume
            }
        }
        return seen
    }

    private var expected: [SeenRecord] {
        texts.enumerated().map { SeenRecord(offset: Int64($0), text: $1) }
    }

    @Test(
        "a flipped bit anywhere in a segment is never served, and costs at most what lies near",
        arguments: [true, false])
    func segmentBits(isClean: Bool) throws {
        let size = try #require(try damagedLog(isClean: isClean).disk.contents(LogFixture.segmentPath())).count
        for bit in stride(from: 0, to: size * 8, by: 5) {
            let fixture = try damagedLog(isClean: isClean)
            fixture.disk.flipBit(LogFixture.segmentPath(), bit)
            let store = try fixture.open()
            let log = try #require(store.topic("t")?.partitions[0])
            let seen = try salvage(log)
            #expect(seen.allSatisfy { expected.contains($0) }, "bit \(bit)")
            #expect(seen.count >= texts.count - 4, "bit \(bit): \(seen.count) left")
            #expect(log.endOffset == 12, "bit \(bit)")
            #expect(store.recovery.cutBytes == 0, "bit \(bit): acknowledged records are never cut")
            // The leader epoch, bytes 12 to 15, has no checksum and no meaning here.
            if !isClean, seen != expected { #expect(store.recovery.problems.count == 1, "bit \(bit)") }
            #expect(try log.appendBlocking([batch(["after"])]).baseOffset == 12, "bit \(bit)")
            #expect(try records(try log.read(from: 12, maxBytes: 1)).map(\.text) == ["after"])
        }
    }

    @Test("a segment cut short says so, keeps the rest and goes on behind it", arguments: [true, false])
    func truncatedSegment(isClean: Bool) throws {
        let whole = try #require(try damagedLog(isClean: isClean).disk.contents(LogFixture.segmentPath()))
        for count in stride(from: 0, to: whole.count, by: 7) {
            let fixture = try damagedLog(isClean: isClean)
            fixture.disk.plant(LogFixture.segmentPath(), Array(whole[..<count]))
            var store = try fixture.open()
            #expect(store.recovery.problems.count == 1)
            #expect(store.recovery.cutBytes == 0)
            var log = try #require(store.topic("t")?.partitions[0])
            let seen = try salvage(log)
            #expect(seen == Array(expected.prefix(seen.count)))
            #expect(seen.count >= count * 12 / whole.count - 1)
            #expect(try log.appendBlocking([batch(["after"])]).baseOffset == 12)
            store.close()
            store = try fixture.open()
            log = try #require(store.topic("t")?.partitions[0])
            #expect(try salvage(log) == seen + [SeenRecord(offset: 12, text: "after")])
            #expect(store.recovery.problems.count == 1, "it is said at every start")
        }
    }

    @Test("a damaged older segment is reported, not cut, and the others are read")
    func olderSegment() throws {
        for isFlipped in [true, false] {
            let fixture = try damagedLog(isClean: false, segmentBytes: 1024)
            let first = try #require(fixture.disk.contents(LogFixture.segmentPath()))
            if isFlipped {
                fixture.disk.flipBit(LogFixture.segmentPath(), first.count * 4)
            } else {
                fixture.disk.plant(LogFixture.segmentPath(), Array(first.dropLast(30)))
            }
            // Without the indexes the damage is met at the start.
            fixture.disk.plant(LogFixture.segmentPath(0, ".timeindex"), [])
            let store = try fixture.open()
            #expect(store.recovery.problems.count == 1)
            #expect(store.recovery.cutBytes == 0)
            let log = try #require(store.topic("t")?.partitions[0])
            let seen = try salvage(log)
            #expect(seen.count >= 8 && seen.count < 12)
            #expect(seen.last == expected.last)
            #expect(try log.appendBlocking([batch(["after"])]).baseOffset == 12)
        }
    }

    @Test("a tail that was never acknowledged is cut wherever it was torn")
    func tornTail() throws {
        let fixture = try damagedLog(isClean: false)
        let acknowledged = try #require(fixture.disk.contents(LogFixture.segmentPath()))
        let pointPath = "/data/log/topics/t/0/recovery-point"
        let point = try #require(fixture.disk.contents(pointPath))
        let store = try fixture.open()
        _ = try store.topic("t")?.partitions[0].appendBlocking([batch(["the last one"])])
        store.close()
        let longer = try #require(fixture.disk.contents(LogFixture.segmentPath()))
        for count in acknowledged.count..<longer.count {
            for filler in [nil, 0, 0xFF] as [UInt8?] {
                fixture.disk.crash(.all)
                let tail = filler.map { [UInt8](repeating: $0, count: longer.count - count) } ?? []
                if longer[..<count] + tail == longer[...] { continue }
                fixture.disk.plant(LogFixture.segmentPath(), Array(longer[..<count]) + tail)
                fixture.disk.plant(pointPath, point)
                let store = try fixture.open()
                let log = try #require(store.topic("t")?.partitions[0])
                #expect(store.recovery.problems == [])
                #expect(store.recovery.cutBytes == Int64(count + tail.count - acknowledged.count))
                #expect(try log.everything() == expected)
                #expect(fixture.disk.contents(LogFixture.segmentPath()) == acknowledged)
                store.close()
            }
        }
        // Whole, it is taken: whether it was acknowledged nobody knows.
        fixture.disk.crash(.all)
        fixture.disk.plant(LogFixture.segmentPath(), longer)
        fixture.disk.plant(pointPath, point)
        #expect(try fixture.open().topic("t")?.partitions[0].everything().count == 13)
    }

    @Test("missing, cut, garbled or flipped indexes change no answer", arguments: [".index", ".timeindex"])
    func indexes(suffix: String) throws {
        let segmentBytes: Int64 = 1024
        let original = try damagedLog(isClean: true, segmentBytes: segmentBytes)
        let bases = original.disk.allFiles.filter { $0.hasSuffix(".log") && $0.contains("/0/") }
        #expect(bases.count == 2)
        for segment in bases {
            let path = segment.dropLast(4) + suffix
            let size = try #require(original.disk.contents(String(path))).count
            #expect(size > 4)
            let damages: [(SimulatedDisk) throws -> Void] =
                (0..<size * 8).map { bit in { $0.flipBit(String(path), bit) } }
                + (0..<size).map { count in
                    { disk in
                        disk.plant(String(path), Array(disk.contents(String(path))?.prefix(count) ?? []))
                    }
                } + [{ try $0.remove(String(path)) }, { $0.plant(String(path), [UInt8](repeating: 0, count: 64)) }]
            for (number, damage) in damages.enumerated() where number % 3 == 0 || number >= size * 8 {
                let fixture = try damagedLog(isClean: true, segmentBytes: segmentBytes)
                try damage(fixture.disk)
                let store = try fixture.open()
                let log = try #require(store.topic("t")?.partitions[0])
                #expect(try log.everything() == expected, "\(path), damage \(number)")
                for offset in [0, 5, 11] as [Int64] {
                    #expect(try records(try log.read(from: offset, maxBytes: 1)).first?.offset == offset)
                    #expect(try log.offset(atOrAfterMs: 1000 + offset) == offset, "\(path), damage \(number)")
                }
                #expect(store.recovery.problems == [])
            }
        }
    }

    @Test("a damaged recovery point only means more to scan")
    func recoveryPoint() throws {
        let path = "/data/log/topics/t/0/recovery-point"
        for bit in 0..<48 * 8 {
            let fixture = try damagedLog(isClean: true)
            fixture.disk.flipBit(path, bit)
            let store = try fixture.open()
            #expect(store.recovery.problems == [])
            #expect(store.recovery.scannedBytes > 0)
            #expect(try store.topic("t")?.partitions[0].everything() == expected)
        }
    }

    @Test("a topic whose file is damaged keeps its records, says so, and deletes nothing")
    func topicFile() throws {
        let path = "/data/log/topics/t/topic"
        let size = try #require(try damagedLog(isClean: true).disk.contents(path)).count
        for bit in stride(from: 0, to: size * 8, by: 3) {
            let fixture = try damagedLog(isClean: true)
            fixture.disk.flipBit(path, bit)
            let store = try fixture.open()
            #expect(store.recovery.problems.count == 1)
            let topic = try #require(store.topic("t"))
            #expect(try topic.partitions[0].everything() == expected)
            #expect(topic.config.retentionMs == -1)
        }
        let fixture = try damagedLog(isClean: true)
        try fixture.disk.remove(path)
        let store = try fixture.open()
        #expect(store.recovery.problems.count == 1)
        #expect(try store.topic("t")?.partitions[0].everything() == expected)
        try store.topic("t")?.alter(TopicConfig())
        store.close()
        #expect(try fixture.open().recovery.problems == [])
    }

    @Test("damaged group offsets cost the damaged commit only")
    func groupOffsets() throws {
        let path = "/data/log/group-offsets"
        func make() throws -> LogFixture {
            let fixture = LogFixture()
            let store = try fixture.open()
            for number in 0..<3 as Range<Int64> {
                try store.commitOffsets(
                    group: "g\(number)", [TopicPartition(topic: "t", partition: 0): CommittedOffset(offset: number)])
            }
            store.close()
            fixture.disk.crash(.none)
            return fixture
        }
        let size = try #require(try make().disk.contents(path)).count
        for bit in 0..<size * 8 {
            let fixture = try make()
            fixture.disk.flipBit(path, bit)
            let store = try fixture.open()
            #expect(store.groups.count == 2)
            for group in store.groups {
                #expect(store.committedOffsets(group: group).values.map { "g\($0.offset)" } == [group])
            }
            // In the last record it looks like a torn tail.
            #expect(store.recovery.problems.count == 1 || store.recovery.cutBytes == Int64(size / 3))
        }
    }
}

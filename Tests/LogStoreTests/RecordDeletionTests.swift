import Disk
import LogStore
import TestSupport
import Testing

@Suite("Deleting records")
struct RecordDeletionTests {
    /// Twenty records in batches of two, two or so batches a segment.
    private func filled(
        _ fixture: LogFixture, _ change: (inout TopicConfig) -> Void = { _ in }
    ) throws -> (LogStore, PartitionLog) {
        var config = TopicConfig()
        config.segmentBytes = 700
        change(&config)
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for number in 0..<10 {
            _ = try log.appendBlocking([batch(["\(number)", String(repeating: "x", count: 200)])])
        }
        #expect(log.segments.count > 3)
        return (store, log)
    }

    private func segmentFiles(_ fixture: LogFixture) -> Int {
        fixture.disk.allFiles.filter { $0.hasSuffix(".log") && $0.contains("/t/") }.count
    }

    @Test("records before an offset are gone for readers, also after a crash; whole segments leave the disk")
    func deletion() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        defer { store.close() }
        let files = segmentFiles(fixture)
        #expect(try log.deleteRecords(before: 0) == 0)
        #expect(try log.deleteRecords(before: 11) == 11)
        #expect(log.startOffset == 11)
        #expect(segmentFiles(fixture) < files)
        #expect(log.segments[0].baseOffset > 0 && log.segments[0].baseOffset <= 11)
        for offset in [0, 10] as [Int64] {
            #expect(
                logCode { () throws(LogStoreError) in _ = try log.read(from: offset, maxBytes: 1) }
                    == .offsetOutOfRange)
            #expect(
                logCode { () throws(LogStoreError) in _ = try log.slice(from: offset, maxBytes: 1) }
                    == .offsetOutOfRange)
        }
        #expect(try log.everything().map(\.offset) == Array(11..<20))
        #expect(try log.offset(atOrAfterMs: 0) == 11)
        #expect(try #require(try log.maxTimestampAndOffset()).offset >= 11)
        // Less than what is gone deletes nothing and says where the log begins.
        #expect(try log.deleteRecords(before: 5) == 11)
        fixture.disk.crash(.none)
        let again = try fixture.open()
        #expect(again.recovery.problems == [])
        #expect(try again.topic("t")?.partitions[0].everything().map(\.offset) == Array(11..<20))
    }

    @Test("-1 deletes all there is, offsets go on", arguments: [Durability.fsync, .interval(ms: 3_600_000), .os])
    func everything(durability: Durability) throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture) { $0.durability = durability }
        defer { store.close() }
        #expect(try log.deleteRecords(before: -1) == 20)
        #expect(log.startOffset == 20 && log.endOffset == 20 && log.sizeBytes == 0)
        #expect(try log.read(from: 20, maxBytes: 1) == [])
        #expect(try log.maxTimestampAndOffset() == nil)
        #expect(segmentFiles(fixture) == 1)
        fixture.disk.crash(.none)
        let reopened = try fixture.open()
        defer { reopened.close() }
        let again = try #require(reopened.topic("t")?.partitions[0])
        #expect(again.startOffset == 20 && again.endOffset == 20)
        #expect(try again.appendBlocking([batch(["next"])]).baseOffset == 20)
        #expect(try again.deleteRecords(before: 21) == 21)
        #expect(try again.deleteRecords(before: -1) == 21)
    }

    @Test("offsets that are not there, and topics that are only compacted, are refused")
    func refused() throws {
        let (store, log) = try filled(LogFixture())
        for offset in [21, Int64.max, -2, .min] {
            #expect(
                logCode { () throws(LogStoreError) in try log.deleteRecords(before: offset) } == .offsetOutOfRange)
        }
        var config = try #require(store.topic("t")?.config)
        config.cleanupPolicy = .compact
        try store.topic("t")?.alter(config)
        #expect(logCode { () throws(LogStoreError) in try log.deleteRecords(before: 5) } == .policyViolation)
        config.cleanupPolicy = .compactAndDelete
        try store.topic("t")?.alter(config)
        #expect(try log.deleteRecords(before: 5) == 5)
        store.close()
        #expect(logCode { () throws(LogStoreError) in try log.deleteRecords(before: 7) } == .closed)
    }

    @Test("what a hold keeps stays for its holder and goes once the hold has passed")
    func holds() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        log.holdRetention(name: "table", storedOffset: 7)
        #expect(try log.deleteRecords(before: -1) == 20)
        #expect(log.startOffset == 20 && log.keptOffset == 7)
        #expect(logCode { () throws(LogStoreError) in _ = try log.read(from: 7, maxBytes: 1) } == .offsetOutOfRange)
        #expect(try records(try log.readKept(from: 7, maxBytes: 1)).map(\.offset) == [6, 7])
        // What the holder had stored by then is gone for it, too, whatever is left in the files.
        #expect(logCode { () throws(LogStoreError) in _ = try log.readKept(from: 6, maxBytes: 1) } == .offsetOutOfRange)
        fixture.disk.crash(.none)
        let again = try fixture.open()
        let found = try #require(again.topic("t")?.partitions[0])
        #expect(found.startOffset == 20 && found.keptOffset == 7)
        found.holdRetention(name: "table", storedOffset: 7)
        try again.applyRetention()
        var next = found.keptOffset
        while next < 20 {
            next = try #require(try records(try found.readKept(from: next, maxBytes: 1)).last).offset + 1
        }
        found.holdRetention(name: "table", storedOffset: 20)
        try again.applyRetention()
        #expect(segmentFiles(fixture) == 1 && found.sizeBytes == 0)
        store.close()
    }

    @Test("the golden file of a log's start is read, and the same start is written as the same bytes")
    func golden() throws {
        let tests = parentDirectory(of: parentDirectory(of: #filePath) ?? "") ?? ""
        let path = (parentDirectory(of: tests) ?? "") + "/Fixtures/log-v1/later/log-start"
        let golden = try POSIXFileSystem().readFile(path, maxBytes: 100)
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        store.close()
        #expect(log.startOffset == 0)
        fixture.disk.plant("/data/log/topics/t/0/log-start", golden)
        let again = try fixture.open()
        let found = try #require(again.topic("t")?.partitions[0])
        #expect(found.startOffset == 11 && found.keptOffset == 7)
        again.close()

        let other = LogFixture()
        let (writer, written) = try filled(other)
        written.holdRetention(name: "table", storedOffset: 7)
        try written.deleteRecords(before: 11)
        writer.close()
        #expect(other.disk.contents("/data/log/topics/t/0/log-start") == golden)
    }

    @Test("power lost at any operation leaves the old start or the new one, and no hole")
    func crashes() throws {
        var interrupted = 0
        for operation in 1...25 {
            for (survival, seed) in [(SimulatedDisk.Survival.none, 0), (.all, 0), (.random, 1), (.random, 2)] {
                let fixture = LogFixture()
                let (store, log) = try filled(fixture)
                try log.deleteRecords(before: 3)
                fixture.disk.cutPower(atOperation: operation)
                let isDone = (try? log.deleteRecords(before: 15)) != nil
                if !isDone { interrupted += 1 }
                store.close()
                fixture.disk.crash(survival, seed: UInt64(operation * 10 + seed))
                let label = "operation \(operation), \(survival), seed \(seed)"
                let again = try fixture.open()
                #expect(again.recovery.problems == [], "\(label)")
                let found = try #require(again.topic("t")?.partitions[0])
                #expect(found.startOffset == 15 || (found.startOffset == 3 && !isDone), "\(label)")
                #expect(try found.everything().map(\.offset) == Array(found.startOffset..<20), "\(label)")
                #expect(try found.deleteRecords(before: 15) == 15, "\(label)")
                try again.applyRetention()
                #expect(try found.everything().map(\.offset) == Array(15..<20), "\(label)")
                #expect(try found.appendBlocking([batch(["more"])]).baseOffset == 20, "\(label)")
            }
        }
        #expect(interrupted > 20)
    }

    @Test("a full disk refuses the deletion, or finishes it later")
    func full() throws {
        for operation in 1...6 {
            let fixture = LogFixture()
            let (store, log) = try filled(fixture)
            fixture.disk.failOperation(
                number: operation, of: [.open, .write, .rename, .remove], with: .full)
            let code = logCode { () throws(LogStoreError) in try log.deleteRecords(before: 15) }
            fixture.disk.clearFailures()
            #expect(code == nil || code == .diskFull, "operation \(operation)")
            #expect(log.startOffset == 15 || (code != nil && log.startOffset == 0), "operation \(operation)")
            #expect(try log.everything().map(\.offset) == Array(log.startOffset..<20))
            #expect(try log.deleteRecords(before: 16) == 16)
            store.close()
        }
    }

    @Test("a damaged file is reported, and costs no record")
    func damage() throws {
        let reference = LogFixture()
        let (store, log) = try filled(reference)
        try log.deleteRecords(before: 11)
        let base = log.segments[0].baseOffset
        store.close()
        let path = "/data/log/topics/t/0/log-start"
        let size = try #require(reference.disk.contents(path)).count
        for bit in 0..<size * 8 {
            let fixture = LogFixture()
            for file in reference.disk.allFiles { fixture.disk.plant(file, reference.disk.contents(file) ?? []) }
            fixture.disk.flipBit(path, bit)
            let again = try fixture.open()
            #expect(again.recovery.problems.map(\.path) == [path], "bit \(bit)")
            let found = try #require(again.topic("t")?.partitions[0])
            #expect(found.startOffset == base)
            #expect(try found.everything().map(\.offset).contains(19))
            again.close()
        }
    }

    @Test("a log whose end was lost to damage goes on where it begins")
    func endLost() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        try log.deleteRecords(before: 19)
        store.close()
        for file in fixture.disk.allFiles where file.contains("/t/0/") && !file.hasSuffix("log-start") {
            try fixture.disk.remove(file)
        }
        let again = try fixture.open()
        #expect(!again.recovery.problems.isEmpty)
        let found = try #require(again.topic("t")?.partitions[0])
        #expect(found.startOffset == 19 && found.endOffset == 19)
        #expect(try found.appendBlocking([batch(["next"])]).baseOffset == 19)
        #expect(try found.everything().map(\.text) == ["next"])
    }
}

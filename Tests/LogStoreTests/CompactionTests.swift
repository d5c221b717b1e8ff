import Compression
import Disk
import LogStore
import TestSupport
import Testing

@Suite("Compaction")
struct CompactionTests {
    private func policy(_ config: TopicConfig) throws -> CompactionPolicy { try #require(config.compaction) }

    private func record(_ key: String?, _ value: String?, _ timestampMs: Int64 = 1_700_000_000_000) -> KeyedRecord {
        KeyedRecord(key: key, value: value, timestampMs: timestampMs)
    }

    /// A log with one batch a record, and its model.
    private func makeLog(
        _ fixture: LogFixture, _ records: [KeyedRecord], config: TopicConfig
    ) throws -> (LogStore, PartitionLog, CompactionModel) {
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for record in records { _ = try log.appendBlocking([keyedBatch([record])]) }
        return (store, log, CompactionModel(records: records, acknowledged: records.count))
    }

    private func updates(_ count: Int, keys: Int) -> [KeyedRecord] {
        (0..<count).map { record("key \($0 % keys)", "value \($0) " + String(repeating: "x", count: 30)) }
    }

    @Test("of each key the last record stays, at its offset; every offset can be read from, also after a restart")
    func keepsLast() throws {
        let fixture = LogFixture()
        let config = compacted()
        var (store, log, model) = try makeLog(fixture, updates(100, keys: 7), config: config)
        let before = log.sizeBytes
        let active = try #require(log.segments.last).baseOffset
        let freed = try store.compact()
        #expect(freed > before / 2)
        #expect(log.sizeBytes == before - freed)
        #expect(log.startOffset == 0 && log.endOffset == 100)
        try model.check(log)
        try model.checkCompacted(log, upTo: active)
        #expect(try store.verify() == [])
        for isRestarted in [false, true] {
            if isRestarted {
                store.close()
                store = try fixture.open()
                log = try #require(store.topic("t")?.partitions[0])
                #expect(store.recovery.problems == [])
                #expect(store.recovery.scannedBytes == 0)
            }
            for offset in 0..<100 as Range<Int64> {
                let first = try #require(try headers(try log.read(from: offset, maxBytes: 1)).first)
                #expect((first.baseOffset...first.lastOffset).contains(offset))
                let slice = try #require(try log.slice(from: offset, maxBytes: 300))
                #expect(try headers(slice.read()).first == first)
            }
            try model.check(log)
        }
        #expect(try store.compact() == 0, "it is known how far the log is compacted")
    }

    @Test("batches of every codec keep codec, keys, values, headers and timestamps; several records a batch")
    func codecs() throws {
        for codec in Codec.allCases {
            let fixture = LogFixture()
            let store = try fixture.open()
            let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 3000)).partitions[0]
            let workload = CompactionWorkload(fixture, seed: UInt64(codec.rawValue) + 1, codecs: [codec])
            for _ in 0..<120 {
                try workload.append(log)
                fixture.clock.advance(milliseconds: 3)
            }
            #expect(try store.compact() > 0)
            try workload.model.check(log, codec.name)
            var next: Int64 = 0
            while next < log.endOffset {
                for batch in try headers(try log.read(from: next, maxBytes: 5000)) {
                    #expect(batch.recordCount == 0 || batch.codec == codec)
                    next = batch.nextOffset
                }
            }
        }
    }

    @Test("a tombstone takes its key's values at once and goes itself delete.retention.ms later")
    func tombstones() throws {
        let fixture = LogFixture()
        let config = compacted(deleteRetentionMs: 5000)
        let filling = updates(20, keys: 2)
        let (store, log, _) = try makeLog(fixture, [record("a", "1"), record("a", nil)] + filling, config: config)
        #expect(try store.compact() > 0)
        var found = try log.keyedRecords()
        #expect(found.first?.offset == 1 && found.first?.record == record("a", nil))
        // It stays through compactions until its time has come.
        for (number, isKept) in [(1, true), (2, true), (3, false)] {
            fixture.clock.advance(milliseconds: 2000)
            for record in filling { _ = try log.appendBlocking([keyedBatch([record])]) }
            try store.compact()
            found = try log.keyedRecords()
            #expect(found.contains { $0.record.key == "a" } == isKept, "compaction \(number)")
        }
        #expect(log.startOffset == 0)
        #expect(try headers(try log.read(from: 0, maxBytes: 1)).first?.baseOffset == 0)
    }

    @Test("the tombstone's time does not change its timestamp")
    func horizonKeepsTimestamps() throws {
        let fixture = LogFixture()
        let (store, log, model) = try makeLog(
            fixture, [record("a", "1", 5), record("b", nil, -7)] + updates(20, keys: 2), config: compacted())
        try store.compact()
        try model.check(log)
        let batches = try headers(try log.read(from: 1, maxBytes: 1))
        #expect(batches.first?.deleteHorizonMs == fixture.clock.nowMs() + 1000)
    }

    @Test("records without a key, from before the topic was compacted, go")
    func keyless() throws {
        let fixture = LogFixture()
        var config = compacted()
        config.cleanupPolicy = .delete
        let (store, log, model) = try makeLog(
            fixture, updates(10, keys: 20) + [record(nil, "x")] + updates(20, keys: 2), config: config)
        #expect(try store.compact() == 0)
        try #require(store.topic("t")).alter(compacted())
        try store.compact()
        #expect(try !log.keyedRecords().contains { $0.record.key == nil })
        try model.check(log)
    }

    @Test("what a table has not stored stays")
    func hold() throws {
        let fixture = LogFixture()
        let (store, log, model) = try makeLog(fixture, updates(100, keys: 3), config: compacted())
        log.holdRetention(name: "table", storedOffset: 0)
        #expect(try store.compact() == 0)
        #expect(try log.keyedRecords().count == 100)
        log.holdRetention(name: "table", storedOffset: 50)
        #expect(try store.compact() > 0)
        #expect(try log.keyedRecords().filter { $0.offset >= 50 }.count == 50)
        log.releaseRetention(name: "table")
        #expect(try store.compact() > 0)
        try model.check(log)
        #expect(try log.keyedRecords().count < 30)
    }

    @Test("min.compaction.lag.ms keeps what is young, max.compaction.lag.ms compacts what is old")
    func lags() throws {
        let fixture = LogFixture()
        var config = compacted(ratio: 0.99)
        config.minCompactionLagMs = 1000
        let (store, log, model) = try makeLog(fixture, updates(60, keys: 3), config: config)
        config.minCleanableDirtyRatio = 0
        #expect(try log.compact(policy(config)) == 0, "too young")
        fixture.clock.advance(milliseconds: 1000)
        #expect(try log.compact(policy(config)) > 0)
        config.minCompactionLagMs = 0
        config.minCleanableDirtyRatio = 1
        _ = try log.appendBlocking([keyedBatch([record("a", "1")]), keyedBatch([record("a", "2")])])
        let active = try #require(log.segments.last).baseOffset
        #expect(try log.compact(policy(config)) == 0, "not dirty enough")
        config.maxCompactionLagMs = 2000
        #expect(try log.compact(policy(config)) == 0)
        fixture.clock.advance(milliseconds: 2001)
        #expect(try log.compact(policy(config)) > 0, "the segment being written is closed, too")
        #expect(try #require(log.segments.last).baseOffset > active)
        #expect(try log.keyedRecords().filter { $0.record.key == "a" }.map(\.offset) == [61])
        try CompactionModel(
            records: model.records + [record("a", "1"), record("a", "2")], acknowledged: 62
        ).check(log)
        _ = store
    }

    @Test("a log that is not dirty enough, or whose topic is not compacted, is left alone without touching the disk")
    func nothingToDo() throws {
        let fixture = LogFixture()
        let (store, log, _) = try makeLog(fixture, updates(60, keys: 3), config: compacted(ratio: 0.5))
        _ = try store.createTopic("plain", partitions: 1)
        #expect(try store.compact() > 0)
        let count = fixture.disk.operationCount(Set(SimulatedDisk.Operation.allCases))
        for _ in 0..<3 { #expect(try store.compact() == 0) }
        _ = try log.appendBlocking([keyedBatch([record("a", "1")])], checking: .header)
        let after = fixture.disk.operationCount(Set(SimulatedDisk.Operation.allCases))
        #expect(try store.compact() == 0)
        #expect(fixture.disk.operationCount(Set(SimulatedDisk.Operation.allCases)) == after)
        #expect(after - count < 10)
    }

    @Test("segments that became small are merged, their offsets stay")
    func merging() throws {
        let fixture = LogFixture()
        let (store, log, model) = try makeLog(fixture, updates(300, keys: 4), config: compacted())
        #expect(log.segments.count > 15)
        try store.compact()
        #expect(log.segments.count < 4)
        try model.check(log)
        let names = fixture.disk.allFiles.filter { $0.contains("/t/0/") }
        #expect(names.filter { $0.hasSuffix(".log") }.count == log.segments.count)
        #expect(names.filter { $0.hasSuffix(".index") }.count == log.segments.count)
        #expect(!names.contains { $0.hasSuffix(".swap") || $0.hasSuffix(".cleaned") })
    }

    @Test("more keys than there is memory for take several passes")
    func smallMap() throws {
        var fixture = LogFixture()
        fixture.settings.compactionMapBytes = 1
        let (store, log, model) = try makeLog(
            fixture, updates(1500, keys: 700), config: compacted(segmentBytes: 4000))
        let active = try #require(log.segments.last).baseOffset
        try store.compact()
        try model.check(log)
        try model.checkCompacted(log, upTo: active)
        // A single batch of more keys than that gets more room.
        let many = (0..<900).map { record("many \($0 % 600)", "\($0)") }
        _ = try log.appendBlocking([keyedBatch(many)])
        for update in updates(100, keys: 2) { _ = try log.appendBlocking([keyedBatch([update])]) }
        try store.compact()
        #expect(try log.keyedRecords().filter { $0.record.key?.hasPrefix("many") == true }.count == 600)
    }

    @Test("compact,delete does both; compact alone deletes nothing")
    func both() throws {
        for policy in [CleanupPolicy.compact, .compactAndDelete] {
            let fixture = LogFixture()
            var config = compacted()
            config.cleanupPolicy = policy
            config.retentionMs = 10_000
            let (store, log, _) = try makeLog(fixture, updates(60, keys: 30), config: config)
            try store.compact()
            #expect(try log.keyedRecords().count < 60)
            fixture.clock.advance(milliseconds: 20_000)
            fixture.disk.nowMs = fixture.clock.nowMs()
            try store.applyRetention()
            #expect((log.startOffset > 0) == policy.deletes)
            #expect(try log.keyedRecords().isEmpty == policy.deletes)
        }
    }

    @Test("records are found by time in a compacted log")
    func byTime() throws {
        let fixture = LogFixture()
        let records = (0..<80 as Range<Int64>).map { record("key \($0 % 5)", "value \($0)", 1000 + $0) }
        let (store, log, _) = try makeLog(fixture, records, config: compacted())
        try store.compact()
        let left = try log.keyedRecords()
        for timestamp in 990..<1085 as Range<Int64> {
            let expected = left.first { $0.record.timestampMs >= timestamp }?.offset
            #expect(try log.offset(atOrAfterMs: timestamp) == expected, "\(timestamp)")
        }
        #expect(try log.maxTimestampAndOffset()?.offset == 79)
    }

    @Test("random lives: what must be there is there, what was compacted holds each key once", arguments: 1...12)
    func random(seed: UInt64) throws {
        var fixture = LogFixture()
        fixture.settings.indexIntervalBytes = 200
        let config = compacted(segmentBytes: [200, 600, 1500][Int(seed % 3)], deleteRetentionMs: 1500)
        let workload = CompactionWorkload(fixture, seed: seed, keyCount: 20, codecs: Codec.allCases)
        let store = try workload.run(try fixture.open(), config: config, steps: 250, restarts: true)
        let log = try #require(store.topic("t")?.partitions[0])
        #expect(store.recovery.problems == [])
        try workload.model.check(log, readBytes: 100)
        let active = try #require(log.segments.last).baseOffset
        try store.compact()
        try workload.model.check(log, readBytes: 5000)
        try workload.model.checkCompacted(log, upTo: active)
        #expect(try store.verify() == [])
        store.close()
    }
}

import Compression
import Disk
import LogStore
import TestSupport
import Testing

@Suite("What topics ask of records")
struct RecordLimitsTests {
    private static let nowMs: Int64 = 1_700_000_000_000

    private func topic(_ store: LogStore, _ settings: [(String, String)]) throws -> PartitionLog {
        var config = store.defaultConfig
        for (name, value) in settings { try config.set(name, to: value) }
        return try store.createTopic("t", partitions: 1, config: config).partitions[0]
    }

    private func error(_ log: PartitionLog, _ batches: [[UInt8]], _ check: BatchCheck = .records) -> LogStoreError? {
        do throws(LogStoreError) {
            _ = try log.appendBlocking(batches, checking: check)
            return nil
        } catch {
            return error
        }
    }

    /// Records of 5 bytes, with keys where `hasKey` says.
    private func keyed(_ hasKey: [Bool], codec: Codec = .none) throws -> [UInt8] {
        var builder = RecordBatchBuilder(codec: codec)
        for (index, isKeyed) in hasKey.enumerated() {
            builder.append(
                timestampMs: Self.nowMs, key: isKeyed ? Array("k\(index)".utf8) : nil, value: Array("value".utf8))
        }
        return try builder.finish()
    }

    @Test("a compacted topic takes no records without keys, and says which they were", arguments: [Codec.none, .lz4])
    func keys(codec: Codec) throws {
        for policy in ["compact", "delete,compact"] {
            let store = try LogFixture().open()
            let log = try topic(store, [("cleanup.policy", policy)])
            for check in [BatchCheck.records, .header] {
                let refused = error(
                    log, [try keyed([true, false, true], codec: codec), try keyed([false], codec: codec)], check)
                #expect(refused?.code == .invalidRecord && refused?.kafkaCode == 87)
                #expect(refused?.recordErrors.map(\.index) == [1, 3])
            }
            #expect(log.endOffset == 0)
            #expect(try error(log, [keyed([true, true], codec: codec)]) == nil)
            store.close()
        }
        let store = try LogFixture().open()
        #expect(try error(topic(store, []), [keyed([false], codec: codec)]) == nil)
        store.close()
    }

    @Test("thousands of wrong records make an error of bounded size")
    func bounded() throws {
        let store = try LogFixture().open()
        let log = try topic(store, [("cleanup.policy", "compact")])
        let refused = error(log, [try keyed(Array(repeating: false, count: 5000))])
        #expect(refused?.recordErrors.count == 1000 && refused?.message.contains("5000 of 5000") == true)
        store.close()
    }

    @Test(
        "timestamps too far from now are refused",
        arguments: [
            ([("message.timestamp.before.max.ms", "1000")], -1001 as Int64, true),
            ([("message.timestamp.before.max.ms", "1000")], -1000, false),
            ([("message.timestamp.before.max.ms", "1000")], 5000, false),
            ([("message.timestamp.after.max.ms", "1000")], 1001, true),
            ([("message.timestamp.after.max.ms", "1000")], 1000, false),
            ([("message.timestamp.after.max.ms", "1000")], -5000, false),
            ([("message.timestamp.difference.max.ms", "1000")], 1001, true),
            ([("message.timestamp.difference.max.ms", "1000")], -1001, true),
            ([("message.timestamp.difference.max.ms", "1"), ("message.timestamp.after.max.ms", "1000")], 1000, false),
            ([("message.timestamp.after.max.ms", "1000")], Int64.max - 1_700_000_000_001, true),
            ([("message.timestamp.before.max.ms", "1000")], Int64.min + 10, true),
            ([("message.timestamp.after.max.ms", "0"), ("message.timestamp.type", "LogAppendTime")], 1, false),
            ([], 1_000_000_000_000, false),
        ])
    func times(settings: [(String, String)], distanceMs: Int64, isRefused: Bool) throws {
        let store = try LogFixture().open()
        let log = try topic(store, settings)
        var builder = RecordBatchBuilder()
        builder.append(timestampMs: Self.nowMs, value: Array("right".utf8))
        let (timestampMs, overflow) = Self.nowMs.addingReportingOverflow(distanceMs)
        builder.append(timestampMs: overflow ? distanceMs : timestampMs, value: Array("perhaps".utf8))
        let refused = error(log, [try builder.finish()])
        #expect((refused != nil) == isRefused)
        if isRefused {
            #expect(refused?.code == .invalidTimestamp && refused?.kafkaCode == 32)
            #expect(refused?.recordErrors.map(\.index) == [1])
        }
        store.close()
    }

    @Test("a record without a timestamp is not measured")
    func noTimestamp() throws {
        let store = try LogFixture().open()
        let log = try topic(store, [("message.timestamp.before.max.ms", "1000")])
        #expect(try error(log, [batch(["a"], timestampMs: -1)]) == nil)
        store.close()
    }

    @Test("batches longer than the topic takes are refused")
    func tooLarge() throws {
        let store = try LogFixture().open()
        let log = try topic(store, [("max.message.bytes", "100")])
        let refused = error(log, [try batch([String(repeating: "x", count: 100)])])
        #expect(refused?.code == .messageTooLarge && refused?.kafkaCode == 10)
        #expect(try error(log, [batch(["x"])]) == nil)
        store.close()
    }
}

@Suite("The log's own timestamps")
struct LogAppendTimeTests {
    private func timestamps(_ log: PartitionLog) throws -> [Int64] {
        var found: [Int64] = []
        try RecordBatch.forEachRecord(in: try log.read(from: 0, maxBytes: 1 << 20), maxDecompressedBytes: 1 << 20) {
            found.append($0.timestampMs)
        }
        return found
    }

    @Test("records get the time of their append, under a right checksum", arguments: [Codec.none, .zstd])
    func stamped(codec: Codec) throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        var config = store.defaultConfig
        config.timestampType = .logAppendTime
        let topic = try store.createTopic("t", partitions: 1, config: config)
        let log = topic.partitions[0]
        let first = try log.appendBlocking([
            batch(["a", "b"], timestampMs: 5, codec: codec), batch(["c"], timestampMs: 9),
        ])
        #expect(first.logAppendTimeMs == 1_700_000_000_000)
        fixture.clock.advance(milliseconds: 1000)
        let second = try log.appendBlocking([batch(["d"], timestampMs: 1 << 60, codec: codec)])
        #expect(second.logAppendTimeMs == 1_700_000_001_000)
        #expect(try timestamps(log) == [0, 0, 0, 1000].map { 1_700_000_000_000 + $0 })
        #expect(try log.everything().map(\.text) == ["a", "b", "c", "d"])
        #expect(try log.timestampAndOffset(atOrAfterMs: 1_700_000_000_001)?.offset == 3)
        #expect(log.segments[0].maxTimestampMs == 1_700_000_001_000)
        // Altered back, the producer's count again.
        config.timestampType = .createTime
        try topic.alter(config)
        #expect(try log.appendBlocking([batch(["e"], timestampMs: 77)]).logAppendTimeMs == nil)
        #expect(try timestamps(log).last == 77)
        fixture.disk.crash(.none)
        let again = try fixture.open()
        #expect(again.recovery.problems == [] && again.recovery.cutBytes == 0)
        #expect(try again.verify() == [])
        #expect(try timestamps(#require(again.topic("t")?.partitions[0])).count == 5)
        store.close()
        again.close()
    }

    @Test("a producer may not say that its timestamps are the log's")
    func producersBit() throws {
        let store = try LogFixture().open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        var sent = try batch(["a"])
        sent[22] |= 0x08
        let checksum = CRC32C.checksum(Array(sent[21...]))
        for index in 0..<4 { sent[17 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * index)) }
        #expect(logCode { () throws(LogStoreError) in _ = try log.appendBlocking([sent]) } == .invalidTimestamp)
        store.close()
    }
}

import Disk
import LogStore
import TestSupport
import Testing

@Suite("Topics")
struct TopicTests {
    @Test(
        "names are Kafka's",
        arguments: [
            ("a", true), ("app.logs_2-X", true), (String(repeating: "n", count: 249), true), (".hidden", true),
            ("", false), (".", false), ("..", false), ("a/b", false), ("a b", false), ("ä", false), ("a\0", false),
            (String(repeating: "n", count: 250), false), ("../../etc", false),
        ])
    func names(name: String, isAllowed: Bool) throws {
        let store = try LogFixture().open()
        let code = logCode { () throws(LogStoreError) in _ = try store.createTopic(name, partitions: 1) }
        #expect(code == (isAllowed ? nil : .invalidTopicName))
    }

    @Test("a topic, its id and its settings outlive a restart and a crash")
    func durable() throws {
        let fixture = LogFixture()
        var config = TopicConfig()
        config.retentionMs = 12_345
        config.durability = .interval(ms: 7)
        var store = try fixture.open()
        let topic = try store.createTopic("t", partitions: 3, config: config)
        fixture.disk.crash(.none)
        store = try fixture.open()
        let again = try #require(store.topic("t"))
        #expect(again.id == topic.id)
        #expect(again.partitions.map(\.partition) == [0, 1, 2])
        #expect(again.config == config)
        config.retentionBytes = 99
        try again.alter(config)
        fixture.disk.crash(.none)
        #expect(try fixture.open().topic("t")?.config == config)
    }

    @Test("creating twice, too many partitions and bad settings are refused")
    func refused() throws {
        let store = try LogFixture().open()
        _ = try store.createTopic("t", partitions: 1)
        #expect(logCode { () throws(LogStoreError) in _ = try store.createTopic("t", partitions: 1) } == .topicExists)
        for count in [0, -1, 1025] {
            #expect(
                logCode { () throws(LogStoreError) in
                    _ = try store.createTopic("u", partitions: count)
                } == .invalidPartitions)
        }
        var config = TopicConfig()
        config.segmentBytes = 1
        #expect(
            logCode { () throws(LogStoreError) in
                _ = try store.createTopic("u", partitions: 1, config: config)
            } == .invalidConfig)
        #expect(store.topics.map(\.name) == ["t"])
        #expect(try store.ensureTopic("t") === store.topic("t"))
        #expect(try store.ensureTopic("new").partitions.count == 1)
    }

    @Test("settings are read and written by Kafka's names")
    func settings() throws {
        var config = TopicConfig()
        for (name, value) in [
            ("retention.ms", "-1"), ("retention.bytes", "5000"), ("segment.bytes", "4096"), ("segment.ms", "60000"),
            ("max.message.bytes", "100"), ("durability", "interval:250"), ("cleanup.policy", "compact,delete"),
        ] {
            try config.set(name, to: value)
            #expect(config.entries.first { $0.name == name }?.value == value)
        }
        #expect(config.entries.map(\.name) == TopicConfig.names)
        for (name, value) in [
            ("retention.ms", "-2"), ("retention.ms", "x"), ("segment.bytes", "99999999999"),
            ("durability", "interval:"),
            ("durability", "interval:0"), ("nonsense", "1"), ("compression.type", "rar"),
        ] {
            #expect(logCode { () throws(LogStoreError) in try config.set(name, to: value) } == .invalidConfig)
        }
        #expect(TopicConfig().retentionMs == 604_800_000)
    }

    @Test("a deleted topic is gone with its records and offsets, also after a crash; its name is free")
    func deletion() throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try store.createTopic("u", partitions: 1)
        _ = try log.appendBlocking([batch(["a"])])
        let (t, u) = (TopicPartition(topic: "t", partition: 0), TopicPartition(topic: "u", partition: 0))
        try store.commitOffsets(group: "g", [t: CommittedOffset(offset: 1), u: CommittedOffset(offset: 2)])
        try store.deleteTopic("t")
        #expect(store.topic("t") == nil)
        #expect(
            logCode { () throws(LogStoreError) in _ = try log.appendBlocking([batch(["b"])]) }
                == .unknownTopicOrPartition)
        #expect(logCode { () throws(LogStoreError) in try store.deleteTopic("t") } == .unknownTopicOrPartition)
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.topics.map(\.name) == ["u"])
        #expect(store.committedOffsets(group: "g").keys.map(\.topic) == ["u"])
        #expect(!fixture.disk.allFiles.contains { $0.contains("/t/") || $0.contains("/deleted/") })
        let again = try store.createTopic("t", partitions: 1).partitions[0]
        #expect(again.endOffset == 0)
    }

    @Test("power lost while a topic is deleted leaves it whole or gone")
    func deletionCrashes() throws {
        for operation in 1...14 {
            for seed in 0..<4 as Range<UInt64> {
                let fixture = LogFixture()
                let store = try fixture.open()
                _ = try store.createTopic("t", partitions: 2).partitions[0].appendBlocking([batch(["a"])])
                fixture.disk.cutPower(atOperation: operation)
                let isDeleted = (try? store.deleteTopic("t")) != nil
                store.close()
                fixture.disk.crash(.random, seed: seed)
                let again = try fixture.open()
                #expect(again.recovery.problems == [], "operation \(operation), seed \(seed)")
                if let topic = again.topic("t") {
                    #expect(!isDeleted)
                    #expect(try topic.partitions[0].everything().count == 1)
                } else {
                    _ = try again.createTopic("t", partitions: 1)
                }
            }
        }
    }
}

@Suite("Retention")
struct RetentionTests {
    /// Ten segments of two records each, one every 1,000 ms.
    private func filled(_ fixture: LogFixture, _ change: (inout TopicConfig) -> Void) throws -> (LogStore, PartitionLog)
    {
        var config = TopicConfig()
        config.segmentMs = 1000
        change(&config)
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for number in 0..<10 {
            _ = try log.appendBlocking([batch(["\(number)", "b"], timestampMs: fixture.clock.nowMs())])
            fixture.clock.advance(milliseconds: 1000)
        }
        #expect(log.segments.count == 10)
        return (store, log)
    }

    @Test("old segments go, by the newest record in them")
    func byTime() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture) { $0.retentionMs = 3500 }
        #expect(try store.applyRetention() > 0)
        #expect(log.startOffset == 14)
        #expect(try log.everything().map(\.offset) == Array(14..<20))
        #expect(logCode { () throws(LogStoreError) in _ = try log.read(from: 13, maxBytes: 1) } == .offsetOutOfRange)
        fixture.disk.crash(.none)
        let again = try fixture.open()
        #expect(again.recovery.problems == [])
        #expect(again.topic("t")?.partitions[0].startOffset == 14)
        #expect(fixture.disk.allFiles.filter { $0.hasSuffix(".log") && $0.contains("/t/") }.count == 3)
    }

    @Test("when all is old all goes, and offsets go on")
    func everythingOld() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture) { $0.retentionMs = 3500 }
        fixture.clock.advance(milliseconds: 100_000)
        try store.applyRetention()
        #expect(log.startOffset == 20 && log.endOffset == 20)
        #expect(try log.read(from: 20, maxBytes: 10) == [])
        #expect(try log.appendBlocking([batch(["next"])]).baseOffset == 20)
        store.close()
        #expect(try fixture.open().topic("t")?.partitions[0].everything().count == 1)
    }

    @Test("a partition keeps no more whole segments than its bytes allow")
    func byBytes() throws {
        let fixture = LogFixture()
        var each: Int64 = 0
        let (store, log) = try filled(fixture) { $0.retentionMs = -1 }
        each = log.segments[0].sizeBytes
        var config = try #require(store.topic("t")?.config)
        config.retentionBytes = 3 * each
        try store.topic("t")?.alter(config)
        #expect(try store.applyRetention() == 7 * each)
        #expect(log.sizeBytes == 3 * each)
        #expect(try store.applyRetention() == 0)
    }

    @Test("what is held stays, whatever retention says")
    func holds() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture) { $0.retentionMs = 1 }
        fixture.clock.advance(milliseconds: 100_000)
        log.holdRetention(name: "table", storedOffset: 5)
        log.holdRetention(name: "other", storedOffset: 9)
        try store.applyRetention()
        #expect(log.startOffset == 4)
        log.holdRetention(name: "table", storedOffset: 20)
        try store.applyRetention()
        #expect(log.startOffset == 8)
        log.releaseRetention(name: "other")
        try store.applyRetention()
        #expect(log.startOffset == 20)
    }

    @Test("a timestamp from the future keeps nothing for ever")
    func future() throws {
        let fixture = LogFixture()
        fixture.disk.nowMs = fixture.clock.nowMs()
        var config = TopicConfig()
        config.retentionMs = 1000
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        _ = try log.appendBlocking([batch(["a"], timestampMs: 253_402_300_799_000)])
        try store.applyRetention()
        #expect(log.startOffset == 0)
        fixture.clock.advance(milliseconds: 2000)
        try store.applyRetention()
        #expect(log.startOffset == 1)
    }

    @Test("a reader in the middle of a segment that goes reads on")
    func readerKeepsFile() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture) { $0.retentionMs = 3500 }
        _ = try log.read(from: 0, maxBytes: 1)
        try store.applyRetention()
        #expect(logCode { () throws(LogStoreError) in _ = try log.read(from: 0, maxBytes: 1) } == .offsetOutOfRange)
        #expect(try log.everything().count == 6)
    }

    @Test("power lost while segments are deleted leaves no hole")
    func crashes() throws {
        for operation in 1...20 {
            for seed in 0..<3 as Range<UInt64> {
                let fixture = LogFixture()
                let (store, _) = try filled(fixture) { $0.retentionMs = 3500 }
                fixture.disk.cutPower(atOperation: operation)
                _ = try? store.applyRetention()
                store.close()
                fixture.disk.crash(.random, seed: seed)
                let again = try fixture.open()
                #expect(again.recovery.problems == [], "operation \(operation), seed \(seed)")
                let log = try #require(again.topic("t")?.partitions[0])
                #expect(try log.everything().map(\.offset) == Array(log.startOffset..<20))
                #expect(log.startOffset <= 14)
            }
        }
    }
}

@Suite("Consumer groups' offsets")
struct GroupOffsetsTests {
    private let place = TopicPartition(topic: "t", partition: 3)

    @Test("offsets, epochs and metadata outlive a crash")
    func durable() async throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        try await store.commitOffsets(
            group: "g", [place: CommittedOffset(offset: 42, leaderEpoch: 7, metadata: "größe")])
        let commit: () throws -> Void = { try store.commitOffsets(group: "h", [place: CommittedOffset(offset: 1)]) }
        try commit()
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.groups == ["g", "h"])
        #expect(
            store.committedOffsets(group: "g") == [
                place: CommittedOffset(offset: 42, leaderEpoch: 7, metadata: "größe", committedMs: 1_700_000_000_000)
            ])
        #expect(store.committedOffsets(group: "unknown") == [:])
        try store.deleteGroup("g")
        fixture.disk.crash(.none)
        #expect(try fixture.open().groups == ["h"])
    }

    @Test("the file is rewritten when it has grown, and stays right")
    func rewritten() throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        let note = String(repeating: "m", count: 4000)
        for number in 0..<600 as Range<Int64> {
            try store.commitOffsets(group: "g\(number % 3)", [place: CommittedOffset(offset: number, metadata: note)])
        }
        #expect(try #require(fixture.disk.contents("/data/log/group-offsets")).count < 1_200_000)
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.groups.map { store.committedOffsets(group: $0)[place]?.offset } == [597, 598, 599])
    }

    @Test("a full disk refuses the commit, and the next is fine")
    func full() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        try store.commitOffsets(group: "g", [place: CommittedOffset(offset: 1)])
        fixture.disk.capacityBytes = fixture.disk.usedBytes + 10
        #expect(
            logCode { () throws(LogStoreError) in
                try store.commitOffsets(group: "g", [place: CommittedOffset(offset: 2)])
            } == .diskFull)
        #expect(store.committedOffsets(group: "g")[place]?.offset == 1)
        fixture.disk.capacityBytes = 1 << 30
        try store.commitOffsets(group: "g", [place: CommittedOffset(offset: 3)])
        fixture.disk.crash(.none)
        #expect(try fixture.open().committedOffsets(group: "g")[place]?.offset == 3)
    }

    @Test("after a failed sync no commit is taken")
    func failedSync() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        fixture.disk.failOperation(number: 1, of: [.sync])
        for _ in 0..<2 {
            #expect(
                logCode { () throws(LogStoreError) in
                    try store.commitOffsets(group: "g", [place: CommittedOffset(offset: 2)])
                } == .poisoned)
        }
        #expect(store.groups == [])
    }
}

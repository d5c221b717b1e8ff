import Disk
import LogStore
import Synchronization
import TestSupport
import Testing

@Suite("Topics that grow")
struct TopicGrowthTests {
    @Test("new partitions are there at once and after a crash, and the old ones keep their records")
    func growth() throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        let topic = try store.createTopic("t", partitions: 1)
        _ = try topic.partitions[0].appendBlocking([batch(["a"])])
        let seen = Mutex<[Int]>([])
        store.onTopicsChanged { seen.withLock { $0.append(topic.partitions.count) } }
        try store.addPartitions(topic: "t", total: 3)
        #expect(seen.withLock { $0 } == [3])
        #expect(topic.partitions.map(\.partition) == [0, 1, 2])
        #expect(try store.partition(TopicPartition(topic: "t", partition: 2))?.appendBlocking([batch(["b"])]) != nil)
        // Settings altered afterwards do not forget them.
        var config = topic.config
        config.retentionMs = 5
        try topic.alter(config)
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.recovery.problems == [])
        let again = try #require(store.topic("t"))
        #expect(again.partitions.map(\.endOffset) == [1, 0, 1])
        #expect(again.config.retentionMs == 5)
    }

    @Test("what does not grow, or grows too much, is refused")
    func refused() throws {
        let store = try LogFixture().open()
        let topic = try store.createTopic("t", partitions: 2)
        for total in [-1, 0, 1, 2, 1025] {
            #expect(
                logCode { () throws(LogStoreError) in try store.addPartitions(topic: "t", total: total) }
                    == .invalidPartitions)
            #expect(
                logCode { () throws(LogStoreError) in try store.checkGrowth(of: "t", total: total) }
                    == .invalidPartitions)
        }
        #expect(
            logCode { () throws(LogStoreError) in try store.addPartitions(topic: "u", total: 5) }
                == .unknownTopicOrPartition)
        #expect(logCode { () throws(LogStoreError) in try store.checkGrowth(of: "t", total: 3) } == nil)
        #expect(topic.partitions.count == 2)
    }

    @Test("power lost at any operation of a growth leaves the old count or the new one")
    func crashes() throws {
        var interrupted = 0
        for operation in 1...40 {
            for seed in 0..<3 as Range<UInt64> {
                let fixture = LogFixture()
                let store = try fixture.open()
                let topic = try store.createTopic("t", partitions: 1)
                _ = try topic.partitions[0].appendBlocking([batch(["a"])])
                fixture.disk.cutPower(atOperation: operation)
                let isDone = (try? store.addPartitions(topic: "t", total: 3)) != nil
                if !isDone { interrupted += 1 }
                #expect(topic.partitions.count == (isDone ? 3 : 1))
                store.close()
                fixture.disk.crash(.random, seed: seed)
                let again = try fixture.open()
                #expect(again.recovery.problems == [], "operation \(operation), seed \(seed)")
                let found = try #require(again.topic("t"))
                #expect(found.partitions.count == 3 || (found.partitions.count == 1 && !isDone))
                #expect(try found.partitions[0].everything().map(\.text) == ["a"])
                // What was interrupted can be done again.
                if found.partitions.count == 1 { try again.addPartitions(topic: "t", total: 3) }
                #expect(found.partitions.map(\.endOffset) == [1, 0, 0])
                _ = try found.partitions[2].appendBlocking([batch(["b"])])
                again.close()
            }
        }
        #expect(interrupted > 20)
    }

    @Test("a full disk leaves the topic as it was")
    func full() throws {
        for operation in 1...12 {
            let fixture = LogFixture()
            let store = try fixture.open()
            let topic = try store.createTopic("t", partitions: 1)
            fixture.disk.failOperation(number: operation, of: [.open, .write, .rename, .createDirectory], with: .full)
            let code = logCode { () throws(LogStoreError) in try store.addPartitions(topic: "t", total: 2) }
            fixture.disk.clearFailures()
            #expect(code == nil || code == .diskFull)
            if code != nil {
                #expect(topic.partitions.count == 1)
                try store.addPartitions(topic: "t", total: 2)
            }
            _ = try topic.partitions[1].appendBlocking([batch(["b"])])
            store.close()
        }
    }

    @Test("names that differ in dots and underscores alone do not go together")
    func collisions() throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        _ = try store.createTopic("a.b_c", partitions: 1)
        for name in ["a_b_c", "a.b.c", "a_b.c"] {
            #expect(
                logCode { () throws(LogStoreError) in _ = try store.createTopic(name, partitions: 1) }
                    == .invalidTopicName)
            #expect(logCode { () throws(LogStoreError) in _ = try store.ensureTopic(name) } == .invalidTopicName)
        }
        #expect(
            logCode { () throws(LogStoreError) in _ = try store.createTopic("a.b_c", partitions: 1) } == .topicExists)
        #expect(
            logCode { () throws(LogStoreError) in try store.checkCreation(of: "a_b_c", partitions: 1) }
                == .invalidTopicName)
        _ = try store.createTopic("abc", partitions: 1)
        _ = try store.createTopic("a-b_c", partitions: 1)
        try store.deleteTopic("a.b_c")
        _ = try store.createTopic("a_b_c", partitions: 1)
        store.close()
        store = try fixture.open()
        #expect(store.topics.map(\.name) == ["a-b_c", "a_b_c", "abc"])
    }
}

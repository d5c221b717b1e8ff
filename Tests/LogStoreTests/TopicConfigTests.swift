import Disk
import LogStore
import TestSupport
import Testing

@Suite("Settings of topics")
struct TopicConfigTests {
    @Test("every known setting takes its own default, and gives back what it was told")
    func known() throws {
        #expect(TopicConfig.known.count > 30)
        #expect(TopicConfig.known.map(\.name) == TopicConfig.known.map(\.name).sorted())
        var config = TopicConfig()
        for setting in TopicConfig.known {
            #expect(config.text(of: setting.name) == setting.defaultText)
            #expect(!config.isSet(setting.name))
            try config.set(setting.name, to: setting.defaultText)
            #expect(config.isSet(setting.name))
            #expect(!setting.documentation.isEmpty)
        }
        // The table and the properties have the same defaults.
        for setting in TopicConfig.known { try config.reset(setting.name, to: TopicConfig()) }
        #expect(config == TopicConfig())
        #expect(config.text(of: "nonsense") == nil)
    }

    @Test(
        "values are Kafka's",
        arguments: [
            ("cleanup.policy", "compact", true), ("cleanup.policy", "delete, compact", true),
            ("cleanup.policy", "", false), ("cleanup.policy", "compact,shred", false),
            ("message.timestamp.type", "LogAppendTime", true), ("message.timestamp.type", "now", false),
            ("min.cleanable.dirty.ratio", "0.01", true), ("min.cleanable.dirty.ratio", "1.1", false),
            ("min.cleanable.dirty.ratio", "nan", false), ("segment.bytes", "14", true), ("segment.bytes", "13", false),
            ("segment.bytes", "2147483647", true), ("segment.bytes", "2147483648", false),
            ("retention.ms", " 5 ", true), ("retention.ms", "", false), ("preallocate", "TRUE", true),
            ("preallocate", "1", false), ("remote.storage.enable", "true", false), ("min.insync.replicas", "0", false),
            ("min.insync.replicas", "2", true), ("flush.messages", "1", true),
            ("leader.replication.throttled.replicas", "*", true),
            ("follower.replication.throttled.replicas", "0:1,1:1", true),
            ("follower.replication.throttled.replicas", "0-1", false), ("message.format.version", "2.8-IV1", true),
            ("message.format.version", "new", false), ("compression.type", "zstd", true),
            ("nonsense", "1", false), ("", "", false),
            ("follower.replication.throttled.replicas", String(repeating: "0:1,", count: 2000) + "0:1", false),
        ])
    func values(name: String, value: String, isTaken: Bool) {
        var config = TopicConfig()
        let code = logCode { () throws(LogStoreError) in try config.set(name, to: value) }
        #expect(code == (isTaken ? nil : .invalidConfig))
        #expect(config.isSet(name) == isTaken)
    }

    @Test("a property and its name are one setting")
    func properties() throws {
        var config = TopicConfig()
        config.cleanupPolicy = .compactAndDelete
        config.timestampType = .logAppendTime
        #expect(config.text(of: "cleanup.policy") == "compact,delete")
        #expect(config.explicitEntries.map(\.name) == ["cleanup.policy", "message.timestamp.type"])
        try config.set("cleanup.policy", to: "compact")
        #expect(config.cleanupPolicy == .compact)
        try config.reset("cleanup.policy", to: TopicConfig())
        #expect(config.cleanupPolicy == .delete && !config.isSet("cleanup.policy"))
        #expect(
            logCode { () throws(LogStoreError) in try config.reset("nonsense", to: TopicConfig()) } == .invalidConfig)
    }

    @Test("values are added to lists and taken from them")
    func lists() throws {
        var config = TopicConfig()
        try config.append("compact", to: "cleanup.policy")
        #expect(config.text(of: "cleanup.policy") == "delete,compact" && config.cleanupPolicy == .compactAndDelete)
        try config.remove("delete", from: "cleanup.policy")
        #expect(config.cleanupPolicy == .compact)
        #expect(
            logCode { () throws(LogStoreError) in try config.remove("compact", from: "cleanup.policy") }
                == .invalidConfig)
        #expect(config.cleanupPolicy == .compact)
        #expect(logCode { () throws(LogStoreError) in try config.append("1", to: "retention.ms") } == .invalidConfig)
    }

    @Test("what a topic does not set follows the server; what it sets stays, through restarts")
    func defaults() throws {
        var fixture = LogFixture()
        fixture.settings.defaultConfig.retentionMs = 1000
        fixture.settings.defaultConfig.segmentMs = 77
        var store = try fixture.open()
        #expect(!store.defaultConfig.isSet("retention.ms") && store.defaultConfig.retentionMs == 1000)
        var config = store.defaultConfig
        try config.set("segment.ms", to: "604800000")
        try config.set("flush.ms", to: "12")
        _ = try store.createTopic("set", partitions: 1, config: config)
        _ = try store.createTopic("plain", partitions: 1)
        store.close()

        fixture.settings.defaultConfig.retentionMs = 2000
        store = try fixture.open()
        let topic = try #require(store.topic("set"))
        #expect(topic.config.retentionMs == 2000 && !topic.config.isSet("retention.ms"))
        #expect(topic.config.segmentMs == 604_800_000 && topic.config.isSet("segment.ms"))
        #expect(topic.config.text(of: "flush.ms") == "12" && topic.config.isSet("flush.ms"))
        #expect(store.topic("plain")?.config == store.defaultConfig)
        config = topic.config
        try config.reset("segment.ms", to: store.defaultConfig)
        try topic.alter(config)
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.topic("set")?.config.segmentMs == 77)
        #expect(store.topic("set")?.config.explicitEntries.map(\.name) == ["flush.ms"])
    }

    @Test("of an older topic's file, what equals the server's settings counts as not set")
    func olderFiles() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        _ = try store.createTopic("t", partitions: 1)
        store.close()
        var writer = ByteWriter()
        writer.uint32(0x4D54_534C)
        writer.uint16(1)
        writer.uint64(7)
        writer.uint64(0)
        writer.uint32(1)
        let settings = [
            ("retention.ms", "604800000"), ("retention.bytes", "99"), ("segment.bytes", "134217728"),
            ("compression.type", "producer"), ("from.the.future", "1"),
        ]
        writer.count(settings.count)
        for (name, value) in settings {
            writer.string(name)
            writer.string(value)
        }
        writer.uint32(CRC32C.checksum(writer.bytes))
        fixture.disk.plant("/data/log/topics/t/topic", writer.bytes)
        let again = try fixture.open()
        #expect(again.recovery.problems == [])
        #expect(again.topic("t")?.config.explicitEntries.map(\.name) == ["retention.bytes"])
        #expect(again.topic("t")?.config.retentionBytes == 99)
    }

    @Test("settings that contradict each other are refused, and leave the old ones")
    func contradictions() throws {
        let store = try LogFixture().open()
        let topic = try store.createTopic("t", partitions: 1)
        var config = topic.config
        config.minCompactionLagMs = 10
        config.maxCompactionLagMs = 5
        #expect(logCode { () throws(LogStoreError) in try topic.alter(config) } == .invalidConfig)
        #expect(topic.config.minCompactionLagMs == 0)
    }
}

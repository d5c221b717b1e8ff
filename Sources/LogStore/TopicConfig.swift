/// When an append is acknowledged.
public enum Durability: Sendable, Hashable {
    /// Once its bytes are on the disk; appends that wait at the same time share one sync.
    case fsync
    /// Once its bytes are with the operating system; synced at most so many milliseconds later.
    case interval(ms: Int64)
    /// Once its bytes are with the operating system; synced when it pleases.
    case os

    /// As in configurations: `fsync`, `interval:500`, `os`.
    public var text: String {
        switch self {
        case .fsync: "fsync"
        case .interval(let ms): "interval:\(ms)"
        case .os: "os"
        }
    }

    /// Reads `text`; nil for anything else.
    public init?(text: String) {
        switch text {
        case "fsync": self = .fsync
        case "os": self = .os
        default:
            guard text.hasPrefix("interval:"), let ms = Int64(text.dropFirst(9)), (1...3_600_000).contains(ms) else {
                return nil
            }
            self = .interval(ms: ms)
        }
    }
}

/// What becomes of a topic's old records.
public struct CleanupPolicy: Sendable, Hashable {
    /// Old segments go by time and size.
    public let deletes: Bool
    /// Of each key the last record stays.
    public let compacts: Bool

    /// `cleanup.policy=delete`.
    public static let delete = CleanupPolicy(deletes: true, compacts: false)
    /// `cleanup.policy=compact`.
    public static let compact = CleanupPolicy(deletes: false, compacts: true)
    /// `cleanup.policy=compact,delete`.
    public static let compactAndDelete = CleanupPolicy(deletes: true, compacts: true)

    private init(deletes: Bool, compacts: Bool) {
        self.deletes = deletes
        self.compacts = compacts
    }

    /// Reads the names in any order; nil for others, and for none.
    public init?(text: String) {
        let parts = TopicSetting.list(text)
        guard !parts.isEmpty, parts.allSatisfy({ $0 == "delete" || $0 == "compact" }) else { return nil }
        self.init(deletes: parts.contains("delete"), compacts: parts.contains("compact"))
    }

    /// Kafka's text for it.
    public var text: String { deletes ? (compacts ? "compact,delete" : "delete") : "compact" }
}

/// Whose time a record carries.
public enum TimestampType: String, Sendable, Hashable {
    /// The producer's.
    case createTime = "CreateTime"
    /// That of the append.
    case logAppendTime = "LogAppendTime"
}

/// A topic's settings, with Kafka's names and defaults where Kafka has them.
///
/// A value knows which settings were set on the topic itself (`isSet`): only those are stored, the others are the
/// server's whenever it starts. Assigning to a property sets it.
public struct TopicConfig: Sendable, Hashable {
    /// `retention.ms`: segments whose newest record is older are deleted; -1: none is.
    public var retentionMs: Int64 = 604_800_000 { didSet { note("retention.ms", "\(retentionMs)") } }
    /// `retention.bytes`: what a partition keeps at most, in whole segments; -1: no limit.
    public var retentionBytes: Int64 = -1 { didSet { note("retention.bytes", "\(retentionBytes)") } }
    /// `segment.bytes`: the size at which a new segment is begun.
    public var segmentBytes: Int64 = 128 << 20 { didSet { note("segment.bytes", "\(segmentBytes)") } }
    /// `segment.ms`: the age at which a new segment is begun.
    public var segmentMs: Int64 = 604_800_000 { didSet { note("segment.ms", "\(segmentMs)") } }
    /// `max.message.bytes`: the longest record batch taken.
    public var maxMessageBytes: Int64 = 16 << 20 { didSet { note("max.message.bytes", "\(maxMessageBytes)") } }
    /// `durability`: when an append is acknowledged (not a setting of Kafka's).
    public var durability: Durability = .fsync { didSet { note("durability", durability.text) } }
    /// `cleanup.policy`: what becomes of old records.
    public var cleanupPolicy: CleanupPolicy = .delete { didSet { note("cleanup.policy", cleanupPolicy.text) } }
    /// `delete.retention.ms`: how long compaction keeps records without value.
    public var deleteRetentionMs: Int64 = 86_400_000 { didSet { note("delete.retention.ms", "\(deleteRetentionMs)") } }
    /// `min.compaction.lag.ms`: how long a record stays before compaction may take it.
    public var minCompactionLagMs: Int64 = 0 { didSet { note("min.compaction.lag.ms", "\(minCompactionLagMs)") } }
    /// `max.compaction.lag.ms`: how long a record may wait for compaction at most.
    public var maxCompactionLagMs: Int64 = .max { didSet { note("max.compaction.lag.ms", "\(maxCompactionLagMs)") } }
    /// `min.cleanable.dirty.ratio`: the part of the log not compacted, 0 to 1, at which compaction begins.
    public var minCleanableDirtyRatio: Double = 0.5 {
        didSet { note("min.cleanable.dirty.ratio", "\(minCleanableDirtyRatio)") }
    }
    /// `message.timestamp.type`: whose time a record carries.
    public var timestampType: TimestampType = .createTime {
        didSet { note("message.timestamp.type", timestampType.rawValue) }
    }
    /// `message.timestamp.before.max.ms`: how far a producer's timestamp may lie in the past.
    public var timestampBeforeMaxMs: Int64 = .max {
        didSet { note("message.timestamp.before.max.ms", "\(timestampBeforeMaxMs)") }
    }
    /// `message.timestamp.after.max.ms`: how far a producer's timestamp may lie in the future.
    public var timestampAfterMaxMs: Int64 = .max {
        didSet { note("message.timestamp.after.max.ms", "\(timestampAfterMaxMs)") }
    }
    /// `message.timestamp.difference.max.ms`: the older name for both.
    public var timestampDifferenceMaxMs: Int64 = .max {
        didSet { note("message.timestamp.difference.max.ms", "\(timestampDifferenceMaxMs)") }
    }

    /// What was set, as it was written; also what the server sets for all topics.
    private var texts: [String: String] = [:]
    /// What was set on the topic itself.
    private var explicit: Set<String> = []

    /// The defaults.
    public init() {}

    private mutating func note(_ name: String, _ text: String) {
        texts[name] = text
        explicit.insert(name)
    }

    // MARK: By name

    /// The names `entries` uses, in its order.
    public static let names = honoured.map(\.name)

    /// Every setting that changes something, as name and text. `known` has all there are.
    public var entries: [(name: String, value: String)] {
        Self.honoured.map { ($0.name, texts[$0.name] ?? $0.defaultText) }
    }

    /// The setting's value as text; nil for an unknown name.
    public func text(of name: String) -> String? {
        texts[name] ?? Self.knownByName[name]?.defaultText
    }

    /// Whether the setting was set on the topic itself; else its value is the server's.
    public func isSet(_ name: String) -> Bool { explicit.contains(name) }

    /// What was set on the topic itself, by name.
    public var explicitEntries: [(name: String, value: String)] {
        explicit.sorted().map { ($0, text(of: $0) ?? "") }
    }

    /// The same values as the server's, none set on a topic.
    public var asDefaults: TopicConfig {
        var copy = self
        copy.explicit = []
        return copy
    }

    /// Changes the setting called `name`. Throws `.invalidConfig` for an unknown name or a value out of range.
    public mutating func set(_ name: String, to value: String) throws(LogStoreError) {
        guard let setting = Self.knownByName[name] else {
            throw LogStoreError(.invalidConfig, "a topic has no setting \"\(name.prefix(200))\"")
        }
        var text = TopicSetting.trimmed(value)
        if setting.kind == .boolean { text = text.lowercased() }
        try setting.check(text)
        assign(name, text)
        note(name, text)
    }

    /// Gives the setting called `name` back to the server: `defaults` is `LogStore.defaultConfig`. Throws
    /// `.invalidConfig` for an unknown name.
    public mutating func reset(_ name: String, to defaults: TopicConfig) throws(LogStoreError) {
        guard let setting = Self.knownByName[name] else {
            throw LogStoreError(.invalidConfig, "a topic has no setting \"\(name.prefix(200))\"")
        }
        assign(name, defaults.texts[name] ?? setting.defaultText)
        texts[name] = defaults.texts[name]
        explicit.remove(name)
    }

    /// Adds values to a setting that is a list. Throws `.invalidConfig` for any other.
    public mutating func append(_ values: String, to name: String) throws(LogStoreError) {
        let old = try list(name)
        let new = TopicSetting.list(values).filter { !old.contains($0) }
        try set(name, to: (old + new).joined(separator: ","))
    }

    /// Takes values out of a setting that is a list. Throws `.invalidConfig` for any other, and when none may be left.
    public mutating func remove(_ values: String, from name: String) throws(LogStoreError) {
        let gone = TopicSetting.list(values)
        try set(name, to: list(name).filter { !gone.contains($0) }.joined(separator: ","))
    }

    private func list(_ name: String) throws(LogStoreError) -> [String] {
        guard let setting = Self.knownByName[name], setting.kind == .list else {
            throw LogStoreError(.invalidConfig, "\"\(name.prefix(200))\" is no setting of a topic that is a list")
        }
        return TopicSetting.list(texts[name] ?? setting.defaultText)
    }

    /// Takes over a text that was checked.
    private mutating func assign(_ name: String, _ text: String) {
        switch name {
        case "retention.ms": retentionMs = Int64(text) ?? retentionMs
        case "retention.bytes": retentionBytes = Int64(text) ?? retentionBytes
        case "segment.bytes": segmentBytes = Int64(text) ?? segmentBytes
        case "segment.ms": segmentMs = Int64(text) ?? segmentMs
        case "max.message.bytes": maxMessageBytes = Int64(text) ?? maxMessageBytes
        case "durability": durability = Durability(text: text) ?? durability
        case "cleanup.policy": cleanupPolicy = CleanupPolicy(text: text) ?? cleanupPolicy
        case "delete.retention.ms": deleteRetentionMs = Int64(text) ?? deleteRetentionMs
        case "min.compaction.lag.ms": minCompactionLagMs = Int64(text) ?? minCompactionLagMs
        case "max.compaction.lag.ms": maxCompactionLagMs = Int64(text) ?? maxCompactionLagMs
        case "min.cleanable.dirty.ratio": minCleanableDirtyRatio = Double(text) ?? minCleanableDirtyRatio
        case "message.timestamp.type": timestampType = TimestampType(rawValue: text) ?? timestampType
        case "message.timestamp.before.max.ms": timestampBeforeMaxMs = Int64(text) ?? timestampBeforeMaxMs
        case "message.timestamp.after.max.ms": timestampAfterMaxMs = Int64(text) ?? timestampAfterMaxMs
        case "message.timestamp.difference.max.ms": timestampDifferenceMaxMs = Int64(text) ?? timestampDifferenceMaxMs
        default: break
        }
    }

    /// Throws `.invalidConfig` when a value is out of range or contradicts another.
    func validate() throws(LogStoreError) {
        for (name, text) in texts { try Self.knownByName[name]?.check(text) }
        guard minCompactionLagMs <= maxCompactionLagMs else {
            throw LogStoreError(
                .invalidConfig,
                "min.compaction.lag.ms (\(minCompactionLagMs)) is more than max.compaction.lag.ms (\(maxCompactionLagMs))"
            )
        }
    }

    // MARK: What follows from several

    /// How the topic is compacted; nil when it is not.
    public var compaction: CompactionPolicy? {
        guard cleanupPolicy.compacts else { return nil }
        var policy = CompactionPolicy()
        policy.deleteRetentionMs = deleteRetentionMs
        policy.minCompactionLagMs = minCompactionLagMs
        policy.maxCompactionLagMs = maxCompactionLagMs
        policy.minCleanableDirtyRatio = minCleanableDirtyRatio
        return policy
    }

    /// The longest batch taken, whatever `max.message.bytes` says.
    static let mostMessageBytes: Int64 = 256 << 20

    /// The longest batch taken, in bytes.
    var effectiveMaxMessageBytes: Int { Int(min(maxMessageBytes, Self.mostMessageBytes)) }

    /// How far a producer's timestamp may lie in the past.
    var effectiveTimestampBeforeMaxMs: Int64 {
        timestampBeforeMaxMs == .max ? timestampDifferenceMaxMs : timestampBeforeMaxMs
    }

    /// How far a producer's timestamp may lie in the future.
    var effectiveTimestampAfterMaxMs: Int64 {
        timestampAfterMaxMs == .max ? timestampDifferenceMaxMs : timestampAfterMaxMs
    }
}

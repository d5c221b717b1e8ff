/// A topic's setting as one may describe it: Kafka's name, what values it takes, and whether it changes anything here.
public struct TopicSetting: Sendable {
    /// The kinds of value, as Kafka tells them apart.
    public enum Kind: Sendable, Hashable {
        case boolean, string, int, long, double, list
    }

    /// What is checked of a value.
    enum Rule: Sendable {
        case boolean
        case integer(ClosedRange<Int64>)
        case number(ClosedRange<Double>)
        case oneOf([String])
        /// Some of these, at least one, separated by commas.
        case someOf([String])
        /// `*`, or `partition:broker` pairs separated by commas, or nothing.
        case replicas
        /// A Kafka version: `3.0-IV1`.
        case version
        case durability
    }

    /// Kafka's name for it.
    public let name: String
    /// The kind of value.
    public let kind: Kind
    /// The value of a topic that says nothing, on a server that says nothing.
    public let defaultText: String
    /// What it does, or why it does nothing here.
    public let documentation: String
    /// Whether it changes anything. The others are taken and given back, for programs that set them.
    public let isHonoured: Bool
    let rule: Rule

    /// The longest value: all settings together must fit into a topic's file.
    private static let maxBytes = 4096

    init(
        _ name: String, _ kind: Kind, _ defaultText: String, _ rule: Rule, isHonoured: Bool = true,
        _ documentation: String
    ) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.rule = rule
        self.isHonoured = isHonoured
        self.documentation = documentation
    }

    /// Throws `.invalidConfig` when `value` (without spaces around it) is none that the setting takes.
    func check(_ value: String) throws(LogStoreError) {
        guard value.utf8.count <= Self.maxBytes else {
            throw LogStoreError(.invalidConfig, "\(name) takes at most \(Self.maxBytes) bytes")
        }
        let wanted: String?
        switch rule {
        case .boolean:
            wanted = ["true", "false"].contains(value) ? nil : "true or false"
        case .integer(let range):
            let isRight = Int64(value).map(range.contains) ?? false
            wanted = isRight ? nil : "a number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            let isRight = Double(value).map(range.contains) ?? false
            wanted = isRight ? nil : "a number from \(range.lowerBound) to \(range.upperBound)"
        case .oneOf(let texts):
            wanted = texts.contains(value) ? nil : texts.joined(separator: " or ")
        case .someOf(let texts):
            let parts = Self.list(value)
            let isRight = !parts.isEmpty && parts.allSatisfy(texts.contains)
            wanted = isRight ? nil : "a list of " + texts.joined(separator: ", ")
        case .replicas:
            wanted = Self.isReplicaList(value) ? nil : "* or a list of partition:broker"
        case .version:
            let isRight =
                value.utf8.contains(0x2E) && value.utf8.count <= 20
                && value.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || [0x2D, 0x2E, 0x49, 0x56].contains(byte)
                }
            wanted = isRight ? nil : "a version of Kafka"
        case .durability:
            wanted = Durability(text: value) != nil ? nil : "fsync, interval:<ms> or os"
        }
        if let wanted {
            throw LogStoreError(.invalidConfig, "\(name) must be \(wanted), not \"\(value.prefix(200))\"")
        }
    }

    private static func isReplicaList(_ value: String) -> Bool {
        if value.isEmpty || value == "*" { return true }
        return value.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { pair in
            let parts = pair.split(separator: ":", omittingEmptySubsequences: false)
            return parts.count == 2 && parts.allSatisfy { Int32($0) != nil }
        }
    }

    /// The parts of a list, without spaces around them and empty ones.
    static func list(_ value: String) -> [String] {
        value.split(separator: ",").map { trimmed(String($0)) }.filter { !$0.isEmpty }
    }

    /// `text` without spaces around it.
    static func trimmed(_ text: String) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let bytes = text.utf8.drop(while: isSpace)
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(decoding: bytes[...last], as: UTF8.self)
    }
}

extension TopicConfig {
    /// Every setting a topic of Kafka 3 has, and `durability`, by name.
    public static let known: [TopicSetting] = (honoured + notHonoured).sorted { $0.name < $1.name }

    static let knownByName = Dictionary(uniqueKeysWithValues: known.map { ($0.name, $0) })

    private static let int: ClosedRange<Int64> = 0...Int64(Int32.max)

    /// In the order of `entries`.
    static let honoured: [TopicSetting] = [
        TopicSetting(
            "retention.ms", .long, "604800000", .integer(-1...Int64.max),
            "Segments whose newest record is older, in milliseconds, are deleted; -1: none is."),
        TopicSetting(
            "retention.bytes", .long, "-1", .integer(-1...Int64.max),
            "What a partition keeps at most, in whole segments; -1: no limit."),
        TopicSetting(
            "segment.bytes", .int, "134217728", .integer(14...Int64(Int32.max)),
            "The size at which a new segment is begun."),
        TopicSetting(
            "segment.ms", .long, "604800000", .integer(1...Int64.max),
            "The age in milliseconds at which a new segment is begun."),
        TopicSetting(
            "max.message.bytes", .int, "16777216", .integer(int),
            "The longest record batch taken, as it is sent; 256 MiB at most whatever it says."),
        TopicSetting(
            "durability", .string, "fsync", .durability,
            "When an append is acknowledged: fsync, interval:<ms> or os. Not a setting of Kafka's."),
        TopicSetting(
            "cleanup.policy", .list, "delete", .someOf(["compact", "delete"]),
            "delete: old segments go by time and size. compact: the last record of each key stays. Or both."),
        TopicSetting(
            "delete.retention.ms", .long, "86400000", .integer(0...Int64.max),
            "How long compaction keeps a record without value, which deletes its key, in milliseconds."),
        TopicSetting(
            "min.compaction.lag.ms", .long, "0", .integer(0...Int64.max),
            "How long a record stays before compaction may take it, in milliseconds."),
        TopicSetting(
            "max.compaction.lag.ms", .long, "9223372036854775807", .integer(1...Int64.max),
            "How long a record may wait for compaction at most, in milliseconds."),
        TopicSetting(
            "min.cleanable.dirty.ratio", .double, "0.5", .number(0...1),
            "The part of the log that is not compacted at which compaction begins."),
        TopicSetting(
            "message.timestamp.type", .string, "CreateTime", .oneOf(["CreateTime", "LogAppendTime"]),
            "Whose time a record carries: the producer's, or that of the append."),
        TopicSetting(
            "message.timestamp.before.max.ms", .long, "9223372036854775807", .integer(0...Int64.max),
            "How far a producer's timestamp may lie in the past, in milliseconds."),
        TopicSetting(
            "message.timestamp.after.max.ms", .long, "9223372036854775807", .integer(0...Int64.max),
            "How far a producer's timestamp may lie in the future, in milliseconds."),
        TopicSetting(
            "message.timestamp.difference.max.ms", .long, "9223372036854775807", .integer(0...Int64.max),
            "The older name for both limits of timestamps; it counts where the newer are not set."),
    ]

    private static let notHonoured: [TopicSetting] = [
        ignored(
            "compression.type", .string, "producer",
            .oneOf(["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
            "Batches are stored as producers compressed them."),
        ignored("compression.gzip.level", .int, "-1", .integer(-1...9), "Producers compress."),
        ignored("compression.lz4.level", .int, "9", .integer(1...17), "Producers compress."),
        ignored("compression.zstd.level", .int, "3", .integer(-131072...22), "Producers compress."),
        ignored("file.delete.delay.ms", .long, "60000", .integer(0...Int64.max), "Files are deleted at once."),
        ignored(
            "flush.messages", .long, "9223372036854775807", .integer(1...Int64.max), "durability decides about syncs."),
        ignored("flush.ms", .long, "9223372036854775807", .integer(0...Int64.max), "durability decides about syncs."),
        ignored("follower.replication.throttled.replicas", .list, "", .replicas, "There are no followers."),
        ignored("leader.replication.throttled.replicas", .list, "", .replicas, "There are no followers."),
        ignored("index.interval.bytes", .int, "4096", .integer(int), "An index entry stands for about 4,096 bytes."),
        ignored("local.retention.bytes", .long, "-2", .integer(-2...Int64.max), "There is no remote storage."),
        ignored("local.retention.ms", .long, "-2", .integer(-2...Int64.max), "There is no remote storage."),
        ignored("message.downconversion.enable", .boolean, "true", .boolean, "Only format 2 is stored and sent."),
        ignored("message.format.version", .string, "3.0-IV1", .version, "Only format 2 is stored and sent."),
        ignored(
            "min.insync.replicas", .int, "1", .integer(1...Int64(Int32.max)),
            "One node is all replicas: acknowledgements follow durability."),
        ignored("preallocate", .boolean, "false", .boolean, "Segments grow as they are written."),
        ignored("remote.log.copy.disable", .boolean, "false", .boolean, "There is no remote storage."),
        ignored("remote.log.delete.on.disable", .boolean, "false", .boolean, "There is no remote storage."),
        ignored("remote.storage.enable", .boolean, "false", .oneOf(["false"]), "There is no remote storage."),
        ignored("segment.index.bytes", .int, "10485760", .integer(4...Int64(Int32.max)), "Indexes grow as needed."),
        ignored("segment.jitter.ms", .long, "0", .integer(0...Int64.max), "Segments are begun by their own age."),
        ignored("unclean.leader.election.enable", .boolean, "false", .boolean, "There is one leader, always."),
    ]

    private static func ignored(
        _ name: String, _ kind: TopicSetting.Kind, _ defaultText: String, _ rule: TopicSetting.Rule, _ reason: String
    ) -> TopicSetting {
        TopicSetting(
            name, kind, defaultText, rule, isHonoured: false, "Taken and given back, without effect: " + reason)
    }
}

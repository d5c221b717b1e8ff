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

/// A topic's settings, with Kafka's names and defaults where Kafka has them.
public struct TopicConfig: Sendable, Hashable {
    /// `retention.ms`: segments whose newest record is older are deleted; -1: none is.
    public var retentionMs: Int64 = 604_800_000
    /// `retention.bytes`: what a partition keeps at most, in whole segments; -1: no limit.
    public var retentionBytes: Int64 = -1
    /// `segment.bytes`: the size at which a new segment is begun.
    public var segmentBytes: Int64 = 128 << 20
    /// `segment.ms`: the age at which a new segment is begun.
    public var segmentMs: Int64 = 604_800_000
    /// `max.message.bytes`: the longest record batch taken.
    public var maxMessageBytes: Int64 = 16 << 20
    /// `durability`: when an append is acknowledged (not a setting of Kafka's).
    public var durability: Durability = .fsync
    /// `compression.type`: kept for clients that ask; batches are stored as producers sent them.
    public var compressionType: String = "producer"

    /// The defaults.
    public init() {}

    /// The names `entries` uses, in its order.
    public static let names = [
        "retention.ms", "retention.bytes", "segment.bytes", "segment.ms", "max.message.bytes", "durability",
        "compression.type",
    ]

    /// Every setting as name and text.
    public var entries: [(name: String, value: String)] {
        [
            ("retention.ms", "\(retentionMs)"), ("retention.bytes", "\(retentionBytes)"),
            ("segment.bytes", "\(segmentBytes)"), ("segment.ms", "\(segmentMs)"),
            ("max.message.bytes", "\(maxMessageBytes)"), ("durability", durability.text),
            ("compression.type", compressionType),
        ]
    }

    /// Changes the setting called `name`. Throws `.invalidConfig` for an unknown name or a value out of range.
    public mutating func set(_ name: String, to value: String) throws(LogStoreError) {
        switch name {
        case "retention.ms": retentionMs = try Self.number(name, value, -1...Int64.max)
        case "retention.bytes": retentionBytes = try Self.number(name, value, -1...Int64.max)
        case "segment.bytes": segmentBytes = try Self.number(name, value, 1024...1 << 30)
        case "segment.ms": segmentMs = try Self.number(name, value, 1...Int64.max)
        case "max.message.bytes": maxMessageBytes = try Self.number(name, value, 0...256 << 20)
        case "durability":
            guard let durability = Durability(text: value) else {
                throw LogStoreError(.invalidConfig, "durability is fsync, interval:<ms> or os, not \"\(value)\"")
            }
            self.durability = durability
        case "compression.type":
            guard ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"].contains(value) else {
                throw LogStoreError(.invalidConfig, "compression.type \"\(value)\" is unknown")
            }
            compressionType = value
        default:
            throw LogStoreError(.invalidConfig, "a topic has no setting \"\(name)\"")
        }
    }

    /// Throws `.invalidConfig` when a value is out of range.
    func validate() throws(LogStoreError) {
        var copy = TopicConfig()
        for (name, value) in entries { try copy.set(name, to: value) }
    }

    private static func number(
        _ name: String, _ value: String, _ range: ClosedRange<Int64>
    ) throws(LogStoreError) -> Int64 {
        guard let number = Int64(value), range.contains(number) else {
            throw LogStoreError(
                .invalidConfig,
                "\(name) must be a number from \(range.lowerBound) to \(range.upperBound), not \"\(value)\"")
        }
        return number
    }
}

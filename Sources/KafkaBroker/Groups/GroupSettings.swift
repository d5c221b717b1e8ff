/// What the coordinator of consumer groups is told when it starts. Names in brackets are Kafka's settings.
public struct GroupSettings: Sendable {
    /// How long the first rebalance of an empty group waits for more members, each of which prolongs it
    /// [group.initial.rebalance.delay.ms]. Kafka's default is 3,000; here a lone consumer starts sooner.
    public var initialRebalanceDelayMs: Int64 = 200
    /// The shortest session timeout a member may ask for [group.min.session.timeout.ms].
    public var minSessionTimeoutMs: Int32 = 6_000
    /// The longest [group.max.session.timeout.ms].
    public var maxSessionTimeoutMs: Int32 = 1_800_000
    /// How long a new member may wait for its first rebalance to end; then it is asked to try again.
    public var newMemberTimeoutMs: Int64 = 300_000
    /// The most members of one group [group.max.size].
    public var maxMembers = 5_000
    /// The most groups.
    public var maxGroups = 10_000
    /// The most memory that members' ids, metadata and assignments may take, over all groups.
    public var maxMemoryBytes = 64 << 20
    /// The longest name of a group.
    public var maxNameBytes = 1_024
    /// The longest metadata of a committed offset [offset.metadata.max.bytes].
    public var maxOffsetMetadataBytes = 4_096
    /// How long offsets are kept that nobody uses any more [offsets.retention.minutes].
    public var offsetRetentionMs: Int64 = 7 * 86_400_000
    /// How often it is looked for such offsets [offsets.retention.check.interval.ms].
    public var expiryIntervalMs: Int64 = 600_000
    /// Makes the random part of a member's id.
    public var makeID: @Sendable () -> String = GroupSettings.randomID

    /// The defaults.
    public init() {}

    /// 128 random bits in the form of a UUID.
    private static func randomID() -> String {
        let digits = Array(String(UInt128.random(in: .min ... .max), radix: 16))
        let padded = Array(repeating: Character("0"), count: 32 - digits.count) + digits
        return [padded[0..<8], padded[8..<12], padded[12..<16], padded[16..<20], padded[20..<32]]
            .map { String($0) }.joined(separator: "-")
    }
}

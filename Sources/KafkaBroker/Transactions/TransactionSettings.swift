/// What the coordinator of transactions is told when it starts; names and defaults are Kafka's.
public struct TransactionSettings: Sendable {
    /// The longest timeout a producer may ask for, in milliseconds (transaction.max.timeout.ms).
    public var maxTimeoutMs: Int32 = 900_000
    /// How long a transactional id is remembered that nobody uses, in milliseconds (transactional.id.expiration.ms).
    public var idExpiryMs: Int64 = 7 * 86_400_000
    /// How many transactional ids there may be; a further one is refused with POLICY_VIOLATION.
    public var maxIDs = 50_000
    /// How often is looked for such ids, in milliseconds.
    public var expiryIntervalMs: Int64 = 3_600_000

    /// The defaults.
    public init() {}
}

/// What one Kafka client, and all of them together, may take.
struct KafkaLimits: Sendable {
    /// The longest request.
    var maxFrameBytes = 32 << 20
    /// Requests of one connection that are not answered yet.
    var maxRequestsInFlight = 1000
    /// Bytes of such requests.
    var maxBytesInFlight = 32 << 20
    /// Bytes of all connections' requests; above, those that hold much wait.
    var maxRequestBytes = 96 << 20
    /// A connection that holds no more than this may always read on.
    let smallBytes = 64 << 10
    /// How much of a file is read at once where it cannot be handed to the socket.
    let filePortionBytes = 256 << 10
    /// How long a connection may be silent, in milliseconds; Kafka's own default.
    var idleTimeoutMs: Int64 = 600_000
    /// The most connections; more are closed at once.
    var maxConnections = 4096
}

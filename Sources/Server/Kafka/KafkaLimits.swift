/// What one Kafka client, and all of them together, may take.
struct KafkaLimits: Sendable {
    /// The longest request.
    var maxFrameBytes = 32 << 20
    /// Requests of one connection that are not answered yet.
    var maxRequestsInFlight = 256
    /// Bytes of such requests.
    var maxBytesInFlight = 32 << 20
    /// Bytes of answers that are ready but must wait for an earlier one; above, nothing more is read.
    var maxReadyBytes = 8 << 20
    /// The longest request of a client that is not known yet: enough for any handshake.
    var maxFrameBytesBeforeLogin = 64 << 10
    /// How long a client may take to log in, and to say its first word through TLS, in milliseconds.
    var loginTimeoutMs: Int64 = 30_000
    /// How long a request may take from its first byte to its last; a producer gives up earlier than that.
    var frameTimeoutMs: Int64 = 60_000
    /// Bytes of all connections' requests; above, those that hold much wait.
    var maxRequestBytes = 96 << 20
    /// A connection that holds no more than this may always read on.
    let smallBytes = 64 << 10
    /// Shorter stretches of a file are copied: each that the kernel sends takes a descriptor while it waits.
    let minRegionBytes = 32 << 10
    /// How much of a file is read at once where it cannot be handed to the socket.
    let filePortionBytes = 256 << 10
    /// How long a connection may be silent, in milliseconds; Kafka's own default.
    var idleTimeoutMs: Int64 = 600_000
    /// The most connections; more are closed at once.
    var maxConnections = 4096
}

import Disk
import KafkaBroker
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Kafka's listener: a broker with sockets in front of it, run until it is told to stop.
struct KafkaServer: Service {
    let host: String
    let port: Int
    let group: MultiThreadedEventLoopGroup
    let broker: Broker
    let needsAuthentication: Bool
    /// nil: connections are not encrypted.
    let tls: NIOSSLContext?
    let limits: KafkaLimits
    let metrics: KafkaMetrics
    let logger: Logger
    let onRunning: @Sendable (Int) -> Void
    private let connections = OpenConnections()

    /// How long a stop waits for answers: most come with the next sync; only members who wait for a group take longer.
    private static let drainTimeoutMs: Int64 = 3000

    init(
        host: String, port: Int, group: MultiThreadedEventLoopGroup, broker: Broker, needsAuthentication: Bool,
        tls: NIOSSLContext?, limits: KafkaLimits, metrics: KafkaMetrics, logger: Logger,
        onRunning: @escaping @Sendable (Int) -> Void
    ) {
        self.host = host
        self.port = port
        self.group = group
        self.broker = broker
        self.needsAuthentication = needsAuthentication
        self.tls = tls
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
        self.onRunning = onRunning
    }

    func run() async throws {
        let channel: any Channel
        do {
            channel = try await bootstrap().bind(host: host, port: port).get()
        } catch {
            throw ConfigurationError("kafka: cannot listen on \(host), port \(port): \(Self.describe(error))")
        }
        onRunning(channel.localAddress?.port ?? 0)
        await cancelWhenGracefulShutdown {
            await withTaskCancellationHandler {
                try? await channel.closeFuture.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        }
        await connections.drain(timeoutMs: Self.drainTimeoutMs)
        broker.stop()
    }

    private static func describe(_ error: any Error) -> String {
        if let error = error as? IOError { String(cString: strerror(error.errnoCode)) } else { "\(error)" }
    }

    private func bootstrap() -> ServerBootstrap {
        let memory = RequestMemory(maxBytes: limits.maxRequestBytes)
        let connections = connections
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 1 << 20)
            )
            .childChannelInitializer { channel in
                if metrics.connections.load(ordering: .relaxed) >= limits.maxConnections {
                    logger.warning("kafka: \(limits.maxConnections) connections are open; closing one more")
                    return channel.close()
                }
                connections.add(channel)
                return channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandlers([
                        IdleStateHandler(allTimeout: .milliseconds(limits.idleTimeoutMs)),
                        KafkaConnection(
                            broker: broker, limits: limits, memory: memory, metrics: metrics, logger: logger,
                            isEncrypted: tls != nil, makeSession: session),
                    ])
                }
            }
    }

    private func session(_ channel: any Channel) -> Session {
        let local = channel.localAddress
        return Session(
            localHost: local?.ipAddress ?? host, localPort: Int32(clamping: local?.port ?? port),
            remoteHost: channel.remoteAddress?.ipAddress ?? "unknown",
            principal: needsAuthentication ? nil : .anonymous)
    }
}

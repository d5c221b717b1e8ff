import Columnar
import Disk
import Hummingbird
import HummingbirdCore
import KafkaBroker
import LogStore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import QueryEngine
import ServiceLifecycle
import UnixSignals

/// The server: a store with HTTP in front of it, run until it is told to stop.
public final class LogstoreServer: Sendable {
    private let configuration: ServerConfiguration
    private let store: Store
    private let logger: Logger
    private let queryPool: BlockingPool
    private let diskPool: BlockingPool
    private let metrics = ServerMetrics()
    private let kafkaMetrics = KafkaMetrics()
    private let runner: QueryRunner

    /// Puts the server together around an open store.
    public init(configuration: ServerConfiguration, store: Store, logger: Logger) {
        self.configuration = configuration
        self.store = store
        self.logger = logger
        queryPool = BlockingPool(
            name: "query", limit: configuration.number("max_concurrent_queries"),
            queueLimit: configuration.number("max_waiting_queries"))
        diskPool = BlockingPool(name: "disk", limit: 4, queueLimit: 4096)
        runner = QueryRunner(engine: store.engine, clock: store.clock, pool: queryPool, metrics: metrics)
    }

    /// Serves until a signal (SIGTERM, SIGINT) or the surrounding task ends it: then no new connections are taken,
    /// requests under way are finished, and the store is closed. `onRunning` is told the port of HTTP, `onKafkaRunning`
    /// that of Kafka.
    public func run(
        signals: [UnixSignal] = [.sigterm, .sigint], onRunning: @escaping @Sendable (Int) async -> Void = { _ in },
        onKafkaRunning: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        let tls: NIOSSLContext?
        do { tls = try kafkaTLS() } catch {
            await close()
            throw error
        }
        // Hummingbird's own announcements would only repeat ours.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .notice)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.number("http_threads"))
        let application = Application(
            responder: responder(), server: channelBuilder(),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "logstore", backlog: 512,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.number("max_connections"), logger: logger)),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) },
            eventLoopGroupProvider: .shared(group), logger: quiet)
        var running: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: Maintenance(store: store, pool: diskPool, logger: logger)),
            .init(service: application, successTerminationBehavior: .gracefullyShutdownGroup),
        ]
        let kafkaGroup = MultiThreadedEventLoopGroup(numberOfThreads: Self.kafkaThreads)
        if let kafka = kafkaServer(on: kafkaGroup, tls, onKafkaRunning) {
            running.append(.init(service: kafka, successTerminationBehavior: .gracefullyShutdownGroup))
        }
        var services = ServiceGroupConfiguration(services: running, gracefulShutdownSignals: signals, logger: logger)
        services.maximumGracefulShutdownDuration = .milliseconds(configuration.milliseconds("shutdown_timeout"))
        let failure: (any Error)?
        do {
            try await ServiceGroup(configuration: services).run()
            failure = nil
        } catch {
            failure = error
        }
        // Requests had their time: what still runs is stopped.
        runner.cancelAll()
        try? await group.shutdownGracefully()
        try? await kafkaGroup.shutdownGracefully()
        await close()
        if let failure { throw failure }
    }

    private func kafkaTLS() throws(ConfigurationError) -> NIOSSLContext? {
        let certificate = configuration.text("kafka_tls_certificate")
        guard configuration.kafka != nil, !certificate.isEmpty else { return nil }
        return try KafkaTLS.context(
            certificate: certificate, key: configuration.text("kafka_tls_key"),
            clientCA: configuration.text("kafka_tls_client_ca"))
    }

    /// Two, so that one client's decompression or cold disk does not hold up everyone's heartbeats.
    private static let kafkaThreads = 2

    private func kafkaServer(
        on group: MultiThreadedEventLoopGroup, _ tls: NIOSSLContext?, _ onRunning: @escaping @Sendable (Int) -> Void
    ) -> KafkaServer? {
        guard let (host, port) = configuration.kafka else { return nil }
        var settings = BrokerSettings()
        settings.advertised = configuration.kafkaAdvertised.map { ($0.host, Int32(clamping: $0.port)) }
        settings.autoCreateTopics = configuration.flag("kafka_auto_create_topics")
        settings.defaultPartitions = Int32(configuration.number("kafka_partitions"))
        settings.users = configuration.users.map { user in
            BrokerUser(name: user.name, password: user.password, permissions: user.role.kafkaPermissions)
        }
        var limits = KafkaLimits()
        limits.maxFrameBytes = Int(configuration.bytes("kafka_max_request"))
        limits.maxConnections = configuration.number("kafka_max_connections")
        limits.idleTimeoutMs = configuration.milliseconds("kafka_idle_timeout")
        let pool = diskPool
        let broker = Broker(logStore: store.logStore, clock: store.clock, settings: settings) { work in
            (try? pool.submit(work)) != nil
        }
        return KafkaServer(
            host: host, port: port, group: group, broker: broker, needsAuthentication: !configuration.users.isEmpty,
            tls: tls, limits: limits, metrics: kafkaMetrics, logger: logger, onRunning: onRunning)
    }

    private func close() async {
        let store = store
        let logger = logger
        let pools = [queryPool, diskPool]
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            _ = Thread(name: "close") {
                for pool in pools { pool.stop() }
                if let failure = store.close() { logger.error("not everything could be flushed: \(failure)") }
                continuation.resume()
            }
        }
        logger.info("stopped")
    }

    private func channelBuilder() -> HTTPServerBuilder {
        let idle = TimeAmount.milliseconds(configuration.milliseconds("idle_timeout"))
        let header = TimeAmount.milliseconds(configuration.milliseconds("header_timeout"))
        return HTTPServerBuilder { responder in
            ServerChannel(
                inner: HTTP1Channel(responder: responder, configuration: .init(idleTimeout: idle)),
                headerTimeout: header)
        }
    }

    private func responder() -> Responder {
        let startMs = store.clock.nowMs()
        return Responder(
            authenticator: Authenticator(users: configuration.users), configuration: configuration, metrics: metrics,
            query: QueryEndpoint(
                runner: runner, configuration: configuration, displayName: Machine.hostName, clock: store.clock),
            ingest: IngestEndpoint(
                ingestor: store.ingestor, materializer: store.materializer, logStore: store.logStore, pool: diskPool,
                configuration: configuration,
                metrics: metrics,
                clock: store.clock, gate: AsyncGate(limit: configuration.number("max_concurrent_ingests"))),
            grafana: GrafanaEndpoint(runner: runner, clock: store.clock),
            health: HealthEndpoint(store: store, configuration: configuration, pool: diskPool, startMs: startMs),
            prometheus: MetricsEndpoint(
                store: store, metrics: metrics, queries: runner, pool: diskPool, startMs: startMs,
                kafka: kafkaMetrics),
            tail: TailEndpoint(logStore: store.logStore, pool: diskPool),
            admin: AdminEndpoint(
                catalog: store.catalog, logStore: store.logStore, pool: diskPool, defaults: store.topicDefaults))
    }
}

/// Work done now and then: the log's retention and compaction, and word of damage.
private struct Maintenance: Service {
    let store: Store
    let pool: BlockingPool
    let logger: Logger

    /// How often damage is looked for, and after how many such looks retention runs.
    private static let tick = Duration.seconds(5)
    private static let ticksPerRetention = 6

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // Compaction may take long; the rest does not wait for it.
            async let compaction: Void = compactForever()
            await watch()
            await compaction
        }
    }

    private func watch() async {
        var ticks = 0
        var known = detachedCount
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.tick) } catch { return }
            ticks += 1
            if detachedCount != known {
                known = detachedCount
                await tellDamage()
            }
            if ticks % Self.ticksPerRetention == 0 { await applyRetention() }
        }
    }

    private var detachedCount: Int { store.catalog.tables.reduce(0) { $0 + $1.statistics.detachedParts } }

    private func tellDamage() async {
        let store = store
        for problem in (try? await pool.run { store.problems() }) ?? [] { logger.warning("\(problem)") }
    }

    private func applyRetention() async {
        let store = store
        do {
            let freed = try await pool.run { try store.logStore.applyRetention() }
            if freed > 0 { logger.info("the log's retention freed \(freed) bytes") }
        } catch {
            logger.error("the log's retention failed: \(error)")
        }
    }

    private func compactForever() async {
        let store = store
        await withTaskCancellationHandler {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.tick * Self.ticksPerRetention) } catch { return }
                do {
                    let freed = try await pool.run { try store.logStore.compact() }
                    if freed > 0 { logger.info("the log's compaction freed \(freed) bytes") }
                } catch {
                    logger.error("the log's compaction failed: \(error)")
                }
            }
        } onCancel: {
            store.logStore.stopCompaction()
        }
    }
}

extension User.Role {
    /// What a user of this role may do through Kafka's protocol.
    fileprivate var kafkaPermissions: Principal.Permissions {
        switch self {
        case .admin: .all
        case .readonly: .consume
        case .ingest: .produce
        }
    }
}

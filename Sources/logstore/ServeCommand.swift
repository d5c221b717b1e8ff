import ArgumentParser
import Columnar
import Disk
import LogStore
import Logging
import NIOCore
import Server

/// `logstore serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Every flag is also an environment variable (--max-body is LOGSTORE_MAX_BODY) and a line of the configuration \
            file (max_body = 1G). A flag goes before the environment, the environment before the file.

            Examples:
              logstore serve --data ./data
              logstore serve --config /etc/logstore.conf
              logstore serve --http 0.0.0.0:8123 --users admin:secret:admin,grafana:looks:readonly
            """)

    @Option(help: "Configuration file of `name = value` lines (LOGSTORE_CONFIG).") var config: String?
    @OptionGroup var settings: SettingOptions

    func run() async throws {
        let configuration = try settings.configuration(file: config)
        let logger = Self.logger(level: configuration.text("log_level"))
        let store = try await Self.open(configuration)
        for problem in await FolderAccess.blocking({ store.problems() }) { logger.warning("\(problem)") }
        if configuration.users.isEmpty, !configuration.isLoopback {
            logger.warning("no users are set and the address is public: anyone who reaches it may do anything")
        }
        logger.info(
            "data folder \(store.folder) open: \(store.catalog.tables.count) tables, \(store.logStore.topics.count) topics"
        )
        for table in store.catalog.tables {
            for part in (try? table.detachedParts()) ?? [] { logger.warning("table \(table.name): \(part)") }
        }
        let server = LogstoreServer(configuration: configuration, store: store, logger: logger)
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        do {
            try await server.run(
                onRunning: { port in logger.info("listening on http://\(host):\(port)/") },
                onKafkaRunning: { port in
                    logger.info("listening on kafka://\(configuration.kafka?.host ?? ""):\(port)")
                })
        } catch let error as ConfigurationError {
            throw CommandFailure(error.message)
        } catch let error as IOError {
            throw CommandFailure("cannot listen on \(configuration.text("http")): \(Client.describe(error))")
        }
    }

    /// Opening reads files: it happens on a thread that may block.
    static func open(_ configuration: ServerConfiguration) async throws -> Store {
        let result: Swift.Result<Store, StoreError> = await withCheckedContinuation { continuation in
            _ = Thread(name: "open") {
                continuation.resume(
                    returning: Swift.Result { () throws(StoreError) in try Store.open(configuration: configuration) })
            }
        }
        do throws(StoreError) { return try result.get() } catch { throw CommandFailure(error.message) }
    }

    private static func logger(level: String) -> Logger {
        let level = Logger.Level(rawValue: level) ?? .info
        var logger = Logger(label: "logstore") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        logger.logLevel = level
        return logger
    }
}

/// The server's settings as flags. Their names, defaults and meanings stand in `SettingDefinition.all`.
struct SettingOptions: ParsableArguments {
    @Option(help: Self.help("data")) var data: String?
    @Option(help: Self.help("http")) var http: String?
    @Option(help: Self.help("kafka")) var kafka: String?
    @Option(help: Self.help("kafka_advertised")) var kafkaAdvertised: String?
    @Option(help: Self.help("kafka_auto_create_topics")) var kafkaAutoCreateTopics: String?
    @Option(help: Self.help("kafka_partitions")) var kafkaPartitions: String?
    @Option(help: Self.help("kafka_max_request")) var kafkaMaxRequest: String?
    @Option(help: Self.help("kafka_max_connections")) var kafkaMaxConnections: String?
    @Option(help: Self.help("kafka_idle_timeout")) var kafkaIdleTimeout: String?
    @Option(help: Self.help("kafka_tls_certificate")) var kafkaTLSCertificate: String?
    @Option(help: Self.help("kafka_tls_key")) var kafkaTLSKey: String?
    @Option(help: Self.help("kafka_tls_client_ca")) var kafkaTLSClientCA: String?
    @Option(help: Self.help("users")) var users: String?
    @Flag(help: Self.help("allow_insecure")) var allowInsecure = false
    @Option(help: Self.help("cors_origin")) var corsOrigin: String?
    @Option(help: Self.help("log_level")) var logLevel: String?
    @Option(help: Self.help("durability")) var durability: String?
    @Option(help: Self.help("log_retention")) var logRetention: String?
    @Option(help: Self.help("log_retention_bytes")) var logRetentionBytes: String?
    @Option(help: Self.help("log_segment_bytes")) var logSegmentBytes: String?
    @Option(help: Self.help("flush_interval")) var flushInterval: String?
    @Option(help: Self.help("memory_for_rows")) var memoryForRows: String?
    @Option(help: Self.help("max_body")) var maxBody: String?
    @Option(help: Self.help("max_query_size")) var maxQuerySize: String?
    @Option(help: Self.help("max_concurrent_queries")) var maxConcurrentQueries: String?
    @Option(help: Self.help("max_waiting_queries")) var maxWaitingQueries: String?
    @Option(help: Self.help("max_concurrent_ingests")) var maxConcurrentIngests: String?
    @Option(help: Self.help("max_memory_usage")) var maxMemoryUsage: String?
    @Option(help: Self.help("max_execution_time")) var maxExecutionTime: String?
    @Option(help: Self.help("max_threads")) var maxThreads: String?
    @Option(help: Self.help("visible_timeout")) var visibleTimeout: String?
    @Option(help: Self.help("http_threads")) var httpThreads: String?
    @Option(help: Self.help("max_connections")) var maxConnections: String?
    @Option(help: Self.help("header_timeout")) var headerTimeout: String?
    @Option(help: Self.help("idle_timeout")) var idleTimeout: String?
    @Option(help: Self.help("shutdown_timeout")) var shutdownTimeout: String?
    @Option(help: Self.help("min_free_space")) var minFreeSpace: String?

    private static func help(_ name: String) -> ArgumentHelp {
        let definition = SettingDefinition.all.first { $0.name == name }
        let standard = definition.map { $0.defaultText.isEmpty ? "" : " (default: \($0.defaultText))" } ?? ""
        return ArgumentHelp((definition?.help ?? name) + standard)
    }

    /// What was said on the command line, by setting name.
    private var flags: [String: String] {
        let pairs: [(String, String?)] = [
            ("data", data), ("http", http), ("kafka", kafka), ("kafka_advertised", kafkaAdvertised),
            ("kafka_auto_create_topics", kafkaAutoCreateTopics), ("kafka_partitions", kafkaPartitions),
            ("kafka_max_request", kafkaMaxRequest), ("kafka_max_connections", kafkaMaxConnections),
            ("kafka_idle_timeout", kafkaIdleTimeout), ("kafka_tls_certificate", kafkaTLSCertificate),
            ("kafka_tls_key", kafkaTLSKey), ("kafka_tls_client_ca", kafkaTLSClientCA), ("users", users),
            ("allow_insecure", allowInsecure ? "true" : nil),
            ("cors_origin", corsOrigin), ("log_level", logLevel), ("durability", durability),
            ("log_retention", logRetention),
            ("log_retention_bytes", logRetentionBytes), ("log_segment_bytes", logSegmentBytes),
            ("flush_interval", flushInterval),
            ("memory_for_rows", memoryForRows), ("max_body", maxBody), ("max_query_size", maxQuerySize),
            ("max_concurrent_queries", maxConcurrentQueries), ("max_waiting_queries", maxWaitingQueries),
            ("max_concurrent_ingests", maxConcurrentIngests), ("max_memory_usage", maxMemoryUsage),
            ("max_execution_time", maxExecutionTime), ("max_threads", maxThreads),
            ("visible_timeout", visibleTimeout), ("http_threads", httpThreads), ("max_connections", maxConnections),
            ("header_timeout", headerTimeout), ("idle_timeout", idleTimeout), ("shutdown_timeout", shutdownTimeout),
            ("min_free_space", minFreeSpace),
        ]
        return Dictionary(uniqueKeysWithValues: pairs.compactMap { name, value in value.map { (name, $0) } })
    }

    /// Joins flags, environment and file. Wrong settings are wrong usage.
    func configuration(file: String?) throws -> ServerConfiguration {
        var text: (path: String, text: String)?
        if let path = file ?? Environment.value("LOGSTORE_CONFIG"), !path.isEmpty {
            do throws(DiskError) {
                let bytes = try POSIXFileSystem().readFile(path, maxBytes: 1 << 20)
                text = (path, String(decoding: bytes, as: UTF8.self))
            } catch {
                throw ValidationError("the configuration file cannot be read: \(error.message)")
            }
        }
        do throws(ConfigurationError) {
            return try ServerConfiguration(flags: flags, environment: Environment.all, file: text)
        } catch {
            throw ValidationError(error.message)
        }
    }
}

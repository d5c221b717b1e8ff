import Columnar
import Disk
import Ingest
import LogStore
import QueryEngine

/// Everything behind HTTP, opened from one data folder: log, tables, what carries records from one to the other, and
/// the engine that answers queries.
public final class Store: Sendable {
    /// The data folder's path.
    public let folder: String
    /// Where its files are.
    public var fileSystem: any FileSystem { meteredFileSystem }
    let meteredFileSystem: MeteredFileSystem
    /// Where time comes from.
    public let clock: any Disk.Clock
    /// The durable log.
    public let logStore: LogStore
    /// The tables.
    public let catalog: Catalog
    /// The way into the log for bodies and blocks.
    public let ingestor: Ingestor
    /// Brings records from log to tables.
    public let materializer: Materializer
    /// Answers queries.
    public let engine: QueryEngine
    let database: ServerDatabase
    /// The settings of a topic created without any.
    let topicDefaults: TopicConfig
    private let dataFolder: DataFolder

    private init(
        folder: DataFolder, fileSystem: MeteredFileSystem, clock: any Disk.Clock, logStore: LogStore,
        topicDefaults: TopicConfig,
        catalog: Catalog, configuration: ServerConfiguration
    ) {
        dataFolder = folder
        self.folder = folder.path
        meteredFileSystem = fileSystem
        self.clock = clock
        self.logStore = logStore
        self.topicDefaults = topicDefaults
        self.catalog = catalog
        ingestor = Ingestor(logStore: logStore, clock: clock)
        materializer = Materializer(logStore: logStore, catalog: catalog, clock: clock)
        database = ServerDatabase(
            catalog: catalog, logStore: logStore, ingestor: ingestor, materializer: materializer,
            configuration: configuration, clock: clock)
        engine = QueryEngine(database: database, clock: clock, settings: Self.engineSettings(configuration))
    }

    /// Opens the data folder, locks it, recovers log and tables, and starts the background work. Blocks.
    public static func open(
        configuration: ServerConfiguration, fileSystem: any FileSystem = POSIXFileSystem(),
        clock: any Disk.Clock = SystemClock()
    ) throws(StoreError) -> Store {
        let fileSystem = MeteredFileSystem(fileSystem, clock: clock)
        let folder: DataFolder
        do throws(DiskError) {
            folder = try DataFolder.open(configuration.text("data"), fileSystem: fileSystem)
        } catch {
            throw StoreError(error.message)
        }
        let logStore: LogStore
        var logSettings = LogSettings()
        do throws(LogStoreError) {
            logSettings.defaultConfig = try topicDefaults(configuration)
            logStore = try LogStore.open(
                folder: folder.path + "/log", fileSystem: fileSystem, clock: clock, settings: logSettings)
        } catch {
            folder.close()
            throw StoreError("the log cannot be opened: \(error.message)")
        }
        let catalog: Catalog
        do throws(ColumnarError) {
            catalog = try Catalog.open(
                folder: folder.path + "/tables", fileSystem: fileSystem, clock: clock,
                settings: columnarSettings(configuration))
        } catch {
            logStore.close()
            folder.close()
            throw StoreError("the tables cannot be opened: \(error.message)")
        }
        let store = Store(
            folder: folder, fileSystem: fileSystem, clock: clock, logStore: logStore,
            topicDefaults: logSettings.defaultConfig.asDefaults,
            catalog: catalog, configuration: configuration)
        catalog.startMaintenance()
        store.materializer.start()
        return store
    }

    /// What an operator should know about the state the folder was found in: damage, by file. Blocks.
    public func problems() -> [String] {
        var problems = logStore.recovery.problems.map(\.description)
        for table in catalog.tables {
            do throws(ColumnarError) {
                problems += try table.detachedParts().map(\.description)
            } catch {
                problems.append("table \(table.name): \(error.message)")
            }
        }
        return problems
    }

    /// Stops background work, flushes what is in memory, closes every file and gives the folder back. Returns what
    /// could not be flushed: those rows come back from the log at the next start. Blocks.
    @discardableResult
    public func close() -> StoreError? {
        materializer.stop()
        var failure: StoreError?
        do throws(ColumnarError) { try catalog.close() } catch { failure = StoreError(error.message) }
        logStore.close()
        dataFolder.close()
        return failure
    }

    private static func topicDefaults(_ configuration: ServerConfiguration) throws(LogStoreError) -> TopicConfig {
        var topic = TopicConfig()
        topic.retentionMs = configuration.milliseconds("log_retention")
        let bytes = configuration.bytes("log_retention_bytes")
        topic.retentionBytes = bytes == 0 ? -1 : bytes
        try topic.set("segment.bytes", to: String(configuration.bytes("log_segment_bytes")))
        switch configuration.text("durability") {
        case "interval": topic.durability = .interval(ms: 200)
        case "os": topic.durability = .os
        default: topic.durability = .fsync
        }
        return topic
    }

    private static func columnarSettings(_ configuration: ServerConfiguration) -> ColumnarSettings {
        ColumnarSettings(
            memoryBytes: Int(configuration.bytes("memory_for_rows")),
            flushAgeMs: configuration.milliseconds("flush_interval"))
    }

    private static func engineSettings(_ configuration: ServerConfiguration) -> EngineSettings {
        var settings = EngineSettings()
        settings.maxMemoryBytes = Int(configuration.bytes("max_memory_usage"))
        settings.timeoutMs = configuration.milliseconds("max_execution_time")
        let threads = configuration.number("max_threads")
        settings.threads = threads > 0 ? threads : Machine.coreCount
        return settings
    }
}

/// Why a data folder could not be opened or closed well.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// A sentence for the operator.
    public let message: String

    /// Creates an error.
    public init(_ message: String) {
        self.message = message
    }

    /// The sentence.
    public var description: String { message }
}

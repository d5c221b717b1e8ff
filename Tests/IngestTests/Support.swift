import Columnar
import Disk
import LogStore
import TestSupport
import Testing

@testable import Ingest

/// A log, tables and what connects them, on a disk of the test's choice.
final class Pipeline {
    let logStore: LogStore
    let catalog: Catalog
    let materializer: Materializer
    let ingestor: Ingestor

    init(
        _ fileSystem: any FileSystem, folder: String = "/data", columnar: ColumnarSettings = ColumnarSettings(),
        settings: MaterializerSettings = MaterializerSettings(threads: 1, retryMs: 5, maxRetryMs: 20),
        starts: Bool = true
    ) throws {
        let clock = SystemClock()
        logStore = try LogStore.open(folder: folder + "/log", fileSystem: fileSystem, clock: clock)
        catalog = try Catalog.open(folder: folder + "/tables", fileSystem: fileSystem, clock: clock, settings: columnar)
        materializer = Materializer(logStore: logStore, catalog: catalog, clock: clock, settings: settings)
        ingestor = Ingestor(logStore: logStore, clock: clock)
        if starts { materializer.start() }
    }

    /// Stops everything without flushing tables.
    func stop() {
        materializer.stop()
        logStore.close()
    }

    /// Takes a body and waits until its records are visible.
    @discardableResult
    func ingest(_ topic: String, _ body: String) async throws -> IngestResult {
        let result = try await ingestor.ingest(topic: topic, body: Array(body.utf8))
        if let end = result.end { #expect(waitUntilVisible(end), "\(materializer.status)") }
        return result
    }

    func waitUntilVisible(_ position: LogPosition) -> Bool {
        materializer.waitUntilVisible(position, timeoutMs: 20_000)
    }

    /// Waits until the topic has no lag.
    func waitUntilCaughtUp(_ topic: String) -> Bool {
        for partition in logStore.topic(topic)?.partitions ?? [] {
            let end = LogPosition(topic: topic, partition: partition.partition, offset: partition.endOffset)
            if !waitUntilVisible(end) { return false }
        }
        return true
    }

    /// A table's values, row by row, in no particular order.
    func rows(_ table: String, _ names: [String]) throws -> [[Scalar]] {
        try Self.rows(try #require(catalog.table(table)).currentSnapshot(), names)
    }

    /// A table's dead letters.
    func deadLetters(_ table: String) throws -> [[Scalar]] {
        try Self.rows(try #require(catalog.table(table)).deadLetters(), ["offset", "reason", "value"])
    }

    private static func rows(_ snapshot: any TableSnapshot, _ names: [String]) throws -> [[Scalar]] {
        var rows: [[Scalar]] = []
        for source in snapshot.sources {
            for granule in 0..<source.granuleCount {
                let columns = try names.map { try source.read(column: $0, granule: granule) }
                for row in 0..<source.rowCount(granule: granule) { rows.append(columns.map { $0.scalar(at: row) }) }
            }
        }
        return rows
    }
}

/// A record batch of values, as a producer sends it.
func recordBatch(_ values: [[UInt8]?], timestampMs: Int64 = 1_700_000_000_000) throws -> [UInt8] {
    var builder = RecordBatchBuilder()
    for value in values {
        if let value {
            builder.append(timestampMs: timestampMs, value: value)
        } else {
            builder.append(timestampMs: timestampMs, value: UnsafeRawBufferPointer?.none)
        }
    }
    return try builder.finish()
}

import Columnar
import Compression
import Disk
import LogStore
import Synchronization

/// The way into the log for whatever is no Kafka producer: bodies of JSON and blocks of rows.
public final class Ingestor: Sendable {
    private let logStore: LogStore
    private let clock: any Clock
    /// How records are taken in.
    public let settings: IngestSettings
    /// Requests go to the partitions of a topic in turn.
    private let turn = Atomic<UInt>(0)

    /// Creates the way into `logStore`.
    public init(logStore: LogStore, clock: any Clock, settings: IngestSettings = IngestSettings()) {
        self.logStore = logStore
        self.clock = clock
        self.settings = settings
    }

    /// Begins a request's body; the topic is created when absent. Throws `.invalidTopic`, `.diskFull`,
    /// `.unavailable`. May block on the disk when it creates the topic.
    public func begin(topic: String) throws(IngestError) -> IngestSession {
        let (partition, maxBytes) = try partition(of: topic)
        return IngestSession(partition: partition, maxMessageBytes: maxBytes, clock: clock, settings: settings)
    }

    /// Takes a whole body that is in memory; returns once its records are durable.
    public func ingest(topic: String, body: [UInt8]) async throws(IngestError) -> IngestResult {
        var session = try begin(topic: topic)
        var start = 0
        while start < body.count {
            let end = min(start + settings.batchBytes, body.count)
            body.withUnsafeBytes { session.feed(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
            try await session.flush()
            start = end
        }
        return try await session.finish()
    }

    /// Writes the rows of `block` as JSON records of the table's topic, all or none; returns once they are durable,
    /// with the offset after the last. Blocks the calling thread. Throws `.invalidValue` for a value the log cannot
    /// carry, and what `begin` throws. Nil when the block has no rows.
    @discardableResult
    public func appendRows(_ block: Block, table: String) throws(IngestError) -> LogPosition? {
        guard block.rowCount > 0 else { return nil }
        let (partition, maxBytes) = try partition(of: table)
        let batches = try batches(block, limit: min(settings.batchBytes, maxBytes - maxBytes / 128 - 512), maxBytes)
        do throws(LogStoreError) {
            let appended = try partition.appendBlocking(batches, checking: .header)
            return LogPosition(topic: table, partition: partition.partition, offset: appended.nextOffset)
        } catch {
            throw IngestError(error)
        }
    }

    private func batches(_ block: Block, limit: Int, _ maxBytes: Int) throws(IngestError) -> [[UInt8]] {
        let writer = try JSONRowWriter(block)
        let nowMs = clock.nowMs()
        var batches: [[UInt8]] = []
        var builder = RecordBatchBuilder(codec: block.rowCount < 8 ? .none : settings.codec)
        var row: [UInt8] = []
        do throws(LogStoreError) {
            for index in 0..<block.rowCount {
                row.removeAll(keepingCapacity: true)
                let failure = Self.write(writer, index, to: &row)
                if let failure { throw failure }
                if builder.count > 0 && builder.sizeBytes + row.count > limit {
                    batches.append(try builder.finish())
                    builder = RecordBatchBuilder(codec: settings.codec)
                }
                builder.append(timestampMs: nowMs, value: row)
            }
            batches.append(try builder.finish())
        } catch {
            throw IngestError(error)
        }
        guard batches.allSatisfy({ $0.count <= maxBytes }) else {
            throw IngestError(.invalidValue, "a row is longer than the \(maxBytes) bytes a record batch may have")
        }
        return batches
    }

    private static func write(_ writer: JSONRowWriter, _ row: Int, to bytes: inout [UInt8]) -> LogStoreError? {
        do throws(IngestError) {
            try writer.append(row: row, to: &bytes)
            return nil
        } catch {
            return LogStoreError(.invalidRecord, error.message)
        }
    }

    private func partition(of name: String) throws(IngestError) -> (PartitionLog, maxBytes: Int) {
        let topic: Topic
        do throws(LogStoreError) { topic = try logStore.ensureTopic(name) } catch { throw IngestError(error) }
        let partitions = topic.partitions
        guard !partitions.isEmpty else { throw IngestError(.unavailable, "topic \(name) is being deleted") }
        let turn = turn.add(1, ordering: .relaxed).oldValue
        return (partitions[Int(turn % UInt(partitions.count))], Int(clamping: topic.config.maxMessageBytes))
    }
}

import Compression
import Disk
import LogStore

/// One request's body on its way into the log.
///
/// Call `feed` with each piece as it comes, `flush` after it (that is where a fast sender is held back), `finish` at
/// the end. Records reach the disk in batches while the body still comes in; memory holds one unfinished record, one
/// batch, and as many batches as may wait for the disk.
public struct IngestSession: Sendable {
    private let partition: PartitionLog
    private let clock: any Clock
    private let settings: IngestSettings
    private let batchBytes: Int
    private let tracker = AppendTracker()
    private var splitter: BodySplitter
    private var builder: RecordBatchBuilder?
    private var full: [(batch: RecordBatchBuilder, records: Int)] = []

    init(partition: PartitionLog, maxMessageBytes: Int, clock: any Clock, settings: IngestSettings) {
        self.partition = partition
        self.clock = clock
        self.settings = settings
        // Room for the header and for what compression may add to bytes it cannot shrink.
        let room = max(256, maxMessageBytes - maxMessageBytes / 128 - 512)
        batchBytes = min(settings.batchBytes, room)
        splitter = BodySplitter(maxRecordBytes: min(settings.maxRecordBytes, room))
    }

    /// Records accepted and lines refused so far.
    public var counts: (accepted: Int, rejected: Int) { (splitter.accepted, splitter.rejections.count) }

    /// Takes the next piece of the body, already decompressed, of any length.
    public mutating func feed(_ piece: UnsafeRawBufferPointer) {
        // Pieces far larger than a batch would make all their batches wait in memory at once; those who have the
        // body whole call `feed` and `flush` in slices, as `Ingestor.ingest` does.
        take(compresses: piece.count >= settings.compressFromBytes) { splitter, record in
            splitter.feed(piece, record)
        }
    }

    private mutating func take(
        compresses: Bool, _ body: (inout BodySplitter, (UnsafeRawBufferPointer) -> Void) -> Void
    ) {
        let nowMs = clock.nowMs()
        let codec = compresses ? settings.codec : .none
        var current = builder
        builder = nil
        var done: [(batch: RecordBatchBuilder, records: Int)] = []
        let limit = batchBytes
        body(&splitter) { record in
            if let open = current, open.sizeBytes + record.count > limit {
                done.append((open, open.count))
                current = nil
            }
            if current == nil { current = RecordBatchBuilder(codec: codec) }
            current?.append(timestampMs: nowMs, value: record)
        }
        full += done
        builder = current
    }

    /// Sends full batches to the disk and waits while too many are on their way. Throws when the log refuses them;
    /// the session is then over.
    public mutating func flush() async throws(IngestError) {
        while !full.isEmpty {
            let (batch, records) = full.removeFirst()
            try await send(batch, records)
        }
    }

    private func send(_ batch: RecordBatchBuilder, _ records: Int) async throws(IngestError) {
        try await tracker.wait(limit: max(settings.maxWaitingAppends - 1, 0))
        let bytes: [UInt8]
        do throws(LogStoreError) { bytes = try batch.finish() } catch { throw IngestError(error) }
        tracker.append(bytes, records: records, to: partition)
    }

    /// Ends the body; returns once every accepted record is durable. Throws when the log refuses some: the error's
    /// `durable` says how many are in it all the same.
    public mutating func finish() async throws(IngestError) -> IngestResult {
        take(compresses: builder.map { $0.codecIsWorthIt(settings) } ?? false) { splitter, record in
            splitter.finish(record)
        }
        if let last = builder {
            full.append((last, last.count))
            builder = nil
        }
        try await flush()
        try await tracker.wait(limit: 0)
        let (records, nextOffset) = tracker.outcome
        let end = nextOffset.map { LogPosition(topic: partition.topic, partition: partition.partition, offset: $0) }
        return IngestResult(accepted: records, rejected: splitter.rejections, end: end)
    }
}

extension RecordBatchBuilder {
    /// Whether what is in it already makes compression pay.
    fileprivate func codecIsWorthIt(_ settings: IngestSettings) -> Bool { sizeBytes >= settings.compressFromBytes }
}

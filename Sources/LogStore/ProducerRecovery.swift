import Disk
import Synchronization

/// Finds out what a partition knows of producers and transactions when it is opened: from the newest snapshot that is
/// right, and the batches behind it.
struct ProducerRecovery {
    let log: PartitionLog

    private static let readBytes = 1 << 20

    /// Fills in the log's table. `names` are the files of its folder; `point` is the recovery point found there.
    func run(_ names: [String], _ point: RecoveryPoint?) throws(LogStoreError) {
        let snapshots = log.writer.snapshots
        let end = log.endOffset
        // Where the recovery point says that there were none, there was nothing to take a snapshot of.
        var start = Int64.min
        if let point, !point.hasProducers { start = min(end, point.nextOffset) }
        var index = AbortedIndex()
        let chunkFiles = Set(names.compactMap { SegmentFormat.offset(in: $0, SegmentFormat.abortedSuffix) })
        var offsets = names.compactMap { SegmentFormat.offset(in: $0, SegmentFormat.producersSuffix) }.sorted()
        while let newest = offsets.last, newest >= start {
            if newest <= end, let snapshot = snapshots.load(newest),
                let chunks = usableChunks(snapshot, chunkFiles)
            {
                for (id, entry) in snapshot.producers { log.writer.producers.load(id, entry) }
                index.chunks = chunks
                index.recent = snapshot.aborted
                start = newest
                break
            }
            snapshots.remove(offsets.removeLast())
        }
        start = max(start, log.keptOffset)
        snapshots.offsets = offsets
        try Self.replay(log, from: start, upTo: end, into: &log.writer.producers) { index.recent += $0 }
        log.writer.producers.expire(nowMs: log.environment.clock.nowMs())
        snapshots.hasAborted = !index.isEmpty
        let open = log.writer.producers.open
        let count = log.writer.producers.entries.count
        let found = index
        log.state.withLock { state in
            state.aborted = found
            state.firstOpenOffset = open.first?.firstOffset
            state.producerCount = count
        }
        removeRemains(names, chunkFiles.subtracting(index.chunks.map(\.number)))
        // What took long to find out is not to be found out again.
        let active = log.segments.last?.baseOffset ?? end
        if start < active { log.writer.saveProducers(log) }
    }

    /// The snapshot's chunks that are still of use; nil when one of them is missing.
    private func usableChunks(_ snapshot: ProducerSnapshot, _ files: Set<Int64>) -> [AbortedIndex.Chunk]? {
        let chunks = snapshot.chunks.filter { $0.lastOffset >= log.keptOffset }
        return chunks.allSatisfy { files.contains($0.number) } ? chunks : nil
    }

    private func removeRemains(_ names: [String], _ chunks: Set<Int64>) {
        let fileSystem = log.environment.fileSystem
        for number in chunks {
            try? fileSystem.remove(SegmentFormat.path(log.folder, number, SegmentFormat.abortedSuffix))
        }
        for name in names {
            for suffix in [SegmentFormat.abortedSuffix, SegmentFormat.producersSuffix]
            where name.hasSuffix(suffix + ".tmp") {
                try? fileSystem.remove(log.folder + "/" + name)
            }
        }
    }

    /// Enters the batches with offsets from `start` to before `end` into `table`, passing over damage,
    /// and gives the transactions found aborted to `found`.
    static func replay(
        _ log: PartitionLog, from start: Int64, upTo end: Int64, into table: inout ProducerTable,
        _ found: ([AbortedTransaction]) -> Void
    ) throws(LogStoreError) {
        var next = start
        var times = SegmentTimes(log)
        while next < end {
            let bytes: [UInt8]
            do throws(LogStoreError) {
                bytes = try log.read(from: next, maxBytes: readBytes, includingDeleted: true)
            } catch {
                guard let resume = error.resumeOffset, resume > next else { throw error }
                next = resume
                continue
            }
            let from = next
            bytes.withBytes { bytes in
                var rest = bytes
                while let batch = try? RecordBatch(parsing: rest), batch.sizeBytes <= rest.count {
                    if batch.hasProducer, batch.nextOffset > start, batch.baseOffset < end {
                        let whole = UnsafeRawBufferPointer(rebasing: rest[..<batch.sizeBytes])
                        table.replay(batch, whole, seenMs: times.writtenMs(batch.baseOffset))
                    }
                    next = max(next, batch.nextOffset)
                    rest = UnsafeRawBufferPointer(rebasing: rest[batch.sizeBytes...])
                }
            }
            found(table.takeAborted())
            guard next > from else { return }
        }
    }
}

/// When, at the latest, an offset was written: batches do not say it, the segments' files do.
private struct SegmentTimes {
    private let log: PartitionLog
    private let segments: [SegmentInfo]
    private var current: (range: Range<Int64>, ms: Int64)?

    init(_ log: PartitionLog) {
        self.log = log
        segments = log.segments
    }

    mutating func writtenMs(_ offset: Int64) -> Int64 {
        if let current, current.range.contains(offset) { return current.ms }
        let now = log.environment.clock.nowMs()
        let after = segments.partitionPoint { $0.baseOffset > offset }
        guard after > 0 else { return now }
        let segment = segments[after - 1]
        let path = SegmentFormat.path(log.folder, segment.baseOffset, SegmentFormat.logSuffix)
        let ms = min(now, (try? log.environment.fileSystem.status(path))??.modifiedMs ?? now)
        current = (segment.baseOffset..<max(segment.baseOffset, segment.endOffset), ms)
        return ms
    }
}

extension PartitionLog {
    /// The chunk's transactions, from its file or, when that is damaged, from the log.
    func transactions(of chunk: AbortedIndex.Chunk) throws(LogStoreError) -> [AbortedTransaction] {
        if let cached = state.withLock({ $0.aborted.cached }), cached.chunk == chunk { return cached.transactions }
        let path = SegmentFormat.path(folder, chunk.number, SegmentFormat.abortedSuffix)
        let bytes = (try? environment.fileSystem.readFile(path, maxBytes: ProducerSnapshot.maxBytes)) ?? []
        var transactions = AbortedChunk.decode(bytes, chunk) ?? []
        if transactions.isEmpty {
            // Retention may have taken chunk and file together: then nobody needs either.
            guard chunk.lastOffset >= keptOffset else { return [] }
            var table = ProducerTable(
                maxCount: environment.settings.maxProducers, expiryMs: environment.settings.producerExpiryMs)
            try ProducerRecovery.replay(self, from: keptOffset, upTo: chunk.lastOffset + 1, into: &table) { found in
                transactions += found.filter { $0.lastOffset >= chunk.number && $0.lastOffset <= chunk.lastOffset }
            }
            if transactions.count == chunk.count, transactions.first?.lastOffset == chunk.number {
                try? environment.fileSystem.replaceFile(path, with: AbortedChunk.encoded(transactions))
            }
        }
        let found = transactions
        state.withLock { $0.aborted.cached = (chunk, found) }
        return transactions
    }
}

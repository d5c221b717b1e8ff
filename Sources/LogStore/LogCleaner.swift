import Disk

/// What a pass of compaction goes over: sealed segments from the log's first on.
struct DirtySection {
    /// All segments of the log up to the section's end.
    let segments: [SegmentState]
    /// Everything before was compacted already.
    let firstDirtyOffset: Int64
}

/// What compaction must know of transactions and of producers that may come back.
struct TransactionKnowledge {
    /// Tells the batches of aborted transactions.
    var aborted = AbortedFilter([])
    /// By which batch each producer's last sequence number, or epoch, is known.
    var lastBatches: [Int64: LastBatch] = [:]

    /// Whether a producer would be forgotten, or taken for an older self, without the batch's header.
    func isLastOfProducer(_ batch: RecordBatch) -> Bool {
        switch lastBatches[batch.producerID] {
        case .records(let lastOffset): batch.lastOffset == lastOffset
        case .marker(let epoch): batch.isControl && batch.producerEpoch == epoch
        case nil: false
        }
    }
}

/// The batch by which a producer is known.
enum LastBatch: Hashable {
    /// That of records which ends at the offset.
    case records(lastOffset: Int64)
    /// No records of its epoch: its transaction markers of that epoch.
    case marker(epoch: Int16)
}

/// One pass of compaction, by Kafka's rules.
///
/// First it goes through the dirty section and notes each key's last offset, as far as there is room. Then it goes
/// through the log from its start to where it got, segment by segment, and leaves out every record whose key has a
/// later one, records without a key, those of aborted transactions, and tombstones whose time has come.
///
/// A tombstone's time: the pass that first meets it takes out what it deletes, and notes in its batch when it may go
/// itself, `delete.retention.ms` later. Whoever has read a value before that pass so has that long to see the
/// tombstone.
final class LogCleaner {
    private let log: PartitionLog
    private let policy: CompactionPolicy
    private let transactions: TransactionKnowledge
    private let nowMs: Int64
    private var map: KeyOffsetMap
    /// The offset up to which the map knows every key.
    private var mapEnd: Int64 = 0
    /// Producers of whose transactions batches were met, but no marker yet.
    private var openTransactions: Set<Int64> = []
    private var pace: Pace
    /// How many bytes the log is smaller now.
    private(set) var freedBytes: Int64 = 0

    init(_ log: PartitionLog, _ policy: CompactionPolicy, _ transactions: TransactionKnowledge) {
        self.log = log
        self.policy = policy
        self.transactions = transactions
        let environment = log.environment
        nowMs = environment.clock.nowMs()
        map = KeyOffsetMap(maxBytes: environment.settings.compactionMapBytes)
        pace = Pace(bytesPerSecond: environment.settings.compactionBytesPerSecond, clock: environment.clock)
    }

    /// Runs the pass; returns the offset up to which the log is compacted now.
    func run(_ section: DirtySection) throws(LogStoreError) -> Int64 {
        try buildMap(section)
        var index = 0
        while index < section.segments.count, section.segments[index].baseOffset < mapEnd {
            index += try cleanGroup(section.segments[index...])
        }
        return mapEnd
    }

    // MARK: The map

    private func buildMap(_ section: DirtySection) throws(LogStoreError) {
        mapEnd = section.firstDirtyOffset
        for segment in section.segments where segment.endOffset > section.firstDirtyOffset {
            var isFull = false
            try scan(segment) { (batch, _, bytes) throws(LogStoreError) in
                guard batch.nextOffset > section.firstDirtyOffset else { return true }
                if !batch.isControl, !transactions.aborted.isAborted(batch), try !note(batch, bytes) {
                    // What was noted of this batch says the truth all the same: those keys come again in it.
                    isFull = mapEnd > section.firstDirtyOffset
                    if isFull { return false }
                    try noteAlone(batch, bytes)
                }
                mapEnd = batch.nextOffset
                return true
            }
            if isFull { return }
            mapEnd = segment.endOffset
        }
    }

    /// Notes the batch's keys; false when there is no room.
    private func note(_ batch: RecordBatch, _ bytes: UnsafeRawBufferPointer) throws(LogStoreError) -> Bool {
        var hasRoom = true
        try batch.forEachRecord(in: bytes, maxDecompressedBytes: RecordBatch.maxCompactedBytes) { record in
            if hasRoom, let key = record.key { hasRoom = map.put(key, record.offset) }
        }
        return hasRoom
    }

    /// A single batch of more keys than there is room for gets more.
    private func noteAlone(_ batch: RecordBatch, _ bytes: UnsafeRawBufferPointer) throws(LogStoreError) {
        map.widen(by: 8)
        guard try note(batch, bytes) else {
            throw LogStoreError(
                .messageTooLarge,
                "\(log.topic)-\(log.partition) cannot be compacted: the batch at offset \(batch.baseOffset) holds more "
                    + "keys than there is memory for (\(map.count))")
        }
    }

    // MARK: Segments

    /// Compacts the first of `segments`, and with it those behind it for which there is room in the same file.
    /// Returns how many that were. A segment that loses nothing stays as it is.
    private func cleanGroup(_ segments: ArraySlice<SegmentState>) throws(LogStoreError) -> Int {
        guard let first = segments.first else { return 0 }
        var sources: [SegmentState] = []
        var writer: CompactedSegmentWriter?
        do throws(LogStoreError) {
            for segment in segments {
                if !sources.isEmpty {
                    guard fits(segment, behind: sources, writer) else { break }
                    writer = if let writer { writer } else { try begin(first, upTo: first.sizeBytes) }
                }
                try scan(segment) { (batch, position, bytes) throws(LogStoreError) in
                    // What stood for gaps is merged with those that come now.
                    let compacted = batch.isFiller && writer != nil ? .removed : try decide(batch, bytes)
                    if case .unchanged = compacted {
                        try writer?.append(bytes, batch)
                        return true
                    }
                    let target = if let writer { writer } else { try begin(first, upTo: position) }
                    writer = target
                    if case .rewritten(let bytes, let batch) = compacted {
                        try bytes.withBytes { bytes throws(LogStoreError) in try target.append(bytes, batch) }
                    } else {
                        target.drop(batch)
                    }
                    return true
                }
                sources.append(segment)
            }
            guard let writer else { return sources.count }
            try finish(writer, sources)
            return sources.count
        } catch {
            if let writer { abandon(writer, first) }
            throw error
        }
    }

    /// Whether the segment may go into the same file as those before it.
    private func fits(
        _ segment: SegmentState, behind sources: [SegmentState], _ writer: CompactedSegmentWriter?
    ) -> Bool {
        guard let first = sources.first, let last = sources.last, segment.baseOffset < mapEnd,
            segment.baseOffset == last.endOffset, segment.endOffset - first.baseOffset <= Int64(Int32.max)
        else { return false }
        return (writer?.sizeBytes ?? first.sizeBytes) + segment.sizeBytes <= log.configuration.value.segmentBytes
    }

    /// Begins the new file with what the first segment holds before `limit`, all of which stays.
    private func begin(_ first: SegmentState, upTo limit: Int64) throws(LogStoreError) -> CompactedSegmentWriter {
        let fileSystem = log.environment.fileSystem
        let file: any File
        do throws(DiskError) {
            // One that a failure left is overwritten.
            file = try fileSystem.open(cleanedPath(first), .create)
        } catch {
            throw LogStoreError(error)
        }
        let writer = CompactedSegmentWriter(
            file, baseOffset: first.baseOffset, intervalBytes: log.environment.settings.indexIntervalBytes)
        do throws(LogStoreError) {
            try translating { () throws(DiskError) in try file.truncate(to: 0) }
            try scan(first, upTo: limit) { (batch, _, bytes) throws(LogStoreError) in
                try writer.append(bytes, batch)
                return true
            }
        } catch {
            abandon(writer, first)
            throw error
        }
        return writer
    }

    private func finish(_ writer: CompactedSegmentWriter, _ sources: [SegmentState]) throws(LogStoreError) {
        guard let first = sources.first, let last = sources.last else { return }
        try writer.finish(endOffset: last.endOffset)
        let isReplaced = try log.replace(sources, sizeBytes: writer.sizeBytes, indexes: writer.indexes)
        guard isReplaced else { throw gone(first) }
        freedBytes += sources.reduce(0) { $0 + $1.sizeBytes } - writer.sizeBytes
    }

    private func abandon(_ writer: CompactedSegmentWriter, _ first: SegmentState) {
        writer.abandon()
        try? log.environment.fileSystem.remove(cleanedPath(first))
    }

    private func cleanedPath(_ first: SegmentState) -> String {
        SegmentFormat.path(log.folder, first.baseOffset, SegmentFormat.cleanedSuffix)
    }

    // MARK: Batches

    /// What becomes of a batch.
    private func decide(_ batch: RecordBatch, _ bytes: UnsafeRawBufferPointer) throws(LogStoreError) -> CompactedBatch {
        if batch.nextOffset > mapEnd || batch.isFiller { return .unchanged }
        let keepsEmpty = batch.producerID >= 0 && transactions.isLastOfProducer(batch)
        if batch.isControl { return try decide(marker: batch, bytes, keepsEmpty) }
        if batch.isTransactional { openTransactions.insert(batch.producerID) }
        if batch.recordCount == 0 { return keepsEmpty ? .unchanged : .removed }
        if batch.isTransactional, transactions.aborted.isAborted(batch) {
            return keepsEmpty ? try batch.emptied() : .removed
        }
        let dropsTombstones = batch.deleteHorizonMs.map { $0 <= nowMs } ?? false
        return try batch.compacted(
            bytes, horizonMs: horizonMs, keepsEmpty: keepsEmpty, isMarked: { $0.value == nil },
            keeps: { record in
                guard let key = record.key else { return false }
                if let last = map.offset(of: key), last > record.offset { return false }
                return record.value != nil || !dropsTombstones
            })
    }

    /// A committed transaction's marker goes once nothing of the transaction is left, and its time has come like a
    /// tombstone's.
    private func decide(
        marker: RecordBatch, _ bytes: UnsafeRawBufferPointer, _ keepsEmpty: Bool
    ) throws(LogStoreError) -> CompactedBatch {
        let hasRecords = openTransactions.remove(marker.producerID) != nil
        if marker.recordCount == 0 { return keepsEmpty ? .unchanged : .removed }
        if hasRecords { return .unchanged }
        // A fetch names an aborted transaction for as long as the log knows of it, and its reader leaves the producer's
        // records out until it meets the end: that must stay.
        if let parsed = TransactionMarker(parsing: marker, bytes), !parsed.isCommit { return .unchanged }
        let isDue = marker.deleteHorizonMs.map { $0 <= nowMs } ?? false
        return try marker.compacted(
            bytes, horizonMs: horizonMs, keepsEmpty: keepsEmpty, isMarked: { _ in true }, keeps: { _ in !isDue })
    }

    /// When what is marked now may go.
    private var horizonMs: Int64 {
        let (sum, overflow) = nowMs.addingReportingOverflow(policy.deleteRetentionMs)
        return overflow ? .max : sum
    }

    // MARK: Reading

    /// Shows every batch of the segment. Throws `.corruptBatch` where it is damaged: then nobody knows what may go.
    private func scan(
        _ segment: SegmentState, upTo limit: Int64? = nil, _ visit: SegmentScan.Visitor
    ) throws(LogStoreError) {
        let file: any File
        do throws(LogStoreError) {
            file = try log.openSealed(segment)
        } catch {
            throw log.isShown(segment) ? error : gone(segment)
        }
        guard log.isShown(segment) else { throw gone(segment) }
        let limit = limit ?? segment.sizeBytes
        var isStopped = false
        let scan = try SegmentScan.run(
            file, segmentBase: segment.baseOffset, from: 0, nextOffset: segment.baseOffset,
            indexes: SegmentIndexes(), limit: limit, maxBatchBytes: Int(clamping: limit), intervalBytes: .max
        ) { (batch, position, bytes) throws(LogStoreError) in
            if let failure = log.failure { throw failure }
            if log.environment.isStopping { throw LogStoreError(.closed, "compaction was stopped") }
            pace.spend(bytes.count)
            let goesOn = try visit(batch, position, bytes)
            isStopped = !goesOn
            return goesOn
        }
        if isStopped { return }
        let isWhole = scan.problem == nil && (limit < segment.sizeBytes || scan.nextOffset == segment.endOffset)
        guard isWhole else {
            throw LogStoreError(
                .corruptBatch,
                "\(log.topic)-\(log.partition) is not compacted: \(segment.path(log.folder)) is damaged at byte "
                    + "\(scan.endPosition): \(scan.problem ?? "offsets are missing at its end")")
        }
    }

    private func gone(_ segment: SegmentState) -> LogStoreError {
        LogStoreError(
            .offsetOutOfRange,
            "the segment of \(log.topic)-\(log.partition) at \(segment.baseOffset) went while it was compacted")
    }
}

/// Bounds how fast a background task moves bytes, so that appends and reads keep the disk.
private struct Pace {
    let bytesPerSecond: Int64
    let clock: any Clock
    private var startNs: UInt64
    private var bytes: Int64 = 0
    private let sleeper = Monitor(())

    private static let sliceBytes: Int64 = 1 << 20

    init(bytesPerSecond: Int64, clock: any Clock) {
        self.bytesPerSecond = bytesPerSecond
        self.clock = clock
        startNs = clock.steadyNs()
    }

    /// Notes `count` bytes; sleeps when they came too soon.
    mutating func spend(_ count: Int) {
        bytes += Int64(count)
        guard bytesPerSecond > 0, bytes >= Self.sliceBytes else { return }
        let now = clock.steadyNs()
        let wantedMs = bytes * 1000 / bytesPerSecond
        let elapsedMs = Int64(clamping: (now - min(now, startNs)) / 1_000_000)
        if wantedMs > elapsedMs { _ = sleeper.wait(timeoutMs: min(1000, wantedMs - elapsedMs)) { _ -> Void? in nil } }
        bytes = 0
        startNs = clock.steadyNs()
    }
}

import Disk
import Synchronization

/// When and how a topic is compacted; Kafka's settings of the same names.
public struct CompactionPolicy: Sendable, Hashable {
    /// `delete.retention.ms`: how long a tombstone stays after it was first met.
    public var deleteRetentionMs: Int64 = 86_400_000
    /// `min.compaction.lag.ms`: segments with younger records are left alone.
    public var minCompactionLagMs: Int64 = 0
    /// `max.compaction.lag.ms`: a record is compacted at the latest after so long, whatever the dirty ratio.
    public var maxCompactionLagMs = Int64.max
    /// `min.cleanable.dirty.ratio`: the share of the log's bytes that must be new before it is compacted.
    public var minCleanableDirtyRatio = 0.5

    /// The defaults.
    public init() {}
}

extension PartitionLog {
    /// Compacts the partition when there is enough to compact: keeps of each key the last record, at its old offset.
    ///
    /// Never touches the segment being written, nor a segment that holds offsets of a hold (`holdRetention`) or more.
    /// A partition that is damaged is not compacted; the first attempt throws `.corruptBatch`, later ones do nothing
    /// until the log is opened again. Throws `.diskFull` and `.storage`, too; readers find everything they found
    /// before, and the next call goes on. Returns how many bytes went. Blocks, and reads the whole log.
    @discardableResult
    public func compact(_ policy: CompactionPolicy) throws(LogStoreError) -> Int64 {
        let isFree = isCompacting.withLock { isCompacting in
            defer { isCompacting = true }
            return !isCompacting
        }
        guard isFree else { return 0 }
        defer { isCompacting.update { $0 = false } }
        guard state.withLock({ $0.failure == nil && $0.compactionFailure == nil }), !environment.isStopping else {
            return 0
        }
        do throws(LogStoreError) {
            return try compactWhileDirty(policy)
        } catch {
            switch error.code {
            // The log was closed or deleted, or retention was faster.
            case _ where failure != nil || environment.isStopping: return 0
            case .offsetOutOfRange, .closed: return 0
            case .corruptBatch, .invalidRecord, .messageTooLarge, .unsupportedCompression:
                state.withLock { $0.compactionFailure = error }
                throw error
            default: throw error
            }
        }
    }

    /// Waits until a compaction that runs has seen that the log takes no more changes.
    func awaitCompaction() { isCompacting.wait { $0 ? nil : () } }

    private func compactWhileDirty(_ policy: CompactionPolicy) throws(LogStoreError) -> Int64 {
        try finishSwaps()
        try rollLagging(policy)
        var freedBytes: Int64 = 0
        while let section = try dirtySection(policy) {
            let cleaner = LogCleaner(self, policy, try transactionKnowledge(section))
            let cleanedOffset = try cleaner.run(section)
            freedBytes += cleaner.freedBytes
            noteCleaned(upTo: cleanedOffset)
        }
        return freedBytes
    }

    /// What there is to know of transactions and producers for a pass over the section.
    private func transactionKnowledge(_ section: DirtySection) throws(LogStoreError) -> TransactionKnowledge {
        guard let end = section.segments.last?.endOffset else { return TransactionKnowledge() }
        let lastBatches = Monitor<[Int64: LastBatch]>([:])
        if producerCount > 0 {
            try environment.committer.run { [self] () -> LogStoreError? in
                let found = writer.lastBatches(before: end)
                lastBatches.update { $0 = found }
                return nil
            }
        }
        // What was compacted before has no records of aborted transactions any more.
        let aborted = try abortedTransactions(from: section.firstDirtyOffset, upTo: end)
        return TransactionKnowledge(aborted: AbortedFilter(aborted), lastBatches: lastBatches.update { $0 })
    }

    /// Closes the segment being written when it has waited long enough.
    private func rollLagging(_ policy: CompactionPolicy) throws(LogStoreError) {
        guard policy.maxCompactionLagMs < .max, state.withLock({ $0.segments[$0.segments.count - 1].sizeBytes > 0 })
        else { return }
        try environment.committer.run { [self] () -> LogStoreError? in
            do throws(LogStoreError) {
                try writer.rollIfNeeded(self, olderThanMs: policy.maxCompactionLagMs)
                return nil
            } catch {
                return error
            }
        }
    }

    /// What is to be compacted; nil when that is not enough.
    private func dirtySection(_ policy: CompactionPolicy) throws(LogStoreError) -> DirtySection? {
        let cleaned = cleanedOffset()
        // A transaction that is open may yet be aborted; what a hold keeps is not in its table yet.
        let (all, bound) = state.withLock { state in
            (state.segments, min(state.holds.values.min() ?? .max, state.firstOpenOffset ?? .max))
        }
        guard let start = all.first?.baseOffset, let end = all.last?.baseOffset else { return nil }
        let firstDirty = (start...end).contains(cleaned) ? cleaned : start
        let nowMs = environment.clock.nowMs()
        let (youngest, _) = nowMs.subtractingReportingOverflow(policy.minCompactionLagMs)
        let segments = all.dropLast().prefix { segment in
            segment.endOffset <= firstDirty
                || segment.endOffset <= bound
                    && (policy.minCompactionLagMs <= 0 || segment.maxTimestampMs <= youngest)
        }
        let dirty = segments.drop { $0.endOffset <= firstDirty }
        let dirtyBytes = dirty.reduce(Int64(0)) { $0 + $1.sizeBytes }
        guard let first = dirty.first, dirtyBytes > 0 else { return nil }
        let bytes = segments.reduce(Int64(0)) { $0 + $1.sizeBytes }
        let isDirtyEnough = Double(dirtyBytes) / Double(bytes) > policy.minCleanableDirtyRatio
        if !isDirtyEnough { guard try isLagging(first, policy, nowMs) else { return nil } }
        return DirtySection(segments: Array(segments), firstDirtyOffset: firstDirty)
    }

    /// Whether the segment's first batch has waited for compaction as long as it may.
    private func isLagging(
        _ segment: SegmentState, _ policy: CompactionPolicy, _ nowMs: Int64
    ) throws(LogStoreError) -> Bool {
        guard policy.maxCompactionLagMs < .max, let sealed = try sealedSegment(segment),
            let batch = try? header(sealed.file, at: 0, segment)
        else { return false }
        let (ageMs, overflow) = nowMs.subtractingReportingOverflow(batch.maxTimestampMs)
        return overflow ? batch.maxTimestampMs < 0 : ageMs > policy.maxCompactionLagMs
    }

    // MARK: How far it got

    private func cleanedOffset() -> Int64 {
        if let known = state.withLock({ $0.cleanedOffset }) { return known }
        let path = folder + "/" + SegmentFormat.cleanerPointName
        let bytes = (try? environment.fileSystem.readFile(path, maxBytes: CleanerPoint.sizeBytes)) ?? []
        let offset = CleanerPoint(bytes)?.cleanedOffset ?? 0
        state.withLock { $0.cleanedOffset = offset }
        return offset
    }

    private func noteCleaned(upTo offset: Int64) {
        state.withLock { $0.cleanedOffset = offset }
        // Without it there is only more to compact again.
        let path = folder + "/" + SegmentFormat.cleanerPointName
        guard let file = try? environment.fileSystem.open(path, .create) else { return }
        try? file.write(CleanerPoint(cleanedOffset: offset).encoded, at: 0)
        try? file.sync()
        file.close()
    }
}

extension LogStore {
    /// Compacts every partition that is to be and has enough to compact; for a maintenance thread, every few minutes.
    /// Returns how many bytes went. A partition that fails is skipped, its error kept for the end. Blocks.
    @discardableResult
    public func compact() throws(LogStoreError) -> Int64 {
        var freedBytes: Int64 = 0
        var failure: LogStoreError?
        for topic in topics {
            guard let policy = topic.config.compaction else { continue }
            for partition in topic.partitions {
                do throws(LogStoreError) {
                    freedBytes += try partition.compact(policy)
                } catch {
                    failure = failure ?? error
                }
            }
        }
        if let failure { throw failure }
        return freedBytes
    }

    /// Ends compactions under way soon, and lets none begin again: a stopping program need not wait for them.
    public func stopCompaction() { environment.stop() }
}

/// The file `cleaner-point`: how far a partition was compacted. Derived: without it all is compacted again.
struct CleanerPoint {
    /// "LSCP" and the version.
    private static let magic: UInt32 = 0x5043_534C
    private static let version: UInt32 = 1
    /// The length of its file in bytes.
    static let sizeBytes = 20

    /// Everything before this offset was compacted.
    var cleanedOffset: Int64

    var encoded: [UInt8] {
        var writer = ByteWriter(capacity: Self.sizeBytes)
        writer.uint32(Self.magic)
        writer.uint32(Self.version)
        writer.int64(cleanedOffset)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    init(cleanedOffset: Int64) { self.cleanedOffset = cleanedOffset }

    /// Nil when the bytes are not what was written.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.sizeBytes else { return nil }
        var reader = ByteReader(bytes)
        guard let magic = try? reader.uint32(), magic == Self.magic, let version = try? reader.uint32(),
            version == Self.version, let offset = try? reader.int64(), offset >= 0, let checksum = try? reader.uint32(),
            checksum == CRC32C.checksum(Array(bytes.dropLast(4)))
        else { return nil }
        cleanedOffset = offset
    }
}

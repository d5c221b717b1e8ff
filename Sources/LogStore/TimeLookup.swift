import Disk
import Synchronization

/// A record found by its timestamp.
public struct TimedOffset: Sendable, Hashable {
    /// The record's timestamp in milliseconds since 1970.
    public let timestampMs: Int64
    /// The record's offset.
    public let offset: Int64

    /// Names a record.
    public init(timestampMs: Int64, offset: Int64) {
        self.timestampMs = timestampMs
        self.offset = offset
    }
}

extension PartitionLog {
    /// How much is read at once.
    private static let windowBytes = 256 * 1024

    /// The first record whose timestamp is at least `timestampMs`; nil when there is none. What is damaged is passed
    /// over. Blocks. Throws `.storage`.
    public func timestampAndOffset(atOrAfterMs timestampMs: Int64) throws(LogStoreError) -> TimedOffset? {
        let segments = state.withLock { $0.segments }
        for segment in segments where segment.maxTimestampMs >= timestampMs && segment.sizeBytes > 0 {
            if let found = try first(atOrAfterMs: timestampMs, in: segment) { return found }
        }
        return nil
    }

    /// The offset of that record.
    public func offset(atOrAfterMs timestampMs: Int64) throws(LogStoreError) -> Int64? {
        try timestampAndOffset(atOrAfterMs: timestampMs)?.offset
    }

    /// The record with the largest timestamp, the first one if there are several; nil for an empty partition. Blocks.
    public func maxTimestampAndOffset() throws(LogStoreError) -> TimedOffset? {
        let segments = state.withLock { $0.segments }.filter { $0.sizeBytes > 0 }
        var best: TimedOffset?
        // The latest first; of equals the older.
        let order = segments.sorted { ($0.maxTimestampMs, $1.baseOffset) > ($1.maxTimestampMs, $0.baseOffset) }
        for segment in order {
            if let best, best.timestampMs >= segment.maxTimestampMs { break }
            // What the segment's state says is an upper bound: of a damaged one, and of one whose oldest are deleted.
            let found =
                if let exact = try first(atOrAfterMs: segment.maxTimestampMs, in: segment) { exact } else {
                    try largest(in: segment)
                }
            if let found, found.timestampMs > best?.timestampMs ?? .min { best = found }
        }
        return best
    }

    private func first(
        atOrAfterMs timestampMs: Int64, in segment: SegmentState
    ) throws(LogStoreError) -> TimedOffset? {
        let active = state.withLock { state in
            state.segments[state.segments.count - 1].baseOffset == segment.baseOffset
                ? state.activeIndexes.times.start(for: timestampMs) : nil
        }
        var relative = active ?? 0
        if active == nil {
            // One that was deleted or replaced meanwhile is looked through from its start, in what is there now.
            relative = try sealedSegment(segment)?.indexes.times.start(for: timestampMs) ?? 0
        }
        var found: TimedOffset?
        try forEachBatch(from: segment.baseOffset + Int64(relative), in: segment) { batch, bytes, start in
            guard batch.maxTimestampMs >= timestampMs else { return true }
            found = Self.firstRecord(of: batch, bytes, from: start, atOrAfterMs: timestampMs)
            return found == nil
        }
        return found
    }

    private func largest(in segment: SegmentState) throws(LogStoreError) -> TimedOffset? {
        var best: TimedOffset?
        try forEachBatch(from: segment.baseOffset, in: segment) { batch, bytes, start in
            let least = best.map { $0.timestampMs &+ 1 } ?? .min
            guard batch.maxTimestampMs >= least else { return true }
            try? batch.forEachRecord(in: bytes, maxDecompressedBytes: Self.maxDecompressedBytes(batch)) { record in
                guard record.offset >= start, record.timestampMs > best?.timestampMs ?? .min else { return }
                best = TimedOffset(timestampMs: record.timestampMs, offset: record.offset)
            }
            return true
        }
        return best
    }

    private static func firstRecord(
        of batch: RecordBatch, _ bytes: UnsafeRawBufferPointer, from start: Int64, atOrAfterMs timestampMs: Int64
    ) -> TimedOffset? {
        var found: TimedOffset?
        // A batch that cannot be read has no record that could be.
        try? batch.forEachRecord(in: bytes, maxDecompressedBytes: maxDecompressedBytes(batch)) { record in
            guard found == nil, record.offset >= start, record.timestampMs >= timestampMs else { return }
            found = TimedOffset(timestampMs: record.timestampMs, offset: record.offset)
        }
        return found
    }

    private static func maxDecompressedBytes(_ batch: RecordBatch) -> Int {
        max(1 << 20, batch.sizeBytes) * RecordBatch.maxExpansion
    }

    /// Shows the segment's batches from that of `offset` on, with the partition's first offset, until `body` returns
    /// false.
    private func forEachBatch(
        from offset: Int64, in segment: SegmentState,
        _ body: (RecordBatch, UnsafeRawBufferPointer, Int64) throws(LogStoreError) -> Bool
    ) throws(LogStoreError) {
        var next = offset
        while true {
            let start = startOffset
            next = max(next, start)
            guard next < segment.endOffset else { return }
            let batches: [UInt8]
            do throws(LogStoreError) {
                batches = try read(from: next, maxBytes: Self.windowBytes)
            } catch {
                switch error.code {
                case .corruptBatch:
                    guard let resume = error.resumeOffset, resume > next else { throw error }
                    next = resume
                    continue
                // Retention was faster.
                case .offsetOutOfRange where startOffset > next: continue
                default: throw error
                }
            }
            guard !batches.isEmpty else { return }
            let goesOn = try batches.withBytes { bytes throws(LogStoreError) in
                var rest = bytes
                while !rest.isEmpty {
                    let batch = try RecordBatch(parsing: rest)
                    guard batch.sizeBytes <= rest.count else { return false }
                    next = max(next, batch.nextOffset)
                    if !(try body(batch, UnsafeRawBufferPointer(rebasing: rest[..<batch.sizeBytes]), start)) {
                        return false
                    }
                    rest = UnsafeRawBufferPointer(rebasing: rest[batch.sizeBytes...])
                }
                return true
            }
            if !goesOn { return }
        }
    }
}

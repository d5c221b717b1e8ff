import Disk
import Synchronization

/// A piece of a segment's file: whole record batches, back to back, as they are stored and as they go to consumers.
///
/// The file stays readable for as long as the slice is held, whatever retention or compaction do meanwhile, and what
/// it holds never changes: nothing is sliced that is not published, and published bytes are never written again.
public struct LogSlice: Sendable {
    /// The segment's file.
    public let file: any File
    /// Where the slice begins in the file, in bytes.
    public let position: Int64
    /// How long it is, in bytes; never 0.
    public let sizeBytes: Int
    /// The base offset of the first batch: at most the offset that was asked for, unless that lies in a gap.
    public let firstOffset: Int64
    /// The offset after the last batch.
    public let endOffset: Int64

    /// The operating system's number for the file, to send from without a copy; nil when there is none (then `read`).
    /// It belongs to `file`: whoever hands it on to be closed duplicates it.
    public var descriptor: Int32? { file.descriptor }

    /// The bytes. Blocks. Throws `.corruptBatch` when the file has become shorter, `.storage`.
    public func read() throws(LogStoreError) -> [UInt8] {
        try translating { () throws(DiskError) in try file.readExactly(at: UInt64(position), count: sizeBytes) }
    }
}

extension PartitionLog {
    /// Whole record batches from the one that holds `offset` on, as `read` returns them, but not read: about
    /// `maxBytes` of them, the first one always whole, all of one segment. With `limit`, none that begins at `limit`
    /// or later (a transaction that is still open, say). Nil when there is none: nothing is asked of the disk then.
    ///
    /// Only the first batch's header is verified: checksums are for the client, which computes them anyway. Throws
    /// `.offsetOutOfRange`, or `.corruptBatch` at a damaged place, with `resumeOffset`. Blocks.
    public func slice(
        from offset: Int64, maxBytes: Int, upTo limit: Int64? = nil
    ) throws(LogStoreError) -> LogSlice? {
        // An offset that is out of range is an error before it is past a limit.
        if let limit, offset >= limit, offset >= startOffset, offset <= endOffset { return nil }
        let found: LogSlice?? = try withBatch(at: offset) { (source, position, batch) throws(LogStoreError) in
            let firstEnd = position + Int64(batch.sizeBytes)
            guard firstEnd <= source.segment.sizeBytes else { return nil }
            if let limit, batch.baseOffset >= limit { return .some(nil) }
            let first = ReadHint(
                offset: batch.nextOffset, segmentBaseOffset: source.segment.baseOffset,
                segmentGeneration: source.segment.generation, position: firstEnd)
            let room = min(Int64(max(0, maxBytes)), source.segment.sizeBytes - position)
            let end = try sliceEnd(source, after: first, position + room, limit)
            state.withLock { $0.remember(end, insteadOf: offset) }
            return LogSlice(
                file: source.file, position: position, sizeBytes: Int(end.position - position),
                firstOffset: batch.baseOffset, endOffset: end.offset)
        }
        return found ?? nil
    }

    /// The last place at or after `first` where a batch is known to end, before `maxPosition` and `limit`.
    private func sliceEnd(
        _ source: Source, after first: ReadHint, _ maxPosition: Int64, _ limit: Int64?
    ) throws(LogStoreError) -> ReadHint {
        let segment = source.segment
        var end = first
        if maxPosition >= segment.sizeBytes {
            end = ReadHint(
                offset: segment.endOffset, segmentBaseOffset: segment.baseOffset,
                segmentGeneration: segment.generation, position: segment.sizeBytes)
        } else if let entry = offsetIndex(of: segment, { $0.lastEntry(atOrBeforePosition: maxPosition) }),
            Int64(entry.position) > first.position
        {
            end = hint(entry, segment)
        }
        guard let limit, end.offset > limit else { return end }
        return first.offset >= limit ? first : try lastBatchEnd(source, after: first, beforeBatchAt: limit)
    }

    /// Where the first batch starts whose base offset is `limit` or more; an earlier place when damage hides that one.
    private func lastBatchEnd(
        _ source: Source, after first: ReadHint, beforeBatchAt limit: Int64
    ) throws(LogStoreError) -> ReadHint {
        let segment = source.segment
        let known = state.withLock { state in
            state.hints.first { $0.offset == limit && $0.isIn(segment) }
        }
        if let known, known.position >= first.position { return known }
        var start = first
        let relative = UInt32(clamping: limit - segment.baseOffset)
        if let entry = offsetIndex(of: segment, { $0.floor(relative) }), Int64(entry.position) > first.position {
            start = hint(entry, segment)
        }
        guard start.offset < limit else { return start }
        guard case .found(let position, let batch) = try walk(limit - 1, source, from: start.position, at: start.offset)
        else { return start }
        // What would hold the offset before the limit may be gone.
        let isPast = batch.baseOffset >= limit
        let end = isPast ? position : position + Int64(batch.sizeBytes)
        // A batch that goes on past the limit began before it.
        guard end <= segment.sizeBytes else { return start }
        return ReadHint(
            offset: isPast ? batch.baseOffset : batch.nextOffset, segmentBaseOffset: segment.baseOffset,
            segmentGeneration: segment.generation, position: end)
    }

    private func hint(_ entry: OffsetIndex.Entry, _ segment: SegmentState) -> ReadHint {
        ReadHint(
            offset: segment.baseOffset + Int64(entry.relativeOffset), segmentBaseOffset: segment.baseOffset,
            segmentGeneration: segment.generation, position: Int64(entry.position))
    }

    /// Asks the segment's offset index, which for the segment being written may be done under the lock only. Nil when
    /// it knows nothing, or cannot be read.
    private func offsetIndex(
        of segment: SegmentState, _ question: (OffsetIndex) -> OffsetIndex.Entry?
    ) -> OffsetIndex.Entry? {
        let answer: OffsetIndex.Entry?? = state.withLock { state in
            guard state.segments[state.segments.count - 1].baseOffset == segment.baseOffset else { return nil }
            return .some(question(state.activeIndexes.offsets))
        }
        if let answer { return answer }
        guard let sealed = (try? sealedSegment(segment)) ?? nil else { return nil }
        return question(sealed.indexes.offsets)
    }
}

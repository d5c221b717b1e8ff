import Synchronization

/// The sealed segments read last, over all partitions, open and with their indexes: consumers that are behind at
/// different places do not make each other open files again, and a thousand partitions do not keep a thousand open.
final class SealedSegmentCache: Sendable {
    /// How many are kept: each is a file descriptor, and about half a megabyte of indexes.
    private static let maxCount = 64

    /// Which segment of which partition, and which compaction's.
    private struct Key: Hashable {
        let partition: UInt64
        let baseOffset: Int64
        let generation: UInt64
    }

    private struct State {
        var segments: [Key: (segment: SealedSegment, lastUse: UInt64)] = [:]
        var uses: UInt64 = 0
        var partitions: UInt64 = 0
    }

    private let state = Mutex(State())

    /// A number for a partition that no other has.
    func newPartition() -> UInt64 {
        state.withLock { state in
            state.partitions += 1
            return state.partitions
        }
    }

    /// The segment, when it is among those read last.
    func find(_ partition: UInt64, _ segment: SegmentState) -> SealedSegment? {
        let key = Key(partition: partition, baseOffset: segment.baseOffset, generation: segment.generation)
        return state.withLock { state in
            guard let entry = state.segments[key] else { return nil }
            state.uses += 1
            state.segments[key]?.lastUse = state.uses
            return entry.segment
        }
    }

    /// Keeps the segment in place of the one that was not read for the longest time.
    func keep(_ partition: UInt64, _ segment: SealedSegment) {
        let key = Key(partition: partition, baseOffset: segment.baseOffset, generation: segment.generation)
        // What goes is closed once the lock is free.
        let gone = state.withLock { state -> SealedSegment? in
            state.uses += 1
            state.segments[key] = (segment, state.uses)
            guard state.segments.count > Self.maxCount,
                let oldest = state.segments.min(by: { $0.value.lastUse < $1.value.lastUse })
            else { return nil }
            state.segments[oldest.key] = nil
            return oldest.value.segment
        }
        _ = gone
    }

    /// Lets go of the partition's segments with base offsets in `range`: their files were deleted or replaced.
    func forget(_ partition: UInt64, _ range: Range<Int64>) {
        let gone = state.withLock { state -> [SealedSegment] in
            let keys = state.segments.keys.filter { $0.partition == partition && range.contains($0.baseOffset) }
            return keys.compactMap { state.segments.removeValue(forKey: $0)?.segment }
        }
        _ = gone
    }
}

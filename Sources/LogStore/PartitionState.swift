import Disk

/// What readers know of one segment.
struct SegmentState: Sendable {
    let baseOffset: Int64
    /// The offset after the last that can be read.
    var endOffset: Int64
    /// The bytes that can be read.
    var sizeBytes: Int64
    var maxTimestampMs: Int64
    /// Which compaction made it; 0 when none did. With the base offset it says which file's content is meant.
    var generation: UInt64 = 0
    /// Whether its file still has the name it had on its way to the place of others.
    var isInSwap = false

    /// Whether both say the same of the same file.
    func isSame(as other: SegmentState) -> Bool {
        baseOffset == other.baseOffset && generation == other.generation
    }

    /// Where its records are.
    func path(_ folder: String) -> String {
        isInSwap
            ? SegmentFormat.swapPath(folder, baseOffset..<endOffset)
            : SegmentFormat.path(folder, baseOffset, SegmentFormat.logSuffix)
    }
}

/// A segment no longer written, opened for reading.
struct SealedSegment: Sendable {
    let baseOffset: Int64
    let generation: UInt64
    let file: any File
    let indexes: SegmentIndexes
}

/// Where a reader that went through the log batch by batch will go on.
struct ReadHint: Sendable {
    let offset: Int64
    let segmentBaseOffset: Int64
    let segmentGeneration: UInt64
    let position: Int64

    func isIn(_ segment: SegmentState) -> Bool {
        segmentBaseOffset == segment.baseOffset && segmentGeneration == segment.generation
    }
}

/// What readers and the writer of a partition share, under its lock.
struct PartitionState {
    /// By base offset; the last is the one being written. Never empty.
    var segments: [SegmentState]
    var activeFile: any File
    var activeIndexes: SegmentIndexes
    /// What was deleted from the front.
    var logStart = LogStart()
    /// Set once the partition takes no more appends.
    var failure: LogStoreError?
    var holds: [String: Int64] = [:]
    var observers: [Int: @Sendable (Int64) -> Void] = [:]
    var nextObserver = 0
    var hints: [ReadHint] = []
    /// The first offset of the earliest transaction that is open.
    var firstOpenOffset: Int64?
    var aborted = AbortedIndex()
    var producerCount = 0

    var lastStableOffset: Int64 { stableOffset(from: startOffset) }

    /// The offset up to which no transaction is open, for who sees what begins at `start`.
    func stableOffset(from start: Int64) -> Int64 {
        let end = segments[segments.count - 1].endOffset
        return min(end, max(start, firstOpenOffset ?? end))
    }
    /// How many compacted segments took the place of others since the log was opened.
    var generation: UInt64 = 0
    /// The offset up to which the log is compacted; nil before that was read from the disk.
    var cleanedOffset: Int64?
    /// Why the partition cannot be compacted, for as long as the log is open: damage does not heal.
    var compactionFailure: LogStoreError?

    private static let maxHints = 8

    /// The first offset that readers see.
    var startOffset: Int64 {
        // A log that was made to go on at a later offset begins with a segment that holds nothing.
        let first = segments.dropLast().first { $0.sizeBytes > 0 } ?? segments[segments.count - 1]
        return max(first.baseOffset, logStart.offset)
    }

    /// The first offset there is for those with a hold.
    var keptOffset: Int64 { max(segments[0].baseOffset, logStart.keptOffset) }

    mutating func remember(_ hint: ReadHint, insteadOf offset: Int64) {
        hints.removeAll { $0.offset == offset || $0.offset == hint.offset }
        if hints.count >= Self.maxHints { hints.removeFirst() }
        hints.append(hint)
    }
}

import Disk

/// Both indexes of one segment while it grows.
struct SegmentIndexes: Hashable, Sendable {
    var offsets = OffsetIndex()
    var times = TimeIndex()
    /// The largest timestamp of the batches noted so far; `.min` when there is none.
    private(set) var maxTimestampMs = Int64.min
    private var bytesSinceEntry = 0

    init() {}

    /// Indexes read from files.
    init(offsets: OffsetIndex, times: TimeIndex) {
        self.offsets = offsets
        self.times = times
        maxTimestampMs = times.entries.last?.maxTimestampMs ?? .min
    }

    /// Notes the batch at `position`; adds entries when `intervalBytes` have passed since the last.
    mutating func note(_ batch: RecordBatch, segmentBase: Int64, position: Int64, intervalBytes: Int) {
        if position > 0, bytesSinceEntry >= intervalBytes, let offset = UInt32(exactly: batch.baseOffset - segmentBase),
            let position = UInt32(exactly: position)
        {
            offsets.append(OffsetIndex.Entry(relativeOffset: offset, position: position))
            if maxTimestampMs > times.entries.last?.maxTimestampMs ?? .min {
                times.append(TimeIndex.Entry(maxTimestampMs: maxTimestampMs, relativeOffset: offset))
            }
            bytesSinceEntry = 0
        }
        bytesSinceEntry += batch.sizeBytes
        maxTimestampMs = max(maxTimestampMs, batch.maxTimestampMs)
    }

    /// Adds the time index's closing entry: the segment ends before `nextOffset`.
    mutating func seal(segmentBase: Int64, nextOffset: Int64) {
        guard let offset = UInt32(exactly: nextOffset - segmentBase), offset > 0 else { return }
        times.append(TimeIndex.Entry(maxTimestampMs: maxTimestampMs, relativeOffset: offset))
    }

    /// Starts from what a recovery point knows of the bytes before `position`.
    mutating func resume(maxTimestampMs: Int64) {
        self.maxTimestampMs = max(self.maxTimestampMs, maxTimestampMs)
    }
}

/// The files that hold the indexes of the segment being written. A failure to write them is no failure of the log:
/// they are derived, and computed again when found wanting.
final class SegmentIndexFiles {
    private let offsets: (any File)?
    private let times: (any File)?
    /// How many entries are in the files.
    private(set) var writtenOffsets = 0
    private(set) var writtenTimes = 0
    private var isDamaged = false

    /// Opens or creates both files of the segment, cutting what they held.
    init(folder: String, baseOffset: Int64, fileSystem: any FileSystem) {
        offsets = try? fileSystem.open(
            SegmentFormat.path(folder, baseOffset, SegmentFormat.offsetIndexSuffix), .create)
        times = try? fileSystem.open(SegmentFormat.path(folder, baseOffset, SegmentFormat.timeIndexSuffix), .create)
        do {
            try offsets?.truncate(to: 0)
            try times?.truncate(to: 0)
        } catch {
            isDamaged = true
        }
    }

    /// Appends entries, those after the written ones.
    func write(offsets newOffsets: ArraySlice<OffsetIndex.Entry>, times newTimes: ArraySlice<TimeIndex.Entry>) {
        guard !isDamaged, let offsets, let times else { return }
        do {
            if !newOffsets.isEmpty {
                try offsets.write(OffsetIndex.encode(newOffsets), at: UInt64(writtenOffsets * OffsetIndex.entryBytes))
                writtenOffsets += newOffsets.count
            }
            if !newTimes.isEmpty {
                try times.write(TimeIndex.encode(newTimes), at: UInt64(writtenTimes * TimeIndex.entryBytes))
                writtenTimes += newTimes.count
            }
        } catch {
            // An empty time index is seen to be no index; half of one would not always be.
            isDamaged = true
            try? times.truncate(to: 0)
        }
    }

    /// Makes both files durable; false when that or an earlier write failed.
    func sync() -> Bool {
        guard !isDamaged, let offsets, let times else { return false }
        do {
            try offsets.sync()
            try times.sync()
            return true
        } catch {
            return false
        }
    }

    func close() {
        offsets?.close()
        times?.close()
    }

    /// The indexes in the files of a segment of `segmentBytes` bytes that ends before `nextOffset`; nil when a file
    /// is missing or cannot be right. `isSealed` asks for the time index's closing entry.
    static func load(
        folder: String, baseOffset: Int64, segmentBytes: Int64, nextOffset: Int64, isSealed: Bool,
        fileSystem: any FileSystem
    ) -> SegmentIndexes? {
        let offsetCount = nextOffset - baseOffset
        // An entry stands for at least one header's worth of segment.
        let maxEntries = Int(segmentBytes / Int64(RecordBatch.headerBytes)) + 2
        guard
            let offsetBytes = try? fileSystem.readFile(
                SegmentFormat.path(folder, baseOffset, SegmentFormat.offsetIndexSuffix),
                maxBytes: maxEntries * OffsetIndex.entryBytes),
            let timeBytes = try? fileSystem.readFile(
                SegmentFormat.path(folder, baseOffset, SegmentFormat.timeIndexSuffix),
                maxBytes: maxEntries * TimeIndex.entryBytes),
            let offsets = OffsetIndex.decode(offsetBytes, segmentBytes: segmentBytes, offsetCount: offsetCount),
            let times = TimeIndex.decode(timeBytes, offsetCount: offsetCount),
            !isSealed || offsetCount == 0 || Int64(times.entries.last?.relativeOffset ?? 0) == offsetCount
        else { return nil }
        return SegmentIndexes(offsets: offsets, times: times)
    }

    /// The closing entry of a sealed segment's time index; nil when there is none of sense.
    static func closingEntry(folder: String, baseOffset: Int64, fileSystem: any FileSystem) -> TimeIndex.Entry? {
        let path = SegmentFormat.path(folder, baseOffset, SegmentFormat.timeIndexSuffix)
        guard let file = try? fileSystem.open(path, .read), let size = try? file.size(),
            size >= UInt64(TimeIndex.entryBytes), size % UInt64(TimeIndex.entryBytes) == 0,
            let bytes = try? file.readExactly(at: size - UInt64(TimeIndex.entryBytes), count: TimeIndex.entryBytes)
        else { return nil }
        var reader = ByteReader(bytes)
        guard let timestamp = try? reader.int64(), let offset = try? reader.uint32() else { return nil }
        return TimeIndex.Entry(maxTimestampMs: timestamp, relativeOffset: offset)
    }

    /// Writes the files anew, as far as the disk lets.
    static func replace(_ indexes: SegmentIndexes, folder: String, baseOffset: Int64, fileSystem: any FileSystem) {
        let files = SegmentIndexFiles(folder: folder, baseOffset: baseOffset, fileSystem: fileSystem)
        files.write(offsets: indexes.offsets.entries[...], times: indexes.times.entries[...])
        files.close()
    }
}

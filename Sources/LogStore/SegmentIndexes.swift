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

    /// Goes on behind bytes that were believed, not read. The next batch gets an entry, so that it can be found even
    /// if those bytes turn out to be damaged.
    mutating func resume(maxTimestampMs: Int64) {
        bytesSinceEntry = Int(Int32.max)
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

    /// Ends both files with a checksum: from then on they may be believed without the segment. With `syncing` they are
    /// made durable, too. False when that or an earlier write failed.
    func seal(syncing: Bool) -> Bool {
        guard !isDamaged, let offsets, let times else { return false }
        do {
            try Self.appendChecksum(offsets, writtenOffsets * OffsetIndex.entryBytes)
            try Self.appendChecksum(times, writtenTimes * TimeIndex.entryBytes)
            if syncing {
                try offsets.sync()
                try times.sync()
            }
            return true
        } catch {
            return false
        }
    }

    private static func appendChecksum(_ file: any File, _ count: Int) throws(DiskError) {
        let bytes = try file.readExactly(at: 0, count: count)
        var writer = ByteWriter(capacity: 4)
        writer.uint32(CRC32C.checksum(bytes))
        try file.write(writer.bytes, at: UInt64(count))
    }

    func close() {
        offsets?.close()
        times?.close()
    }

    /// The indexes in the files of a segment of `segmentBytes` bytes whose offsets end before `maxNextOffset`; nil
    /// when a file is missing, has no right checksum, or cannot be right.
    static func load(
        folder: String, baseOffset: Int64, segmentBytes: Int64, maxNextOffset: Int64, fileSystem: any FileSystem
    ) -> SegmentIndexes? {
        // An entry stands for at least one header's worth of segment.
        let maxEntries = Int(segmentBytes / Int64(RecordBatch.headerBytes)) + 2
        let offsetPath = SegmentFormat.path(folder, baseOffset, SegmentFormat.offsetIndexSuffix)
        let timePath = SegmentFormat.path(folder, baseOffset, SegmentFormat.timeIndexSuffix)
        guard
            let offsetBytes = readChecked(offsetPath, maxBytes: maxEntries * OffsetIndex.entryBytes, fileSystem),
            let timeBytes = readChecked(timePath, maxBytes: maxEntries * TimeIndex.entryBytes, fileSystem),
            let offsets = OffsetIndex.decode(
                offsetBytes, segmentBytes: segmentBytes, offsetCount: maxNextOffset - baseOffset),
            let times = TimeIndex.decode(timeBytes, offsetCount: maxNextOffset - baseOffset)
        else { return nil }
        return SegmentIndexes(offsets: offsets, times: times)
    }

    private static func readChecked(_ path: String, maxBytes: Int, _ fileSystem: any FileSystem) -> [UInt8]? {
        guard let bytes = try? fileSystem.readFile(path, maxBytes: maxBytes + 4), bytes.count >= 4 else { return nil }
        var reader = ByteReader(Array(bytes.suffix(4)))
        let entries = Array(bytes.dropLast(4))
        guard (try? reader.uint32()) == CRC32C.checksum(entries) else { return nil }
        return entries
    }

    /// What the offset index of a damaged segment says, checksum or not: places to look for a batch, no more.
    static func guesses(
        folder: String, baseOffset: Int64, segmentBytes: Int64, maxNextOffset: Int64, fileSystem: any FileSystem
    ) -> OffsetIndex {
        let path = SegmentFormat.path(folder, baseOffset, SegmentFormat.offsetIndexSuffix)
        let maxEntries = Int(segmentBytes / Int64(RecordBatch.headerBytes)) + 2
        guard let bytes = try? fileSystem.readFile(path, maxBytes: maxEntries * OffsetIndex.entryBytes + 4) else {
            return OffsetIndex()
        }
        let entries = Array(bytes.prefix(bytes.count / OffsetIndex.entryBytes * OffsetIndex.entryBytes))
        return OffsetIndex.decode(entries, segmentBytes: segmentBytes, offsetCount: maxNextOffset - baseOffset)
            ?? OffsetIndex()
    }

    /// Writes the files of a sealed segment anew, as far as the disk lets.
    static func replace(_ indexes: SegmentIndexes, folder: String, baseOffset: Int64, fileSystem: any FileSystem) {
        let files = SegmentIndexFiles(folder: folder, baseOffset: baseOffset, fileSystem: fileSystem)
        files.write(offsets: indexes.offsets.entries[...], times: indexes.times.entries[...])
        _ = files.seal(syncing: false)
        files.close()
    }
}

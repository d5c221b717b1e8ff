import Disk

/// A segment's sparse offset index: where in the file the batch with an offset starts, one entry about every
/// 4,096 bytes. Derived: what is missing or looks wrong is computed again from the segment.
struct OffsetIndex: Hashable, Sendable {
    /// One entry: offset relative to the segment's base, position in bytes.
    struct Entry: Hashable, Sendable {
        var relativeOffset: UInt32
        var position: UInt32
    }

    /// The bytes of an entry on disk: two little-endian 32-bit numbers.
    static let entryBytes = 8

    /// Both numbers grow from entry to entry.
    private(set) var entries: [Entry] = []

    mutating func append(_ entry: Entry) { entries.append(entry) }

    /// The last entry at or before `relativeOffset`; nil when the search starts at the segment's start.
    func floor(_ relativeOffset: UInt32) -> Entry? {
        let after = entries.partitionPoint { $0.relativeOffset > relativeOffset }
        return after == 0 ? nil : entries[after - 1]
    }

    /// The first entry whose position is past `position`.
    func firstEntry(pastPosition position: Int64) -> Entry? {
        let index = entries.partitionPoint { Int64($0.position) > position }
        return index < entries.count ? entries[index] : nil
    }

    /// The last entry whose position is `position` or less.
    func lastEntry(atOrBeforePosition position: Int64) -> Entry? {
        let after = entries.partitionPoint { Int64($0.position) > position }
        return after == 0 ? nil : entries[after - 1]
    }

    static func encode(_ entries: ArraySlice<Entry>) -> [UInt8] {
        var writer = ByteWriter(capacity: entries.count * entryBytes)
        for entry in entries {
            writer.uint32(entry.relativeOffset)
            writer.uint32(entry.position)
        }
        return writer.bytes
    }

    /// Nil when the bytes cannot be the index of a segment of `segmentBytes` bytes and `offsetCount` offsets.
    static func decode(_ bytes: [UInt8], segmentBytes: Int64, offsetCount: Int64) -> OffsetIndex? {
        guard bytes.count % entryBytes == 0 else { return nil }
        var reader = ByteReader(bytes)
        var index = OffsetIndex()
        index.entries.reserveCapacity(bytes.count / entryBytes)
        while !reader.isAtEnd {
            guard let offset = try? reader.uint32(), let position = try? reader.uint32(),
                Int64(offset) < offsetCount, Int64(position) < segmentBytes
            else { return nil }
            if let last = index.entries.last, last.relativeOffset >= offset || last.position >= position { return nil }
            index.append(Entry(relativeOffset: offset, position: position))
        }
        return index
    }
}

/// A segment's sparse time index: every record before an offset has at most a timestamp. Timestamps and offsets
/// grow from entry to entry. A segment no longer written ends with an entry for the offset after its last, which
/// so tells the segment's largest timestamp, and that the index is whole.
struct TimeIndex: Hashable, Sendable {
    /// One entry.
    struct Entry: Hashable, Sendable {
        var maxTimestampMs: Int64
        var relativeOffset: UInt32
    }

    /// The bytes of an entry on disk: a little-endian 64-bit and a 32-bit number.
    static let entryBytes = 12

    private(set) var entries: [Entry] = []

    mutating func append(_ entry: Entry) { entries.append(entry) }

    /// The offset from which to look for a record of at least `timestampMs`: all before are older.
    func start(for timestampMs: Int64) -> UInt32 {
        let after = entries.partitionPoint { $0.maxTimestampMs >= timestampMs }
        return after == 0 ? 0 : entries[after - 1].relativeOffset
    }

    static func encode(_ entries: ArraySlice<Entry>) -> [UInt8] {
        var writer = ByteWriter(capacity: entries.count * entryBytes)
        for entry in entries {
            writer.int64(entry.maxTimestampMs)
            writer.uint32(entry.relativeOffset)
        }
        return writer.bytes
    }

    /// Nil when the bytes cannot be the time index of a segment of `offsetCount` offsets.
    static func decode(_ bytes: [UInt8], offsetCount: Int64) -> TimeIndex? {
        guard bytes.count % entryBytes == 0 else { return nil }
        var reader = ByteReader(bytes)
        var index = TimeIndex()
        index.entries.reserveCapacity(bytes.count / entryBytes)
        while !reader.isAtEnd {
            guard let timestamp = try? reader.int64(), let offset = try? reader.uint32(), Int64(offset) <= offsetCount
            else { return nil }
            if let last = index.entries.last, last.relativeOffset >= offset || last.maxTimestampMs > timestamp {
                return nil
            }
            index.append(Entry(maxTimestampMs: timestamp, relativeOffset: offset))
        }
        return index
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index whose element, and those of all after it, `isAfter` holds for. O(log n).
    func partitionPoint(_ isAfter: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

import Disk

/// The files of a partition's folder. `docs/format.md` has the tables.
enum SegmentFormat {
    /// Record batches, byte for byte, nothing else.
    static let logSuffix = ".log"
    static let offsetIndexSuffix = ".index"
    static let timeIndexSuffix = ".timeindex"
    /// What was known of producers when the log ended at the offset in the name.
    static let producersSuffix = ".producers"
    /// Aborted transactions, the first of which ended at the offset in the name.
    static let abortedSuffix = ".aborted"
    /// A compacted segment that is being written; worth nothing after a crash.
    static let cleanedSuffix = ".cleaned"
    /// A compacted segment, whole and synced, on its way to the place of those it was made from.
    static let swapSuffix = ".swap"
    /// How far the partition was synced.
    static let recoveryPointName = "recovery-point"
    /// How far the partition was compacted.
    static let cleanerPointName = "cleaner-point"

    /// Decimal digits of a base offset in a file name, as in Kafka.
    private static let digits = 20

    /// The path of a segment's file.
    static func path(_ folder: String, _ baseOffset: Int64, _ suffix: String) -> String {
        folder + "/" + padded(baseOffset) + suffix
    }

    /// The path of a compacted segment that takes the place of all segments whose offsets are in `range`.
    static func swapPath(_ folder: String, _ range: Range<Int64>) -> String {
        folder + "/" + padded(range.lowerBound) + "-" + padded(range.upperBound) + swapSuffix
    }

    /// The offsets that a `.swap` file's name says; nil for other names.
    static func range(ofSwap name: String) -> Range<Int64>? {
        guard name.hasSuffix(swapSuffix), name.utf8.count == 2 * digits + 1 + swapSuffix.utf8.count else { return nil }
        let bounds = name.dropLast(swapSuffix.utf8.count).split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, bounds.allSatisfy({ $0.utf8.count == digits && isNumber($0.utf8) }),
            let lower = Int64(bounds[0]), let upper = Int64(bounds[1]), lower < upper
        else { return nil }
        return lower..<upper
    }

    /// The base offset that the name of a segment's or an index's file says; nil for other names.
    static func baseOffset(of name: String) -> Int64? {
        offset(in: name, logSuffix) ?? offset(in: name, offsetIndexSuffix) ?? offset(in: name, timeIndexSuffix)
    }

    private static func padded(_ offset: Int64) -> String {
        let number = String(offset)
        return String(repeating: "0", count: max(0, digits - number.utf8.count)) + number
    }

    private static func isNumber(_ text: some Sequence<UInt8>) -> Bool {
        text.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// The base offset that a `.log` file's name says; nil for other names.
    static func baseOffset(ofLog name: String) -> Int64? { offset(in: name, logSuffix) }

    /// The offset that the name of a file with the suffix says; nil for other names.
    static func offset(in name: String, _ suffix: String) -> Int64? {
        guard name.hasSuffix(suffix), name.utf8.count == digits + suffix.utf8.count,
            isNumber(name.utf8.prefix(digits))
        else { return nil }
        return Int64(name.dropLast(suffix.utf8.count))
    }
}

/// How far a partition is known to be on the disk: written after every sync, in place and itself not synced, so it
/// may be older than the truth after a loss of power, but is never ahead of it.
struct RecoveryPoint: Hashable {
    /// "LSRP" and the version.
    private static let magic: UInt32 = 0x5052_534C
    private static let version: UInt32 = 1
    /// The length of its file in bytes.
    static let sizeBytes = 48

    /// The base offset of the segment that was being written.
    var segmentBaseOffset: Int64
    /// How many bytes of it are synced.
    var positionBytes: Int64
    /// The offset after the last one synced.
    var nextOffset: Int64
    /// The largest timestamp within those bytes.
    var maxTimestampMs: Int64
    /// Whether the log was closed in order: then its indexes are synced, too.
    var isClean: Bool
    /// Whether there were producers or aborted transactions to remember at `nextOffset`.
    var hasProducers: Bool

    var encoded: [UInt8] {
        var writer = ByteWriter(capacity: Self.sizeBytes)
        writer.uint32(Self.magic)
        writer.uint32(Self.version)
        writer.int64(segmentBaseOffset)
        writer.int64(positionBytes)
        writer.int64(nextOffset)
        writer.int64(maxTimestampMs)
        writer.uint32((isClean ? 1 : 0) | (hasProducers ? 2 : 0))
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    init(
        segmentBaseOffset: Int64, positionBytes: Int64, nextOffset: Int64, maxTimestampMs: Int64, isClean: Bool,
        hasProducers: Bool
    ) {
        self.segmentBaseOffset = segmentBaseOffset
        self.positionBytes = positionBytes
        self.nextOffset = nextOffset
        self.maxTimestampMs = maxTimestampMs
        self.isClean = isClean
        self.hasProducers = hasProducers
    }

    /// Nil when the bytes are not a recovery point written whole.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.sizeBytes else { return nil }
        var reader = ByteReader(bytes)
        guard let magic = try? reader.uint32(), magic == Self.magic, let version = try? reader.uint32(),
            version == Self.version, let base = try? reader.int64(), let position = try? reader.int64(),
            let next = try? reader.int64(), let timestamp = try? reader.int64(), let flags = try? reader.uint32(),
            let checksum = try? reader.uint32(),
            checksum == CRC32C.checksum(Array(bytes.dropLast(4))), base >= 0, position >= 0, next >= base
        else { return nil }
        self.init(
            segmentBaseOffset: base, positionBytes: position, nextOffset: next, maxTimestampMs: timestamp,
            isClean: flags & 1 != 0, hasProducers: flags & 2 != 0)
    }
}

import Disk
import Synchronization

/// Where a partition begins once records were deleted from its front. The file is replaced as a whole.
///
///     at  size  field
///      0   4    "LSLS"
///      4   4    version, 1
///      8   8    the first offset that readers see
///     16   8    the first offset that a hold still kept at the last deletion: those from here on reach their table
///     24   4    checksum of all before
struct LogStart: Hashable {
    static let fileName = "log-start"
    private static let magic: UInt32 = 0x534C_534C
    private static let version: UInt32 = 1
    static let sizeBytes = 28

    /// The first offset that readers see.
    var offset: Int64 = 0
    /// The first offset that is not gone for those with a hold; at most `offset`.
    var keptOffset: Int64 = 0

    var encoded: [UInt8] {
        var writer = ByteWriter(capacity: Self.sizeBytes)
        writer.uint32(Self.magic)
        writer.uint32(Self.version)
        writer.int64(offset)
        writer.int64(keptOffset)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    init(offset: Int64 = 0, keptOffset: Int64 = 0) {
        self.offset = offset
        self.keptOffset = keptOffset
    }

    /// Throws `.corrupt` or `.truncated` when the bytes are not what was written, `.incompatible` for a newer version.
    init(_ bytes: [UInt8], path: String) throws(DiskError) {
        var reader = ByteReader(bytes, name: path)
        guard bytes.count == Self.sizeBytes, try reader.uint32() == Self.magic else {
            throw reader.corrupt("no file of a log's start")
        }
        let version = try reader.uint32()
        offset = try reader.int64()
        keptOffset = try reader.int64()
        guard try reader.uint32() == CRC32C.checksum(Array(bytes.dropLast(4))) else {
            throw reader.corrupt("the checksum is wrong")
        }
        guard version == Self.version else {
            throw DiskError(.incompatible, "\(path): written by a newer logstore (log start format \(version))")
        }
        guard keptOffset >= 0, keptOffset <= offset else { throw reader.corrupt("the offsets contradict each other") }
    }
}

extension PartitionLog {
    /// Deletes all records before `offset`, durably: no reader sees them from then on, not after a crash either. -1
    /// means all there are. Returns the first offset that is left, which may be a later one: what was deleted before
    /// stays so. Whole segments before it leave the disk; of one that it lies in the middle of, the file stays.
    ///
    /// Records that a hold keeps (a table has not stored them yet) are gone for readers at once, but their segments
    /// stay until the hold has passed, for `readKept`: what was acknowledged reaches its table all the same. Deleting
    /// from a log deletes no rows.
    ///
    /// Throws `.offsetOutOfRange` past the end, `.policyViolation` for a topic that is only compacted, `.poisoned`,
    /// `.closed`, `.diskFull`, `.storage`. Blocks.
    @discardableResult
    public func deleteRecords(before offset: Int64) throws(LogStoreError) -> Int64 {
        guard configuration.value.cleanupPolicy.deletes else {
            throw LogStoreError(
                .policyViolation,
                "records of \(topic)-\(partition) cannot be deleted: its cleanup.policy is only compact")
        }
        let end = endOffset
        guard offset >= -1, offset <= end else {
            throw LogStoreError(
                .offsetOutOfRange, "\(topic)-\(partition) has no offset \(offset); it holds \(startOffset) to \(end)")
        }
        let wanted = offset == -1 ? end : offset
        if wanted <= startOffset { return startOffset }
        try environment.committer.run { [self] () -> LogStoreError? in
            if let failure { return failure }
            // The log must not end before it begins, whatever a loss of power takes.
            writer.syncLater(self)
            if let failure { return failure }
            do throws(LogStoreError) {
                if wanted >= endOffset { try writer.rollIfNeeded(self) }
                return nil
            } catch {
                return error
            }
        }
        try fileChanges.withLock { _ throws(LogStoreError) in
            if let failure { throw failure }
            let old = state.withLock { $0.logStart }
            let hold = state.withLock { $0.holds.values.min() } ?? .max
            let new = LogStart(
                offset: max(wanted, old.offset), keptOffset: min(max(wanted, old.offset), max(hold, old.keptOffset)))
            if new != old {
                try translating { () throws(DiskError) in
                    try environment.fileSystem.replaceFile(folder + "/" + LogStart.fileName, with: new.encoded)
                }
                state.withLock { $0.logStart = new }
            }
        }
        _ = try deleteSegments(\.isDeleted)
        return startOffset
    }

    /// The first offset that `readKept` reads: before `startOffset` while a hold keeps records that were deleted.
    public var keptOffset: Int64 { state.withLock { $0.keptOffset } }

    /// Like `read`, also of records that were deleted and that a hold keeps: for who has the hold.
    public func readKept(from offset: Int64, maxBytes: Int) throws(LogStoreError) -> [UInt8] {
        try read(from: offset, maxBytes: maxBytes, includingDeleted: true)
    }
}

import Disk

/// What a scan of a segment's batches found.
struct SegmentScan {
    /// The end of the last good batch, in bytes.
    var endPosition: Int64
    /// The offset after the last good batch.
    var nextOffset: Int64
    /// The indexes of the good batches that were scanned.
    var indexes: SegmentIndexes
    /// Why the scan stopped before the end of the file; nil when it did not.
    var problem: String?
}

extension SegmentScan {
    /// Is shown a batch, its position and its bytes, which are verified; false ends the scan.
    typealias Visitor = (RecordBatch, Int64, UnsafeRawBufferPointer) throws(LogStoreError) -> Bool

    /// How much is read at once.
    private static let windowBytes = 1 << 20

    /// Reads the batches of `file` from `start` to `limit` (the file's end, say), verifying headers, order and
    /// checksums, and stops at the first that is not whole and right. Shows each good batch, its position and its bytes
    /// to `visit`, and stops when that returns false. Throws when the disk fails, and what `visit` throws.
    static func run(
        _ file: any File, segmentBase: Int64, from start: Int64, nextOffset: Int64, indexes: SegmentIndexes,
        limit: Int64, maxBatchBytes: Int, intervalBytes: Int, visit: Visitor = { _, _, _ in true }
    ) throws(LogStoreError) -> SegmentScan {
        var scan = SegmentScan(endPosition: start, nextOffset: nextOffset, indexes: indexes, problem: nil)
        var window: [UInt8] = []
        var windowStart = start
        while scan.endPosition < limit {
            var used = Int(scan.endPosition - windowStart)
            let wanted = neededBytes(window, used, maxBatchBytes)
            guard let wanted else {
                scan.problem = "a batch is longer than any can be"
                return scan
            }
            if window.count - used < wanted {
                if Int64(wanted) > limit - scan.endPosition {
                    scan.problem = "the last batch is cut short"
                    return scan
                }
                let count = Int(min(Int64(max(wanted, windowBytes)), limit - scan.endPosition))
                let position = scan.endPosition
                do throws(DiskError) {
                    window = try file.readExactly(at: UInt64(position), count: count)
                } catch {
                    guard error.code == .truncated else { throw LogStoreError(error) }
                    scan.problem = "the file is shorter than it was"
                    return scan
                }
                windowStart = position
                used = 0
                continue
            }
            let goesOn = try window.withBytes { bytes throws(LogStoreError) in
                try scan.take(
                    UnsafeRawBufferPointer(rebasing: bytes[used...]), segmentBase: segmentBase,
                    intervalBytes: intervalBytes, visit)
            }
            if !goesOn { return scan }
        }
        return scan
    }

    /// How many bytes from `used` on make up the next batch, as far as the window tells; nil for an impossible size.
    private static func neededBytes(_ window: [UInt8], _ used: Int, _ maxBatchBytes: Int) -> Int? {
        guard window.count - used >= RecordBatch.headerBytes else { return RecordBatch.headerBytes }
        return window.withBytes { bytes in
            let length = RecordBatch.integer(bytes, used + 8, as: Int32.self)
            let size = Int(length) + RecordBatch.lengthOverhead
            // A length below the header's is for the parser to complain about.
            return size > maxBatchBytes ? nil : max(size, RecordBatch.headerBytes)
        }
    }

    /// Takes the batch at the start of `bytes`; false when it is not right or the visitor has seen enough.
    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, segmentBase: Int64, intervalBytes: Int, _ visit: Visitor
    ) throws(LogStoreError) -> Bool {
        let batch: RecordBatch
        do throws(LogStoreError) {
            batch = try RecordBatch(parsing: bytes)
        } catch {
            problem = error.message
            return false
        }
        guard batch.baseOffset == nextOffset, batch.lastOffsetDelta >= 0 else {
            problem = "a batch of offset \(batch.baseOffset) where \(nextOffset) is due"
            return false
        }
        guard batch.hasRightChecksum(bytes) else {
            problem = "the checksum of the batch at offset \(nextOffset) is wrong"
            return false
        }
        let position = endPosition
        indexes.note(batch, segmentBase: segmentBase, position: position, intervalBytes: intervalBytes)
        endPosition += Int64(batch.sizeBytes)
        nextOffset = batch.nextOffset
        return try visit(batch, position, UnsafeRawBufferPointer(rebasing: bytes[..<batch.sizeBytes]))
    }
}

import Disk

/// Writes the segment that takes the place of one or more others, into `<base>.cleaned`.
///
/// A compacted segment has no gaps, like any other: where batches are gone, the one before reaches over their offsets,
/// or, where that one belongs to a producer whose sequence numbers it tells, a batch without records stands for them.
/// So a damaged offset is found as everywhere: it is not the one that is due.
final class CompactedSegmentWriter {
    private static let bufferBytes = 1 << 20

    /// The offset that is due.
    private(set) var nextOffset: Int64
    /// The length so far, in bytes.
    private(set) var sizeBytes: Int64 = 0
    private(set) var indexes = SegmentIndexes()

    private let baseOffset: Int64
    private let file: any File
    private let intervalBytes: Int
    private var buffer: [UInt8] = []
    /// The last batch, which is still in the buffer, and where it starts there.
    private var last: (batch: RecordBatch, start: Int)?
    /// The newest timestamp among what is gone since the last batch.
    private var goneTimestampMs: Int64 = .min

    /// A segment that begins at `baseOffset`, into an empty file.
    init(_ file: any File, baseOffset: Int64, intervalBytes: Int) {
        self.file = file
        self.baseOffset = baseOffset
        self.intervalBytes = intervalBytes
        nextOffset = baseOffset
    }

    /// Adds a batch; what lies between it and the one before is gone.
    func append(_ bytes: UnsafeRawBufferPointer, _ batch: RecordBatch) throws(LogStoreError) {
        try close(upTo: batch.baseOffset)
        if buffer.count >= Self.bufferBytes { try flush() }
        add(bytes, batch)
    }

    /// Notes that a batch is gone.
    func drop(_ batch: RecordBatch) { goneTimestampMs = max(goneTimestampMs, batch.maxTimestampMs) }

    /// Writes and syncs all, as a segment that ends before `endOffset`.
    func finish(endOffset: Int64) throws(LogStoreError) {
        try close(upTo: endOffset)
        try flush()
        try translating { () throws(DiskError) in try file.sync() }
        file.close()
    }

    /// Ends without a result.
    func abandon() { file.close() }

    /// Stands in for the offsets before `offset` that have no batch any more.
    private func close(upTo offset: Int64) throws(LogStoreError) {
        guard offset > nextOffset else { return }
        if let (known, start) = last, known.producerID < 0, !known.isControl {
            var batch = known
            buffer.withUnsafeMutableBytes { buffer in
                RecordBatch.extend(UnsafeMutableRawBufferPointer(rebasing: buffer[start...]), &batch, to: offset - 1)
            }
            last = (batch, start)
            nextOffset = offset
        } else {
            let (bytes, batch) = try RecordBatch.filler(nextOffset..<offset, maxTimestampMs: max(-1, goneTimestampMs))
            bytes.withUnsafeBytes { add($0, batch) }
        }
        goneTimestampMs = .min
    }

    private func add(_ bytes: UnsafeRawBufferPointer, _ batch: RecordBatch) {
        last = (batch, buffer.count)
        buffer.append(contentsOf: bytes)
        indexes.note(batch, segmentBase: baseOffset, position: sizeBytes, intervalBytes: intervalBytes)
        sizeBytes += Int64(bytes.count)
        nextOffset = batch.nextOffset
        goneTimestampMs = .min
    }

    private func flush() throws(LogStoreError) {
        let position = sizeBytes - Int64(buffer.count)
        try translating { () throws(DiskError) in try file.write(buffer, at: UInt64(position)) }
        buffer.removeAll(keepingCapacity: buffer.capacity <= 4 * Self.bufferBytes)
        last = nil
    }
}

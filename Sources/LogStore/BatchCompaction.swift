import Compression
import Disk

/// What becomes of one batch when records are taken out of it.
enum CompactedBatch {
    /// As it was, byte for byte.
    case unchanged
    /// These bytes, with the header they hold.
    case rewritten([UInt8], RecordBatch)
    /// Nothing is left of it.
    case removed
}

extension RecordBatch {
    /// The most bytes of records that a batch may hold when it is compacted.
    static let maxCompactedBytes = 1 << 30

    /// Takes out of this batch, whose verified bytes are `bytes`, the records that `keeps` is false for.
    ///
    /// What stays keeps its bytes; base offset, last offset and sequence number stay, too, so that a batch that has
    /// lost its last record still reaches as far. `horizonMs` is the delete horizon for a batch that keeps a record
    /// `isMarked` says is a tombstone (or a marker), and that has none yet.
    func compacted(
        _ bytes: UnsafeRawBufferPointer, horizonMs: Int64?, keepsEmpty: Bool,
        isMarked: (RecordView) -> Bool, keeps: (RecordView) -> Bool
    ) throws(LogStoreError) -> CompactedBatch {
        var kept: [UInt8] = []
        var count: Int32 = 0
        var needsHorizon = false
        var newest = Int64.min
        try forEachRecord(in: bytes, maxDecompressedBytes: Self.maxCompactedBytes) { record in
            guard keeps(record) else { return }
            kept.append(contentsOf: record.stored)
            count += 1
            newest = max(newest, record.timestampMs)
            if horizonMs != nil, deleteHorizonMs == nil, isMarked(record) { needsHorizon = true }
        }
        if count == 0 { return keepsEmpty ? try emptied() : .removed }
        if count == recordCount, !needsHorizon { return .unchanged }
        var header = self
        header.recordCount = count
        if !hasAppendTime { header.maxTimestampMs = newest }
        if needsHorizon, let horizonMs {
            kept = Self.rebased(kept, from: baseTimestampMs, to: horizonMs)
            header.baseTimestampMs = horizonMs
            header.attributes |= Self.deleteHorizonBit
        }
        let records = try Self.compressed(kept, codec ?? .none, baseOffset)
        let (rewritten, batch) = try header.assembled(with: records)
        return .rewritten(rewritten, batch)
    }

    /// The batch without records: its offsets, its producer's sequence numbers and its newest timestamp stay known.
    func emptied() throws(LogStoreError) -> CompactedBatch {
        if recordCount == 0 { return .unchanged }
        var header = self
        header.recordCount = 0
        header.baseTimestampMs = -1
        // Neither codec nor horizon.
        header.attributes &= ~(Self.deleteHorizonBit | 7)
        let (bytes, batch) = try header.assembled(with: [])
        return .rewritten(bytes, batch)
    }

    /// A batch without records that stands for the offsets in `range`, all of whose records are gone.
    static func filler(_ range: Range<Int64>, maxTimestampMs: Int64) throws(LogStoreError) -> ([UInt8], RecordBatch) {
        guard let delta = Int32(exactly: range.upperBound - 1 - range.lowerBound) else {
            throw LogStoreError(.storage, "BUG: a gap of \(range.count) offsets inside a segment")
        }
        let header = RecordBatch(
            baseOffset: range.lowerBound, lastOffsetDelta: delta, maxTimestampMs: maxTimestampMs)
        return try header.assembled(with: [])
    }

    private init(baseOffset: Int64, lastOffsetDelta: Int32, maxTimestampMs: Int64) {
        self.baseOffset = baseOffset
        self.lastOffsetDelta = lastOffsetDelta
        self.maxTimestampMs = maxTimestampMs
        sizeBytes = Self.headerBytes
        partitionLeaderEpoch = PartitionWriter.leaderEpoch
        crc = 0
        attributes = 0
        baseTimestampMs = -1
        producerID = -1
        producerEpoch = -1
        baseSequence = -1
        recordCount = 0
    }

    /// Whether it stands only for offsets whose records are gone.
    var isFiller: Bool { recordCount == 0 && producerID < 0 && !isControl }

    /// Moves the end of the batch in `bytes` to `lastOffset`, which lies further on.
    static func extend(
        _ bytes: UnsafeMutableRawBufferPointer, _ batch: inout RecordBatch, to lastOffset: Int64
    ) {
        guard let delta = Int32(exactly: lastOffset - batch.baseOffset) else {
            preconditionFailure("BUG: a batch extended over \(lastOffset - batch.baseOffset) offsets")
        }
        batch.lastOffsetDelta = delta
        bytes.storeBytes(of: delta.bigEndian, toByteOffset: 23, as: Int32.self)
        batch.crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[21...]))
        bytes.storeBytes(of: batch.crc.bigEndian, toByteOffset: 17, as: UInt32.self)
    }

    /// The records with their timestamps relative to another base.
    private static func rebased(_ records: [UInt8], from oldBase: Int64, to newBase: Int64) -> [UInt8] {
        var target: [UInt8] = []
        target.reserveCapacity(records.count + records.count / 8)
        records.withUnsafeBytes { bytes in
            guard var position = bytes.baseAddress else { return }
            let end = position + bytes.count
            while position < end, let length = Varint.read(&position, end) {
                let next = position + Int(length)
                let attributes = position.load(as: UInt8.self)
                position += 1
                guard let delta = Varint.read(&position, next) else { return }
                // From the offset on, everything stays.
                let rest = UnsafeRawBufferPointer(start: position, count: next - position)
                let newDelta = oldBase &+ delta &- newBase
                Varint.append(Int64(1 + Varint.length(newDelta) + rest.count), to: &target)
                target.append(attributes)
                Varint.append(newDelta, to: &target)
                target.append(contentsOf: rest)
                position = next
            }
        }
        return target
    }

    private static func compressed(
        _ records: [UInt8], _ codec: Codec, _ offset: Int64
    ) throws(LogStoreError) -> [UInt8] {
        if codec == .none { return records }
        do throws(CompressionError) {
            return try Compression.compress(records, codec: codec)
        } catch {
            throw LogStoreError(.storage, "cannot compress the batch at offset \(offset) again: \(error.message)")
        }
    }

    /// The batch of this header and these records, which are compressed as it says; length and checksum are computed.
    private func assembled(with records: [UInt8]) throws(LogStoreError) -> ([UInt8], RecordBatch) {
        guard let length = Int32(exactly: Self.headerBytes - Self.lengthOverhead + records.count) else {
            throw LogStoreError(.storage, "the batch at offset \(baseOffset) would be over 2 GB")
        }
        var header = self
        header.sizeBytes = Self.headerBytes + records.count
        var bytes = [UInt8](repeating: 0, count: Self.headerBytes)
        bytes.reserveCapacity(header.sizeBytes)
        bytes.append(contentsOf: records)
        bytes.withUnsafeMutableBytes { target in
            func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, _ position: Int) {
                target.storeBytes(of: value.bigEndian, toByteOffset: position, as: Value.self)
            }
            put(baseOffset, 0)
            put(length, 8)
            put(partitionLeaderEpoch, 12)
            put(UInt8(2), 16)
            put(attributes, 21)
            put(lastOffsetDelta, 23)
            put(baseTimestampMs, 27)
            put(maxTimestampMs, 35)
            put(producerID, 43)
            put(producerEpoch, 51)
            put(baseSequence, 53)
            put(recordCount, 57)
            header.crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(target)[21...]))
            put(header.crc, 17)
        }
        return (bytes, header)
    }
}

import Disk

/// The end of a transaction in one partition: a control batch of one record, Kafka's format.
///
///     record key    int16 version 0, int16 type (0 abort, 1 commit)
///     record value  int16 version 0, int32 coordinator epoch
public struct TransactionMarker: Sendable, Hashable {
    /// The producer whose transaction ends.
    public let producerID: Int64
    /// The producer's epoch; a higher one than before shuts older ones out.
    public let producerEpoch: Int16
    /// Whether its records count; else readers of committed records skip them.
    public let isCommit: Bool
    /// The epoch of the coordinator that wrote the marker.
    public let coordinatorEpoch: Int32

    /// The bits transactional and control.
    private static let attributes: UInt8 = 0x30

    init(producerID: Int64, producerEpoch: Int16, isCommit: Bool, coordinatorEpoch: Int32) {
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.isCommit = isCommit
        self.coordinatorEpoch = coordinatorEpoch
    }

    /// Reads the marker in a control batch, whose verified bytes are `bytes`; nil when it holds none: a control batch
    /// of another kind, or one that compaction emptied.
    public init?(parsing batch: RecordBatch, _ bytes: UnsafeRawBufferPointer) {
        guard batch.isControl, batch.hasProducer else { return nil }
        var found: TransactionMarker?
        try? batch.forEachRecord(in: bytes, maxDecompressedBytes: 1 << 16) { record in
            guard found == nil, let key = record.key, key.count >= 4, let value = record.value, value.count >= 6,
                RecordBatch.integer(key, 0, as: Int16.self) >= 0
            else { return }
            let type = RecordBatch.integer(key, 2, as: Int16.self)
            guard type == 0 || type == 1 else { return }
            found = TransactionMarker(
                producerID: batch.producerID, producerEpoch: batch.producerEpoch, isCommit: type == 1,
                coordinatorEpoch: RecordBatch.integer(value, 2, as: Int32.self))
        }
        guard let found else { return nil }
        self = found
    }

    /// The control batch, with base offset 0.
    func batch(timestampMs: Int64) throws(LogStoreError) -> [UInt8] {
        var key = ByteWriter(capacity: 4)
        key.int16BigEndian(0)
        key.int16BigEndian(isCommit ? 1 : 0)
        var value = ByteWriter(capacity: 6)
        value.int16BigEndian(0)
        value.int32BigEndian(coordinatorEpoch)
        var builder = RecordBatchBuilder()
        builder.append(timestampMs: timestampMs, key: key.bytes, value: value.bytes)
        var bytes = try builder.finish()
        var producer = ByteWriter(capacity: 10)
        producer.int64BigEndian(producerID)
        producer.int16BigEndian(producerEpoch)
        bytes.replaceSubrange(43..<53, with: producer.bytes)
        bytes[22] |= Self.attributes
        bytes.withUnsafeMutableBytes { bytes in
            let checksum = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[21...]))
            bytes.storeBytes(of: checksum.bigEndian, toByteOffset: 17, as: UInt32.self)
        }
        return bytes
    }
}

import Compression
import Disk

/// The header of one record batch, Kafka's format version 2 ("magic 2"); all numbers big-endian.
///
///     at  size  field                    written by
///      0   8    base offset              log
///      8   4    length of what follows   producer
///     12   4    partition leader epoch   log
///     16   1    magic (2)                producer
///     17   4    CRC-32C of byte 21 on    producer
///     21   2    attributes               producer    bits 0–2 codec, 3 append time, 4 transactional, 5 control,
///                                                     6 the base timestamp is a delete horizon
///     23   4    last offset delta        producer
///     27   8    base timestamp, ms       producer
///     35   8    max timestamp, ms        producer
///     43   8    producer id              producer
///     51   2    producer epoch           producer
///     53   4    base sequence            producer
///     57   4    record count             producer
///     61        records, compressed as the codec says
///
/// The checksum leaves out what the log writes, so a batch is stored without computing it again.
public struct RecordBatch: Sendable, Hashable {
    /// The bytes of the header.
    public static let headerBytes = 61
    /// What the length field does not count.
    static let lengthOverhead = 12

    /// The offset of the first record.
    public var baseOffset: Int64
    /// The whole batch's length in bytes, header included.
    public var sizeBytes: Int
    /// The leader epoch the log wrote.
    public var partitionLeaderEpoch: Int32
    /// The checksum of byte 21 on.
    public var crc: UInt32
    /// The attribute bits.
    public var attributes: Int16
    /// The last record's offset, relative to the base.
    public var lastOffsetDelta: Int32
    /// What the records' timestamps are relative to, in milliseconds since 1970.
    public var baseTimestampMs: Int64
    /// The largest timestamp of the records, in milliseconds since 1970.
    public var maxTimestampMs: Int64
    /// The idempotent producer's id; -1 for none.
    public var producerID: Int64
    /// The idempotent producer's epoch; -1 for none.
    public var producerEpoch: Int16
    /// The first record's sequence number; -1 for none.
    public var baseSequence: Int32
    /// How many records there are.
    public var recordCount: Int32

    /// The offset of the last record.
    public var lastOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) }
    /// The offset after the last record.
    public var nextOffset: Int64 { lastOffset &+ 1 }
    /// How the records are compressed; nil for a number no codec has.
    public var codec: Codec? { Codec(rawValue: UInt8(attributes & 7)) }
    /// Whether the timestamps are the broker's: then `maxTimestampMs` is that of every record.
    public var hasAppendTime: Bool { attributes & 0x08 != 0 }
    /// Whether it belongs to a transaction.
    public var isTransactional: Bool { attributes & 0x10 != 0 }
    /// Whether a producer numbered it.
    public var hasProducer: Bool { producerID >= 0 }
    /// The last record's sequence number; of meaning only with a producer.
    public var lastSequence: Int32 { Self.sequence(baseSequence, plus: lastOffsetDelta) }
    /// When compaction may drop the tombstones (or the transaction marker) in it, in milliseconds since 1970; nil
    /// before compaction has met them.
    public var deleteHorizonMs: Int64? { attributes & Self.deleteHorizonBit != 0 ? baseTimestampMs : nil }
    static let deleteHorizonBit: Int16 = 0x40
    /// Whether it is a transaction marker, which only a broker writes.
    public var isControl: Bool { attributes & 0x20 != 0 }

    /// Reads the header at the start of `bytes`, which may hold less than the batch or more. Throws `.corruptBatch`
    /// when there is no batch; what the checksum covers is not verified yet.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(LogStoreError) {
        guard bytes.count >= Self.headerBytes else {
            throw LogStoreError(.corruptBatch, "a record batch of \(bytes.count) bytes is shorter than its header")
        }
        let magic = bytes[16]
        guard magic == 2 else {
            throw LogStoreError(.corruptBatch, "a record batch of format \(magic); only format 2 is stored")
        }
        let length = Self.integer(bytes, 8, as: Int32.self)
        guard length >= Int32(Self.headerBytes - Self.lengthOverhead) else {
            throw LogStoreError(.corruptBatch, "a record batch says it is \(length) bytes long")
        }
        baseOffset = Self.integer(bytes, 0, as: Int64.self)
        sizeBytes = Int(length) + Self.lengthOverhead
        partitionLeaderEpoch = Self.integer(bytes, 12, as: Int32.self)
        crc = Self.integer(bytes, 17, as: UInt32.self)
        attributes = Self.integer(bytes, 21, as: Int16.self)
        lastOffsetDelta = Self.integer(bytes, 23, as: Int32.self)
        baseTimestampMs = Self.integer(bytes, 27, as: Int64.self)
        maxTimestampMs = Self.integer(bytes, 35, as: Int64.self)
        producerID = Self.integer(bytes, 43, as: Int64.self)
        producerEpoch = Self.integer(bytes, 51, as: Int16.self)
        baseSequence = Self.integer(bytes, 53, as: Int32.self)
        recordCount = Self.integer(bytes, 57, as: Int32.self)
    }

    /// Whether the checksum of `bytes`, which hold the whole batch from their start on, is right.
    public func hasRightChecksum(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= sizeBytes else { return false }
        return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[21..<sizeBytes])) == crc
    }

    /// Reads and verifies the batch that `bytes` hold, no byte less and none more.
    ///
    /// Throws `.corruptBatch` (length, magic, checksum), `.unsupportedCompression`, `.invalidRecord` (counts that
    /// contradict each other, a control batch; with `checkingRecords` also records that do not parse) or
    /// `.messageTooLarge`.
    public init(
        verifying bytes: [UInt8], maxBytes: Int, checkingRecords: Bool
    ) throws(LogStoreError) {
        self = try bytes.withBytes { bytes throws(LogStoreError) in
            try RecordBatch(verifying: bytes, maxBytes: maxBytes, checkingRecords: checkingRecords)
        }
    }

    /// The same for a piece of a larger array, a request's say.
    public init(
        verifying bytes: ArraySlice<UInt8>, maxBytes: Int, checkingRecords: Bool
    ) throws(LogStoreError) {
        self = try bytes.withBytes { bytes throws(LogStoreError) in
            try RecordBatch(verifying: bytes, maxBytes: maxBytes, checkingRecords: checkingRecords)
        }
    }

    private init(
        verifying bytes: UnsafeRawBufferPointer, maxBytes: Int, checkingRecords: Bool
    ) throws(LogStoreError) {
        try self.init(parsing: bytes)
        guard sizeBytes == bytes.count else {
            throw LogStoreError(
                .corruptBatch, "a record batch says it has \(sizeBytes) bytes, and has \(bytes.count)")
        }
        guard bytes.count <= maxBytes else {
            throw LogStoreError(
                .messageTooLarge, "a record batch of \(bytes.count) bytes; at most \(maxBytes) are taken")
        }
        guard hasRightChecksum(bytes) else {
            throw LogStoreError(.corruptBatch, "a record batch whose checksum is wrong")
        }
        guard codec != nil else {
            throw LogStoreError(.unsupportedCompression, "a record batch of unknown codec \(attributes & 7)")
        }
        guard !isControl else {
            throw LogStoreError(.invalidRecord, "a producer sent a control batch")
        }
        guard recordCount >= 1, lastOffsetDelta == recordCount - 1 else {
            throw LogStoreError(
                .invalidRecord, "a record batch of \(recordCount) records whose last is number \(lastOffsetDelta)")
        }
        guard hasProducer ? producerEpoch >= 0 && baseSequence >= 0 : !isTransactional else {
            throw LogStoreError(
                .invalidRecord,
                "a record batch of producer \(producerID), epoch \(producerEpoch), sequence number \(baseSequence)"
                    + (isTransactional ? " in a transaction" : ""))
        }
        if checkingRecords {
            let limit = Self.maxDecompressedBytes(ofBatchesUpTo: maxBytes)
            try forEachRecord(in: bytes, maxDecompressedBytes: limit) { _ in }
        }
    }

    /// The sequence number `count` after another: after 2^31 - 1 comes 0.
    static func sequence(_ sequence: Int32, plus count: Int32) -> Int32 { (sequence &+ count) & Int32.max }

    /// How many times its compressed size a batch may grow when it is checked.
    static let maxExpansion = 16

    /// Decompressed, a batch may be larger, but not without bound.
    static func maxDecompressedBytes(ofBatchesUpTo maxBytes: Int) -> Int { max(maxBytes, 1 << 20) * maxExpansion }

    /// Writes what the log adds: offset and leader epoch.
    static func patch(_ batch: UnsafeMutableRawBufferPointer, baseOffset: Int64, partitionLeaderEpoch: Int32) {
        batch.storeBytes(of: baseOffset.bigEndian, toByteOffset: 0, as: Int64.self)
        batch.storeBytes(of: partitionLeaderEpoch.bigEndian, toByteOffset: 12, as: Int32.self)
    }

    /// Gives the batch in `bytes`, whose header is `self`, the time of its append in place of the producer's.
    mutating func stamp(_ bytes: UnsafeMutableRawBufferPointer, appendTimeMs: Int64) {
        attributes |= 0x08
        maxTimestampMs = appendTimeMs
        bytes.storeBytes(of: attributes.bigEndian, toByteOffset: 21, as: Int16.self)
        bytes.storeBytes(of: maxTimestampMs.bigEndian, toByteOffset: 35, as: Int64.self)
        crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[21..<sizeBytes]))
        bytes.storeBytes(of: crc.bigEndian, toByteOffset: 17, as: UInt32.self)
    }

    @inline(__always)
    static func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ position: Int, as: Value.Type
    ) -> Value {
        Value(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }
}

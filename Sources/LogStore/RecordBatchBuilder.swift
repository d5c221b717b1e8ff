import Compression
import Disk

/// Builds one record batch, Kafka's format version 2.
public struct RecordBatchBuilder: Sendable {
    private let codec: Codec
    private let level: Int?
    /// The header's place, then the records, not compressed yet.
    private var bytes: [UInt8]
    /// How many records were added.
    public private(set) var count = 0
    private var baseTimestampMs: Int64 = 0
    private var maxTimestampMs: Int64 = .min

    /// An empty batch. `capacity` is the room for records made at once, in bytes.
    public init(codec: Codec = .none, level: Int? = nil, capacity: Int = 0) {
        self.codec = codec
        self.level = level
        bytes = []
        bytes.reserveCapacity(RecordBatch.headerBytes + capacity)
        bytes.append(contentsOf: repeatElement(0, count: RecordBatch.headerBytes))
    }

    /// The length in bytes of the header and the records, before compression.
    public var sizeBytes: Int { bytes.count }

    /// Adds a record. `value` nil makes a tombstone; headers are name and value.
    ///
    /// Disfavoured, so that a literal nil is one of arrays.
    @_disfavoredOverload
    public mutating func append(
        timestampMs: Int64, key: UnsafeRawBufferPointer? = nil, value: UnsafeRawBufferPointer?,
        headers: [(key: [UInt8], value: [UInt8]?)] = []
    ) {
        precondition(count < Int(Int32.max), "BUG: more records than a batch holds")
        if count == 0 { baseTimestampMs = timestampMs }
        maxTimestampMs = max(maxTimestampMs, timestampMs)
        let timestampDelta = timestampMs &- baseTimestampMs
        var length = 1 + Varint.length(timestampDelta) + Varint.length(Int64(count))
        length += Self.length(key?.count) + Self.length(value?.count) + Varint.length(Int64(headers.count))
        for header in headers { length += Self.length(header.key.count) + Self.length(header.value?.count) }

        // The numbers before the key go to the stack first: one append to the array for all of them.
        withUnsafeTemporaryAllocation(byteCount: 5 * Varint.maxBytes, alignment: 1) { scratch in
            guard let start = scratch.baseAddress else { return }
            var next = Varint.write(Int64(length), at: start)
            next.storeBytes(of: 0, as: UInt8.self)
            next = Varint.write(timestampDelta, at: next + 1)
            next = Varint.write(Int64(count), at: next)
            next = Varint.write(Int64(key?.count ?? -1), at: next)
            if let key, !key.isEmpty {
                bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: next - start))
                bytes.append(contentsOf: key)
                next = start
            }
            next = Varint.write(Int64(value?.count ?? -1), at: next)
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: next - start))
        }
        if let value { bytes.append(contentsOf: value) }
        if headers.isEmpty { bytes.append(0) } else { append(headers) }
        count += 1
    }

    /// Adds a record of arrays.
    public mutating func append(
        timestampMs: Int64, key: [UInt8]? = nil, value: [UInt8]?, headers: [(key: [UInt8], value: [UInt8]?)] = []
    ) {
        Self.withOptionalBytes(key) { key in
            Self.withOptionalBytes(value) { value in
                append(timestampMs: timestampMs, key: key, value: value, headers: headers)
            }
        }
    }

    private static func withOptionalBytes(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void) {
        if let bytes { bytes.withUnsafeBytes(body) } else { body(nil) }
    }

    private mutating func append(_ headers: [(key: [UInt8], value: [UInt8]?)]) {
        Varint.append(Int64(headers.count), to: &bytes)
        for header in headers {
            Varint.append(Int64(header.key.count), to: &bytes)
            bytes.append(contentsOf: header.key)
            Varint.append(Int64(header.value?.count ?? -1), to: &bytes)
            if let value = header.value { bytes.append(contentsOf: value) }
        }
    }

    /// The bytes of a key or value with its length.
    @inline(__always)
    private static func length(_ count: Int?) -> Int { Varint.length(Int64(count ?? -1)) + (count ?? 0) }

    /// The batch, with base offset 0 (the log writes the real one). Needs at least one record. Throws
    /// `.messageTooLarge` past 2 GB and `.invalidRecord` when the codec's library fails.
    public consuming func finish() throws(LogStoreError) -> [UInt8] {
        precondition(count > 0, "BUG: a record batch without records")
        var batch = bytes
        if codec != .none {
            do throws(CompressionError) {
                let compressed = try bytes.withBytes { bytes throws(CompressionError) in
                    let records = UnsafeRawBufferPointer(rebasing: bytes[RecordBatch.headerBytes...])
                    return try Compression.compress(records, codec: codec, level: level)
                }
                batch = [UInt8](repeating: 0, count: RecordBatch.headerBytes)
                batch.reserveCapacity(RecordBatch.headerBytes + compressed.count)
                batch.append(contentsOf: compressed)
            } catch {
                throw LogStoreError(.invalidRecord, "cannot compress a record batch: \(error.message)")
            }
        }
        guard let length = Int32(exactly: batch.count - RecordBatch.lengthOverhead) else {
            throw LogStoreError(.messageTooLarge, "a record batch of \(batch.count) bytes")
        }
        batch.withUnsafeMutableBytes { target in
            func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, _ position: Int) {
                target.storeBytes(of: value.bigEndian, toByteOffset: position, as: Value.self)
            }
            put(length, 8)
            put(UInt8(2), 16)
            put(Int16(codec.rawValue), 21)
            put(Int32(count - 1), 23)
            put(baseTimestampMs, 27)
            put(maxTimestampMs, 35)
            put(Int64(-1), 43)
            put(Int16(-1), 51)
            put(Int32(-1), 53)
            put(Int32(count), 57)
            put(CRC32C.checksum(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(target)[21...])), 17)
        }
        return batch
    }
}

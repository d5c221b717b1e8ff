import Compression

/// One record inside a batch; its bytes are valid only as long as the call that showed it lasts.
public struct RecordView {
    /// The record's offset in its partition.
    public let offset: Int64
    /// Milliseconds since 1970.
    public let timestampMs: Int64
    /// The key; nil when the record has none.
    public let key: UnsafeRawBufferPointer?
    /// The value; nil when the record has none (a tombstone).
    public let value: UnsafeRawBufferPointer?
    /// How many headers follow.
    public let headerCount: Int
    /// The headers' bytes, checked already.
    let headerBytes: UnsafeRawBufferPointer
    /// The whole record as stored, its length included.
    let stored: UnsafeRawBufferPointer

    /// Shows each header: its key, and its value or nil.
    public func forEachHeader(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) -> Void) {
        guard var position = headerBytes.baseAddress else { return }
        let end = position + headerBytes.count
        for _ in 0..<headerCount {
            guard let key = RecordParser.bytes(&position, end), let key,
                let value = RecordParser.bytes(&position, end)
            else { return }
            body(key, value)
        }
    }
}

extension RecordBatch {
    /// Shows every record of the whole batches that `batches` hold back to back, in order.
    ///
    /// Verifies each batch's checksum, decompresses it into at most `maxDecompressedBytes`, and checks every length.
    /// Allocates once a compressed batch, never for a record. Throws `.corruptBatch` or `.invalidRecord` (with the
    /// offset in the message), `.unsupportedCompression`, or what `body` throws.
    public static func forEachRecord(
        in batches: UnsafeRawBufferPointer, maxDecompressedBytes: Int,
        _ body: (RecordView) throws(LogStoreError) -> Void
    ) throws(LogStoreError) {
        var rest = batches
        while !rest.isEmpty {
            let batch = try RecordBatch(parsing: rest)
            guard batch.sizeBytes <= rest.count else {
                throw LogStoreError(.corruptBatch, "the batch at offset \(batch.baseOffset) is cut short")
            }
            let bytes = UnsafeRawBufferPointer(rebasing: rest[..<batch.sizeBytes])
            guard batch.hasRightChecksum(bytes) else {
                throw LogStoreError(.corruptBatch, "the checksum of the batch at offset \(batch.baseOffset) is wrong")
            }
            try batch.forEachRecord(in: bytes, maxDecompressedBytes: maxDecompressedBytes, body)
            rest = UnsafeRawBufferPointer(rebasing: rest[batch.sizeBytes...])
        }
    }

    /// The same for an array.
    public static func forEachRecord(
        in batches: [UInt8], maxDecompressedBytes: Int, _ body: (RecordView) throws(LogStoreError) -> Void
    ) throws(LogStoreError) {
        try batches.withBytes { bytes throws(LogStoreError) in
            try forEachRecord(in: bytes, maxDecompressedBytes: maxDecompressedBytes, body)
        }
    }

    /// Shows every record of this batch, whose verified bytes are `bytes`.
    func forEachRecord(
        in bytes: UnsafeRawBufferPointer, maxDecompressedBytes: Int,
        _ body: (RecordView) throws(LogStoreError) -> Void
    ) throws(LogStoreError) {
        let stored = UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes..<sizeBytes])
        guard let codec else {
            throw LogStoreError(
                .unsupportedCompression, "the batch at offset \(baseOffset) has unknown codec \(attributes & 7)")
        }
        if codec == .none {
            try RecordParser(batch: self).forEach(stored, body)
            return
        }
        let records: [UInt8]
        do throws(CompressionError) {
            records = try Compression.decompress(stored, codec: codec, maxBytes: maxDecompressedBytes)
        } catch {
            throw LogStoreError(
                error.code == .tooLarge ? .messageTooLarge : .invalidRecord,
                "the batch at offset \(baseOffset) cannot be decompressed (\(codec.name)): \(error.message)")
        }
        try records.withBytes { records throws(LogStoreError) in
            try RecordParser(batch: self).forEach(records, body)
        }
    }
}

/// Parses the records of one decompressed batch.
struct RecordParser {
    let batch: RecordBatch

    func forEach(
        _ records: UnsafeRawBufferPointer, _ body: (RecordView) throws(LogStoreError) -> Void
    ) throws(LogStoreError) {
        let count = batch.recordCount
        guard count >= 0, var position = records.baseAddress ?? (count == 0 ? UnsafeRawPointer(bitPattern: 1) : nil)
        else { throw invalid(0, "is missing") }
        let end = position + records.count
        // In a compacted batch numbers are missing, nowhere else.
        var previous: Int64 = -1
        for index in 0..<count {
            let start = position
            guard let length = Varint.read(&position, end), length >= 0, length <= end - position else {
                throw invalid(index, "has a length that lies")
            }
            let recordEnd = position + Int(length)
            let record = try parse(index, &position, recordEnd, from: start, after: &previous)
            try body(record)
            position = recordEnd
        }
        guard position == end else { throw invalid(count - 1, "is followed by \(end - position) bytes too many") }
    }

    @inline(__always)
    private func parse(
        _ index: Int32, _ position: inout UnsafeRawPointer, _ end: UnsafeRawPointer, from start: UnsafeRawPointer,
        after previous: inout Int64
    ) throws(LogStoreError) -> RecordView {
        guard position < end else { throw invalid(index, "is empty") }
        position += 1  // Attributes, unused by the format.
        guard let timestampDelta = Varint.read(&position, end), let offsetDelta = Varint.read(&position, end),
            offsetDelta > previous, offsetDelta <= Int64(batch.lastOffsetDelta)
        else { throw invalid(index, "has a wrong offset or timestamp") }
        previous = offsetDelta
        guard let key = Self.bytes(&position, end), let value = Self.bytes(&position, end) else {
            throw invalid(index, "has a key or value whose length lies")
        }
        guard let headerCount = Varint.read(&position, end), headerCount >= 0, headerCount <= end - position else {
            throw invalid(index, "has a header count that lies")
        }
        let headerBytes = UnsafeRawBufferPointer(start: position, count: end - position)
        if headerCount > 0 {
            for _ in 0..<headerCount {
                guard let key = Self.bytes(&position, end), key != nil, Self.bytes(&position, end) != nil else {
                    throw invalid(index, "has a header whose length lies")
                }
            }
        }
        guard position == end else { throw invalid(index, "is longer than what it holds") }
        return RecordView(
            offset: batch.baseOffset &+ offsetDelta,
            timestampMs: batch.hasAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs &+ timestampDelta,
            key: key, value: value, headerCount: Int(headerCount), headerBytes: headerBytes,
            stored: UnsafeRawBufferPointer(start: start, count: end - start))
    }

    /// A length and as many bytes; `.some(nil)` for length -1, nil when the length lies.
    @inline(__always)
    static func bytes(_ position: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> UnsafeRawBufferPointer?? {
        guard let length = Varint.read(&position, end), length >= -1, length <= end - position else { return nil }
        if length < 0 { return .some(nil) }
        defer { position += Int(length) }
        return .some(UnsafeRawBufferPointer(start: position, count: Int(length)))
    }

    private func invalid(_ index: Int32, _ what: String) -> LogStoreError {
        LogStoreError(.invalidRecord, "record \(index) of the batch at offset \(batch.baseOffset) \(what)")
    }
}

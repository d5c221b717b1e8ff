import CLZ4
import CSnappy
import CZlib
import CZstd

/// Whole byte strings, compressed and decompressed in one call.
public enum Compression {
    /// zstd's default level here: 3 is its own, and keeps up with a disk.
    public static let defaultZSTDLevel = 3

    /// Compresses `bytes`. `level` has the codec's own meaning (gzip 1–9, lz4 1–12, zstd 1–19), nil its default.
    /// Throws `.failed` when the library does.
    public static func compress(
        _ bytes: UnsafeRawBufferPointer, codec: Codec, level: Int? = nil
    ) throws(CompressionError) -> [UInt8] {
        switch codec {
        case .none: [UInt8](bytes)
        case .gzip: try compressGzip(bytes, level: level)
        case .snappy: try compressSnappy(bytes)
        case .lz4: try compressLZ4Frame(bytes, level: level)
        case .zstd: try compressBlockZSTD(bytes, level: level ?? defaultZSTDLevel)
        }
    }

    /// Compresses `bytes`.
    public static func compress(_ bytes: [UInt8], codec: Codec, level: Int? = nil) throws(CompressionError) -> [UInt8] {
        try bytes.withBytes { bytes throws(CompressionError) in try compress(bytes, codec: codec, level: level) }
    }

    /// Decompresses `bytes` whole. Throws `.corrupt`, `.truncated`, or `.tooLarge` when more than `maxBytes` would
    /// come out; never allocates much more than that.
    public static func decompress(
        _ bytes: UnsafeRawBufferPointer, codec: Codec, maxBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        switch codec {
        case .none:
            guard bytes.count <= maxBytes else { throw .tooLarge(maxBytes) }
            return [UInt8](bytes)
        case .snappy:
            return try decompressSnappy(bytes, maxBytes: maxBytes)
        case .zstd:
            if let known = try decompressSizedZSTD(bytes, maxBytes: maxBytes) { return known }
            return try decompressStream(bytes, format: .zstd, maxBytes: maxBytes)
        case .gzip:
            return try decompressStream(bytes, format: .gzip, maxBytes: maxBytes)
        case .lz4:
            return try decompressStream(bytes, format: .lz4, maxBytes: maxBytes)
        }
    }

    /// Decompresses `bytes` whole.
    public static func decompress(_ bytes: [UInt8], codec: Codec, maxBytes: Int) throws(CompressionError) -> [UInt8] {
        try bytes.withBytes { bytes throws(CompressionError) in
            try decompress(bytes, codec: codec, maxBytes: maxBytes)
        }
    }

    private static func decompressStream(
        _ bytes: UnsafeRawBufferPointer, format: StreamFormat, maxBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        guard !bytes.isEmpty else { throw CompressionError(.truncated, "no bytes to decompress") }
        let stream = try StreamDecompressor(format, maxBytes: maxBytes)
        var output: [UInt8] = []
        output.reserveCapacity(min(maxBytes, bytes.count.multipliedReportingOverflow(by: 4).partialValue & Int.max))
        try stream.append(bytes, to: &output)
        try stream.finish()
        return output
    }
}

// MARK: gzip

extension Compression {
    private static func compressGzip(_ bytes: UnsafeRawBufferPointer, level: Int?) throws(CompressionError) -> [UInt8] {
        let stream = try StreamCompressor(.gzip, level: level)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count / 2 + 64)
        try stream.append(bytes, to: &output)
        try stream.finish(into: &output)
        return output
    }
}

// MARK: snappy

extension Compression {
    /// How xerial's stream format starts, which the Java clients write.
    private static let xerialMagic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
    /// Magic number, version and compatible version.
    private static let xerialHeaderBytes = 16

    private static func compressSnappy(_ bytes: UnsafeRawBufferPointer) throws(CompressionError) -> [UInt8] {
        let capacity = snappy_max_compressed_length(bytes.count)
        var status = SNAPPY_OK
        let output = [UInt8](unsafeUninitializedCapacity: max(1, capacity)) { buffer, filled in
            var length = capacity
            status = buffer.withMemoryRebound(to: CChar.self) { target in
                withCharacters(bytes) { source in
                    snappy_compress(source.baseAddress, source.count, target.baseAddress, &length)
                }
            }
            filled = status == SNAPPY_OK ? length : 0
        }
        guard status == SNAPPY_OK else { throw CompressionError(.failed, "snappy cannot compress") }
        return output
    }

    private static func decompressSnappy(
        _ bytes: UnsafeRawBufferPointer, maxBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        var output: [UInt8] = []
        guard bytes.count >= xerialHeaderBytes, bytes.prefix(8).elementsEqual(xerialMagic) else {
            try appendSnappyBlock(bytes, to: &output, maxBytes: maxBytes)
            return output
        }
        var position = xerialHeaderBytes
        while position < bytes.count {
            guard bytes.count - position >= 4 else { throw CompressionError(.truncated, "a snappy stream ends early") }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int32.self)))
            position += 4
            guard length >= 0 else { throw CompressionError(.corrupt, "a snappy block of \(length) bytes") }
            guard length <= bytes.count - position else {
                throw CompressionError(.truncated, "a snappy stream ends inside a block")
            }
            let block = UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
            try appendSnappyBlock(block, to: &output, maxBytes: maxBytes)
            position += length
        }
        return output
    }

    private static func appendSnappyBlock(
        _ block: UnsafeRawBufferPointer, to output: inout [UInt8], maxBytes: Int
    ) throws(CompressionError) {
        var length = 0
        let status = withCharacters(block) { snappy_uncompressed_length($0.baseAddress, $0.count, &length) }
        guard status == SNAPPY_OK else { throw CompressionError(.corrupt, "no snappy block") }
        guard length >= 0, length <= maxBytes - output.count else { throw .tooLarge(maxBytes) }
        // The densest element gives 64 bytes for 3: a length beyond that lies, and nothing is allocated for it.
        guard length / 32 <= block.count else { throw CompressionError(.corrupt, "a snappy block's length lies") }
        var decoded = SNAPPY_OK
        let bytes = [UInt8](unsafeUninitializedCapacity: max(1, length)) { buffer, filled in
            var written = length
            decoded = buffer.withMemoryRebound(to: CChar.self) { target in
                withCharacters(block) { snappy_uncompress($0.baseAddress, $0.count, target.baseAddress, &written) }
            }
            filled = decoded == SNAPPY_OK ? written : 0
        }
        guard decoded == SNAPPY_OK else { throw CompressionError(.corrupt, "a snappy block is damaged") }
        if output.isEmpty { output = bytes } else { output.append(contentsOf: bytes) }
    }

    /// The same bytes as C's `char`, never a null pointer.
    private static func withCharacters<Result>(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<CChar>) -> Result
    ) -> Result {
        guard !bytes.isEmpty else {
            return withUnsafePointer(to: CChar(0)) { body(UnsafeBufferPointer(start: $0, count: 0)) }
        }
        return bytes.withMemoryRebound(to: CChar.self, body)
    }
}

// MARK: LZ4

extension Compression {
    private static func compressLZ4Frame(
        _ bytes: UnsafeRawBufferPointer, level: Int?
    ) throws(CompressionError) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        // Kafka's Java client reads independent blocks only.
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.blockSizeID = LZ4F_max64KB
        preferences.compressionLevel = Int32(clamping: level ?? 0)
        let capacity = LZ4F_compressFrameBound(bytes.count, &preferences)
        var result = 0
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, filled in
            result = LZ4F_compressFrame(buffer.baseAddress, capacity, bytes.baseAddress, bytes.count, &preferences)
            filled = LZ4F_isError(result) == 0 ? result : 0
        }
        guard LZ4F_isError(result) == 0 else {
            throw CompressionError(.failed, "lz4: \(String(cString: LZ4F_getErrorName(result)))")
        }
        return output
    }

    /// Compresses one block without a frame; the reader must know its length. At most 2 GB.
    public static func compressBlockLZ4(_ bytes: UnsafeRawBufferPointer) throws(CompressionError) -> [UInt8] {
        guard let count = Int32(exactly: bytes.count), case let capacity = LZ4_compressBound(count), capacity > 0 else {
            throw CompressionError(.failed, "an LZ4 block of \(bytes.count) bytes is too long")
        }
        return [UInt8](unsafeUninitializedCapacity: Int(capacity)) { buffer, filled in
            filled = buffer.withMemoryRebound(to: CChar.self) { target in
                withCharacters(bytes) { source in
                    Int(LZ4_compress_default(source.baseAddress, target.baseAddress, count, capacity))
                }
            }
        }
    }

    /// Decompresses one block that fills `target` exactly; throws `.corrupt` when it does not.
    public static func decompressBlockLZ4(
        _ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        guard let count = Int32(exactly: bytes.count), let capacity = Int32(exactly: target.count) else {
            throw CompressionError(.corrupt, "an LZ4 block is too long")
        }
        guard capacity > 0 else {
            // Nothing is one token of zero.
            guard count <= 1 else { throw CompressionError(.corrupt, "an LZ4 block is damaged") }
            return
        }
        let written = target.withMemoryRebound(to: CChar.self) { target in
            withCharacters(bytes) { LZ4_decompress_safe($0.baseAddress, target.baseAddress, count, capacity) }
        }
        guard written == capacity else { throw CompressionError(.corrupt, "an LZ4 block is damaged") }
    }
}

// MARK: zstd

extension Compression {
    /// Compresses one block to one zstd frame that names its decompressed length.
    public static func compressBlockZSTD(
        _ bytes: UnsafeRawBufferPointer, level: Int = defaultZSTDLevel
    ) throws(CompressionError) -> [UInt8] {
        let context = try ZSTDContexts.compressor()
        defer { ZSTDContexts.give(back: context) }
        let capacity = ZSTD_compressBound(bytes.count)
        var result = 0
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, filled in
            result = ZSTD_compressCCtx(
                context.pointer, buffer.baseAddress, capacity, bytes.baseAddress, bytes.count, Int32(clamping: level))
            filled = ZSTD_isError(result) == 0 ? result : 0
        }
        guard ZSTD_isError(result) == 0 else {
            throw CompressionError(.failed, "zstd: \(String(cString: ZSTD_getErrorName(result)))")
        }
        return output
    }

    /// Decompresses one block that fills `target` exactly; throws `.corrupt` when it does not.
    public static func decompressBlockZSTD(
        _ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        let context = try ZSTDContexts.decompressor()
        defer { ZSTDContexts.give(back: context) }
        let written = ZSTD_decompressDCtx(
            context.pointer, target.baseAddress, target.count, bytes.baseAddress, bytes.count)
        guard ZSTD_isError(written) == 0, written == target.count else {
            throw CompressionError(.corrupt, "a zstd block is damaged")
        }
    }

    /// Decompresses a single frame that names its length at once; nil for anything else.
    private static func decompressSizedZSTD(
        _ bytes: UnsafeRawBufferPointer, maxBytes: Int
    ) throws(CompressionError) -> [UInt8]? {
        let claimed = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
        // The two largest values mean "unknown" and "no frame".
        guard claimed < UInt64.max - 1, ZSTD_findFrameCompressedSize(bytes.baseAddress, bytes.count) == bytes.count
        else { return nil }
        guard claimed <= UInt64(max(0, maxBytes)) else { throw .tooLarge(maxBytes) }
        let context = try ZSTDContexts.decompressor()
        defer { ZSTDContexts.give(back: context) }
        let count = Int(claimed)
        var result = 0
        let output = [UInt8](unsafeUninitializedCapacity: max(1, count)) { buffer, filled in
            result = ZSTD_decompressDCtx(context.pointer, buffer.baseAddress, count, bytes.baseAddress, bytes.count)
            filled = ZSTD_isError(result) == 0 ? result : 0
        }
        guard ZSTD_isError(result) == 0, result == count else {
            throw CompressionError(.corrupt, "zstd: \(String(cString: ZSTD_getErrorName(result)))")
        }
        return output
    }
}

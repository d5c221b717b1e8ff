import CLZ4
import CZlib
import CZstd

/// zlib's inflate, for gzip and deflate.
final class InflateDecoder: StreamDecoder {
    enum Format { case gzip, deflate }

    private let format: Format
    private let stream: UnsafeMutablePointer<z_stream>
    private var isStarted = false
    private(set) var isComplete = false

    init(_ format: Format) throws(CompressionError) {
        self.format = format
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
    }

    deinit {
        if isStarted { inflateEnd(stream) }
        stream.deallocate()
    }

    /// The window's bits as zlib codes the format: 16 more for gzip, negative for bare deflate.
    private func windowBits(firstByte: UInt8) -> Int32 {
        switch format {
        case .gzip: 15 + 16
        // RFC 1950 starts with method 8 and a window of at most 32 KB.
        case .deflate: firstByte & 0x0F == 8 && firstByte >> 4 <= 7 ? 15 : -15
        }
    }

    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (consumed: Int, produced: Int) {
        if !isStarted {
            guard let first = input.first else { return (0, 0) }
            let status = inflateInit2_(
                stream, windowBits(firstByte: first), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            guard status == Z_OK else { throw CompressionError(.failed, "no memory for zlib") }
            isStarted = true
        }
        if isComplete {
            if input.isEmpty { return (0, 0) }
            guard format == .gzip else { throw CompressionError(.corrupt, "bytes follow the end of the deflate data") }
            inflateReset(stream)
            isComplete = false
        }
        let offered = Int(UInt32(clamping: input.count))
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(offered)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let status = inflate(stream, Z_NO_FLUSH)
        switch status {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isComplete = true
        default:
            let reason = stream.pointee.msg.map { String(cString: $0) } ?? "error \(status)"
            throw CompressionError(.corrupt, "zlib: \(reason)")
        }
        let result = (offered - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out))
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        return result
    }
}

/// zstd's streaming form.
final class ZSTDDecoder: StreamDecoder {
    /// 8 MB: what a stream may make us allocate.
    private static let maxWindowLog: Int32 = 23

    private let context: OpaquePointer
    private(set) var isComplete = false

    init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else { throw CompressionError(.failed, "no memory for zstd") }
        self.context = context
        _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.maxWindowLog)
    }

    deinit { ZSTD_freeDCtx(context) }

    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (consumed: Int, produced: Int) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        if isComplete, input.isEmpty { return (0, 0) }
        let result = ZSTD_decompressStream(context, &target, &source)
        guard ZSTD_isError(result) == 0 else {
            throw CompressionError(.corrupt, "zstd: \(String(cString: ZSTD_getErrorName(result)))")
        }
        isComplete = result == 0
        return (source.pos, target.pos)
    }
}

/// LZ4's frame format.
final class LZ4Decoder: StreamDecoder {
    private let context: OpaquePointer
    private(set) var isComplete = false

    init() throws(CompressionError) {
        var created: OpaquePointer?
        _ = LZ4F_createDecompressionContext(&created, UInt32(LZ4F_VERSION))
        guard let created else { throw CompressionError(.failed, "no memory for lz4") }
        context = created
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (consumed: Int, produced: Int) {
        if isComplete, input.isEmpty { return (0, 0) }
        var consumed = input.count
        var produced = output.count
        let result = LZ4F_decompress(context, output.baseAddress, &produced, input.baseAddress, &consumed, nil)
        guard LZ4F_isError(result) == 0 else {
            throw CompressionError(.corrupt, "lz4: \(String(cString: LZ4F_getErrorName(result)))")
        }
        isComplete = result == 0
        return (consumed, produced)
    }
}

import CZlib
import CZstd

/// Compresses a stream piece by piece, for HTTP responses. Use from one thread at a time.
public final class StreamCompressor {
    /// What can be written.
    public enum Format: Sendable, Hashable { case gzip, zstd }

    private enum Encoder {
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    private let encoder: Encoder
    private var isFinished = false

    /// Creates a compressor; `level` nil: 1 for gzip (a response waits for it), 3 for zstd.
    public init(_ format: Format, level: Int? = nil) throws(CompressionError) {
        switch format {
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            let status = deflateInit2_(
                stream, Int32(min(9, max(0, level ?? 1))), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size))
            guard status == Z_OK else {
                stream.deallocate()
                throw CompressionError(.failed, "no memory for zlib")
            }
            encoder = .gzip(stream)
        case .zstd:
            guard let context = ZSTD_createCCtx() else { throw CompressionError(.failed, "no memory for zstd") }
            _ = ZSTD_CCtx_setParameter(
                context, ZSTD_c_compressionLevel, Int32(clamping: level ?? Compression.defaultZSTDLevel))
            encoder = .zstd(context)
        }
    }

    deinit {
        switch encoder {
        case .gzip(let stream):
            deflateEnd(stream)
            stream.deallocate()
        case .zstd(let context):
            ZSTD_freeCCtx(context)
        }
    }

    /// Compresses `chunk`, appending to `output` what is ready; with `flush` all of it, so that the reader can
    /// decompress everything given so far.
    public func append(
        _ chunk: UnsafeRawBufferPointer, to output: inout [UInt8], flush: Bool = false
    ) throws(CompressionError) {
        precondition(!isFinished, "BUG: append after finish")
        try run(chunk, &output, flush ? .flush : .more)
    }

    /// Compresses `chunk`, appending to `output` what is ready.
    public func append(_ chunk: [UInt8], to output: inout [UInt8], flush: Bool = false) throws(CompressionError) {
        try chunk.withBytes { chunk throws(CompressionError) in
            try append(chunk, to: &output, flush: flush)
        }
    }

    /// Ends the stream, appending its last bytes to `output`. Call once.
    public func finish(into output: inout [UInt8]) throws(CompressionError) {
        precondition(!isFinished, "BUG: finish twice")
        isFinished = true
        try run(UnsafeRawBufferPointer(start: nil, count: 0), &output, .end)
    }

    private enum Directive { case more, flush, end }

    private func run(
        _ chunk: UnsafeRawBufferPointer, _ output: inout [UInt8], _ directive: Directive
    ) throws(CompressionError) {
        switch encoder {
        case .gzip(let stream): try runGzip(stream, chunk, &output, directive)
        case .zstd(let context): try runZSTD(context, chunk, &output, directive)
        }
    }

    private static let pieceBytes = 32 * 1024

    private func runGzip(
        _ stream: UnsafeMutablePointer<z_stream>, _ chunk: UnsafeRawBufferPointer, _ output: inout [UInt8],
        _ directive: Directive
    ) throws(CompressionError) {
        var rest = chunk
        while true {
            let offered = Int(UInt32(clamping: rest.count))
            let isLast = offered == rest.count
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: rest.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(offered)
            let mode =
                switch directive {
                case .more: Z_NO_FLUSH
                case .flush: isLast ? Z_SYNC_FLUSH : Z_NO_FLUSH
                case .end: isLast ? Z_FINISH : Z_NO_FLUSH
                }
            var status = Z_OK
            let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, filled in
                stream.pointee.next_out = buffer.baseAddress
                stream.pointee.avail_out = UInt32(Self.pieceBytes)
                status = deflate(stream, mode)
                filled = Self.pieceBytes - Int(stream.pointee.avail_out)
            }
            guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                throw CompressionError(.failed, "zlib: error \(status)")
            }
            output.append(contentsOf: piece)
            rest = UnsafeRawBufferPointer(rebasing: rest[(offered - Int(stream.pointee.avail_in))...])
            if status == Z_STREAM_END || piece.count < Self.pieceBytes && rest.isEmpty { return }
        }
    }

    private func runZSTD(
        _ context: OpaquePointer, _ chunk: UnsafeRawBufferPointer, _ output: inout [UInt8], _ directive: Directive
    ) throws(CompressionError) {
        let mode =
            switch directive {
            case .more: ZSTD_e_continue
            case .flush: ZSTD_e_flush
            case .end: ZSTD_e_end
            }
        var source = ZSTD_inBuffer(src: chunk.baseAddress, size: chunk.count, pos: 0)
        while true {
            var left = 0
            let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, filled in
                var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: Self.pieceBytes, pos: 0)
                left = ZSTD_compressStream2(context, &target, &source, mode)
                filled = target.pos
            }
            guard ZSTD_isError(left) == 0 else {
                throw CompressionError(.failed, "zstd: \(String(cString: ZSTD_getErrorName(left)))")
            }
            output.append(contentsOf: piece)
            if source.pos == source.size, directive == .more || left == 0 { return }
        }
    }
}

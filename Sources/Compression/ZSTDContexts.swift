import CZstd
import Synchronization

/// zstd's working memory, kept for the next block: to allocate and clear it costs more than to compress a small one.
enum ZSTDContexts {
    /// A context in use by one caller.
    struct Compressor: @unchecked Sendable { let pointer: OpaquePointer }
    struct Decompressor: @unchecked Sendable { let pointer: OpaquePointer }

    /// More idle ones than this are freed.
    private static let maxIdle = 4
    private static let compressors = Mutex<[Compressor]>([])
    private static let decompressors = Mutex<[Decompressor]>([])

    static func compressor() throws(CompressionError) -> Compressor {
        if let idle = compressors.withLock({ $0.popLast() }) { return idle }
        guard let pointer = ZSTD_createCCtx() else { throw CompressionError(.failed, "no memory for zstd") }
        return Compressor(pointer: pointer)
    }

    static func decompressor() throws(CompressionError) -> Decompressor {
        if let idle = decompressors.withLock({ $0.popLast() }) { return idle }
        guard let pointer = ZSTD_createDCtx() else { throw CompressionError(.failed, "no memory for zstd") }
        return Decompressor(pointer: pointer)
    }

    static func give(back context: Compressor) {
        let isKept = compressors.withLock { idle in
            guard idle.count < maxIdle else { return false }
            idle.append(context)
            return true
        }
        if !isKept { ZSTD_freeCCtx(context.pointer) }
    }

    static func give(back context: Decompressor) {
        let isKept = decompressors.withLock { idle in
            guard idle.count < maxIdle else { return false }
            idle.append(context)
            return true
        }
        if !isKept { ZSTD_freeDCtx(context.pointer) }
    }
}

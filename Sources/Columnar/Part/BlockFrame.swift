import Compression
import Disk

/// How hard blocks are compressed.
enum BlockCompression: Sendable, Hashable {
    case none
    /// Fast: for parts fresh from memory.
    case lz4
    /// Small: for merged parts.
    case zstd(level: Int)
}

/// The frame around a block's bytes: codec and length before compression.
enum BlockFrame {
    /// Frames `raw`, compressed when that makes it clearly smaller.
    static func frame(_ raw: [UInt8], _ compression: BlockCompression) throws(ColumnarError) -> [UInt8] {
        var codec = Codec.none
        var body = raw
        do throws(CompressionError) {
            let packed: [UInt8]
            switch compression {
            case .none: packed = raw
            case .lz4:
                packed = try withBytes(raw) { (bytes) throws(CompressionError) in
                    try Compression.compressBlockLZ4(bytes)
                }
            case .zstd(let level):
                packed = try withBytes(raw) { (bytes) throws(CompressionError) in
                    try Compression.compressBlockZSTD(bytes, level: level)
                }
            }
            // A few percent are not worth the time to decompress them at each read.
            if packed.count < raw.count - raw.count / 16 {
                body = packed
                codec = compression == .lz4 ? .lz4 : .zstd
            }
        } catch {
            throw ColumnarError(.invalidValue, "cannot compress a block: \(error)", cause: error)
        }
        var builder = BlockBuilder()
        builder.bytes.reserveCapacity(body.count + 6)
        builder.uint8(codec.rawValue)
        builder.count(raw.count)
        builder.bytes += body
        return builder.bytes
    }

    /// The bytes inside a frame. Throws `.corrupt`; never allocates more than `limit`.
    static func open(_ stored: [UInt8], limit: Int = BlockLimits.rawBytes) throws(ColumnarError) -> [UInt8] {
        try withBytes(stored) { (bytes) throws(ColumnarError) -> [UInt8] in
            var cursor = BlockCursor(bytes)
            let number = try cursor.uint8()
            let length = try cursor.count(max: limit)
            let body = try cursor.take(cursor.remaining)
            do throws(CompressionError) {
                switch Codec(rawValue: number) {
                case .some(.none):
                    guard body.count == length else { throw CompressionError(.corrupt, "its length is another") }
                    return Array(body)
                case .lz4:
                    return try inflated(length) { (target) throws(CompressionError) in
                        try Compression.decompressBlockLZ4(body, into: target)
                    }
                case .zstd:
                    return try inflated(length) { (target) throws(CompressionError) in
                        try Compression.decompressBlockZSTD(body, into: target)
                    }
                default: break
                }
            } catch {
                throw ColumnarError(.corrupt, "a block does not decompress: \(error)", cause: error)
            }
            throw cursor.corrupt("codec \(number) is unknown")
        }
    }

    private static func inflated(
        _ length: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(CompressionError) -> Void
    ) throws(CompressionError) -> [UInt8] {
        var failure: CompressionError?
        let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
            do throws(CompressionError) {
                try fill(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<length]))
                filled = length
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// `bytes` as a raw buffer, with typed errors.
func withBytes<Result, Failure: Error>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
    try bytes.withUnsafeBufferPointer { (buffer) throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
}

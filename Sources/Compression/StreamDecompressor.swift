/// The stream formats that HTTP bodies and record batches come in.
public enum StreamFormat: Sendable, Hashable {
    /// RFC 1952, any number of members.
    case gzip
    /// HTTP's "deflate": RFC 1950; the bare RFC 1951 that some clients send is read too.
    case deflate
    /// RFC 8878, any number of frames, windows up to 8 MB (as RFC 9659 asks of HTTP).
    case zstd
    /// LZ4 frames, any number.
    case lz4
}

/// Decompresses a stream that comes in pieces, holding only a small window in memory.
///
/// Either `append` each piece to an array, or `push` a piece and take it out with `next` in bounded pieces (for a
/// consumer that must not be flooded by a dense stream). Then call `finish`. Use from one thread at a time.
public final class StreamDecompressor {
    /// What `next` returns at most.
    public static let pieceBytes = 64 * 1024

    private let decoder: any StreamDecoder
    private let maxBytes: Int
    private var input: [UInt8] = []
    private var inputPosition = 0
    /// Whether the decoder may hold output it had no room for.
    private var mayHoldOutput = false
    private var hasInput = false

    /// Bytes decompressed so far.
    public private(set) var totalBytes = 0

    /// Creates a decompressor that throws `.tooLarge` once more than `maxBytes` come out in all.
    public init(_ format: StreamFormat, maxBytes: Int) throws(CompressionError) {
        self.maxBytes = maxBytes
        decoder =
            switch format {
            case .gzip: try InflateDecoder(.gzip)
            case .deflate: try InflateDecoder(.deflate)
            case .zstd: try ZSTDDecoder()
            case .lz4: try LZ4Decoder()
            }
    }

    /// Decompresses all of `chunk` and appends what comes out to `output`.
    public func append(_ chunk: UnsafeRawBufferPointer, to output: inout [UInt8]) throws(CompressionError) {
        precondition(inputPosition == input.count && !mayHoldOutput, "BUG: append while pushed input is unread")
        var rest = chunk
        hasInput = hasInput || !chunk.isEmpty
        repeat {
            let (consumed, piece) = try step(rest, pieceBytes: Self.pieceBytes)
            rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
            output.append(contentsOf: piece)
        } while !rest.isEmpty || mayHoldOutput
    }

    /// Decompresses all of `chunk` and appends what comes out to `output`.
    public func append(_ chunk: [UInt8], to output: inout [UInt8]) throws(CompressionError) {
        try chunk.withBytes { chunk throws(CompressionError) in try append(chunk, to: &output) }
    }

    /// Hands over the next piece of the stream. What was pushed before must have been taken out to the end.
    public func push(_ chunk: [UInt8]) {
        precondition(inputPosition == input.count && !mayHoldOutput, "BUG: push while pushed input is unread")
        input = chunk
        inputPosition = 0
        hasInput = hasInput || !chunk.isEmpty
    }

    /// The next bytes, at most `pieceBytes`; nil when all that was pushed is used up.
    public func next() throws(CompressionError) -> [UInt8]? {
        while inputPosition < input.count || mayHoldOutput {
            let (consumed, piece) = try input.withBytes { bytes throws(CompressionError) in
                try step(UnsafeRawBufferPointer(rebasing: bytes[inputPosition...]), pieceBytes: Self.pieceBytes)
            }
            inputPosition += consumed
            if !piece.isEmpty { return piece }
        }
        input = []
        inputPosition = 0
        return nil
    }

    /// Ends the stream; throws `.truncated` when it lacks its end. A stream of no bytes at all is fine.
    public func finish() throws(CompressionError) {
        guard !hasInput || decoder.isComplete else {
            throw CompressionError(.truncated, "the compressed data ends early")
        }
    }

    private func step(
        _ chunk: UnsafeRawBufferPointer, pieceBytes: Int
    ) throws(CompressionError) -> (consumed: Int, piece: [UInt8]) {
        var consumed = 0
        var failure: CompressionError?
        let piece = [UInt8](unsafeUninitializedCapacity: pieceBytes) { buffer, filled in
            do throws(CompressionError) {
                let target = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: pieceBytes)
                (consumed, filled) = try decoder.step(chunk, target)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        mayHoldOutput = piece.count == pieceBytes
        totalBytes += piece.count
        guard totalBytes <= maxBytes else { throw .tooLarge(maxBytes) }
        guard consumed > 0 || !piece.isEmpty || chunk.isEmpty else {
            throw CompressionError(.corrupt, "the compressed data is damaged")
        }
        return (consumed, piece)
    }
}

/// One codec's step: takes what it can of `input`, gives what it has into `output`.
protocol StreamDecoder: AnyObject {
    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (consumed: Int, produced: Int)
    /// Whether the stream may end here.
    var isComplete: Bool { get }
}

import CZlib
import Compression
import Testing

@Suite("Compressed streams")
struct StreamTests {
    private func compressed(_ bytes: [UInt8], _ format: StreamFormat) throws -> [UInt8] {
        switch format {
        case .gzip: try Compression.compress(bytes, codec: .gzip)
        case .zstd: try Compression.compress(bytes, codec: .zstd)
        case .lz4: try Compression.compress(bytes, codec: .lz4)
        case .deflate: deflated(bytes, windowBits: 15)
        }
    }

    private func deflated(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var input = bytes
        return input.withUnsafeMutableBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: bytes.count + 1000) { output, filled in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                _ = deflate(&stream, Z_FINISH)
                filled = output.count - Int(stream.avail_out)
            }
        }
    }

    @Test("pieces of any size give the whole", arguments: [StreamFormat.gzip, .deflate, .zstd, .lz4], [1, 7, 1000])
    func pieces(format: StreamFormat, size: Int) throws {
        let bytes = sampleBytes(300_000)
        let input = try compressed(bytes, format)
        let stream = try StreamDecompressor(format, maxBytes: bytes.count)
        var output: [UInt8] = []
        for start in stride(from: 0, to: input.count, by: size) {
            try stream.append(Array(input[start..<min(start + size, input.count)]), to: &output)
        }
        try stream.finish()
        #expect(output == bytes)
        #expect(stream.totalBytes == bytes.count)
    }

    @Test("a dense stream comes out in bounded pieces", arguments: [StreamFormat.gzip, .zstd, .lz4])
    func boundedPieces(format: StreamFormat) throws {
        let bytes = [UInt8](repeating: 5, count: 3_000_000)
        let stream = try StreamDecompressor(format, maxBytes: bytes.count)
        stream.push(try compressed(bytes, format))
        var total = 0
        while let piece = try stream.next() {
            #expect(piece.count <= StreamDecompressor.pieceBytes)
            total += piece.count
        }
        try stream.finish()
        #expect(total == bytes.count)
    }

    @Test("streams may follow one another", arguments: [StreamFormat.gzip, .zstd, .lz4])
    func concatenated(format: StreamFormat) throws {
        let bytes = sampleBytes(1000)
        let input = try compressed(bytes, format) + compressed(bytes, format)
        let stream = try StreamDecompressor(format, maxBytes: 2000)
        var output: [UInt8] = []
        try stream.append(input, to: &output)
        try stream.finish()
        #expect(output == bytes + bytes)
    }

    @Test("bare deflate is read as deflate")
    func bareDeflate() throws {
        let bytes = sampleBytes(1000)
        let stream = try StreamDecompressor(.deflate, maxBytes: 1000)
        var output: [UInt8] = []
        try stream.append(deflated(bytes, windowBits: -15), to: &output)
        try stream.finish()
        #expect(output == bytes)
    }

    @Test("a stream without its end is an error", arguments: [StreamFormat.gzip, .deflate, .zstd, .lz4])
    func truncated(format: StreamFormat) throws {
        let input = try compressed(sampleBytes(1000), format)
        for count in 1..<input.count {
            let stream = try StreamDecompressor(format, maxBytes: 1000)
            var output: [UInt8] = []
            try stream.append(Array(input[..<count]), to: &output)
            #expect(code { () throws(CompressionError) in try stream.finish() } == .truncated, "\(count)")
        }
        try StreamDecompressor(format, maxBytes: 0).finish()
    }

    @Test("garbage, also after the end, is an error", arguments: [StreamFormat.gzip, .deflate, .zstd, .lz4])
    func garbage(format: StreamFormat) throws {
        let junk: [UInt8] = [0xFF, 0xFE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
        for input in [junk, try compressed([1, 2, 3], format) + junk] {
            #expect(throws: CompressionError.self) {
                let stream = try StreamDecompressor(format, maxBytes: 1000)
                var output: [UInt8] = []
                try stream.append(input, to: &output)
                try stream.finish()
            }
        }
    }

    @Test("a bomb ends at the limit", arguments: [StreamFormat.gzip, .deflate, .zstd, .lz4])
    func bomb(format: StreamFormat) throws {
        let input = try compressed([UInt8](repeating: 0, count: 20_000_000), format)
        let stream = try StreamDecompressor(format, maxBytes: 100_000)
        var output: [UInt8] = []
        #expect(code { () throws(CompressionError) in try stream.append(input, to: &output) } == .tooLarge)
        #expect(output.count <= 200_000)
    }

    @Test("compressed in pieces, with flushes, it is one stream", arguments: [StreamCompressor.Format.gzip, .zstd])
    func compressor(format: StreamCompressor.Format) throws {
        let bytes = sampleBytes(500_000)
        let stream = try StreamCompressor(format)
        let reader = try StreamDecompressor(format == .gzip ? .gzip : .zstd, maxBytes: bytes.count)
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 50_000) {
            var piece: [UInt8] = []
            try stream.append(Array(bytes[start..<start + 50_000]), to: &piece, flush: true)
            try reader.append(piece, to: &output)
            #expect(output.count == start + 50_000)
        }
        var end: [UInt8] = []
        try stream.finish(into: &end)
        try reader.append(end, to: &output)
        try reader.finish()
        #expect(output == bytes)
    }
}

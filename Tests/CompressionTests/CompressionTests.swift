import Compression
import Testing

/// Bytes that compress well, but not to nothing.
func sampleBytes(_ count: Int) -> [UInt8] {
    var state: UInt32 = 12345
    return (0..<count).map { index in
        state = state &* 1_664_525 &+ 1_013_904_223
        return index % 7 == 0 ? UInt8(truncatingIfNeeded: state >> 24) : UInt8(truncatingIfNeeded: index % 50)
    }
}

func code(_ body: () throws(CompressionError) -> Void) -> CompressionError.Code? {
    do throws(CompressionError) {
        try body()
        return nil
    } catch {
        return error.code
    }
}

/// As `code`, for bodies whose calls forget the error's type.
func codeOfAny(_ body: () throws -> Void) -> CompressionError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? CompressionError)?.code ?? .failed
    }
}

@Suite("Compression of whole byte strings")
struct CompressionTests {
    @Test("what is compressed comes back", arguments: Codec.allCases, [0, 1, 100, 65_536, 1_000_000])
    func roundTrip(codec: Codec, count: Int) throws {
        let bytes = sampleBytes(count)
        let compressed = try Compression.compress(bytes, codec: codec)
        #expect(try Compression.decompress(compressed, codec: codec, maxBytes: count) == bytes)
        if codec != .none, count >= 65_536 { #expect(compressed.count < count) }
    }

    @Test("levels are honoured", arguments: [Codec.gzip, .lz4, .zstd])
    func levels(codec: Codec) throws {
        let bytes = sampleBytes(200_000)
        let fast = try Compression.compress(bytes, codec: codec, level: 1)
        let small = try Compression.compress(bytes, codec: codec, level: 9)
        #expect(small.count != fast.count)
        #expect(try Compression.decompress(small, codec: codec, maxBytes: 200_000) == bytes)
    }

    @Test("a bomb is refused at the limit", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func bombs(codec: Codec) throws {
        let compressed = try Compression.compress([UInt8](repeating: 0, count: 50_000_000), codec: codec)
        #expect(compressed.count < 4_000_000)
        #expect(
            code { () throws(CompressionError) in
                _ = try Compression.decompress(compressed, codec: codec, maxBytes: 1_000_000)
            } == .tooLarge)
    }

    @Test("a zstd frame that does not name its length is bounded, too")
    func unsizedBomb() throws {
        let stream = try StreamCompressor(.zstd)
        var compressed: [UInt8] = []
        try stream.append([UInt8](repeating: 0, count: 5_000_000), to: &compressed)
        try stream.finish(into: &compressed)
        #expect(try Compression.decompress(compressed, codec: .zstd, maxBytes: 5_000_000).count == 5_000_000)
        #expect(
            code { () throws(CompressionError) in
                _ = try Compression.decompress(compressed, codec: .zstd, maxBytes: 4_999_999)
            } == .tooLarge)
    }

    @Test("cut short anywhere, it is an error", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func truncated(codec: Codec) throws {
        let compressed = try Compression.compress(sampleBytes(500), codec: codec)
        for count in 0..<compressed.count {
            let cut = Array(compressed[..<count])
            #expect(throws: CompressionError.self, "\(codec) cut to \(count)") {
                try Compression.decompress(cut, codec: codec, maxBytes: 10_000)
            }
        }
    }

    @Test("flipped bits never trap, nor exceed the limit", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func bitFlips(codec: Codec) throws {
        let compressed = try Compression.compress(sampleBytes(300), codec: codec)
        for bit in 0..<compressed.count * 8 {
            var damaged = compressed
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            if let bytes = try? Compression.decompress(damaged, codec: codec, maxBytes: 1_000) {
                #expect(bytes.count <= 1_000)
            }
        }
    }

    @Test("snappy in xerial's framing is read")
    func xerial() throws {
        let first = sampleBytes(1000)
        let second = sampleBytes(70)
        var framed: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]
        for part in [first, second] {
            let block = try Compression.compress(part, codec: .snappy)
            framed += withUnsafeBytes(of: UInt32(block.count).bigEndian) { Array($0) } + block
        }
        #expect(try Compression.decompress(framed, codec: .snappy, maxBytes: 1070) == first + second)
        #expect(
            code { () throws(CompressionError) in
                _ = try Compression.decompress(framed, codec: .snappy, maxBytes: 1069)
            } == .tooLarge)
        for count in [17, 19, 21, framed.count - 1] {
            let cut = Array(framed[..<count])
            #expect(
                code { () throws(CompressionError) in
                    _ = try Compression.decompress(cut, codec: .snappy, maxBytes: 1070)
                } == .truncated)
        }
        framed.replaceSubrange(16..<20, with: [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(
            code { () throws(CompressionError) in
                _ = try Compression.decompress(framed, codec: .snappy, maxBytes: 1070)
            } == .corrupt)
    }

    @Test("a snappy length that lies is refused before it is allocated")
    func lyingSnappy() {
        #expect(
            code { () throws(CompressionError) in
                _ = try Compression.decompress([0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0], codec: .snappy, maxBytes: 1 << 40)
            } == .corrupt)
    }

    @Test("blocks of known length", arguments: [1, 64, 65_536])
    func blocks(count: Int) throws {
        let bytes = sampleBytes(count)
        for isZSTD in [false, true] {
            let compressed = try bytes.withUnsafeBytes { bytes in
                isZSTD ? try Compression.compressBlockZSTD(bytes) : try Compression.compressBlockLZ4(bytes)
            }
            for (target, isRight) in [(count, true), (count + 1, false), (count - 1, false)] {
                var output = [UInt8](repeating: 0xAA, count: target)
                let failure = codeOfAny {
                    try compressed.withUnsafeBytes { source in
                        try output.withUnsafeMutableBytes { target in
                            if isZSTD {
                                try Compression.decompressBlockZSTD(source, into: target)
                            } else {
                                try Compression.decompressBlockLZ4(source, into: target)
                            }
                        }
                    }
                }
                #expect((failure == nil) == isRight)
                if isRight { #expect(output == bytes) }
            }
        }
    }

    @Test("codecs have Kafka's numbers and names")
    func names() {
        #expect(Codec.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
        #expect(Codec(name: "zstd") == .zstd)
        #expect(Codec(name: "ZSTD") == nil)
    }
}

import Disk
import TestSupport
import Testing

@Suite("Byte reader and writer")
struct ByteReaderTests {
    @Test("every number comes back as it was written")
    func roundTrip() throws {
        var writer = ByteWriter()
        writer.uint8(200)
        writer.int8(-3)
        writer.uint16(0xFFFE)
        writer.int16(-2)
        writer.uint32(.max)
        writer.int32(.min)
        writer.uint64(.max)
        writer.int64(.min)
        writer.uint16BigEndian(1)
        writer.int16BigEndian(-1)
        writer.uint32BigEndian(2)
        writer.int32BigEndian(-2)
        writer.uint64BigEndian(3)
        writer.int64BigEndian(-3)
        writer.double(-0.5)
        writer.string("größe")
        writer.lengthPrefixedBytes([])
        writer.count(70_000)
        let check: (inout ByteReader) throws(DiskError) -> Void = { reader throws(DiskError) in
            #expect(try reader.uint8() == 200)
            #expect(try reader.int8() == -3)
            #expect(try reader.uint16() == 0xFFFE)
            #expect(try reader.int16() == -2)
            #expect(try reader.uint32() == .max)
            #expect(try reader.int32() == .min)
            #expect(try reader.uint64() == .max)
            #expect(try reader.int64() == .min)
            #expect(try reader.uint16BigEndian() == 1)
            #expect(try reader.int16BigEndian() == -1)
            #expect(try reader.uint32BigEndian() == 2)
            #expect(try reader.int32BigEndian() == -2)
            #expect(try reader.uint64BigEndian() == 3)
            #expect(try reader.int64BigEndian() == -3)
            #expect(try reader.double() == -0.5)
            #expect(try reader.string() == "größe")
            #expect(try reader.lengthPrefixedBytes() == [])
            #expect(try reader.count(max: 70_000) == 70_000)
            #expect(reader.isAtEnd)
        }
        var fromArray = ByteReader(writer.bytes)
        try check(&fromArray)
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            try check(&reader)
        }
    }

    @Test("variable-length numbers at their edges")
    func varints() throws {
        for value in [0, 1, 127, 128, 16_383, 16_384, UInt64(UInt32.max), .max - 1, .max] {
            var writer = ByteWriter()
            writer.varint(value)
            var reader = ByteReader(writer.bytes)
            #expect(try reader.varint() == value)
            #expect(reader.isAtEnd)
        }
        for value in [0, -1, 1, .min, .max, -64, 64] as [Int64] {
            var writer = ByteWriter()
            writer.zigzag(value)
            var reader = ByteReader(writer.bytes)
            #expect(try reader.zigzag() == value)
        }
    }

    @Test("a number that ends early or never is an error")
    func damagedVarints() {
        var cut = ByteReader([0x80, 0x80])
        #expect(throws: DiskError.self) { try cut.varint() }
        var endless = ByteReader([UInt8](repeating: 0xFF, count: 30))
        #expect(throws: DiskError.self) { try endless.varint() }
        var tooBig = ByteReader([UInt8](repeating: 0xFF, count: 9) + [2])
        #expect(throws: DiskError.self) { try tooBig.varint() }
    }

    @Test("lengths that lie are refused before anything is allocated")
    func lyingLengths() {
        var writer = ByteWriter()
        writer.varint(.max)
        writer.bytes([1, 2])
        let bytes = writer.bytes
        #expect(throws: DiskError.self) {
            var reader = ByteReader(bytes)
            _ = try reader.lengthPrefixedBytes()
        }
        #expect(throws: DiskError.self) {
            var reader = ByteReader(bytes)
            _ = try reader.bytes(.max)
        }
        #expect(throws: DiskError.self) {
            var reader = ByteReader(bytes)
            try reader.skip(-1)
        }
        #expect(throws: DiskError.self) {
            var reader = ByteReader(bytes)
            _ = try reader.count(max: 10)
        }
    }

    @Test("random bytes never trap")
    func randomBytes() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<2_000 {
            var reader = ByteReader(random.bytes(Int.random(in: 0..<40, using: &random)))
            while !reader.isAtEnd {
                do throws(DiskError) {
                    switch Int.random(in: 0..<6, using: &random) {
                    case 0: _ = try reader.varint()
                    case 1: _ = try reader.string()
                    case 2: _ = try reader.uint64()
                    case 3: _ = try reader.zigzag()
                    case 4: _ = try reader.int16BigEndian()
                    default: _ = try reader.uint8()
                    }
                } catch {
                    break
                }
            }
        }
    }
}

import TestSupport
import Testing

@testable import Columnar

/// Columns of every type with data that provokes every encoding.
enum SampleColumns {
    static func integers(_ random: inout SeededRandom, _ count: Int) -> [[Int64]] {
        var walk: Int64 = 1_760_000_000_000
        var sorted: [Int64] = []
        for _ in 0..<count {
            walk += Int64.random(in: 0...300, using: &random)
            sorted.append(walk)
        }
        return [
            [Int64](repeating: 42, count: count),
            sorted,
            (0..<count).map { Int64($0) * 1000 },
            (0..<count).map { Int64($0) * 1_000_000 + 5_000_000_000 },
            (0..<count).map { _ in Int64.random(in: 100...599, using: &random) },
            (0..<count).map { _ in [200, 404, 500, 1 << 40].randomElement(using: &random) ?? 0 },
            (0..<count).map { _ in Int64.random(in: .min ... .max, using: &random) },
            (0..<count).map { $0 % 2 == 0 ? .min : .max },
            (0..<count).map { Int64($0) * Int64($0) },
            (0..<count).map { $0 == count / 2 ? .max : 0 },
            (0..<count).map { -Int64($0) * 3 },
        ]
    }

    static func doubles(_ random: inout SeededRandom, _ count: Int) -> [[Double]] {
        [
            (0..<count).map { _ in Double(Int.random(in: 0...100_000, using: &random)) / 1000 },
            (0..<count).map { _ in Double.random(in: 0...1, using: &random) },
            (0..<count).map { Double($0) },
            (0..<count).map { $0 % 50 == 0 ? .nan : Double($0) / 10 },
            (0..<count).map { $0 % 3 == 0 ? -0.0 : 0.5 },
            (0..<count).map {
                [.infinity, -.infinity, 1e300, Double.leastNonzeroMagnitude, 0.1, 1e18, 123456789.125][$0 % 7]
            },
            [Double](repeating: 2.5, count: count),
            (0..<count).map { _ in Double(bitPattern: random.next()) },
        ]
    }

    static func strings(_ random: inout SeededRandom, _ count: Int) -> [[String]] {
        func hex(_ digits: Int) -> String {
            String((0..<digits).map { _ in "0123456789abcdef".randomElement(using: &random) ?? "0" })
        }
        return [
            [String](repeating: "", count: count),
            [String](repeating: "constant", count: count),
            (0..<count).map { _ in ["INFO", "WARN", "", "ERROR"].randomElement(using: &random) ?? "" },
            (0..<count).map { _ in hex(32) },
            (0..<count).map { _ in hex(8) + "-" + hex(4) + "-" + hex(4) },
            (0..<count).map { _ in "req-" + hex(7) },
            (0..<count).map { String($0 * 7919) },
            (0..<count).map { "-" + String($0 + 1) },
            (0..<count).map { "0" + String($0) },
            (0..<count).map { _ in String(Int64.random(in: .min ... .max, using: &random)) },
            (0..<count).map { "message \($0) of \(count) with ünïcödé \(Int.random(in: 0...9, using: &random))" },
            (0..<count).map { String(repeating: "x", count: $0 % 300) },
            (0..<count).map { "/api/\($0 % 97)" },
        ]
    }

    /// One column of each shape, of `count` rows.
    static func all(seed: UInt64, count: Int) -> [Column] {
        var random = SeededRandom(seed: seed)
        var result: [Column] = []
        for values in integers(&random, count) {
            result.append(Column(type: .int64, data: .int64(values)))
            result.append(Column(type: .int8, data: .int8(values.map { Int8(truncatingIfNeeded: $0) })))
            result.append(Column(type: .int16, data: .int16(values.map { Int16(truncatingIfNeeded: $0) })))
            result.append(Column(type: .int32, data: .int32(values.map { Int32(truncatingIfNeeded: $0) })))
            result.append(Column(type: .uint8, data: .uint8(values.map { UInt8(truncatingIfNeeded: $0) })))
            result.append(Column(type: .date, data: .uint16(values.map { UInt16(truncatingIfNeeded: $0) })))
            let seconds = values.map { UInt32(truncatingIfNeeded: $0) }
            result.append(Column(type: .dateTime(timeZone: nil), data: .uint32(seconds)))
            result.append(Column(type: .uint64, data: .uint64(values.map { UInt64(truncatingIfNeeded: $0) })))
            let wide = values.map { UInt128(truncatingIfNeeded: $0) &* 0x1_0000_0000_0000_0001 }
            result.append(Column(type: .uuid, data: .uint128(wide)))
            result.append(Column(type: .bool, data: .uint8(values.map { UInt8(truncatingIfNeeded: $0 & 1) })))
            let precise = DataType.dateTime64(precision: 6, timeZone: "UTC")
            result.append(Column(type: precise, data: .int64(values)))
        }
        for values in doubles(&random, count) {
            result.append(Column(type: .float64, data: .float64(values)))
            result.append(Column(type: .float32, data: .float32(values.map { Float($0) })))
        }
        for values in strings(&random, count) {
            result.append(Column(type: .string, data: .string(StringData(values))))
            result.append(Column(type: .lowCardinality(.string), data: .string(StringData(values))))
        }
        let flat = result
        for (index, column) in flat.enumerated() {
            result.append(nullable(column, every: [2, 7, 50, 1][index % 4]))
            result.append(array(column))
        }
        result.append(map(count))
        return result
    }

    /// Every `every`-th row NULL, with a default value there.
    static func nullable(_ column: Column, every: Int) -> Column {
        let nulls = (0..<column.count).map { UInt8($0 % every == 0 ? 1 : 0) }
        let scalars = (0..<column.count).map { nulls[$0] == 1 ? Scalar.null : column.scalar(at: $0) }
        return Column(type: column.type.madeNullable, scalars: scalars)
    }

    static func array(_ column: Column) -> Column {
        var offsets: [UInt32] = [0]
        while Int(offsets[offsets.count - 1]) < column.count {
            offsets.append(min(UInt32(column.count), offsets[offsets.count - 1] + UInt32(offsets.count % 4)))
        }
        return Column(type: .array(column.type), data: .array(ArrayData(offsets: offsets, elements: column)))
    }

    static func map(_ count: Int) -> Column {
        Column(
            type: .map(.string, .string),
            scalars: (0..<count).map { row in
                .map((0..<(row % 3)).flatMap { [.string(Array("k\($0)".utf8)), .string(Array("v\(row)".utf8))] })
            })
    }
}

/// Equal rows, floats by their bits.
func sameRows(_ left: Column, _ right: Column) -> Bool {
    guard left.count == right.count else { return false }
    switch (left.flattened().data, right.flattened().data, left.flattenedNulls, right.flattenedNulls) {
    case (.float64(let a), .float64(let b), nil, nil): return a.map(\.bitPattern) == b.map(\.bitPattern)
    case (.float32(let a), .float32(let b), nil, nil): return a.map(\.bitPattern) == b.map(\.bitPattern)
    default: break
    }
    return (0..<left.count).allSatisfy { row in
        let (a, b) = (left.scalar(at: row), right.scalar(at: row))
        return a == b || String(describing: a) == String(describing: b)
    }
}

@Suite("Encodings")
struct EncodingTests {
    @Test("every shape of every type comes back as it was", arguments: [1, 2, 3, 9, 64, 1000, 1025, 8192])
    func roundTrip(count: Int) throws {
        for column in SampleColumns.all(seed: UInt64(count), count: count) {
            let block = ColumnEncoder.block(column, dictionary: nil)
            let decoded = try block.withUnsafeBytes {
                try ColumnDecoder.column($0, type: column.type, count: column.count, dictionary: nil)
            }
            #expect(sameRows(column, decoded), "\(column.type) of \(column.count) rows, encoded by \(block.prefix(3))")
        }
    }

    @Test("an empty column comes back empty")
    func empty() throws {
        for type in [DataType.int64, .string, .float64, .uuid, .array(.string), .map(.string, .int8), .nullable(.date)]
        {
            let column = Column(type: type, scalars: [])
            let block = ColumnEncoder.block(column, dictionary: nil)
            let decoded = try block.withUnsafeBytes {
                try ColumnDecoder.column($0, type: type, count: 0, dictionary: nil)
            }
            #expect(decoded.count == 0)
        }
    }

    @Test("typical log columns become small")
    func sizes() {
        func size(_ column: Column) -> Int { ColumnEncoder.block(column, dictionary: nil).count }
        var random = SeededRandom(seed: 7)
        let times = (0..<8192).map {
            Int64(1_760_000_000_000) + Int64($0) * 120 + Int64.random(in: 0..<120, using: &random)
        }
        #expect(size(Column(type: .int64, data: .int64(times))) < 8192 * 9 / 8)
        let steps = (0..<8192).map { Int64(1_760_000_000) + Int64($0) * 15 }
        #expect(size(Column(type: .int64, data: .int64(steps))) < 100)
        let latencies = (0..<8192).map { _ in Double(Int.random(in: 0..<60_000, using: &random)) / 1000 }
        #expect(size(Column(type: .float64, data: .float64(latencies))) < 8192 * 17 / 8)
        let identifiers = SampleColumns.strings(&random, 8192)[3]
        #expect(size(Column(type: .string, data: .string(StringData(identifiers)))) < 8192 * 16 + 100)
        let levels = SampleColumns.strings(&random, 8192)[2]
        #expect(size(Column(type: .string, data: .string(StringData(levels)))) < 8192 / 4 + 200)
    }

    @Test("arbitrary bytes are an error or a column, never a trap")
    func arbitraryBytes() {
        var random = SeededRandom(seed: 99)
        let types: [DataType] = [
            .int8, .int64, .uint32, .float32, .float64, .string, .uuid, .nullable(.string), .array(.string),
            .map(.string, .nullable(.int64)), .array(.array(.nullable(.float64))), .lowCardinality(.string), .bool,
        ]
        for round in 0..<20_000 {
            let type = types[round % types.count]
            let bytes = random.bytes(Int.random(in: 0...60, using: &random))
            // Small numbers first, so that encodings are met.
            var block = bytes.map { round % 3 == 0 ? $0 : $0 % 18 }
            if round % 2 == 0, !block.isEmpty { block[0] %= 4 }
            let decoded = block.withUnsafeBytes {
                try? ColumnDecoder.column($0, type: type, count: round % 100, dictionary: nil)
            }
            if let decoded { #expect(decoded.count == round % 100) }
        }
    }

    @Test("every flipped byte of a block is an error or another column, never a trap")
    func flippedBytes() {
        let dictionary = ValueDictionary(values: Column(type: .string, data: .string(StringData(["a", "b", "c"]))))
        let coded = Column(
            type: .string,
            data: .dictionary(DictionaryData(codes: (0..<300).map { UInt16($0 % 3) }, dictionary: dictionary)))
        for column in SampleColumns.all(seed: 5, count: 300) + [coded] {
            let block = ColumnEncoder.block(column, dictionary: dictionary)
            for index in stride(from: 0, to: block.count, by: block.count > 600 ? 17 : 1) {
                for flip in [UInt8(0xFF), 0x01, 0x80] {
                    var damaged = block
                    damaged[index] ^= flip
                    damaged.withUnsafeBytes { bytes in
                        let decoded = try? ColumnDecoder.column(
                            bytes, type: column.type, count: column.count, dictionary: dictionary)
                        if let decoded { _ = decoded.flattened().count }
                    }
                }
            }
        }
    }

    @Test("fields of every width are packed and unpacked")
    func bitPacking() {
        var random = SeededRandom(seed: 3)
        for width in Array(0...56) + [64] {
            for count in [1, 7, 8, 9, 63, 64, 65, 1000] {
                let mask = width == 64 ? UInt64.max : (1 << UInt64(width)) - 1
                let values = (0..<count).map { _ in random.next() & mask }
                var builder = BlockBuilder()
                values.withUnsafeBufferPointer {
                    BitPacking.pack($0, 0..<count, base: 0, width: width, to: &builder)
                }
                #expect(builder.bytes.count == BitPacking.byteCount(count, width: width))
                for slack in [0, 3, 8] {
                    let bytes = builder.bytes + [UInt8](repeating: 0xEE, count: slack)
                    let back = [UInt64](unsafeUninitializedCapacity: count) { buffer, filled in
                        bytes.withUnsafeBytes { source in
                            guard let target = buffer.baseAddress else { return }
                            BitPacking.unpack(source, count: count, width: width, base: 0, into: target)
                        }
                        filled = count
                    }
                    #expect(back == values, "width \(width), \(count) values, \(slack) bytes behind")
                }
            }
        }
    }
}

@Suite("Bloom filters")
struct BloomTests {
    @Test("a value that is there is always found, others seldom", arguments: [1, 2, 63, 64, 65, 150])
    func membership(granules: Int) throws {
        var builder = BloomBuilder()
        var hashes: [[UInt64]] = []
        for granule in 0..<granules {
            hashes.append((0..<(50 + granule % 7 * 40)).map { Hash64.hash(Array("value \(granule)/\($0)".utf8)) })
            builder.append(hashes: hashes[granule])
        }
        builder.finish()
        let location = BloomLocation(offset: 0, pages: builder.pages)
        #expect(location.byteCount(granules: granules) == UInt64(builder.bytes.count))
        func probe(_ hash: UInt64) throws -> [UInt64] {
            try location.probe(hash: hash, granules: granules) { (offset, count) throws(ColumnarError) in
                Array(builder.bytes[Int(offset)..<Int(offset) + count])
            }
        }
        for (granule, values) in hashes.enumerated() {
            for hash in values {
                #expect(try probe(hash)[granule / 64] >> UInt64(granule % 64) & 1 == 1)
            }
        }
        var named = 0
        for absent in 0..<500 {
            named += try probe(Hash64.hash(Array("absent \(absent)".utf8))).reduce(0) { $0 + $1.nonzeroBitCount }
        }
        #expect(Double(named) < 0.03 * Double(500 * granules) + 5)
    }

    @Test("the hash is the one that parts were written with")
    func stableHash() {
        #expect(Hash64.hash(Array("".utf8)) == Hash64.hash(UnsafeRawBufferPointer(start: nil, count: 0)))
        let known = ["", "a", "12345678", "a longer string than eight"].map { Hash64.hash(Array($0.utf8)) }
        #expect(Set(known).count == 4)
    }

    @Test("a damaged page is an error")
    func damage() throws {
        var builder = BloomBuilder()
        builder.append(hashes: [1, 2, 3])
        builder.finish()
        let location = BloomLocation(offset: 0, pages: builder.pages)
        for index in builder.bytes.indices {
            var bytes = builder.bytes
            bytes[index] ^= 4
            #expect(throws: ColumnarError.self) {
                try location.probe(hash: 1, granules: 1) { (offset, count) throws(ColumnarError) in
                    Array(bytes[Int(offset)..<Int(offset) + count])
                }
            }
        }
    }
}

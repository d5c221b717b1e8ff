import Disk

// The Bloom filter of a string column: which granules may hold a value, answered for 64 granules by one small read.
//
// Granules are taken in groups of 64 (the last has fewer). A group with G granules is a run of pages; a page holds 512
// rows of G bits, packed from the lowest bit up, bit g of a row for the group's granule g, then the CRC-32C of those
// 64 × G bytes, seeded with the page's index in the filter:
//
//     │ row 0 │ row 1 │ … │ row 511 │ CRC u32 │        64 × G + 4 bytes
//
// A value with hash h (Hash64) belongs to page (h >> 32) × pages >> 32 of each group and there to the seven rows
// that h' = mix(h) names, nine bits each from the lowest up. A granule that holds the value has its bit set in all
// seven; so the AND of seven rows says, for all granules of the group at once, which may hold it. With ten bits a
// value about one granule in a hundred is named wrongly.
enum BloomFormat {
    static let groupGranules = 64
    static let pageRows = 512
    static let rowsPerValue = 7
    static let bitsPerValue = 10
    static let rowBits: UInt64 = 9

    /// Bytes of a page of a group with `granules` granules, with its checksum.
    static func pageBytes(granules: Int) -> Int { pageRows / 8 * granules + 4 }

    /// Pages for granules of at most `values` distinct values.
    static func pages(values: Int) -> Int { max(1, (values * bitsPerValue + pageRows - 1) / pageRows) }

    /// The page of a value with `hash`.
    @inline(__always)
    static func page(_ hash: UInt64, pages: Int) -> Int {
        Int(truncatingIfNeeded: ((hash >> 32) &* UInt64(truncatingIfNeeded: pages)) >> 32)
    }
}

/// Builds the Bloom filter of one column, granule after granule. Holds the hashes of one group (at most 4 MB).
struct BloomBuilder {
    /// Finished groups wait here until they are taken: pages end to end.
    private(set) var bytes: [UInt8] = []
    /// Pages of each finished group.
    private(set) var pages: [UInt32] = []
    private var pageIndex: UInt32 = 0
    private var granules: [[UInt64]] = []

    /// Adds a granule with values of these hashes.
    mutating func append(hashes: [UInt64]) {
        granules.append(hashes)
        if granules.count == BloomFormat.groupGranules { finishGroup() }
    }

    /// Ends the last group.
    mutating func finish() {
        if !granules.isEmpty { finishGroup() }
    }

    private mutating func finishGroup() {
        let pageCount = BloomFormat.pages(values: granules.map(\.count).max() ?? 0)
        let filters = granules.map { Self.filter($0, pages: pageCount) }
        var rows = [UInt64](repeating: 0, count: BloomFormat.pageRows)
        for page in 0..<pageCount {
            for word in 0..<8 { Self.transpose(filters, at: page * 8 + word, into: &rows, from: word * 64) }
            var builder = BlockBuilder()
            rows.withUnsafeBufferPointer {
                BitPacking.pack($0, 0..<BloomFormat.pageRows, base: 0, width: granules.count, to: &builder)
            }
            builder.integer(CRC32C.checksum(builder.bytes, seed: pageIndex))
            bytes += builder.bytes
            pageIndex += 1
        }
        pages.append(UInt32(pageCount))
        granules.removeAll()
    }

    /// One granule's filter: 512 bits a page.
    private static func filter(_ hashes: [UInt64], pages: Int) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: pages * 8)
        words.withUnsafeMutableBufferPointer { words in
            for hash in hashes {
                let start = BloomFormat.page(hash, pages: pages) * 8
                var rest = Hash64.mix(hash)
                for _ in 0..<BloomFormat.rowsPerValue {
                    let row = Int(truncatingIfNeeded: rest & 511)
                    words[start + row >> 6] |= 1 << UInt64(row & 63)
                    rest >>= BloomFormat.rowBits
                }
            }
        }
        return words
    }

    /// Turns 64 bits of each granule into 64 rows of a bit a granule.
    private static func transpose(_ filters: [[UInt64]], at word: Int, into rows: inout [UInt64], from start: Int) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { matrix in
            for index in 0..<64 { matrix[index] = index < filters.count ? filters[index][word] : 0 }
            // Swaps the off-diagonal halves of ever smaller squares.
            var width = 32
            var mask: UInt64 = 0x0000_0000_FFFF_FFFF
            while width > 0 {
                var index = 0
                while index < 64 {
                    let swap = ((matrix[index] >> UInt64(width)) ^ matrix[index + width]) & mask
                    matrix[index] ^= swap << UInt64(width)
                    matrix[index + width] ^= swap
                    index = (index + width + 1) & ~width
                }
                width >>= 1
                mask ^= mask << UInt64(width)
            }
            for index in 0..<64 { rows[start + index] = matrix[index] }
        }
    }
}

/// Where a column's Bloom filter lies in a part.
struct BloomLocation: Sendable, Hashable {
    var offset: UInt64
    /// Pages of each group.
    var pages: [UInt32]

    /// Bytes of the whole filter over `granules` granules.
    func byteCount(granules: Int) -> UInt64 {
        pages.enumerated().reduce(0) { total, group in
            total + UInt64(group.element) * UInt64(BloomFormat.pageBytes(granules: Self.width(group.offset, granules)))
        }
    }

    /// The number of granules in `group`.
    static func width(_ group: Int, _ granules: Int) -> Int {
        min(BloomFormat.groupGranules, granules - group * BloomFormat.groupGranules)
    }

    /// The granules that may hold a value with `hash`: a word a group, a bit a granule. `read` gets offset and
    /// length of a page.
    func probe(
        hash: UInt64, granules: Int, read: (UInt64, Int) throws(ColumnarError) -> [UInt8]
    ) throws(ColumnarError) -> [UInt64] {
        var result: [UInt64] = []
        var start = offset
        var firstPage: UInt32 = 0
        for (group, pageCount) in pages.enumerated() {
            let width = Self.width(group, granules)
            let size = BloomFormat.pageBytes(granules: width)
            let page = BloomFormat.page(hash, pages: Int(pageCount))
            let bytes = try read(start + UInt64(page) * UInt64(size), size)
            result.append(try Self.match(bytes, hash: hash, width: width, seed: firstPage + UInt32(page)))
            start += UInt64(pageCount) * UInt64(size)
            firstPage += pageCount
        }
        return result
    }

    private static func match(_ bytes: [UInt8], hash: UInt64, width: Int, seed: UInt32) throws(ColumnarError) -> UInt64
    {
        let size = bytes.count - 4
        let found = bytes.withUnsafeBytes { bytes -> UInt64? in
            let stored = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: size, as: UInt32.self))
            let content = UnsafeRawBufferPointer(rebasing: bytes[..<size])
            guard CRC32C.checksum(content, seed: seed) == stored else { return nil }
            var rest = Hash64.mix(hash)
            var result = width == 64 ? UInt64.max : (1 << UInt64(width)) - 1
            for _ in 0..<BloomFormat.rowsPerValue {
                result &= row(content, Int(truncatingIfNeeded: rest & 511), width)
                rest >>= BloomFormat.rowBits
            }
            return result
        }
        guard let found else { throw ColumnarError(.corrupt, "a page of a Bloom filter fails its checksum") }
        return found
    }

    private static func row(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ width: Int) -> UInt64 {
        let bit = index * width
        let first = bit >> 3
        let shift = UInt64(bit & 7)
        var low: UInt64 = 0
        for offset in 0..<min(8, bytes.count - first) { low |= UInt64(bytes[first + offset]) << UInt64(8 * offset) }
        var value = low >> shift
        if shift > 0, first + 8 < bytes.count { value |= UInt64(bytes[first + 8]) << (64 - shift) }
        return width == 64 ? value : value & ((1 << UInt64(width)) - 1)
    }
}

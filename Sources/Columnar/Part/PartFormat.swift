// A part: one immutable file with all rows, column after column.
//
//     ┌──────────────────────────────────────────────┐ 0
//     │ "LGSPART" and the version u8 (1)             │
//     ├──────────────────────────────────────────────┤ 8
//     │ column 0: [dictionary block]                 │
//     │           block of granule 0, granule 1, …   │
//     │           [Bloom filter pages]               │
//     │ column 1 …                                   │
//     ├──────────────────────────────────────────────┤
//     │ footer, framed as a block                    │
//     ├──────────────────────────────────────────────┤ end − 28
//     │ footer length u32                            │
//     │ file length u64                              │
//     │ CRC-32C of the footer and the 12 bytes above │
//     │ u32 reserved, 0                              │
//     │ "LGSPART" and the version u8                 │
//     └──────────────────────────────────────────────┘
//
// A block, as stored: codec u8 (0 none, 3 LZ4, 4 zstd) │ varint length before compression │ bytes. The CRC-32C of the
// stored bytes is in the footer, beside offset and length, so that a block written to the wrong place is found too.
// What is inside a block is drawn in EncodingFormat.swift, the Bloom filter in BloomFormat.swift.
//
// The footer (varints unless said otherwise; "integers" and "column" as in EncodingFormat.swift):
//
//     features (0; a reader refuses bits it does not know) │ level │ time created, zigzag ms
//     partition: 0, or 1 and string
//     times: 0, or 1 and zigzag ms of the earliest and the latest row
//     sources: count, each: topic string │ partition │ zigzag first offset │ zigzag offset after the last
//     rows │ granules │ rows of each granule, as 32-bit integers
//     sorting key: count, ids of columns
//     columns: count, each:
//         id │ name string │ type (TypeForm.swift) │ flags (1 dictionary, 2 Bloom filter, 4 ranges)
//         offset of granule 0's block │ stored lengths of the blocks as 32-bit integers │ their CRCs, likewise
//         bytes in memory, as 64-bit integers │ NULLs a granule, as 32-bit integers
//         dictionary: offset │ stored length │ CRC u32 │ number of values
//         Bloom filter: offset │ pages of each group, as 32-bit integers
//         ranges: minimum and maximum of each granule, then of the part, as two nullable columns (NULL: unknown)
//                 │ 1 where both occur, 0 where cut or widened, as 8-bit integers

/// Constants of the part's format.
enum PartFormat {
    static let magic: [UInt8] = Array("LGSPART".utf8)
    static let version: UInt8 = 1
    static let headerBytes = 8
    static let trailerBytes = 28
    /// The largest footer a reader takes.
    static let maxFooterBytes = 64 << 20
    /// Bytes read from the end of the file at once when a part is opened: mostly the whole footer.
    static let tailBytes = 64 << 10
    static let fileSuffix = ".part"

    enum ColumnFlags {
        static let dictionary: UInt64 = 1
        static let bloom: UInt64 = 2
        static let ranges: UInt64 = 4
        static let known: UInt64 = 7
    }

    /// The name of part number `number`.
    static func name(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
    }
}

// How values lie in a block, before compression.
//
//     column   │ nulls form u8 │ null marks │ values of the rows that are not NULL │
//     values   │ encoding u8 │ body │
//
// The number of values is never stored: the reader knows it from the granule's row count, from the null marks, or
// from the lengths of the arrays around it. Numbers are little-endian; "varint" is unsigned LEB128, "zigzag" a
// varint of (v << 1) ^ (v >> 63).

/// How NULLs are marked. Written to disk: numbers are never reused.
enum NullsForm: UInt8 {
    /// No row is NULL; no marks.
    case none = 0
    /// Every row is NULL; no marks, no values.
    case all = 1
    /// One bit a row, the first in the lowest bit of the first byte, 1 where NULL.
    case bitmap = 2
    /// Varint count of runs, then varint lengths of runs of not-NULL, NULL, not-NULL … rows in turn.
    case runs = 3
}

/// How values are encoded. Written to disk: numbers are never reused.
enum Encoding: UInt8 {
    /// One value for all rows. Integers: the value in its own width. Strings: varint length and bytes.
    case constant = 1
    /// Integers in their own width.
    case raw = 2
    /// Frame of reference: frames of 1,024 values (the last has fewer): zigzag of the smallest value taken as 64
    /// bits, width u8 (0 to 56, or 64), and each value less the smallest in that many bits, packed from bit 0 up.
    case frames = 3
    /// Zigzag of the first value, then `frames` (without its number) of each value less the one before.
    case delta = 4
    /// Zigzag of the first value, zigzag of the first difference, then `frames` of the differences' differences.
    case doubleDelta = 5
    /// Varint divisor, then the values divided by it as integers with their own encoding.
    case multiple = 6
    /// Varint count of distinct values, those as values with their own encoding, then codes into them as
    /// 16-bit integers with their own encoding. For integers and strings.
    case localDictionary = 7
    /// 128-bit values: high halves, then low halves, each as 64-bit integers with their own encoding.
    case halves = 8
    /// Floats: their bit patterns as unsigned integers with their own encoding.
    case bits = 9
    /// Floats: exponent k u8 (0 to 18), varint count of exceptions, each a varint of the row less the row before and
    /// the bit pattern; then integers n with their own encoding: the value is n ÷ 10^k, rounded to the type.
    case decimal = 10
    /// Strings: lengths as 32-bit integers with their own encoding, then all bytes end to end.
    case strings = 11
    /// Strings of one length of which only some positions vary, and those hold lower-case hexadecimal digits:
    /// varint length, the first row's bytes, a bitmap of the positions that vary; then, a row, those digits packed
    /// two a byte, the first in the high half (an odd last digit sits in the high half).
    case template = 12
    /// Strings that are integers in their shortest form: as 64-bit signed integers with their own encoding.
    case digits = 13
    /// Strings: codes into the part's dictionary of the column as 16-bit integers with their own encoding.
    case partDictionary = 14
    /// Arrays: lengths as 32-bit integers with their own encoding, then the elements as a column.
    /// Maps: lengths, then the keys as a column, then the values as a column.
    case lists = 15
}

/// Constants of the encodings. Written into every part: a change is a new encoding.
enum EncodingFormat {
    /// Values a frame of `frames` has.
    static let frameRows = 1024
    /// How deep integer encodings may nest (`multiple` of `localDictionary` of …).
    static let maxDepth = 4
    /// The largest exponent of `decimal`.
    static let maxExponent = 18
    /// The longest string `template` takes.
    static let maxTemplateBytes = 256
}

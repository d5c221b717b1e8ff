/// The primary key of a source's row as bytes that are equal for equal keys and order as the keys do: what
/// `_cdc_key` holds. Part of the stored format.
///
/// One piece a value, end to end:
///
///     null              00
///     false, true       01 00, 01 01
///     whole number      02 and eight bytes, highest first, the sign bit flipped       (what Int64 holds)
///     other number      03 the number's text 00 00
///     string            04 the bytes, each 00 as 00 FF, then 00 00
///     object, array     05 the JSON text 00 00
///     bytes, no JSON    06 the bytes as in a string
struct RowKey {
    private(set) var bytes: [UInt8] = []

    /// Adds a JSON value that was checked.
    mutating func append(_ value: UnsafeRawBufferPointer) {
        guard let first = value.first else { return }
        switch first {
        case UInt8(ascii: "n"): bytes.append(0)
        case UInt8(ascii: "t"): bytes += [1, 1]
        case UInt8(ascii: "f"): bytes += [1, 0]
        case UInt8(ascii: "\""): append(JSONValueText.string(value) ?? [], tag: 4)
        case UInt8(ascii: "{"), UInt8(ascii: "["): append(value, tag: 5)
        default:
            guard let number = Self.integer(value) else { return append(value, tag: 3) }
            bytes.append(2)
            let ordered = UInt64(bitPattern: number) ^ 1 << 63
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: ordered >> shift))
            }
        }
    }

    /// Adds bytes that are no JSON.
    mutating func append(raw: some Sequence<UInt8>) { append(raw, tag: 6) }

    /// Adds a text as a JSON string of it would be.
    mutating func append(text: some Sequence<UInt8>) { append(text, tag: 4) }

    private mutating func append(_ text: some Sequence<UInt8>, tag: UInt8) {
        bytes.append(tag)
        for byte in text {
            bytes.append(byte)
            if byte == 0 { bytes.append(0xff) }
        }
        bytes += [0, 0]
    }

    private static func integer(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard let start = text.baseAddress,
            let number = try? JSONNumber.scan(start.assumingMemoryBound(to: UInt8.self), 0, text.count),
            number.isInteger, number.end == text.count
        else { return nil }
        return number.int64
    }
}

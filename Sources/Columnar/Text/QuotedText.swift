// Strings in quotes, as they stand inside arrays, maps and type names.

extension ValueText {
    /// Appends `text` in single quotes, escaped as ClickHouse does it.
    public static func appendQuoted(_ text: some Collection<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(0x27)
        for byte in text {
            if let letter = QuotedText.escapeLetter(byte) {
                bytes.append(0x5C)
                bytes.append(letter)
            } else {
                bytes.append(byte)
            }
        }
        bytes.append(0x27)
    }
}

/// Reading and writing of backslash escapes.
public enum QuotedText {
    /// What follows the backslash for a byte that is written escaped; nil for one that is not.
    @inlinable
    public static func escapeLetter(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x00: 0x30
        case 0x08: 0x62
        case 0x09: 0x74
        case 0x0A: 0x6E
        case 0x0C: 0x66
        case 0x0D: 0x72
        case 0x27, 0x5C: byte
        default: nil
        }
    }

    /// Reads a string in single quotes at `index` and moves past it; nil, and `index` as it was, when there is none.
    /// Understands `\n`-like escapes, `\xHH` and a doubled quote.
    public static func parse(_ bytes: some RandomAccessCollection<UInt8>, _ index: inout Int) -> [UInt8]? {
        bytes.withContiguousStorageIfAvailable { parse(UnsafeRawBufferPointer($0), &index) }
            ?? parse(Array(bytes), &index)
    }

    /// The same from a buffer.
    public static func parse(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) -> [UInt8]? {
        var next = index
        guard next < bytes.count, bytes[next] == 0x27 else { return nil }
        next += 1
        var text: [UInt8] = []
        while next < bytes.count {
            let byte = bytes[next]
            next += 1
            if byte == 0x27 {
                guard next < bytes.count, bytes[next] == 0x27 else {
                    index = next
                    return text
                }
                next += 1
                text.append(byte)
            } else if byte == 0x5C {
                guard next < bytes.count else { return nil }
                unescape(bytes, &next, to: &text)
            } else {
                text.append(byte)
            }
        }
        return nil
    }

    /// Appends what the escape at `index` (behind the backslash) stands for; unknown escapes keep their backslash.
    public static func unescape(_ bytes: UnsafeRawBufferPointer, _ index: inout Int, to text: inout [UInt8]) {
        let letter = bytes[index]
        index += 1
        switch letter {
        case 0x30: text.append(0)
        case 0x61: text.append(7)
        case 0x62: text.append(8)
        case 0x65: text.append(0x1B)
        case 0x66: text.append(0x0C)
        case 0x6E: text.append(0x0A)
        case 0x72: text.append(0x0D)
        case 0x74: text.append(0x09)
        case 0x76: text.append(0x0B)
        case 0x78:
            guard index + 1 < bytes.count, let high = ValueText.hexValue(bytes[index]),
                let low = ValueText.hexValue(bytes[index + 1])
            else {
                text += [0x5C, letter]
                return
            }
            text.append(high << 4 | low)
            index += 2
        case 0x27, 0x22, 0x5C, 0x60, 0x2F, 0x3D: text.append(letter)
        default: text += [0x5C, letter]
        }
    }
}

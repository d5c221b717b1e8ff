import Columnar

/// Strings with what a format needs escaped in them. Each copies the runs between special bytes whole.
enum Escaping {
    /// TabSeparated: `\t`, `\n`, `\\`, `\'` and the like.
    static func appendTSV(_ text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        var start = 0
        for index in 0..<text.count {
            let byte = text[index]
            guard byte < 0x20 || byte == 0x27 || byte == 0x5C, let letter = QuotedText.escapeLetter(byte) else {
                continue
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<index]))
            bytes.append(0x5C)
            bytes.append(letter)
            start = index + 1
        }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start...]))
    }

    /// CSV: in double quotes, those inside doubled.
    static func appendCSV(_ text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        var start = 0
        for index in 0..<text.count where text[index] == 0x22 {
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start...index]))
            start = index
        }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start...]))
        bytes.append(0x22)
    }

    /// A JSON string, quotes included. `valid` puts U+FFFD in place of bytes that are not UTF-8.
    static func appendJSON(_ text: UnsafeRawBufferPointer, slashes: Bool, valid: Bool, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        var start = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            let isPlain = byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5C && (byte != 0x2F || !slashes)
            if isPlain {
                index += 1
                continue
            }
            if byte >= 0x80 {
                let length = sequenceLength(text, at: index)
                // The line separators that JavaScript once took for line ends.
                let isSeparator = length == 3 && byte == 0xE2 && text[index + 1] == 0x80 && text[index + 2] | 1 == 0xA9
                if !isSeparator, length > 0 || !valid {
                    index += max(1, length)
                    continue
                }
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<index]))
                if isSeparator {
                    bytes.append(contentsOf: (text[index + 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
                } else {
                    bytes.append(contentsOf: [0xEF, 0xBF, 0xBD])
                }
                index += max(1, length)
                start = index
                continue
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<index]))
            appendJSONEscape(byte, to: &bytes)
            index += 1
            start = index
        }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start...]))
        bytes.append(0x22)
    }

    private static func appendJSONEscape(_ byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(0x5C)
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x22, 0x2F, 0x5C: bytes.append(byte)
        default:
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(hex(byte >> 4))
            bytes.append(hex(byte & 15))
        }
    }

    private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x41 + nibble - 10 }

    /// Bytes of the UTF-8 sequence at `index`, whose first byte is no ASCII; 0 when it is none.
    static func sequenceLength(_ text: UnsafeRawBufferPointer, at index: Int) -> Int {
        let first = text[index]
        func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            index + offset < text.count && range.contains(text[index + offset])
        }
        switch first {
        case 0xC2...0xDF: return continues(1) ? 2 : 0
        case 0xE0: return continues(1, 0xA0...0xBF) && continues(2) ? 3 : 0
        case 0xED: return continues(1, 0x80...0x9F) && continues(2) ? 3 : 0
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
        case 0xF0: return continues(1, 0x90...0xBF) && continues(2) && continues(3) ? 4 : 0
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xF4: return continues(1, 0x80...0x8F) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }
}

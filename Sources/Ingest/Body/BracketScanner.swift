/// Finds where a value ends that is not worth checking (too long, or broken), by its brackets and quotes alone.
struct BracketScanner {
    private var depth = 0
    private var inString = false
    private var escaped = false

    /// What ended the skipping.
    enum Stop {
        /// The bytes ran out; go on with the next ones.
        case endOfBytes
        /// At a byte that ends it: just past the closing bracket of an object, before the `,` or `]` of an element.
        case found
    }

    /// Skips an object and stops past its closing bracket, or at a line feed inside a string, where no line feed can
    /// be. With `staysInLine` any line feed stops it.
    mutating func skipObject(
        _ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int, lines: inout Int, staysInLine: Bool
    ) -> Stop {
        while at < end {
            let byte = base[at]
            if byte == 0x0a {
                if inString || staysInLine { return .found }
                lines += 1
            }
            at &+= 1
            if step(byte) && depth <= 0 { return .found }
        }
        return .endOfBytes
    }

    /// Skips an element of an array and stops at the comma or bracket after it.
    mutating func skipElement(
        _ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int, lines: inout Int
    ) -> Stop {
        while at < end {
            let byte = base[at]
            if byte == 0x0a { lines += 1 }
            if depth <= 0 && !inString && (byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]")) { return .found }
            at &+= 1
            _ = step(byte)
        }
        return .endOfBytes
    }

    /// Takes note of a byte; true when it is a closing bracket.
    @inline(__always)
    private mutating func step(_ byte: UInt8) -> Bool {
        if inString {
            if escaped {
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") || byte == 0x0a {
                inString = false
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""): inString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            return true
        default: break
        }
        return false
    }
}

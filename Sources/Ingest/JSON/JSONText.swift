// Strings of JSON: finding where they end, checking them, taking the escapes out.
//
// Eight bytes at a time in an ordinary register: a byte is looked at alone only where one of the eight is a quote,
// a backslash, a control character or no ASCII.

/// The functions on strings. Positions are indices into the bytes at `base`; `end` is one past the last readable.
enum JSONText {
    /// One bit (0x80) for each byte of `word` that ends the easy part of a string. The lowest set bit is exact;
    /// those above it may be false alarms, because subtraction borrows.
    @inline(__always)
    static func stops(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ 0x2222_2222_2222_2222
        let backslash = word ^ 0x5c5c_5c5c_5c5c_5c5c
        let found =
            ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            | ((word &- 0x2020_2020_2020_2020) & ~word) | word
        return found & 0x8080_8080_8080_8080
    }

    /// The index of the quote that closes the string whose first byte is at `start`; -1 when the bytes end before.
    /// `escaped` becomes true when a backslash occurs. Checks escapes and UTF-8 on the way.
    @inline(__always)
    static func scan(
        _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ escaped: inout Bool
    ) throws(JSONFault) -> Int {
        var at = start
        while at &+ 8 <= end {
            let word = UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self)
            let found = stops(word)
            if found == 0 {
                at &+= 8
                continue
            }
            at &+= found.trailingZeroBitCount &>> 3
            if base[at] == UInt8(ascii: "\"") { return at }
            at = try special(base, at, end, &escaped)
            if at < 0 { return -1 }
        }
        return try scanTail(base, at, end, &escaped)
    }

    /// The same byte by byte, where fewer than eight are left.
    private static func scanTail(
        _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ escaped: inout Bool
    ) throws(JSONFault) -> Int {
        var at = start
        while at < end {
            let byte = base[at]
            if byte == UInt8(ascii: "\"") { return at }
            if byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\\") {
                at &+= 1
            } else {
                at = try special(base, at, end, &escaped)
                if at < 0 { return -1 }
            }
        }
        return -1
    }

    /// Steps over an escape or a run of non-ASCII characters at `at`; -1 when the bytes end inside.
    @inline(never)
    private static func special(
        _ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ escaped: inout Bool
    ) throws(JSONFault) -> Int {
        let byte = base[at]
        if byte >= 0x80 {
            var next = at
            while next >= 0 && next < end && base[next] >= 0x80 { next = try character(base, next, end) }
            return next
        }
        guard byte == UInt8(ascii: "\\") else { throw JSONFault(.controlCharacter, at: at) }
        escaped = true
        return try escape(base, at, end)
    }

    /// The index after the non-ASCII character at `at`; -1 when the bytes end inside it. RFC 3629's table.
    @inline(__always)
    static func character(_ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int) throws(JSONFault) -> Int {
        let lead = base[at]
        let length: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xbf
        switch lead {
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, low) = (3, 0xa0)
        case 0xed: (length, high) = (3, 0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, low) = (4, 0x90)
        case 0xf1...0xf3: length = 4
        case 0xf4: (length, high) = (4, 0x8f)
        default: throw JSONFault(.invalidUTF8, at: at)
        }
        guard at &+ 1 < end else { return -1 }
        guard base[at &+ 1] >= low && base[at &+ 1] <= high else { throw JSONFault(.invalidUTF8, at: at) }
        var index = 2
        while index < length {
            guard at &+ index < end else { return -1 }
            guard base[at &+ index] & 0xc0 == 0x80 else { throw JSONFault(.invalidUTF8, at: at) }
            index &+= 1
        }
        return at &+ length
    }

    /// The index after the escape whose backslash is at `at`; -1 when the bytes end inside it.
    private static func escape(_ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int) throws(JSONFault) -> Int {
        guard at + 1 < end else { return -1 }
        switch base[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return at + 2
        case UInt8(ascii: "u"):
            let unit = try hexUnit(base, at, end)
            if unit < 0 { return -1 }
            guard unit & 0xf800 == 0xd800 else { return at + 6 }
            guard unit < 0xdc00 else { throw JSONFault(.loneSurrogate, at: at) }
            guard at + 6 < end else { return -1 }
            guard base[at + 6] == UInt8(ascii: "\\") else { throw JSONFault(.loneSurrogate, at: at) }
            guard at + 7 < end else { return -1 }
            guard base[at + 7] == UInt8(ascii: "u") else { throw JSONFault(.loneSurrogate, at: at) }
            let low = try hexUnit(base, at + 6, end)
            if low < 0 { return -1 }
            guard low & 0xfc00 == 0xdc00 else { throw JSONFault(.loneSurrogate, at: at) }
            return at + 12
        default:
            throw JSONFault(.badEscape, at: at)
        }
    }

    /// The four hexadecimal digits of the `\u` escape at `at`; -1 when the bytes end before.
    private static func hexUnit(_ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int) throws(JSONFault) -> Int {
        var unit = 0
        for index in (at + 2)..<(at + 6) {
            guard index < end else { return -1 }
            let digit = hexDigit(base[index])
            guard digit >= 0 else { throw JSONFault(.badEscape, at: at) }
            unit = unit << 4 | digit
        }
        return unit
    }

    @inline(__always)
    private static func hexDigit(_ byte: UInt8) -> Int {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 0x61 + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 0x41 + 10
        default: -1
        }
    }

    /// Writes the string at `start ..< end`, which `scan` has checked, to `target` with its escapes taken out.
    /// Returns how many bytes that took, never more than `end - start`.
    static func unescape(
        _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, to target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var at = start
        var written = 0
        while at < end {
            let byte = base[at]
            guard byte == UInt8(ascii: "\\") else {
                target[written] = byte
                written &+= 1
                at &+= 1
                continue
            }
            switch base[at + 1] {
            case UInt8(ascii: "u"):
                written += unescapeUnit(base, &at, to: target + written)
                continue
            case UInt8(ascii: "b"): target[written] = 0x08
            case UInt8(ascii: "f"): target[written] = 0x0c
            case UInt8(ascii: "n"): target[written] = 0x0a
            case UInt8(ascii: "r"): target[written] = 0x0d
            case UInt8(ascii: "t"): target[written] = 0x09
            default: target[written] = base[at + 1]
            }
            written &+= 1
            at &+= 2
        }
        return written
    }

    private static func unescapeUnit(
        _ base: UnsafePointer<UInt8>, _ at: inout Int, to target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var code = checkedUnit(base, at)
        at += 6
        if code & 0xfc00 == 0xd800 {
            code = 0x10000 + (code & 0x3ff) << 10 + checkedUnit(base, at) & 0x3ff
            at += 6
        }
        return encode(code, to: target)
    }

    private static func checkedUnit(_ base: UnsafePointer<UInt8>, _ at: Int) -> UInt32 {
        var unit: UInt32 = 0
        for index in (at + 2)..<(at + 6) { unit = unit << 4 | UInt32(truncatingIfNeeded: hexDigit(base[index])) }
        return unit
    }

    /// Writes the UTF-8 form of a code point; returns its length.
    private static func encode(_ code: UInt32, to target: UnsafeMutablePointer<UInt8>) -> Int {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (code >> shift) & 0x3f) }
        switch code {
        case 0..<0x80:
            target[0] = UInt8(truncatingIfNeeded: code)
            return 1
        case 0x80..<0x800:
            target[0] = UInt8(truncatingIfNeeded: 0xc0 | code >> 6)
            target[1] = tail(0)
            return 2
        case 0x800..<0x10000:
            target[0] = UInt8(truncatingIfNeeded: 0xe0 | code >> 12)
            target[1] = tail(6)
            target[2] = tail(0)
            return 3
        default:
            target[0] = UInt8(truncatingIfNeeded: 0xf0 | code >> 18)
            target[1] = tail(12)
            target[2] = tail(6)
            target[3] = tail(0)
            return 4
        }
    }
}

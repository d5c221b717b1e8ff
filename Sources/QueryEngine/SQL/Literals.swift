/// What literals in SQL text stand for.
enum Literals {
    /// The bytes a quoted string or name stands for: escapes resolved, doubled quotes made one. `quoted` has its
    /// quotes.
    static func unquote(_ quoted: ArraySlice<UInt8>) -> [UInt8] {
        guard let quote = quoted.first, quoted.count >= 2 else { return [] }
        var result: [UInt8] = []
        result.reserveCapacity(quoted.count)
        var index = quoted.startIndex + 1
        let end = quoted.endIndex - 1
        while index < end {
            let byte = quoted[index]
            if byte == UInt8(ascii: "\\"), index + 1 < end {
                index = unescape(quoted, after: index, end: end, into: &result)
            } else if byte == quote {
                result.append(quote)
                index += 2
            } else {
                result.append(byte)
                index += 1
            }
        }
        return result
    }

    /// Resolves the escape whose backslash stands at `index`; returns the index behind it.
    private static func unescape(_ text: ArraySlice<UInt8>, after index: Int, end: Int, into result: inout [UInt8])
        -> Int
    {
        let mark = text[index + 1]
        switch mark {
        case UInt8(ascii: "x"):
            if index + 3 < end, let high = hexDigit(text[index + 2]), let low = hexDigit(text[index + 3]) {
                result.append(high << 4 | low)
                return index + 4
            }
            result += [UInt8(ascii: "\\"), mark]
        case UInt8(ascii: "N"):
            break
        default:
            if let control = controlEscape(mark) {
                result.append(control)
            } else if mark == UInt8(ascii: "\\") || mark == UInt8(ascii: "'") || mark == UInt8(ascii: "\"")
                || mark == UInt8(ascii: "`") || mark == UInt8(ascii: "/") || mark < 0x20
            {
                result.append(mark)
            } else {
                // `\d` and `\%` keep their backslash: regular expressions and LIKE patterns need it.
                result += [UInt8(ascii: "\\"), mark]
            }
        }
        return index + 2
    }

    /// The control character that `\mark` stands for.
    static func controlEscape(_ mark: UInt8) -> UInt8? {
        switch mark {
        case UInt8(ascii: "a"): 0x07
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "e"): 0x1B
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "v"): 0x0B
        case UInt8(ascii: "0"): 0x00
        default: nil
        }
    }

    /// The value of a hexadecimal digit.
    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The value of a number as written: integers that fit 64 bits as such, all else as a float; nil when it is none.
    static func number(_ text: ArraySlice<UInt8>, negative: Bool = false) -> Expression.Literal? {
        let digits = text.filter { $0 != UInt8(ascii: "_") }
        guard let first = digits.first else { return nil }
        if first == UInt8(ascii: "0"), digits.count > 1 {
            let mark = digits[1] | 0x20
            if mark == UInt8(ascii: "x") || mark == UInt8(ascii: "b") {
                let radix = mark == UInt8(ascii: "x") ? 16 : 2
                let body = String(decoding: digits[2...], as: UTF8.self)
                guard !body.hasPrefix("+"), !body.hasPrefix("-") else { return nil }
                return UInt64(body, radix: radix).map { integer($0, negative: negative) }
            }
        }
        let string = String(decoding: digits, as: UTF8.self)
        if digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }), let value = UInt64(string) {
            return integer(value, negative: negative)
        }
        // Swift wants digits on both sides of the point.
        var spelled = string.hasPrefix(".") ? "0" + string : string
        if let point = spelled.firstIndex(of: ".") {
            let after = spelled.index(after: point)
            if after == spelled.endIndex || !spelled[after].isNumber { spelled.insert("0", at: after) }
        }
        guard let value = Double(spelled) else { return nil }
        return .float(negative ? -value : value)
    }

    private static func integer(_ value: UInt64, negative: Bool) -> Expression.Literal {
        guard negative, value > 0 else { return .unsigned(value) }
        if value <= UInt64(Int64.max) { return .signed(-Int64(value)) }
        if value == 1 << 63 { return .signed(Int64.min) }
        return .float(-Double(value))
    }

    /// The bytes of `x'41'` (`perDigit` 4) or `b'01000001'` (`perDigit` 1); nil when a digit is none.
    static func bits(_ text: ArraySlice<UInt8>, perDigit: Int) -> [UInt8]? {
        let digits = text.dropFirst(2).dropLast()
        let perByte = 8 / perDigit
        let padding = (perByte - digits.count % perByte) % perByte
        var result: [UInt8] = []
        var current: UInt8 = 0
        var filled = padding
        for digit in digits {
            guard let value = hexDigit(digit), value < 1 << perDigit else { return nil }
            current = current << UInt8(perDigit) | value
            filled += 1
            if filled == perByte {
                result.append(current)
                current = 0
                filled = 0
            }
        }
        return result
    }
}

import Columnar

/// Connect's and Debezium's numbers as text that columns read.
enum ConnectText {
    /// Days since 1970 as a date; nil for a year that four digits do not write.
    static func date(days: Int64) -> String? {
        guard days.magnitude < 10_000_000 else { return nil }
        let (year, month, day) = Civil.date(fromDays: days)
        guard (0...9999).contains(year) else { return nil }
        return "\(padded(Int64(year), 4))-\(padded(Int64(month), 2))-\(padded(Int64(day), 2))"
    }

    /// Ticks of 10^-`digits` seconds since 1970 as ISO 8601 in UTC.
    static func moment(_ ticks: Int64, _ digits: Int) -> String? {
        let day = Civil.daySeconds * Civil.powerOfTen(digits)
        let rest = ticks % day
        guard let date = date(days: Civil.floorDivide(ticks, day)),
            let time = time(rest < 0 ? rest + day : rest, digits)
        else { return nil }
        return "\(date)T\(time)Z"
    }

    /// Ticks of 10^-`digits` seconds since midnight. A day may last longer than 24 hours.
    static func time(_ ticks: Int64, _ digits: Int) -> String? {
        guard ticks >= 0 else { return nil }
        let unit = Civil.powerOfTen(digits)
        let seconds = ticks / unit
        return "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))."
            + padded(ticks % unit, digits)
    }

    /// A number of two's complement, highest byte first, times 10^-`scale`. Nil for one of more than 16 bytes.
    static func decimal(_ bytes: [UInt8], scale: Int) -> String? {
        guard (1...16).contains(bytes.count), (-100...100).contains(scale) else { return nil }
        var value: Int128 = bytes[0] & 0x80 == 0 ? 0 : -1
        for byte in bytes { value = value << 8 | Int128(byte) }
        var digits = String(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if scale <= 0 { return value == 0 ? "0" : sign + digits + String(repeating: "0", count: -scale) }
        if digits.utf8.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits }
        return "\(sign)\(digits.dropLast(scale)).\(digits.suffix(scale))"
    }

    /// Bits, lowest byte first, as a number; nil for more than 63.
    static func bits(_ bytes: [UInt8]) -> String? {
        var value: UInt64 = 0
        for (index, byte) in bytes.enumerated() where byte != 0 {
            guard index < 8 else { return nil }
            value |= UInt64(byte) << UInt64(8 * index)
        }
        return value > UInt64(Int64.max) ? nil : String(value)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(width - text.utf8.count, 0)) + text
    }
}

/// Base64 as JSON has it for bytes (RFC 4648, padded or not).
enum Base64 {
    /// The bytes; nil when the text is no base64.
    static func decoded(_ text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3 + 3)
        var bits: UInt32 = 0
        var count = 0
        for (index, byte) in text.enumerated() {
            let digit: UInt32
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt32(byte - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt32(byte - UInt8(ascii: "a")) + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(byte - UInt8(ascii: "0")) + 52
            case UInt8(ascii: "+"): digit = 62
            case UInt8(ascii: "/"): digit = 63
            case UInt8(ascii: "="):
                return text[index...].allSatisfy({ $0 == byte }) && text.count - index <= 2 ? result : nil
            default: return nil
            }
            bits = bits << 6 | digit
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= 1 << UInt32(count) - 1
            }
        }
        return result
    }
}

/// Values as text and back, in ClickHouse's forms: byte arrays only, integer arithmetic, no allocation per value.
public enum ValueText {
    // MARK: Numbers

    /// Appends a decimal integer.
    @inlinable
    public static func append(integer value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        if value < 0 { bytes.append(0x2D) }
        append(magnitude: UInt64(truncatingIfNeeded: value.magnitude), to: &bytes)
    }

    /// Appends a decimal natural number.
    @inlinable
    public static func append(magnitude value: UInt64, to bytes: inout [UInt8]) {
        if value < 10 {
            bytes.append(0x30 &+ UInt8(truncatingIfNeeded: value))
            return
        }
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { buffer in
            var rest = value
            var index = 20
            while rest > 0 {
                index &-= 1
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                buffer[index] = 0x30 &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[index..<20]))
        }
    }

    /// Appends `value` with leading zeros, `digits` digits (1 to 19).
    @inlinable
    public static func append(padded value: Int64, digits: Int, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { buffer in
            var rest = UInt64(truncatingIfNeeded: value)
            var index = digits
            while index > 0 {
                index &-= 1
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                buffer[index] = 0x30 &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[0..<digits]))
        }
    }

    @inlinable
    static func append(twoDigits value: Int, to bytes: inout [UInt8]) {
        bytes.append(0x30 &+ UInt8(truncatingIfNeeded: value / 10))
        bytes.append(0x30 &+ UInt8(truncatingIfNeeded: value % 10))
    }

    /// Appends the shortest decimal number that reads back as `value`: `1`, `1.5`, `1e21`, `1e-7`, `nan`, `inf`, `-0`.
    public static func append(double value: Double, to bytes: inout [UInt8]) {
        if let whole = Int64(exactly: value), whole.magnitude < 1_000_000_000_000_000 {
            if whole == 0, value.sign == .minus { bytes.append(0x2D) }
            append(integer: whole, to: &bytes)
            return
        }
        guard value.isFinite else { return appendNonFinite(isNaN: value.isNaN, isNegative: value < 0, to: &bytes) }
        appendShortest(value.description, to: &bytes)
    }

    /// The same for a Float32: fewer digits suffice to tell it from its neighbours.
    public static func append(float value: Float, to bytes: inout [UInt8]) {
        if let whole = Int64(exactly: value), whole.magnitude < 10_000_000 {
            if whole == 0, value.sign == .minus { bytes.append(0x2D) }
            append(integer: whole, to: &bytes)
            return
        }
        guard value.isFinite else { return appendNonFinite(isNaN: value.isNaN, isNegative: value < 0, to: &bytes) }
        appendShortest(value.description, to: &bytes)
    }

    private static func appendNonFinite(isNaN: Bool, isNegative: Bool, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: (isNaN ? "nan" : isNegative ? "-inf" : "inf").utf8)
    }

    /// `text` is Swift's shortest form ("1.5", "1e-05", "1.25e+30"); its digits are laid out anew: plain from 1e-6 up
    /// to below 1e21, otherwise with an exponent.
    private static func appendShortest(_ text: String, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { digits in
            var count = 0
            var point: Int?
            var exponent = 0
            var isExponent = false
            var isNegativeExponent = false
            for byte in text.utf8 {
                switch byte {
                case 0x2D where isExponent: isNegativeExponent = true
                case 0x2D: bytes.append(byte)
                case 0x2E: point = count
                case 0x65: isExponent = true
                case 0x30...0x39 where isExponent: exponent = exponent * 10 + Int(byte - 0x30)
                case 0x30...0x39 where count < 32:
                    digits[count] = byte
                    count += 1
                default: break
                }
            }
            // The value is 0.d1d2d3… × 10^place.
            var place = (point ?? count) + (isNegativeExponent ? -exponent : exponent)
            var first = 0
            while first < count - 1, digits[first] == 0x30 {
                first += 1
                place -= 1
            }
            while count > first + 1, digits[count - 1] == 0x30 { count -= 1 }
            appendLayout(UnsafeRawBufferPointer(rebasing: digits[first..<count]), place: place, to: &bytes)
        }
    }

    private static func appendLayout(_ digits: UnsafeRawBufferPointer, place: Int, to bytes: inout [UInt8]) {
        switch place {
        case digits.count...21:
            bytes.append(contentsOf: digits)
            for _ in digits.count..<place { bytes.append(0x30) }
        case 1..<max(1, digits.count) where place <= 21:
            bytes.append(contentsOf: digits[..<place])
            bytes.append(0x2E)
            bytes.append(contentsOf: digits[place...])
        case -5...0:
            bytes.append(0x30)
            bytes.append(0x2E)
            for _ in 0..<(-place) { bytes.append(0x30) }
            bytes.append(contentsOf: digits)
        default:
            bytes.append(digits[0])
            if digits.count > 1 {
                bytes.append(0x2E)
                bytes.append(contentsOf: digits[1...])
            }
            bytes.append(0x65)
            append(integer: place - 1, to: &bytes)
        }
    }

    // MARK: Addresses and identifiers

    @inlinable
    static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }

    /// Appends `61f0c404-5cb3-11e7-907b-a6006ad3dba0`.
    public static func appendUUID(_ value: UInt128, to bytes: inout [UInt8]) {
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 { bytes.append(0x2D) }
            let byte = UInt8(truncatingIfNeeded: value >> UInt128(120 - 8 * index))
            bytes.append(hexDigit(byte >> 4))
            bytes.append(hexDigit(byte & 15))
        }
    }

    /// Appends `192.168.0.1`.
    public static func appendIPv4(_ value: UInt32, to bytes: inout [UInt8]) {
        for shift in [24, 16, 8, 0] as [UInt32] {
            append(magnitude: UInt64(value >> shift & 0xFF), to: &bytes)
            if shift > 0 { bytes.append(0x2E) }
        }
    }

    /// Appends an IPv6 address in its short form; those that stand for an IPv4 address end in dots and numbers.
    public static func appendIPv6(_ value: UInt128, to bytes: inout [UInt8]) {
        func group(_ index: Int) -> UInt16 { UInt16(truncatingIfNeeded: value >> UInt128(112 - 16 * index)) }
        // The longest run of two zero groups or more, the first of equals, becomes "::".
        var best = (start: -1, count: 1)
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, group(end) == 0 { end += 1 }
            if end - index > best.count { best = (index, end - index) }
            index = max(end, index + 1)
        }
        index = 0
        while index < 8 {
            if index == best.start {
                bytes.append(contentsOf: [0x3A, 0x3A])
                index += best.count
                continue
            }
            if index > 0, index != best.start + best.count || best.start < 0 { bytes.append(0x3A) }
            let isMapped = best.start == 0 && (best.count == 6 || (best.count == 5 && group(5) == 0xFFFF))
            if index == 6, isMapped {
                return appendIPv4(UInt32(truncatingIfNeeded: value), to: &bytes)
            }
            appendHex(group(index), to: &bytes)
            index += 1
        }
    }

    private static func appendHex(_ value: UInt16, to bytes: inout [UInt8]) {
        var shift = 12
        while shift > 0, value >> UInt16(shift) == 0 { shift -= 4 }
        while shift >= 0 {
            bytes.append(hexDigit(UInt8(truncatingIfNeeded: value >> UInt16(shift)) & 15))
            shift -= 4
        }
    }
}

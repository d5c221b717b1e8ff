#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// Numbers, addresses and identifiers read from text. The whole input must be the value, without spaces around it.

extension ValueText {
    /// Reads a decimal integer with an optional sign; nil when it is none or does not fit.
    @inlinable
    public static func parseInteger<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer) -> Value? {
        var index = 0
        var isNegative = false
        if bytes.count > 0, bytes[0] == 0x2D || bytes[0] == 0x2B {
            isNegative = bytes[0] == 0x2D
            index = 1
        }
        guard index < bytes.count, !isNegative || Value.isSigned else { return nil }
        var magnitude: UInt64 = 0
        // Nineteen digits always fit; only longer numbers need the checks.
        let safeEnd = min(bytes.count, index + 19)
        while index < safeEnd {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            magnitude = magnitude &* 10 &+ UInt64(digit)
            index &+= 1
        }
        while index < bytes.count {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, tooLarge) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, stillTooLarge) = product.addingReportingOverflow(UInt64(digit))
            guard !tooLarge, !stillTooLarge else { return nil }
            magnitude = sum
            index &+= 1
        }
        guard isNegative else { return Value(exactly: magnitude) }
        if magnitude == UInt64(1) << 63 { return Value(exactly: Int64.min) }
        guard magnitude < UInt64(1) << 63 else { return nil }
        return Value(exactly: -Int64(magnitude))
    }

    /// Reads a decimal number (`1`, `.5`, `5.`, `1e-3`, `inf`, `nan`), rounded to the nearest Double.
    public static func parseDouble(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var index = 0
        var isNegative = false
        if bytes.count > 0, bytes[0] == 0x2D || bytes[0] == 0x2B {
            isNegative = bytes[0] == 0x2D
            index = 1
        }
        let start = index
        var mantissa: UInt64 = 0
        var digits = 0
        var significant = 0
        var exponent = 0
        func digit(at index: Int) -> UInt8? {
            guard index < bytes.count else { return nil }
            let value = bytes[index] &- 0x30
            return value < 10 ? value : nil
        }
        func add(_ value: UInt8) {
            digits += 1
            if significant > 0 || value > 0 { significant += 1 }
            if significant <= 19 { mantissa = mantissa &* 10 &+ UInt64(value) }
        }
        while let value = digit(at: index) {
            add(value)
            index += 1
        }
        if index < bytes.count, bytes[index] == 0x2E {
            index += 1
            while let value = digit(at: index) {
                add(value)
                exponent -= 1
                index += 1
            }
        }
        guard digits > 0 else { return parseNonFinite(bytes, from: start, isNegative: isNegative) }
        if index < bytes.count, bytes[index] | 0x20 == 0x65 {
            index += 1
            var isNegativeExponent = false
            if index < bytes.count, bytes[index] == 0x2D || bytes[index] == 0x2B {
                isNegativeExponent = bytes[index] == 0x2D
                index += 1
            }
            guard digit(at: index) != nil else { return nil }
            var written = 0
            while let value = digit(at: index) {
                written = min(written * 10 + Int(value), 100_000)
                index += 1
            }
            exponent += isNegativeExponent ? -written : written
        }
        guard index == bytes.count else { return nil }
        // Both factors are exact, so one operation rounds correctly.
        if significant <= 19, mantissa < 1 << 53, abs(exponent) <= 22 {
            let value = exponent < 0 ? Double(mantissa) / powers[-exponent] : Double(mantissa) * powers[exponent]
            return isNegative ? -value : value
        }
        return parseSlowly(bytes)
    }

    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    private static func parseNonFinite(_ bytes: UnsafeRawBufferPointer, from start: Int, isNegative: Bool) -> Double? {
        guard bytes.count - start <= 8 else { return nil }
        switch String(decoding: bytes[start...], as: UTF8.self).lowercased() {
        case "inf", "infinity": return isNegative ? -.infinity : .infinity
        case "nan": return .nan
        default: return nil
        }
    }

    /// `bytes` are known to be a well-formed decimal number.
    private static func parseSlowly(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var text = [CChar](repeating: 0, count: bytes.count + 1)
        text.withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
        return text.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { strtod($0, nil) } }
    }

    /// Reads a UUID in hexadecimal, with its four hyphens or without any.
    public static func parseUUID(_ bytes: UnsafeRawBufferPointer) -> UInt128? {
        guard bytes.count == 36 || bytes.count == 32 else { return nil }
        var value: UInt128 = 0
        for index in 0..<bytes.count {
            if bytes.count == 36, [8, 13, 18, 23].contains(index) {
                guard bytes[index] == 0x2D else { return nil }
                continue
            }
            guard let digit = hexValue(bytes[index]) else { return nil }
            value = value << 4 | UInt128(digit)
        }
        return value
    }

    /// The value of a hexadecimal digit.
    @inlinable
    public static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Reads `192.168.0.1`.
    public static func parseIPv4(_ bytes: UnsafeRawBufferPointer) -> UInt32? {
        var reader = TimeReader(bytes: bytes)
        var value: UInt32 = 0
        for part in 0..<4 {
            if part > 0, !reader.take(0x2E) { return nil }
            guard let number = reader.number(digits: 1...3), number <= 255 else { return nil }
            value = value << 8 | UInt32(number)
        }
        return reader.isAtEnd ? value : nil
    }

    /// Reads an IPv6 address, or an IPv4 address, which becomes `::ffff:a.b.c.d`.
    public static func parseIPv6(_ bytes: UnsafeRawBufferPointer) -> UInt128? {
        if let mapped = parseIPv4(bytes) { return 0xFFFF_0000_0000 | UInt128(mapped) }
        var groups: [UInt16] = []
        var gap: Int?
        var index = 0
        if bytes.count >= 2, bytes[0] == 0x3A {
            guard bytes[1] == 0x3A else { return nil }
            gap = 0
            index = 2
        }
        while index < bytes.count {
            guard groups.count < 8 else { return nil }
            let start = index
            var value: UInt32 = 0
            while index < bytes.count, let digit = hexValue(bytes[index]), index - start < 5 {
                value = value << 4 | UInt32(digit)
                index += 1
            }
            if index < bytes.count, bytes[index] == 0x2E {
                guard groups.count <= 6, let tail = parseIPv4(UnsafeRawBufferPointer(rebasing: bytes[start...])) else {
                    return nil
                }
                groups += [UInt16(truncatingIfNeeded: tail >> 16), UInt16(truncatingIfNeeded: tail)]
                index = bytes.count
                break
            }
            guard index > start, index - start <= 4 else { return nil }
            groups.append(UInt16(value))
            guard index < bytes.count else { break }
            guard bytes[index] == 0x3A else { return nil }
            index += 1
            if index < bytes.count, bytes[index] == 0x3A {
                guard gap == nil else { return nil }
                gap = groups.count
                index += 1
            } else if index == bytes.count {
                return nil
            }
        }
        guard gap == nil ? groups.count == 8 : groups.count < 8 else { return nil }
        if let gap { groups.insert(contentsOf: [UInt16](repeating: 0, count: 8 - groups.count), at: gap) }
        return groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    /// Reads a truth value: true/false, t/f, yes/no, y/n, on/off, enable(d)/disable(d), 1/0, in any case.
    public static func parseBool(_ bytes: UnsafeRawBufferPointer) -> Bool? {
        guard bytes.count <= 8 else { return nil }
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "true", "t", "yes", "y", "on", "enable", "enabled", "1": return true
        case "false", "f", "no", "n", "off", "disable", "disabled", "0": return false
        default: return nil
        }
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Chooses and writes the encoding of strings by looking at them.
enum StringEncoder {
    /// Appends the encoding's number and body of all rows of `values`.
    static func encode(_ values: StringData, to builder: inout BlockBuilder, mayNest: Bool = true) {
        let lengths = StringLengths(values)
        if encodeConstant(values, lengths, to: &builder) { return }
        if mayNest, encodeDictionary(values, to: &builder) { return }
        if encodeTemplate(values, lengths, to: &builder) { return }
        if mayNest, encodeDigits(values, lengths, to: &builder) { return }
        builder.uint8(Encoding.strings.rawValue)
        lengths.values.withUnsafeBufferPointer { IntegerEncoder.encode($0, to: &builder) }
        values.bytes.withUnsafeBytes {
            builder.append(UnsafeRawBufferPointer(rebasing: $0[..<Int(values.offsets[values.count])]))
        }
    }

    private static func encodeConstant(
        _ values: StringData, _ lengths: StringLengths, to builder: inout BlockBuilder
    ) -> Bool {
        guard values.count > 0, let length = lengths.common else { return false }
        let isConstant = values.bytes.withUnsafeBytes { bytes -> Bool in
            guard length > 0, let start = bytes.baseAddress else { return true }
            for row in 1..<max(1, values.count) where memcmp(start, start + row * length, length) != 0 { return false }
            return true
        }
        guard isConstant else { return false }
        builder.uint8(Encoding.constant.rawValue)
        builder.count(length)
        builder.bytes.append(contentsOf: values.bytes[..<length])
        return true
    }

    /// Values that repeat within the granule, though too many are distinct in the part for a dictionary.
    private static func encodeDictionary(_ values: StringData, to builder: inout BlockBuilder) -> Bool {
        let limit = values.count / 3
        guard limit >= 2 else { return false }
        var interner = StringInterner(maxCount: min(limit, ValueDictionary.limit))
        var codes: [UInt16] = []
        codes.reserveCapacity(values.count)
        let fits = values.bytes.withUnsafeBytes { bytes -> Bool in
            for row in 0..<values.count {
                let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                guard let code = interner.intern(UnsafeRawBufferPointer(rebasing: bytes[range])) else { return false }
                codes.append(UInt16(truncatingIfNeeded: code))
                // Give up early on values that hardly repeat.
                if row == 512 && interner.count > 384 { return false }
            }
            return true
        }
        guard fits else { return false }
        builder.uint8(Encoding.localDictionary.rawValue)
        builder.count(interner.count)
        encode(interner.values, to: &builder, mayNest: false)
        IntegerEncoder.encode(codes, to: &builder)
        return true
    }

    /// Identifiers: only the digits that vary are kept, two a byte.
    private static func encodeTemplate(
        _ values: StringData, _ lengths: StringLengths, to builder: inout BlockBuilder
    ) -> Bool {
        guard values.count > 1, let length = lengths.common, (8...EncodingFormat.maxTemplateBytes).contains(length)
        else {
            return false
        }
        return values.bytes.withUnsafeBytes { bytes in
            guard let varying = varyingDigits(bytes, rows: values.count, length: length), varying.count >= 6 else {
                return false
            }
            builder.uint8(Encoding.template.rawValue)
            builder.count(length)
            builder.append(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
            var bitmap = [UInt8](repeating: 0, count: (length + 7) / 8)
            for position in varying { bitmap[position / 8] |= 1 << UInt8(position % 8) }
            builder.bytes += bitmap
            appendDigits(bytes, rows: values.count, length: length, varying, to: &builder)
            return true
        }
    }

    /// The positions at which rows differ, if all of those hold lower-case hexadecimal digits in every row.
    private static func varyingDigits(_ bytes: UnsafeRawBufferPointer, rows: Int, length: Int) -> [Int]? {
        var differs = [UInt8](repeating: 0, count: length)
        for row in 1..<rows {
            let start = row * length
            for position in 0..<length { differs[position] |= bytes[start + position] ^ bytes[position] }
        }
        let varying = (0..<length).filter { differs[$0] != 0 }
        var start = 0
        for _ in 0..<rows {
            for position in varying where HexDigits.value(bytes[start + position]) == nil { return nil }
            start += length
        }
        return varying
    }

    private static func appendDigits(
        _ bytes: UnsafeRawBufferPointer, rows: Int, length: Int, _ varying: [Int], to builder: inout BlockBuilder
    ) {
        let bytesPerRow = (varying.count + 1) / 2
        builder.append(count: rows * bytesPerRow) { target in
            for row in 0..<rows {
                let start = row * length
                let place = row * bytesPerRow
                for (index, position) in varying.enumerated() {
                    let digit = HexDigits.value(bytes[start + position]) ?? 0
                    target[place + index / 2] |= index % 2 == 0 ? digit << 4 : digit
                }
            }
        }
    }

    private static func encodeDigits(
        _ values: StringData, _ lengths: StringLengths, to builder: inout BlockBuilder
    ) -> Bool {
        guard values.count > 0, lengths.longest <= 19, lengths.shortest > 0 else { return false }
        var numbers: [Int64] = []
        numbers.reserveCapacity(values.count)
        let fits = values.bytes.withUnsafeBytes { bytes -> Bool in
            for row in 0..<values.count {
                let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                guard let number = DecimalDigits.parse(UnsafeRawBufferPointer(rebasing: bytes[range])) else {
                    return false
                }
                numbers.append(number)
            }
            return true
        }
        guard fits else { return false }
        builder.uint8(Encoding.digits.rawValue)
        IntegerEncoder.encode(numbers, to: &builder)
        return true
    }
}

/// The lengths of all rows.
private struct StringLengths {
    var values: [UInt32]
    var shortest = 0
    var longest = 0

    init(_ strings: StringData) {
        values = strings.offsets.withUnsafeBufferPointer { offsets in
            [UInt32](unsafeUninitializedCapacity: strings.count) { buffer, filled in
                for row in 0..<strings.count { buffer[row] = offsets[row + 1] &- offsets[row] }
                filled = strings.count
            }
        }
        shortest = Int(values.min() ?? 0)
        longest = Int(values.max() ?? 0)
    }

    /// The length all rows have; nil when they differ.
    var common: Int? { shortest == longest ? shortest : nil }
}

/// Lower-case hexadecimal digits.
enum HexDigits {
    static let text: [UInt8] = Array("0123456789abcdef".utf8)

    /// The value of a digit; nil for any other byte.
    @inline(__always)
    static func value(_ byte: UInt8) -> UInt8? {
        let decimal = byte &- UInt8(ascii: "0")
        if decimal < 10 { return decimal }
        let letter = byte &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }
}

/// Integers as the shortest decimal text.
enum DecimalDigits {
    /// The number whose shortest text is `bytes` (at most 19 of them); nil when there is none in 64 bits.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        var index = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { index = 1 }
        guard index < bytes.count, bytes.count - index <= 18 else { return nil }
        // No leading zero, and no minus zero: one text a number.
        if bytes[index] == UInt8(ascii: "0") && (isNegative || bytes.count > 1) { return nil }
        var value: Int64 = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int64(digit)
            index += 1
        }
        return isNegative ? -value : value
    }
}

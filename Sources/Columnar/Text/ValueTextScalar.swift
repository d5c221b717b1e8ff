// Single values read from text, for literals, defaults, parameters and rows of text formats.

extension ValueText {
    /// Reads one value of `type` from its whole text, as `CAST` from String does: dates also as numbers, arrays, maps
    /// and tuples with quoted elements. Throws `.invalidValue` saying what could not be read.
    public static func parseScalar(_ bytes: UnsafeRawBufferPointer, type: DataType) throws(ColumnarError) -> Scalar {
        if type.isNullable, bytes.count == 4, bytes.elementsEqual("NULL".utf8) { return .null }
        if let scalar = plainScalar(bytes, type: type) { return scalar }
        switch type.base {
        case .array, .map, .tuple:
            var reader = NestedReader(bytes: bytes)
            let value = try reader.value(type, depth: 0)
            reader.skipSpaces()
            guard reader.index == bytes.count else { throw unreadable(bytes, type) }
            return value
        default: throw unreadable(bytes, type)
        }
    }

    /// The same from an array.
    public static func parseScalar(_ bytes: [UInt8], type: DataType) throws(ColumnarError) -> Scalar {
        let result: Result<Scalar, ColumnarError> = bytes.withUnsafeBytes { buffer in
            do throws(ColumnarError) { return .success(try parseScalar(buffer, type: type)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    static func unreadable(_ bytes: UnsafeRawBufferPointer, _ type: DataType) -> ColumnarError {
        let shown = String(decoding: bytes.prefix(100), as: UTF8.self)
        return ColumnarError(.invalidValue, "Cannot parse '\(shown)' as \(type.name)")
    }

    /// A value of a type that is not nested; nil when the text is none.
    static func plainScalar(_ bytes: UnsafeRawBufferPointer, type: DataType) -> Scalar? {
        func signed<Value: FixedWidthInteger & SignedInteger>(_: Value.Type) -> Scalar? {
            (parseInteger(bytes) as Value?).map { .int(Int64($0)) }
        }
        func unsigned<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) -> Scalar? {
            (parseInteger(bytes) as Value?).map { .uint(UInt64($0)) }
        }
        switch type.base {
        case .bool: return parseBool(bytes).map { .int($0 ? 1 : 0) }
        case .int8: return signed(Int8.self)
        case .int16: return signed(Int16.self)
        case .int32: return signed(Int32.self)
        case .int64: return signed(Int64.self)
        case .interval: return signed(Int64.self)
        case .uint8: return unsigned(UInt8.self)
        case .uint16: return unsigned(UInt16.self)
        case .uint32: return unsigned(UInt32.self)
        case .uint64: return unsigned(UInt64.self)
        case .float32: return parseDouble(bytes).map { .float(Double(Float($0))) }
        case .float64: return parseDouble(bytes).map { .float($0) }
        case .string: return .string(Array(bytes))
        case .date: return parseDateScalar(bytes)
        case .dateTime(let zone): return parseTimeScalar(bytes, precision: 0, zone: zone)
        case .dateTime64(let precision, let zone): return parseTicks(bytes, precision: precision, zone: zone)
        case .uuid: return parseUUID(bytes).map { .wide($0) }
        case .ipv4: return parseIPv4(bytes).map { .uint(UInt64($0)) }
        case .ipv6: return parseIPv6(bytes).map { .wide($0) }
        case .enum8(let cases), .enum16(let cases): return parseEnum(bytes, cases)
        case .nullable, .lowCardinality, .array, .map, .tuple, .nothing: return nil
        }
    }

    private static func parseEnum(_ bytes: UnsafeRawBufferPointer, _ cases: [EnumCase]) -> Scalar? {
        if let named = cases.first(where: { bytes.elementsEqual($0.name.utf8) }) { return .int(Int64(named.value)) }
        guard let number: Int16 = parseInteger(bytes), cases.contains(where: { $0.value == number }) else { return nil }
        return .int(Int64(number))
    }

    /// A Date also from a date with a time, whose time is dropped. Held to what 16 bits can say.
    private static func parseDateScalar(_ bytes: UnsafeRawBufferPointer) -> Scalar? {
        let days: Int64
        if let found = parseDate(bytes) {
            days = Int64(found)
        } else if let found = parseDateTime(bytes, zone: .utc) {
            days = Civil.floorDivide(found.seconds, Civil.daySeconds)
        } else {
            return nil
        }
        return .uint(UInt64(min(max(days, 0), 65_535)))
    }

    private static func parseTimeScalar(_ bytes: UnsafeRawBufferPointer, precision: Int, zone: String?) -> Scalar? {
        let zone = zone.flatMap { TimeZone.named($0) } ?? .utc
        let seconds: Int64
        if let number = unixNumber(bytes) {
            seconds = number
        } else if let found = parseDateTime(bytes, zone: zone) {
            seconds = found.seconds
        } else {
            return nil
        }
        return .uint(UInt64(min(max(seconds, 0), Int64(UInt32.max))))
    }

    /// Whole seconds since 1970 written as a number of five digits or more (four are a year, eight a date).
    private static func unixNumber(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        bytes.count >= 5 && bytes.count != 8 ? parseInteger(bytes) : nil
    }

    private static func parseTicks(_ bytes: UnsafeRawBufferPointer, precision: Int, zone: String?) -> Scalar? {
        let zone = zone.flatMap { TimeZone.named($0) } ?? .utc
        var seconds: Int64
        var nanos: Int64 = 0
        if let found = parseDateTime(bytes, zone: zone) {
            (seconds, nanos) = (found.seconds, Int64(found.nanos))
        } else if let number = unixNumber(bytes) {
            seconds = number
        } else if let point = bytes.firstIndex(of: 0x2E), point > 0,
            let whole: Int64 = parseInteger(UnsafeRawBufferPointer(rebasing: bytes[..<point]))
        {
            var reader = TimeReader(bytes: UnsafeRawBufferPointer(rebasing: bytes[(point + 1)...]))
            guard let fraction = reader.fraction(), reader.isAtEnd else { return nil }
            seconds = whole
            nanos = Int64(fraction)
            if bytes[0] == 0x2D, nanos > 0 {
                seconds -= 1
                nanos = 1_000_000_000 - nanos
            }
        } else {
            return nil
        }
        let (scaled, tooLarge) = seconds.multipliedReportingOverflow(by: Civil.powerOfTen(precision))
        guard !tooLarge else { return nil }
        let (ticks, overflow) = scaled.addingReportingOverflow(nanos / Civil.powerOfTen(9 - precision))
        return overflow ? nil : .int(ticks)
    }
}

/// Reads arrays, maps and tuples: `[1,2]`, `{'a':'b'}`, `(1,'a')`.
private struct NestedReader {
    /// Deeper nesting is refused, so that no text can exhaust the stack.
    static let maxDepth = 50
    let bytes: UnsafeRawBufferPointer
    var index = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func skipSpaces() {
        while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x0A || bytes[index] == 0x09 { index += 1 }
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpaces()
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar, _ type: DataType) throws(ColumnarError) {
        guard take(character) else { throw ValueText.unreadable(bytes, type) }
    }

    mutating func value(_ type: DataType, depth: Int) throws(ColumnarError) -> Scalar {
        guard depth < Self.maxDepth else { throw ColumnarError(.invalidValue, "Value is nested too deeply") }
        switch type.base {
        case .array(let element):
            try expect("[", type)
            return .array(
                try list(until: "]", type) { (reader: inout NestedReader) throws(ColumnarError) in
                    [try reader.value(element, depth: depth + 1)]
                })
        case .map(let key, let value):
            try expect("{", type)
            return .map(
                try list(until: "}", type) { (reader: inout NestedReader) throws(ColumnarError) in
                    let name = try reader.value(key, depth: depth + 1)
                    try reader.expect(":", type)
                    return [name, try reader.value(value, depth: depth + 1)]
                })
        case .tuple(let types):
            try expect("(", type)
            var values: [Scalar] = []
            for (position, field) in types.enumerated() {
                if position > 0 { try expect(",", type) }
                values.append(try value(field, depth: depth + 1))
            }
            _ = take(",")
            try expect(")", type)
            return .tuple(values)
        default: return try plain(type)
        }
    }

    private mutating func list(
        until end: Unicode.Scalar, _ type: DataType, _ item: (inout NestedReader) throws(ColumnarError) -> [Scalar]
    ) throws(ColumnarError) -> [Scalar] {
        var values: [Scalar] = []
        if take(end) { return values }
        repeat { values += try item(&self) } while take(",")
        try expect(end, type)
        return values
    }

    private mutating func plain(_ type: DataType) throws(ColumnarError) -> Scalar {
        skipSpaces()
        if let text = QuotedText.parse(bytes, &index) {
            return try ValueText.parseScalar(text, type: type)
        }
        let start = index
        while index < bytes.count, ![0x2C, 0x5D, 0x7D, 0x29, 0x3A, 0x20].contains(bytes[index]) { index += 1 }
        let token = UnsafeRawBufferPointer(rebasing: bytes[start..<index])
        if type.isNullable, token.elementsEqual("NULL".utf8) { return .null }
        guard type.base != .string else {
            throw ColumnarError(.invalidValue, "Cannot parse quoted string: expected opening quote ''' in \(type.name)")
        }
        guard let value = ValueText.plainScalar(token, type: type) else { throw ValueText.unreadable(token, type) }
        return value
    }
}

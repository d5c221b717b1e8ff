import Columnar

/// Walks over one JSON value.
struct JSONCursor {
    /// Deeper nesting is refused.
    static let maxDepth = 64

    /// A value that does not read as its type.
    struct Unreadable: Error {
        var message: String
    }

    let bytes: UnsafeRawBufferPointer
    private(set) var index = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Where the object that begins at `start` ends; nil when it does not.
    static func objectEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var index = start
        var open = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x22:
                index += 1
                while index < bytes.count, bytes[index] != 0x22 { index += bytes[index] == 0x5C ? 2 : 1 }
                if index >= bytes.count { return nil }
            case 0x7B, 0x5B: open += 1
            case 0x7D, 0x5D:
                open -= 1
                if open == 0 { return index + 1 }
            default: break
            }
            index += 1
        }
        return nil
    }

    /// The next byte that is no blank.
    var peek: UInt8? {
        mutating get {
            while index < bytes.count, bytes[index] <= 0x20 { index += 1 }
            return index < bytes.count ? bytes[index] : nil
        }
    }

    mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar, _ row: RowBuilder) throws(QueryError) {
        guard accept(character) else {
            let found = String(decoding: bytes[min(index, bytes.count)..<min(bytes.count, index + 20)], as: UTF8.self)
            throw row.problem("found '\(found)', expected '\(character)'")
        }
    }

    mutating func string(_ row: RowBuilder) throws(QueryError) -> [UInt8] {
        do throws(Unreadable) { return try string() } catch { throw row.problem(error.message) }
    }

    mutating func skipValue(_ row: RowBuilder) throws(QueryError) {
        do throws(Unreadable) { _ = try rawValue() } catch { throw row.problem(error.message) }
    }

    // MARK: Values

    /// A string with its escapes resolved.
    mutating func string() throws(Unreadable) -> [UInt8] {
        guard peek == 0x22 else { throw Unreadable(message: "a JSON string was expected") }
        index += 1
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == 0x22 { return text }
            guard byte == 0x5C else {
                text.append(byte)
                continue
            }
            guard index < bytes.count else { break }
            let mark = bytes[index]
            index += 1
            switch mark {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): try unicode(into: &text)
            default: text.append(mark)
            }
        }
        throw Unreadable(message: "a JSON string without its closing quote")
    }

    /// The four digits behind `\u`, with the second half of a pair.
    private mutating func unicode(into text: inout [UInt8]) throws(Unreadable) {
        var code = try hex()
        if code & 0xFC00 == 0xD800, index + 1 < bytes.count, bytes[index] == 0x5C, bytes[index + 1] == UInt8(ascii: "u")
        {
            let saved = index
            index += 2
            let low = try hex()
            if low & 0xFC00 == 0xDC00 {
                code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
            } else {
                index = saved
            }
        }
        // Half a pair stands for no character.
        text += Array(String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
    }

    private mutating func hex() throws(Unreadable) -> UInt32 {
        guard index + 4 <= bytes.count else { throw Unreadable(message: "an incomplete \\u escape") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = ValueText.hexValue(bytes[index]) else {
                throw Unreadable(message: "a \\u escape that is none")
            }
            code = code << 4 | UInt32(digit)
            index += 1
        }
        return code
    }

    /// The bytes of the next value as they are.
    mutating func rawValue() throws(Unreadable) -> UnsafeRawBufferPointer {
        guard let first = peek else { throw Unreadable(message: "a JSON value was expected") }
        let start = index
        switch first {
        case 0x22: _ = try string()
        case 0x7B, 0x5B:
            guard let end = Self.objectEnd(bytes, index) else {
                throw Unreadable(message: "a bracket that is not closed")
            }
            index = end
        default:
            while index < bytes.count, bytes[index] > 0x20, ![0x2C, 0x5D, 0x7D, 0x3A].contains(bytes[index]) {
                index += 1
            }
            if index == start { throw Unreadable(message: "a JSON value was expected") }
        }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<index])
    }

    /// The next value as one of `type`.
    mutating func scalar(_ type: DataType, depth: Int) throws(Unreadable) -> Scalar {
        guard depth < Self.maxDepth else {
            throw Unreadable(message: "JSON nested deeper than \(Self.maxDepth) levels")
        }
        guard let first = peek else { throw Unreadable(message: "a JSON value was expected") }
        switch (first, type.base) {
        case (0x5B, .array(let element)):
            index += 1
            return .array(try list(until: "]", [element], depth: depth))
        case (0x5B, .tuple(let types)):
            index += 1
            let values = try list(until: "]", types, depth: depth)
            guard values.count == types.count else {
                throw Unreadable(message: "\(values.count) elements for \(type.name)")
            }
            return .tuple(values)
        case (0x7B, .map(let key, let value)):
            index += 1
            return .map(try entries(key, value, depth: depth))
        case (0x22, _):
            let text = try string()
            return type.base == .string ? .string(text) : try parse(text, type)
        default:
            let raw = try rawValue()
            if raw.count == 4, raw.elementsEqual("null".utf8) { return .null }
            return try parse(Array(raw), type)
        }
    }

    private func parse(_ text: [UInt8], _ type: DataType) throws(Unreadable) -> Scalar {
        do throws(ColumnarError) { return try ValueText.parseScalar(text, type: type) } catch {
            throw Unreadable(message: error.message)
        }
    }

    /// Values up to `end`; the last of `types` serves for all that follow.
    private mutating func list(until end: Unicode.Scalar, _ types: [DataType], depth: Int) throws(Unreadable)
        -> [Scalar]
    {
        var values: [Scalar] = []
        if accept(end) { return values }
        repeat {
            guard let type = types.indices.contains(values.count) ? types[values.count] : types.last else { break }
            values.append(try scalar(type, depth: depth + 1))
        } while accept(",")
        guard accept(end) else { throw Unreadable(message: "an array without its closing bracket") }
        return values
    }

    private mutating func entries(_ key: DataType, _ value: DataType, depth: Int) throws(Unreadable) -> [Scalar] {
        var values: [Scalar] = []
        if accept("}") { return values }
        repeat {
            let name = try string()
            values.append(key.base == .string ? .string(name) : try parse(name, key))
            guard accept(":") else { throw Unreadable(message: "a key without ':'") }
            let entry = try scalar(value, depth: depth + 1)
            values.append(entry == .null && !value.isNullable ? value.defaultScalar : entry)
        } while accept(",")
        guard accept("}") else { throw Unreadable(message: "an object without its closing brace") }
        return values
    }
}

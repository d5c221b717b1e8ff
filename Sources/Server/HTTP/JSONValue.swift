/// A small JSON reader for requests of dashboards and of our own command line. Records never come this way.
public indirect enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The number as it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Field])

    /// One name and value of an object.
    public struct Field: Sendable, Hashable {
        /// The name before the colon.
        public var name: String
        /// The value after it.
        public var value: JSONValue

        /// Creates a field.
        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// What is wrong with a text, and at which byte.
    public struct ParseError: Error, Sendable, CustomStringConvertible {
        /// What is wrong.
        public let message: String
        /// The byte at which it is.
        public let offset: Int

        /// Both in a sentence.
        public var description: String { "not valid JSON at byte \(offset): \(message)" }
    }

    /// Reads one value and nothing after it. Nesting deeper than 64 is refused.
    public init(parsing bytes: [UInt8]) throws(ParseError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }

    /// The value of the first field of that name; nil for others and for what is no object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }

    /// The elements; nil for what is no array.
    public var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The text of a string; nil for others.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The text of a string or number; nil for others.
    public var scalarText: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .bool(let flag): flag ? "true" : "false"
        default: nil
        }
    }

    /// A whole number, also one written in quotes; nil for others.
    public var integer: Int64? {
        switch self {
        case .number(let text), .string(let text):
            if let whole = Int64(text) { return whole }
            guard let number = Double(text), number.magnitude < 9e18 else { return nil }
            return Int64(number)
        default: return nil
        }
    }

    /// Appends the value as JSON.
    public func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .string(let text): JSONWriter.appendQuoted(text.utf8, to: &bytes)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let fields):
            bytes.append(UInt8(ascii: "{"))
            for (index, field) in fields.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONWriter.appendQuoted(field.name.utf8, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                field.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var position = 0
    var depth = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(JSONValue.ParseError) -> JSONValue {
        let value = try value()
        skipSpace()
        guard position == bytes.count else { throw failure("something follows the value") }
        return value
    }

    private func failure(_ message: String) -> JSONValue.ParseError {
        JSONValue.ParseError(message: message, offset: position)
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func value() throws(JSONValue.ParseError) -> JSONValue {
        skipSpace()
        guard let byte = current else { throw failure("the text ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONValue.ParseError) -> JSONValue {
        guard bytes[position...].starts(with: text.utf8) else { throw failure("unknown word") }
        position += text.utf8.count
        return value
    }

    private mutating func number() throws(JSONValue.ParseError) -> JSONValue {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let parsed = Double(text), parsed.isFinite, text.utf8.first != UInt8(ascii: "+") else {
            position = start
            throw failure("no value begins here")
        }
        return .number(text)
    }

    private mutating func nested<Value>(
        _ body: (inout JSONParser) throws(JSONValue.ParseError) -> Value
    ) throws(JSONValue.ParseError) -> Value {
        depth += 1
        guard depth <= 64 else { throw failure("nested deeper than 64") }
        position += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func array() throws(JSONValue.ParseError) -> JSONValue {
        try nested { (parser) throws(JSONValue.ParseError) in
            var elements: [JSONValue] = []
            parser.skipSpace()
            if parser.take(UInt8(ascii: "]")) { return .array(elements) }
            while true {
                elements.append(try parser.value())
                parser.skipSpace()
                if parser.take(UInt8(ascii: "]")) { return .array(elements) }
                guard parser.take(UInt8(ascii: ",")) else { throw parser.failure("wants , or ]") }
            }
        }
    }

    private mutating func object() throws(JSONValue.ParseError) -> JSONValue {
        try nested { (parser) throws(JSONValue.ParseError) in
            var fields: [JSONValue.Field] = []
            parser.skipSpace()
            if parser.take(UInt8(ascii: "}")) { return .object(fields) }
            while true {
                parser.skipSpace()
                guard parser.current == UInt8(ascii: "\"") else { throw parser.failure("wants a name in quotes") }
                let name = try parser.string()
                parser.skipSpace()
                guard parser.take(UInt8(ascii: ":")) else { throw parser.failure("wants :") }
                fields.append(JSONValue.Field(name: name, value: try parser.value()))
                parser.skipSpace()
                if parser.take(UInt8(ascii: "}")) { return .object(fields) }
                guard parser.take(UInt8(ascii: ",")) else { throw parser.failure("wants , or }") }
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func string() throws(JSONValue.ParseError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = current {
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte < 0x20 { throw failure("a control character in a string") }
            if byte != UInt8(ascii: "\\") {
                text.append(byte)
                continue
            }
            guard let escape = current else { break }
            position += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): text.append(contentsOf: String(Character(try unicodeEscape())).utf8)
            default: throw failure("unknown escape")
            }
        }
        throw failure("the text ends inside a string")
    }

    private mutating func hexUnit() throws(JSONValue.ParseError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw failure("wants four hex digits")
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    private mutating func unicodeEscape() throws(JSONValue.ParseError) -> Unicode.Scalar {
        let high = try hexUnit()
        guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) ?? "\u{FFFD}" }
        guard bytes[position...].starts(with: #"\u"#.utf8) else { return "\u{FFFD}" }
        position += 2
        let low = try hexUnit()
        guard (0xDC00..<0xE000).contains(low) else { return "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
    }
}

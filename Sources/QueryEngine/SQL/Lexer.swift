/// Cuts SQL text into tokens, one at a time: an INSERT's data behind the statement is never looked at.
struct Lexer: Sendable {
    let bytes: [UInt8]
    private(set) var position = 0
    /// The token before, for telling `t.1` (a tuple's element) from `.1` (a number).
    private var previous = Token.Kind.end

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func byte(at index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    /// The next token; `.end` at the end of the text, again and again.
    mutating func next() -> Token {
        if let problem = skipSpaceAndComments() { return problem }
        guard position < bytes.count else { return Token(kind: .end, start: bytes.count, end: bytes.count) }
        let start = position
        let kind = scan()
        // A token takes at least a byte, whatever it is.
        if position == start { position += 1 }
        previous = kind
        return Token(kind: kind, start: start, end: position)
    }

    private mutating func scan() -> Token.Kind {
        let first = bytes[position]
        switch first {
        case UInt8(ascii: "'"):
            return quoted(first) ? .string : .invalid("a string without its closing quote")
        case UInt8(ascii: "`"), UInt8(ascii: "\""):
            return quoted(first) ? .quotedName : .invalid("a quoted name without its closing quote")
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            return number()
        case UInt8(ascii: "."):
            return dotOrNumber()
        case UInt8(ascii: "$"):
            return heredoc()
        case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "b"), UInt8(ascii: "B"):
            if byte(at: position + 1) == UInt8(ascii: "'") {
                position += 1
                guard quoted(UInt8(ascii: "'")) else { return .invalid("a string without its closing quote") }
                return first | 0x20 == UInt8(ascii: "x") ? .hexString : .binaryString
            }
            return word()
        default:
            if isWordStart(first) { return word() }
            return symbol()
        }
    }

    // MARK: Spaces and comments

    private mutating func skipSpaceAndComments() -> Token? {
        while let current = byte(at: position) {
            switch current {
            case 0x20, 0x09...0x0D:
                position += 1
            case 0xC2 where byte(at: position + 1) == 0xA0:
                // The no-break space that editors and chats paste.
                position += 2
            case 0xEF where byte(at: position + 1) == 0xBB && byte(at: position + 2) == 0xBF:
                position += 3
            case UInt8(ascii: "-") where byte(at: position + 1) == UInt8(ascii: "-"):
                skipLine()
            case UInt8(ascii: "#"):
                skipLine()
            case UInt8(ascii: "/") where byte(at: position + 1) == UInt8(ascii: "*"):
                if let problem = skipBlockComment() { return problem }
            default:
                return nil
            }
        }
        return nil
    }

    private mutating func skipLine() {
        while let current = byte(at: position), current != 0x0A { position += 1 }
    }

    private mutating func skipBlockComment() -> Token? {
        let start = position
        var depth = 0
        while let current = byte(at: position) {
            if current == UInt8(ascii: "/"), byte(at: position + 1) == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if current == UInt8(ascii: "*"), byte(at: position + 1) == UInt8(ascii: "/") {
                depth -= 1
                position += 2
                if depth == 0 { return nil }
            } else {
                position += 1
            }
        }
        return Token(kind: .invalid("a comment without its closing */"), start: start, end: bytes.count)
    }

    // MARK: Quotes

    /// Skips a quoted piece that begins at `position`; false when it does not end.
    private mutating func quoted(_ quote: UInt8) -> Bool {
        position += 1
        while let current = byte(at: position) {
            if current == UInt8(ascii: "\\") {
                position += 2
            } else if current == quote {
                position += 1
                if byte(at: position) != quote { return true }
                position += 1
            } else {
                position += 1
            }
        }
        position = bytes.count
        return false
    }

    private mutating func heredoc() -> Token.Kind {
        var tagEnd = position + 1
        while let current = byte(at: tagEnd), isWordPart(current) { tagEnd += 1 }
        guard byte(at: tagEnd) == UInt8(ascii: "$") else {
            return .invalid("a character that SQL has no use for")
        }
        let tag = Array(bytes[position...tagEnd])
        var index = tagEnd + 1
        while index + tag.count <= bytes.count {
            if bytes[index] == UInt8(ascii: "$"), bytes[index..<(index + tag.count)].elementsEqual(tag) {
                position = index + tag.count
                return .heredoc
            }
            index += 1
        }
        position = bytes.count
        return .invalid("a $…$ string without its end")
    }

    // MARK: Words and numbers

    private func isWordStart(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
    }

    private func isDigit(_ byte: UInt8?) -> Bool {
        guard let byte else { return false }
        return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private func isWordPart(_ byte: UInt8) -> Bool { isWordStart(byte) || isDigit(byte) }

    private mutating func word() -> Token.Kind {
        while let current = byte(at: position), isWordPart(current) || current == UInt8(ascii: "$") { position += 1 }
        return .word
    }

    private mutating func dotOrNumber() -> Token.Kind {
        guard isDigit(byte(at: position + 1)) else {
            position += 1
            return .symbol(.dot)
        }
        switch previous {
        case .word, .quotedName, .number, .symbol(.rightParenthesis), .symbol(.rightBracket):
            position += 1
            return .symbol(.dot)
        default:
            return number()
        }
    }

    private mutating func number() -> Token.Kind {
        if previous == .symbol(.dot) {
            // `t.1.2`: whole numbers between the dots.
            while isDigit(byte(at: position)) { position += 1 }
            return numberEnd()
        }
        if bytes[position] == UInt8(ascii: "0"), let mark = byte(at: position + 1).map({ $0 | 0x20 }) {
            if mark == UInt8(ascii: "x") || mark == UInt8(ascii: "b") {
                position += 2
                while let current = byte(at: position), isWordPart(current) { position += 1 }
                return .number
            }
        }
        digits()
        if byte(at: position) == UInt8(ascii: ".") {
            position += 1
            digits()
        }
        if let mark = byte(at: position), mark | 0x20 == UInt8(ascii: "e") {
            let sign = byte(at: position + 1)
            let skip = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") ? 2 : 1
            if isDigit(byte(at: position + skip)) {
                position += skip
                digits()
            }
        }
        return numberEnd()
    }

    private mutating func digits() {
        while isDigit(byte(at: position))
            || (byte(at: position) == UInt8(ascii: "_") && isDigit(byte(at: position + 1)))
        {
            position += 1
        }
    }

    private mutating func numberEnd() -> Token.Kind {
        guard let current = byte(at: position), isWordPart(current) else { return .number }
        while let current = byte(at: position), isWordPart(current) { position += 1 }
        return .invalid("a number with letters behind it")
    }

    // MARK: Symbols

    private mutating func symbol() -> Token.Kind {
        let first = bytes[position]
        guard first >= 0x20, first < 0x7F else { return invalidCharacter() }
        for length in stride(from: 3, through: 1, by: -1) where position + length <= bytes.count {
            let text = String(decoding: bytes[position..<(position + length)], as: UTF8.self)
            if let symbol = Symbol(rawValue: text) {
                position += length
                return .symbol(symbol)
            }
        }
        return .invalid("a character that SQL has no use for")
    }

    private mutating func invalidCharacter() -> Token.Kind {
        let first = bytes[position]
        if first == 0 {
            position += 1
            return .invalid("a NUL byte")
        }
        guard first >= 0x80 else { return .invalid("a control character") }
        let start = position
        while let current = byte(at: position), current >= 0x80 || isWordPart(current) { position += 1 }
        let isText = String(validating: bytes[start..<position], as: UTF8.self) != nil
        return .invalid(
            isText ? "letters outside ASCII, which a name may have only in quotes" : "bytes that are not UTF-8")
    }
}

/// A piece of SQL text: what it is and where it stands.
struct Token: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// A bare word: keyword or name.
        case word
        /// A name in backticks or double quotes.
        case quotedName
        case number
        /// `'…'`, quotes included.
        case string
        /// `x'41'`, `b'0100'`.
        case hexString, binaryString
        /// `$tag$…$tag$`.
        case heredoc
        case symbol(Symbol)
        /// Bytes that are no token, and why.
        case invalid(String)
        case end
    }

    var kind: Kind
    /// Byte offsets in the text: [start, end).
    var start: Int
    var end: Int
}

/// Punctuation and operators.
enum Symbol: String, Sendable {
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBracket = "["
    case rightBracket = "]"
    case leftBrace = "{"
    case rightBrace = "}"
    case comma = ","
    case semicolon = ";"
    case dot = "."
    case asterisk = "*"
    case slash = "/"
    case percent = "%"
    case plus = "+"
    case minus = "-"
    case arrow = "->"
    case question = "?"
    case colon = ":"
    case doubleColon = "::"
    case equals = "="
    case doubleEquals = "=="
    case notEquals = "!="
    case lessGreater = "<>"
    case less = "<"
    case lessOrEquals = "<="
    case greater = ">"
    case greaterOrEquals = ">="
    case nullSafeEquals = "<=>"
    case concat = "||"
    case at = "@"
    case caret = "^"
    case ampersand = "&"
    case pipe = "|"
    case exclamation = "!"
}

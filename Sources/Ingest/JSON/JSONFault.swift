/// Why some bytes are no JSON, and where.
public struct JSONFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the scanner found wrong.
    public enum Reason: UInt8, Sendable, Hashable {
        /// The bytes end before the value does.
        case unexpectedEnd
        /// A byte that cannot stand here.
        case unexpectedByte
        /// Bytes go on after the value.
        case trailingBytes
        /// A control character (below 0x20) inside a string, raw instead of escaped. NUL and line breaks count.
        case controlCharacter
        /// A backslash followed by what is no escape.
        case badEscape
        /// `\ud800`…`\udfff` without its other half.
        case loneSurrogate
        /// Bytes that are no UTF-8 (overlong forms and surrogates included).
        case invalidUTF8
        /// A number RFC 8259 does not allow: `01`, `1.`, `.5`, `+1`, `1e`.
        case badNumber
        /// A word other than true, false and null.
        case badLiteral
        /// Objects and arrays nested deeper than allowed.
        case tooDeep
        /// The value is fine but no object.
        case notAnObject
    }

    /// What is wrong.
    public var reason: Reason
    /// The index of the first offending byte, from the start of the value's bytes.
    public var position: Int

    /// Creates a fault.
    public init(_ reason: Reason, at position: Int) {
        self.reason = reason
        self.position = position
    }

    /// A sentence for the sender, with the position counted from 1.
    public var description: String { "\(reason.text) at byte \(position + 1)" }
}

extension JSONFault.Reason {
    /// What is wrong, without the position.
    var text: String {
        switch self {
        case .unexpectedEnd: "the JSON value is cut short"
        case .unexpectedByte: "unexpected character"
        case .trailingBytes: "unexpected characters after the JSON value"
        case .controlCharacter: "unescaped control character in a string"
        case .badEscape: "invalid escape in a string"
        case .loneSurrogate: "half of a surrogate pair in a string"
        case .invalidUTF8: "invalid UTF-8"
        case .badNumber: "invalid number"
        case .badLiteral: "unknown word (only true, false and null may stand unquoted)"
        case .tooDeep: "nested too deeply (more than \(JSONLimits.maxDepth) levels)"
        case .notAnObject: "a JSON value that is no object"
        }
    }
}

/// Bounds on what the scanner takes.
public enum JSONLimits {
    /// Objects and arrays inside one another; one more is refused.
    public static let maxDepth = 100
}

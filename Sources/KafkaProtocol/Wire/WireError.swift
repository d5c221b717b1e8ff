/// Why bytes are not the message they should be, or a message cannot be put into bytes.
public struct WireError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Hashable {
        /// The frame ends before the message does.
        case truncated
        /// A length, count or value that cannot be.
        case invalid
        /// An API key or version nobody here speaks.
        case unsupported
    }

    /// The kind of failure.
    public let code: Code
    /// A sentence for the log.
    public let message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

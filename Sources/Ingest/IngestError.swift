/// Why records could not be taken.
public struct IngestError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Hashable {
        /// The topic's name is none that a topic may have.
        case invalidTopic
        /// A value or record that cannot be written to the log (no UTF-8, too long).
        case invalidValue
        /// No space left on the disk.
        case diskFull
        /// Too much is waiting to be written; try again.
        case overloaded
        /// The log takes no more (its disk failed, or the server is going down).
        case unavailable
    }

    /// The kind of failure.
    public let code: Code
    /// A sentence for the sender.
    public let message: String
    /// The failure underneath, when there is one.
    public let cause: (any Error)?
    /// Records of the request that are durable all the same; sending them again doubles them.
    public var durable: Int = 0

    /// Creates an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message.
    public var description: String { message }
}

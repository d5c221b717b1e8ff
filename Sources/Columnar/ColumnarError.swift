/// What went wrong in the column store: what happened, to what, what to do.
public struct ColumnarError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Hashable {
        /// Stored bytes that cannot be what was written.
        case corrupt
        /// The folder was written by a newer version.
        case newerVersion
        case unknownTable
        case unknownColumn
        case tableExists
        case columnExists
        /// A type or definition that is not possible.
        case invalidDefinition
        /// A value that does not fit its column.
        case invalidValue
        /// The disk said no; see `cause`.
        case disk
    }

    /// The kind of failure.
    public let code: Code
    /// A sentence for the operator.
    public let message: String
    /// The failure underneath, when there is one.
    public let cause: (any Error)?

    /// Creates an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message alone.
    public var description: String { message }
}

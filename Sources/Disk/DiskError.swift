/// What went wrong on the disk: what happened, to which path.
public struct DiskError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Hashable {
        case notFound
        case exists
        case accessDenied
        /// No space left, or a quota or size limit reached.
        case full
        /// Another process holds the lock.
        case locked
        /// The file ended before the bytes that should be there.
        case truncated
        /// Bytes that cannot be what was written: a checksum, a magic number, a length that lies.
        case corrupt
        /// Written by a newer version of the program, or something else than a data folder.
        case incompatible
        /// Any other failure of the operating system.
        case io
    }

    /// The kind of failure.
    public let code: Code
    /// A sentence for the operator, naming the path and the operation.
    public let message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message alone.
    public var description: String { message }
}

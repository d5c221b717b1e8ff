/// Why bytes could not be compressed or decompressed.
public struct CompressionError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Hashable {
        /// The bytes are not what the codec writes, or were damaged.
        case corrupt
        /// The bytes end before the compressed stream does.
        case truncated
        /// Decompressed, there would be more bytes than allowed.
        case tooLarge
        /// The library has no memory left or does not know the parameters.
        case failed
    }

    /// The kind of failure.
    public let code: Code
    /// A sentence for the operator.
    public let message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }

    static func tooLarge(_ maxBytes: Int) -> CompressionError {
        CompressionError(.tooLarge, "decompressed, there are more than \(maxBytes) bytes")
    }
}

/// How bytes are compressed, with the numbers of Kafka's record batches.
public enum Codec: UInt8, Sendable, Hashable, CaseIterable {
    case none = 0
    /// RFC 1952.
    case gzip = 1
    /// Raw snappy blocks; xerial's framing is read too.
    case snappy = 2
    /// LZ4 frames.
    case lz4 = 3
    /// RFC 8878.
    case zstd = 4

    /// The name as in topic configurations: none, gzip, snappy, lz4, zstd.
    public var name: String {
        switch self {
        case .none: "none"
        case .gzip: "gzip"
        case .snappy: "snappy"
        case .lz4: "lz4"
        case .zstd: "zstd"
        }
    }

    /// The codec of this name; nil when there is none.
    public init?(name: String) {
        guard let codec = Codec.allCases.first(where: { $0.name == name }) else { return nil }
        self = codec
    }
}

import Disk

/// Record batches on their way through a request or response: bytes in memory, or a stretch of a segment's file that
/// goes to the socket without being read.
public struct RecordData: Sendable {
    /// A piece.
    public enum Piece: Sendable {
        case bytes(ArraySlice<UInt8>)
        /// `count` bytes of the file from `position` on.
        case file(any File, position: UInt64, count: Int)

        /// The length in bytes.
        public var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .file(_, _, let count): count
            }
        }
    }

    /// The pieces, in order.
    public var pieces: [Piece]

    /// No records.
    public init() { pieces = [] }

    /// Records in memory.
    public init(_ bytes: ArraySlice<UInt8>) { pieces = bytes.isEmpty ? [] : [.bytes(bytes)] }

    /// A stretch of a file.
    public init(_ file: any File, position: UInt64, count: Int) {
        pieces = count == 0 ? [] : [.file(file, position: position, count: count)]
    }

    /// The length in bytes.
    public var count: Int { pieces.reduce(0) { $0 + $1.count } }

    /// The bytes, when they are in memory; nil when any are in a file.
    public var bytes: ArraySlice<UInt8>? {
        if pieces.isEmpty { return [] }
        guard pieces.count == 1, case .bytes(let bytes) = pieces[0] else { return nil }
        return bytes
    }
}

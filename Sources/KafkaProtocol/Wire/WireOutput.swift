/// What was written of a response: bytes, and between them stretches of files.
public struct WireOutput: Sendable {
    /// Larger runs of bytes are kept as they are instead of being copied.
    private static let minPieceBytes = 4096

    /// What is complete, in order.
    public private(set) var pieces: [RecordData.Piece] = []
    private var buffer: [UInt8] = []
    /// The length of all of it in bytes.
    public private(set) var count = 0

    /// Nothing yet.
    public init() {}

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { buffer.append(contentsOf: $0) }
        count += MemoryLayout<Value>.size
    }

    mutating func unsignedVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
            count += 1
        }
        buffer.append(UInt8(truncatingIfNeeded: rest))
        count += 1
    }

    mutating func append(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        count += text.utf8.count
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        count += bytes.count
        if bytes.count >= Self.minPieceBytes {
            cut()
            pieces.append(.bytes(bytes))
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    mutating func append(_ records: RecordData) {
        for piece in records.pieces {
            switch piece {
            case .bytes(let bytes): append(bytes)
            case .file(_, _, let size):
                cut()
                pieces.append(piece)
                count += size
            }
        }
    }

    private mutating func cut() {
        if buffer.isEmpty { return }
        pieces.append(.bytes(buffer[...]))
        buffer = []
    }

    /// The pieces, with the 4 bytes of their common length in front: a frame.
    public consuming func frame() -> [RecordData.Piece] {
        cut()
        var head: [UInt8] = []
        withUnsafeBytes(of: Int32(clamping: count).bigEndian) { head.append(contentsOf: $0) }
        // The first piece usually is small: one write for both.
        if case .bytes(let first)? = pieces.first, first.count < Self.minPieceBytes {
            head.append(contentsOf: first)
            pieces[0] = .bytes(head[...])
            return pieces
        }
        return [.bytes(head[...])] + pieces
    }

    /// What it takes of memory: its length without that of stretches of files.
    public var memoryBytes: Int {
        pieces.reduce(count) { bytes, piece in
            if case .file(_, _, let size) = piece { bytes - size } else { bytes }
        }
    }

    /// All bytes as one array; those of files are left out.
    public var flattened: [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(count)
        for case .bytes(let bytes) in pieces { all.append(contentsOf: bytes) }
        all.append(contentsOf: buffer)
        return all
    }
}

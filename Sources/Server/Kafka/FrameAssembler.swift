import NIOCore

/// Cuts a stream of bytes into Kafka's frames: four bytes of length, and as many bytes.
///
/// A frame's memory grows with what has come of it, never with what its length promises.
struct FrameAssembler {
    /// What a length may not be.
    struct BadLength: Error {
        let length: Int32
        let max: Int
    }

    /// The longest frame that is taken; holds for those that begin after it is set.
    var maxFrameBytes: Int
    private var lengthBytes: [UInt8] = []
    private var frame: [UInt8] = []
    private var wanted: Int?

    init(maxFrameBytes: Int) {
        self.maxFrameBytes = maxFrameBytes
    }

    /// Bytes held of a frame that is not whole yet.
    var heldBytes: Int { frame.count }
    /// Whether a frame has begun and is not whole.
    var isInFrame: Bool { wanted != nil || !lengthBytes.isEmpty }

    /// Takes bytes from `input` until a frame is whole, and returns it; nil when the input is used up before.
    mutating func next(_ input: inout ByteBuffer) throws(BadLength) -> [UInt8]? {
        if wanted == nil { try takeLength(&input) }
        guard let wanted else { return nil }
        let missing = wanted - frame.count
        if frame.isEmpty, input.readableBytes >= missing {
            defer { self.wanted = nil }
            return input.readBytes(length: missing) ?? []
        }
        let count = min(missing, input.readableBytes)
        if count > 0 {
            frame.append(contentsOf: input.readableBytesView.prefix(count))
            input.moveReaderIndex(forwardBy: count)
        }
        guard frame.count == wanted else { return nil }
        defer {
            frame = []
            self.wanted = nil
        }
        return frame
    }

    private mutating func takeLength(_ input: inout ByteBuffer) throws(BadLength) {
        while lengthBytes.count < 4 {
            guard let byte = input.readInteger(as: UInt8.self) else { return }
            lengthBytes.append(byte)
        }
        let length = lengthBytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        lengthBytes.removeAll(keepingCapacity: true)
        guard length <= UInt32(clamping: maxFrameBytes) else {
            throw BadLength(length: Int32(bitPattern: length), max: maxFrameBytes)
        }
        wanted = Int(length)
    }
}

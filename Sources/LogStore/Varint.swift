/// Kafka's variable-length numbers: zigzag, then seven bits a byte, lowest first.
enum Varint {
    /// The longest form of a 64-bit number.
    static let maxBytes = 10

    /// How many bytes `value` takes.
    @inline(__always)
    static func length(_ value: Int64) -> Int {
        let coded = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        // 7 bits a byte: (bits + 6) / 7, at least one.
        return (64 - (coded | 1).leadingZeroBitCount + 6) / 7
    }

    /// Writes `value` at `target`, which has room for `maxBytes`; returns where the next byte goes.
    @inline(__always)
    static func write(_ value: Int64, at target: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        var next = target
        while rest >= 0x80 {
            next.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            next += 1
            rest >>= 7
        }
        next.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        return next + 1
    }

    /// Writes `value` behind `bytes`.
    static func append(_ value: Int64, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: maxBytes, alignment: 1) { scratch in
            guard let start = scratch.baseAddress else { return }
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: write(value, at: start) - start))
        }
    }

    /// Reads a number at `position` before `end`, moving `position` on; nil when it does not end in time.
    @inline(__always)
    static func read(_ position: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> Int64? {
        guard position < end else { return nil }
        let first = position.load(as: UInt8.self)
        if first < 0x80 {
            position += 1
            return Int64(first >> 1) ^ -Int64(first & 1)
        }
        return readLong(&position, end)
    }

    private static func readLong(_ position: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> Int64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var next = position
        while next < end, shift < 70 {
            let byte = next.load(as: UInt8.self)
            next += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 {
                position = next
                return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
            }
            shift += 7
        }
        return nil
    }
}

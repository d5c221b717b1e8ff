/// Builds a byte string of numbers and bytes, the mirror of `ByteReader`: little-endian unless the name says so.
public struct ByteWriter {
    /// What was written so far.
    public var bytes: [UInt8] = []

    /// An empty writer with room for `capacity` bytes.
    public init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// How many bytes were written.
    public var count: Int { bytes.count }

    /// Appends one byte.
    public mutating func uint8(_ value: UInt8) { bytes.append(value) }
    /// Appends one byte, signed.
    public mutating func int8(_ value: Int8) { bytes.append(UInt8(bitPattern: value)) }
    /// Appends two bytes.
    public mutating func uint16(_ value: UInt16) { raw(value.littleEndian) }
    /// Appends two bytes, signed.
    public mutating func int16(_ value: Int16) { raw(value.littleEndian) }
    /// Appends four bytes.
    public mutating func uint32(_ value: UInt32) { raw(value.littleEndian) }
    /// Appends four bytes, signed.
    public mutating func int32(_ value: Int32) { raw(value.littleEndian) }
    /// Appends eight bytes.
    public mutating func uint64(_ value: UInt64) { raw(value.littleEndian) }
    /// Appends eight bytes, signed.
    public mutating func int64(_ value: Int64) { raw(value.littleEndian) }

    /// Appends two bytes, big-endian.
    public mutating func uint16BigEndian(_ value: UInt16) { raw(value.bigEndian) }
    /// Appends two bytes, signed, big-endian.
    public mutating func int16BigEndian(_ value: Int16) { raw(value.bigEndian) }
    /// Appends four bytes, big-endian.
    public mutating func uint32BigEndian(_ value: UInt32) { raw(value.bigEndian) }
    /// Appends four bytes, signed, big-endian.
    public mutating func int32BigEndian(_ value: Int32) { raw(value.bigEndian) }
    /// Appends eight bytes, big-endian.
    public mutating func uint64BigEndian(_ value: UInt64) { raw(value.bigEndian) }
    /// Appends eight bytes, signed, big-endian.
    public mutating func int64BigEndian(_ value: Int64) { raw(value.bigEndian) }

    /// Appends eight bytes of an IEEE 754 number.
    public mutating func double(_ value: Double) { uint64(value.bitPattern) }

    /// Appends an unsigned LEB128 number (1 to 10 bytes).
    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a signed number, zigzag-coded.
    public mutating func zigzag(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    /// Appends a count that `ByteReader.count(max:)` reads.
    public mutating func count(_ value: Int) {
        precondition(value >= 0, "BUG: a negative count")
        varint(UInt64(value))
    }

    /// Appends the bytes alone.
    public mutating func bytes(_ value: [UInt8]) { bytes.append(contentsOf: value) }

    /// Appends the bytes alone.
    public mutating func bytes(_ value: UnsafeRawBufferPointer) { bytes.append(contentsOf: value) }

    /// Appends a varint length and the bytes.
    public mutating func lengthPrefixedBytes(_ value: [UInt8]) {
        count(value.count)
        bytes.append(contentsOf: value)
    }

    /// Appends a varint length and the string's UTF-8.
    public mutating func string(_ value: String) {
        count(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    /// Overwrites four bytes at `position`, written before, by `value`.
    public mutating func patch(uint32 value: UInt32, at position: Int) {
        precondition(position >= 0 && position <= bytes.count - 4, "BUG: patching bytes that were not written")
        for index in 0..<4 { bytes[position + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
    }

    @inline(__always)
    private mutating func raw<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }
}

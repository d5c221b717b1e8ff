/// Reads numbers and bytes one after the other, checking every length: bytes from disk or network never trap.
///
/// Multi-byte numbers are little-endian unless the name says otherwise. Reading past the end throws `.truncated`,
/// an impossible value `.corrupt`; the position is then unspecified.
public struct ByteReader {
    /// Set when the reader was made of an array; it keeps the bytes alive.
    @usableFromInline let array: [UInt8]?
    @usableFromInline let buffer: UnsafeRawBufferPointer
    /// What the bytes are, for messages (a path, say).
    @usableFromInline let name: String
    /// How many bytes were there at the start.
    public let count: Int
    /// The index of the next byte.
    public private(set) var position = 0

    /// A reader of `bytes`; `name` tells in messages what they are.
    public init(_ bytes: [UInt8], name: String = "input") {
        array = bytes
        buffer = UnsafeRawBufferPointer(start: nil, count: 0)
        count = bytes.count
        self.name = name
    }

    /// A reader of `bytes`, which must stay valid as long as the reader is used.
    public init(_ bytes: UnsafeRawBufferPointer, name: String = "input") {
        array = nil
        buffer = bytes
        count = bytes.count
        self.name = name
    }

    /// How many bytes are left.
    public var remaining: Int { count - position }
    /// Whether every byte was read.
    public var isAtEnd: Bool { position == count }

    /// The next byte.
    public mutating func uint8() throws(DiskError) -> UInt8 { try integer() }
    /// The next byte as a signed number.
    public mutating func int8() throws(DiskError) -> Int8 { try integer() }
    /// The next two bytes.
    public mutating func uint16() throws(DiskError) -> UInt16 { UInt16(littleEndian: try integer()) }
    /// The next two bytes as a signed number.
    public mutating func int16() throws(DiskError) -> Int16 { Int16(littleEndian: try integer()) }
    /// The next four bytes.
    public mutating func uint32() throws(DiskError) -> UInt32 { UInt32(littleEndian: try integer()) }
    /// The next four bytes as a signed number.
    public mutating func int32() throws(DiskError) -> Int32 { Int32(littleEndian: try integer()) }
    /// The next eight bytes.
    public mutating func uint64() throws(DiskError) -> UInt64 { UInt64(littleEndian: try integer()) }
    /// The next eight bytes as a signed number.
    public mutating func int64() throws(DiskError) -> Int64 { Int64(littleEndian: try integer()) }

    /// The next two bytes, big-endian.
    public mutating func uint16BigEndian() throws(DiskError) -> UInt16 { UInt16(bigEndian: try integer()) }
    /// The next two bytes as a signed number, big-endian.
    public mutating func int16BigEndian() throws(DiskError) -> Int16 { Int16(bigEndian: try integer()) }
    /// The next four bytes, big-endian.
    public mutating func uint32BigEndian() throws(DiskError) -> UInt32 { UInt32(bigEndian: try integer()) }
    /// The next four bytes as a signed number, big-endian.
    public mutating func int32BigEndian() throws(DiskError) -> Int32 { Int32(bigEndian: try integer()) }
    /// The next eight bytes, big-endian.
    public mutating func uint64BigEndian() throws(DiskError) -> UInt64 { UInt64(bigEndian: try integer()) }
    /// The next eight bytes as a signed number, big-endian.
    public mutating func int64BigEndian() throws(DiskError) -> Int64 { Int64(bigEndian: try integer()) }

    /// The next eight bytes as an IEEE 754 number.
    public mutating func double() throws(DiskError) -> Double { Double(bitPattern: try uint64()) }

    /// An unsigned LEB128 number of at most ten bytes.
    public mutating func varint() throws(DiskError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try uint8()
            // The tenth byte holds the last bit only.
            guard shift < 63 || byte <= 1 else { throw corrupt("a variable-length number is too long") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// A signed number, zigzag-coded into `varint`.
    public mutating func zigzag() throws(DiskError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A varint that counts things; throws `.corrupt` above `max`. Ask for the smallest `max` that makes sense
    /// (say, `remaining`) before allocating that many.
    public mutating func count(max: Int) throws(DiskError) -> Int {
        let value = try varint()
        guard let count = Int(exactly: value), count <= max else {
            throw corrupt("a count of \(value) where at most \(max) are possible")
        }
        return count
    }

    /// The next `count` bytes.
    public mutating func bytes(_ count: Int) throws(DiskError) -> [UInt8] {
        try need(count)
        defer { position += count }
        if let array { return Array(array[position..<position + count]) }
        return [UInt8](UnsafeRawBufferPointer(rebasing: buffer[position..<position + count]))
    }

    /// Moves on by `count` bytes.
    public mutating func skip(_ count: Int) throws(DiskError) {
        try need(count)
        position += count
    }

    /// A varint length and as many bytes.
    public mutating func lengthPrefixedBytes() throws(DiskError) -> [UInt8] {
        try bytes(try count(max: remaining))
    }

    /// A varint length and as many bytes of UTF-8 (repaired where they are not).
    public mutating func string() throws(DiskError) -> String {
        String(decoding: try lengthPrefixedBytes(), as: UTF8.self)
    }

    /// An error that says what is wrong, where.
    public func corrupt(_ what: String) -> DiskError {
        DiskError(.corrupt, "\(name): \(what) (at byte \(position))")
    }

    private func need(_ wanted: Int) throws(DiskError) {
        guard wanted >= 0, wanted <= remaining else {
            throw DiskError(.truncated, "\(name): wanted \(wanted) bytes at byte \(position), \(remaining) are left")
        }
    }

    @inline(__always)
    private mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>() throws(DiskError) -> Value {
        try need(MemoryLayout<Value>.size)
        defer { position += MemoryLayout<Value>.size }
        if let array {
            return array.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: Value.self) }
        }
        return buffer.loadUnaligned(fromByteOffset: position, as: Value.self)
    }
}

/// Walks over the bytes of a decompressed block. Every length is checked against what is there before it is used, and
/// every allocation counts against a budget: bytes from disk never trap and never ask for more memory than
/// `BlockLimits` grants, even behind a checksum that holds.
struct BlockCursor: ~Copyable {
    let buffer: UnsafeRawBufferPointer
    private(set) var position = 0
    /// Bytes that decoding this block may still allocate.
    private(set) var budget: Int

    /// A cursor over `buffer`, which must outlive it.
    init(_ buffer: UnsafeRawBufferPointer, budget: Int = BlockLimits.decodedBytes) {
        self.buffer = buffer
        self.budget = budget
    }

    var remaining: Int { buffer.count - position }

    /// Counts an allocation of `count` values of `size` bytes. Throws `.corrupt` when that is too much.
    mutating func allocate(_ count: Int, size: Int) throws(ColumnarError) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        guard count >= 0, !overflow, bytes <= budget else { throw corrupt("\(count) values are more than a block has") }
        budget -= bytes
    }

    mutating func uint8() throws(ColumnarError) -> UInt8 {
        guard position < buffer.count else { throw corrupt("the block ends early") }
        defer { position += 1 }
        return buffer[position]
    }

    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) throws(ColumnarError) -> Value {
        let bytes = try take(MemoryLayout<Value>.size)
        return Value(littleEndian: bytes.loadUnaligned(as: Value.self))
    }

    mutating func varint() throws(ColumnarError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try uint8()
            guard shift < 63 || byte <= 1 else { throw corrupt("a number is too long") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    mutating func zigzag() throws(ColumnarError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A varint that counts things, at most `max`.
    mutating func count(max: Int) throws(ColumnarError) -> Int {
        let value = try varint()
        guard value <= UInt64(Swift.max(0, max)) else {
            throw corrupt("a count of \(value), at most \(max) are possible")
        }
        return Int(value)
    }

    /// The next `count` bytes, in place.
    mutating func take(_ count: Int) throws(ColumnarError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw corrupt("the block ends early") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: buffer[position..<position + count])
    }

    func corrupt(_ what: String) -> ColumnarError {
        ColumnarError(.corrupt, "\(what) (at byte \(position) of a block of \(buffer.count))")
    }
}

/// What blocks may have at most: readers refuse more, writers never write more.
enum BlockLimits {
    /// Bytes of a block before compression.
    static let rawBytes = 256 << 20
    /// Bytes that the values of one block may take in memory.
    static let decodedBytes = 512 << 20
    /// Bytes of rows after which a writer ends a granule before it has `granuleRows`.
    static let granuleBytes = 32 << 20
}

/// Appends numbers to a growing block, the mirror of `BlockCursor`.
struct BlockBuilder {
    var bytes: [UInt8] = []

    mutating func uint8(_ value: UInt8) { bytes.append(value) }

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func zigzag(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    mutating func count(_ value: Int) { varint(UInt64(value)) }

    mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// Appends `count` bytes that `fill` writes.
    mutating func append(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        guard count > 0 else { return }
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: count))
        bytes.withUnsafeMutableBytes { fill(UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + count])) }
    }
}

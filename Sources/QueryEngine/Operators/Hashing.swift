import Columnar

// Hashes of values: one fixed function, so that approximate counts do not depend on threads, parts or runs.

/// Mixes two words by the high and low half of their product.
@inline(__always)
func mixWords(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
}

/// The hash of one word.
@inline(__always)
func hashWord(_ word: UInt64) -> UInt64 {
    mixWords(word ^ 0xa076_1d64_78bd_642f, (word &>> 32 | word &<< 32) ^ 0xe703_7ed1_a0b4_28db)
}

/// The hash of `count` bytes; with another `salt`, another function.
@inline(__always)
func hashBytes(_ bytes: UnsafeRawPointer, _ count: Int, salt: UInt64 = 0x5895_89fb_c9e5_73a1) -> UInt64 {
    let k0: UInt64 = 0xa076_1d64_78bd_642f
    let k1: UInt64 = 0xe703_7ed1_a0b4_28db
    let k2: UInt64 = 0x8ebc_6af0_9c88_c6e3
    var state = salt
    var low: UInt64 = 0
    var high: UInt64 = 0
    if count <= 16 {
        if count >= 8 {
            low = bytes.loadUnaligned(as: UInt64.self)
            high = bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        } else if count >= 4 {
            low = UInt64(bytes.loadUnaligned(as: UInt32.self))
            high = UInt64(bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        } else if count > 0 {
            low = UInt64(bytes.load(as: UInt8.self))
            high =
                UInt64(bytes.load(fromByteOffset: count &>> 1, as: UInt8.self)) &<< 8
                | UInt64(bytes.load(fromByteOffset: count &- 1, as: UInt8.self))
        }
    } else {
        var position = 0
        while count &- position > 16 {
            let one = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let two = bytes.loadUnaligned(fromByteOffset: position &+ 8, as: UInt64.self)
            state = mixWords(one ^ k1, two ^ state)
            position &+= 16
        }
        low = bytes.loadUnaligned(fromByteOffset: count &- 16, as: UInt64.self)
        high = bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    }
    return mixWords(k2 ^ UInt64(truncatingIfNeeded: count), mixWords(low ^ k0, high ^ state))
}

/// Hashes of a column's values. Equal values of one column type have equal hashes, NULL rows have any.
func hashValues(_ column: Column, salt: UInt64 = 0x5895_89fb_c9e5_73a1) -> [UInt64] {
    switch column.data {
    case .int8(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .int16(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .int32(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .int64(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .uint8(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .uint16(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .uint32(let values): hashFixed(values, salt) { UInt64(truncatingIfNeeded: $0) }
    case .uint64(let values): hashFixed(values, salt) { $0 }
    case .uint128(let values):
        hashFixed(values, salt) { hashWord(UInt64(truncatingIfNeeded: $0)) ^ UInt64(truncatingIfNeeded: $0 &>> 64) }
    case .float32(let values): hashFixed(values, salt) { UInt64($0.bitPattern) }
    case .float64(let values): hashFixed(values, salt) { $0.bitPattern }
    case .string(let values): hashStrings(values, salt)
    case .dictionary(let encoded): gatherWords(hashValues(encoded.dictionary.values, salt: salt), encoded.codes)
    case .constant(let value, let count):
        [UInt64](repeating: hashValues(value, salt: salt).first ?? 0, count: count)
    case .array, .map, .tuple:
        (0..<column.count).map { row in
            var bytes: [UInt8] = []
            appendKey(column.scalar(at: row), to: &bytes)
            return bytes.withUnsafeBytes { buffer in
                buffer.baseAddress.map { hashBytes($0, buffer.count, salt: salt) } ?? salt
            }
        }
    }
}

@inline(__always)
private func hashFixed<Value: BitwiseCopyable>(
    _ values: [Value], _ salt: UInt64, _ word: (Value) -> UInt64
) -> [UInt64] {
    [UInt64](unsafeUninitializedCapacity: values.count) { target, filled in
        values.withUnsafeBufferPointer { source in
            for row in 0..<source.count {
                target.initializeElement(at: row, to: mixWords(hashWord(word(source[row])), salt | 1))
            }
        }
        filled = values.count
    }
}

private func hashStrings(_ values: StringData, _ salt: UInt64) -> [UInt64] {
    let count = values.count
    return [UInt64](unsafeUninitializedCapacity: count) { target, filled in
        values.bytes.withUnsafeBytes { bytes in
            values.offsets.withUnsafeBufferPointer { offsets in
                var empty: UInt8 = 0
                withUnsafeBytes(of: &empty) { none in
                    guard let base = bytes.baseAddress ?? none.baseAddress else { return }
                    for row in 0..<count {
                        let start = Int(offsets[row])
                        target.initializeElement(
                            at: row, to: hashBytes(base + start, Int(offsets[row + 1]) &- start, salt: salt))
                    }
                }
            }
        }
        filled = count
    }
}

func gatherWords(_ words: [UInt64], _ codes: [UInt16]) -> [UInt64] {
    words.withUnsafeBufferPointer { words in
        [UInt64](unsafeUninitializedCapacity: codes.count) { target, filled in
            for row in 0..<codes.count { target.initializeElement(at: row, to: words[Int(codes[row])]) }
            filled = codes.count
        }
    }
}

/// Appends a value so that different values have different bytes and none is another's prefix.
func appendKey(_ scalar: Scalar, to bytes: inout [UInt8]) {
    switch scalar {
    case .null: bytes.append(0)
    case .int(let value): appendWord(1, UInt64(bitPattern: value), to: &bytes)
    case .uint(let value): appendWord(2, value, to: &bytes)
    case .wide(let value):
        appendWord(3, UInt64(truncatingIfNeeded: value >> 64), to: &bytes)
        appendWord(3, UInt64(truncatingIfNeeded: value), to: &bytes)
    case .float(let value): appendWord(4, value.bitPattern, to: &bytes)
    case .string(let value):
        appendWord(5, UInt64(value.count), to: &bytes)
        bytes += value
    case .array(let values), .map(let values), .tuple(let values):
        appendWord(6, UInt64(values.count), to: &bytes)
        for value in values { appendKey(value, to: &bytes) }
    }
}

private func appendWord(_ tag: UInt8, _ word: UInt64, to bytes: inout [UInt8]) {
    bytes.append(tag)
    withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
}

// Packing of unsigned numbers into fields of 0 to 56 or 64 bits, the first in the lowest bits of the first byte.

enum BitPacking {
    /// The width that holds `value`: 0 to 56, or 64 (a wider field than 56 bits could straddle nine bytes).
    static func width(of value: UInt64) -> Int {
        let bits = 64 - value.leadingZeroBitCount
        return bits > 56 ? 64 : bits
    }

    /// Bytes that `count` fields of `width` bits take.
    static func byteCount(_ count: Int, width: Int) -> Int { (count * width + 7) >> 3 }

    /// Appends `values[range] - base` in fields of `width` bits.
    static func pack(
        _ values: UnsafeBufferPointer<UInt64>, _ range: Range<Int>, base: UInt64, width: Int,
        to builder: inout BlockBuilder
    ) {
        builder.append(count: byteCount(range.count, width: width)) { target in
            guard var next = target.baseAddress else { return }
            if width == 64 {
                for index in range {
                    next.storeBytes(of: (values[index] &- base).littleEndian, as: UInt64.self)
                    next += 8
                }
                return
            }
            var pending: UInt64 = 0
            var filled = 0
            for index in range {
                let value = values[index] &- base
                pending |= value << UInt64(filled)
                filled += width
                if filled >= 64 {
                    next.storeBytes(of: pending.littleEndian, as: UInt64.self)
                    next += 8
                    filled -= 64
                    pending = filled == 0 ? 0 : value >> UInt64(width - filled)
                }
            }
            while filled > 0 {
                next.storeBytes(of: UInt8(truncatingIfNeeded: pending), as: UInt8.self)
                next += 1
                pending >>= 8
                filled -= 8
            }
        }
    }

    /// Writes `base` plus each of `count` fields of `width` bits at `source` to `target`, cut to the value's width.
    ///
    /// `source` has at least `byteCount(count, width:)` bytes; when it has eight more, no field needs care.
    @inline(__always)
    static func unpack<Value: FixedWidthInteger>(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, base: UInt64, into target: UnsafeMutablePointer<Value>
    ) {
        guard width > 0, count > 0, let start = source.baseAddress else {
            target.update(repeating: Value(truncatingIfNeeded: base), count: count)
            return
        }
        switch width {
        case 8:
            for index in 0..<count {
                target[index] = Value(
                    truncatingIfNeeded: UInt64(start.load(fromByteOffset: index, as: UInt8.self)) &+ base)
            }
        case 16:
            for index in 0..<count {
                let field = UInt16(littleEndian: start.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self))
                target[index] = Value(truncatingIfNeeded: UInt64(field) &+ base)
            }
        case 32:
            for index in 0..<count {
                let field = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self))
                target[index] = Value(truncatingIfNeeded: UInt64(field) &+ base)
            }
        case 64:
            for index in 0..<count {
                let field = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: 8 &* index, as: UInt64.self))
                target[index] = Value(truncatingIfNeeded: field &+ base)
            }
        default:
            unpackOdd(start, source.count, count: count, width: width, base: base, into: target)
        }
    }

    @inline(__always)
    private static func unpackOdd<Value: FixedWidthInteger>(
        _ start: UnsafeRawPointer, _ available: Int, count: Int, width: Int, base: UInt64,
        into target: UnsafeMutablePointer<Value>
    ) {
        let mask = (UInt64(1) << UInt64(width)) &- 1
        // Fields whose eight bytes from their first byte on all exist.
        let safe = available < 8 ? 0 : min(count, ((available - 8) * 8) / width + 1)
        var index = 0
        if width <= 8 {
            // Eight fields take `width` bytes: one load serves them all.
            let groups = available < 8 ? 0 : min(count / 8, (available - 8) / width + 1)
            var next = start
            for _ in 0..<groups {
                let word = UInt64(littleEndian: next.loadUnaligned(as: UInt64.self))
                let place = target + index
                let step = UInt64(width)
                place[0] = Value(truncatingIfNeeded: (word & mask) &+ base)
                place[1] = Value(truncatingIfNeeded: ((word &>> step) & mask) &+ base)
                place[2] = Value(truncatingIfNeeded: ((word &>> (2 &* step)) & mask) &+ base)
                place[3] = Value(truncatingIfNeeded: ((word &>> (3 &* step)) & mask) &+ base)
                place[4] = Value(truncatingIfNeeded: ((word &>> (4 &* step)) & mask) &+ base)
                place[5] = Value(truncatingIfNeeded: ((word &>> (5 &* step)) & mask) &+ base)
                place[6] = Value(truncatingIfNeeded: ((word &>> (6 &* step)) & mask) &+ base)
                place[7] = Value(truncatingIfNeeded: ((word &>> (7 &* step)) & mask) &+ base)
                next += width
                index &+= 8
            }
        }
        var bit = index * width
        while index < safe {
            let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
            target[index] = Value(truncatingIfNeeded: ((word &>> UInt64(bit & 7)) & mask) &+ base)
            bit &+= width
            index &+= 1
        }
        while index < count {
            var word: UInt64 = 0
            let first = bit >> 3
            for offset in 0..<min(8, available - first) {
                word |= UInt64(start.load(fromByteOffset: first + offset, as: UInt8.self)) << UInt64(8 * offset)
            }
            target[index] = Value(truncatingIfNeeded: ((word >> UInt64(bit & 7)) & mask) &+ base)
            bit += width
            index += 1
        }
    }
}

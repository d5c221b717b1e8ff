/// Reads what `IntegerEncoder` wrote.
enum IntegerDecoder {
    /// Decodes `count` integers. Throws `.corrupt` on anything that cannot have been written.
    static func decode<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type, count: Int, _ cursor: inout BlockCursor, depth: Int = 0
    ) throws(ColumnarError) -> [Value] {
        guard depth < EncodingFormat.maxDepth else { throw cursor.corrupt("integer encodings nest too deep") }
        let number = try cursor.uint8()
        switch Encoding(rawValue: number) {
        case .constant:
            let value = try cursor.integer(Value.self)
            try cursor.allocate(count, size: MemoryLayout<Value>.size)
            return [Value](repeating: value, count: count)
        case .raw: return try raw(count, &cursor)
        case .frames:
            return try filled(count, &cursor) { target, cursor throws(ColumnarError) in
                try frames(target, count, &cursor)
            }
        case .delta: return try delta(count, &cursor)
        case .doubleDelta: return try doubleDelta(count, &cursor)
        case .multiple:
            let divisor = Value(truncatingIfNeeded: try cursor.varint())
            var values = try decode(Value.self, count: count, &cursor, depth: depth + 1)
            for index in values.indices { values[index] = values[index] &* divisor }
            return values
        case .localDictionary: return try dictionary(count, &cursor, depth: depth)
        default: throw cursor.corrupt("encoding \(number) is none of integers")
        }
    }

    /// The one value of a constant; nil when the values are encoded otherwise. Nothing is consumed then.
    static func constant<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> Value? {
        guard cursor.remaining > 0, cursor.buffer[cursor.position] == Encoding.constant.rawValue else { return nil }
        _ = try cursor.uint8()
        return try cursor.integer(Value.self)
    }

    private static func filled<Value: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ cursor: inout BlockCursor,
        _ body: (UnsafeMutablePointer<Value>, inout BlockCursor) throws(ColumnarError) -> Void
    ) throws(ColumnarError) -> [Value] {
        try cursor.allocate(count, size: MemoryLayout<Value>.size)
        guard count > 0 else { return [] }
        var failure: ColumnarError?
        let values = [Value](unsafeUninitializedCapacity: count) { buffer, filled in
            guard let target = buffer.baseAddress else { return }
            do throws(ColumnarError) {
                try body(target, &cursor)
                filled = count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return values
    }

    private static func raw<Value: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> [Value] {
        guard count <= cursor.remaining else { throw cursor.corrupt("the block ends early") }
        let bytes = try cursor.take(count * MemoryLayout<Value>.size)
        return try filled(count, &cursor) { target, _ throws(ColumnarError) in
            for index in 0..<count {
                let value = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Value>.size, as: Value.self)
                target[index] = Value(littleEndian: value)
            }
        }
    }

    private static func frames<Value: FixedWidthInteger & BitwiseCopyable>(
        _ target: UnsafeMutablePointer<Value>, _ count: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) {
        var start = 0
        while start < count {
            let rows = min(EncodingFormat.frameRows, count - start)
            let base = UInt64(bitPattern: try cursor.zigzag())
            let width = Int(try cursor.uint8())
            guard width <= 56 || width == 64 else { throw cursor.corrupt("fields of \(width) bits") }
            let need = BitPacking.byteCount(rows, width: width)
            let available = cursor.remaining
            let bytes = try cursor.take(need)
            // Bytes after the fields may be loaded along with them: they are part of the same block.
            let reach = UnsafeRawBufferPointer(start: bytes.baseAddress, count: min(available, need + 8))
            BitPacking.unpack(reach, count: rows, width: width, base: base, into: target + start)
            start += rows
        }
    }

    private static func delta<Value: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> [Value] {
        guard count > 0 else { throw cursor.corrupt("differences of nothing") }
        let first = Value(truncatingIfNeeded: try cursor.zigzag())
        return try filled(count, &cursor) { target, cursor throws(ColumnarError) in
            try frames(target + 1, count - 1, &cursor)
            sum(target, count, from: first)
        }
    }

    private static func doubleDelta<Value: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> [Value] {
        guard count > 1 else { throw cursor.corrupt("differences of nothing") }
        let first = Value(truncatingIfNeeded: try cursor.zigzag())
        let difference = Value(truncatingIfNeeded: try cursor.zigzag())
        return try filled(count, &cursor) { target, cursor throws(ColumnarError) in
            try frames(target + 2, count - 2, &cursor)
            sum(target + 1, count - 1, from: difference)
            sum(target, count, from: first)
        }
    }

    /// Turns differences (the first place is free) into running sums from `first`.
    @inline(__always)
    private static func sum<Value: FixedWidthInteger>(
        _ target: UnsafeMutablePointer<Value>, _ count: Int, from first: Value
    ) {
        var value = first
        target[0] = value
        for index in 1..<max(1, count) {
            value = value &+ target[index]
            target[index] = value
        }
    }

    private static func dictionary<Value: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ cursor: inout BlockCursor, depth: Int
    ) throws(ColumnarError) -> [Value] {
        let size = try cursor.count(max: ValueDictionary.limit)
        let values = try decode(Value.self, count: size, &cursor, depth: depth + 1)
        let codes = try codes(count, below: size, &cursor, depth: depth + 1)
        return try filled(count, &cursor) { target, _ throws(ColumnarError) in
            values.withUnsafeBufferPointer { values in
                codes.withUnsafeBufferPointer { codes in
                    for index in 0..<count { target[index] = values[Int(codes[index])] }
                }
            }
        }
    }

    /// Codes, each checked to be less than `limit`.
    static func codes(
        _ count: Int, below limit: Int, _ cursor: inout BlockCursor, depth: Int = 0
    ) throws(ColumnarError) -> [UInt16] {
        let codes = try decode(UInt16.self, count: count, &cursor, depth: depth)
        var largest: UInt16 = 0
        for code in codes { largest = max(largest, code) }
        guard count == 0 || Int(largest) < limit else { throw cursor.corrupt("a code past the dictionary") }
        return codes
    }
}

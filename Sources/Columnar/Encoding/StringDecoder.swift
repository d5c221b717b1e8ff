#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads what `StringEncoder` wrote.
enum StringDecoder {
    /// Decodes `count` strings of a column of `type`; codes refer to `dictionary` where the part has one. Throws
    /// `.corrupt`.
    static func decode(
        type: DataType, count: Int, dictionary: ValueDictionary?, _ cursor: inout BlockCursor, depth: Int = 0
    ) throws(ColumnarError) -> ColumnData {
        let number = try cursor.uint8()
        switch Encoding(rawValue: number) {
        case .constant:
            let length = try cursor.count(max: cursor.remaining)
            let bytes = Array(try cursor.take(length))
            let value = Column(type: type, data: .string(StringData(bytes: bytes, offsets: [0, UInt32(length)])))
            return .constant(value: value, count: count)
        case .strings: return .string(try plain(count, &cursor))
        case .template: return .string(try template(count, &cursor))
        case .digits: return .string(try digits(count, &cursor))
        case .localDictionary:
            guard depth == 0 else { throw cursor.corrupt("a dictionary of a dictionary") }
            let size = try cursor.count(max: ValueDictionary.limit)
            let values = try decode(type: type, count: size, dictionary: nil, &cursor, depth: 1)
            let flat = Column(type: type.base, data: values).flattened()
            let codes = try IntegerDecoder.codes(count, below: size, &cursor)
            return .dictionary(DictionaryData(codes: codes, dictionary: ValueDictionary(values: flat)))
        case .partDictionary:
            guard let dictionary else { throw cursor.corrupt("codes without a dictionary") }
            let codes = try IntegerDecoder.codes(count, below: dictionary.values.count, &cursor)
            return .dictionary(DictionaryData(codes: codes, dictionary: dictionary))
        default: throw cursor.corrupt("encoding \(number) is none of strings")
        }
    }

    private static func plain(_ count: Int, _ cursor: inout BlockCursor) throws(ColumnarError) -> StringData {
        let offsets = try offsets(count, limit: cursor.buffer.count, &cursor)
        let total = Int(offsets[count])
        try cursor.allocate(total, size: 1)
        return StringData(bytes: Array(try cursor.take(total)), offsets: offsets)
    }

    /// Lengths summed up into offsets. Throws when they pass `limit`.
    static func offsets(
        _ count: Int, limit: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> [UInt32] {
        let lengths = try IntegerDecoder.decode(UInt32.self, count: count, &cursor)
        try cursor.allocate(count + 1, size: 4)
        var total: UInt64 = 0
        let offsets = [UInt32](unsafeUninitializedCapacity: count + 1) { buffer, filled in
            buffer.initializeElement(at: 0, to: 0)
            for row in 0..<count {
                total &+= UInt64(lengths[row])
                buffer.initializeElement(at: row + 1, to: UInt32(truncatingIfNeeded: total))
            }
            filled = count + 1
        }
        guard total <= UInt64(min(limit, Int(UInt32.max))) else { throw cursor.corrupt("lengths past the block") }
        return offsets
    }

    private static func template(_ count: Int, _ cursor: inout BlockCursor) throws(ColumnarError) -> StringData {
        let length = try cursor.count(max: EncodingFormat.maxTemplateBytes)
        let pattern = Array(try cursor.take(length))
        let bitmap = try cursor.take((length + 7) / 8)
        let varying = (0..<length).filter { bitmap[$0 / 8] >> UInt8($0 % 8) & 1 == 1 }
        let bytesPerRow = (varying.count + 1) / 2
        try cursor.allocate(count, size: length + 4)
        guard count * length <= Int(UInt32.max) else { throw cursor.corrupt("strings past 4 GiB") }
        let packed = try cursor.take(count * bytesPerRow)
        guard count > 0, length > 0 else {
            return StringData(bytes: [], offsets: [UInt32](repeating: 0, count: count + 1))
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: count * length) { buffer, filled in
            let target = UnsafeMutableRawBufferPointer(buffer)
            if varying.count == length && length % 8 == 0 {
                unpackWholeRows(packed, into: target)
            } else {
                unpack(packed, bytesPerRow, rows: count, pattern, varying, into: target)
            }
            filled = count * length
        }
        let offsets = [UInt32](unsafeUninitializedCapacity: count + 1) { buffer, filled in
            for row in 0...count { buffer.initializeElement(at: row, to: UInt32(row * length)) }
            filled = count + 1
        }
        return StringData(bytes: bytes, offsets: offsets)
    }

    /// Four bytes become eight digits at a time, in one register.
    private static func unpackWholeRows(_ packed: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        let low: UInt64 = 0x0F0F_0F0F_0F0F_0F0F
        for index in 0..<(packed.count / 4) {
            let word = UInt64(UInt32(littleEndian: packed.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self)))
            // Spread the four bytes to every second byte, then the high half of each before its low half.
            var spread = (word | (word << 16)) & 0x0000_FFFF_0000_FFFF
            spread = (spread | (spread << 8)) & 0x00FF_00FF_00FF_00FF
            let digits = ((spread >> 4) | (spread << 8)) & low
            // 0 … 9 become "0" … "9", 10 … 15 are 39 further on, at "a".
            let letters = ((digits &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
            let text = digits &+ 0x3030_3030_3030_3030 &+ letters &* 39
            target.storeBytes(of: text.littleEndian, toByteOffset: 8 &* index, as: UInt64.self)
        }
    }

    private static func unpack(
        _ packed: UnsafeRawBufferPointer, _ bytesPerRow: Int, rows: Int, _ pattern: [UInt8], _ varying: [Int],
        into target: UnsafeMutableRawBufferPointer
    ) {
        let text = HexDigits.text
        for row in 0..<rows {
            let start = row * pattern.count
            UnsafeMutableRawBufferPointer(rebasing: target[start..<start + pattern.count]).copyBytes(from: pattern)
            let place = row * bytesPerRow
            for index in 0..<varying.count {
                let pair = packed[place + index / 2]
                target[start + varying[index]] = text[Int(index % 2 == 0 ? pair >> 4 : pair & 15)]
            }
        }
    }

    private static func digits(_ count: Int, _ cursor: inout BlockCursor) throws(ColumnarError) -> StringData {
        let numbers = try IntegerDecoder.decode(Int64.self, count: count, &cursor)
        // 20 bytes hold any number and its sign.
        try cursor.allocate(count, size: 24)
        var result = StringData()
        result.bytes.reserveCapacity(count * 8)
        result.offsets.reserveCapacity(count + 1)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { scratch in
            for number in numbers {
                var rest = number.magnitude
                var start = 24
                repeat {
                    let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                    start -= 1
                    scratch[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
                    rest = quotient
                } while rest != 0
                if number < 0 {
                    start -= 1
                    scratch[start] = UInt8(ascii: "-")
                }
                result.bytes.append(contentsOf: scratch[start..<24])
                result.offsets.append(UInt32(result.bytes.count))
            }
        }
        return result
    }
}

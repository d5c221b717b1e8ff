import Columnar

/// One key column as bits: fixed-width values as they are, strings by number; above them one bit for NULL.
struct KeyEncoder {
    let type: DataType
    /// Bits of a value, the NULL bit included; 0 when values cannot be packed.
    let bits: Int
    let isString: Bool
    let strings = StringTable()
    private let valueBits: Int
    /// Code → string number of the dictionaries last met; `unmet` for values that no row had yet.
    private var dictionaries: [(dictionary: ValueDictionary, numbers: [UInt32])] = []
    private static let unmet = UInt32.max

    init(_ type: DataType) {
        self.type = type
        let physical = type.physical
        isString = physical == .string
        switch physical {
        case .int8, .uint8: valueBits = 8
        case .int16, .uint16: valueBits = 16
        case .int32, .uint32, .float32, .string: valueBits = 32
        case .int64, .uint64, .float64: valueBits = 64
        case .uint128: valueBits = 128
        case .array, .map, .tuple: valueBits = 0
        }
        bits = valueBits == 0 ? 0 : valueBits + (type.isNullable ? 1 : 0)
    }

    /// The string number of each row; NULL rows have any.
    mutating func stringNumbers(_ column: Column) -> [UInt32] {
        switch column.data {
        case .dictionary(let encoded):
            return numbers(of: encoded)
        case .constant(let value, let count):
            return [UInt32](repeating: stringNumbers(value).first ?? 0, count: count)
        case .string(let values): return numbers(of: values)
        default: preconditionFailure("BUG: a string key that is none")
        }
    }

    /// Numbers only the values that rows have: a number is a group, and a filter may have left no row of some value.
    private mutating func numbers(of encoded: DictionaryData) -> [UInt32] {
        let place = place(of: encoded.dictionary)
        guard case .string(let values) = encoded.dictionary.values.flattened().data else {
            preconditionFailure("BUG: a dictionary of strings that holds others")
        }
        let table = strings
        return dictionaries[place].numbers.withUnsafeMutableBufferPointer { numbers in
            encoded.codes.withUnsafeBufferPointer { codes in
                [UInt32](unsafeUninitializedCapacity: codes.count) { target, filled in
                    for row in 0..<codes.count {
                        let code = Int(codes[row])
                        if numbers[code] == Self.unmet { numbers[code] = Self.number(of: values, at: code, in: table) }
                        target.initializeElement(at: row, to: numbers[code])
                    }
                    filled = codes.count
                }
            }
        }
    }

    private mutating func place(of dictionary: ValueDictionary) -> Int {
        if let known = dictionaries.lastIndex(where: { $0.dictionary === dictionary }) { return known }
        if dictionaries.count >= 64 { dictionaries.removeFirst() }
        let unmet = [UInt32](repeating: Self.unmet, count: dictionary.values.count)
        dictionaries.append((dictionary, unmet))
        return dictionaries.count - 1
    }

    @inline(never)
    private static func number(of values: StringData, at row: Int, in table: StringTable) -> UInt32 {
        let start = Int(values.offsets[row])
        let length = Int(values.offsets[row + 1]) - start
        return values.bytes.withUnsafeBytes { bytes in
            var empty: UInt8 = 0
            return withUnsafeBytes(of: &empty) { none in
                guard let base = bytes.baseAddress ?? none.baseAddress else { return 0 }
                return table.number(base + start, length)
            }
        }
    }

    private func numbers(of values: StringData) -> [UInt32] {
        let table = strings
        let count = values.count
        return [UInt32](unsafeUninitializedCapacity: count) { target, filled in
            values.bytes.withUnsafeBytes { bytes in
                values.offsets.withUnsafeBufferPointer { offsets in
                    var empty: UInt8 = 0
                    withUnsafeBytes(of: &empty) { none in
                        guard let base = bytes.baseAddress ?? none.baseAddress else { return }
                        for row in 0..<count {
                            let start = Int(offsets[row])
                            let length = Int(offsets[row + 1]) &- start
                            target.initializeElement(at: row, to: table.number(base + start, length))
                        }
                    }
                }
            }
            filled = count
        }
    }

    // MARK: Packing

    /// Each row's bits in a word of its own.
    mutating func words(_ column: Column) -> [UInt64] {
        let flags = type.isNullable ? column.flattenedNulls : nil
        if case .constant(let value, let count) = column.data, flags == nil {
            return [UInt64](repeating: words(value).first ?? 0, count: count)
        }
        var result = plainWords(column)
        if let flags { markNulls(flags, in: &result, bit: valueBits) }
        return result
    }

    private mutating func plainWords(_ column: Column) -> [UInt64] {
        if isString { return widened(stringNumbers(column)) }
        switch column.flattened().data {
        case .int8(let values): return widened(values.map { UInt8(bitPattern: $0) })
        case .int16(let values): return widened(values.map { UInt16(bitPattern: $0) })
        case .int32(let values): return widened(values.map { UInt32(bitPattern: $0) })
        case .int64(let values): return values.map { UInt64(bitPattern: $0) }
        case .uint8(let values): return widened(values)
        case .uint16(let values): return widened(values)
        case .uint32(let values): return widened(values)
        case .uint64(let values): return values
        case .float32(let values): return values.map { UInt64($0.bitPattern) }
        case .float64(let values): return values.map { $0.bitPattern }
        default: preconditionFailure("BUG: a key of 64 bits that is none")
        }
    }

    private func widened<Value: FixedWidthInteger & UnsignedInteger>(_ values: [Value]) -> [UInt64] {
        values.map { UInt64(truncatingIfNeeded: $0) }
    }

    private func markNulls(_ flags: [UInt8], in words: inout [UInt64], bit: Int) {
        // A key with a NULL bit of its own has less than 64 value bits here, or it would be packed wide.
        for row in flags.indices where flags[row] != 0 { words[row] = 1 << UInt64(bit) }
    }

    /// Adds each row's bits, shifted, to `packed`.
    mutating func addWords(_ column: Column, shift: Int, to packed: inout [UInt64]) {
        let own = words(column)
        let shift = UInt64(shift)
        packed.withUnsafeMutableBufferPointer { packed in
            own.withUnsafeBufferPointer { own in
                for row in 0..<own.count { packed[row] |= own[row] &<< shift }
            }
        }
    }

    /// Adds each row's bits, shifted, to `packed`.
    mutating func addWides(_ column: Column, shift: Int, to packed: inout [UInt128]) {
        let flags = type.isNullable ? column.flattenedNulls : nil
        let amount = UInt128(shift)
        if valueBits == 128 {
            guard case .uint128(let values) = column.flattened().data else {
                preconditionFailure("BUG: a key of 128 bits that is none")
            }
            for row in values.indices { packed[row] |= values[row] << amount }
            return
        }
        let own = plainWords(column.data.isConstant ? column.flattened() : column)
        for row in own.indices {
            if let flags, flags[row] != 0 {
                packed[row] |= 1 << (amount + UInt128(valueBits))
            } else {
                packed[row] |= UInt128(own[row]) << amount
            }
        }
    }

    // MARK: Unpacking

    /// The column of values whose bits lie lowest in `fields`.
    func column<Key: FixedWidthInteger>(_ fields: [Key]) -> Column {
        var nulls: [UInt8]?
        if type.isNullable {
            let flags = fields.map { UInt8(truncatingIfNeeded: $0 &>> Key(truncatingIfNeeded: valueBits)) & 1 }
            if flags.contains(1) { nulls = flags }
        }
        if isString { return column(numbers: fields.map { UInt32(truncatingIfNeeded: $0) }, nulls: nulls) }
        let data: ColumnData
        switch type.physical {
        case .int8: data = .int8(fields.map { Int8(truncatingIfNeeded: $0) })
        case .int16: data = .int16(fields.map { Int16(truncatingIfNeeded: $0) })
        case .int32: data = .int32(fields.map { Int32(truncatingIfNeeded: $0) })
        case .int64: data = .int64(fields.map { Int64(truncatingIfNeeded: $0) })
        case .uint8: data = .uint8(fields.map { UInt8(truncatingIfNeeded: $0) })
        case .uint16: data = .uint16(fields.map { UInt16(truncatingIfNeeded: $0) })
        case .uint32: data = .uint32(fields.map { UInt32(truncatingIfNeeded: $0) })
        case .uint64: data = .uint64(fields.map { UInt64(truncatingIfNeeded: $0) })
        case .uint128: data = .uint128(fields.map { UInt128(truncatingIfNeeded: $0) })
        case .float32: data = .float32(fields.map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) })
        case .float64: data = .float64(fields.map { Double(bitPattern: UInt64(truncatingIfNeeded: $0)) })
        case .string, .array, .map, .tuple: preconditionFailure("BUG: no packed key")
        }
        return Column(type: type, data: data, nulls: nulls)
    }

    /// The strings with these numbers; empty where `nulls` says NULL.
    func column(numbers: [UInt32], nulls: [UInt8]?) -> Column {
        var result = StringData()
        result.bytes.reserveCapacity(strings.byteCount)
        result.offsets.reserveCapacity(numbers.count + 1)
        for (row, number) in numbers.enumerated() {
            if let nulls, nulls[row] != 0 {
                result.append([])
            } else {
                result.append(strings.string(Int(number)))
            }
        }
        return Column(type: type, data: .string(result), nulls: nulls)
    }
}

extension ColumnData {
    var isConstant: Bool {
        if case .constant = self { return true }
        return false
    }
}

/// Writes one granule of a column as a block (before compression).
enum ColumnEncoder {
    /// The block of `column`. Codes into `dictionary` stay codes; any other representation is looked at afresh.
    static func block(_ column: Column, dictionary: ValueDictionary?) -> [UInt8] {
        var builder = BlockBuilder()
        encode(column, dictionary: dictionary, to: &builder)
        return builder.bytes
    }

    /// Appends null marks and values.
    static func encode(_ column: Column, dictionary: ValueDictionary?, to builder: inout BlockBuilder) {
        var nulls = column.flattenedNulls
        if let flags = nulls {
            var kept = 0
            for flag in flags { kept += flag == 0 ? 1 : 0 }
            if kept == 0 && !flags.isEmpty {
                builder.uint8(NullsForm.all.rawValue)
                return
            }
            if kept == flags.count { nulls = nil }
        }
        NullMarks.encode(nulls, to: &builder)
        var dense = column
        if let nulls {
            // Only rows that have a value are stored.
            let mask = nulls.map { $0 ^ 1 }
            dense = column.filter(mask: mask, kept: mask.reduce(0) { $0 + Int($1) })
        }
        if case .dictionary(let encoded) = dense.data, let dictionary, encoded.dictionary === dictionary {
            builder.uint8(Encoding.partDictionary.rawValue)
            IntegerEncoder.encode(encoded.codes, to: &builder)
            return
        }
        encode(dense.flattened().data, to: &builder)
    }

    private static func encode(_ data: ColumnData, to builder: inout BlockBuilder) {
        switch data {
        case .int8(let values): IntegerEncoder.encode(values, to: &builder)
        case .int16(let values): IntegerEncoder.encode(values, to: &builder)
        case .int32(let values): IntegerEncoder.encode(values, to: &builder)
        case .int64(let values): IntegerEncoder.encode(values, to: &builder)
        case .uint8(let values): IntegerEncoder.encode(values, to: &builder)
        case .uint16(let values): IntegerEncoder.encode(values, to: &builder)
        case .uint32(let values): IntegerEncoder.encode(values, to: &builder)
        case .uint64(let values): IntegerEncoder.encode(values, to: &builder)
        case .uint128(let values):
            builder.uint8(Encoding.halves.rawValue)
            IntegerEncoder.encode(values.map { UInt64(truncatingIfNeeded: $0 >> 64) }, to: &builder)
            IntegerEncoder.encode(values.map { UInt64(truncatingIfNeeded: $0) }, to: &builder)
        case .float32(let values): FloatEncoding.encode(values, to: &builder)
        case .float64(let values): FloatEncoding.encode(values, to: &builder)
        case .string(let values): StringEncoder.encode(values, to: &builder)
        case .array(let values):
            appendLengths(values.offsets, to: &builder)
            encodeElements(values.elements, values.offsets, to: &builder)
        case .map(let values):
            appendLengths(values.offsets, to: &builder)
            encodeElements(values.keys, values.offsets, to: &builder)
            encodeElements(values.values, values.offsets, to: &builder)
        case .tuple, .dictionary, .constant: preconditionFailure("BUG: a column that cannot be stored")
        }
    }

    private static func appendLengths(_ offsets: [UInt32], to builder: inout BlockBuilder) {
        builder.uint8(Encoding.lists.rawValue)
        let lengths = (1..<max(1, offsets.count)).map { offsets[$0] - offsets[$0 - 1] }
        IntegerEncoder.encode(lengths, to: &builder)
    }

    private static func encodeElements(_ elements: Column, _ offsets: [UInt32], to builder: inout BlockBuilder) {
        let used = elements.slice(0..<Int(offsets[offsets.count - 1]))
        encode(used, dictionary: nil, to: &builder)
    }
}

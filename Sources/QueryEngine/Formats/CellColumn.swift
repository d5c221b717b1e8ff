import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A column's values as text: distinct values end to end, and which of them each row shows.
struct CellColumn {
    /// Which value stands in a row.
    enum Rows {
        /// Row `i` shows value `i`.
        case own
        /// Row `i` shows value `codes[i]`.
        case codes([UInt16])
        /// All rows show value 0.
        case constant
    }

    var bytes: [UInt8]
    /// One more than there are values.
    var offsets: [Int]
    var rows: Rows
    /// Rows that show `null` whatever `rows` says.
    var nulls: [UInt8]?
    var null: [UInt8]

    /// Adds each row's length to `lengths`, whose element `i + 1` is for row `i`.
    func addLengths(to lengths: inout [Int]) {
        for row in 0..<(lengths.count - 1) {
            let value = valueIndex(row)
            lengths[row + 1] += value < 0 ? null.count : offsets[value + 1] - offsets[value]
        }
    }

    /// The value row `row` shows; -1 for NULL.
    @inline(__always)
    private func valueIndex(_ row: Int) -> Int {
        if let nulls, nulls[row] != 0 { return -1 }
        switch rows {
        case .own: return row
        case .codes(let codes): return Int(codes[row])
        case .constant: return 0
        }
    }

    /// Copies `prefix` and each row's text to where `cursors` says, and moves the cursors on.
    func copy(prefix: [UInt8], to target: UnsafeMutableRawPointer, cursors: inout [Int]) {
        bytes.withUnsafeBytes { source in
            for row in 0..<cursors.count {
                var cursor = cursors[row]
                Self.put(prefix, at: &cursor, target)
                let value = valueIndex(row)
                if value < 0 {
                    Self.put(null, at: &cursor, target)
                } else {
                    let start = offsets[value]
                    let length = offsets[value + 1] - start
                    if length > 0, let base = source.baseAddress {
                        memcpy(target + cursor, base + start, length)
                        cursor += length
                    }
                }
                cursors[row] = cursor
            }
        }
    }

    @inline(__always)
    static func put(_ text: [UInt8], at cursor: inout Int, _ target: UnsafeMutableRawPointer) {
        text.withUnsafeBytes { source in
            guard let base = source.baseAddress, source.count > 0 else { return }
            memcpy(target + cursor, base, source.count)
            cursor += source.count
        }
    }

    /// The text of one row.
    func text(_ row: Int) -> ArraySlice<UInt8> {
        let value = valueIndex(row)
        return value < 0 ? null[...] : bytes[offsets[value]..<offsets[value + 1]]
    }
}

/// Makes `CellColumn`s of one column of a result, block by block; a dictionary's values are written once.
struct CellRenderer {
    private let writer: CellWriter
    private var dictionary: ValueDictionary?
    private var dictionaryCells: (bytes: [UInt8], offsets: [Int]) = ([], [0])

    init(type: DataType, style: CellStyle, settings: FormatSettings) {
        writer = CellWriter(type: type, style: style, settings: settings)
    }

    mutating func render(_ column: Column) -> CellColumn {
        let null = writer.style.null
        switch column.data {
        case .constant(let value, let count):
            var bytes: [UInt8] = []
            if count > 0 { writer.append(value, row: 0, to: &bytes) }
            return CellColumn(bytes: bytes, offsets: [0, bytes.count], rows: .constant, nulls: nil, null: null)
        case .dictionary(let encoded)
        where encoded.dictionary === dictionary || encoded.dictionary.values.count <= column.count * 2:
            if encoded.dictionary !== dictionary {
                dictionary = encoded.dictionary
                dictionaryCells = cells(encoded.dictionary.values.data, nulls: nil)
            }
            return CellColumn(
                bytes: dictionaryCells.bytes, offsets: dictionaryCells.offsets, rows: .codes(encoded.codes),
                nulls: column.nulls,
                null: null)
        default:
            let flat = column.flattened()
            let nulls = writer.type == .nothing ? [UInt8](repeating: 1, count: flat.count) : flat.nulls
            let cells = cells(flat.data, nulls: nulls)
            return CellColumn(bytes: cells.bytes, offsets: cells.offsets, rows: .own, nulls: nulls, null: null)
        }
    }

    private func cells(_ data: ColumnData, nulls: [UInt8]?) -> (bytes: [UInt8], offsets: [Int]) {
        var bytes: [UInt8] = []
        var offsets = [0]
        offsets.reserveCapacity(data.count + 1)
        switch data {
        case .string(let values): strings(values, &bytes, &offsets)
        case .int32(let values) where isBareNumber: integers(values, &bytes, &offsets)
        case .int64(let values) where isBareNumber: integers(values, &bytes, &offsets)
        case .uint8(let values) where isBareNumber: integers(values, &bytes, &offsets)
        case .uint16(let values) where isBareNumber: integers(values, &bytes, &offsets)
        case .uint32(let values) where isBareNumber: integers(values, &bytes, &offsets)
        case .uint64(let values) where isBareNumber: integers(values, &bytes, &offsets)
        default:
            bytes.reserveCapacity(data.count * 12)
            for row in 0..<data.count {
                // A NULL's value means nothing, and may be one that has no text.
                if nulls?[row] != 1 { writer.appendValue(data, row: row, to: &bytes) }
                offsets.append(bytes.count)
            }
        }
        return (bytes, offsets)
    }

    /// Whether values are plain digits in every row.
    private var isBareNumber: Bool {
        guard writer.type.isInteger, writer.style != .jsonString else { return false }
        guard writer.style.isJSON, writer.settings.quotes64BitIntegers else { return true }
        return writer.type != .int64 && writer.type != .uint64
    }

    private func integers(_ values: [some FixedWidthInteger], _ bytes: inout [UInt8], _ offsets: inout [Int]) {
        bytes.reserveCapacity(values.count * 6)
        for value in values {
            ValueText.append(integer: value, to: &bytes)
            offsets.append(bytes.count)
        }
    }

    private func strings(_ values: StringData, _ bytes: inout [UInt8], _ offsets: inout [Int]) {
        bytes.reserveCapacity(values.bytes.count + values.count * 2 + 16)
        values.bytes.withUnsafeBytes { source in
            for row in 0..<values.count {
                let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                writer.appendString(UnsafeRawBufferPointer(rebasing: source[range]), to: &bytes)
                offsets.append(bytes.count)
            }
        }
    }
}

/// Decides whether a string column of a part gets a dictionary, and makes it.
enum DictionaryBuilder {
    /// Bytes of values past which there is no dictionary: it is held in memory while the part is open.
    static let maxBytes = 4 << 20
    /// Rows looked at before all are.
    private static let sampleRows = 4096

    /// `column` as codes into a dictionary of its distinct values in bytewise order; nil when there are too many of
    /// them. `column` is of string type, in any representation.
    static func encode(_ column: Column) -> Column? {
        let rows = column.count
        guard rows > 0 else { return nil }
        switch column.data {
        case .dictionary(let encoded):
            guard case .string(let values) = encoded.dictionary.values.data else { return nil }
            return narrowed(column, encoded, values)
        case .string(let values): return intern(column, values)
        default: return nil
        }
    }

    /// Whether `distinct` values in `rows` rows are few enough.
    static func pays(distinct: Int, rows: Int, isHinted: Bool) -> Bool {
        distinct <= ValueDictionary.limit && (isHinted || distinct * 2 <= rows)
    }

    private static func intern(_ column: Column, _ values: StringData) -> Column? {
        let isHinted = column.type.isLowCardinality
        var interner = StringInterner(maxCount: ValueDictionary.limit)
        var codes: [UInt32] = []
        codes.reserveCapacity(values.count)
        let fits = values.bytes.withUnsafeBytes { bytes -> Bool in
            for row in 0..<values.count {
                let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                guard let code = interner.intern(UnsafeRawBufferPointer(rebasing: bytes[range])) else { return false }
                codes.append(code)
                if row == sampleRows && !isHinted && interner.count * 4 > sampleRows * 3 { return false }
                if interner.values.bytes.count > maxBytes { return false }
            }
            return true
        }
        guard fits, pays(distinct: interner.count, rows: values.count, isHinted: isHinted) else { return nil }
        return make(column, codes, interner.values)
    }

    /// A dictionary that came along, cut to the values that occur.
    private static func narrowed(_ column: Column, _ encoded: DictionaryData, _ values: StringData) -> Column? {
        let used = encoded.usedCodes(column.nulls)
        guard !used.isEmpty,
            pays(distinct: used.count, rows: encoded.codes.count, isHinted: column.type.isLowCardinality)
        else { return nil }
        let kept = values.gathered(used)
        guard kept.bytes.count <= maxBytes else { return nil }
        var newCodes = [UInt32](repeating: 0, count: values.count)
        for (new, old) in used.enumerated() { newCodes[Int(old)] = UInt32(new) }
        return make(column, encoded.codes.map { newCodes[Int($0)] }, kept)
    }

    private static func make(_ column: Column, _ codes: [UInt32], _ values: StringData) -> Column {
        let order = values.sortedRows()
        var ranks = [UInt16](repeating: 0, count: values.count)
        for (rank, row) in order.enumerated() { ranks[Int(row)] = UInt16(rank) }
        let dictionary = ValueDictionary(values: Column(type: column.type.base, data: .string(values.gathered(order))))
        let data = DictionaryData(codes: codes.map { ranks[Int($0)] }, dictionary: dictionary)
        return Column(type: column.type, data: .dictionary(data), nulls: column.nulls)
    }
}

extension DataType {
    /// Whether it says of itself that few values are distinct.
    var isLowCardinality: Bool {
        if case .lowCardinality = self { return true }
        return false
    }
}

/// A part as queries of a table see it: under the table's names and types, whatever the part's are.
struct PartSource: GranuleSource {
    let part: Part
    let stored: StoredDefinition

    var name: String { part.name }
    var partition: String? { part.footer.partition }
    var rowCount: Int { part.rowCount }
    var granuleCount: Int { part.granuleCount }

    var isSorted: Bool {
        let key = stored.sortingIndices.map { stored.ids[$0] }
        return part.footer.sortingKey.starts(with: key)
    }

    func rowCount(granule: Int) -> Int { Int(part.footer.granules[granule]) }

    func range(column: String, granule: Int) -> ValueRange? {
        guard let (index, column) = find(column) else { return nil }
        guard let column else { return defaultRange(index, rows: rowCount(granule: granule)) }
        let range = column.range(granule, rows: rowCount(granule: granule), nulls: Int(column.nullCounts[granule]))
        return range.flatMap { widened($0, column.type, stored.definition.columns[index].type) }
    }

    func range(column: String) -> ValueRange? {
        guard let (index, column) = find(column) else { return nil }
        guard let column else { return defaultRange(index, rows: rowCount) }
        var nulls = 0
        for count in column.nullCounts { nulls &+= Int(count) }
        let range = column.range(granuleCount, rows: rowCount, nulls: nulls)
        return range.flatMap { widened($0, column.type, stored.definition.columns[index].type) }
    }

    func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool {
        guard let (_, found) = find(column), let column = found, column.type.physical == .string,
            let granules = try part.granules(of: column, holding: value)
        else { return true }
        return granules[granule >> 6] >> UInt64(granule & 63) & 1 == 1
    }

    func dictionary(column: String) throws(ColumnarError) -> ValueDictionary? {
        guard let (_, column) = find(column), let column else { return nil }
        return try part.dictionary(column)
    }

    func storedBytes(column: String, granule: Int) -> Int {
        guard let (_, column) = find(column), let column else { return 0 }
        return Int(column.lengths[granule])
    }

    func read(column: String, granule: Int) throws(ColumnarError) -> Column {
        guard let (index, found) = find(column) else {
            throw ColumnarError(.unknownColumn, "table \(stored.definition.name) has no column \(column)")
        }
        let type = stored.definition.columns[index].type
        guard let found else { return Column.defaults(type: type, count: rowCount(granule: granule)) }
        return try part.read(found, granule: granule).converted(to: type)
    }

    /// The table's position of a column and what the part stores of it; nil when the table has none of the name.
    private func find(_ name: String) -> (index: Int, column: PartColumn?)? {
        guard let index = stored.index(of: name) else { return nil }
        return (index, part.column(stored.ids[index]))
    }

    private func defaultRange(_ index: Int, rows: Int) -> ValueRange? {
        let type = stored.definition.columns[index].type
        guard type.isSortable else { return nil }
        let value = type.defaultScalar
        return ValueRange(minimum: value, maximum: value, nullCount: value == .null ? rows : 0, isExact: true)
    }

    /// The range as the table's type has it; nil when the values change kind in a way that is not followed.
    private func widened(_ range: ValueRange, _ type: DataType, _ target: DataType) -> ValueRange? {
        if type.base == target.base { return range }
        guard let low = range.minimum.widened(to: target), let high = range.maximum.widened(to: target) else {
            return nil
        }
        return ValueRange(minimum: low, maximum: high, nullCount: range.nullCount, isExact: range.isExact)
    }
}

extension Scalar {
    /// The same value as a scalar of `type`; nil when it has another form there than is known here.
    fileprivate func widened(to type: DataType) -> Scalar? {
        if self == .null { return .null }
        switch (self, type.physical) {
        case (.int(let value), .float32), (.int(let value), .float64): return .float(Double(value))
        case (.uint(let value), .float32), (.uint(let value), .float64): return .float(Double(value))
        case (.int, .int8), (.int, .int16), (.int, .int32), (.int, .int64): return self
        case (.uint(let value), .int8), (.uint(let value), .int16), (.uint(let value), .int32),
            (.uint(let value), .int64):
            return Int64(exactly: value).map { .int($0) }
        case (.uint, .uint8), (.uint, .uint16), (.uint, .uint32), (.uint, .uint64): return self
        case (.float, .float32), (.float, .float64): return self
        default: return nil
        }
    }
}

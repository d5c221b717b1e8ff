// What everyone does to columns: take rows, put columns end to end, unfold constants and dictionaries. Each switches
// once on the data's case and then runs one generic loop.

extension Column {
    /// The same rows with neither constants nor dictionaries at the top level. O(rows) when there was one, else free.
    public func flattened() -> Column {
        switch data {
        case .constant(let value, let count):
            // One row taken `count` times.
            return Column(
                type: type, data: value.data.gathered([UInt32](repeating: 0, count: count)),
                nulls: repeatedNull(of: value, count: count))
        case .dictionary(let encoded):
            return Column(type: type, data: encoded.dictionary.values.data.gathered(encoded.codes), nulls: nulls)
        default:
            return self
        }
    }

    private func repeatedNull(of value: Column, count: Int) -> [UInt8]? {
        guard let flag = value.nulls?.first, flag != 0 else { return nil }
        return [UInt8](repeating: 1, count: count)
    }

    /// The rows in `range`, which must lie inside.
    public func slice(_ range: Range<Int>) -> Column {
        if range.lowerBound == 0 && range.upperBound == count { return self }
        return Column(type: type, data: data.sliced(range), nulls: nulls.map { Array($0[range]) })
    }

    /// The rows named by `rows`, in that order, repeats allowed; each must be less than `count`.
    public func gather(_ rows: [UInt32]) -> Column {
        Column(type: type, data: data.gathered(rows), nulls: nulls.map { gatherValues($0, rows) })
    }

    /// The rows whose byte in `mask` is 1; `kept` is how many those are.
    public func filter(mask: [UInt8], kept: Int) -> Column {
        precondition(mask.count == count, "BUG: a mask of \(mask.count) for \(count) rows")
        if kept == count { return self }
        if case .constant(let value, _) = data { return Column(type: type, data: .constant(value: value, count: kept)) }
        return gather(selectedRows(mask: mask, kept: kept))
    }

    /// Whether the value at `row` is NULL.
    public func isNull(at row: Int) -> Bool {
        if case .constant(let value, _) = data { return value.nulls?.first == 1 }
        guard let nulls else { return false }
        return nulls[row] != 0
    }

    /// Whether no row can be NULL.
    public var hasNoNulls: Bool {
        if case .constant(let value, _) = data { return value.nulls?.first != 1 }
        return nulls == nil
    }

    /// `columns` end to end as one column of `type`. Columns that share one dictionary keep it.
    public static func concatenate(_ columns: [Column], type: DataType) -> Column {
        if columns.count == 1, var only = columns.first {
            only.type = type
            return only
        }
        let rows = columns.reduce(0) { $0 + $1.count }
        let nulls = concatenatedNulls(columns, rows: rows)
        if let shared = concatenatedCodes(columns, rows: rows) {
            return Column(type: type, data: .dictionary(shared), nulls: nulls)
        }
        let flat = columns.map { $0.flattened().data }
        return Column(type: type, data: ColumnData.concatenated(flat, physical: type.physical), nulls: nulls)
    }

    private static func concatenatedNulls(_ columns: [Column], rows: Int) -> [UInt8]? {
        guard columns.contains(where: { !$0.hasNoNulls }) else { return nil }
        var nulls: [UInt8] = []
        nulls.reserveCapacity(rows)
        for column in columns {
            if let own = column.flattenedNulls {
                nulls += own
            } else {
                nulls += [UInt8](repeating: 0, count: column.count)
            }
        }
        return nulls
    }

    /// One null flag a row whatever the representation; nil when no row is NULL.
    public var flattenedNulls: [UInt8]? {
        if case .constant(let value, let count) = data {
            return value.nulls?.first == 1 ? [UInt8](repeating: 1, count: count) : nil
        }
        return nulls
    }

    private static func concatenatedCodes(_ columns: [Column], rows: Int) -> DictionaryData? {
        guard let first = columns.first, case .dictionary(let head) = first.data else { return nil }
        var codes: [UInt16] = []
        codes.reserveCapacity(rows)
        for column in columns {
            guard case .dictionary(let encoded) = column.data, encoded.dictionary === head.dictionary else {
                return nil
            }
            codes += encoded.codes
        }
        return DictionaryData(codes: codes, dictionary: head.dictionary)
    }

    /// Bytes the column holds in memory; a shared dictionary is counted in full.
    public var memoryBytes: Int { data.memoryBytes + (nulls?.count ?? 0) }
}

/// The indices at which `mask` is 1. `kept` is how many those are.
public func selectedRows(mask: [UInt8], kept: Int) -> [UInt32] {
    // One slot to spare: the store runs ahead of the count, without a branch on the mask.
    [UInt32](unsafeUninitializedCapacity: kept + 1) { buffer, filled in
        var next = 0
        for index in 0..<mask.count {
            buffer[min(next, kept)] = UInt32(truncatingIfNeeded: index)
            next &+= Int(mask[index] & 1)
        }
        precondition(next == kept, "BUG: \(next) rows kept, \(kept) announced")
        filled = kept
    }
}

@inlinable
func gatherValues<Value: BitwiseCopyable, Index: FixedWidthInteger>(_ values: [Value], _ rows: [Index]) -> [Value] {
    values.withUnsafeBufferPointer { source in
        [Value](unsafeUninitializedCapacity: rows.count) { target, filled in
            for position in 0..<rows.count {
                let row = Int(truncatingIfNeeded: rows[position])
                precondition(row >= 0 && row < source.count, "BUG: row past the column")
                target.initializeElement(at: position, to: source[row])
            }
            filled = rows.count
        }
    }
}

extension StringData {
    /// The rows named by `rows`, in that order.
    public func gathered<Index: FixedWidthInteger>(_ rows: [Index]) -> StringData {
        var offsets = [UInt32]()
        offsets.reserveCapacity(rows.count + 1)
        offsets.append(0)
        var total: UInt32 = 0
        for row in rows {
            let row = Int(truncatingIfNeeded: row)
            total += self.offsets[row + 1] - self.offsets[row]
            offsets.append(total)
        }
        let size = Int(total)
        guard size > 0 else { return StringData(bytes: [], offsets: offsets) }
        let bytes = self.bytes.withUnsafeBytes { source in
            [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
                let target = UnsafeMutableRawBufferPointer(buffer)
                for (position, row) in rows.enumerated() {
                    let row = Int(truncatingIfNeeded: row)
                    let range = Int(self.offsets[row])..<Int(self.offsets[row + 1])
                    guard !range.isEmpty else { continue }
                    let part = UnsafeRawBufferPointer(rebasing: source[range])
                    UnsafeMutableRawBufferPointer(rebasing: target[Int(offsets[position])...]).copyMemory(from: part)
                }
                filled = size
            }
        }
        return StringData(bytes: bytes, offsets: offsets)
    }

    /// The rows in `range`.
    public func sliced(_ range: Range<Int>) -> StringData {
        let start = offsets[range.lowerBound]
        let end = offsets[range.upperBound]
        return StringData(
            bytes: Array(bytes[Int(start)..<Int(end)]),
            offsets: offsets[range.lowerBound...range.upperBound].map { $0 &- start })
    }

    /// Adds all rows of `other`.
    public mutating func append(contentsOf other: StringData) {
        let base = offsets[offsets.count - 1]
        bytes.append(contentsOf: other.bytes[..<Int(other.offsets[other.count])])
        offsets.reserveCapacity(offsets.count + other.count)
        for row in 1..<(other.count + 1) { offsets.append(base + other.offsets[row]) }
    }
}

extension ArrayData {
    func gathered<Index: FixedWidthInteger>(_ rows: [Index]) -> ArrayData {
        let (offsets, picked) = gatheredElements(offsets: self.offsets, rows)
        return ArrayData(offsets: offsets, elements: elements.gather(picked))
    }

    func sliced(_ range: Range<Int>) -> ArrayData {
        let start = offsets[range.lowerBound]
        let end = offsets[range.upperBound]
        return ArrayData(
            offsets: offsets[range.lowerBound...range.upperBound].map { $0 &- start },
            elements: elements.slice(Int(start)..<Int(end)))
    }
}

extension MapData {
    func gathered<Index: FixedWidthInteger>(_ rows: [Index]) -> MapData {
        let (offsets, picked) = gatheredElements(offsets: self.offsets, rows)
        return MapData(offsets: offsets, keys: keys.gather(picked), values: values.gather(picked))
    }

    func sliced(_ range: Range<Int>) -> MapData {
        let start = offsets[range.lowerBound]
        let end = offsets[range.upperBound]
        return MapData(
            offsets: offsets[range.lowerBound...range.upperBound].map { $0 &- start },
            keys: keys.slice(Int(start)..<Int(end)), values: values.slice(Int(start)..<Int(end)))
    }
}

private func gatheredElements<Index: FixedWidthInteger>(offsets: [UInt32], _ rows: [Index]) -> (
    offsets: [UInt32], picked: [UInt32]
) {
    var result: [UInt32] = [0]
    result.reserveCapacity(rows.count + 1)
    var picked: [UInt32] = []
    for row in rows {
        let row = Int(truncatingIfNeeded: row)
        picked.append(contentsOf: offsets[row]..<offsets[row + 1])
        result.append(UInt32(picked.count))
    }
    return (result, picked)
}

extension ColumnData {
    func gathered<Index: FixedWidthInteger>(_ rows: [Index]) -> ColumnData {
        switch self {
        case .int8(let values): .int8(gatherValues(values, rows))
        case .int16(let values): .int16(gatherValues(values, rows))
        case .int32(let values): .int32(gatherValues(values, rows))
        case .int64(let values): .int64(gatherValues(values, rows))
        case .uint8(let values): .uint8(gatherValues(values, rows))
        case .uint16(let values): .uint16(gatherValues(values, rows))
        case .uint32(let values): .uint32(gatherValues(values, rows))
        case .uint64(let values): .uint64(gatherValues(values, rows))
        case .uint128(let values): .uint128(gatherValues(values, rows))
        case .float32(let values): .float32(gatherValues(values, rows))
        case .float64(let values): .float64(gatherValues(values, rows))
        case .string(let values): .string(values.gathered(rows))
        case .array(let values): .array(values.gathered(rows))
        case .map(let values): .map(values.gathered(rows))
        case .tuple(let fields): .tuple(fields.map { $0.gather(rows.map { UInt32($0) }) })
        case .dictionary(let encoded):
            .dictionary(DictionaryData(codes: gatherValues(encoded.codes, rows), dictionary: encoded.dictionary))
        case .constant(let value, _): .constant(value: value, count: rows.count)
        }
    }

    func sliced(_ range: Range<Int>) -> ColumnData {
        switch self {
        case .int8(let values): .int8(Array(values[range]))
        case .int16(let values): .int16(Array(values[range]))
        case .int32(let values): .int32(Array(values[range]))
        case .int64(let values): .int64(Array(values[range]))
        case .uint8(let values): .uint8(Array(values[range]))
        case .uint16(let values): .uint16(Array(values[range]))
        case .uint32(let values): .uint32(Array(values[range]))
        case .uint64(let values): .uint64(Array(values[range]))
        case .uint128(let values): .uint128(Array(values[range]))
        case .float32(let values): .float32(Array(values[range]))
        case .float64(let values): .float64(Array(values[range]))
        case .string(let values): .string(values.sliced(range))
        case .array(let values): .array(values.sliced(range))
        case .map(let values): .map(values.sliced(range))
        case .tuple(let fields): .tuple(fields.map { $0.slice(range) })
        case .dictionary(let encoded):
            .dictionary(DictionaryData(codes: Array(encoded.codes[range]), dictionary: encoded.dictionary))
        case .constant(let value, _): .constant(value: value, count: range.count)
        }
    }

    /// Bytes held in memory.
    var memoryBytes: Int {
        switch self {
        case .int8, .uint8: count
        case .int16, .uint16: 2 * count
        case .int32, .uint32, .float32: 4 * count
        case .int64, .uint64, .float64: 8 * count
        case .uint128: 16 * count
        case .string(let values): values.bytes.count + 4 * values.offsets.count
        case .array(let values): 4 * values.offsets.count + values.elements.memoryBytes
        case .map(let values): 4 * values.offsets.count + values.keys.memoryBytes + values.values.memoryBytes
        case .tuple(let fields): fields.reduce(0) { $0 + $1.memoryBytes }
        case .dictionary(let encoded): 2 * encoded.codes.count + encoded.dictionary.values.memoryBytes
        case .constant(let value, _): value.memoryBytes
        }
    }
}

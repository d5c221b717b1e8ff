import Columnar
import Synchronization

/// Results of one function call over whole dictionaries, kept so that all granules of a part share them.
final class DictionaryResults: Sendable {
    /// A call rarely meets more dictionaries at a time than there are parts being read.
    private static let limit = 16

    private struct Entry {
        let dictionary: ValueDictionary
        var results: MappedDictionary?
        /// Rows seen before the results were worth computing.
        var rowsSeen: Int
    }

    private let entries = Mutex<[Entry]>([])

    /// The results over `dictionary`: those kept, or `compute`d now; nil as long as the dictionary is larger than the
    /// rows seen of it, when going row by row costs less, or when `compute` has none.
    func results(
        _ dictionary: ValueDictionary, rowCount: Int, compute: () throws(QueryError) -> Column?
    ) throws(QueryError) -> MappedDictionary? {
        let isWorth = entries.withLock { entries -> (known: MappedDictionary?, now: Bool) in
            if let index = entries.firstIndex(where: { $0.dictionary === dictionary }) {
                if let known = entries[index].results { return (known, false) }
                entries[index].rowsSeen += rowCount
                return (nil, entries[index].rowsSeen >= dictionary.values.count)
            }
            if entries.count >= Self.limit { entries.removeFirst() }
            entries.append(Entry(dictionary: dictionary, results: nil, rowsSeen: rowCount))
            return (nil, rowCount >= dictionary.values.count)
        }
        if let known = isWorth.known { return known }
        guard isWorth.now else { return nil }
        // Computed outside the lock: at worst two threads do the same.
        guard let computed = try compute() else { return nil }
        let results = MappedDictionary(computed)
        return entries.withLock { entries in
            if let index = entries.firstIndex(where: { $0.dictionary === dictionary }) {
                if let first = entries[index].results { return first }
                entries[index].results = results
            }
            return results
        }
    }
}

/// What a function makes of each value of a dictionary.
struct MappedDictionary: Sendable {
    private let values: Column
    /// For strings: the distinct results, and which of them each old code becomes.
    private let dictionary: (values: ValueDictionary, codes: [UInt16])?

    init(_ values: Column) {
        self.values = values
        guard values.nulls == nil, case .string(let strings) = values.data else {
            dictionary = nil
            return
        }
        var codes: [UInt16] = []
        codes.reserveCapacity(strings.count)
        var known: [ArraySlice<UInt8>: UInt16] = [:]
        var distinct: [UInt32] = []
        for row in 0..<strings.count {
            let text = strings[row]
            if let code = known[text] {
                codes.append(code)
            } else {
                let code = UInt16(distinct.count)
                known[text] = code
                codes.append(code)
                distinct.append(UInt32(row))
            }
        }
        dictionary = (ValueDictionary(values: values.gather(distinct)), codes)
    }

    /// The results for rows with these codes.
    func column(codes: [UInt16], nulls: [UInt8]?, type: DataType) -> Column {
        if let dictionary {
            let mapped = mappedCodes(codes, dictionary.codes)
            let data = DictionaryData(codes: mapped, dictionary: dictionary.values)
            return Column(type: type, data: .dictionary(data), nulls: nulls)
        }
        if case .uint8(let table) = values.data, values.nulls == nil {
            return Column(type: type, data: .uint8(mappedCodes(codes, table)), nulls: nulls)
        }
        let gathered = values.gather(codes.map { UInt32($0) })
        return Column(type: type, data: gathered.data, nulls: joinedNulls(gathered.nulls, nulls))
    }
}

private func mappedCodes<Value: BitwiseCopyable>(_ codes: [UInt16], _ table: [Value]) -> [Value] {
    [Value](unsafeUninitializedCapacity: codes.count) { target, filled in
        codes.withUnsafeBufferPointer { codes in
            table.withUnsafeBufferPointer { table in
                for row in 0..<codes.count { target.initializeElement(at: row, to: table[Int(codes[row])]) }
            }
        }
        filled = codes.count
    }
}

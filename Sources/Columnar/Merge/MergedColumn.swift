/// One column of a merge: reads granules of the sources as the order asks for them and puts result granules
/// together. Holds one granule a source.
struct MergedColumn {
    private let sources: [MergeSource]
    private let index: Int
    private let type: DataType
    /// The dictionary of the result; nil when it has none.
    let dictionary: ValueDictionary?
    private let remaps: MergedDictionary?
    private var current: [Piece]

    private struct Piece {
        var granule = -1
        var row = 0
        var column: Column?
    }

    /// Throws `.corrupt`, `.disk`.
    init(_ sources: [MergeSource], index: Int) throws(ColumnarError) {
        self.sources = sources
        self.index = index
        type = sources[0].stored.definition.columns[index].type
        remaps = try MergedDictionary.make(sources, index: index)
        dictionary = remaps?.dictionary
        current = sources.map { _ in Piece() }
    }

    /// The rows of one result granule.
    mutating func granule(_ runs: ArraySlice<UInt32>) throws(ColumnarError) -> Column {
        if runs.count <= 8 {
            var pieces: [Column] = []
            for run in runs {
                pieces.append(try take(MergeOrder.count(run), from: MergeOrder.source(run)))
            }
            return Column.concatenate(pieces, type: type)
        }
        return try interleaved(runs)
    }

    /// Many short runs: the rows each source gives are cut out at once, then put in order by one gather.
    private mutating func interleaved(_ runs: ArraySlice<UInt32>) throws(ColumnarError) -> Column {
        // Rows are taken in the sources' own order, so what a granule of the result takes from a source is a few
        // stretches, each inside one granule of the source.
        var pieces: [Column] = []
        var starts: [Int] = []
        var total = 0
        // For each source: the stretch it is giving from, and how many rows of it are used up.
        var stretch = [Int](repeating: -1, count: sources.count)
        var pending = [Int](repeating: 0, count: sources.count)
        var rows: [UInt32] = []
        var left = remainingStretches(runs)
        for run in runs {
            let source = MergeOrder.source(run)
            let count = MergeOrder.count(run)
            if stretch[source] < 0 || pending[source] == 0 {
                let length = left[source].removeFirst()
                stretch[source] = pieces.count
                pending[source] = length
                starts.append(total)
                total += length
                pieces.append(try take(length, from: source))
            }
            let place = stretch[source]
            let used = pieces[place].count - pending[source]
            rows.append(contentsOf: UInt32(starts[place] + used)..<UInt32(starts[place] + used + count))
            pending[source] -= count
        }
        return Column.concatenate(pieces, type: type).gather(rows)
    }

    /// For each source, how many rows the runs take from its current granule, then from the next, and so on.
    private func remainingStretches(_ runs: ArraySlice<UInt32>) -> [[Int]] {
        var result = [[Int]](repeating: [], count: sources.count)
        var room = sources.indices.map { source -> Int in
            guard let column = current[source].column else { return 0 }
            return column.count - current[source].row
        }
        var granule = current.map(\.granule)
        for run in runs {
            let source = MergeOrder.source(run)
            let count = MergeOrder.count(run)
            if room[source] == 0 {
                repeat { granule[source] += 1 } while sources[source].rowCounts[granule[source]] == 0
                room[source] = sources[source].rowCounts[granule[source]]
                result[source].append(0)
            } else if result[source].isEmpty {
                result[source].append(0)
            }
            result[source][result[source].count - 1] += count
            room[source] -= count
        }
        return result
    }

    /// The next `count` rows of a source, which lie in one of its granules.
    private mutating func take(_ count: Int, from source: Int) throws(ColumnarError) -> Column {
        var piece = current[source]
        if piece.column == nil || piece.row == piece.column?.count {
            repeat { piece.granule += 1 } while sources[source].rowCounts[piece.granule] == 0
            var values = try sources[source].read(index, granule: piece.granule)
            if let remaps { values = try remaps.recode(values, source: source) }
            piece.column = values
            piece.row = 0
        }
        guard let column = piece.column, piece.row + count <= column.count else {
            preconditionFailure("BUG: a run past its granule")
        }
        let rows = column.slice(piece.row..<piece.row + count)
        piece.row += count
        if piece.row == column.count { piece.column = nil }
        current[source] = piece
        return rows
    }
}

/// The dictionary of a merged string column: the union of those of the sources, and how their codes become its.
struct MergedDictionary {
    let dictionary: ValueDictionary
    private let interner: StringInterner
    /// Code in the result of each code of the interner.
    private let ranks: [UInt32]
    /// For each source with a dictionary, its values' codes in the result.
    private var remaps: [[UInt16]?]
    private var sourceDictionaries: [ValueDictionary?]

    /// The union; nil when the column is no string, or too many values are distinct.
    static func make(_ sources: [MergeSource], index: Int) throws(ColumnarError) -> MergedDictionary? {
        guard let first = sources.first else { return nil }
        let definition = first.stored.definition.columns[index]
        guard definition.type.physical == .string else { return nil }
        let id = first.stored.ids[index]
        let rows = sources.reduce(0) { $0 + $1.rowCount }
        let coded = sources.filter { $0.part.column(id)?.dictionary != nil }
        let codedRows = coded.reduce(0) { $0 + $1.rowCount }
        // Sources that store the values plainly did so because too many were distinct, unless they are small.
        guard codedRows * 2 >= rows || definition.type.isLowCardinality else { return nil }
        var interner = StringInterner(maxCount: ValueDictionary.limit)
        var codes: [[UInt32]?] = []
        var dictionaries: [ValueDictionary?] = []
        for source in sources {
            if let column = source.part.column(id), column.type.physical == .string,
                let dictionary = try source.part.dictionary(column)
            {
                guard let own = interner.internAll(dictionary.values) else { return nil }
                codes.append(own)
                dictionaries.append(dictionary)
            } else {
                for granule in source.rowCounts.indices where source.rowCounts[granule] > 0 {
                    guard interner.internAll(try source.read(index, granule: granule)) != nil else { return nil }
                }
                codes.append(nil)
                dictionaries.append(nil)
            }
            if interner.values.bytes.count > DictionaryBuilder.maxBytes { return nil }
        }
        guard interner.count > 0,
            DictionaryBuilder.pays(distinct: interner.count, rows: rows, isHinted: definition.type.isLowCardinality)
        else { return nil }
        return MergedDictionary(interner, definition.type, codes, dictionaries)
    }

    private init(_ interner: StringInterner, _ type: DataType, _ codes: [[UInt32]?], _ dictionaries: [ValueDictionary?])
    {
        self.interner = interner
        let order = interner.values.sortedRows()
        var ranks = [UInt32](repeating: 0, count: interner.count)
        for (rank, row) in order.enumerated() { ranks[Int(row)] = UInt32(rank) }
        self.ranks = ranks
        dictionary = ValueDictionary(values: Column(type: type.base, data: .string(interner.values.gathered(order))))
        remaps = codes.map { own in own.map { $0.map { UInt16(ranks[Int($0)]) } } }
        sourceDictionaries = dictionaries
    }

    /// The column with codes of the result's dictionary.
    func recode(_ column: Column, source: Int) throws(ColumnarError) -> Column {
        if case .dictionary(let encoded) = column.data, let remap = remaps[source],
            encoded.dictionary === sourceDictionaries[source]
        {
            let data = DictionaryData(codes: encoded.codes.map { remap[Int($0)] }, dictionary: dictionary)
            return Column(type: column.type, data: .dictionary(data), nulls: column.nulls)
        }
        let flat = column.flattened()
        guard case .string(let values) = flat.data else { return column }
        var codes: [UInt16] = []
        codes.reserveCapacity(values.count)
        let isKnown = values.bytes.withUnsafeBytes { bytes -> Bool in
            for row in 0..<values.count {
                if flat.nulls?[row] == 1 {
                    codes.append(0)
                    continue
                }
                let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                guard let code = interner.find(UnsafeRawBufferPointer(rebasing: bytes[range])) else { return false }
                codes.append(UInt16(ranks[Int(code)]))
            }
            return true
        }
        precondition(isKnown, "BUG: a value that is not in the merged dictionary")
        return Column(
            type: column.type, data: .dictionary(DictionaryData(codes: codes, dictionary: dictionary)),
            nulls: flat.nulls)
    }
}

extension StringInterner {
    /// The codes of all values of a string column but NULLs (those get 0); nil when there are too many.
    fileprivate mutating func internAll(_ column: Column) -> [UInt32]? {
        let flat = column.flattened()
        guard case .string(let values) = flat.data else { return nil }
        var codes: [UInt32] = []
        codes.reserveCapacity(values.count)
        let fits = values.bytes.withUnsafeBytes { bytes -> Bool in
            for row in 0..<values.count {
                if flat.nulls?[row] == 1 {
                    codes.append(0)
                    continue
                }
                let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                guard let code = intern(UnsafeRawBufferPointer(rebasing: bytes[range])) else { return false }
                codes.append(code)
            }
            return true
        }
        return fits ? codes : nil
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// For each granule in which not every row counts: one byte a row, 1 where it does.
typealias RowMasks = [Int: [UInt8]]

/// Finds the latest version of each row among parts.
enum LatestRows {
    /// For each of `sources`, all sorted by key and version, the rows that are the latest of their key among them all.
    /// Versions that say that a row is gone count as such only with `keepsDeleted`. Throws `.corrupt`, `.disk`.
    static func masks(
        _ sources: [MergeSource], stored: StoredDefinition, keepsDeleted: Bool, isCancelled: () -> Bool = { false }
    ) throws(ColumnarError) -> [RowMasks] {
        guard let columns = Columns(stored) else { return sources.map { _ in [:] } }
        let order = try MergeOrderer.order(sources, keyIndices: stored.sortingIndices, isCancelled: isCancelled)
        var masks = sources.map { _ in RowMasks() }
        var cursors = sources.map { _ in Cursor() }
        /// The row before, and its key.
        var last: (source: Int, granule: Int, row: Int)?
        var lastKeys = StringData()
        for run in order.runs {
            let number = MergeOrder.source(run)
            let source = sources[number]
            while cursors[number].row == cursors[number].keys.count {
                try cursors[number].load(source, columns)
            }
            let cursor = cursors[number]
            let rows = cursor.row..<cursor.row + MergeOrder.count(run)
            for row in rows {
                let isSame: Bool
                if row > rows.lowerBound {
                    isSame = cursor.keys.equals(row - 1, cursor.keys, row)
                } else {
                    isSame = last.map { lastKeys.equals($0.row, cursor.keys, row) } ?? false
                }
                if isSame {
                    let older = row > rows.lowerBound ? (number, cursor.granule, row - 1) : last
                    if let (source, granule, row) = older { strike(&masks[source], granule, row, sources[source]) }
                }
                if !keepsDeleted, cursor.deleted[row] != 0 { strike(&masks[number], cursor.granule, row, source) }
            }
            last = (number, cursor.granule, rows.upperBound - 1)
            lastKeys = cursor.keys
            cursors[number].row = rows.upperBound
        }
        return masks
    }

    private static func strike(_ masks: inout RowMasks, _ granule: Int, _ row: Int, _ source: MergeSource) {
        masks[granule, default: [UInt8](repeating: 1, count: source.rowCounts[granule])][row] = 0
    }

    /// Where the columns stand in the table.
    struct Columns {
        let key: Int
        let deleted: Int

        init?(_ stored: StoredDefinition) {
            guard let key = stored.index(of: LatestColumns.key), let deleted = stored.index(of: LatestColumns.deleted)
            else { return nil }
            self.key = key
            self.deleted = deleted
        }
    }

    private struct Cursor {
        var granule = -1
        var row = 0
        var keys = StringData()
        var deleted: [UInt8] = []

        mutating func load(_ source: MergeSource, _ columns: Columns) throws(ColumnarError) {
            granule += 1
            guard granule < source.rowCounts.count else {
                throw ColumnarError(.corrupt, "\(source.part.path) ends before its rows do")
            }
            row = 0
            keys = try source.read(columns.key, granule: granule).strings()
            deleted = try source.read(columns.deleted, granule: granule).flags()
        }
    }

    /// Takes the rows of `part` away whose key is among `keys`, of which there are newer versions. `order` has the row
    /// numbers of `keys` in bytewise order. Throws `.corrupt`, `.disk`.
    static func strike(
        _ keys: StringData, order: [UInt32], from part: Part, stored: StoredDefinition, _ masks: inout RowMasks
    ) throws(ColumnarError) {
        guard let columns = Columns(stored), let column = part.column(stored.ids[columns.key]) else { return }
        var next = 0
        for granule in 0..<part.granuleCount {
            let rows = Int(part.footer.granules[granule])
            var end = order.count
            if case .string(let minimum)? = column.range(granule, rows: rows, nulls: 0)?.minimum {
                // Granules are in the order of their keys: what lies before this one lies before all that follow.
                next = keys.firstPlace(order, from: next) { !keys.precedes(Int($0), minimum) }
            }
            if case .string(let maximum)? = column.range(granule, rows: rows, nulls: 0)?.maximum {
                end = keys.firstPlace(order, from: next) { keys.follows(Int($0), maximum) }
            }
            if next == order.count { return }
            if end <= next { continue }
            let found = try part.read(column, granule: granule).strings()
            var low = 0
            for place in next..<end {
                let key = Int(order[place])
                low = found.firstRow(from: low) { found.compare($0, keys, key) >= 0 }
                while low < rows, found.compare(low, keys, key) == 0 {
                    masks[granule, default: [UInt8](repeating: 1, count: rows)][low] = 0
                    low += 1
                }
            }
        }
    }
}

extension Column {
    /// The values of a String column. Throws `.corrupt` when it is none.
    func strings() throws(ColumnarError) -> StringData {
        guard case .string(let values) = flattened().data else {
            throw ColumnarError(.corrupt, "a column of \(type) where keys are wanted")
        }
        return values
    }

    /// The values of a UInt8 column. Throws `.corrupt` when it is none.
    func flags() throws(ColumnarError) -> [UInt8] {
        guard case .uint8(let values) = flattened().data else {
            throw ColumnarError(.corrupt, "a column of \(type) where flags are wanted")
        }
        return values
    }
}

extension StringData {
    /// How row `row` compares with row `otherRow` of `other`, bytewise: less than 0, 0, more than 0.
    func compare(_ row: Int, _ other: StringData, _ otherRow: Int) -> Int {
        let (start, otherStart) = (Int(offsets[row]), Int(other.offsets[otherRow]))
        let (length, otherLength) = (Int(offsets[row + 1]) - start, Int(other.offsets[otherRow + 1]) - otherStart)
        let order = bytes.withUnsafeBytes { own in
            other.bytes.withUnsafeBytes { others -> Int in
                guard let base = own.baseAddress, let otherBase = others.baseAddress else { return 0 }
                return Int(memcmp(base + start, otherBase + otherStart, Swift.min(length, otherLength)))
            }
        }
        return order != 0 ? order : length - otherLength
    }

    func equals(_ row: Int, _ other: StringData, _ otherRow: Int) -> Bool {
        offsets[row + 1] - offsets[row] == other.offsets[otherRow + 1] - other.offsets[otherRow]
            && compare(row, other, otherRow) == 0
    }

    /// Whether the row comes before `bound`.
    fileprivate func precedes(_ row: Int, _ bound: [UInt8]) -> Bool { self[row].lexicographicallyPrecedes(bound) }

    /// Whether the row comes after `bound`.
    fileprivate func follows(_ row: Int, _ bound: [UInt8]) -> Bool { bound.lexicographicallyPrecedes(self[row]) }

    /// The first place of `order` from `from` on whose row passes; those before do not, those after do.
    fileprivate func firstPlace(_ order: [UInt32], from: Int, _ passes: (UInt32) -> Bool) -> Int {
        var (low, high) = (from, order.count)
        while low < high {
            let middle = (low + high) / 2
            if passes(order[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The same among the rows themselves.
    fileprivate func firstRow(from: Int, _ passes: (Int) -> Bool) -> Int {
        var (low, high) = (from, count)
        while low < high {
            let middle = (low + high) / 2
            if passes(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

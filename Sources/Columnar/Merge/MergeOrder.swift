/// In which order a merge takes rows from its sources: runs of rows, grouped into the granules of the result.
///
/// A run is one number: the source above, the count of rows (at most a granule) in the low 14 bits. Rows of one
/// source are taken in their own order and runs never span two of its granules, so nothing more is needed to replay
/// the order for each column.
struct MergeOrder: Sendable {
    private static let countBits: UInt32 = 14

    /// All runs, end to end.
    private(set) var runs: [UInt32] = []
    /// Where each granule's runs begin; one more at the end.
    private(set) var starts: [Int] = [0]
    /// Rows of each granule.
    private(set) var granules: [UInt32] = []
    private var rows = 0
    private var bytes = 0

    static func source(_ run: UInt32) -> Int { Int(run >> countBits) }
    static func count(_ run: UInt32) -> Int { Int(run & (1 << countBits - 1)) }

    /// Takes the next `count` rows of `source`, each about `rowBytes` large.
    mutating func take(_ count: Int, from source: Int, rowBytes: Int) {
        var left = count
        while left > 0 {
            let room = min(granuleRows - rows, max(1, (BlockLimits.granuleBytes - bytes) / max(1, rowBytes)))
            if room <= 0 || (rows > 0 && bytes + rowBytes > BlockLimits.granuleBytes) {
                endGranule()
                continue
            }
            let taken = min(left, room)
            runs.append(UInt32(source) << Self.countBits | UInt32(taken))
            rows += taken
            bytes += taken * rowBytes
            left -= taken
            if rows == granuleRows { endGranule() }
        }
    }

    /// Ends the last granule.
    mutating func finish() {
        if rows > 0 { endGranule() }
    }

    private mutating func endGranule() {
        granules.append(UInt32(rows))
        starts.append(runs.count)
        (rows, bytes) = (0, 0)
    }
}

/// Finds the order of a merge: which source has the smallest next row, again and again.
struct MergeOrderer {
    private let sources: [MergeSource]
    private let keyIndices: [Int]
    private var cursors: [Cursor] = []
    private var order = MergeOrder()

    /// Where one source stands.
    private struct Cursor {
        var source: Int
        var granule: Int
        var row = 0
        var rows: Int
        var rowBytes: Int
        var columns: [SortColumn]
    }

    private init(_ sources: [MergeSource], keyIndices: [Int]) {
        self.sources = sources
        self.keyIndices = keyIndices
    }

    /// The order of `sources`, each sorted by the columns at `keyIndices`; without such columns one source after
    /// the other. Throws `.corrupt`, `.disk`.
    static func order(
        _ sources: [MergeSource], keyIndices: [Int], isCancelled: () -> Bool
    ) throws(ColumnarError) -> MergeOrder {
        var orderer = MergeOrderer(sources, keyIndices: keyIndices)
        if keyIndices.isEmpty {
            for (number, source) in sources.enumerated() {
                for granule in source.rowCounts.indices where source.rowCounts[granule] > 0 {
                    orderer.order.take(
                        source.rowCounts[granule], from: number, rowBytes: source.rowBytes(granule: granule))
                }
            }
        } else {
            try orderer.run(isCancelled)
        }
        orderer.order.finish()
        return orderer.order
    }

    private mutating func run(_ isCancelled: () -> Bool) throws(ColumnarError) {
        for number in sources.indices {
            if let cursor = try load(number, from: 0) { insert(cursor) }
        }
        while var first = cursors.first {
            cursors.removeFirst()
            let end = cursors.first.map { Self.end(of: first, before: $0) } ?? first.rows
            order.take(end - first.row, from: first.source, rowBytes: first.rowBytes)
            first.row = end
            if end < first.rows {
                insert(first)
            } else if let next = try load(first.source, from: first.granule + 1) {
                if isCancelled() { throw ColumnarError.cancelled }
                insert(next)
            }
        }
    }

    /// A cursor at the first granule from `granule` on that has rows.
    private func load(_ number: Int, from granule: Int) throws(ColumnarError) -> Cursor? {
        let source = sources[number]
        for granule in granule..<max(granule, source.rowCounts.count) where source.rowCounts[granule] > 0 {
            var columns: [SortColumn] = []
            for index in keyIndices {
                columns += SortColumn.columnsWithNulls(of: try source.read(index, granule: granule))
            }
            return Cursor(
                source: number, granule: granule, rows: source.rowCounts[granule],
                rowBytes: source.rowBytes(granule: granule), columns: columns)
        }
        return nil
    }

    /// Keeps the cursors in the order of their next rows; of equal rows the lower source's first.
    private mutating func insert(_ cursor: Cursor) {
        var place = 0
        while place < cursors.count, Self.precedes(cursors[place], cursors[place].row, cursor) { place += 1 }
        cursors.insert(cursor, at: place)
    }

    /// Whether row `row` of `left` comes before the next row of `right`.
    private static func precedes(_ left: Cursor, _ row: Int, _ right: Cursor) -> Bool {
        let order = SortColumn.compare(left.columns, row, right.columns, right.row)
        return order < 0 || (order == 0 && left.source < right.source)
    }

    /// The first row of `first` that does not come before the next one of `second`; the row it stands at does.
    private static func end(of first: Cursor, before second: Cursor) -> Int {
        if precedes(first, first.rows - 1, second) { return first.rows }
        var low = first.row
        var step = 1
        while low + step < first.rows, precedes(first, low + step, second) {
            low += step
            step *= 2
        }
        var high = min(low + step, first.rows - 1)
        while low + 1 < high {
            let middle = (low + high) / 2
            if precedes(first, middle, second) { low = middle } else { high = middle }
        }
        return low + 1
    }
}

extension SortColumn {
    /// As `columns(of:)`, but with NULL flags whenever the type admits NULL, so that granules compare.
    static func columnsWithNulls(of column: Column) -> [SortColumn] {
        guard column.type.isNullable else { return columns(of: column) }
        let flags = column.flattenedNulls?.map { UInt64($0) } ?? [UInt64](repeating: 0, count: column.count)
        var bare = column.flattened()
        bare.nulls = nil
        return [SortColumn(keys: flags)] + columns(of: bare)
    }
}

extension ColumnarError {
    /// Thrown by long work that was told to stop.
    static let cancelled = ColumnarError(.disk, "stopped")
}

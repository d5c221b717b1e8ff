import Columnar

/// Collects rows for ORDER BY: all of them, or, with a limit, those that can still be among the first.
final class SortBuffer {
    private let items: [SelectPlan.SortItem]
    /// Where the sort keys lie among a frame's columns.
    private let keyColumns: [Int]
    private let limit: Int?
    private let limiter: SortLimiter?
    private let memory: MemoryScope
    private var frames: [Frame] = []
    private var rows = 0
    /// Rows that came in all.
    private(set) var rowsSeen: UInt64 = 0
    private var bytes = 0

    init(
        _ items: [SelectPlan.SortItem], keyColumns: [Int], limit: Int?, limiter: SortLimiter?, context: QueryContext
    ) {
        self.items = items
        self.keyColumns = keyColumns
        self.limit = limit
        self.limiter = limiter
        memory = MemoryScope(context.memory)
    }

    func add(_ frame: Frame) throws(QueryError) {
        rowsSeen += UInt64(frame.rowCount)
        try hold(frame)
    }

    private func hold(_ frame: Frame) throws(QueryError) {
        frames.append(frame)
        rows += frame.rowCount
        bytes += frame.columns.reduce(0) { $0 + $1.ownBytes }
        try memory.set(bytes)
        // Sorting costs: only when enough has come together.
        if let limit, rows > max(2 * limit, limit + 4 * granuleRows) || (limiter?.isActive == false && rows >= limit) {
            cut()
            try memory.set(bytes)
        }
    }

    /// Takes over another buffer's rows.
    func merge(_ other: SortBuffer) throws(QueryError) {
        rowsSeen += other.rowsSeen
        for frame in other.frames { try hold(frame) }
    }

    private func cut() {
        guard let limit, let whole = Self.joined(frames) else { return }
        let orders = self.orders(whole)
        let first = sortedRows(orders, count: whole.rowCount, first: limit)
        if first.count == limit, let last = first.last { limiter?.tighten(orders[0].prefixes[Int(last)]) }
        let kept = whole.gather(first)
        frames = [kept]
        rows = kept.rowCount
        bytes = kept.columns.reduce(0) { $0 + $1.ownBytes }
    }

    private func orders(_ frame: Frame) -> [RowOrder] {
        zip(items, keyColumns).map { item, column in
            RowOrder(frame.columns[column], descending: item.descending, nullsFirst: item.nullsFirst)
        }
    }

    /// All rows in order, or the first of them.
    func sorted(first wanted: Int? = nil) throws(QueryError) -> Frame? {
        guard let whole = Self.joined(frames) else { return nil }
        frames = []
        // Prefixes and row numbers of the sort.
        try memory.set(bytes + 28 * whole.rowCount)
        return whole.gather(sortedRows(orders(whole), count: whole.rowCount, first: wanted ?? limit))
    }

    /// The frames end to end; nil when there are none.
    static func joined(_ frames: [Frame]) -> Frame? {
        guard let first = frames.first else { return nil }
        if frames.count == 1 { return first }
        let columns = first.columns.indices.map { index in
            Column.concatenate(frames.map { $0.columns[index] }, type: first.columns[index].type)
        }
        return Frame(columns: columns, rowCount: frames.reduce(0) { $0 + $1.rowCount })
    }
}

extension Column {
    /// Bytes held, without a dictionary that others hold too.
    var ownBytes: Int {
        if case .dictionary(let encoded) = data { return 2 * encoded.codes.count + (nulls?.count ?? 0) }
        return memoryBytes
    }
}

import Columnar
import Synchronization

/// What ORDER BY … LIMIT n knows while it runs: rows that sort behind n others are not wanted. Shared by workers.
final class SortLimiter: Sendable {
    private let item: SelectPlan.SortItem
    /// The input columns the first sort item reads.
    let columns: [Int]
    /// The column by which granules are ordered; nil when none.
    let growingColumn: Int?
    private let worst = Atomic<UInt64>(.max)

    init(_ item: SelectPlan.SortItem) {
        self.item = item
        var found: Set<Int> = []
        item.expression.forEachColumn { found.insert($0) }
        columns = found.sorted()
        growingColumn = PruneCondition.growingColumn(item.expression)
    }

    /// Whether some bound is known.
    var isActive: Bool { worst.load(ordering: .relaxed) != .max }

    /// Whether rows with such a prefix are surely not wanted.
    func excludes(prefix: UInt64) -> Bool { prefix > worst.load(ordering: .relaxed) }

    /// Says that enough rows have at most this prefix.
    func tighten(_ prefix: UInt64) {
        // Not `Atomic.min`: it compares unsigned words as signed ones.
        var known = worst.load(ordering: .relaxed)
        while prefix < known {
            let (isDone, now) = worst.compareExchange(expected: known, desired: prefix, ordering: .relaxed)
            if isDone { return }
            known = now
        }
    }

    /// 1 where a row may be among the first.
    func mask(_ inputs: [Column], rowCount: Int, context: EvaluationContext) throws(QueryError) -> [UInt8] {
        let column = try item.expression.evaluate(inputs, rowCount: rowCount, context: context)
        let order = RowOrder(column, descending: item.descending, nullsFirst: item.nullsFirst)
        let bound = worst.load(ordering: .relaxed)
        return order.prefixes.map { unsafeBitCast($0 <= bound, to: UInt8.self) }
    }

    /// Orders the pieces so that those that can have the first rows are read first.
    func arrange(_ pieces: inout [TableScan.Piece], _ scan: TableScan) {
        guard let column = growingColumn, scan.context.limits.usesPruning else { return }
        var prefixes: [Int: [UInt64]] = [:]
        for index in Set(pieces.map(\.source)) {
            prefixes[index] = bestPrefixes(scan.sources[index], column, scan)
        }
        for index in pieces.indices {
            pieces[index].bestPrefix = prefixes[pieces[index].source]?[pieces[index].granule] ?? 0
        }
        pieces.sort { ($0.bestPrefix, $0.source, $0.granule) < ($1.bestPrefix, $1.source, $1.granule) }
    }

    private func bestPrefixes(_ source: any GranuleSource, _ column: Int, _ scan: TableScan) -> [UInt64] {
        let ranges = SourceRanges(source, columns: scan.columns, indices: [column], wholeSource: false)
        let none = [UInt64](repeating: 0, count: source.granuleCount)
        guard let bounds = ranges[column] else { return none }
        var inputs = [Column](repeating: emptyColumn, count: column)
        inputs.append(item.descending ? bounds.maximum : bounds.minimum)
        do throws(QueryError) {
            let values = try item.expression.evaluate(
                inputs, rowCount: source.granuleCount, context: scan.context.evaluation)
            let order = RowOrder(values, descending: item.descending, nullsFirst: item.nullsFirst)
            return order.prefixes.enumerated().map { granule, prefix in
                if bounds.isKnown[granule] == 0 { return 0 }
                let unordered = bounds.hasNoNulls[granule] == 0 || bounds.mayHoldNaN
                return item.nullsFirst && unordered ? 0 : prefix
            }
        } catch {
            return none
        }
    }
}

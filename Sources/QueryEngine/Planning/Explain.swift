import Columnar

/// Counts what pruning leaves out and why, for EXPLAIN.
final class PruneReport {
    private(set) var parts = 0
    private(set) var granules = 0
    private(set) var rows = 0
    private(set) var partsSkipped = 0
    /// Granules left out, by who said so and for which filter, in the order first met.
    private(set) var reasons: [(reason: String, filter: String, parts: Int, granules: Int)] = []

    func add(_ source: any GranuleSource) {
        parts += 1
        granules += source.granuleCount
        rows += source.rowCount
    }

    func skipSource(_ source: any GranuleSource, _ filter: ScanFilter) {
        partsSkipped += 1
        count(source.partition == nil ? "part min-max" : "partition", filter, parts: 1, granules: source.granuleCount)
    }

    func skipGranule(_ source: any GranuleSource, _ filter: ScanFilter, isSortingKey: Bool) {
        count(isSortingKey ? "sorting key" : "min-max", filter, parts: 0, granules: 1)
    }

    func skipGranule(_ filter: ScanFilter, byDictionary: Bool) {
        count(byDictionary ? "dictionary" : "Bloom filter", filter, parts: 0, granules: 1)
    }

    private func count(_ reason: String, _ filter: ScanFilter, parts: Int, granules: Int) {
        if let index = reasons.firstIndex(where: { $0.reason == reason && $0.filter == filter.text }) {
            reasons[index].parts += parts
            reasons[index].granules += granules
        } else {
            reasons.append((reason, filter.text, parts, granules))
        }
    }
}

/// Writes a plan as indented lines, the last operator first.
struct PlanText {
    let plan: SelectPlan
    let columns: [(name: String, type: DataType)]
    let context: QueryContext
    let scan: TableScan?

    func lines(indent: Int) throws(QueryError) -> [String] {
        var lines: [String] = []
        var level = indent
        func add(_ text: String) {
            lines.append(String(repeating: " ", count: level) + text)
            level += 2
        }
        if plan.limit != nil || plan.offset > 0 {
            let limit = plan.limit.map { "Limit \($0)" } ?? "Limit"
            add(plan.offset > 0 ? "\(limit), offset \(plan.offset)" : limit)
        }
        if let limitBy = plan.limitBy { add("Limit \(limitBy.limit) by \(limitBy.columns.count) columns") }
        if !plan.orderBy.isEmpty {
            let items = plan.orderBy.map { $0.text + ($0.descending ? " DESC" : "") }
            let top = plan.limit != nil && plan.limitBy == nil && !plan.isDistinct
            add("\(top ? "Sort, top rows" : "Sort") by \(items.joined(separator: ", "))")
        }
        if plan.isDistinct { add("Distinct") }
        add("Project \(columns.map(\.name).joined(separator: ", "))")
        if plan.having != nil { add("Filter groups (HAVING)") }
        if let aggregation = plan.aggregation {
            let keys = aggregation.keyTexts.isEmpty ? "" : " by \(aggregation.keyTexts.joined(separator: ", "))"
            let calls = aggregation.aggregates.map(\.text).joined(separator: ", ")
            add("Aggregate\(keys)\(calls.isEmpty ? "" : ": \(calls)")\(aggregation.withTotals ? ", with totals" : "")")
        }
        if !plan.lateFilters.isEmpty { add("Filter elements") }
        if !plan.arrayJoins.isEmpty { add("Array join") }
        switch plan.source {
        case .table(let name, _): lines += try tableLines(name, level)
        case .subquery(let executor):
            for filter in plan.filterTexts { add("Filter \(filter)") }
            lines += try executor.explain(indent: level)
        }
        return lines
    }

    private func tableLines(_ name: String, _ level: Int) throws(QueryError) -> [String] {
        guard let scan else { return [] }
        let space = String(repeating: " ", count: level)
        let detail = space + "  "
        var lines = ["\(space)Read \(name)"]
        let report = PruneReport()
        let pieces = try scan.pieces(report)
        var read = 0
        var rows = 0
        for piece in pieces {
            if let excluded = try scan.excluding(piece) {
                report.skipGranule(excluded.filter, byDictionary: excluded.byDictionary)
            } else {
                read += 1
                rows += scan.sources[piece.source].rowCount(granule: piece.granule)
            }
        }
        let columns = scan.output.map { scan.columns[$0].name }
        if !columns.isEmpty { lines.append("\(detail)Columns: \(columns.joined(separator: ", "))") }
        if !scan.filters.isEmpty {
            lines.append("\(detail)Filters, in order: \(scan.filters.map(\.text).joined(separator: "; "))")
        }
        lines.append("\(detail)Parts: \(report.parts - report.partsSkipped) of \(report.parts)")
        lines.append("\(detail)Granules: \(read) of \(report.granules) (\(rows) of \(report.rows) rows)")
        for item in report.reasons {
            let parts = item.parts > 0 ? " (\(item.parts) parts)" : ""
            lines.append("\(detail)Skipped by \(item.reason): \(item.granules)\(parts), for \(item.filter)")
        }
        return lines
    }
}

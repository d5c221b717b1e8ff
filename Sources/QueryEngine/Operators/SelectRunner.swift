import Columnar

/// Runs one SELECT (one branch of a UNION ALL).
final class SelectRunner {
    private(set) var plan: SelectPlan
    let columns: [(name: String, type: DataType)]
    private let context: QueryContext
    private(set) var rowsBeforeLimit: UInt64?
    private(set) var totals: Block?

    init(_ plan: SelectPlan, context: QueryContext) {
        var plan = plan
        Self.distinctAsGrouping(&plan)
        self.plan = plan
        self.context = context
        columns = plan.projections.map { ($0.name, $0.expression.type) }
    }

    /// SELECT DISTINCT is GROUP BY without aggregates: codes stay codes, and all threads take part.
    private static func distinctAsGrouping(_ plan: inout SelectPlan) {
        guard plan.isDistinct, plan.aggregation == nil, plan.having == nil, plan.limitBy == nil,
            plan.orderBy.allSatisfy({ $0.projection != nil })
        else { return }
        plan.isDistinct = false
        plan.aggregation = SelectPlan.Aggregation(
            keys: plan.projections.map(\.expression), keyTexts: plan.projections.map(\.name), aggregates: [],
            withTotals: false)
        for index in plan.projections.indices {
            let type = plan.projections[index].expression.type
            plan.projections[index].expression = .column(index: index, type: type)
        }
        for index in plan.orderBy.indices {
            if let projection = plan.orderBy[index].projection {
                plan.orderBy[index].expression = plan.projections[projection].expression
            }
        }
    }

    /// Says that only these result columns are wanted: the others come as defaults.
    func restrict(to wanted: Set<Int>) {
        guard !plan.isDistinct else { return }
        // A group key that is not wanted still makes groups; what it costs is its projection alone.
        for index in plan.projections.indices where !wanted.contains(index) {
            if plan.orderBy.contains(where: { $0.projection == index }) { continue }
            let type = plan.projections[index].expression.type
            plan.projections[index].expression = .constant(type.defaultScalar, type)
        }
        guard var aggregation = plan.aggregation, plan.having == nil else { return }
        var used: Set<Int> = []
        for expression in outputExpressions { expression.forEachColumn { used.insert($0) } }
        let leaders = Set(aggregation.aggregates.compactMap(\.sharedWith))
        for index in aggregation.aggregates.indices
        where !used.contains(aggregation.keys.count + index) && !leaders.contains(index) {
            aggregation.aggregates[index].sharedWith = nil
            aggregation.aggregates[index].arguments = []
            aggregation.aggregates[index].function = AggregateFunction(
                name: "count", resultType: .uint64, countsRows: true, makeState: { CountState() })
        }
        plan.aggregation = aggregation
    }

    private var outputExpressions: [BoundExpression] {
        plan.projections.map(\.expression) + plan.orderBy.map(\.expression) + (plan.limitBy?.columns ?? [])
            + (plan.having.map { [$0] } ?? [])
    }

    /// The source's columns that operators above the scan read.
    private var neededColumns: [Int] {
        var found: Set<Int> = []
        var expressions = plan.arrayJoins + plan.lateFilters
        if let aggregation = plan.aggregation {
            expressions += aggregation.keys + aggregation.aggregates.flatMap(\.arguments)
        } else {
            expressions += outputExpressions
        }
        for expression in expressions { expression.forEachColumn { found.insert($0) } }
        let count = plan.source.columns.count
        return found.filter { $0 < count }.sorted()
    }

    // MARK: Running

    /// Rows that are enough when they come in order, or nil when all must be seen.
    private var wantedRows: Int? {
        guard let limit = plan.limit, plan.limitBy == nil, !plan.isDistinct else { return nil }
        let (total, overflow) = limit.addingReportingOverflow(plan.offset)
        return overflow ? nil : total
    }

    func run(
        while isWanted: () -> Bool, _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) {
        try context.checkpoint()
        if plan.limit == 0 && !(plan.aggregation?.withTotals ?? false) { return }
        let writer = SelectOutput(plan, columns: columns, context: context)
        if plan.aggregation != nil {
            try runAggregation(writer, emit)
        } else if plan.orderBy.isEmpty {
            try runPlain(writer, while: isWanted, emit)
        } else {
            try runSorted(writer, emit)
        }
        if plan.limit != nil && rowsBeforeLimit == nil { rowsBeforeLimit = writer.rowsBeforeLimit }
    }

    private func scan() -> TableScan? {
        guard case .table(_, let snapshot) = plan.source else { return nil }
        return TableScan(
            snapshot, filters: Array(zip(plan.filters, plan.filterTexts)), output: neededColumns, context: context)
    }

    private func input(limiter: SortLimiter? = nil) throws(QueryError) -> FrameInput {
        let needed = neededColumns
        switch plan.source {
        case .subquery(let executor):
            var wanted = Set(needed)
            for filter in plan.filters { filter.forEachColumn { wanted.insert($0) } }
            executor.restrict(to: wanted)
            return FrameInput(origin: .subquery(executor), plan: plan, context: context, needed: needed)
        case .table:
            guard let scan = scan() else { preconditionFailure("BUG: a table without a scan") }
            var pieces = try scan.pieces()
            limiter?.arrange(&pieces, scan)
            return FrameInput(
                origin: .table(scan, pieces), plan: plan, context: context, needed: needed, limiter: limiter)
        }
    }

    private func runPlain(
        _ writer: SelectOutput, while isWanted: () -> Bool, _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) {
        let projector = Projector(plan, context: context)
        try input().stream(
            map: { (frame) throws(QueryError) in try projector.project(frame) },
            consume: { (frame) throws(QueryError) in
                let more = try writer.write(try writer.distinctRows(frame), emit)
                return more && isWanted()
            })
    }

    private func runSorted(
        _ writer: SelectOutput, _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) {
        let projector = Projector(plan, context: context)
        let limit = wantedRows
        let (items, context) = (plan.orderBy, context)
        if plan.isDistinct {
            let buffer = SortBuffer(
                items, keyColumns: projector.sortColumns, limit: nil, limiter: nil, context: context)
            try input().stream(
                map: { (frame) throws(QueryError) in try projector.project(frame) },
                consume: { (frame) throws(QueryError) in
                    let fresh = try writer.distinctRows(frame)
                    if fresh.rowCount > 0 { try buffer.add(fresh) }
                    return true
                })
            if let sorted = try buffer.sorted() { _ = try writer.write(sorted, emit) }
            return
        }
        // A HAVING without groups filters behind the scan: what the scan saw is then no bound.
        let limiter = limit != nil && plan.having == nil && plan.arrayJoins.isEmpty ? SortLimiter(items[0]) : nil
        let buffers = try input(limiter: limiter).fold(
            make: {
                SortBuffer(items, keyColumns: projector.sortColumns, limit: limit, limiter: limiter, context: context)
            },
            body: { (buffer, frame) throws(QueryError) in
                if let projected = try projector.project(frame) { try buffer.add(projected) }
            })
        guard let first = buffers.first else { return }
        for other in buffers.dropFirst() { try first.merge(other) }
        if limit != nil { rowsBeforeLimit = first.rowsSeen }
        if let sorted = try first.sorted() { _ = try writer.write(sorted, emit) }
    }

    private func runAggregation(
        _ writer: SelectOutput, _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) {
        guard let aggregation = plan.aggregation else { return }
        let context = context
        let base = Aggregator(aggregation, context: context)
        var input = try input()
        if case .table(let scan, let pieces) = input.origin {
            input = FrameInput(
                origin: .table(scan, try answeredByMetadata(scan, pieces, base)), plan: plan, context: context,
                needed: neededColumns)
        }
        // Without aggregates and order any groups will do.
        let enough = aggregation.aggregates.isEmpty && plan.orderBy.isEmpty && plan.having == nil ? wantedRows : nil
        var parts = try input.fold(
            make: { Aggregator(aggregation, context: context) },
            isDone: { part in enough.map { part.count >= $0 } ?? false },
            body: { (part, frame) throws(QueryError) in try part.add(frame) })
        parts.append(base)
        guard let merged = try Aggregator.merged(parts) else { return }
        try finish(merged, withTotals: aggregation.withTotals, writer, emit)
    }

    /// Adds granules whose metadata tell all there is to know; returns the others.
    private func answeredByMetadata(
        _ scan: TableScan, _ pieces: [TableScan.Piece], _ aggregator: Aggregator
    ) throws(QueryError) -> [TableScan.Piece] {
        guard context.limits.usesPruning, let metadata = MetadataAggregation(plan, scan.columns) else { return pieces }
        var rest: [TableScan.Piece] = []
        for piece in pieces {
            let source = scan.sources[piece.source]
            if piece.open.isEmpty,
                try metadata.add(source, granule: piece.granule, columns: scan.columns, to: aggregator)
            {
                try context.countRead(rows: source.rowCount(granule: piece.granule), granules: 0)
            } else {
                rest.append(piece)
            }
        }
        return rest
    }

    private func finish(
        _ aggregator: Aggregator, withTotals: Bool, _ writer: SelectOutput,
        _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) {
        let projector = Projector(plan, context: context)
        let memory = MemoryScope(context.memory)
        let result = aggregator.result()
        try memory.set(result.columns.reduce(0) { $0 + $1.ownBytes })
        let mask = try projector.havingMask(result)
        let rows = result.filter(mask)
        if rows.rowCount > 0 {
            var projected = try writer.distinctRows(try projector.columns(rows))
            if !plan.orderBy.isEmpty {
                let buffer = SortBuffer(
                    plan.orderBy, keyColumns: projector.sortColumns, limit: nil, limiter: nil, context: context)
                try buffer.add(projected)
                rowsBeforeLimit = plan.limit == nil ? nil : UInt64(projected.rowCount)
                projected = try buffer.sorted(first: wantedRows) ?? projected
            }
            if plan.limit != 0 { _ = try writer.write(projected, emit) }
        }
        if withTotals {
            totals = writer.block(try projector.columns(aggregator.totals(mask: mask)))
        }
    }

    // MARK: Explaining

    func explain(indent: Int) throws(QueryError) -> [String] {
        try PlanText(plan: plan, columns: columns, context: context, scan: scan()).lines(indent: indent)
    }
}

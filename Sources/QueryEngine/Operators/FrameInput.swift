import Columnar

/// Gives the operators above their rows: from a table by several threads, or from a subquery.
struct FrameInput {
    enum Origin {
        case table(TableScan, [TableScan.Piece])
        case subquery(SelectExecutor)
    }

    let origin: Origin
    let plan: SelectPlan
    let context: QueryContext
    /// The input columns that operators above read.
    let needed: [Int]
    /// Set for ORDER BY … LIMIT.
    var limiter: SortLimiter?

    /// How many threads are worth it.
    private func threads(_ pieces: Int) -> Int { pieces < 3 ? 1 : min(context.limits.threads, pieces) }

    /// Feeds each worker's own state with frames, in no order. Throws the first failure of any.
    func fold<State>(
        make: @escaping @Sendable () -> State,
        isDone: @escaping @Sendable (State) -> Bool = { _ in false },
        body: @escaping @Sendable (inout State, Frame) throws(QueryError) -> Void
    ) throws(QueryError) -> [State] {
        let stages = RowStages(plan: plan, context: context, needed: needed)
        switch origin {
        case .table(let scan, let pieces):
            let limiter = limiter
            return try forEachPiece(count: pieces.count, threads: threads(pieces.count), make: make) {
                (state, index) throws(QueryError) in
                if isDone(state) { return }
                guard let frame = try scan.frame(pieces[index], limiter: limiter) else { return }
                guard let ready = try stages.apply(frame) else { return }
                try body(&state, ready)
            }
        case .subquery(let executor):
            var state = make()
            try executor.run { (block) throws(QueryError) in
                try context.checkpoint()
                if isDone(state) { return }
                let frame = Frame(columns: block.columns, rowCount: block.rowCount)
                guard let filtered = try stages.filter(frame), let ready = try stages.apply(filtered) else { return }
                try body(&state, ready)
            }
            return [state]
        }
    }

    /// Maps frames in several threads and hands the results over in the order of the rows, in the calling thread.
    /// Stops when `consume` returns false.
    func stream(
        map: @escaping @Sendable (Frame) throws(QueryError) -> Frame?, consume: (Frame) throws(QueryError) -> Bool
    ) throws(QueryError) {
        let stages = RowStages(plan: plan, context: context, needed: needed)
        switch origin {
        case .table(let scan, let pieces):
            // Rounds grow, so that a small LIMIT reads little and a large result keeps all threads busy.
            var start = 0
            var size = 1
            while start < pieces.count {
                let round = start..<min(start + size, pieces.count)
                let results = try forEachPiece(
                    count: round.count, threads: threads(round.count), make: { [(Int, Frame)]() },
                    body: { (state, index) throws(QueryError) in
                        guard let frame = try scan.frame(pieces[round.lowerBound + index]) else { return }
                        guard let ready = try stages.apply(frame), let mapped = try map(ready) else { return }
                        state.append((index, mapped))
                    })
                for (_, frame) in results.joined().sorted(by: { $0.0 < $1.0 }) where !(try consume(frame)) { return }
                start = round.upperBound
                size = min(size * 2, max(8, context.limits.threads * 4))
            }
        case .subquery(let executor):
            var isOver = false
            try executor.run(
                while: { !isOver },
                { (block) throws(QueryError) in
                    try context.checkpoint()
                    if isOver { return }
                    let frame = Frame(columns: block.columns, rowCount: block.rowCount)
                    guard let filtered = try stages.filter(frame), let ready = try stages.apply(filtered) else {
                        return
                    }
                    if let mapped = try map(ready), !(try consume(mapped)) { isOver = true }
                })
        }
    }
}

/// What happens to rows between being read and being grouped, sorted or given out: filters, arrayJoin.
struct RowStages: Sendable {
    private let filters: [BoundExpression]
    private let arrayJoins: [BoundExpression]
    private let lateFilters: [BoundExpression]
    private let evaluation: EvaluationContext
    private let needed: [Int]

    init(plan: SelectPlan, context: QueryContext, needed: [Int]) {
        filters = plan.filters
        arrayJoins = plan.arrayJoins
        lateFilters = plan.lateFilters
        evaluation = context.evaluation
        self.needed = needed
    }

    /// WHERE over rows that no scan has filtered.
    func filter(_ frame: Frame) throws(QueryError) -> Frame? { try filtered(frame, filters) }

    /// arrayJoin and the filters behind it.
    func apply(_ frame: Frame) throws(QueryError) -> Frame? {
        if arrayJoins.isEmpty { return frame.rowCount > 0 ? frame : nil }
        var frame = frame
        for array in arrayJoins { frame = try exploded(frame, array) }
        return try filtered(frame, lateFilters)
    }

    private func filtered(_ frame: Frame, _ filters: [BoundExpression]) throws(QueryError) -> Frame? {
        var frame = frame
        for filter in filters {
            if frame.rowCount == 0 { return nil }
            let mask = truthMask(
                try filter.evaluate(frame.columns, rowCount: frame.rowCount, context: evaluation))
            frame = frame.filter(mask)
        }
        return frame.rowCount == 0 ? nil : frame
    }

    private func exploded(_ frame: Frame, _ array: BoundExpression) throws(QueryError) -> Frame {
        let column = try array.evaluate(frame.columns, rowCount: frame.rowCount, context: evaluation).flattened()
        guard case .array(let arrays) = column.data else { preconditionFailure("BUG: arrayJoin of \(column.type)") }
        var rows: [UInt32] = []
        rows.reserveCapacity(Int(arrays.offsets[arrays.count]))
        for row in 0..<frame.rowCount {
            for _ in arrays.offsets[row]..<arrays.offsets[row + 1] { rows.append(UInt32(row)) }
        }
        var result = frame.gather(rows)
        result.columns.append(arrays.elements.slice(0..<rows.count).flattened())
        return result
    }
}

extension Frame {
    /// The rows whose byte is 1.
    func filter(_ mask: [UInt8]) -> Frame {
        let kept = countOnes(mask)
        return kept == rowCount ? self : gather(selectedRows(mask: mask, kept: kept))
    }

    /// The rows named, in that order. Inputs that are not read stay empty.
    func gather(_ rows: [UInt32]) -> Frame {
        Frame(columns: columns.map { $0.isUnread(rowCount) ? $0 : $0.gather(rows) }, rowCount: rows.count)
    }

    /// The rows in `range`.
    func slice(_ range: Range<Int>) -> Frame {
        Frame(columns: columns.map { $0.isUnread(rowCount) ? $0 : $0.slice(range) }, rowCount: range.count)
    }
}

extension Column {
    /// Whether this stands for an input that nobody reads.
    fileprivate func isUnread(_ rowCount: Int) -> Bool { type == .nothing && count != rowCount }
}

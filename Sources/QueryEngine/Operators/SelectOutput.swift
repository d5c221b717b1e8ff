import Columnar

/// The end of a SELECT, in the calling thread: DISTINCT, LIMIT BY, OFFSET, LIMIT, and out in blocks.
///
/// Frames have the projections first and then the columns of LIMIT BY.
final class SelectOutput {
    private let plan: SelectPlan
    private let columns: [(name: String, type: DataType)]
    private let context: QueryContext
    private let distinct: GroupKeys?
    private let limitBy: GroupKeys?
    private var limitByCounts: [Int] = []
    private let memory: MemoryScope
    private var skipped = 0
    private var given = 0
    private var seen: UInt64 = 0

    /// Rows a block given out has at most.
    private static let blockRows = 65_536

    init(_ plan: SelectPlan, columns: [(name: String, type: DataType)], context: QueryContext) {
        self.plan = plan
        self.columns = columns
        self.context = context
        distinct = plan.isDistinct ? GroupKeys(types: columns.map(\.type)) : nil
        limitBy = plan.limitBy.map { GroupKeys(types: $0.columns.map(\.type)) }
        memory = MemoryScope(context.memory)
    }

    /// Rows that would have come without LIMIT, as far as they came by.
    var rowsBeforeLimit: UInt64 { seen }

    /// The rows of the frame that are not repeated, for DISTINCT.
    func distinctRows(_ frame: Frame) throws(QueryError) -> Frame {
        guard let distinct, frame.rowCount > 0 else { return frame }
        let known = distinct.count
        let numbers = distinct.map(Array(frame.columns.prefix(columns.count)), rowCount: frame.rowCount)
        try memory.set(distinct.memoryBytes)
        var isTaken = [Bool](repeating: false, count: distinct.count - known)
        var rows: [UInt32] = []
        for (row, number) in numbers.enumerated() where Int(number) >= known && !isTaken[Int(number) - known] {
            isTaken[Int(number) - known] = true
            rows.append(UInt32(row))
        }
        return frame.gather(rows)
    }

    private func limitByRows(_ frame: Frame) throws(QueryError) -> Frame {
        guard let limitBy, let rule = plan.limitBy, frame.rowCount > 0 else { return frame }
        let first = columns.count
        let numbers = limitBy.map(
            Array(frame.columns[first..<first + rule.columns.count]), rowCount: frame.rowCount)
        growArray(&limitByCounts, to: limitBy.count, 0)
        try memory.set(limitBy.memoryBytes + 8 * limitByCounts.count + (distinct?.memoryBytes ?? 0))
        var rows: [UInt32] = []
        for (row, number) in numbers.enumerated() {
            let count = limitByCounts[Int(number)]
            limitByCounts[Int(number)] += 1
            if count >= rule.offset && count - rule.offset < rule.limit { rows.append(UInt32(row)) }
        }
        return frame.gather(rows)
    }

    /// Gives out what LIMIT BY, OFFSET and LIMIT let through; false when no more rows are wanted.
    func write(
        _ frame: Frame, _ emit: (Block) throws(QueryError) -> Void
    ) throws(QueryError) -> Bool {
        var frame = try limitByRows(frame)
        seen += UInt64(frame.rowCount)
        if skipped < plan.offset {
            let skip = min(plan.offset - skipped, frame.rowCount)
            skipped += skip
            frame = frame.slice(skip..<frame.rowCount)
        }
        if let limit = plan.limit, given + frame.rowCount > limit { frame = frame.slice(0..<limit - given) }
        given += frame.rowCount
        let most = context.limits.maxResultRows
        if most > 0 && UInt64(given) > most {
            throw QueryError(
                .tooManyRowsOrBytes,
                "Limit for result exceeded: more than \(most) rows (setting max_result_rows)")
        }
        var start = 0
        while start < frame.rowCount {
            try context.checkpoint()
            let end = min(start + Self.blockRows, frame.rowCount)
            try emit(block(frame.slice(start..<end)))
            start = end
        }
        return given < plan.limit ?? .max
    }

    /// The frame's projections as a block.
    func block(_ frame: Frame) -> Block {
        let typed = zip(frame.columns, columns).map { column, wanted in
            var column = column
            column.type = wanted.type
            return column
        }
        return Block(names: columns.map(\.name), columns: typed, rowCount: frame.rowCount)
    }
}

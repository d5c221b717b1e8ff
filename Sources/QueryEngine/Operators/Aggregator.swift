import Columnar

/// One worker's share of GROUP BY: its groups and the states of all aggregate functions.
final class Aggregator {
    private let plan: SelectPlan.Aggregation
    private let context: QueryContext
    private let keys: GroupKeys?
    let states: [any AggregateState]
    private let memory: MemoryScope
    private var rowsSinceCheck = 0
    private var knownGroups = 0

    init(_ plan: SelectPlan.Aggregation, context: QueryContext) {
        self.plan = plan
        self.context = context
        keys = plan.keys.isEmpty ? nil : GroupKeys(types: plan.keys.map(\.type))
        states = plan.aggregates.map { $0.function.makeState() }
        memory = MemoryScope(context.memory)
        if plan.keys.isEmpty {
            knownGroups = 1
            for state in states { state.grow(to: 1) }
        }
    }

    /// The number of groups.
    var count: Int { keys?.count ?? 1 }

    /// Adds the frame's rows.
    func add(_ frame: Frame) throws(QueryError) {
        let evaluation = context.evaluation
        guard let keys else {
            try update(frame, groups: nil)
            return try checkMemory(frame.rowCount)
        }
        var columns: [Column] = []
        for key in plan.keys {
            columns.append(try key.evaluate(frame.columns, rowCount: frame.rowCount, context: evaluation))
        }
        let groups = keys.map(columns, rowCount: frame.rowCount)
        grow()
        let runs = GroupRun.runs(groups)
        try withPointer(groups) { (pointer) throws(QueryError) in try update(frame, groups: pointer, runs: runs) }
        try checkMemory(frame.rowCount)
    }

    private func update(
        _ frame: Frame, groups: UnsafePointer<UInt32>?, runs: [GroupRun]? = nil
    ) throws(QueryError) {
        for (index, call) in plan.aggregates.enumerated() where call.sharedWith == nil {
            var arguments: [Column] = []
            for argument in call.arguments {
                arguments.append(
                    try argument.evaluate(frame.columns, rowCount: frame.rowCount, context: context.evaluation))
            }
            if let runs, try states[index].updateRuns(arguments, runs: runs, rowCount: frame.rowCount) { continue }
            try states[index].update(arguments, groups: groups, rowCount: frame.rowCount)
        }
    }

    private func grow() {
        guard let keys, keys.count > knownGroups else { return }
        // Room ahead: growing states one block at a time would copy them each time.
        knownGroups = keys.count
        for state in states { state.grow(to: knownGroups) }
    }

    private func checkMemory(_ rows: Int) throws(QueryError) {
        // Asking costs time in proportion to the groups.
        rowsSinceCheck += rows
        guard rowsSinceCheck * 4 > count else { return }
        rowsSinceCheck = 0
        try memory.set((keys?.memoryBytes ?? 0) + states.reduce(0) { $0 + $1.memoryBytes })
    }

    /// Takes over another worker's groups.
    func merge(_ other: Aggregator) throws(QueryError) {
        try context.checkpoint()
        let mapping = keys.flatMap { keys in other.keys.map { keys.absorb($0) } } ?? [0]
        grow()
        for (index, state) in states.enumerated() where plan.aggregates[index].sharedWith == nil {
            state.merge(other.states[index], mapping: mapping)
        }
        try memory.set((keys?.memoryBytes ?? 0) + states.reduce(0) { $0 + $1.memoryBytes })
    }

    /// Keys and results, one row a group.
    func result() -> Frame {
        let columns = (keys?.columns() ?? []) + finished(states)
        return Frame(columns: columns, rowCount: count)
    }

    private func finished(_ states: [any AggregateState]) -> [Column] {
        states.indices.map { index in
            let call = plan.aggregates[index]
            guard let leader = call.sharedWith, let sharing = call.function.sharing else {
                return states[index].finish()
            }
            return sharing.finish(states[leader])
        }
    }

    /// The one row of WITH TOTALS: all groups whose byte in `mask` is 1, with default keys. Ends this aggregator.
    func totals(mask: [UInt8]) -> Frame {
        var columns = plan.keys.map { Column.defaults(type: $0.type, count: 1) }
        let mapping = mask.map { UInt32($0 ^ 1) }
        var totals: [any AggregateState] = []
        for (index, call) in plan.aggregates.enumerated() {
            let state = call.function.makeState()
            state.grow(to: 2)
            if call.sharedWith == nil { state.merge(states[index], mapping: mapping) }
            totals.append(state)
        }
        columns += finished(totals).map { $0.slice(0..<1) }
        return Frame(columns: columns, rowCount: 1)
    }

    /// Merges the workers' aggregators into one, the first.
    static func merged(_ parts: [Aggregator]) throws(QueryError) -> Aggregator? {
        // The largest takes the others in.
        guard let first = parts.max(by: { $0.count < $1.count }) else { return nil }
        for part in parts where part !== first { try first.merge(part) }
        return first
    }
}

/// Whole granules answered from what is known of them: `count()`, and `min` and `max` of plain columns.
struct MetadataAggregation {
    private enum Source { case rows, minimum(Int), maximum(Int) }
    private let sources: [Source]

    /// nil when some aggregate needs the rows.
    init?(_ plan: SelectPlan, _ columns: [ColumnDefinition]) {
        guard let aggregation = plan.aggregation, aggregation.keys.isEmpty, plan.arrayJoins.isEmpty else { return nil }
        var sources: [Source] = []
        for call in aggregation.aggregates {
            if call.function.countsRows {
                sources.append(.rows)
                continue
            }
            guard call.arguments.count == 1, case .column(let index, let type) = call.arguments[0],
                type.physical.isComparable, !type.isFloat
            else { return nil }
            switch AggregateRegistry.parse(call.function.name) {
            case let name? where name.hasCondition || name.isDistinct: return nil
            case let name? where name.base == "min": sources.append(.minimum(index))
            case let name? where name.base == "max": sources.append(.maximum(index))
            default: return nil
            }
        }
        self.sources = sources
    }

    /// Adds a granule whose rows all pass; false when its ranges do not tell enough.
    func add(
        _ source: any GranuleSource, granule: Int, columns: [ColumnDefinition], to aggregator: Aggregator
    ) throws(QueryError) -> Bool {
        let rows = source.rowCount(granule: granule)
        var values: [Column?] = []
        for item in sources {
            switch item {
            case .rows: values.append(nil)
            case .minimum(let index), .maximum(let index):
                guard let range = source.range(column: columns[index].name, granule: granule), range.isExact,
                    range.nullCount == 0
                else { return false }
                let isMinimum = if case .minimum = item { true } else { false }
                values.append(
                    Column.constant(
                        isMinimum ? range.minimum : range.maximum, type: columns[index].type, count: rows))
            }
        }
        for (index, value) in values.enumerated() {
            try aggregator.states[index].update(value.map { [$0] } ?? [], groups: nil, rowCount: rows)
        }
        return true
    }
}

import Columnar

/// `min` and `max` of numbers and times of at most 64 bits, kept as keys that order like the values. NaN counts only
/// where there is nothing else.
final class ExtremeState: AggregateState {
    private let type: DataType
    private let isMaximum: Bool
    private var keys: [UInt64] = []
    private var seen: [UInt8] = []

    init(type: DataType, isMaximum: Bool) {
        self.type = type
        self.isMaximum = isMaximum
    }

    var memoryBytes: Int { keys.capacity * 8 + seen.capacity }

    func grow(to groups: Int) {
        growArray(&keys, to: groups, isMaximum ? 0 : .max)
        growArray(&seen, to: groups, 0)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        guard rowCount > 0 else { return }
        guard let groups else {
            updateRuns(arguments[0], [GroupRun(group: 0, start: 0, end: rowCount)])
            return
        }
        for row in 0..<rowCount { seen[Int(groups[row])] = 1 }
        var visitor = ExtremeByGroup(keys: keys, groups: groups, isMaximum: isMaximum)
        keys = []
        _ = arguments[0].visitNumbers(&visitor)
        keys = visitor.keys
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) -> Bool {
        updateRuns(arguments[0], runs)
        return true
    }

    private func updateRuns(_ column: Column, _ runs: [GroupRun]) {
        for run in runs { seen[run.group] = 1 }
        var column = column
        var runs = runs
        if case .constant(let value, _) = column.data, runs.count == 1 {
            column = value
            runs[0].end = 1
            runs[0].start = 0
        }
        var visitor = ExtremeByRun(keys: keys, runs: runs, isMaximum: isMaximum)
        keys = []
        _ = column.visitNumbers(&visitor)
        keys = visitor.keys
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? ExtremeState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() where other.seen[group] != 0 {
            let target = Int(target)
            seen[target] = 1
            keys[target] = isMaximum ? max(keys[target], other.keys[group]) : min(keys[target], other.keys[group])
        }
    }

    func finish() -> Column {
        let rows = keys.indices
        func values<Value>(_ convert: (UInt64) -> Value, _ none: Value) -> [Value] {
            rows.map { seen[$0] == 0 ? none : convert(keys[$0]) }
        }
        func signed(_ key: UInt64) -> Int64 { Int64(bitPattern: key ^ 1 << 63) }
        let data: ColumnData
        switch type.physical {
        case .int8: data = .int8(values({ Int8(truncatingIfNeeded: signed($0)) }, 0))
        case .int16: data = .int16(values({ Int16(truncatingIfNeeded: signed($0)) }, 0))
        case .int32: data = .int32(values({ Int32(truncatingIfNeeded: signed($0)) }, 0))
        case .int64: data = .int64(values(signed, 0))
        case .uint8: data = .uint8(values({ UInt8(truncatingIfNeeded: $0) }, 0))
        case .uint16: data = .uint16(values({ UInt16(truncatingIfNeeded: $0) }, 0))
        case .uint32: data = .uint32(values({ UInt32(truncatingIfNeeded: $0) }, 0))
        case .uint64: data = .uint64(values({ $0 }, 0))
        case .float32: data = .float32(values({ Float(Double(orderKey: $0)) }, 0))
        case .float64: data = .float64(values({ Double(orderKey: $0) }, 0))
        default: preconditionFailure("BUG: no number: \(type)")
        }
        return Column(type: type, data: data)
    }
}

/// A key that no other loses to: what NaN counts as.
@inline(__always)
private func extremeKey<Value: AggregateNumber>(_ value: Value, _ isMaximum: Bool) -> UInt64 {
    value.isNotANumber ? (isMaximum ? 0 : .max) : value.orderKey
}

private struct ExtremeByGroup: NumberVisitor {
    var keys: [UInt64]
    let groups: UnsafePointer<UInt32>
    let isMaximum: Bool

    mutating func visit<Value: AggregateNumber>(_ values: [Value]) {
        keys.withUnsafeMutableBufferPointer { keys in
            values.withUnsafeBufferPointer { values in
                for row in 0..<values.count {
                    let key = extremeKey(values[row], isMaximum)
                    let group = Int(groups[row])
                    if isMaximum ? key > keys[group] : key < keys[group] { keys[group] = key }
                }
            }
        }
    }
}

private struct ExtremeByRun: NumberVisitor {
    var keys: [UInt64]
    let runs: [GroupRun]
    let isMaximum: Bool

    mutating func visit<Value: AggregateNumber>(_ values: [Value]) {
        values.withUnsafeBufferPointer { values in
            for run in runs {
                var best = keys[run.group]
                if isMaximum {
                    for row in run.start..<run.end { best = max(best, extremeKey(values[row], true)) }
                } else {
                    for row in run.start..<run.end { best = min(best, extremeKey(values[row], false)) }
                }
                keys[run.group] = best
            }
        }
    }
}

/// `min` and `max` for a type.
func makeExtremeState(type: DataType, isMaximum: Bool) -> any AggregateState {
    type.physical.isWord
        ? ExtremeState(type: type, isMaximum: isMaximum)
        : ChosenValueState(type: type, rule: isMaximum ? .largest : .smallest)
}

/// Keeps one value a group, of any type: `any`, `anyLast`, `argMin`, `argMax`, `min` and `max` of strings and arrays.
///
/// Within a block only the row is noted; values are taken out once a group and block.
final class ChosenValueState: AggregateState {
    enum Rule { case first, last, smallest, largest }

    private let type: DataType
    private let rule: Rule
    /// By which argument rows are compared: argMin and argMax by the second, min and max by the first.
    private let comparesSecond: Bool
    private var values: [Scalar?] = []
    private var ranks: [Scalar?] = []

    init(type: DataType, rule: Rule, comparesSecond: Bool = false) {
        self.type = type
        self.rule = rule
        self.comparesSecond = comparesSecond
    }

    var memoryBytes: Int {
        // Scalars of strings hold their bytes elsewhere: an estimate that errs upward for short ones.
        values.capacity * 64 + ranks.capacity * 64
    }

    func grow(to groups: Int) {
        growArray(&values, to: groups, nil)
        growArray(&ranks, to: groups, nil)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        guard rowCount > 0 else { return }
        switch rule {
        case .first: updateFirst(arguments[0], groups, rowCount)
        case .last: updateLast(arguments[0], groups, rowCount)
        case .smallest, .largest:
            updateRanked(arguments[0], by: arguments[comparesSecond ? 1 : 0], groups, rowCount)
        }
    }

    private func updateFirst(_ column: Column, _ groups: UnsafePointer<UInt32>?, _ rowCount: Int) {
        guard let groups else {
            if values[0] == nil { values[0] = column.scalar(at: 0) }
            return
        }
        for row in 0..<rowCount {
            let group = Int(groups[row])
            if values[group] == nil { values[group] = column.scalar(at: row) }
        }
    }

    private func updateLast(_ column: Column, _ groups: UnsafePointer<UInt32>?, _ rowCount: Int) {
        guard let groups else {
            values[0] = column.scalar(at: rowCount - 1)
            return
        }
        var lastRow: [UInt32: Int] = [:]
        for row in 0..<rowCount { lastRow[groups[row]] = row }
        for (group, row) in lastRow { values[Int(group)] = column.scalar(at: row) }
    }

    private func updateRanked(
        _ column: Column, by rank: Column, _ groups: UnsafePointer<UInt32>?, _ rowCount: Int
    ) {
        let wantsLess = rule == .smallest
        let order = RowOrder(rank, descending: false, nullsFirst: false)
        var best: [Int32] = groups == nil ? [-1] : [Int32](repeating: -1, count: values.count)
        for row in 0..<rowCount {
            let group = groups.map { Int($0[row]) } ?? 0
            let old = Int(best[group])
            if old < 0 {
                best[group] = Int32(row)
                continue
            }
            let comparison = order.compare(row, old)
            if wantsLess ? comparison < 0 : comparison > 0 { best[group] = Int32(row) }
        }
        for (group, row) in best.enumerated() where row >= 0 {
            let candidate = rank.scalar(at: Int(row))
            if let old = ranks[group], !isBetter(candidate, than: old) { continue }
            ranks[group] = candidate
            values[group] = comparesSecond ? column.scalar(at: Int(row)) : candidate
        }
    }

    private func isBetter(_ new: Scalar, than old: Scalar) -> Bool {
        let comparison = compareScalars(new, old)
        return rule == .smallest ? comparison < 0 : comparison > 0
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? ChosenValueState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() {
            guard let value = other.values[group] else { continue }
            let target = Int(target)
            switch rule {
            case .first: if values[target] == nil { values[target] = value }
            case .last: values[target] = value
            case .smallest, .largest:
                guard let rank = other.ranks[group] else { continue }
                if let old = ranks[target], !isBetter(rank, than: old) { continue }
                ranks[target] = rank
                values[target] = value
            }
        }
    }

    func finish() -> Column { Column(type: type, scalars: values.map { $0 ?? type.base.defaultScalar }) }
}

/// Orders two values of one type: negative when `left` comes first. NULL and NaN come last.
func compareScalars(_ left: Scalar, _ right: Scalar) -> Int {
    switch (left, right) {
    case (.null, .null): return 0
    case (.null, _): return 1
    case (_, .null): return -1
    case (.int(let left), .int(let right)): return left < right ? -1 : left > right ? 1 : 0
    case (.uint(let left), .uint(let right)): return left < right ? -1 : left > right ? 1 : 0
    case (.wide(let left), .wide(let right)): return left < right ? -1 : left > right ? 1 : 0
    case (.float(let left), .float(let right)):
        if left.isNaN || right.isNaN { return (left.isNaN ? 1 : 0) - (right.isNaN ? 1 : 0) }
        return left < right ? -1 : left > right ? 1 : 0
    case (.string(let left), .string(let right)):
        if left == right { return 0 }
        return left.lexicographicallyPrecedes(right) ? -1 : 1
    case (.array(let left), .array(let right)), (.map(let left), .map(let right)),
        (.tuple(let left), .tuple(let right)):
        for (one, other) in zip(left, right) {
            let comparison = compareScalars(one, other)
            if comparison != 0 { return comparison }
        }
        return left.count - right.count
    default: return 0
    }
}

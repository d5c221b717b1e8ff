import Columnar

/// `min` and `max` of fixed-width values. NaN counts only where there is nothing else.
final class ExtremeState<Value: AggregateNumber>: AggregateState {
    private let type: DataType
    private let isMaximum: Bool
    private let unpack: (ColumnData) -> [Value]?
    private let pack: ([Value]) -> ColumnData
    private var values: [Value] = []
    private var seen: [UInt8] = []
    private let zero: Value

    init(
        type: DataType, isMaximum: Bool, zero: Value, unpack: @escaping (ColumnData) -> [Value]?,
        pack: @escaping ([Value]) -> ColumnData
    ) {
        self.type = type
        self.isMaximum = isMaximum
        self.zero = zero
        self.unpack = unpack
        self.pack = pack
    }

    var memoryBytes: Int { values.capacity * MemoryLayout<Value>.stride + seen.capacity }

    func grow(to groups: Int) {
        growArray(&values, to: groups, zero)
        growArray(&seen, to: groups, 0)
    }

    @inline(__always)
    private func isBetter(_ new: Value, than old: Value) -> Bool {
        (isMaximum ? new > old : new < old) || (old.isNotANumber && !new.isNotANumber)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        if case .constant(let value, _) = arguments[0].data, let only = unpack(value.data)?.first, groups == nil {
            take(only, group: 0)
            return
        }
        guard let new = unpack(arguments[0].flattened().data) else {
            preconditionFailure("BUG: \(arguments[0].type) where \(type) belongs")
        }
        guard groups != nil else { return updateAll(new) }
        values.withUnsafeMutableBufferPointer { values in
            seen.withUnsafeMutableBufferPointer { seen in
                forEachGrouped(new, groups) { group, value in
                    if seen[group] == 0 || isBetter(value, than: values[group]) {
                        values[group] = value
                        seen[group] = 1
                    }
                }
            }
        }
    }

    private func updateAll(_ new: [Value]) {
        guard var best = new.first else { return }
        if isMaximum {
            for value in new { best = value > best ? value : best }
        } else {
            for value in new { best = value < best ? value : best }
        }
        if best.isNotANumber {
            for value in new where isBetter(value, than: best) { best = value }
        }
        take(best, group: 0)
    }

    private func take(_ value: Value, group: Int) {
        if seen[group] == 0 || isBetter(value, than: values[group]) {
            values[group] = value
            seen[group] = 1
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? ExtremeState<Value> else {
            preconditionFailure("BUG: states of two functions merged")
        }
        for (group, target) in mapping.enumerated() where other.seen[group] != 0 {
            take(other.values[group], group: Int(target))
        }
    }

    func finish() -> Column { Column(type: type, data: pack(values)) }
}

/// `min` and `max` for a type, by how its values lie in memory.
func makeExtremeState(type: DataType, isMaximum: Bool) -> any AggregateState {
    switch type.physical {
    case .int8:
        ExtremeState<Int8>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .int8(let v) = $0 { v } else { nil } },
            pack: { .int8($0) })
    case .int16:
        ExtremeState<Int16>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .int16(let v) = $0 { v } else { nil } },
            pack: { .int16($0) })
    case .int32:
        ExtremeState<Int32>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .int32(let v) = $0 { v } else { nil } },
            pack: { .int32($0) })
    case .int64:
        ExtremeState<Int64>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .int64(let v) = $0 { v } else { nil } },
            pack: { .int64($0) })
    case .uint8:
        ExtremeState<UInt8>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .uint8(let v) = $0 { v } else { nil } },
            pack: { .uint8($0) })
    case .uint16:
        ExtremeState<UInt16>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .uint16(let v) = $0 { v } else { nil } },
            pack: { .uint16($0) })
    case .uint32:
        ExtremeState<UInt32>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .uint32(let v) = $0 { v } else { nil } },
            pack: { .uint32($0) })
    case .uint64:
        ExtremeState<UInt64>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .uint64(let v) = $0 { v } else { nil } },
            pack: { .uint64($0) })
    case .uint128:
        ExtremeState<UInt128>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .uint128(let v) = $0 { v } else { nil } },
            pack: { .uint128($0) })
    case .float32:
        ExtremeState<Float>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .float32(let v) = $0 { v } else { nil } },
            pack: { .float32($0) })
    case .float64:
        ExtremeState<Double>(
            type: type, isMaximum: isMaximum, zero: 0, unpack: { if case .float64(let v) = $0 { v } else { nil } },
            pack: { .float64($0) })
    case .string, .array, .map, .tuple: ChosenValueState(type: type, rule: isMaximum ? .largest : .smallest)
    }
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

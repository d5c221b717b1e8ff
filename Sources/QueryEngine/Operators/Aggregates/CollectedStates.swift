import Columnar

/// Keeps rows as they come, by block, with their groups: `groupArray` and the exact quantiles.
final class CollectedState: AggregateState {
    /// What becomes of a group's values.
    enum Outcome {
        case array
        /// The elements at these levels of the sorted values: `quantileExact`, `quantilesExact`.
        case levels([Double])
    }

    private let element: DataType
    private let resultType: DataType
    private let outcome: Outcome
    private let limit: Int?
    private var chunks: [(groups: [UInt32], values: Column)] = []
    private var counts: [UInt32] = []
    private var held = 0

    init(element: DataType, resultType: DataType, outcome: Outcome, limit: Int? = nil) {
        self.element = element
        self.resultType = resultType
        self.outcome = outcome
        self.limit = limit
    }

    var memoryBytes: Int { held + counts.capacity * 4 }
    func grow(to groups: Int) { growArray(&counts, to: groups, 0) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        add(arguments[0], groups: uint32Values(groupColumn(groups, rowCount)))
    }

    private func add(_ values: Column, groups: [UInt32]) {
        var groups = groups
        var values = values
        if let limit {
            var rows: [UInt32] = []
            for row in groups.indices where Int(counts[Int(groups[row])]) < limit {
                rows.append(UInt32(row))
                counts[Int(groups[row])] += 1
            }
            if rows.isEmpty { return }
            if rows.count < groups.count {
                values = values.gather(rows)
                groups = rows.map { groups[Int($0)] }
            }
        } else {
            for group in groups { counts[Int(group)] += 1 }
        }
        held += values.memoryBytes + 4 * groups.count
        chunks.append((groups, values))
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? CollectedState else { preconditionFailure("BUG: states of two functions merged") }
        for chunk in other.chunks { add(chunk.values, groups: chunk.groups.map { mapping[Int($0)] }) }
    }

    func finish() -> Column {
        var offsets: [UInt32] = [0]
        offsets.reserveCapacity(counts.count + 1)
        for count in counts { offsets.append(offsets[offsets.count - 1] + count) }
        var places = offsets
        var rows = [UInt32](repeating: 0, count: Int(offsets[counts.count]))
        var row: UInt32 = 0
        for chunk in chunks {
            for group in chunk.groups {
                rows[Int(places[Int(group)])] = row
                places[Int(group)] += 1
                row += 1
            }
        }
        let all =
            chunks.isEmpty
            ? Column.defaults(type: element, count: 0) : Column.concatenate(chunks.map(\.values), type: element)
        let values = all.flattened().gather(rows)
        switch outcome {
        case .array: return Column(type: resultType, data: .array(ArrayData(offsets: offsets, elements: values)))
        case .levels(let levels): return picked(values, offsets, levels)
        }
    }

    private func picked(_ values: Column, _ offsets: [UInt32], _ levels: [Double]) -> Column {
        let order = RowOrder(values, descending: false, nullsFirst: false)
        // One row behind all, for groups without values.
        let none = UInt32(values.count)
        var rows: [UInt32] = []
        for group in counts.indices {
            var sorted = Array(offsets[group]..<offsets[group + 1])
            sorted.sort { order.compare(Int($0), Int($1)) < 0 }
            for level in levels {
                let place = level < 1 ? Int(level * Double(sorted.count)) : sorted.count - 1
                rows.append(sorted.isEmpty ? none : sorted[min(max(place, 0), sorted.count - 1)])
            }
        }
        let empty: Scalar = element.base.isFloat ? .float(.nan) : element.base.defaultScalar
        let spare = Column(type: element, scalars: [empty])
        let elements = Column.concatenate([values, spare], type: element).gather(rows)
        guard case .array = resultType else { return elements }
        let bounds = (0...counts.count).map { UInt32($0 * levels.count) }
        return Column(type: resultType, data: .array(ArrayData(offsets: bounds, elements: elements)))
    }
}

/// Counts distinct values by group: `groupUniqArray`, `topK`.
final class DistinctValuesState: AggregateState {
    private let element: DataType
    /// topK's k; nil for all values.
    private let top: Int?
    private let limit: Int?
    private let keys: GroupKeys
    private var counts: [UInt64] = []
    private var groupCount = 0

    init(element: DataType, top: Int?, limit: Int? = nil) {
        self.element = element
        self.top = top
        self.limit = limit
        keys = GroupKeys(types: [.uint32, element])
    }

    var memoryBytes: Int { keys.memoryBytes + counts.capacity * 8 }
    func grow(to groups: Int) { groupCount = max(groupCount, groups) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let pairs = keys.map([groupColumn(groups, rowCount), arguments[0]], rowCount: rowCount)
        growArray(&counts, to: keys.count, 0)
        for pair in pairs { counts[Int(pair)] += 1 }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? DistinctValuesState else {
            preconditionFailure("BUG: states of two functions merged")
        }
        let pairs = mergePairs(other.keys, into: keys, mapping: mapping)
        growArray(&counts, to: keys.count, 0)
        for (pair, target) in pairs.enumerated() { counts[Int(target)] += other.counts[pair] }
    }

    func finish() -> Column {
        let columns = keys.columns()
        let groups = uint32Values(columns[0])
        var pairs = [[UInt32]](repeating: [], count: groupCount)
        for (pair, group) in groups.enumerated() { pairs[Int(group)].append(UInt32(pair)) }
        let order = RowOrder(columns[1], descending: false, nullsFirst: false)
        var offsets: [UInt32] = [0]
        var rows: [UInt32] = []
        for var own in pairs {
            if let top {
                // Equal counts by value, so that the answer does not depend on who came first.
                own.sort { left, right in
                    let (one, other) = (counts[Int(left)], counts[Int(right)])
                    return one == other ? order.compare(Int(left), Int(right)) < 0 : one > other
                }
                own = Array(own.prefix(top))
            } else if let limit {
                own = Array(own.prefix(limit))
            }
            rows += own
            offsets.append(UInt32(rows.count))
        }
        let elements = columns[1].gather(rows)
        return Column(type: .array(element), data: .array(ArrayData(offsets: offsets, elements: elements)))
    }
}

/// `groupBitAnd`, `groupBitOr`, `groupBitXor`.
final class BitState: AggregateState {
    enum Kind { case and, or, xor }

    private let kind: Kind
    private let type: DataType
    private var words: [UInt64] = []

    init(_ kind: Kind, type: DataType) {
        self.kind = kind
        self.type = type
    }

    var memoryBytes: Int { words.capacity * 8 }
    func grow(to groups: Int) { growArray(&words, to: groups, kind == .and ? .max : 0) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        struct Words: NumberVisitor {
            func visit<Value: AggregateNumber>(_ values: [Value]) -> [UInt64] { values.map(\.asWord) }
        }
        var visitor = Words()
        guard let values = arguments[0].visitNumbers(&visitor) else { return }
        forEachGrouped(values, groups) { group, value in words[group] = combine(words[group], value) }
    }

    private func combine(_ left: UInt64, _ right: UInt64) -> UInt64 {
        switch kind {
        case .and: left & right
        case .or: left | right
        case .xor: left ^ right
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? BitState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() {
            words[Int(target)] = combine(words[Int(target)], other.words[group])
        }
    }

    func finish() -> Column { Column(type: type, scalars: words.map { .uint($0) }) }
}

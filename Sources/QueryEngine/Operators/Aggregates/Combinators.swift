import Columnar

/// Leaves out the rows where an argument is NULL or the condition of `-If` does not hold.
final class FilteredState: AggregateState {
    private let inner: any AggregateState
    private let hasCondition: Bool
    private let takesNulls: Bool

    init(_ inner: any AggregateState, hasCondition: Bool, takesNulls: Bool) {
        self.inner = inner
        self.hasCondition = hasCondition
        self.takesNulls = takesNulls
    }

    var memoryBytes: Int { inner.memoryBytes }
    func grow(to groups: Int) { inner.grow(to: groups) }
    func finish() -> Column { inner.finish() }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? FilteredState else { preconditionFailure("BUG: states of two functions merged") }
        inner.merge(other.inner, mapping: mapping)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) throws(QueryError) {
        var arguments = arguments
        var mask: [UInt8]?
        if hasCondition, let condition = arguments.popLast() { mask = truthMask(condition) }
        if !takesNulls {
            for argument in arguments where !argument.hasNoNulls {
                guard let nulls = argument.flattenedNulls else { continue }
                mask = withoutNulls(mask, nulls)
            }
        }
        guard let mask else { return try inner.update(arguments, groups: groups, rowCount: rowCount) }
        let kept = countOnes(mask)
        if kept == 0 { return }
        if kept == rowCount { return try inner.update(bare(arguments), groups: groups, rowCount: rowCount) }
        let rows = selectedRows(mask: mask, kept: kept)
        let chosen = bare(arguments.map { $0.gather(rows) })
        guard let groups else { return try inner.update(chosen, groups: nil, rowCount: kept) }
        let chosenGroups = rows.map { groups[Int($0)] }
        try withPointer(chosenGroups) { (pointer) throws(QueryError) in
            try inner.update(chosen, groups: pointer, rowCount: kept)
        }
    }

    private func bare(_ arguments: [Column]) -> [Column] {
        if takesNulls { return arguments }
        return arguments.map { column in
            if case .constant(let value, let count) = column.data {
                return Column(
                    type: column.type, data: .constant(value: Column(type: value.type, data: value.data), count: count))
            }
            return Column(type: column.type, data: column.data)
        }
    }

    private func withoutNulls(_ mask: [UInt8]?, _ nulls: [UInt8]) -> [UInt8] {
        guard var mask else { return nulls.map { $0 ^ 1 } }
        for row in mask.indices { mask[row] &= nulls[row] ^ 1 }
        return mask
    }
}

/// Calls `body` with the array's address.
@inline(__always)
func withPointer<Result>(
    _ values: [UInt32], _ body: (UnsafePointer<UInt32>?) throws(QueryError) -> Result
) throws(QueryError) -> Result {
    try values.withUnsafeBufferPointer { (buffer) throws(QueryError) in try body(buffer.baseAddress) }
}

/// NULL for groups that no row reached: aggregates of Nullable arguments, and `-OrNull`.
final class OrNullState: AggregateState {
    private let inner: any AggregateState
    private var seen: [UInt8] = []

    init(_ inner: any AggregateState) { self.inner = inner }

    var memoryBytes: Int { inner.memoryBytes + seen.count }

    func grow(to groups: Int) {
        inner.grow(to: groups)
        growArray(&seen, to: groups, 0)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) throws(QueryError) {
        if let groups {
            for row in 0..<rowCount { seen[Int(groups[row])] = 1 }
        } else if rowCount > 0 {
            seen[0] = 1
        }
        try inner.update(arguments, groups: groups, rowCount: rowCount)
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) throws(QueryError) -> Bool {
        guard try inner.updateRuns(arguments, runs: runs, rowCount: rowCount) else { return false }
        for run in runs { seen[run.group] = 1 }
        return true
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? OrNullState else { preconditionFailure("BUG: states of two functions merged") }
        inner.merge(other.inner, mapping: mapping)
        for (group, target) in mapping.enumerated() { seen[Int(target)] |= other.seen[group] }
    }

    func finish() -> Column {
        var result = inner.finish().flattened()
        result.type = result.type.madeNullable
        if seen.contains(0) {
            let missing = seen.map { $0 ^ 1 }
            if let nulls = result.nulls {
                result.nulls = zip(nulls, missing).map { $0 | $1 }
            } else {
                result.nulls = missing
            }
        }
        return result
    }
}

/// Gives the inner function each distinct combination of arguments once, at the end.
final class DistinctState: AggregateState {
    private let inner: any AggregateState
    private let keys: GroupKeys
    private var groupCount = 0

    init(_ inner: any AggregateState, types: [DataType]) {
        self.inner = inner
        keys = GroupKeys(types: [.uint32] + types)
    }

    var memoryBytes: Int { keys.memoryBytes + inner.memoryBytes }
    func grow(to groups: Int) { groupCount = max(groupCount, groups) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) throws(QueryError) {
        _ = keys.map([groupColumn(groups, rowCount)] + arguments, rowCount: rowCount)
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? DistinctState else { preconditionFailure("BUG: states of two functions merged") }
        mergePairs(other.keys, into: keys, mapping: mapping)
    }

    func finish() -> Column {
        var columns = keys.columns()
        let groups = uint32Values(columns.removeFirst())
        inner.grow(to: groupCount)
        do throws(QueryError) {
            try withPointer(groups) { (pointer) throws(QueryError) in
                try inner.update(columns, groups: pointer, rowCount: groups.count)
            }
        } catch {
            preconditionFailure("BUG: an aggregate refused what it took before: \(error)")
        }
        return inner.finish()
    }
}

/// Adds the (group, value …) pairs of `source` to `target` with the groups renumbered; returns the pair numbers.
@discardableResult
func mergePairs(_ source: GroupKeys, into target: GroupKeys, mapping: [UInt32]) -> [UInt32] {
    var columns = source.columns()
    let groups = uint32Values(columns[0]).map { mapping[Int($0)] }
    columns[0] = Column(type: .uint32, data: .uint32(groups))
    return target.map(columns, rowCount: groups.count)
}

/// The rows' groups as a column.
func groupColumn(_ groups: UnsafePointer<UInt32>?, _ rowCount: Int) -> Column {
    guard let groups else { return Column(type: .uint32, data: .uint32([UInt32](repeating: 0, count: rowCount))) }
    return Column(type: .uint32, data: .uint32(Array(UnsafeBufferPointer(start: groups, count: rowCount))))
}

func uint32Values(_ column: Column) -> [UInt32] {
    guard case .uint32(let values) = column.data else { preconditionFailure("BUG: group numbers expected") }
    return values
}

func growArray<Value>(_ array: inout [Value], to count: Int, _ value: Value) {
    if array.count < count { array.append(contentsOf: repeatElement(value, count: count - array.count)) }
}

/// One byte a row, 1 where the condition holds: not zero and not NULL.
func truthMask(_ column: Column) -> [UInt8] {
    struct NotZero: NumberVisitor {
        func visit<Value: AggregateNumber>(_ values: [Value]) -> [UInt8] {
            values.map { unsafeBitCast($0.asDouble != 0, to: UInt8.self) }
        }
    }
    if case .constant(let value, let count) = column.data {
        let holds = value.nulls?.first != 1 && truthMask(value).first == 1
        return [UInt8](repeating: holds ? 1 : 0, count: count)
    }
    var mask: [UInt8]
    if case .uint8(let values) = column.data {
        mask = values.map { unsafeBitCast($0 != 0, to: UInt8.self) }
    } else {
        var visitor = NotZero()
        guard let result = column.visitNumbers(&visitor) else {
            preconditionFailure("BUG: a condition of type \(column.type)")
        }
        mask = result
    }
    if let nulls = column.nulls {
        for row in mask.indices { mask[row] &= nulls[row] ^ 1 }
    }
    return mask
}

/// How many bytes are 1 (all are 0 or 1).
func countOnes(_ mask: [UInt8]) -> Int {
    mask.withUnsafeBufferPointer { mask in
        var total = 0
        for index in 0..<mask.count { total &+= Int(mask[index]) }
        return total
    }
}

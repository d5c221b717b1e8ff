import Columnar

/// The states of one aggregate function for all groups of one worker.
///
/// `update` takes a block: `groups[row]` is the row's group, nil puts all rows into group 0. Arguments have the
/// types the function was made for, without NULLs (the wrapper around leaves those rows out) unless the function
/// asked for them; they may be dictionaries or constants.
protocol AggregateState: AnyObject {
    /// Makes room for groups 0 ..< `groups`; new ones are empty.
    func grow(to groups: Int)
    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) throws(QueryError)
    /// The same for rows that come in few runs of one group each: sorted rows, time buckets. False when the class
    /// has no way of its own for runs; nothing has happened then.
    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) throws(QueryError) -> Bool
    /// Takes over the states of `other`, of the same class; its group `g` is `mapping[g]` here.
    func merge(_ other: any AggregateState, mapping: [UInt32])
    /// The results, one row a group.
    func finish() -> Column
    /// Bytes held.
    var memoryBytes: Int { get }
}

extension AggregateState {
    /// By default there is no way for runs.
    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) throws(QueryError) -> Bool { false }
}

/// Neighbouring rows of one group.
struct GroupRun: BitwiseCopyable {
    var group: Int
    var start: Int
    var end: Int

    /// The runs of a block; nil when they are too short to be worth it.
    static func runs(_ groups: [UInt32]) -> [GroupRun]? {
        let changes = groups.withUnsafeBufferPointer { groups in
            var changes = 0
            for row in 1..<max(1, groups.count) {
                changes &+= Int(unsafeBitCast(groups[row] != groups[row &- 1], to: UInt8.self))
            }
            return changes
        }
        guard groups.count > 0, changes &* 16 < groups.count else { return nil }
        var result: [GroupRun] = []
        result.reserveCapacity(changes + 1)
        var start = 0
        for row in 1..<max(1, groups.count) where groups[row] != groups[row - 1] {
            result.append(GroupRun(group: Int(groups[start]), start: start, end: row))
            start = row
        }
        result.append(GroupRun(group: Int(groups[start]), start: start, end: groups.count))
        return result
    }
}

/// An aggregate function made ready for its arguments' types.
struct AggregateFunction: Sendable {
    /// The name as ClickHouse writes it.
    var name: String
    /// The type of the results.
    var resultType: DataType
    /// Whether the state sees rows in which an argument is NULL.
    var takesNulls = false
    /// Whether it is `count()` without arguments or over one that cannot be NULL: needs no column.
    var countsRows = false
    /// Creates states for one worker.
    var makeState: @Sendable () -> any AggregateState
    /// Functions of the same `key` over the same arguments need one state for all, from which each takes its result.
    var sharing: Sharing?

    struct Sharing: Sendable {
        var key: String
        var finish: @Sendable (any AggregateState) -> Column
    }
}

/// Runs `body` for each value with its row's group; nil groups are all group 0.
@inline(__always)
func forEachGrouped<Value>(
    _ values: [Value], _ groups: UnsafePointer<UInt32>?, _ body: (_ group: Int, _ value: Value) -> Void
) {
    values.withUnsafeBufferPointer { values in
        if let groups {
            for row in 0..<values.count { body(Int(groups[row]), values[row]) }
        } else {
            for row in 0..<values.count { body(0, values[row]) }
        }
    }
}

/// A number that aggregates compute with.
protocol AggregateNumber: BitwiseCopyable, Comparable {
    var asDouble: Double { get }
    /// The value of an integer cut to 64 bits; 0 for floats, which nobody asks.
    var asWord: UInt64 { get }
    /// Whether it is NaN.
    var isNotANumber: Bool { get }
    /// A number that orders like the value, as far as 64 bits go; NaN has none that means anything.
    var orderKey: UInt64 { get }
}

extension AggregateNumber {
    var isNotANumber: Bool { false }
}

extension Int8: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(bitPattern: Int64(self)) ^ 1 << 63 }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(truncatingIfNeeded: self) }
}
extension Int16: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(bitPattern: Int64(self)) ^ 1 << 63 }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(truncatingIfNeeded: self) }
}
extension Int32: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(bitPattern: Int64(self)) ^ 1 << 63 }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(truncatingIfNeeded: self) }
}
extension Int64: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(bitPattern: Int64(self)) ^ 1 << 63 }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(truncatingIfNeeded: self) }
}
extension UInt8: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(self) }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(self) }
}
extension UInt16: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(self) }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(self) }
}
extension UInt32: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { UInt64(self) }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { UInt64(self) }
}
extension UInt64: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { self }
    @inline(__always) var asDouble: Double { Double(self) }
    @inline(__always) var asWord: UInt64 { self }
}
extension UInt128: AggregateNumber {
    var orderKey: UInt64 { UInt64(truncatingIfNeeded: self >> 64) }
    var asDouble: Double { Double(self) }
    var asWord: UInt64 { UInt64(truncatingIfNeeded: self) }
}
extension Float: AggregateNumber {
    @inline(__always) var orderKey: UInt64 { Double(self).orderKey }
    @inline(__always) var asDouble: Double { Double(self) }
    var asWord: UInt64 { 0 }
    @inline(__always) var isNotANumber: Bool { isNaN }
}
extension Double: AggregateNumber {
    @inline(__always) var orderKey: UInt64 {
        let bits = bitPattern
        return bits ^ (UInt64(bitPattern: Int64(bitPattern: bits) >> 63) | 1 << 63)
    }
    /// The value whose `orderKey` this is.
    init(orderKey: UInt64) {
        self.init(bitPattern: orderKey >> 63 == 1 ? orderKey ^ 1 << 63 : ~orderKey)
    }
    @inline(__always) var asDouble: Double { self }
    var asWord: UInt64 { 0 }
    @inline(__always) var isNotANumber: Bool { isNaN }
}

/// What is to be done with a column of numbers, whatever their width.
protocol NumberVisitor {
    associatedtype Result
    mutating func visit<Value: AggregateNumber>(_ values: [Value]) -> Result
}

extension Column {
    /// Calls the visitor with the flat values; nil when they are no numbers.
    func visitNumbers<Visitor: NumberVisitor>(_ visitor: inout Visitor) -> Visitor.Result? {
        switch flattened().data {
        case .int8(let values): visitor.visit(values)
        case .int16(let values): visitor.visit(values)
        case .int32(let values): visitor.visit(values)
        case .int64(let values): visitor.visit(values)
        case .uint8(let values): visitor.visit(values)
        case .uint16(let values): visitor.visit(values)
        case .uint32(let values): visitor.visit(values)
        case .uint64(let values): visitor.visit(values)
        case .uint128(let values): visitor.visit(values)
        case .float32(let values): visitor.visit(values)
        case .float64(let values): visitor.visit(values)
        default: nil
        }
    }

    /// The values as doubles; the column must be of numbers.
    func asDoubles() -> [Double] {
        struct Doubles: NumberVisitor {
            func visit<Value: AggregateNumber>(_ values: [Value]) -> [Double] { values.map(\.asDouble) }
        }
        if case .float64(let values) = data { return values }
        var visitor = Doubles()
        guard let result = visitNumbers(&visitor) else { preconditionFailure("BUG: numbers expected, not \(type)") }
        return result
    }
}

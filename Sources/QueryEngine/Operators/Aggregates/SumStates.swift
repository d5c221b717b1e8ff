import Columnar

/// `count`.
final class CountState: AggregateState {
    private var counts: [UInt64] = []
    var memoryBytes: Int { counts.capacity * 8 }
    func grow(to groups: Int) { growArray(&counts, to: groups, 0) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        guard let groups else {
            counts[0] += UInt64(rowCount)
            return
        }
        counts.withUnsafeMutableBufferPointer { counts in
            for row in 0..<rowCount { counts[Int(groups[row])] &+= 1 }
        }
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) -> Bool {
        for run in runs { counts[run.group] &+= UInt64(run.end - run.start) }
        return true
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? CountState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() { counts[Int(target)] &+= other.counts[group] }
    }

    func finish() -> Column { Column(type: .uint64, data: .uint64(counts)) }
}

/// `sum`: integers wrap around at 64 bits, as in ClickHouse.
final class SumState: AggregateState {
    private enum Kind { case signed, unsigned, float }
    private let kind: Kind
    private var words: [UInt64] = []
    private var doubles: [Double] = []

    init(resultType: DataType) {
        kind = resultType == .float64 ? .float : resultType == .int64 ? .signed : .unsigned
    }

    var memoryBytes: Int { (words.capacity + doubles.capacity) * 8 }

    func grow(to groups: Int) {
        if kind == .float { growArray(&doubles, to: groups, 0) } else { growArray(&words, to: groups, 0) }
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        if kind == .float {
            var visitor = AddDoubles(sums: doubles, groups: groups)
            doubles = []
            _ = arguments[0].visitNumbers(&visitor)
            doubles = visitor.sums
        } else {
            var visitor = AddWords(sums: words, groups: groups)
            words = []
            _ = arguments[0].visitNumbers(&visitor)
            words = visitor.sums
        }
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) -> Bool {
        var visitor = AddRuns(doubles: doubles, words: words, runs: runs, isFloat: kind == .float)
        doubles = []
        words = []
        _ = arguments[0].visitNumbers(&visitor)
        doubles = visitor.doubles
        words = visitor.words
        return true
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? SumState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() {
            if kind == .float {
                doubles[Int(target)] += other.doubles[group]
            } else {
                words[Int(target)] &+= other.words[group]
            }
        }
    }

    func finish() -> Column {
        switch kind {
        case .float: Column(type: .float64, data: .float64(doubles))
        case .signed: Column(type: .int64, data: .int64(words.map { Int64(bitPattern: $0) }))
        case .unsigned: Column(type: .uint64, data: .uint64(words))
        }
    }
}

/// Adds floats to the groups' sums.
struct AddDoubles: NumberVisitor {
    var sums: [Double]
    let groups: UnsafePointer<UInt32>?

    mutating func visit<Value: AggregateNumber>(_ values: [Value]) {
        guard let groups else {
            sums[0] += values.withUnsafeBufferPointer { total($0, 0, $0.count) }
            return
        }
        sums.withUnsafeMutableBufferPointer { sums in
            values.withUnsafeBufferPointer { values in
                for row in 0..<values.count { sums[Int(groups[row])] += values[row].asDouble }
            }
        }
    }
}

/// The sum of rows `start` ..< `end` in eight lanes, which the processor adds side by side.
@inline(__always)
private func total<Value: AggregateNumber>(_ values: UnsafeBufferPointer<Value>, _ start: Int, _ end: Int) -> Double {
    var lanes = SIMD8<Double>(repeating: 0)
    var row = start
    while row &+ 8 <= end {
        lanes += SIMD8(
            values[row].asDouble, values[row &+ 1].asDouble, values[row &+ 2].asDouble, values[row &+ 3].asDouble,
            values[row &+ 4].asDouble, values[row &+ 5].asDouble, values[row &+ 6].asDouble,
            values[row &+ 7].asDouble)
        row &+= 8
    }
    var total = lanes.sum()
    while row < end {
        total += values[row].asDouble
        row &+= 1
    }
    return total
}

/// Adds runs of rows to their groups' sums.
private struct AddRuns: NumberVisitor {
    var doubles: [Double]
    var words: [UInt64]
    let runs: [GroupRun]
    let isFloat: Bool

    mutating func visit<Value: AggregateNumber>(_ values: [Value]) {
        values.withUnsafeBufferPointer { values in
            for run in runs {
                if isFloat {
                    doubles[run.group] += total(values, run.start, run.end)
                } else {
                    var sum: UInt64 = 0
                    for row in run.start..<run.end { sum &+= values[row].asWord }
                    words[run.group] &+= sum
                }
            }
        }
    }
}

/// Adds integers to the groups' sums, wrapping.
struct AddWords: NumberVisitor {
    var sums: [UInt64]
    let groups: UnsafePointer<UInt32>?

    mutating func visit<Value: AggregateNumber>(_ values: [Value]) {
        sums.withUnsafeMutableBufferPointer { sums in
            values.withUnsafeBufferPointer { values in
                if let groups {
                    for row in 0..<values.count { sums[Int(groups[row])] &+= values[row].asWord }
                } else {
                    var total: UInt64 = 0
                    for row in 0..<values.count { total &+= values[row].asWord }
                    sums[0] &+= total
                }
            }
        }
    }
}

/// `avg`: the sum over the count, NaN for no rows.
final class AverageState: AggregateState {
    private let sum: SumState
    private let isSigned: Bool
    private let counts = CountState()

    init(argument: DataType) {
        let type = AggregateRegistry.sumType(argument)
        isSigned = type == .int64
        sum = SumState(resultType: type)
    }

    var memoryBytes: Int { sum.memoryBytes + counts.memoryBytes }

    func grow(to groups: Int) {
        sum.grow(to: groups)
        counts.grow(to: groups)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        sum.update(arguments, groups: groups, rowCount: rowCount)
        counts.update([], groups: groups, rowCount: rowCount)
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) -> Bool {
        sum.updateRuns(arguments, runs: runs, rowCount: rowCount)
            && counts.updateRuns([], runs: runs, rowCount: rowCount)
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? AverageState else { preconditionFailure("BUG: states of two functions merged") }
        sum.merge(other.sum, mapping: mapping)
        counts.merge(other.counts, mapping: mapping)
    }

    func finish() -> Column {
        let sums = sum.finish().asDoubles()
        let counts = counts.finish().asDoubles()
        return Column(type: .float64, data: .float64(zip(sums, counts).map { $0 / $1 }))
    }
}

/// `varPop`, `varSamp`, `stddevPop`, `stddevSamp`: counts, means and sums of squared distances, merged without loss.
final class VarianceState: AggregateState {
    struct Moments: BitwiseCopyable {
        var count = 0.0
        var mean = 0.0
        var squares = 0.0

        @inline(__always)
        mutating func add(_ value: Double) {
            count += 1
            let distance = value - mean
            mean += distance / count
            squares += distance * (value - mean)
        }

        mutating func merge(_ other: Moments) {
            guard other.count > 0 else { return }
            let total = count + other.count
            let distance = other.mean - mean
            squares += other.squares + distance * distance * count * other.count / total
            mean += distance * other.count / total
            count = total
        }
    }

    private let isSample: Bool
    private let isRoot: Bool
    private var moments: [Moments] = []

    init(isSample: Bool, isRoot: Bool) {
        self.isSample = isSample
        self.isRoot = isRoot
    }

    var memoryBytes: Int { moments.capacity * 24 }
    func grow(to groups: Int) { growArray(&moments, to: groups, Moments()) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let values = arguments[0].asDoubles()
        moments.withUnsafeMutableBufferPointer { moments in
            forEachGrouped(values, groups) { group, value in moments[group].add(value) }
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? VarianceState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() { moments[Int(target)].merge(other.moments[group]) }
    }

    func finish() -> Column {
        let values = moments.map { moments -> Double in
            let variance = moments.squares / (isSample ? moments.count - 1 : moments.count)
            if moments.count == 0 || (isSample && moments.count == 1) { return .nan }
            return isRoot ? variance.squareRoot() : variance
        }
        return Column(type: .float64, data: .float64(values))
    }
}

/// `corr`, `covarPop`, `covarSamp`.
final class CovarianceState: AggregateState {
    enum Kind { case correlation, population, sample }

    private struct Moments {
        var count = 0.0, meanX = 0.0, meanY = 0.0, squaresX = 0.0, squaresY = 0.0, products = 0.0

        mutating func add(_ x: Double, _ y: Double) {
            count += 1
            let distanceX = x - meanX
            let distanceY = y - meanY
            meanX += distanceX / count
            meanY += distanceY / count
            squaresX += distanceX * (x - meanX)
            squaresY += distanceY * (y - meanY)
            products += distanceX * (y - meanY)
        }

        mutating func merge(_ other: Moments) {
            guard other.count > 0 else { return }
            let total = count + other.count
            let distanceX = other.meanX - meanX
            let distanceY = other.meanY - meanY
            let weight = count * other.count / total
            squaresX += other.squaresX + distanceX * distanceX * weight
            squaresY += other.squaresY + distanceY * distanceY * weight
            products += other.products + distanceX * distanceY * weight
            meanX += distanceX * other.count / total
            meanY += distanceY * other.count / total
            count = total
        }
    }

    private let kind: Kind
    private var moments: [Moments] = []

    init(_ kind: Kind) { self.kind = kind }

    var memoryBytes: Int { moments.capacity * 48 }
    func grow(to groups: Int) { growArray(&moments, to: groups, Moments()) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let first = arguments[0].asDoubles()
        let second = arguments[1].asDoubles()
        for row in 0..<rowCount {
            moments[groups.map { Int($0[row]) } ?? 0].add(first[row], second[row])
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? CovarianceState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() { moments[Int(target)].merge(other.moments[group]) }
    }

    func finish() -> Column {
        let values = moments.map { moments -> Double in
            switch kind {
            case .correlation: moments.products / (moments.squaresX * moments.squaresY).squareRoot()
            case .population: moments.products / moments.count
            case .sample: moments.count < 2 ? .nan : moments.products / (moments.count - 1)
            }
        }
        return Column(type: .float64, data: .float64(values))
    }
}

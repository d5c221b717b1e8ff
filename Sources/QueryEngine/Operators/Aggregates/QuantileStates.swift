import Columnar

/// `quantile`, `quantiles`, `median`: exact while a group has few values, then a histogram over the leading bits.
///
/// A bucket holds the values that agree in sign, exponent and the first seven bits of the fraction, so that it is
/// never wider than 0.8 % of its values; it keeps their count and sum, and stands for its values by their mean.
final class QuantileState: AggregateState {
    /// Up to so many values a group keeps them all.
    private static let exactLimit = 8192

    private struct Bucket: BitwiseCopyable {
        var count = 0.0
        var sum = 0.0
    }

    /// Buckets `first` ..< `first + count` by number, in memory of its own; none until the first value.
    private struct Histogram {
        var buckets: UnsafeMutablePointer<Bucket>?
        var first = 0
        var count = 0

        @inline(__always)
        mutating func add(_ value: Double) {
            let number = QuantileState.bucket(value)
            if number &- first < 0 || number &- first >= count { widen(to: number) }
            guard let buckets else { return }
            buckets[number &- first].count += 1
            buckets[number &- first].sum += value
        }

        @inline(never)
        mutating func widen(to number: Int) {
            // Some room on both sides: values near one another come near one another.
            let low = count == 0 ? number - 64 : min(first, number - 64)
            let high = count == 0 ? number + 64 : max(first + count, number + 64)
            let fresh = UnsafeMutablePointer<Bucket>.allocate(capacity: high - low)
            fresh.initialize(repeating: Bucket(), count: high - low)
            if let buckets {
                (fresh + (first - low)).update(from: buckets, count: count)
                buckets.deallocate()
            }
            buckets = fresh
            first = low
            count = high - low
        }

        mutating func merge(_ other: Histogram) {
            guard let theirs = other.buckets else { return }
            for index in 0..<other.count where theirs[index].count > 0 {
                let number = index + other.first
                if number < first || number >= first + count { widen(to: number) }
                buckets?[number - first].count += theirs[index].count
                buckets?[number - first].sum += theirs[index].sum
            }
        }

        func value(at level: Double) -> Double {
            let buckets = UnsafeBufferPointer(start: buckets, count: count)
            let total = buckets.reduce(0) { $0 + $1.count }
            let rank = level * (total - 1)
            var before = 0.0
            var last = Double.nan
            for bucket in buckets where bucket.count > 0 {
                last = bucket.sum / bucket.count
                before += bucket.count
                if before > rank { break }
            }
            return last
        }
    }

    /// A number that grows with the value: sign, exponent and seven bits of fraction.
    @inline(__always)
    private static func bucket(_ value: Double) -> Int {
        let magnitude = Int(truncatingIfNeeded: (value.bitPattern & ~(1 &<< 63)) &>> 45)
        return value < 0 ? -magnitude : magnitude
    }

    private let levels: [Double]
    private let resultType: DataType
    private let interpolates: Bool
    private var exact: [[Double]] = []
    /// A group has one once its values are many.
    private var histograms: [Histogram] = []
    private var held = 0

    /// `resultType` is that of one quantile's value, or an array of it for `quantiles`.
    init(levels: [Double], resultType: DataType, interpolates: Bool) {
        self.levels = levels
        self.resultType = resultType
        self.interpolates = interpolates
    }

    var memoryBytes: Int {
        held * 8 + exact.count * 40 + histograms.reduce(0) { $0 + $1.count * MemoryLayout<Bucket>.stride }
    }

    func grow(to groups: Int) {
        growArray(&exact, to: groups, [])
        growArray(&histograms, to: groups, Histogram())
    }

    deinit { for histogram in histograms { histogram.buckets?.deallocate() } }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        guard let groups else {
            _ = updateRuns(arguments, runs: [GroupRun(group: 0, start: 0, end: rowCount)], rowCount: rowCount)
            return
        }
        let values = arguments[0].asDoubles()
        var added = 0
        exact.withUnsafeMutableBufferPointer { exact in
            histograms.withUnsafeMutableBufferPointer { histograms in
                values.withUnsafeBufferPointer { values in
                    for row in 0..<values.count {
                        let value = values[row]
                        if value.isNaN { continue }
                        let group = Int(groups[row])
                        if histograms[group].buckets != nil {
                            histograms[group].add(value)
                        } else {
                            added += Self.addExact(value, &exact[group], &histograms[group])
                        }
                    }
                }
            }
        }
        held += added
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) -> Bool {
        let values = arguments[0].asDoubles()
        values.withUnsafeBufferPointer { values in
            for run in runs {
                var row = run.start
                while row < run.end && histograms[run.group].buckets == nil {
                    if !values[row].isNaN { add(values[row], run.group) }
                    row += 1
                }
                var histogram = histograms[run.group]
                while row < run.end {
                    if !values[row].isNaN { histogram.add(values[row]) }
                    row += 1
                }
                histograms[run.group] = histogram
            }
        }
        return true
    }

    private func add(_ value: Double, _ group: Int) {
        if histograms[group].buckets != nil {
            histograms[group].add(value)
        } else {
            held += Self.addExact(value, &exact[group], &histograms[group])
        }
    }

    /// Keeps the value, or turns all kept ones into a histogram; the change in how many are kept.
    private static func addExact(_ value: Double, _ exact: inout [Double], _ histogram: inout Histogram) -> Int {
        exact.append(value)
        guard exact.count > exactLimit else { return 1 }
        for value in exact { histogram.add(value) }
        let change = 1 - exact.count
        exact = []
        return change
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? QuantileState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() {
            let target = Int(target)
            if other.histograms[group].buckets != nil {
                for value in exact[target] { histograms[target].add(value) }
                held -= exact[target].count
                exact[target] = []
                histograms[target].merge(other.histograms[group])
            } else {
                for value in other.exact[group] { add(value, target) }
            }
        }
    }

    func finish() -> Column { finish(levels: levels, resultType: resultType, interpolates: interpolates) }

    /// The results as another function over the same arguments wants them.
    func finish(levels: [Double], resultType: DataType, interpolates: Bool) -> Column {
        var results: [Double] = []
        for group in exact.indices {
            if histograms[group].buckets != nil {
                results += levels.map { histograms[group].value(at: $0) }
            } else {
                let sorted = exact[group].sorted()
                results += levels.map { Self.quantile(sorted, $0, interpolates: interpolates) }
            }
        }
        return quantileColumn(results, groups: exact.count, levels: levels.count, type: resultType)
    }

    /// The quantile of sorted values, between two neighbours by distance when it `interpolates`.
    static func quantile(_ sorted: [Double], _ level: Double, interpolates: Bool) -> Double {
        guard !sorted.isEmpty else { return .nan }
        let place = level * Double(sorted.count - 1)
        let lower = min(Int(place), sorted.count - 1)
        guard interpolates, lower + 1 < sorted.count else { return sorted[lower] }
        let rest = place - Double(lower)
        return sorted[lower] * (1 - rest) + sorted[lower + 1] * rest
    }
}

/// Results `levels` at a time as a column of `type`: floats, integers or times; arrays when the type says so.
func quantileColumn(_ values: [Double], groups: Int, levels: Int, type: DataType) -> Column {
    if case .array(let element) = type {
        let elements = quantileColumn(values, groups: values.count, levels: 1, type: element)
        let offsets = (0...groups).map { UInt32($0 * levels) }
        return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: elements)))
    }
    let data: ColumnData
    switch type.physical {
    case .float64: data = .float64(values)
    case .float32: data = .float32(values.map { Float($0) })
    case .int8: data = .int8(values.map { Int8(clamped: $0) })
    case .int16: data = .int16(values.map { Int16(clamped: $0) })
    case .int32: data = .int32(values.map { Int32(clamped: $0) })
    case .int64: data = .int64(values.map { Int64(clamped: $0) })
    case .uint8: data = .uint8(values.map { UInt8(clamped: $0) })
    case .uint16: data = .uint16(values.map { UInt16(clamped: $0) })
    case .uint32: data = .uint32(values.map { UInt32(clamped: $0) })
    case .uint64: data = .uint64(values.map { UInt64(clamped: $0) })
    default: preconditionFailure("BUG: quantiles of \(type)")
    }
    return Column(type: type, data: data)
}

extension FixedWidthInteger {
    /// The integer part, or the nearest bound; 0 for NaN.
    init(clamped value: Double) {
        if value.isNaN {
            self = 0
        } else if value <= Double(Self.min) {
            self = .min
        } else if value >= Double(Self.max) {
            self = .max
        } else {
            self = Self(value)
        }
    }
}

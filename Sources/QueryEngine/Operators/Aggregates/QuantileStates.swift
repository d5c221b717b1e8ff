import Columnar

/// `quantile`, `quantiles`, `median`: exact while a group has few values, then a histogram over the leading bits.
///
/// A bucket holds the values that agree in sign, exponent and the first seven bits of the fraction, so that it is
/// never wider than 0.8 % of its values; it keeps their count and sum, and stands for its values by their mean.
final class QuantileState: AggregateState {
    /// Up to so many values a group keeps them all.
    private static let exactLimit = 2048

    private struct Bucket: BitwiseCopyable {
        var count = 0.0
        var sum = 0.0
    }

    /// Buckets `first` ..< `first + buckets.count` by number.
    private struct Histogram {
        var first = 0
        var buckets: [Bucket] = []

        @inline(__always)
        mutating func add(_ value: Double) {
            let number = QuantileState.bucket(value) &- first
            if number < 0 || number >= buckets.count {
                widen(to: number &+ first)
                add(value)
                return
            }
            buckets.withUnsafeMutableBufferPointer { buckets in
                buckets[number].count += 1
                buckets[number].sum += value
            }
        }

        @inline(never)
        mutating func widen(to number: Int) {
            if buckets.isEmpty {
                first = number - 64
                buckets = [Bucket](repeating: Bucket(), count: 128)
            } else if number < first {
                let more = first - number + 64
                buckets.insert(contentsOf: repeatElement(Bucket(), count: more), at: 0)
                first -= more
            } else {
                let more = number - first - buckets.count + 65
                buckets.append(contentsOf: repeatElement(Bucket(), count: more))
            }
        }

        mutating func merge(_ other: Histogram) {
            for (index, bucket) in other.buckets.enumerated() where bucket.count > 0 {
                let number = index + other.first
                if number < first || number >= first + buckets.count { widen(to: number) }
                buckets[number - first].count += bucket.count
                buckets[number - first].sum += bucket.sum
            }
        }

        func value(at level: Double) -> Double {
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
    private var histograms: [Histogram?] = []
    private var held = 0

    /// `resultType` is that of one quantile's value, or an array of it for `quantiles`.
    init(levels: [Double], resultType: DataType, interpolates: Bool) {
        self.levels = levels
        self.resultType = resultType
        self.interpolates = interpolates
    }

    var memoryBytes: Int {
        held * 8 + exact.count * 40 + histograms.reduce(0) { $0 + ($1?.buckets.capacity ?? 0) * 16 }
    }

    func grow(to groups: Int) {
        growArray(&exact, to: groups, [])
        growArray(&histograms, to: groups, nil)
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let values = arguments[0].asDoubles()
        exact.withUnsafeMutableBufferPointer { exact in
            histograms.withUnsafeMutableBufferPointer { histograms in
                forEachGrouped(values, groups) { group, value in
                    if histograms[group] == nil {
                        addExact(value, &exact[group], &histograms[group])
                    } else if !value.isNaN {
                        histograms[group]?.add(value)
                    }
                }
            }
        }
    }

    private func addExact(_ value: Double, _ exact: inout [Double], _ histogram: inout Histogram?) {
        if value.isNaN { return }
        exact.append(value)
        held += 1
        guard exact.count > Self.exactLimit else { return }
        var fresh = Histogram()
        for value in exact { fresh.add(value) }
        held -= exact.count
        exact = []
        histogram = fresh
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? QuantileState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() {
            let target = Int(target)
            if let theirs = other.histograms[group] {
                var mine = histograms[target] ?? Histogram()
                for value in exact[target] { mine.add(value) }
                held -= exact[target].count
                exact[target] = []
                mine.merge(theirs)
                histograms[target] = mine
            } else if histograms[target] != nil {
                for value in other.exact[group] { histograms[target]?.add(value) }
            } else {
                for value in other.exact[group] {
                    if histograms[target] == nil {
                        addExact(value, &exact[target], &histograms[target])
                    } else {
                        histograms[target]?.add(value)
                    }
                }
            }
        }
    }

    func finish() -> Column {
        var results: [Double] = []
        for group in exact.indices {
            if let histogram = histograms[group] {
                results += levels.map { histogram.value(at: $0) }
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

/// Times of columns as milliseconds, and partitions by day or month.
enum TimeUnits {
    static let dayMs: Int64 = 86_400_000

    /// The time of `value` of a temporal type, in milliseconds since 1970, rounded down and held within the years
    /// that fit; nil for NULL and other types.
    static func milliseconds(_ value: Scalar, type: DataType) -> Int64? {
        switch (value, type.base) {
        case (.uint(let days), .date): Int64(clamping: days).multipliedClamped(by: dayMs)
        case (.uint(let seconds), .dateTime): Int64(clamping: seconds).multipliedClamped(by: 1000)
        case (.int(let ticks), .dateTime64(let precision, _)): milliseconds(ticks: ticks, precision: precision)
        default: nil
        }
    }

    private static func milliseconds(ticks: Int64, precision: Int) -> Int64 {
        if precision <= 3 { return ticks.multipliedClamped(by: power(3 - precision)) }
        return ticks.flooredQuotient(power(precision - 3))
    }

    static func power(_ exponent: Int) -> Int64 {
        var result: Int64 = 1
        for _ in 0..<exponent { result *= 10 }
        return result
    }
}

extension Int64 {
    func multipliedClamped(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? (self < 0) == (factor < 0) ? .max : .min : product
    }

    /// The quotient rounded down; `divisor` is positive.
    func flooredQuotient(_ divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

extension PartitionScheme {
    /// The partition of each row by `column`, the scheme's column: days, or months, since 1970.
    func partitions(_ column: Column) -> [Int64] {
        let days = Self.days(column.flattened())
        guard case .month = self else { return days }
        return days.map { day in
            let (year, month, _) = CivilDate.of(days: day)
            return (year - 1970) * 12 + Int64(month) - 1
        }
    }

    private static func days(_ column: Column) -> [Int64] {
        switch (column.data, column.type.base) {
        case (.uint16(let values), _): return values.map { Int64($0) }
        case (.uint32(let values), _): return values.map { Int64($0 / 86_400) }
        case (.int64(let values), .dateTime64(let precision, _)):
            let ticks = 86_400 * TimeUnits.power(precision)
            return values.map { $0.flooredQuotient(ticks) }
        default: preconditionFailure("BUG: partition by a column of type \(column.type)")
        }
    }

    /// The name of a partition: "20251016" for a day, "202510" for a month; nil without a scheme.
    func name(_ partition: Int64) -> String? {
        switch self {
        case .none: return nil
        case .day:
            let (year, month, day) = CivilDate.of(days: partition)
            return CivilDate.padded(year, 4) + CivilDate.padded(Int64(month), 2) + CivilDate.padded(Int64(day), 2)
        case .month:
            let year = partition.flooredQuotient(12)
            return CivilDate.padded(year + 1970, 4) + CivilDate.padded(partition - year * 12 + 1, 2)
        }
    }
}

/// Days since 1970 as dates of the Gregorian calendar.
enum CivilDate {
    static func of(days: Int64) -> (year: Int64, month: Int, day: Int) {
        // Years that begin in March put the leap day last; 400 of them have 146,097 days.
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, Int(month), Int(dayOfYear - (153 * march + 2) / 5 + 1))
    }

    /// `number` with at least `width` digits.
    static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number.magnitude)
        return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

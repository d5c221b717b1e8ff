/// Dates of the proleptic Gregorian calendar as integer arithmetic, without tables or allocation.
public enum Civil {
    /// Seconds in a day.
    @inlinable public static var daySeconds: Int64 { 86_400 }

    /// Days from 1970-01-01 to the given date; negative before. Months and days past their end roll over.
    @inlinable
    public static func days(year: Int, month: Int, day: Int) -> Int64 {
        // Years begin in March, so that the leap day is the last of a year.
        let year = Int64(month <= 2 ? year - 1 : year)
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let shifted = Int64(month + (month > 2 ? -3 : 9))
        let dayOfYear = (153 * shifted + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date `days` after 1970-01-01. `days` must lie within ±10^13.
    @inlinable
    public static func date(fromDays days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (Int(yearOfEra + era * 400 + (month <= 2 ? 1 : 0)), Int(month), Int(day))
    }

    /// Whether the year has a 29 February.
    @inlinable
    public static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    /// The number of days in a month, 1 to 12.
    @inlinable
    public static func daysInMonth(year: Int, month: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// 1 for Monday to 7 for Sunday.
    @inlinable
    public static func weekday(days: Int64) -> Int {
        let shifted = (days + 3) % 7
        return Int(shifted < 0 ? shifted + 7 : shifted) + 1
    }

    /// The day of the year, from 1.
    @inlinable
    public static func dayOfYear(days: Int64) -> Int {
        let (year, _, _) = date(fromDays: days)
        return Int(days - Civil.days(year: year, month: 1, day: 1)) + 1
    }

    /// ISO 8601's week and the year it belongs to: week 1 has the year's first Thursday.
    @inlinable
    public static func isoWeek(days: Int64) -> (year: Int, week: Int) {
        let thursday = days - Int64(weekday(days: days)) + 4
        let (year, _, _) = date(fromDays: thursday)
        return (year, Int(thursday - Civil.days(year: year, month: 1, day: 1)) / 7 + 1)
    }

    /// Division that rounds towards minus infinity; `divisor` must be positive.
    @inlinable
    public static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// 10 to the power `exponent`, 0 to 18.
    @inlinable
    public static func powerOfTen(_ exponent: Int) -> Int64 {
        precondition(exponent >= 0 && exponent <= 18, "BUG: 10^\(exponent) does not fit 64 bits")
        var result: Int64 = 1
        for _ in 0..<exponent { result *= 10 }
        return result
    }
}

import Columnar

/// Dates and times plus and minus numbers, intervals and each other.
enum TimeArithmetic {
    /// The result's type; nil when the types do not go together.
    static func resultType(_ operation: ArithmeticOperator, _ left: DataType, _ right: DataType) -> DataType? {
        guard operation == .plus || operation == .minus else { return nil }
        switch (left, right) {
        case (.interval(let unit), .interval(let other)): return unit == other ? left : nil
        case (_, .interval(let unit)): return left.isTemporal ? shifted(left, by: unit) : nil
        case (.interval(let unit), _): return right.isTemporal && operation == .plus ? shifted(right, by: unit) : nil
        default: break
        }
        if left.isTemporal && right.isNumeric { return left }
        if right.isTemporal && left.isNumeric { return operation == .plus ? right : nil }
        guard operation == .minus else { return nil }
        switch (left, right) {
        case (.date, .date), (.dateTime, .dateTime): return .int32
        case (.dateTime64, .dateTime64), (.dateTime64, .dateTime), (.dateTime, .dateTime64): return .float64
        default: return nil
        }
    }

    /// The type of a date or time moved by an interval: one that can say the result.
    static func shifted(_ type: DataType, by unit: IntervalUnit) -> DataType? {
        let precision: Int? =
            switch unit {
            case .nanosecond: 9
            case .microsecond: 6
            case .millisecond: 3
            default: nil
            }
        switch type {
        case .date:
            if let precision { return .dateTime64(precision: precision, timeZone: nil) }
            switch unit {
            case .second, .minute, .hour: return .dateTime(timeZone: nil)
            default: return .date
            }
        case .dateTime(let zone): return precision.map { .dateTime64(precision: $0, timeZone: zone) } ?? type
        case .dateTime64(let own, let zone):
            return precision.map { .dateTime64(precision: max(own, $0), timeZone: zone) } ?? type
        default: return nil
        }
    }

    static func evaluate(
        _ operation: ArithmeticOperator, _ left: Column, _ right: Column, type: DataType, count: Int
    ) throws(QueryError) -> Column {
        let sign: Int64 = operation == .minus ? -1 : 1
        switch (left.type.base, right.type.base) {
        case (.interval, .interval):
            let values = mapPairs(left.integers(as: Int64.self), right.integers(as: Int64.self), count: count) {
                $0 &+ sign &* $1
            }
            return Column(type: type, data: .int64(values))
        case (_, .interval(let unit)):
            return try add(
                right.integers(as: Int64.self).mapped { sign &* $0 }, unit, to: left, type: type, count: count)
        case (.interval(let unit), _):
            return try add(left.integers(as: Int64.self), unit, to: right, type: type, count: count)
        case (let first, let second) where first.isTemporal && second.isTemporal:
            return difference(left, right, type, count)
        default: break
        }
        // A number counts days of a Date and seconds of a time.
        let (time, number) = left.type.isTemporal ? (left, right) : (right, left)
        let amounts = Operand.rows(mapValues(number.wholeNumbers) { sign &* $0 })
        return try add(amounts, time.type.base == .date ? .day : .second, to: time, type: type, count: count)
    }

    private static func difference(_ left: Column, _ right: Column, _ type: DataType, _ count: Int) -> Column {
        if type == .float64 {
            let precision = max(left.type.tickPrecision, right.type.tickPrecision)
            func ticks(_ column: Column) -> Operand<Int64> {
                let factor = Civil.powerOfTen(precision - column.type.tickPrecision)
                return column.integers(as: Int64.self).mapped { $0 &* factor }
            }
            let scale = Double(Civil.powerOfTen(precision))
            return Column(
                type: type,
                data: .float64(mapPairs(ticks(left), ticks(right), count: count) { Double($0 &- $1) / scale }))
        }
        let values = mapPairs(left.integers(as: Int64.self), right.integers(as: Int64.self), count: count) { $0 &- $1 }
        return Column(type: type, data: ColumnData(integers: .rows(values), count: count, type: type))
    }

    /// `column` (a date or time) moved by `amounts` of `unit`, as `type`, which `shifted` gave.
    static func add(
        _ amounts: Operand<Int64>, _ unit: IntervalUnit, to column: Column, type: DataType, count: Int
    ) throws(QueryError) -> Column {
        if type == .date {
            let days = column.integers(as: Int64.self)
            let moved: [Int64]
            switch unit {
            case .day: moved = mapPairs(days, amounts, count: count) { $0 &+ $1 }
            case .week: moved = mapPairs(days, amounts, count: count) { $0 &+ 7 &* $1 }
            default:
                let months = unit.months
                moved = mapPairs(days, amounts, count: count) { max(0, addMonths($1 &* months, toDays: $0)) }
            }
            return Column(type: type, data: ColumnData(integers: .rows(moved), count: count, type: type))
        }
        let precision = type.tickPrecision
        let zone = type.zone ?? .utc
        // A Date becomes a time first; a DateTime ticks when the unit is finer than a second.
        let ticks = try column.type.base == type ? column : Cast.toTime(column.flattened(), to: type, zone: zone)
        let scale = Civil.powerOfTen(precision)
        let start = ticks.integers(as: Int64.self)
        let moved: [Int64]
        switch unit {
        case .nanosecond: moved = mapPairs(start, amounts, count: count) { $0 &+ $1 }
        case .microsecond:
            let factor = Civil.powerOfTen(max(0, precision - 6))
            moved = mapPairs(start, amounts, count: count) { $0 &+ $1 &* factor }
        case .millisecond:
            let factor = Civil.powerOfTen(max(0, precision - 3))
            moved = mapPairs(start, amounts, count: count) { $0 &+ $1 &* factor }
        case .second: moved = mapPairs(start, amounts, count: count) { $0 &+ $1 &* scale }
        case .minute: moved = mapPairs(start, amounts, count: count) { $0 &+ $1 &* (60 &* scale) }
        case .hour: moved = mapPairs(start, amounts, count: count) { $0 &+ $1 &* (3600 &* scale) }
        case .day, .week:
            let days: Int64 = unit == .week ? 7 : 1
            moved = mapPairs(start, amounts, count: count) {
                moveLocally($0, scale: scale, zone: zone, days: $1 &* days, months: 0)
            }
        case .month, .quarter, .year:
            let months = unit.months
            // A DateTime before 1970 is 1970.
            let isUnsigned = precision == 0 && type.physical == .uint32
            moved = mapPairs(start, amounts, count: count) {
                let result = moveLocally($0, scale: scale, zone: zone, days: 0, months: $1 &* months)
                return isUnsigned ? max(0, result) : result
            }
        }
        return Column(type: type, data: ColumnData(integers: .rows(moved), count: count, type: type))
    }

    /// The same time of day by the zone's clock, some days or months on.
    private static func moveLocally(_ ticks: Int64, scale: Int64, zone: TimeZone, days: Int64, months: Int64) -> Int64 {
        let seconds = Civil.floorDivide(ticks, scale)
        let fraction = ticks &- seconds &* scale
        let local = seconds &+ Int64(zone.offsetSeconds(atUnix: seconds))
        let day = Civil.floorDivide(local, Civil.daySeconds)
        let timeOfDay = local &- day &* Civil.daySeconds
        let moved = addMonths(months, toDays: day) &+ days
        return zone.unix(local: moved &* Civil.daySeconds &+ timeOfDay) &* scale &+ fraction
    }
}

extension IntervalUnit {
    /// Months in units of whole months; 0 for others.
    var months: Int64 {
        switch self {
        case .month: 1
        case .quarter: 3
        case .year: 12
        default: 0
        }
    }
}

/// The same day of the month some months on; the last one of a shorter month.
func addMonths(_ months: Int64, toDays days: Int64) -> Int64 {
    guard months != 0, days.magnitude < 10_000_000_000, months.magnitude < 1_000_000_000 else { return days }
    let (year, month, day) = Civil.date(fromDays: days)
    let total = Int64(year) * 12 + Int64(month - 1) + months
    let newYear = Int(Civil.floorDivide(total, 12))
    let newMonth = Int(total - Int64(newYear) * 12) + 1
    return Civil.days(
        year: newYear, month: newMonth, day: min(day, Civil.daysInMonth(year: newYear, month: newMonth)))
}

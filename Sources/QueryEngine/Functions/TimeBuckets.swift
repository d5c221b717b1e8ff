import Columnar

/// Times cut to the start of a span: what `toStartOfHour`, `toStartOfInterval`, `dateTrunc` share.
struct TimeBucket: Sendable {
    let count: Int64
    let unit: IntervalUnit
    /// For weeks: whether they begin on Sunday.
    var startsOnSunday = false

    /// What the start of the span is: a Date for weeks and longer, a DateTime from seconds to days, else a DateTime64.
    func resultType(_ source: DataType, zone: String?) -> DataType {
        switch unit {
        case .nanosecond: .dateTime64(precision: 9, timeZone: zone)
        case .microsecond: .dateTime64(precision: 6, timeZone: zone)
        case .millisecond: .dateTime64(precision: 3, timeZone: zone)
        case .second, .minute, .hour, .day: .dateTime(timeZone: zone)
        case .week, .month, .quarter, .year: .date
        }
    }

    /// Whether spans of this unit can be cut from the type.
    func accepts(_ source: DataType) -> Bool {
        switch unit {
        case .nanosecond, .microsecond, .millisecond:
            if case .dateTime64 = source { return true }
            return false
        case .second, .minute, .hour: return source.isTemporal && source != .date
        default: return source.isTemporal
        }
    }

    /// The start of the span of every row, as `type`.
    func starts(_ column: Column, type: DataType, zone: TimeZone) -> Column {
        let column = column.flattened()
        if case .dateTime64(let precision, _) = type,
            unit == .millisecond || unit == .microsecond || unit == .nanosecond
        {
            return Column(type: type, data: .int64(subseconds(column, precision)))
        }
        let values: [Int64]
        let dividesDay = count == 1 || (zone.constantOffsetSeconds == 0 && 86_400 % (count * 3600) == 0)
        switch unit {
        case .second, .minute: values = shortSpans(column, zone)
        case .hour: values = dividesDay ? shortSpans(column, zone) : hours(column, zone)
        default: values = days(column, zone)
        }
        switch type {
        case .date: return Column(type: type, data: .uint16(mapValues(values) { UInt16(clamping: $0) }))
        case .dateTime64(let precision, _):
            let scale = Civil.powerOfTen(precision)
            return Column(type: type, data: .int64(mapValues(values) { $0 &* scale }))
        default: return Column(type: type, data: .uint32(mapValues(values) { UInt32(clamping: $0) }))
        }
    }

    private func subseconds(_ column: Column, _ precision: Int) -> [Int64] {
        let own = column.type.tickPrecision
        let values = column.data.integers(as: Int64.self)
        // In ticks of the finest of all precisions.
        let unitPrecision = unit == .millisecond ? 3 : unit == .microsecond ? 6 : 9
        let fine = max(own, precision, unitPrecision)
        let up = Civil.powerOfTen(fine - own)
        let down = FastDivider(Civil.powerOfTen(fine - precision))
        let unitTicks = Civil.powerOfTen(fine - unitPrecision)
        let (step, overflow) = unitTicks.multipliedReportingOverflow(by: count)
        let divide = FastDivider(overflow ? .max : step)
        return mapValues(values) { value in down(divide(value &* up) &* step) }
    }

    /// Seconds, minutes, and hours that divide a day: steps from 1970 on.
    private func shortSpans(_ column: Column, _ zone: TimeZone) -> [Int64] {
        let seconds = count * (unit == .second ? 1 : unit == .minute ? 60 : 3600)
        let (product, overflow) = seconds.multipliedReportingOverflow(by: Civil.powerOfTen(column.type.tickPrecision))
        let step = overflow ? Int64.max : product
        let values = column.data.integers(as: Int64.self)
        // Whole minutes are the same by every clock whose offset is of whole minutes; hours need the clock.
        let isHour = unit == .hour && zone.constantOffsetSeconds != 0
        guard isHour else {
            let divide = FastDivider(step)
            return mapValues(values) { divide($0) &* seconds }
        }
        let unix = column.unixSeconds
        let local = zone.localSeconds(unix)
        let divide = FastDivider(seconds)
        return (0..<unix.count).map { divide(local[$0]) &* seconds &- (local[$0] &- unix[$0]) }
    }

    /// Hours counted from the start of the day.
    private func hours(_ column: Column, _ zone: TimeZone) -> [Int64] {
        let step = count * 3600
        return mapValues(zone.localSeconds(column.unixSeconds)) { local in
            let day = Civil.floorDivide(local, Civil.daySeconds) &* Civil.daySeconds
            return zone.unix(local: day &+ (local &- day) / step &* step)
        }
    }

    /// Days and longer: days since 1970; for days, the moment they begin.
    private func days(_ column: Column, _ zone: TimeZone) -> [Int64] {
        let days = column.localDays(zone: zone)
        switch unit {
        case .day:
            let divide = FastDivider(count)
            if zone.constantOffsetSeconds == 0 { return mapValues(days) { divide($0) &* count &* Civil.daySeconds } }
            return mapValues(days) { zone.unix(local: divide($0) &* count &* Civil.daySeconds) }
        case .week:
            // 1970-01-05 was a Monday, 1970-01-04 a Sunday.
            let origin: Int64 = startsOnSunday ? 3 : 4
            let step = 7 * count
            let divide = FastDivider(step)
            return mapValues(days) { origin &+ divide($0 &- origin) &* step }
        case .year:
            return mapValues(days) { day in
                let year = Int64(Civil.date(fromDays: day).year)
                return Civil.days(year: Int(year - year % count), month: 1, day: 1)
            }
        default:
            // Months are counted from 1900.
            let step = count * unit.months
            return mapValues(days) { day in
                let (year, month, _) = Civil.date(fromDays: day)
                let index = Int64(year - 1900) * 12 + Int64(month - 1)
                let start = Civil.floorDivide(index, step) * step
                let startYear = Civil.floorDivide(start, 12)
                return Civil.days(year: Int(startYear) + 1900, month: Int(start - startYear * 12) + 1, day: 1)
            }
        }
    }
}

extension Column {
    /// Seconds since 1970 UTC of a DateTime or DateTime64 column.
    var unixSeconds: [Int64] {
        let values = integerRows(as: Int64.self)
        let precision = type.tickPrecision
        guard precision > 0 else { return values }
        let divide = FastDivider(Civil.powerOfTen(precision))
        return mapValues(values) { divide($0) }
    }

    /// Days since 1970 by the zone's clock, of a Date, DateTime or DateTime64 column.
    func localDays(zone: TimeZone) -> [Int64] {
        if type.base == .date { return integerRows(as: Int64.self) }
        let divide = FastDivider(Civil.daySeconds)
        return mapValues(zone.localSeconds(unixSeconds)) { divide($0) }
    }
}

enum TimeBucketFunctions {
    static let all: [any ScalarFunction] =
        [
            fixed("toStartOfNanosecond", 1, .nanosecond), fixed("toStartOfMicrosecond", 1, .microsecond),
            fixed("toStartOfMillisecond", 1, .millisecond), fixed("toStartOfSecond", 1, .second),
            fixed("toStartOfMinute", 1, .minute), fixed("toStartOfFiveMinutes", 5, .minute),
            fixed("toStartOfTenMinutes", 10, .minute), fixed("toStartOfFifteenMinutes", 15, .minute),
            fixed("timeSlot", 30, .minute), fixed("toStartOfHour", 1, .hour), fixed("toStartOfDay", 1, .day),
            fixed("toMonday", 1, .week), fixed("toStartOfMonth", 1, .month), fixed("toStartOfQuarter", 1, .quarter),
            fixed("toStartOfYear", 1, .year), toStartOfWeek, toStartOfInterval, dateTrunc, toLastDayOfMonth,
            toLastDayOfWeek,
        ]

    /// The zone's name for the result: an argument's, else the column's own.
    private static func zoneName(_ name: String, _ arguments: [FunctionArgument], _ index: Int) throws(QueryError)
        -> String?
    {
        guard let given = try constantZone(name, arguments, index) else { return arguments[0].type.zoneName }
        guard arguments[0].type.base != .date else {
            throw QueryError(
                .illegalArgumentType, "The timezone argument of function \(name) needs a first argument with time")
        }
        return given
    }

    private static func zone(_ columns: [Column], _ index: Int) -> TimeZone {
        if index < columns.count, let bytes = columns[index].constantBytes,
            let zone = TimeZone.named(String(decoding: bytes, as: UTF8.self))
        {
            return zone
        }
        return columns[0].type.zone ?? .utc
    }

    private static func fixed(_ name: String, _ count: Int64, _ unit: IntervalUnit) -> any ScalarFunction {
        let bucket = TimeBucket(count: count, unit: unit)
        // Cutting to the second keeps the precision.
        let keepsPrecision =
            name == "toStartOfSecond" || unit == .millisecond || unit == .microsecond || unit == .nanosecond
        return PlainFunction(
            name, 1...2,
            type: { (arguments) throws(QueryError) in
                let source = arguments[0].type.base
                guard bucket.accepts(source), name != "toStartOfSecond" || source.tickPrecision > 0 else {
                    throw illegalArgument(name, 0, arguments[0].type)
                }
                let zone = try zoneName(name, arguments, 1)
                if keepsPrecision { return .dateTime64(precision: source.tickPrecision, timeZone: zone) }
                return bucket.resultType(source, zone: zone)
            },
            body: { (columns, type, _, _) throws(QueryError) in
                bucket.starts(columns[0], type: type, zone: zone(columns, 1))
            })
    }

    private static let toStartOfWeek = PlainFunction(
        "toStartOfWeek", 1...3,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isTemporal else { throw illegalArgument("toStartOfWeek", 0, arguments[0].type) }
            if arguments.count > 1, arguments[1].constantInteger == nil {
                throw illegalArgument("toStartOfWeek", 1, arguments[1].type)
            }
            _ = try zoneName("toStartOfWeek", arguments, 2)
            return .date
        },
        body: { (columns, type, _, _) throws(QueryError) in
            // Odd modes begin weeks on Monday.
            let mode = columns.count > 1 ? columns[1].constantScalar?.asInteger ?? 0 : 0
            let bucket = TimeBucket(count: 1, unit: .week, startsOnSunday: mode & 1 == 0)
            return bucket.starts(columns[0], type: type, zone: zone(columns, 2))
        })

    private static let toStartOfInterval = PlainFunction(
        "toStartOfInterval", 2...3,
        type: { (arguments) throws(QueryError) in
            let source = arguments[0].type.base
            guard case .interval(let unit) = arguments[1].type else {
                throw illegalArgument("toStartOfInterval", 1, arguments[1].type, expected: "an INTERVAL")
            }
            guard let count = arguments[1].constantInteger else {
                throw illegalArgument("toStartOfInterval", 1, arguments[1].type, expected: "a constant INTERVAL")
            }
            guard count > 0 else {
                throw QueryError(.argumentOutOfBound, "Value for toStartOfInterval must be positive")
            }
            guard count <= 1_000_000_000 else { throw QueryError(.argumentOutOfBound, "INTERVAL \(count) is too long") }
            let bucket = TimeBucket(count: count, unit: unit)
            guard bucket.accepts(source) else { throw illegalArgument("toStartOfInterval", 0, arguments[0].type) }
            return bucket.resultType(source, zone: try zoneName("toStartOfInterval", arguments, 2))
        },
        body: { (columns, type, _, _) throws(QueryError) in
            guard case .interval(let unit) = columns[1].type.base, let count = columns[1].constantScalar?.asInteger
            else {
                preconditionFailure("BUG: the interval was checked")
            }
            return TimeBucket(count: count, unit: unit).starts(columns[0], type: type, zone: zone(columns, 2))
        })

    private static let dateTrunc = PlainFunction(
        "dateTrunc", 2...3,
        type: { (arguments) throws(QueryError) in
            let bucket = try truncation(arguments[0].constantText, arguments[0].type)
            let source = arguments[1].type.base
            guard bucket.accepts(source) else { throw illegalArgument("dateTrunc", 1, arguments[1].type) }
            let zone = try constantZone("dateTrunc", arguments, 2) ?? arguments[1].type.zoneName
            let type = bucket.resultType(source, zone: zone)
            if source.tickPrecision > 0, case .dateTime = type { return .dateTime64(precision: 0, timeZone: zone) }
            return type
        },
        body: { (columns, type, _, _) throws(QueryError) in
            let text = columns[0].constantBytes.map { String(decoding: $0, as: UTF8.self) }
            let bucket = try truncation(text, columns[0].type)
            let rest = Array(columns[1...])
            return bucket.starts(rest[0], type: type, zone: zone(rest, 1))
        })

    private static func truncation(_ text: String?, _ type: DataType) throws(QueryError) -> TimeBucket {
        guard let text else { throw illegalArgument("dateTrunc", 0, type, expected: "a constant unit name") }
        guard let unit = IntervalUnit(datePart: text) else {
            throw QueryError(.badArguments, "\(text) doesn't look like datepart name in dateTrunc")
        }
        return TimeBucket(count: 1, unit: unit)
    }

    private static let toLastDayOfMonth = dayFunction("toLastDayOfMonth") { day in
        let (year, month, _) = Civil.date(fromDays: day)
        return Civil.days(year: year, month: month, day: Civil.daysInMonth(year: year, month: month))
    }

    private static let toLastDayOfWeek = dayFunction("toLastDayOfWeek") { day in
        // Saturday, weeks beginning on Sunday.
        day + 6 - Int64(Civil.weekday(days: day) % 7)
    }

    private static func dayFunction(_ name: String, _ body: @escaping @Sendable (Int64) -> Int64) -> any ScalarFunction
    {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isTemporal else { throw illegalArgument(name, 0, arguments[0].type) }
                return .date
            },
            body: { (columns, type, _, _) throws(QueryError) in
                let days = columns[0].localDays(zone: columns[0].type.zone ?? .utc)
                return Column(type: type, data: .uint16(mapValues(days) { UInt16(clamping: body($0)) }))
            })
    }
}

extension IntervalUnit {
    /// The unit that a word names: `hour`, `HOURS`, `hh`, `h`.
    init?(datePart word: String) {
        let lower = word.lowercased()
        if let exact = IntervalUnit(rawValue: lower)
            ?? IntervalUnit(rawValue: lower.hasSuffix("s") ? String(lower.dropLast()) : lower)
        {
            self = exact
            return
        }
        switch lower {
        case "ns": self = .nanosecond
        case "us", "u": self = .microsecond
        case "ms": self = .millisecond
        case "ss", "s": self = .second
        case "mi", "n": self = .minute
        case "hh", "h": self = .hour
        case "dd", "d": self = .day
        case "wk", "ww": self = .week
        case "mm", "m": self = .month
        case "qq", "q": self = .quarter
        case "yyyy", "yy": self = .year
        default: return nil
        }
    }
}

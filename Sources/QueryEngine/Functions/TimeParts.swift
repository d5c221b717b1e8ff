import Columnar

// Parts of dates and times: toYear, toHour, toISOWeek …

enum TimePartFunctions {
    static let all: [any ScalarFunction] = dateParts + clockParts + weeks + numbers + [toMillisecond]

    private static func part(
        _ name: String, _ type: DataType, needsTime: Bool = false, _ body: @escaping @Sendable ([Int64]) -> [Int64],
        of source: @escaping @Sendable (Column, TimeZone) -> [Int64]
    ) -> any ScalarFunction {
        PlainFunction(
            name, 1...2,
            type: { (arguments) throws(QueryError) in
                let base = arguments[0].type.base
                guard base.isTemporal, !needsTime || base != .date else {
                    throw illegalArgument(name, 0, arguments[0].type)
                }
                _ = try constantZone(name, arguments, 1)
                return type
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let zone = partZone(columns, 1)
                return Column(
                    type: type,
                    data: ColumnData(integers: .rows(body(source(columns[0], zone))), count: count, type: type))
            })
    }

    static func partZone(_ columns: [Column], _ index: Int) -> TimeZone {
        if index < columns.count, let bytes = columns[index].constantBytes,
            let zone = TimeZone.named(String(decoding: bytes, as: UTF8.self))
        {
            return zone
        }
        return columns[0].type.zone ?? .utc
    }

    private static func ofDay(_ name: String, _ type: DataType, _ body: @escaping @Sendable (Int64) -> Int64)
        -> any ScalarFunction
    {
        part(name, type, { mapValues($0, body) }, of: { $0.localDays(zone: $1) })
    }

    private static let dateParts: [any ScalarFunction] = [
        ofDay("toYear", .uint16) { Int64(Civil.date(fromDays: $0).year) },
        ofDay("toQuarter", .uint8) { Int64((Civil.date(fromDays: $0).month - 1) / 3 + 1) },
        ofDay("toMonth", .uint8) { Int64(Civil.date(fromDays: $0).month) },
        ofDay("toDayOfMonth", .uint8) { Int64(Civil.date(fromDays: $0).day) },
        ofDay("toDayOfYear", .uint16) { Int64(Civil.dayOfYear(days: $0)) },
        ofDay("toISOWeek", .uint8) { Int64(Civil.isoWeek(days: $0).week) },
        ofDay("toISOYear", .uint16) { Int64(Civil.isoWeek(days: $0).year) },
        ofDay("toRelativeDayNum", .uint32) { $0 },
        ofDay("toDaysSinceYearZero", .uint32) { $0 + 719_528 },
        ofDay("toYYYYMM", .uint32) { day in
            let (year, month, _) = Civil.date(fromDays: day)
            return Int64(year * 100 + month)
        },
        ofDay("toYYYYMMDD", .uint32) { day in
            let (year, month, date) = Civil.date(fromDays: day)
            return Int64(year * 10_000 + month * 100 + date)
        },
    ]

    /// A function of the seconds by the zone's clock.
    private static func ofClock(
        _ name: String, _ type: DataType, needsTime: Bool, _ body: @escaping @Sendable (Int64) -> Int64
    ) -> any ScalarFunction {
        part(
            name, type, needsTime: needsTime, { mapValues($0, body) },
            of: { column, zone in
                column.type.base == .date
                    ? mapValues(column.integerRows(as: Int64.self)) { $0 * Civil.daySeconds }
                    : zone.localSeconds(column.unixSeconds)
            })
    }

    private static let clockParts: [any ScalarFunction] = [
        ofClock("toHour", .uint8, needsTime: true) { ($0 &- Civil.floorDivide($0, 86_400) &* 86_400) / 3600 },
        ofClock("toMinute", .uint8, needsTime: true) { ($0 &- Civil.floorDivide($0, 3600) &* 3600) / 60 },
        ofClock("toSecond", .uint8, needsTime: true) { $0 &- Civil.floorDivide($0, 60) &* 60 },
        ofClock("toYYYYMMDDhhmmss", .uint64, needsTime: false) { local in
            let days = Civil.floorDivide(local, 86_400)
            let (year, month, day) = Civil.date(fromDays: days)
            let second = local &- days &* 86_400
            let time = second / 3600 * 10_000 + second / 60 % 60 * 100 + second % 60
            return Int64(year * 10_000 + month * 100 + day) &* 1_000_000 &+ time
        },
    ]

    private static let numbers: [any ScalarFunction] = [
        part(
            "toRelativeHourNum", .uint32, { mapValues($0) { Civil.floorDivide($0, 3600) } }, of: { unixSeconds($0, $1) }
        ),
        part(
            "toRelativeMinuteNum", .uint32, { mapValues($0) { Civil.floorDivide($0, 60) } }, of: { unixSeconds($0, $1) }
        ),
        part("toRelativeSecondNum", .uint32, { $0 }, of: { unixSeconds($0, $1) }),
    ]

    static func unixSeconds(_ column: Column, _ zone: TimeZone) -> [Int64] {
        guard column.type.base == .date else { return column.unixSeconds }
        return mapValues(column.integerRows(as: Int64.self)) { zone.unix(local: $0 * Civil.daySeconds) }
    }

    private static let toMillisecond = part(
        "toMillisecond", .uint16, needsTime: true, { $0 },
        of: { column, _ in
            let precision = column.type.tickPrecision
            let scale = Civil.powerOfTen(precision)
            return mapValues(column.integerRows(as: Int64.self)) { ticks in
                let fraction = ticks &- Civil.floorDivide(ticks, scale) &* scale
                return precision >= 3
                    ? fraction / Civil.powerOfTen(precision - 3) : fraction * Civil.powerOfTen(3 - precision)
            }
        })

    // MARK: Weeks

    /// A function of a day and a constant mode: `toDayOfWeek(d, mode)`.
    private static func withMode(
        _ name: String, _ type: DataType, _ body: @escaping @Sendable (Int64, Int64) -> Int64
    ) -> any ScalarFunction {
        PlainFunction(
            name, 1...3,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isTemporal else { throw illegalArgument(name, 0, arguments[0].type) }
                if arguments.count > 1, arguments[1].constantInteger == nil {
                    throw illegalArgument(name, 1, arguments[1].type)
                }
                _ = try constantZone(name, arguments, 2)
                return type
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let mode = columns.count > 1 ? columns[1].constantScalar?.asInteger ?? 0 : 0
                let days = columns[0].localDays(zone: partZone(columns, 2))
                let values = mapValues(days) { body($0, mode) }
                return Column(type: type, data: ColumnData(integers: .rows(values), count: count, type: type))
            })
    }

    private static let weeks: [any ScalarFunction] = [
        withMode("toDayOfWeek", .uint8) { day, mode in
            let monday = Int64(Civil.weekday(days: day))
            switch mode & 3 {
            case 0: return monday
            case 1: return monday - 1
            case 2: return monday % 7
            default: return monday % 7 + 1
            }
        },
        withMode("toWeek", .uint8) { weekNumber($0, mode: $1, forcesYear: false).week },
        withMode("toYearWeek", .uint32) { day, mode in
            let (year, week) = weekNumber(day, mode: mode, forcesYear: true)
            return year * 100 + week
        },
    ]

    /// MySQL's WEEK(): bit 0 of the mode begins weeks on Monday, bit 1 counts from 1 and may belong to another year,
    /// bit 2 makes the first week the one that begins in the year. Modes 8 and 9: the first week has January 1st.
    private static func weekNumber(_ day: Int64, mode: Int64, forcesYear: Bool) -> (year: Int64, week: Int64) {
        let isMonday = mode & 1 == 1
        func weekday(_ day: Int64) -> Int64 {
            Int64(isMonday ? Civil.weekday(days: day) - 1 : Civil.weekday(days: day) % 7)
        }
        let year = Civil.date(fromDays: day).year
        func yearStart(_ year: Int) -> Int64 { Civil.days(year: year, month: 1, day: 1) }
        if mode & 8 != 0 {
            let next = yearStart(year + 1)
            if day >= next - weekday(next) { return (Int64(year + 1), 1) }
            let first = yearStart(year)
            return (Int64(year), (day - (first - weekday(first))) / 7 + 1)
        }
        let countsFromOne = mode & 2 != 0 || forcesYear
        // Whether a week belongs to the year by its first day, or by most of its days.
        let byFirstDay = (mode & 4 != 0) == isMonday
        func firstWeek(_ year: Int) -> Int64 {
            let start = yearStart(year)
            let ahead = weekday(start)
            if byFirstDay { return start + (ahead == 0 ? 0 : 7 - ahead) }
            return ahead < 4 ? start - ahead : start + 7 - ahead
        }
        let begin = firstWeek(year)
        if day < begin {
            guard countsFromOne else { return (Int64(year), 0) }
            return (Int64(year - 1), (day - firstWeek(year - 1)) / 7 + 1)
        }
        if countsFromOne, day >= firstWeek(year + 1) { return (Int64(year + 1), 1) }
        return (Int64(year), (day - begin) / 7 + 1)
    }
}

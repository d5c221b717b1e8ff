import Columnar

// now() and its like, Unix timestamps, zones, differences, addDays …

enum TimeFunctions {
    static let all: [any ScalarFunction] = current + timestamps + zones + differences + additions + made

    // MARK: Now

    private static func seconds(_ context: EvaluationContext) -> Int64 {
        Civil.floorDivide(context.nowNs, 1_000_000_000)
    }

    private static let current: [any ScalarFunction] = [
        PlainFunction(
            "now", 0...1,
            type: { (arguments) throws(QueryError) in .dateTime(timeZone: try constantZone("now", arguments, 0)) },
            body: { (_, type, count, context) throws(QueryError) in
                Column.constant(.uint(UInt64(max(0, seconds(context)))), type: type, count: count)
            }
        ).contextual,
        PlainFunction("UTCTimestamp", 0...0, .dateTime(timeZone: "UTC")) {
            (_, type, count, context) throws(QueryError) in
            Column.constant(.uint(UInt64(max(0, seconds(context)))), type: type, count: count)
        }.contextual,
        PlainFunction(
            "now64", 0...2,
            type: { (arguments) throws(QueryError) in
                let precision = arguments.isEmpty ? 3 : arguments[0].constantInteger ?? -1
                guard (0...9).contains(precision) else {
                    throw QueryError(.argumentOutOfBound, "Scale \(precision) is too large for DateTime64: at most 9")
                }
                return .dateTime64(precision: Int(precision), timeZone: try constantZone("now64", arguments, 1))
            },
            body: { (_, type, count, context) throws(QueryError) in
                let ticks = Civil.floorDivide(context.nowNs, Civil.powerOfTen(9 - type.tickPrecision))
                return Column.constant(.int(ticks), type: type, count: count)
            }
        ).contextual,
        day("today", 0), day("yesterday", -1),
    ]

    private static func day(_ name: String, _ offset: Int64) -> any ScalarFunction {
        PlainFunction(
            name, 0...1,
            type: { (arguments) throws(QueryError) in
                _ = try constantZone(name, arguments, 0)
                return .date
            },
            body: { (columns, type, count, context) throws(QueryError) in
                let zone =
                    columns.first?.constantBytes.flatMap { TimeZone.named(String(decoding: $0, as: UTF8.self)) } ?? .utc
                let unix = seconds(context)
                let days = Civil.floorDivide(unix &+ Int64(zone.offsetSeconds(atUnix: unix)), Civil.daySeconds) + offset
                return Column.constant(.uint(UInt64(max(0, days))), type: type, count: count)
            }
        ).contextual
    }

    // MARK: Unix timestamps

    private static let timestamps: [any ScalarFunction] = [
        PlainFunction(
            "toUnixTimestamp", 1...2, canFail: true,
            type: { (arguments) throws(QueryError) in
                let type = arguments[0].type.base
                guard type.isTemporal || type == .string else {
                    throw illegalArgument("toUnixTimestamp", 0, arguments[0].type)
                }
                _ = try constantZone("toUnixTimestamp", arguments, 1)
                return .uint32
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let zone = TimePartFunctions.partZone(columns, 1)
                var column = columns[0].flattened()
                if column.type == .string {
                    column = try Cast.parsed(column, to: .dateTime(timeZone: nil), onFailure: .error, zone: zone)
                }
                let seconds = TimePartFunctions.unixSeconds(column, zone)
                if seconds.contains(where: { $0 < 0 || $0 > Int64(UInt32.max) }) {
                    throw QueryError(.decimalOverflow, "Convert overflow: a time does not fit UInt32")
                }
                return Column(type: type, data: ColumnData(integers: .rows(seconds), count: count, type: type))
            }),
        toTicks("toUnixTimestamp64Second", 0), toTicks("toUnixTimestamp64Milli", 3),
        toTicks("toUnixTimestamp64Micro", 6),
        toTicks("toUnixTimestamp64Nano", 9), fromTicks("fromUnixTimestamp64Second", 0),
        fromTicks("fromUnixTimestamp64Milli", 3),
        fromTicks("fromUnixTimestamp64Micro", 6), fromTicks("fromUnixTimestamp64Nano", 9),
        PlainFunction(
            "fromUnixTimestamp", 1...3,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isInteger else {
                    throw illegalArgument("fromUnixTimestamp", 0, arguments[0].type)
                }
                if arguments.count == 1 { return .dateTime(timeZone: nil) }
                guard arguments[1].constantBytes != nil else {
                    throw illegalArgument("fromUnixTimestamp", 1, arguments[1].type, expected: "a constant format")
                }
                _ = try constantZone("fromUnixTimestamp", arguments, 2)
                return .string
            },
            body: { (columns, type, count, context) throws(QueryError) in
                let time = try Cast.toTime(columns[0].flattened(), to: .dateTime(timeZone: nil), zone: nil)
                if columns.count == 1 { return time }
                return try FormatDateTime.function.evaluate(
                    [time] + columns[1...], type: type, rowCount: count, context: context)
            }),
    ]

    private static func toTicks(_ name: String, _ precision: Int) -> any ScalarFunction {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                guard case .dateTime64 = arguments[0].type.base else {
                    throw illegalArgument(name, 0, arguments[0].type)
                }
                return .int64
            },
            body: { (columns, type, _, _) throws(QueryError) in
                let own = columns[0].type.tickPrecision
                let values = columns[0].integerRows(as: Int64.self)
                if own > precision {
                    let divide = FastDivider(Civil.powerOfTen(own - precision))
                    return Column(type: type, data: .int64(mapValues(values) { divide($0) }))
                }
                let factor = Civil.powerOfTen(precision - own)
                return Column(type: type, data: .int64(mapValues(values) { $0 &* factor }))
            })
    }

    private static func fromTicks(_ name: String, _ precision: Int) -> any ScalarFunction {
        PlainFunction(
            name, 1...2,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isInteger else { throw illegalArgument(name, 0, arguments[0].type) }
                return .dateTime64(precision: precision, timeZone: try constantZone(name, arguments, 1))
            },
            body: { (columns, type, _, _) throws(QueryError) in
                Column(type: type, data: .int64(columns[0].integerRows(as: Int64.self)))
            })
    }

    // MARK: Zones

    private static let zones: [any ScalarFunction] = [
        PlainFunction(
            "toTimezone", 2...2,
            type: { (arguments) throws(QueryError) in
                let type = arguments[0].type.base
                guard type.isTemporal, type != .date else { throw illegalArgument("toTimeZone", 0, arguments[0].type) }
                return type.inZone(try constantZone("toTimeZone", arguments, 1))
            },
            body: { (columns, type, _, _) throws(QueryError) in columns[0].withType(type) }),
        PlainFunction("timezone", 0...0, .string) { (_, type, count, _) throws(QueryError) in
            Column.constant(.string(Array("UTC".utf8)), type: type, count: count)
        },
        PlainFunction(
            "timezoneOf", 1...1,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isTemporal else { throw illegalArgument("timezoneOf", 0, arguments[0].type) }
                return .string
            },
            body: { (columns, type, count, _) throws(QueryError) in
                Column.constant(.string(Array((columns[0].type.zoneName ?? "UTC").utf8)), type: type, count: count)
            }),
        PlainFunction(
            "timezoneOffset", 1...1,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isTemporal else {
                    throw illegalArgument("timezoneOffset", 0, arguments[0].type)
                }
                return .int32
            },
            body: { (columns, type, _, _) throws(QueryError) in
                let zone = columns[0].type.zone ?? .utc
                let seconds = TimePartFunctions.unixSeconds(columns[0], zone)
                return Column(type: type, data: .int32(mapValues(seconds) { Int32(zone.offsetSeconds(atUnix: $0)) }))
            }),
    ]

    // MARK: Differences

    private static let differences: [any ScalarFunction] = [
        difference("dateDiff", countsWhole: false), difference("age", countsWhole: true),
    ]

    private static func difference(_ name: String, countsWhole: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 3...4,
            type: { (arguments) throws(QueryError) in
                guard let text = arguments[0].constantText else {
                    throw illegalArgument(name, 0, arguments[0].type, expected: "a unit")
                }
                guard IntervalUnit(datePart: text) != nil else {
                    throw QueryError(.badArguments, "Function \(name) does not support '\(text)' unit")
                }
                for index in 1...2 where !arguments[index].type.isTemporal {
                    throw illegalArgument(name, index, arguments[index].type)
                }
                _ = try constantZone(name, arguments, 3)
                return .int64
            },
            body: { (columns, type, count, _) throws(QueryError) in
                guard let bytes = columns[0].constantBytes,
                    let unit = IntervalUnit(datePart: String(decoding: bytes, as: UTF8.self))
                else { preconditionFailure("BUG: the unit was checked") }
                let given = columns.count > 3 ? TimePartFunctions.partZone(columns, 3) : nil
                let (left, right) = (columns[1], columns[2])
                if countsWhole, !unit.isCalendar || unit == .day || unit == .week {
                    let zone = given ?? left.type.zone ?? .utc
                    let step = max(1, Int64(unit.approximateSeconds))
                    let values = zip(
                        TimePartFunctions.unixSeconds(left, zone), TimePartFunctions.unixSeconds(right, zone))
                    return Column(type: type, data: .int64(values.map { ($1 &- $0) / step }))
                }
                let first = ordinals(left, unit, given ?? left.type.zone ?? .utc)
                let second = ordinals(right, unit, given ?? right.type.zone ?? .utc)
                var result = mapPairs(.rows(first), .rows(second), count: count) { $1 &- $0 }
                if countsWhole { trimPartial(&result, left, right, unit, given ?? left.type.zone ?? .utc) }
                return Column(type: type, data: .int64(result))
            })
    }

    /// The number of the unit each moment lies in.
    private static func ordinals(_ column: Column, _ unit: IntervalUnit, _ zone: TimeZone) -> [Int64] {
        switch unit {
        case .nanosecond, .microsecond, .millisecond:
            let precision = unit == .nanosecond ? 9 : unit == .microsecond ? 6 : 3
            let own = column.type.tickPrecision
            let ticks = own > 0 ? column.integerRows(as: Int64.self) : TimePartFunctions.unixSeconds(column, zone)
            if own > precision {
                let divide = FastDivider(Civil.powerOfTen(own - precision))
                return mapValues(ticks) { divide($0) }
            }
            let factor = Civil.powerOfTen(precision - own)
            return mapValues(ticks) { $0 &* factor }
        case .second, .minute:
            let divide = FastDivider(unit == .second ? 1 : 60)
            return mapValues(TimePartFunctions.unixSeconds(column, zone)) { divide($0) }
        case .hour:
            let divide = FastDivider(3600)
            // By one offset throughout: summer time takes no hour from a difference.
            let offset = Int64(zone.offsetSeconds(atUnix: 0))
            return mapValues(TimePartFunctions.unixSeconds(column, zone)) { divide($0 &+ offset) }
        case .day: return column.localDays(zone: zone)
        case .week: return mapValues(column.localDays(zone: zone)) { Civil.floorDivide($0 - 4, 7) }
        case .month, .quarter, .year:
            let months = unit.months
            return mapValues(column.localDays(zone: zone)) { day in
                let (year, month, _) = Civil.date(fromDays: day)
                return Civil.floorDivide(Int64(year * 12 + month - 1), months)
            }
        }
    }

    /// Months begun but not gone through do not count for `age`.
    private static func trimPartial(
        _ values: inout [Int64], _ left: Column, _ right: Column, _ unit: IntervalUnit, _ zone: TimeZone
    ) {
        let first = left.localDays(zone: zone)
        let second = right.localDays(zone: zone)
        for row in 0..<values.count {
            let (early, late) = first[row] <= second[row] ? (first[row], second[row]) : (second[row], first[row])
            let (a, b) = (Civil.date(fromDays: early), Civil.date(fromDays: late))
            var months = Int64((b.year - a.year) * 12 + b.month - a.month)
            if b.day < a.day { months -= 1 }
            let whole = months / unit.months
            values[row] = first[row] <= second[row] ? whole : -whole
        }
    }

    // MARK: Additions

    private static let additions: [any ScalarFunction] = IntervalUnit.allCases.flatMap { unit -> [any ScalarFunction] in
        let word = "\(unit.rawValue.prefix(1).uppercased())\(unit.rawValue.dropFirst())s"
        return [addition("add\(word)", unit, 1), addition("subtract\(word)", unit, -1)]
    }

    private static func addition(_ name: String, _ unit: IntervalUnit, _ sign: Int64) -> any ScalarFunction {
        PlainFunction(
            name, 2...2, canFail: true,
            type: { (arguments) throws(QueryError) in
                let source = arguments[0].type.base
                guard arguments[1].type.isNumeric else { throw illegalArgument(name, 1, arguments[1].type) }
                if source == .string { return .dateTime64(precision: 3, timeZone: nil) }
                guard let type = TimeArithmetic.shifted(source, by: unit) else {
                    throw illegalArgument(name, 0, arguments[0].type)
                }
                return type
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let amounts = Operand.rows(mapValues(columns[1].wholeNumbers) { sign &* $0 })
                var column = columns[0].flattened()
                if column.type.base == .string { column = try Cast.parsed(column, to: type, onFailure: .error) }
                return try TimeArithmetic.add(amounts, unit, to: column, type: type, count: count)
            })
    }

    private static let made: [any ScalarFunction] = [
        PlainFunction(
            "makeDate", 2...3,
            type: { (arguments) throws(QueryError) in
                for (index, argument) in arguments.enumerated() where !argument.type.isNumeric {
                    throw illegalArgument("makeDate", index, argument.type)
                }
                return .date
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let parts = columns.map(\.wholeNumbers)
                let days = (0..<count).map { row -> UInt16 in
                    let year = Int(min(max(parts[0][row], 0), 9999))
                    if parts.count == 2 {
                        return UInt16(
                            clamping: Civil.days(year: year, month: 1, day: 1) + min(max(parts[1][row], 1), 366) - 1)
                    }
                    let (month, day) = (parts[1][row], parts[2][row])
                    guard (1...12).contains(month), day >= 1, day <= Civil.daysInMonth(year: year, month: Int(month))
                    else { return 0 }
                    return UInt16(clamping: Civil.days(year: year, month: Int(month), day: Int(day)))
                }
                return Column(type: type, data: .uint16(days))
            }),
        PlainFunction(
            "makeDateTime", 6...7,
            type: { (arguments) throws(QueryError) in
                .dateTime(timeZone: try constantZone("makeDateTime", arguments, 6))
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let parts = columns[..<6].map(\.wholeNumbers)
                let zone = type.zone ?? .utc
                let seconds = (0..<count).map { row -> UInt32 in
                    let (year, month, day) = (parts[0][row], parts[1][row], parts[2][row])
                    let (hour, minute, second) = (parts[3][row], parts[4][row], parts[5][row])
                    guard (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
                        (0..<24).contains(hour),
                        (0..<60).contains(minute), (0..<60).contains(second)
                    else { return 0 }
                    let days = Civil.days(year: Int(year), month: Int(month), day: Int(day))
                    return UInt32(clamping: zone.unix(local: days * 86_400 + hour * 3600 + minute * 60 + second))
                }
                return Column(type: type, data: .uint32(seconds))
            }),
    ]
}

extension IntervalUnit {
    /// Whether its length depends on the calendar.
    var isCalendar: Bool {
        switch self {
        case .day, .week, .month, .quarter, .year: true
        default: false
        }
    }
}

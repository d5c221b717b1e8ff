import Columnar

/// `formatDateTime(t, '%Y-%m-%d')`, `dateName`, `monthName`.
enum FormatDateTime {
    static let all: [any ScalarFunction] = [function, dateName, monthName]

    static let function = PlainFunction(
        "formatDateTime", 2...3,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isTemporal else { throw illegalArgument("formatDateTime", 0, arguments[0].type) }
            guard let format = arguments[1].constantBytes else {
                throw illegalArgument("formatDateTime", 1, arguments[1].type, expected: "a constant format")
            }
            _ = try parse(format)
            _ = try constantZone("formatDateTime", arguments, 2)
            return .string
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let parts = try parse(columns[1].constantBytes ?? [])
            let zone = TimePartFunctions.partZone(columns, 2)
            return Column(type: type, data: .string(format(columns[0].flattened(), parts, zone)))
        })

    private enum Part {
        case text([UInt8])
        case code(UInt8)
    }

    private static let codes: Set<UInt8> = Set("abCcDdeFfGgHhIijklMmpQRrSsTuVWwYyz".utf8)

    private static func parse(_ format: [UInt8]) throws(QueryError) -> [Part] {
        var parts: [Part] = []
        var text: [UInt8] = []
        var index = 0
        while index < format.count {
            guard format[index] == 0x25 else {
                text.append(format[index])
                index += 1
                continue
            }
            guard index + 1 < format.count else {
                throw QueryError(.badArguments, "Trailing '%' symbol in the format of formatDateTime")
            }
            let code = format[index + 1]
            index += 2
            switch code {
            case UInt8(ascii: "%"): text.append(0x25)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "t"): text.append(0x09)
            default:
                guard codes.contains(code) else {
                    throw QueryError(
                        .badArguments, "formatDateTime does not know %\(String(decoding: [code], as: UTF8.self))")
                }
                if !text.isEmpty { parts.append(.text(text)) }
                text = []
                parts.append(.code(code))
            }
        }
        if !text.isEmpty { parts.append(.text(text)) }
        return parts
    }

    private struct Moment {
        var year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0
        var days: Int64 = 0
        var micros: Int64 = 0
        var offset = 0
    }

    private static func format(_ column: Column, _ parts: [Part], _ zone: TimeZone) -> StringData {
        let unix = TimePartFunctions.unixSeconds(column, zone)
        let precision = column.type.tickPrecision
        let ticks = precision > 0 ? column.integerRows(as: Int64.self) : []
        var bytes: [UInt8] = []
        var offsets: [UInt32] = [0]
        for row in 0..<unix.count {
            var moment = Moment()
            moment.offset = zone.offsetSeconds(atUnix: unix[row])
            let local = unix[row] &+ Int64(moment.offset)
            moment.days = Civil.floorDivide(local, Civil.daySeconds)
            (moment.year, moment.month, moment.day) = Civil.date(fromDays: moment.days)
            let second = Int(local &- moment.days &* Civil.daySeconds)
            (moment.hour, moment.minute, moment.second) = (second / 3600, second / 60 % 60, second % 60)
            if precision > 0 {
                let fraction = ticks[row] &- unix[row] &* Civil.powerOfTen(precision)
                moment.micros =
                    precision > 6
                    ? fraction / Civil.powerOfTen(precision - 6) : fraction * Civil.powerOfTen(6 - precision)
            }
            for part in parts {
                switch part {
                case .text(let text): bytes.append(contentsOf: text)
                case .code(let code): append(moment, code, precision, to: &bytes)
                }
            }
            offsets.append(UInt32(bytes.count))
        }
        return StringData(bytes: bytes, offsets: offsets)
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    private static func append(_ moment: Moment, _ code: UInt8, _ precision: Int, to bytes: inout [UInt8]) {
        func two(_ value: Int) { ValueText.append(padded: Int64(value), digits: 2, to: &bytes) }
        func number(_ value: Int) { ValueText.append(integer: value, to: &bytes) }
        func sequence(_ text: String) {
            for code in text.utf8 {
                if codes.contains(code) { append(moment, code, precision, to: &bytes) } else { bytes.append(code) }
            }
        }
        let hour12 = (moment.hour + 11) % 12 + 1
        switch UnicodeScalar(code) {
        case "a": bytes.append(contentsOf: weekdays[Civil.weekday(days: moment.days) - 1].utf8.prefix(3))
        case "b": bytes.append(contentsOf: months[moment.month - 1].utf8.prefix(3))
        case "C": two(moment.year / 100)
        case "c", "m": two(moment.month)
        case "D": sequence("m/d/y")
        case "d": two(moment.day)
        case "e": number(moment.day)
        case "F": sequence("Y-m-d")
        case "f": ValueText.append(padded: moment.micros, digits: 6, to: &bytes)
        case "G": number(Civil.isoWeek(days: moment.days).year)
        case "g": two(Civil.isoWeek(days: moment.days).year % 100)
        case "H", "k": two(moment.hour)
        case "h", "I", "l": two(hour12)
        case "i": two(moment.minute)
        case "j": ValueText.append(padded: Int64(Civil.dayOfYear(days: moment.days)), digits: 3, to: &bytes)
        case "M": bytes.append(contentsOf: months[moment.month - 1].utf8)
        case "p": bytes.append(contentsOf: (moment.hour < 12 ? "AM" : "PM").utf8)
        case "Q": number((moment.month - 1) / 3 + 1)
        case "R": sequence("H:i")
        case "r": sequence("h:i p")
        case "S", "s": two(moment.second)
        case "T": sequence("H:i:S")
        case "u": number(Civil.weekday(days: moment.days))
        case "V": two(Civil.isoWeek(days: moment.days).week)
        case "W": bytes.append(contentsOf: weekdays[Civil.weekday(days: moment.days) - 1].utf8)
        case "w": number(Civil.weekday(days: moment.days) % 7)
        case "Y": ValueText.append(padded: Int64(max(0, moment.year)), digits: 4, to: &bytes)
        case "y": two(moment.year % 100)
        case "z":
            bytes.append(moment.offset < 0 ? 0x2D : 0x2B)
            two(abs(moment.offset) / 3600)
            two(abs(moment.offset) / 60 % 60)
        default: break
        }
    }

    private static let monthName = PlainFunction(
        "monthName", 1...1,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isTemporal else { throw illegalArgument("monthName", 0, arguments[0].type) }
            return .string
        },
        body: { (columns, type, _, _) throws(QueryError) in
            Column(
                type: type,
                data: .string(format(columns[0].flattened(), [.code(UInt8(ascii: "M"))], columns[0].type.zone ?? .utc)))
        })

    private static let dateName = PlainFunction(
        "dateName", 2...3,
        type: { (arguments) throws(QueryError) in
            guard let part = arguments[0].constantText, nameCode(part) != nil else {
                throw QueryError(
                    .badArguments,
                    "dateName takes year, quarter, month, day, dayofyear, week, weekday, hour, minute or second")
            }
            guard arguments[1].type.isTemporal else { throw illegalArgument("dateName", 1, arguments[1].type) }
            _ = try constantZone("dateName", arguments, 2)
            return .string
        },
        body: { (columns, type, _, _) throws(QueryError) in
            let code =
                columns[0].constantBytes.flatMap { nameCode(String(decoding: $0, as: UTF8.self)) } ?? UInt8(ascii: "Y")
            let rest = Array(columns[1...])
            return Column(
                type: type,
                data: .string(format(rest[0].flattened(), [.code(code)], TimePartFunctions.partZone(rest, 1))))
        })

    private static func nameCode(_ part: String) -> UInt8? {
        switch part.lowercased() {
        case "year": UInt8(ascii: "Y")
        case "quarter": UInt8(ascii: "Q")
        case "month": UInt8(ascii: "M")
        case "dayofyear": UInt8(ascii: "j")
        case "day": UInt8(ascii: "e")
        case "week": UInt8(ascii: "V")
        case "weekday": UInt8(ascii: "W")
        case "hour": UInt8(ascii: "H")
        case "minute": UInt8(ascii: "i")
        case "second": UInt8(ascii: "S")
        default: nil
        }
    }
}

/// Times as dashboards write them, to milliseconds since 1970-01-01 UTC and back.
enum TimeText {
    /// Reads epoch milliseconds, ISO 8601 (`2024-04-17T04:04:12.5Z`), `2024-04-17 04:04:12`, a date alone, `now` and
    /// `now-15m`. Without a zone it is UTC. nil when it is none of these.
    static func milliseconds(_ text: String, nowMs: Int64) -> Int64? {
        if let number = Int64(text) { return number.magnitude < 1 << 53 ? number : nil }
        if text.hasPrefix("now") { return relative(text.dropFirst(3), nowMs: nowMs) }
        return absolute(Array(text.utf8))
    }

    private static func relative(_ text: Substring, nowMs: Int64) -> Int64? {
        if text.isEmpty { return nowMs }
        guard let sign = text.first, sign == "-" || sign == "+", let unit = text.last else { return nil }
        let factor: Int64
        switch unit {
        case "s": factor = 1000
        case "m": factor = 60_000
        case "h": factor = 3_600_000
        case "d": factor = 86_400_000
        case "w": factor = 604_800_000
        case "M": factor = 2_592_000_000
        case "y": factor = 31_536_000_000
        default: return nil
        }
        guard let count = Int64(text.dropFirst().dropLast()), (0...100_000).contains(count) else { return nil }
        return sign == "-" ? nowMs - count * factor : nowMs + count * factor
    }

    private static func absolute(_ bytes: [UInt8]) -> Int64? {
        var reader = Digits(bytes: bytes)
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var milliseconds = days(year: year, month: month, day: day) * 86_400_000
        if reader.isAtEnd { return milliseconds }
        guard reader.take("T") || reader.take(" "), let hour = reader.number(2), reader.take(":"),
            let minute = reader.number(2),
            hour < 24, minute < 60
        else { return nil }
        milliseconds += (hour * 60 + minute) * 60_000
        if reader.take(":") {
            guard let second = reader.number(2), second <= 60 else { return nil }
            milliseconds += second * 1000
            if reader.take(".") {
                guard let fraction = reader.fraction() else { return nil }
                milliseconds += fraction
            }
        }
        if reader.take("Z") || reader.isAtEnd { return reader.isAtEnd ? milliseconds : nil }
        let isWest = reader.take("-")
        guard isWest || reader.take("+"), let hours = reader.number(2) else { return nil }
        _ = reader.take(":")
        guard let minutes = reader.number(2), reader.isAtEnd else { return nil }
        let offset = (hours * 60 + minutes) * 60_000
        return isWest ? milliseconds + offset : milliseconds - offset
    }

    /// `YYYY-MM-DD` in UTC.
    static func date(ms: Int64) -> String {
        let day = ms >= 0 ? ms / 86_400_000 : (ms - 86_399_999) / 86_400_000
        let (year, month, dayOfMonth) = civil(days: day)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
    }

    /// `YYYY-MM-DD hh:mm:ss` in UTC.
    static func dateTime(ms: Int64) -> String {
        let inDay = ((ms % 86_400_000) + 86_400_000) % 86_400_000 / 1000
        return "\(date(ms: ms)) \(padded(inDay / 3600, 2)):\(padded(inDay / 60 % 60, 2)):\(padded(inDay % 60, 2))"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    /// Days since 1970-01-01 of a date of the Gregorian calendar.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let mp = (5 * dayOfYear + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * mp + 2) / 5 + 1)
    }
}

private struct Digits {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, UInt32(bytes[position]) == character.value else { return false }
        position += 1
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        guard position + width <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[position..<(position + width)] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        position += width
        return value
    }

    /// Digits after a point as milliseconds.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            if count < 3 { value = value * 10 + Int64(bytes[position] - 0x30) }
            count += 1
            position += 1
        }
        guard count > 0 else { return nil }
        for _ in count..<max(count, 3) { value *= 10 }
        return value
    }
}

import Columnar

/// Times in whatever form people and programs write them: ISO 8601, `Sat, 18 Aug 2018 07:22:16 GMT`,
/// `31/12/2020 7:22 PM`, `20200101T101112`, seconds or milliseconds since 1970.
enum BestEffortTime {
    typealias Moment = (seconds: Int64, nanos: Int32)

    /// Reads the whole of `bytes`; nil when it is no time. A date alone begins at midnight in `zone`.
    static func parse(_ bytes: UnsafeRawBufferPointer, zone: TimeZone) -> Moment? {
        if let plain = ValueText.parseDateTime(bytes, zone: zone) { return plain }
        guard bytes.count <= 64 else { return nil }
        if let number = unixTime(bytes) { return number }
        var scanner = BestEffortScanner(bytes: bytes)
        return scanner.run(zone: zone)
    }

    /// The plain form only: `2020-01-01`, `2020-01-01 10:11:12[.5]`, or seconds since 1970.
    static func parseBasic(_ bytes: UnsafeRawBufferPointer, zone: TimeZone) -> Moment? {
        if let number = unixTime(bytes) { return number }
        let hasOffset = bytes.dropFirst(10).contains { byte in
            byte == 0x5A || byte == 0x7A || byte == 0x2B || byte == 0x2D
        }
        return hasOffset ? nil : ValueText.parseDateTime(bytes, zone: zone)
    }

    /// Seconds (nine or ten digits, with or without a fraction), milli-, micro- or nanoseconds since 1970.
    private static func unixTime(_ bytes: UnsafeRawBufferPointer) -> Moment? {
        let digits = bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }.count
        guard digits >= 5, digits != 8, digits != 14, digits <= 19,
            let number: Int64 = ValueText.parseInteger(UnsafeRawBufferPointer(rebasing: bytes[..<digits]))
        else { return nil }
        if digits == bytes.count {
            switch digits {
            case ..<12: return (number, 0)
            case 13: return (number / 1000, Int32(number % 1000) * 1_000_000)
            case 16: return (number / 1_000_000, Int32(number % 1_000_000) * 1000)
            case 19: return (number / 1_000_000_000, Int32(number % 1_000_000_000))
            default: return nil
            }
        }
        guard digits < 12, bytes[digits] == 0x2E,
            let fraction = ValueText.parseFraction(UnsafeRawBufferPointer(rebasing: bytes[(digits + 1)...]))
        else { return nil }
        return (number, fraction)
    }
}

/// Takes a text apart word by word and number by number.
private struct BestEffortScanner {
    let bytes: UnsafeRawBufferPointer
    var index = 0
    var year: Int?
    var month: Int?
    var day: Int?
    var time: (seconds: Int, nanos: Int32)?
    var offset: Int?
    var isPM: Bool?

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func run(zone: TimeZone) -> BestEffortTime.Moment? {
        while index < bytes.count {
            let byte = bytes[index]
            let isFine: Bool
            if byte == 0x20 || byte == 0x2C {
                index += 1
                isFine = true
            } else if isDigit(byte) {
                isFine = number()
            } else if byte == 0x2B || byte == 0x2D {
                isFine = time != nil && offset ?? 0 == 0 && signedOffset()
            } else {
                isFine = word()
            }
            guard isFine else { return nil }
        }
        return moment(zone)
    }

    private func moment(_ zone: TimeZone) -> BestEffortTime.Moment? {
        guard let year, (1...12).contains(month ?? 1),
            (1...Civil.daysInMonth(year: year, month: month ?? 1)).contains(day ?? 1)
        else { return nil }
        var seconds = time?.seconds ?? 0
        if let isPM {
            guard seconds < 46_800 else { return nil }
            seconds = seconds % 43_200 + (isPM ? 43_200 : 0)
        }
        let local = Civil.days(year: year, month: month ?? 1, day: day ?? 1) * Civil.daySeconds + Int64(seconds)
        let unix = offset.map { local - Int64($0) } ?? zone.unix(local: local)
        return (unix, time?.nanos ?? 0)
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    /// A run of at most `limit` digits.
    private mutating func digits(_ limit: Int) -> (value: Int, count: Int)? {
        let start = index
        var value = 0
        while index < bytes.count, isDigit(bytes[index]), index - start < limit {
            value = value * 10 + Int(bytes[index] - 0x30)
            index += 1
        }
        return index > start ? (value, index - start) : nil
    }

    private mutating func number() -> Bool {
        guard let (value, count) = digits(14) else { return false }
        switch count {
        case 14:
            return setDate(value / 1_000_000) && setTime(value % 1_000_000)
        case 8 where year == nil: return setDate(value)
        case 6 where year != nil && time == nil: return setTime(value)
        case 4 where year == nil:
            year = value
            return restOfDate()
        case 1, 2: return shortNumber(value)
        default: return false
        }
    }

    private mutating func setDate(_ value: Int) -> Bool {
        guard year == nil else { return false }
        (year, month, day) = (value / 10_000, value / 100 % 100, value % 100)
        return true
    }

    private mutating func setTime(_ value: Int) -> Bool {
        guard time == nil, value / 10_000 < 24, value / 100 % 100 < 60, value % 100 <= 60 else { return false }
        time = (value / 10_000 * 3600 + value / 100 % 100 * 60 + value % 100, 0)
        return fraction()
    }

    /// What follows a year: `-MM`, `-MM-DD`.
    private mutating func restOfDate() -> Bool {
        guard index < bytes.count, [0x2D, 0x2F, 0x2E].contains(bytes[index]), month == nil else { return true }
        let separator = bytes[index]
        index += 1
        guard let (month, _) = digits(2) else { return false }
        self.month = month
        guard take(separator) else { return true }
        guard let (day, _) = digits(2) else { return false }
        self.day = day
        return true
    }

    private mutating func shortNumber(_ value: Int) -> Bool {
        guard index < bytes.count else { return lonelyNumber(value) }
        switch bytes[index] {
        case 0x3A:
            guard time == nil, value < 25 else { return false }
            index += 1
            guard let (minute, _) = digits(2), minute < 60 else { return false }
            var second = 0
            if take(0x3A) {
                guard let (found, _) = digits(2), found <= 60 else { return false }
                second = found
            }
            time = (value * 3600 + minute * 60 + second, 0)
            return fraction()
        case 0x2F, 0x2E, 0x2D:
            guard day == nil, year == nil else { return false }
            let separator = bytes[index]
            index += 1
            day = value
            if let (second, _) = digits(2) {
                month = second
                // Months first, as Americans write it, when it cannot be otherwise.
                if second > 12 { (day, month) = (second, value) }
            } else if !word() {
                return false
            }
            guard take(separator), let (found, count) = digits(4), count == 4 else { return false }
            year = found
            return true
        default: return lonelyNumber(value)
        }
    }

    /// A day beside a month's name, or an hour behind a whole date.
    private mutating func lonelyNumber(_ value: Int) -> Bool {
        if day == nil {
            day = value
            return true
        }
        guard year != nil, time == nil, value < 24 else { return false }
        time = (value * 3600, 0)
        return true
    }

    private mutating func fraction() -> Bool {
        guard let time, take(0x2E) else { return true }
        let start = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        if index == start { return true }
        guard let nanos = ValueText.parseFraction(UnsafeRawBufferPointer(rebasing: bytes[start..<index])) else {
            return false
        }
        self.time = (time.seconds, nanos)
        return true
    }

    private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    private static let weekdays: Set<String> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    private static let zones: [String: Int] = [
        "z": 0, "utc": 0, "gmt": 0, "msk": 10_800, "msd": 14_400, "est": -18_000, "edt": -14_400, "cst": -21_600,
        "cdt": -18_000, "mst": -25_200, "mdt": -21_600, "pst": -28_800, "pdt": -25_200, "cet": 3600, "cest": 7200,
    ]

    private mutating func word() -> Bool {
        let start = index
        while index < bytes.count, bytes[index] | 0x20 >= 0x61, bytes[index] | 0x20 <= 0x7A { index += 1 }
        guard index > start else { return false }
        let text = String(decoding: bytes[start..<index], as: UTF8.self).lowercased()
        if text == "t" { return year != nil && time == nil }
        if text == "am" || text == "pm" {
            guard time != nil else { return false }
            isPM = text == "pm"
            return true
        }
        if let zone = Self.zones[text], offset == nil {
            offset = zone
            return true
        }
        guard text.utf8.count >= 3 else { return false }
        if let found = Self.months.firstIndex(of: String(text.prefix(3))), month == nil {
            month = found + 1
            return true
        }
        return Self.weekdays.contains(String(text.prefix(3)))
    }

    private mutating func signedOffset() -> Bool {
        let isNegative = bytes[index] == 0x2D
        index += 1
        guard let (value, count) = digits(4) else { return false }
        var seconds = count > 2 ? value / 100 * 3600 + value % 100 * 60 : value * 3600
        if take(0x3A) {
            guard count <= 2, let (minutes, _) = digits(2) else { return false }
            seconds += minutes * 60
        }
        guard seconds <= 54_000 else { return false }
        offset = isNegative ? -seconds : seconds
        return true
    }
}

// Dates and times as text and back.

extension ValueText {
    /// The last second with a four-digit year.
    private static let maxSeconds: Int64 = 253_402_300_799
    /// The first second of year 0.
    private static let minSeconds: Int64 = -62_167_219_200

    /// Appends `2024-04-17` for days since 1970-01-01; held to years 0 to 9999.
    public static func appendDate(days: Int64, to bytes: inout [UInt8]) {
        let held = min(max(days, minSeconds / 86_400), maxSeconds / 86_400)
        let (year, month, day) = Civil.date(fromDays: held)
        append(twoDigits: year / 100, to: &bytes)
        append(twoDigits: year % 100, to: &bytes)
        bytes.append(0x2D)
        append(twoDigits: month, to: &bytes)
        bytes.append(0x2D)
        append(twoDigits: day, to: &bytes)
    }

    /// Appends `2024-04-17 04:04:12` for seconds since 1970 UTC, as the clock of `zone` shows them.
    public static func appendDateTime(seconds: Int64, zone: TimeZone, to bytes: inout [UInt8]) {
        let held = min(max(seconds, minSeconds), maxSeconds)
        appendLocal(held &+ Int64(zone.offsetSeconds(atUnix: held)), separator: 0x20, to: &bytes)
    }

    private static func appendLocal(_ local: Int64, separator: UInt8, to bytes: inout [UInt8]) {
        let days = Civil.floorDivide(local, 86_400)
        let second = Int(local - days * 86_400)
        appendDate(days: days, to: &bytes)
        bytes.append(separator)
        append(twoDigits: second / 3600, to: &bytes)
        bytes.append(0x3A)
        append(twoDigits: second / 60 % 60, to: &bytes)
        bytes.append(0x3A)
        append(twoDigits: second % 60, to: &bytes)
    }

    /// Appends `2024-04-17 04:04:12.123` for `ticks` of 10^-precision seconds since 1970 UTC; `iso` gives the form
    /// `2024-04-17T04:04:12.123Z`, always in UTC.
    public static func appendDateTime64(
        ticks: Int64, precision: Int, zone: TimeZone, iso: Bool = false, to bytes: inout [UInt8]
    ) {
        let scale = Civil.powerOfTen(precision)
        var seconds = Civil.floorDivide(ticks, scale)
        var fraction = ticks &- seconds &* scale
        if seconds > maxSeconds { (seconds, fraction) = (maxSeconds, scale - 1) }
        if seconds < minSeconds { (seconds, fraction) = (minSeconds, 0) }
        let offset = iso ? 0 : Int64(zone.offsetSeconds(atUnix: seconds))
        appendLocal(seconds &+ offset, separator: iso ? 0x54 : 0x20, to: &bytes)
        if precision > 0 {
            bytes.append(0x2E)
            append(padded: fraction, digits: precision, to: &bytes)
        }
        if iso { bytes.append(0x5A) }
    }

    // MARK: Parsing

    /// Reads `2024-04-17`, `2024-4-7`, `20240417`; the whole input must be that. Days since 1970-01-01.
    public static func parseDate(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        var reader = TimeReader(bytes: bytes)
        guard let days = reader.date(), reader.isAtEnd else { return nil }
        return Int32(truncatingIfNeeded: days)
    }

    /// Reads a date with or without a time: `2024-04-17 04:04:12.123`, `2024-04-17T04:04Z`, `…+02:00`; the whole input
    /// must be that. Without an offset of its own the time is that of `zone`. Seconds since 1970 UTC, and nanoseconds
    /// (digits past the ninth are dropped).
    public static func parseDateTime(
        _ bytes: UnsafeRawBufferPointer, zone: TimeZone
    ) -> (seconds: Int64, nanos: Int32)? {
        var reader = TimeReader(bytes: bytes)
        guard let days = reader.date() else { return nil }
        var local = days * 86_400
        var nanos: Int32 = 0
        var offset: Int?
        if !reader.isAtEnd {
            guard reader.take(0x20) || reader.take(0x54) || reader.take(0x74) else { return nil }
            guard let time = reader.time() else { return nil }
            local += time.seconds
            nanos = time.nanos
            guard let found = reader.offset() else { return nil }
            offset = found.seconds
            guard reader.isAtEnd else { return nil }
        }
        if let offset { return (local - Int64(offset), nanos) }
        return (zone.unix(local: local), nanos)
    }
}

extension ValueText {
    /// Reads the digits after a decimal point as nanoseconds; nil when there are others or none.
    public static func parseFraction(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        var reader = TimeReader(bytes: bytes)
        guard let nanos = reader.fraction(), reader.isAtEnd else { return nil }
        return nanos
    }
}

/// Reads the parts of a date and time from bytes; a part that is not there or impossible is nil.
struct TimeReader {
    let bytes: UnsafeRawBufferPointer
    var index = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    /// A number of `digits` digits.
    mutating func number(digits: ClosedRange<Int>) -> Int? {
        var value = 0
        let start = index
        while index < bytes.count, index - start < digits.upperBound {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { break }
            value = value * 10 + Int(digit)
            index += 1
        }
        return index - start >= digits.lowerBound ? value : nil
    }

    /// Days since 1970 of `YYYY-MM-DD`, with `-`, `/` or `.` between, or of `YYYYMMDD`.
    mutating func date() -> Int64? {
        guard let year = number(digits: 4...4), index < bytes.count else { return nil }
        let separator = bytes[index]
        let month: Int, day: Int
        if separator == 0x2D || separator == 0x2F || separator == 0x2E {
            index += 1
            guard let first = number(digits: 1...2), take(separator), let second = number(digits: 1...2) else {
                return nil
            }
            (month, day) = (first, second)
        } else {
            guard let first = number(digits: 2...2), let second = number(digits: 2...2) else { return nil }
            (month, day) = (first, second)
        }
        guard month >= 1, month <= 12, day >= 1, day <= Civil.daysInMonth(year: year, month: month) else { return nil }
        return Civil.days(year: year, month: month, day: day)
    }

    /// `hh:mm`, `hh:mm:ss`, `hh:mm:ss.fraction`.
    mutating func time() -> (seconds: Int64, nanos: Int32)? {
        guard let hour = number(digits: 1...2), hour < 24, take(0x3A), let minute = number(digits: 1...2), minute < 60
        else { return nil }
        var second = 0
        var nanos: Int32 = 0
        if take(0x3A) {
            // A leap second counts as the one after.
            guard let found = number(digits: 1...2), found <= 60 else { return nil }
            second = found
            if take(0x2E) || take(0x2C) {
                guard let fraction = fraction() else { return nil }
                nanos = fraction
            }
        }
        return (Int64(hour * 3600 + minute * 60 + second), nanos)
    }

    /// Digits after the point, as nanoseconds.
    mutating func fraction() -> Int32? {
        var nanos: Int32 = 0
        var digits = 0
        while index < bytes.count {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { break }
            if digits < 9 { nanos = nanos * 10 + Int32(digit) }
            digits += 1
            index += 1
        }
        guard digits > 0 else { return nil }
        while digits < 9 {
            nanos *= 10
            digits += 1
        }
        return nanos
    }

    /// `Z`, `+02:00`, `-0230`, `+02`, or nothing (then `seconds` is nil); the outer nil is an offset that is none.
    mutating func offset() -> (seconds: Int?, Void)? {
        let start = index
        if take(0x20), isAtEnd { return nil }
        if take(0x5A) || take(0x7A) { return (0, ()) }
        let isNegative = take(0x2D)
        guard isNegative || take(0x2B) else {
            index = start
            return (nil, ())
        }
        guard let hours = number(digits: 2...2), hours <= 15 else { return nil }
        var minutes = 0
        if take(0x3A) || !isAtEnd {
            guard let found = number(digits: 2...2), found < 60 else { return nil }
            minutes = found
        }
        let total = hours * 3600 + minutes * 60
        return (isNegative ? -total : total, ())
    }
}

import Columnar

/// A point in time: seconds since 1970-01-01 UTC, and nanoseconds from 0 to 999,999,999 after it.
struct Moment: Equatable {
    var seconds: Int64
    var nanos: Int32
    /// Digits of the second's fraction that were written (0 to 9); decides how precise a column becomes.
    var digits = 0

    /// As ticks; nil outside 1900 to 2299 (what ClickHouse's DateTime64 holds), or when the ticks do not fit.
    @inline(__always)
    func ticks(perSecond: Int64) -> Int64? {
        guard seconds >= -2_208_988_800 && seconds < 10_413_792_000 else { return nil }
        let (whole, overflows) = seconds.multipliedReportingOverflow(by: perSecond)
        if overflows { return nil }
        return whole &+ Int64(nanos) / (1_000_000_000 / perSecond)
    }
}

/// The last date read, as text and as a number: log lines come by the thousand on one day.
struct DateCache {
    /// No text of a date, so that the first one is read.
    fileprivate var head = UInt64.max
    fileprivate var tail: UInt16 = 0
    fileprivate var seconds: Int64 = 0
}

/// Times as logs write them.
enum TimeText {
    /// Reads `2024-04-17`, `2024-04-17T04:04:12`, `2024-04-17 04:04:12.123456789Z`, `…+02:00`, `…-0230`; a text
    /// without zone is UTC. Nil when it is none of these. Digits past the ninth of a fraction are dropped.
    @inline(__always)
    static func parse(_ text: UnsafeRawBufferPointer, _ dates: inout DateCache) -> Moment? {
        guard text.count >= 10, let base = text.baseAddress else { return nil }
        let head = base.loadUnaligned(as: UInt64.self)
        let tail = base.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        if head != dates.head || tail != dates.tail {
            guard let days = days(text) else { return nil }
            dates = DateCache(head: head, tail: tail, seconds: days * Civil.daySeconds)
        }
        if text.count == 10 { return Moment(seconds: dates.seconds, nanos: 0) }
        guard text.count >= 16, text[10] | 0x20 == UInt8(ascii: "t") || text[10] == 0x20 else { return nil }
        guard text[13] == UInt8(ascii: ":"), let hour = pair(text, 11), let minute = pair(text, 14), hour < 24,
            minute < 60
        else { return nil }
        var moment = Moment(seconds: dates.seconds &+ Int64(hour &* 3600 &+ minute &* 60), nanos: 0)
        var at = 16
        if text.count > 16 && text[16] == UInt8(ascii: ":") {
            // A leap second counts as the one after.
            guard text.count >= 19, let second = pair(text, 17), second <= 60 else { return nil }
            moment.seconds &+= Int64(second)
            at = 19
            if text.count > 19 && (text[19] == UInt8(ascii: ".") || text[19] == UInt8(ascii: ",")) {
                at = 20
                guard readFraction(text, &at, &moment) else { return nil }
            }
        }
        return at == text.count || readZone(text, at, &moment) ? moment : nil
    }

    @inline(__always)
    private static func pair(_ text: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        let high = text[at] &- UInt8(ascii: "0")
        let low = text[at &+ 1] &- UInt8(ascii: "0")
        return high < 10 && low < 10 ? Int(high) &* 10 &+ Int(low) : nil
    }

    private static func days(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"), let century = pair(text, 0),
            let year = pair(text, 2), let month = pair(text, 5), let day = pair(text, 8), month >= 1, month <= 12,
            day >= 1, day <= Civil.daysInMonth(year: century * 100 + year, month: month)
        else { return nil }
        return Civil.days(year: century * 100 + year, month: month, day: day)
    }

    @inline(__always)
    private static func readFraction(_ text: UnsafeRawBufferPointer, _ at: inout Int, _ moment: inout Moment) -> Bool {
        var nanos: Int32 = 0
        var scale: Int32 = 100_000_000
        let first = at
        while at < text.count {
            let digit = text[at] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            nanos &+= Int32(digit) &* scale
            scale /= 10
            at &+= 1
        }
        moment.nanos = nanos
        moment.digits = min(at &- first, 9)
        return at > first
    }

    private static func readZone(_ text: UnsafeRawBufferPointer, _ start: Int, _ moment: inout Moment) -> Bool {
        var at = start
        if text[at] == 0x20 { at += 1 }
        let rest = text.count - at
        guard rest > 0 else { return false }
        if rest == 1 { return text[at] | 0x20 == UInt8(ascii: "z") }
        if rest == 3, text[at] | 0x20 == UInt8(ascii: "u") || text[at] | 0x20 == UInt8(ascii: "g") {
            let word = String(decoding: text[at...], as: UTF8.self)
            return word == "UTC" || word == "GMT"
        }
        let isMinus = text[at] == UInt8(ascii: "-")
        guard isMinus || text[at] == UInt8(ascii: "+"), rest == 3 || rest == 5 || rest == 6,
            let hours = pair(text, at + 1), hours <= 15
        else { return false }
        var minutes = 0
        if rest > 3 {
            if rest == 6 && text[at + 3] != UInt8(ascii: ":") { return false }
            guard let found = pair(text, text.count - 2), found < 60 else { return false }
            minutes = found
        }
        let offset = Int64(hours * 3600 + minutes * 60)
        moment.seconds += isMinus ? offset : -offset
        return true
    }

    /// A number as time: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by magnitude
    /// (seconds below 10¹¹, which is the year 5138). A fraction counts only for seconds. Nil when out of reach.
    @inline(__always)
    static func epoch(_ number: JSONNumber, _ base: UnsafePointer<UInt8>, powers: UnsafePointer<Double>) -> Moment? {
        guard let value = number.int64 else { return fraction(number, base, powers) }
        return epoch(value)
    }

    /// The same of an integer.
    @inline(__always)
    static func epoch(_ value: Int64) -> Moment {
        switch value.magnitude {
        case 0..<100_000_000_000: return Moment(seconds: value, nanos: 0)
        case 0..<100_000_000_000_000: return split(value, 1_000, digits: 3)
        case 0..<100_000_000_000_000_000: return split(value, 1_000_000, digits: 6)
        default: return split(value, 1_000_000_000, digits: 9)
        }
    }

    @inline(__always)
    private static func split(_ value: Int64, _ perSecond: Int64, digits: Int) -> Moment {
        let seconds = Civil.floorDivide(value, perSecond)
        let rest = value &- seconds &* perSecond
        return Moment(
            seconds: seconds, nanos: Int32(truncatingIfNeeded: rest &* (1_000_000_000 / perSecond)), digits: digits)
    }

    /// `1713326652.123`, digit by digit so that nothing is rounded; `1.7e9` by way of a double.
    private static func fraction(
        _ number: JSONNumber, _ base: UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>
    ) -> Moment? {
        guard !number.isInteger else { return nil }
        let text = UnsafeRawBufferPointer(start: base + number.start, count: number.end - number.start)
        if let point = text.firstIndex(of: UInt8(ascii: ".")), !text.contains(where: { $0 | 0x20 == 0x65 }),
            let whole: Int64 = ValueText.parseInteger(UnsafeRawBufferPointer(rebasing: text[..<point])),
            whole.magnitude < 100_000_000_000
        {
            var moment = Moment(seconds: whole, nanos: 0)
            var at = point + 1
            guard readFraction(text, &at, &moment) else { return nil }
            if number.isNegative && moment.nanos > 0 {
                moment.seconds -= 1
                moment.nanos = 1_000_000_000 - moment.nanos
            }
            return moment
        }
        let value = number.double(base, powers: powers)
        guard value.magnitude < 9e18 else { return nil }
        guard value.magnitude < 1e11 else { return epoch(Int64(value)) }
        let seconds = value.rounded(.down)
        return Moment(seconds: Int64(seconds), nanos: Int32((value - seconds) * 1e9), digits: 3)
    }

    /// A text that is such a number and nothing else (`"1713326652.123"`, as nginx writes `$msec` in quotes).
    static func epochText(_ text: UnsafeRawBufferPointer, powers: UnsafePointer<Double>) -> Moment? {
        // Shorter ones are more likely a count or a year than a time.
        guard text.count >= 9, let start = text.baseAddress, text[0] < UInt8(ascii: ":"), text[0] >= 0x2d else {
            return nil
        }
        let base = start.assumingMemoryBound(to: UInt8.self)
        do throws(JSONFault) {
            let number = try JSONNumber.scan(base, 0, text.count)
            return number.end == text.count ? epoch(number, base, powers: powers) : nil
        } catch {
            return nil
        }
    }
}

import Disk

/// Reads the system's compiled zone files (RFC 8536, "TZif").
enum ZoneFiles {
    private static let folder = "/usr/share/zoneinfo/"
    /// No zone file is near this size; a larger one is something else.
    private static let maxBytes = 1 << 20
    /// Rules of a zone that go on for ever are written out up to this year.
    private static let lastYear = 2400

    static func load(_ name: String) -> ZoneRules? {
        // The name becomes a path: nothing that leaves the folder, nothing hidden.
        let isPlain = name.utf8.allSatisfy { byte in
            (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || [0x2B, 0x2D, 0x2F, 0x5F].contains(byte)
        }
        guard isPlain, !name.isEmpty, name.utf8.count < 64, !name.hasPrefix("/"), !name.hasSuffix("/") else {
            return nil
        }
        let bytes: [UInt8]
        do {
            let file = try POSIXFileSystem().open(folder + name, .read)
            defer { file.close() }
            let size = try file.size()
            guard size <= maxBytes else { return nil }
            bytes = try file.readExactly(at: 0, count: Int(size))
        } catch {
            return nil
        }
        return parse(bytes)
    }

    /// The transitions in a zone file; nil when it is not one.
    static func parse(_ bytes: [UInt8]) -> ZoneRules? {
        guard let first = Header(bytes, at: 0) else { return nil }
        // Version 1 has 32-bit times only; later versions repeat everything with 64-bit times behind it.
        guard first.version >= 2 else { return body(bytes, first, at: Header.size, timeSize: 4)?.rules }
        let second = Header.size + first.bodySize(timeSize: 4)
        guard let header = Header(bytes, at: second),
            let (rules, end) = body(bytes, header, at: second + Header.size, timeSize: 8)
        else { return nil }
        guard end < bytes.count, bytes[end] == 0x0A, let stop = bytes[(end + 1)...].firstIndex(of: 0x0A) else {
            return rules
        }
        return extended(rules, by: Array(bytes[(end + 1)..<stop]))
    }

    private struct Header {
        static let size = 44
        var version: Int
        var utcFlags, standardFlags, leaps, transitions, types, characters: Int

        init?(_ bytes: [UInt8], at offset: Int) {
            guard offset + Self.size <= bytes.count, Array(bytes[offset..<offset + 4]) == Array("TZif".utf8) else {
                return nil
            }
            func count(_ index: Int) -> Int {
                Int(truncatingIfNeeded: bigEndian(bytes, at: offset + 20 + 4 * index, size: 4))
            }
            version = bytes[offset + 4] >= 0x32 ? Int(bytes[offset + 4] - 0x30) : 1
            (utcFlags, standardFlags, leaps) = (count(0), count(1), count(2))
            (transitions, types, characters) = (count(3), count(4), count(5))
            guard
                [utcFlags, standardFlags, leaps, transitions, types, characters].allSatisfy({
                    (0...maxBytes).contains($0)
                }),
                types > 0
            else { return nil }
        }

        func bodySize(timeSize: Int) -> Int {
            transitions * (timeSize + 1) + types * 6 + characters + leaps * (timeSize + 4) + standardFlags + utcFlags
        }
    }

    /// Big-endian and signed; the caller has checked that the bytes are there.
    private static func bigEndian(_ bytes: [UInt8], at offset: Int, size: Int) -> Int64 {
        var value: Int64 = size == 4 && bytes[offset] & 0x80 != 0 ? -1 : 0
        for index in 0..<size { value = value << 8 | Int64(bytes[offset + index]) }
        return value
    }

    private static func body(
        _ bytes: [UInt8], _ header: Header, at start: Int, timeSize: Int
    ) -> (rules: ZoneRules, end: Int)? {
        let end = start + header.bodySize(timeSize: timeSize)
        guard end <= bytes.count else { return nil }
        let indices = start + header.transitions * timeSize
        let types = indices + header.transitions
        func offset(type: Int) -> Int32 { Int32(truncatingIfNeeded: bigEndian(bytes, at: types + 6 * type, size: 4)) }
        var times: [Int64] = []
        // Before the first transition the file's first type holds.
        var offsets: [Int32] = [offset(type: 0)]
        for index in 0..<header.transitions {
            let type = Int(bytes[indices + index])
            let time = bigEndian(bytes, at: start + index * timeSize, size: timeSize)
            guard type < header.types, time > times.last ?? .min, abs(Int(offset(type: type))) < 172_800 else {
                return nil
            }
            times.append(time)
            offsets.append(offset(type: type))
        }
        return (ZoneRules(transitions: times, offsets: offsets), end)
    }

    /// `rules` carried on by the file's footer, the POSIX form of the rule that holds from then on.
    private static func extended(_ rules: ZoneRules, by footer: [UInt8]) -> ZoneRules {
        guard let rule = PosixZoneRule(footer) else { return rules }
        var times = rules.transitions
        var offsets = rules.offsets
        let last = times.last ?? 0
        let from = max(1970, Civil.date(fromDays: Civil.floorDivide(last, Civil.daySeconds)).year)
        guard from < lastYear else { return rules }
        for year in from...lastYear {
            for change in rule.changes(year: year)
            where change.unix > times.last ?? .min && change.offset != offsets.last {
                times.append(change.unix)
                offsets.append(change.offset)
            }
        }
        return ZoneRules(transitions: times, offsets: offsets)
    }
}

/// The POSIX TZ string: `CET-1CEST,M3.5.0,M10.5.0/3`.
struct PosixZoneRule {
    private struct Day {
        enum Kind { case month(Int, week: Int, weekday: Int), julian(Int), dayOfYear(Int) }
        var kind: Kind
        var seconds: Int

        func local(year: Int) -> Int64 {
            let first = Civil.days(year: year, month: 1, day: 1)
            let day: Int64
            switch kind {
            case .julian(let number): day = first + Int64(number - 1) + (Civil.isLeap(year) && number > 59 ? 1 : 0)
            case .dayOfYear(let number): day = first + Int64(number)
            case .month(let month, let week, let weekday):
                let start = Civil.days(year: year, month: month, day: 1)
                let ahead = (weekday - Civil.weekday(days: start) % 7 + 7) % 7
                var date = 1 + ahead + (week - 1) * 7
                if date > Civil.daysInMonth(year: year, month: month) { date -= 7 }
                day = start + Int64(date - 1)
            }
            return day * Civil.daySeconds + Int64(seconds)
        }
    }

    private let standard: Int
    private let summer: (offset: Int, start: Day, end: Day)?

    /// The two changes of a year, in order; one without effect where there is no summer time.
    func changes(year: Int) -> [(unix: Int64, offset: Int32)] {
        guard let summer else { return [] }
        let toSummer = (unix: summer.start.local(year: year) - Int64(standard), offset: Int32(summer.offset))
        let toStandard = (unix: summer.end.local(year: year) - Int64(summer.offset), offset: Int32(standard))
        return toSummer.unix < toStandard.unix ? [toSummer, toStandard] : [toStandard, toSummer]
    }

    init?(_ bytes: [UInt8]) {
        var scanner = Scanner(bytes: bytes)
        guard scanner.skipName(), let standard = scanner.offset() else { return nil }
        self.standard = -standard
        guard scanner.skipName() else {
            summer = nil
            return
        }
        let offset = scanner.offset().map { -$0 } ?? self.standard + 3600
        guard scanner.take(","), let start = scanner.day(), scanner.take(","), let end = scanner.day() else {
            return nil
        }
        summer = (offset, start, end)
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        mutating func skipName() -> Bool {
            let start = index
            if take("<") {
                while index < bytes.count, !take(">") { index += 1 }
                return true
            }
            while index < bytes.count, bytes[index] | 0x20 >= 0x61, bytes[index] | 0x20 <= 0x7A { index += 1 }
            return index > start
        }

        mutating func number() -> Int? {
            var value = 0
            let start = index
            while index < bytes.count, index - start < 4, bytes[index] >= 0x30, bytes[index] <= 0x39 {
                value = value * 10 + Int(bytes[index] - 0x30)
                index += 1
            }
            return index > start ? value : nil
        }

        mutating func offset() -> Int? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard let hours = number(), hours <= 167 else { return nil }
            let minutes = take(":") ? number() ?? 0 : 0
            let seconds = take(":") ? number() ?? 0 : 0
            let total = hours * 3600 + minutes * 60 + seconds
            return isNegative ? -total : total
        }

        mutating func day() -> Day? {
            let kind: Day.Kind
            if take("M") {
                guard let month = number(), (1...12).contains(month), take("."), let week = number(),
                    (1...5).contains(week), take("."), let weekday = number(), (0...6).contains(weekday)
                else { return nil }
                kind = .month(month, week: week, weekday: weekday)
            } else if take("J") {
                guard let number = number(), (1...365).contains(number) else { return nil }
                kind = .julian(number)
            } else {
                guard let number = number(), number <= 365 else { return nil }
                kind = .dayOfYear(number)
            }
            guard take("/") else { return Day(kind: kind, seconds: 7200) }
            guard let seconds = offset() else { return nil }
            return Day(kind: kind, seconds: seconds)
        }
    }
}

import Synchronization

/// A time zone: what to add to UTC at a given moment.
///
/// UTC and fixed offsets (`Etc/GMT-3`, `Fixed/UTC+03:00:00`) are built in. Other zones are read from the system's
/// zone files when first asked for, and are unknown where those are absent.
public struct TimeZone: Sendable, Hashable {
    /// The name as it was asked for.
    public let name: String
    private let fixedOffset: Int
    private let rules: ZoneRules?

    /// UTC.
    public static let utc = TimeZone(name: "UTC", fixedOffset: 0)

    /// A zone that is always `offsetSeconds` ahead of UTC.
    public init(name: String, fixedOffset offsetSeconds: Int) {
        self.name = name
        fixedOffset = offsetSeconds
        rules = nil
    }

    init(name: String, rules: ZoneRules) {
        self.name = name
        fixedOffset = 0
        self.rules = rules
    }

    /// Zones are the same when their names are.
    public static func == (left: TimeZone, right: TimeZone) -> Bool { left.name == right.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// The offset when it is the same at all times; nil for a zone with transitions.
    public var constantOffsetSeconds: Int? { rules == nil ? fixedOffset : nil }

    /// Seconds to add to UTC at `unix` seconds since 1970 to get local time.
    public func offsetSeconds(atUnix unix: Int64) -> Int {
        guard let rules else { return fixedOffset }
        return Int(rules.period(at: unix).offset)
    }

    /// The offset at `unix` and the moments between which it holds: [from, until).
    public func period(atUnix unix: Int64) -> (offset: Int, from: Int64, until: Int64) {
        guard let rules else { return (fixedOffset, .min, .max) }
        let found = rules.period(at: unix)
        return (Int(found.offset), found.from, found.until)
    }

    /// Seconds since 1970 UTC at which clocks show `local` (seconds since 1970-01-01 00:00 by the clock). A time shown
    /// twice is the first of the two; one that is skipped counts on with the offset after the gap.
    public func unix(local: Int64) -> Int64 {
        guard let rules else { return local &- Int64(fixedOffset) }
        let before = Int64(rules.period(at: local &- Civil.daySeconds).offset)
        let after = Int64(rules.period(at: local &+ Civil.daySeconds).offset)
        let early = local &- max(before, after)
        if before == after { return early }
        let late = local &- min(before, after)
        let lateHolds = Int64(rules.period(at: late).offset) == local &- late
        let earlyHolds = Int64(rules.period(at: early).offset) == local &- early
        return lateHolds && !earlyHolds ? late : early
    }

    /// The zone of that name; nil when there is none, or the system's zone files are not there.
    public static func named(_ name: String) -> TimeZone? {
        if let fixed = fixedZone(name) { return fixed }
        if let known = cache.withLock({ $0[name] }) { return known }
        guard let rules = ZoneFiles.load(name) else { return nil }
        let zone = TimeZone(name: name, rules: rules)
        cache.withLock { $0[name] = zone }
        return zone
    }

    private static let cache = Mutex<[String: TimeZone]>([:])
    private static let utcNames: Set<String> = [
        "UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "GMT0",
        "Etc/GMT0", "GMT+0", "GMT-0", "Greenwich", "Etc/Greenwich",
    ]

    private static func fixedZone(_ name: String) -> TimeZone? {
        if utcNames.contains(name) { return TimeZone(name: name, fixedOffset: 0) }
        // POSIX counts west of Greenwich as positive.
        if name.hasPrefix("Etc/GMT"), let hours = Int(name.dropFirst(7)), (-14...12).contains(hours) {
            return TimeZone(name: name, fixedOffset: -hours * 3600)
        }
        guard name.hasPrefix("Fixed/UTC"), name.utf8.count == 18 else { return nil }
        let parts = name.dropFirst(10).split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 3, let hours = parts[0], let minutes = parts[1], let seconds = parts[2],
            (0...24).contains(hours), (0..<60).contains(minutes), (0..<60).contains(seconds)
        else { return nil }
        let offset = hours * 3600 + minutes * 60 + seconds
        switch Array(name.utf8)[9] {
        case UInt8(ascii: "+"): return TimeZone(name: name, fixedOffset: offset)
        case UInt8(ascii: "-"): return TimeZone(name: name, fixedOffset: -offset)
        default: return nil
        }
    }
}

/// A zone's transitions in order.
final class ZoneRules: Sendable {
    /// Moments (Unix seconds) at which the offset changes, ascending.
    let transitions: [Int64]
    /// The offset before the first transition, then the one after each.
    let offsets: [Int32]

    init(transitions: [Int64], offsets: [Int32]) {
        precondition(offsets.count == transitions.count + 1, "BUG: an offset is missing")
        self.transitions = transitions
        self.offsets = offsets
    }

    func period(at unix: Int64) -> (offset: Int32, from: Int64, until: Int64) {
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= unix { low = middle + 1 } else { high = middle }
        }
        return (
            offsets[low], low == 0 ? .min : transitions[low - 1], low == transitions.count ? .max : transitions[low]
        )
    }
}

import Columnar

/// The field that says when a record happened, found in a table's first record.
struct TimeColumn: Equatable {
    /// The names looked at, the first that holds a time wins.
    static let candidates = ["timestamp", "@timestamp", "time", "_time", "ts", "ts_ms", "date"]

    /// The field's name, which becomes the column's.
    var name: String
    /// Digits of the second's fraction that the column keeps: 3, 6 or 9.
    var precision: Int

    /// Looks for a time at the top level of `record`, a checked JSON object. Nil when none of the names holds one.
    static func find(in record: UnsafeRawBufferPointer) -> TimeColumn? {
        guard let start = record.baseAddress else { return nil }
        let base = start.assumingMemoryBound(to: UInt8.self)
        var best: (rank: Int, digits: Int)?
        var at = 0
        do throws(JSONFault) {
            guard JSONWalk.skip(base, &at, record.count) == UInt8(ascii: "{") else { return nil }
            at += 1
            while JSONWalk.skip(base, &at, record.count) == UInt8(ascii: "\"") {
                var escaped = false
                let keyStart = at + 1
                let close = try JSONText.scan(base, keyStart, record.count, &escaped)
                guard close >= 0 else { return nil }
                let key = UnsafeRawBufferPointer(start: base + keyStart, count: close - keyStart)
                at = close + 1
                guard JSONWalk.skip(base, &at, record.count) == UInt8(ascii: ":") else { return nil }
                at += 1
                _ = JSONWalk.skip(base, &at, record.count)
                let valueStart = at
                try JSONWalk.skipValue(base, &at, record.count, maxDepth: JSONLimits.maxDepth)
                if let rank = candidates.firstIndex(where: { key.elementsEqual($0.utf8) }), rank < best?.rank ?? .max,
                    let moment = moment(base, valueStart, at)
                {
                    best = (rank, moment.digits)
                }
                guard JSONWalk.skip(base, &at, record.count) == UInt8(ascii: ",") else { break }
                at += 1
            }
        } catch {
            return nil
        }
        return best.map {
            TimeColumn(name: candidates[$0.rank], precision: $0.digits <= 3 ? 3 : $0.digits <= 6 ? 6 : 9)
        }
    }

    private static func moment(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Moment? {
        let powers = JSONNumber.makePowers()
        defer { powers.deallocate() }
        var moment: Moment?
        switch base[start] {
        case UInt8(ascii: "\""):
            let text = UnsafeRawBufferPointer(start: base + start + 1, count: end - start - 2)
            var dates = DateCache()
            moment = TimeText.parse(text, &dates) ?? TimeText.epochText(text, powers: powers)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            guard let number = try? JSONNumber.scan(base, start, end) else { return nil }
            moment = TimeText.epoch(number, base, powers: powers)
            // A small number is a count of something, hardly a moment in 1970.
            if let seconds = moment?.seconds, seconds < 100_000_000 { moment = nil }
        default: break
        }
        guard let moment, moment.ticks(perSecond: 1000) != nil else { return nil }
        return moment
    }
}

/// Steps through JSON that is being parsed or was checked before.
enum JSONWalk {
    /// Skips white space; the byte that follows, 0 at the end.
    @inline(__always)
    static func skip(_ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int) -> UInt8 {
        while at < end {
            let byte = base[at]
            if byte > 0x20 { return byte }
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
            at &+= 1
        }
        return 0
    }

    /// Steps over the value at `at`, checking it; brackets may nest `maxDepth` levels.
    static func skipValue(
        _ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int, maxDepth: Int
    ) throws(JSONFault) {
        var structure = JSONStructure(maxDepth: maxDepth)
        _ = try structure.advance(base, &at, end, isLast: true)
    }
}

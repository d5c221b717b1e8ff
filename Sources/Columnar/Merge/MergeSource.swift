/// One part as a merge reads it: under the table's columns, without the rows that have expired or were replaced.
struct MergeSource: Sendable {
    let part: Part
    let stored: StoredDefinition
    /// For granules with rows that expired or were replaced: one byte a row, 1 where it stays.
    private var masks: RowMasks = [:]
    /// Rows that stay, a granule.
    private(set) var rowCounts: [Int]

    /// Reads the TTL column, when rows may have expired by `nowMs`. Throws `.corrupt`, `.disk`.
    init(part: Part, stored: StoredDefinition, nowMs: Int64) throws(ColumnarError) {
        self.part = part
        self.stored = stored
        rowCounts = part.footer.granules.map { Int($0) }
        guard let ttl = stored.definition.ttl, let index = stored.index(of: ttl.column),
            let column = part.column(stored.ids[index])
        else { return }
        let cutoff = Expiry.cutoff(ttl, nowMs: nowMs)
        for granule in 0..<part.granuleCount {
            let range = column.range(granule, rows: rowCounts[granule], nulls: Int(column.nullCounts[granule]))
            if let range, let first = TimeUnits.milliseconds(range.minimum, type: column.type), first >= cutoff {
                continue
            }
            if range?.minimum == .null { continue }
            let mask = Expiry.mask(try part.read(column, granule: granule), cutoff: cutoff)
            let kept = mask.reduce(0) { $0 + Int($1) }
            if kept == mask.count { continue }
            masks[granule] = mask
            rowCounts[granule] = kept
        }
    }

    /// Leaves out the rows that are 0 in `masks`. The source must have left out none before.
    mutating func keepOnly(_ masks: RowMasks) {
        self.masks = masks
        for (granule, mask) in masks { rowCounts[granule] = mask.reduce(0) { $0 + Int($1) } }
    }

    var rowCount: Int { rowCounts.reduce(0, +) }

    /// One granule of the table's column at `index`, without the rows left out.
    func read(_ index: Int, granule: Int) throws(ColumnarError) -> Column {
        let type = stored.definition.columns[index].type
        guard let column = part.column(stored.ids[index]) else {
            return Column.defaults(type: type, count: rowCounts[granule])
        }
        let values = try part.read(column, granule: granule).converted(to: type)
        guard let mask = masks[granule] else { return values }
        return values.filter(mask: mask, kept: rowCounts[granule])
    }

    /// About what a row of `granule` takes in memory.
    func rowBytes(granule: Int) -> Int {
        var bytes: UInt64 = 0
        for column in part.footer.columns { bytes &+= column.memoryBytes[granule] }
        return Int(clamping: bytes) / Int(part.footer.granules[granule]) + 1
    }
}

/// When rows have expired.
enum Expiry {
    /// Rows with a time before this, in milliseconds, have expired.
    static func cutoff(_ ttl: TimeToLive, nowMs: Int64) -> Int64 {
        let (cutoff, overflow) = nowMs.subtractingReportingOverflow(ttl.seconds.multipliedClamped(by: 1000))
        return overflow ? .min : cutoff
    }

    /// One byte a row, 1 where the time is NULL or not before `cutoff`.
    static func mask(_ column: Column, cutoff: Int64) -> [UInt8] {
        let flat = column.flattened()
        let nulls = flat.nulls
        let scale: (Int64) -> Int64 = { ticks in
            switch flat.type.base {
            case .date: ticks.multipliedClamped(by: TimeUnits.dayMs)
            case .dateTime: ticks.multipliedClamped(by: 1000)
            default: TimeUnits.milliseconds(.int(ticks), type: flat.type) ?? .max
            }
        }
        let times: [Int64]
        switch flat.data {
        case .uint16(let values): times = values.map { scale(Int64($0)) }
        case .uint32(let values): times = values.map { scale(Int64($0)) }
        case .int64(let values): times = values.map(scale)
        default: return [UInt8](repeating: 1, count: column.count)
        }
        return times.indices.map { nulls?[$0] == 1 || times[$0] >= cutoff ? 1 : 0 }
    }

    /// Whether every row of the part has expired.
    static func isExpired(_ part: Part, _ stored: StoredDefinition, nowMs: Int64) -> Bool {
        guard let ttl = stored.definition.ttl, let index = stored.index(of: ttl.column),
            let column = part.column(stored.ids[index]), column.nullCounts.allSatisfy({ $0 == 0 }),
            let range = column.range(part.granuleCount, rows: part.rowCount, nulls: 0),
            let last = TimeUnits.milliseconds(range.maximum, type: column.type)
        else { return false }
        return last < cutoff(ttl, nowMs: nowMs)
    }
}

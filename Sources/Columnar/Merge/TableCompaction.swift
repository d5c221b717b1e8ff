import Disk
import Synchronization

extension Table {
    /// Merges parts: with `final` down to one a partition (rows past their TTL go too), else as the background would
    /// when nothing new comes. Works while rows come in. Throws `.corrupt`, `.disk`; what was merged stays merged.
    public func compact(
        final: Bool, progress: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws(ColumnarError) -> CompactionReport {
        try flush()
        return try merging.withLock { _ throws(ColumnarError) -> CompactionReport in
            try detachDamaged()
            try expire()
            let startMs = clock.nowMs()
            var report = CompactionReport()
            let before = state.withLock { $0.rows.parts }
            report.partsBefore = before.count
            report.bytesBefore = before.reduce(0) { $0 + $1.sizeBytes }
            var done: UInt64 = 0
            for shelf in [ShelfKind.rows, .deadLetters] {
                while let parts = final ? nextFinal(shelf, startMs) : nextMerge(shelf, isIdle: true) {
                    progress(
                        WorkProgress(doneBytes: done, totalBytes: max(done, report.bytesBefore), item: parts[0].name))
                    guard try merge(parts, shelf: shelf) else { continue }
                    report.merges += 1
                    report.rowsMerged += parts.reduce(0) { $0 + $1.rowCount }
                    done += parts.reduce(0) { $0 + $1.sizeBytes }
                }
            }
            let after = state.withLock { $0.rows.parts }
            report.partsAfter = after.count
            report.bytesAfter = after.reduce(0) { $0 + $1.sizeBytes }
            progress(WorkProgress(doneBytes: report.bytesBefore, totalBytes: report.bytesBefore, item: ""))
            return report
        }
    }

    /// Parts a single merge may read when merging to one.
    private static let finalParts = 64

    /// The smallest parts of a partition that has more than one, or one with expired rows. Rows go on expiring while
    /// this works: a part written since `startMs` is good enough.
    private func nextFinal(_ shelf: ShelfKind, _ startMs: Int64) -> [Part]? {
        let (parts, stored) = state.withLock { ($0[shelf].parts, shelf == .rows ? $0.stored : .deadLetters) }
        let nowMs = clock.nowMs()
        for group in Dictionary(grouping: parts, by: { $0.footer.partition }).values {
            if group.count > 1 {
                let smallest = group.sorted { ($0.sizeBytes, $0.number) < ($1.sizeBytes, $1.number) }
                return smallest.prefix(Self.finalParts).sorted { $0.number < $1.number }
            }
            // A part fresh from memory is compressed lightly: it is written again, smaller.
            if let part = group.first,
                part.footer.level == 0
                    || (part.footer.createdMs < startMs && Expiry.hasExpired(part, stored, nowMs: nowMs))
            {
                return [part]
            }
        }
        return nil
    }

    /// The next merge worth doing; nil when none is.
    func nextMerge(_ shelf: ShelfKind, isIdle: Bool = false) -> [Part]? {
        let parts = state.withLock { $0[shelf].parts }
        let nowMs = clock.nowMs()
        for group in Dictionary(grouping: parts, by: { $0.footer.partition }).values {
            if group.count == 1 {
                if let part = group.first, isWorthRewriting(part, nowMs: nowMs) { return [part] }
                continue
            }
            let candidates = group.map {
                MergeSelector.Candidate(
                    number: $0.number, sizeBytes: $0.sizeBytes, rowCount: $0.rowCount, createdMs: $0.footer.createdMs)
            }
            if let chosen = MergeSelector.select(candidates, settings: settings, nowMs: nowMs, isIdle: isIdle) {
                let numbers = Set(chosen)
                return group.filter { numbers.contains($0.number) }.sorted { $0.number < $1.number }
            }
        }
        return nil
    }

    /// Whether a partition's only part, fresh from memory and lightly compressed, has rested long enough to be
    /// written again, smaller.
    private func isWorthRewriting(_ part: Part, nowMs: Int64) -> Bool {
        part.footer.level == 0 && part.sizeBytes >= 1 << 20 && nowMs - part.footer.createdMs >= 600_000
    }

    /// Drops parts of which every row has expired. Throws `.disk`.
    func expire() throws(ColumnarError) {
        let (parts, stored) = state.withLock { ($0.rows.parts, $0.stored) }
        let nowMs = clock.nowMs()
        try dropParts(parts.filter { Expiry.isExpired($0, stored, nowMs: nowMs) })
    }

    /// Drops the oldest partition, and at last the oldest parts, until the table is within its cap; never the
    /// newest part. Throws `.disk`.
    func capBytes() throws(ColumnarError) {
        while true {
            let (parts, cap) = state.withLock { ($0.rows.parts, $0.stored.definition.maxBytes) }
            guard let cap, parts.count > 1, parts.reduce(0, { $0 + $1.sizeBytes }) > cap else { return }
            let byPartition = Dictionary(grouping: parts, by: { $0.footer.partition ?? "" })
            if byPartition.count > 1, let oldest = byPartition.keys.min(), let victims = byPartition[oldest] {
                guard try dropParts(victims) else { return }
                continue
            }
            let oldest = parts.min { ($0.age, $0.number) < ($1.age, $1.number) }
            guard let oldest, try dropParts([oldest]) else { return }
        }
    }

    /// One round of background work other than flushing. Returns whether there may be more at once.
    func maintain(isCancelled: () -> Bool) -> Bool {
        merging.withLock { _ in
            let nowMs = clock.nowMs()
            guard state.withLock({ nowMs >= $0.nextMergeMs && !$0.isDropped }) else { return false }
            do throws(ColumnarError) {
                try detachDamaged()
                try expire()
                try capBytes()
                for shelf in [ShelfKind.rows, .deadLetters] {
                    guard let parts = nextMerge(shelf), hasRoom(for: parts) else { continue }
                    return try merge(parts, shelf: shelf, isCancelled: isCancelled)
                }
                return false
            } catch {
                if isCancelled() { return false }
                state.withLock { state in
                    state.mergeError = error
                    state.nextMergeMs = nowMs + 10_000
                }
                return false
            }
        }
    }

    /// Whether the disk has room for the result of a merge, with some to spare.
    private func hasRoom(for parts: [Part]) -> Bool {
        guard let free = try? fileSystem.freeSpace(folder) else { return true }
        return free / 5 * 4 > parts.reduce(0) { $0 + $1.sizeBytes }
    }
}

extension Part {
    /// What the oldest of several parts is judged by.
    fileprivate var age: Int64 { footer.times?.upperBound ?? footer.createdMs }
}

extension Expiry {
    /// Whether some row of the part has expired.
    static func hasExpired(_ part: Part, _ stored: StoredDefinition, nowMs: Int64) -> Bool {
        guard let ttl = stored.definition.ttl, let index = stored.index(of: ttl.column),
            let column = part.column(stored.ids[index])
        else { return false }
        let nulls = column.nullCounts.reduce(0) { $0 + Int($1) }
        guard let range = column.range(part.granuleCount, rows: part.rowCount, nulls: nulls),
            let first = TimeUnits.milliseconds(range.minimum, type: column.type)
        else { return false }
        return first < cutoff(ttl, nowMs: nowMs)
    }
}

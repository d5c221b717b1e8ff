import Synchronization

/// Which rows of a table are the latest of their key; kept from one query to the next and brought up to date by what
/// came since. Guarded by the table's `latest`.
///
/// For parts it is found anew whenever the set of parts changed. Rows in memory are newer than all rows in parts: each
/// is looked at once, strikes what it replaces, and may be struck by those after it.
struct LatestView {
    /// The set of parts that `masks` is about; nil before the first query.
    private var epoch: UInt64?
    /// By part number.
    private var masks: [UInt64: RowMasks] = [:]
    /// One byte a row in memory that was looked at, 1 where it counts.
    private var memory: [UInt8] = []
    private var keys = LatestKeys()

    /// A view of the latest rows of `shelf`. Throws `.corrupt`, `.disk`.
    mutating func snapshot(
        _ shelf: Shelf, _ stored: StoredDefinition, epoch: UInt64
    ) throws(ColumnarError) -> Snapshot {
        let runs = (shelf.flushing?.runs ?? []) + shelf.memory.runs
        do throws(ColumnarError) {
            if epoch != self.epoch { try begin(shelf.parts, stored, epoch) }
            try follow(runs, shelf.parts, stored)
        } catch {
            // What was done of it is not known to be whole.
            self = LatestView()
            throw error
        }
        var sources: [any GranuleSource] = []
        for part in shelf.parts {
            let source = PartSource(part: part, stored: stored)
            let masks = masks[part.number] ?? [:]
            if masks.isEmpty { sources.append(source) } else { sources.append(LatestSource(source, masks)) }
        }
        if !runs.isEmpty {
            let whole = (shelf.flushing ?? MemoryPart()).followed(by: shelf.memory)
            let source = MemorySource(memory: whole, stored: stored, name: "memory")
            sources.append(LatestSource(source, runMasks(runs)))
        }
        return Snapshot(columns: stored.definition.visibleColumns, sortingKey: [], sources: sources)
    }

    private mutating func begin(_ parts: [Part], _ stored: StoredDefinition, _ epoch: UInt64) throws(ColumnarError) {
        var sources: [MergeSource] = []
        for part in parts { sources.append(try MergeSource(part: part, stored: stored, nowMs: 0)) }
        let found = try LatestRows.masks(sources, stored: stored, keepsDeleted: false)
        self = LatestView()
        for (part, masks) in zip(parts, found) where !masks.isEmpty { self.masks[part.number] = masks }
        self.epoch = epoch
    }

    /// Looks at the rows of `runs` that were not looked at yet.
    private mutating func follow(
        _ runs: [MemoryRun], _ parts: [Part], _ stored: StoredDefinition
    ) throws(ColumnarError) {
        guard let columns = LatestRows.Columns(stored) else { return }
        var start = 0
        var fresh = StringData()
        for run in runs {
            defer { start += run.rowCount }
            guard start + run.rowCount > memory.count else { continue }
            let names = try run.column(id: stored.ids[columns.key], type: .string).strings()
            let deleted = try run.column(id: stored.ids[columns.deleted], type: .uint8).flags()
            for row in memory.count - start..<run.rowCount {
                memory.append(deleted[row] == 0 ? 1 : 0)
                let key = names[row]
                if let older = keys.put(key, row: UInt32(start + row)) {
                    memory[Int(older)] = 0
                } else {
                    fresh.append(key)
                }
            }
        }
        guard fresh.count > 0 else { return }
        let order = fresh.sortedRows()
        for part in parts {
            try LatestRows.strike(fresh, order: order, from: part, stored: stored, &masks[part.number, default: [:]])
        }
    }

    private func runMasks(_ runs: [MemoryRun]) -> RowMasks {
        var result = RowMasks()
        var start = 0
        for (index, run) in runs.enumerated() {
            let rows = memory[start..<start + run.rowCount]
            if rows.contains(0) { result[index] = Array(rows) }
            start += run.rowCount
        }
        return result
    }
}

/// The last row of each key, by hash.
struct LatestKeys {
    private var interner = StringInterner(maxCount: .max)
    private var rows: [UInt32] = []

    /// Notes that `row` is the last of `key`; the one that was.
    mutating func put(_ key: ArraySlice<UInt8>, row: UInt32) -> UInt32? {
        guard let code = key.withUnsafeBytes({ interner.intern($0) }) else { return nil }
        if Int(code) == rows.count {
            rows.append(row)
            return nil
        }
        defer { rows[Int(code)] = row }
        return rows[Int(code)]
    }
}

/// A source of which queries see only some rows.
struct LatestSource: GranuleSource {
    private let base: any GranuleSource
    private let masks: RowMasks
    private let kept: [Int: Int]
    let rowCount: Int

    init(_ base: any GranuleSource, _ masks: RowMasks) {
        self.base = base
        self.masks = masks
        kept = masks.mapValues { $0.reduce(0) { $0 + Int($1) } }
        var rowCount = base.rowCount
        for (granule, mask) in masks { rowCount -= mask.count - (kept[granule] ?? 0) }
        self.rowCount = rowCount
    }

    var name: String { base.name }
    var partition: String? { base.partition }
    var granuleCount: Int { base.granuleCount }
    var isSorted: Bool { base.isSorted }

    func rowCount(granule: Int) -> Int { kept[granule] ?? base.rowCount(granule: granule) }

    func range(column: String, granule: Int) -> ValueRange? {
        guard let kept = kept[granule] else { return base.range(column: column, granule: granule) }
        return base.range(column: column, granule: granule)?.narrowed(
            to: kept, of: base.rowCount(granule: granule))
    }

    func range(column: String) -> ValueRange? {
        base.range(column: column)?.narrowed(to: rowCount, of: base.rowCount)
    }

    func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool {
        try base.mayContain(column: column, granule: granule, value: value)
    }

    func dictionary(column: String) throws(ColumnarError) -> ValueDictionary? {
        try base.dictionary(column: column)
    }

    func read(column: String, granule: Int) throws(ColumnarError) -> Column {
        let whole = try base.read(column: column, granule: granule)
        guard let mask = masks[granule], let kept = kept[granule] else { return whole }
        guard whole.count == mask.count else {
            throw ColumnarError(.corrupt, "column \(column) has \(whole.count) rows where \(mask.count) were counted")
        }
        return whole.filter(mask: mask, kept: kept)
    }

    func storedBytes(column: String, granule: Int) -> Int { base.storedBytes(column: column, granule: granule) }
}

extension ValueRange {
    /// The range of `kept` unknown ones of `rows` rows; nil when it cannot be told how many of them are NULL.
    fileprivate func narrowed(to kept: Int, of rows: Int) -> ValueRange? {
        if kept == rows { return self }
        var result = self
        result.isExact = false
        if nullCount == rows {
            result.nullCount = kept
        } else if nullCount > 0 {
            return nil
        }
        return result
    }
}

extension Table {
    /// A fixed view of the rows as queries are to see them: of a table that keeps the latest version of each row only
    /// those, else all. Reads keys from disk when rows came since the last call. Throws `.corrupt`, `.disk`.
    public func currentSnapshot() throws(ColumnarError) -> any TableSnapshot {
        guard definition.keepsLatest else { return snapshot() }
        return try latest.withLock { view throws(ColumnarError) in
            let (shelf, stored, epoch) = state.withLock { ($0.rows, $0.stored, $0.epoch) }
            return try view.snapshot(shelf, stored, epoch: epoch)
        }
    }

    /// The number that follows all versions in parts.
    func versionAfterParts() -> UInt64 {
        let (parts, stored) = state.withLock { ($0.rows.parts, $0.stored) }
        guard let index = stored.index(of: LatestColumns.version) else { return 1 }
        var last: UInt64 = 0
        for part in parts {
            guard let column = part.column(stored.ids[index]),
                case .uint(let version)? = column.range(part.granuleCount, rows: part.rowCount, nulls: 0)?.maximum
            else { continue }
            last = max(last, version)
        }
        return last &+ 1
    }

    /// Removes all rows, durably and in one step with the offsets after what removed them. Dead letters stay. Rows
    /// that came before are stored first, so that their offsets are never behind. Throws `.disk`, `.unknownTable`.
    public func clear(offsets: [SourcePartition: Int64]) throws(ColumnarError) {
        try flush()
        let (removed, freed) = try flushing.withLock { _ throws(ColumnarError) -> ([Part], Int) in
            try appending.withLock { _ throws(ColumnarError) -> ([Part], Int) in
                let (parts, freed) = state.withLock { ($0.rows.parts, $0.rows.memoryBytes) }
                let numbers = Set(parts.map(\.number))
                let edits: [ManifestEdit] =
                    parts.map { .removePart($0.number) } + offsets.map { .offset($0.key, $0.value) }
                try commit(edits) { state in
                    _ = state.removeParts(numbers)
                    state.rows.memory = MemoryPart()
                    state.storedOffsets.merge(offsets) { max($0, $1) }
                    state.visibleOffsets.merge(offsets) { max($0, $1) }
                    for source in offsets.keys { state.pendingOffsets[source] = nil }
                    if !state.hasPending { state.oldestPendingMs = nil }
                }
                return (parts, freed)
            }
        }
        for part in removed { part.retire() }
        budget.add(-freed)
        notifyStored()
    }
}

/// What a table is at one moment; guarded by the table's mutex.
struct TableState: Sendable {
    var stored: StoredDefinition
    /// The layout of runs appended now; replaced with the definition.
    var layout: MemoryLayoutOfColumns
    /// The rows.
    var rows = Shelf()
    /// The dead letters.
    var deadLetters = Shelf()
    /// The next offset after the rows in memory, by source.
    var pendingOffsets: [SourcePartition: Int64] = [:]
    /// The next offset after all rows, in parts or in memory, by source.
    var visibleOffsets: [SourcePartition: Int64] = [:]
    /// The next offset after the rows in parts, as the manifest has it.
    var storedOffsets: [SourcePartition: Int64] = [:]
    /// When the oldest unflushed row (or offset) came; nil when there is none.
    var oldestPendingMs: Int64?
    var isDropped = false
    /// Grows whenever the set of parts changes, or rows in memory go.
    var epoch: UInt64 = 0
    /// The number the next row gets in tables that keep the latest version of each row.
    var nextVersion: UInt64 = 1
    /// The number the next part gets.
    var nextPart: UInt64 = 1
    /// Files that a failed commit may or may not name; removed once a commit succeeds.
    var orphans: [String] = []
    /// Parts found damaged while reading, with why, waiting to be set aside.
    var damaged: [UInt64: String] = [:]
    var detachedParts = 0
    var flushError: ColumnarError?
    /// How many flushes failed in a row, and when the next try may be.
    var flushFailures = 0
    var nextFlushMs: Int64 = 0
    var mergeError: ColumnarError?
    var nextMergeMs: Int64 = 0

    init(_ stored: StoredDefinition) {
        self.stored = stored
        layout = MemoryLayoutOfColumns(stored)
    }

    var memoryRows: Int { rows.memoryRows + deadLetters.memoryRows }
    var memoryBytes: Int { rows.memoryBytes + deadLetters.memoryBytes }
    var hasPending: Bool { memoryRows > 0 || !pendingOffsets.isEmpty }
    var allParts: [Part] { rows.parts + deadLetters.parts }

    subscript(shelf: ShelfKind) -> Shelf {
        get { shelf == .rows ? rows : deadLetters }
        set {
            switch shelf {
            case .rows: rows = newValue
            case .deadLetters: deadLetters = newValue
            }
        }
    }

    /// Takes parts out of view; returns them so that the caller lets go of them outside the lock.
    mutating func removeParts(_ numbers: Set<UInt64>) -> [Part] {
        epoch += 1
        let removed = allParts.filter { numbers.contains($0.number) }
        rows.parts.removeAll { numbers.contains($0.number) }
        deadLetters.parts.removeAll { numbers.contains($0.number) }
        return removed
    }

    /// Puts what a failed flush was writing back in front of what came meanwhile.
    mutating func restoreFlushing(offsets: [SourcePartition: Int64], oldestMs: Int64?) {
        for shelf in [ShelfKind.rows, .deadLetters] {
            if let flushing = self[shelf].flushing { self[shelf].memory = flushing.followed(by: self[shelf].memory) }
            self[shelf].flushing = nil
        }
        pendingOffsets.merge(offsets) { max($0, $1) }
        oldestPendingMs = oldestMs ?? oldestPendingMs
    }
}

/// Rows of one shape: those of the table, or its dead letters.
struct Shelf: Sendable {
    /// What came since the last flush began.
    var memory = MemoryPart()
    /// What the flush under way is writing; still in memory until it is committed.
    var flushing: MemoryPart?
    var parts: [Part] = []

    var memoryRows: Int { memory.rowCount + (flushing?.rowCount ?? 0) }
    var memoryBytes: Int { memory.bytes + (flushing?.bytes ?? 0) }

    /// A view of all rows under `stored`.
    func snapshot(_ stored: StoredDefinition) -> Snapshot {
        var sources: [any GranuleSource] = parts.map { PartSource(part: $0, stored: stored) }
        if let flushing, !flushing.isEmpty {
            sources.append(MemorySource(memory: flushing, stored: stored, name: "memory-flushing"))
        }
        if !memory.isEmpty { sources.append(MemorySource(memory: memory, stored: stored, name: "memory")) }
        return Snapshot(
            columns: stored.definition.columns, sortingKey: stored.definition.sortingKey, sources: sources)
    }
}

/// A fixed view of a table; parts it names stay on disk until it goes.
struct Snapshot: TableSnapshot {
    let columns: [ColumnDefinition]
    let sortingKey: [String]
    let sources: [any GranuleSource]
}

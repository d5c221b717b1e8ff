import Disk
import Synchronization

/// A table: rows in parts on disk and in memory, changed by one manifest record at a time.
///
/// All calls are safe from any thread. `append`, `flush`, `compact` and the calls that change the definition may
/// block on the disk; `snapshot` and the plain properties do not.
///
/// Locks, taken in this order: `merging` (one merge at a time) → `flushing` (one flush at a time) → `appending`
/// (memory parts change) → `commits` (the manifest) → `state`. `latest` (which versions of rows queries see) is taken
/// before `state` and beside no other.
public final class Table: Sendable {
    let folder: String
    let environment: TableEnvironment
    let state: Mutex<TableState>
    let appending = Mutex(())
    let flushing = Mutex(())
    let merging = Mutex(())
    let latest = Mutex(LatestView())
    let commits: Mutex<Manifest>
    private let listeners = Mutex<[@Sendable ([SourcePartition: Int64]) -> Void]>([])

    init(folder: String, manifest: consuming Manifest, environment: TableEnvironment) {
        self.folder = folder
        self.environment = environment
        var state = TableState(manifest.content.stored)
        state.storedOffsets = manifest.content.offsets
        state.visibleOffsets = manifest.content.offsets
        state.nextPart = manifest.content.nextPart
        self.state = Mutex(state)
        commits = Mutex(manifest)
    }

    var fileSystem: any FileSystem { environment.fileSystem }
    var clock: any Clock { environment.clock }
    var settings: ColumnarSettings { environment.settings }
    var budget: MemoryBudget { environment.budget }

    deinit {
        budget.add(-state.withLock { $0.memoryBytes })
    }

    /// The table's name.
    public var name: String { definition.name }

    /// What the table is now.
    public var definition: TableDefinition { state.withLock { $0.stored.definition } }

    /// A fixed view of the rows: parts and memory part at this moment. O(parts).
    public func snapshot() -> any TableSnapshot {
        state.withLock { $0.rows.snapshot($0.stored) }
    }

    /// A fixed view of the records that could not become rows; columns are `TableDefinition.deadLetterColumns`.
    public func deadLetters() -> any TableSnapshot {
        state.withLock { $0.deadLetters.snapshot(.deadLetters) }
    }

    /// Adds rows to the memory part, visible to every snapshot taken after the call.
    ///
    /// `block` may lack columns (they get defaults) and comes in any order. `offsets` says, for each source, the next
    /// offset after what this and earlier calls brought; they become durable together with the rows, at the next
    /// flush. `deadLetters` has the columns of `TableDefinition.deadLetterColumns`.
    /// Throws `.unknownColumn`, `.invalidValue`, `.unknownTable` (dropped), and `.disk` when memory is full because
    /// flushing fails; nothing was added then.
    public func append(
        _ block: Block, deadLetters: Block? = nil, offsets: [SourcePartition: Int64] = [:]
    ) throws(ColumnarError) {
        try waitForMemory()
        let added = try appending.withLock { _ throws(ColumnarError) -> Int in
            var (shelf, letters, stored, layout, isDropped) = state.withLock {
                ($0.rows.memory, $0.deadLetters.memory, $0.stored, $0.layout, $0.isDropped)
            }
            if isDropped { throw ColumnarError(.unknownTable, "table \(stored.definition.name) was dropped") }
            let before = shelf.bytes + letters.bytes
            var nextVersion: UInt64?
            if block.rowCount > 0 {
                var columns = try stored.aligned(block)
                if stored.definition.keepsLatest, let index = stored.index(of: LatestColumns.version) {
                    let first = state.withLock { $0.nextVersion }
                    let next = first + UInt64(block.rowCount)
                    columns[index] = Column(type: .uint64, data: .uint64(Array(first..<next)))
                    nextVersion = next
                }
                shelf.append(columns, rowCount: block.rowCount, layout: layout)
            }
            if let deadLetters, deadLetters.rowCount > 0 {
                let columns = try StoredDefinition.deadLetters.aligned(deadLetters)
                letters.append(columns, rowCount: deadLetters.rowCount, layout: .deadLetters)
            }
            let nowMs = clock.nowMs()
            state.withLock { [shelf, letters, nextVersion] state in
                if let nextVersion { state.nextVersion = nextVersion }
                state.rows.memory = shelf
                state.deadLetters.memory = letters
                state.pendingOffsets.merge(offsets) { max($0, $1) }
                state.visibleOffsets.merge(offsets) { max($0, $1) }
                if state.hasPending && state.oldestPendingMs == nil { state.oldestPendingMs = nowMs }
            }
            return shelf.bytes + letters.bytes - before
        }
        budget.add(added)
        if state.withLock({ $0.memoryRows }) >= settings.flushRows { budget.ring() }
    }

    /// The next offset after what is durably in parts, by source: where reading the log goes on after a restart.
    public func storedOffsets() -> [SourcePartition: Int64] { state.withLock { $0.storedOffsets } }

    /// The next offset after all rows the table shows, those in memory included, by source: where reading the log
    /// goes on in this process.
    public func visibleOffsets() -> [SourcePartition: Int64] { state.withLock { $0.visibleOffsets } }

    /// Calls `call` after each commit that moved offsets, with all of them. It comes on the thread that committed
    /// and must be quick.
    public func onStored(_ call: @escaping @Sendable ([SourcePartition: Int64]) -> Void) {
        listeners.withLock { $0.append(call) }
    }

    func notifyStored() {
        let offsets = storedOffsets()
        for call in listeners.withLock({ $0 }) { call(offsets) }
    }

    /// Holds the caller back while memory parts hold twice what they may.
    private func waitForMemory() throws(ColumnarError) {
        guard budget.usedBytes > 2 * budget.limitBytes else { return }
        if !budget.hasFlusher {
            try flush()
            return
        }
        budget.ring()
        if budget.waitForMemory(timeoutMs: settings.appendTimeoutMs) { return }
        if let failure = state.withLock({ $0.flushError }) { throw failure }
        throw ColumnarError(
            .disk, "memory for rows is full (\(budget.usedBytes >> 20) MiB) and flushing does not keep up")
    }
}

extension StoredDefinition {
    /// The definition behind every table's dead letters.
    static let deadLetters = StoredDefinition(
        TableDefinition(name: "dead_letters", columns: TableDefinition.deadLetterColumns, timeColumn: "timestamp"))
}

extension MemoryLayoutOfColumns {
    static let deadLetters = MemoryLayoutOfColumns(.deadLetters)
}

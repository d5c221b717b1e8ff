import Columnar
import Disk
import LogStore

/// The way from one topic to one table that reads it. Used by one worker at a time.
///
/// Everything here can be lost: the table knows the offset after its rows, and its manifest that after its stored
/// rows. So whatever fails is forgotten and begun anew from there.
final class TopicFeed {
    let topic: Topic
    /// The table's name.
    let tableName: String
    let logStore: LogStore
    private let catalog: Catalog
    private let clock: any Clock
    private let settings: MaterializerSettings

    private var table: Table?
    private var definition: TableDefinition?
    private var builder: RowBuilder
    /// Reads records as changes, for a table that keeps the latest version of each row.
    private var changes: ChangeReader?
    /// Reads values by the schemas that Connect sends along.
    private var converter = ConnectConverter()
    /// Columns that the builder has to be told of with the next row, and of which schema it was told last.
    private var declared: [ColumnDefinition] = []
    private var declaredVersion = 0
    private var letters = DeadLetters()
    /// When the oldest of the dead letters that wait for a table came.
    private var lettersSinceMs: Int64?
    /// For each partition, the next offset to read.
    private var positions: [Int32: Int64] = [:]
    /// The positions as the table was told them last.
    private var appended: [Int32: Int64] = [:]
    /// Rows appended and dead letters set aside since the start.
    private(set) var rowCount: UInt64 = 0
    private(set) var deadLetterCount: UInt64 = 0

    /// A table that is called as the topic is made of the first record when there is none; another must be there.
    init(
        topic: Topic, tableName: String, logStore: LogStore, catalog: Catalog, clock: any Clock,
        settings: MaterializerSettings
    ) {
        self.topic = topic
        self.tableName = tableName
        self.logStore = logStore
        self.catalog = catalog
        self.clock = clock
        self.settings = settings
        builder = RowBuilder(tableName: tableName, definition: nil, maxColumns: settings.maxColumns)
    }

    /// What a turn came to.
    struct Turn {
        /// The next offset of each partition: everything before is visible.
        var visible: [Int32: Int64]
        /// Whether there is more to read at once.
        var hasMore: Bool
        /// When to come back even if nothing is appended, in milliseconds from now.
        var returnAfterMs: Int64?
    }

    /// Forgets what the table does not have, to begin anew after what it has.
    func restart() {
        table = nil
        definition = nil
        letters = DeadLetters()
        positions = [:]
        appended = [:]
        changes = nil
        declaredVersion = 0
        builder = RowBuilder(tableName: tableName, definition: nil, maxColumns: settings.maxColumns)
    }

    /// Reads some of what is new and appends it to the table. After an error the caller calls `restart`.
    func run() throws(MaterializerError) -> Turn {
        try follow()
        // The table was dropped: this way ends as soon as that is noticed.
        if table == nil && tableName != topic.name { return Turn(visible: [:], hasMore: false, returnAfterMs: nil) }
        var readBytes = 0
        var isBehind = true
        while isBehind && readBytes < settings.turnBytes {
            isBehind = false
            for partition in topic.partitions {
                let taken = try take(partition)
                readBytes += taken
                if taken > 0 { isBehind = true }
            }
        }
        try append()
        if !isBehind { builder.reset(keeping: 64 << 10) }
        return Turn(
            visible: positions, hasMore: isBehind,
            returnAfterMs: lettersSinceMs == nil ? nil : settings.tableWaitMs)
    }

    /// Finds the table, follows a changed definition, finds partitions that are new.
    private func follow() throws(MaterializerError) {
        let found = catalog.table(tableName)
        if found !== table {
            restart()
            table = found
        }
        if let table {
            let current = table.definition
            let isKnown = current == definition
            definition = current
            if !isKnown {
                builder = RowBuilder(tableName: tableName, definition: current, maxColumns: settings.maxColumns)
                declaredVersion = 0
                changes = current.keepsLatest ? ChangeReader(current) : nil
            }
        }
        for partition in topic.partitions where positions[partition.partition] == nil {
            let source = SourcePartition(topic: topic.name, partition: partition.partition)
            let visible = table?.visibleOffsets()[source]
            if let visible, visible > partition.endOffset {
                // A log that is not synced may lose records that the table has; their offsets must not come again.
                do throws(LogStoreError) { try partition.ensureEndOffset(atLeast: visible) } catch {
                    throw MaterializerError(error)
                }
            }
            positions[partition.partition] = max(visible ?? 0, partition.keptOffset)
            appended[partition.partition] = positions[partition.partition]
        }
    }

    // MARK: Reading

    /// Reads a piece of a partition into the builder; how many bytes that was. Records of a transaction wait for its
    /// end, and those behind them in the partition with them; those of an aborted one are passed over.
    private func take(_ partition: PartitionLog) throws(MaterializerError) -> Int {
        let source = SourcePartition(topic: topic.name, partition: partition.partition)
        let position = positions[partition.partition] ?? 0
        guard position < partition.keptStableOffset else { return 0 }
        let found: CommittedBatches
        do throws(LogStoreError) {
            found = try partition.readCommitted(
                from: position, maxBytes: settings.readBytes, includingDeleted: true)
        } catch {
            return try skip(error, partition, source, position)
        }
        try found.forEachBatch { batch, bytes throws(MaterializerError) in
            try take(batch, bytes, source, from: position)
            positions[partition.partition] = max(position, batch.nextOffset)
        }
        positions[partition.partition] = max(position, found.nextOffset)
        guard found.nextOffset > position else {
            throw MaterializerError("\(topic.name)-\(partition.partition): nothing can be read at offset \(position)")
        }
        return max(found.bytes.count, 1)
    }

    /// Goes on after a place that cannot be read: past damage, to what retention left.
    private func skip(
        _ error: LogStoreError, _ partition: PartitionLog, _ source: SourcePartition, _ position: Int64
    ) throws(MaterializerError) -> Int {
        let resume: Int64
        switch error.code {
        case .offsetOutOfRange where partition.keptOffset > position: resume = partition.keptOffset
        case .corruptBatch:
            guard let found = error.resumeOffset, found > position else { throw MaterializerError(error) }
            // What lies behind an open transaction's begin is not to be passed over with the damage.
            resume = min(found, max(position + 1, partition.keptStableOffset))
        default: throw MaterializerError(error)
        }
        setAside(source, position, clock.nowMs(), "lost: \(error.message)", nil)
        positions[partition.partition] = resume
        return 1
    }

    private func take(
        _ batch: RecordBatch, _ bytes: UnsafeRawBufferPointer, _ source: SourcePartition, from position: Int64
    ) throws(MaterializerError) {
        var failure: MaterializerError?
        do throws(LogStoreError) {
            try RecordBatch.forEachRecord(in: bytes, maxDecompressedBytes: settings.maxBatchBytes) {
                record throws(LogStoreError) in
                guard record.offset >= position, failure == nil else { return }
                do throws(MaterializerError) { try take(record, source) } catch { failure = error }
            }
        } catch {
            // Producers' batches are checked before they are taken, so this is damage or a codec's limit.
            setAside(source, batch.baseOffset, batch.maxTimestampMs, error.message, bytes)
        }
        if let failure { throw failure }
    }

    @inline(__always)
    private func take(_ record: RecordView, _ source: SourcePartition) throws(MaterializerError) {
        if builder.isFull || letters.bytes >= settings.maxDeadLetterBytes {
            positions[source.partition] = record.offset
            try append()
        }
        guard let value = record.value else { return try take(record, source, nil) }
        guard let envelope = ConnectEnvelope(value) else { return try take(record, source, value) }
        let payload: [UInt8]?
        do throws(JSONFault) { payload = try converter.payload(envelope) } catch {
            return setAside(source, record.offset, record.timestampMs, error.description, value)
        }
        guard let payload else { return try take(record, source, envelope.payload) }
        declareColumns()
        try payload.withUnsafeBufferPointer { bytes throws(MaterializerError) in
            try take(record, source, UnsafeRawBufferPointer(bytes))
        }
    }

    /// Tells the builder of columns whose types a new schema says; with the first row of all, when there is none yet.
    private func declareColumns() {
        guard declaredVersion != converter.version else { return }
        declared = converter.schema?.columns(isRow: changes != nil) ?? []
        guard builder.hasColumns else { return }
        builder.declare(declared)
        declared = []
        declaredVersion = converter.version
    }

    /// Takes a record whose value, out of its envelope, is `value`.
    @inline(__always)
    private func take(
        _ record: RecordView, _ source: SourcePartition, _ value: UnsafeRawBufferPointer?
    ) throws(MaterializerError) {
        if let changes { return try take(record, source, value, changes) }
        guard let value, !JSONValueText.isNull(value) else { return takeEmpty(record, source) }
        do throws(JSONFault) {
            try builder.append(value, timestampMs: record.timestampMs, declaring: declared)
            if !builder.surroundings.isEmpty { builder.putSurroundings(record, source) }
        } catch {
            setAside(source, record.offset, record.timestampMs, error.description, record.value)
        }
    }

    /// Takes a record without a value. With a key it is a tombstone, which says that what the key names is gone: a
    /// row only where a column shows the key.
    private func takeEmpty(_ record: RecordView, _ source: SourcePartition) {
        guard record.key != nil else {
            return setAside(source, record.offset, record.timestampMs, "a record without a value", record.value)
        }
        guard builder.surroundings.contains(where: { $0.column == .key }), takeDefaults(record.timestampMs) else {
            return
        }
        builder.putSurroundings(record, source)
    }

    /// Adds a row without values; nothing in it can fail.
    private func takeDefaults(_ timestampMs: Int64) -> Bool {
        (try? builder.append(UnsafeRawBufferPointer(StaticString("{}").bytes), timestampMs: timestampMs)) != nil
    }

    /// Takes a record as a change of a source's row.
    private func take(
        _ record: RecordView, _ source: SourcePartition, _ value: UnsafeRawBufferPointer?, _ changes: ChangeReader
    ) throws(MaterializerError) {
        let change: Change
        do throws(ChangeFault) { change = try changes.read(record, value) } catch {
            return setAside(source, record.offset, record.timestampMs, error.reason, record.value)
        }
        switch change {
        case .none: break
        case .clear: try clear(source, after: record.offset)
        case .remove(let key): takeRemoval(key, record.timestampMs)
        case .put(let row, let key, let oldKey):
            do throws(JSONFault) {
                // The row first: when it is none, the old one stays.
                try builder.append(row, timestampMs: record.timestampMs)
            } catch {
                return setAside(source, record.offset, record.timestampMs, error.description, record.value)
            }
            if !builder.surroundings.isEmpty { builder.putSurroundings(record, source) }
            builder.putVersion(ofKey: key, isDeleted: false)
            if let oldKey { takeRemoval(oldKey, record.timestampMs) }
        }
    }

    private func takeRemoval(_ key: [UInt8], _ timestampMs: Int64) {
        if takeDefaults(timestampMs) { builder.putVersion(ofKey: key, isDeleted: true) }
    }

    /// Removes all rows before the record at `offset`, and says that it was taken, in one step.
    private func clear(_ source: SourcePartition, after offset: Int64) throws(MaterializerError) {
        positions[source.partition] = offset
        try append()
        positions[source.partition] = offset + 1
        guard let table else { return }
        do throws(ColumnarError) { try table.clear(offsets: offsets) } catch { throw MaterializerError(error) }
        appended = positions
    }

    /// The positions as the table keeps them.
    private var offsets: [SourcePartition: Int64] {
        var offsets: [SourcePartition: Int64] = [:]
        for (partition, next) in positions {
            offsets[SourcePartition(topic: topic.name, partition: partition)] = next
        }
        return offsets
    }

    private func setAside(
        _ source: SourcePartition, _ offset: Int64, _ timestampMs: Int64, _ reason: String,
        _ value: UnsafeRawBufferPointer?
    ) {
        letters.append(source: source, offset: offset, timestampMs: timestampMs, reason: reason, value: value)
        deadLetterCount += 1
    }

    // MARK: Appending

    /// Gives rows, dead letters and offsets to the table, which is created or changed first where that is needed.
    private func append() throws(MaterializerError) {
        if builder.rowCount == 0 && letters.count == 0 {
            // Records that make no rows move the offsets all the same, lest the log be held for them.
            guard table != nil, positions != appended else { return }
        } else if table == nil && builder.rowCount == 0 && shouldWaitForTable() {
            return
        }
        do throws(ColumnarError) {
            let finished = builder.finish()
            let table = try readyTable(finished)
            try table.append(finished.block, deadLetters: letters.block, offsets: offsets)
            appended = positions
            rowCount += UInt64(finished.block.rowCount)
            if builder.hasColumns {
                builder.commit()
            } else {
                // The table was made for dead letters alone; the builder is to know it from now on.
                definition = nil
            }
        } catch {
            throw MaterializerError(error)
        }
        letters = DeadLetters()
        lettersSinceMs = nil
    }

    /// Dead letters alone do not make a table at once: the first good record decides how it looks.
    private func shouldWaitForTable() -> Bool {
        let nowMs = clock.nowMs()
        let since = lettersSinceMs ?? nowMs
        lettersSinceMs = since
        return nowMs - since < settings.tableWaitMs && letters.count < settings.maxWaitingDeadLetters
            && letters.bytes < settings.maxDeadLetterBytes
    }

    /// The table, with the columns that `finished` needs.
    private func readyTable(_ finished: FinishedBlock) throws(ColumnarError) -> Table {
        if let table {
            // `definition` is what the builder knows: changes by others are not in it, and make a new builder.
            for column in finished.widenedColumns {
                try table.widenColumn(column.name, to: column.type)
                if let index = definition?.columns.firstIndex(where: { $0.name == column.name }) {
                    definition?.columns[index].type = column.type
                }
            }
            if !finished.newColumns.isEmpty {
                try table.addColumns(finished.newColumns)
                definition?.columns += finished.newColumns
            }
            return table
        }
        guard tableName == topic.name, logStore.topic(topic.name) === topic else {
            throw ColumnarError(.unknownTable, "topic \(topic.name) or table \(tableName) is gone")
        }
        var definition = builder.inferredDefinition()
        if definition.columns.isEmpty {
            definition.columns = [ColumnDefinition(name: "_time", type: .dateTime64(precision: 3, timeZone: nil))]
        }
        let created = try catalog.createTable(definition)
        table = created
        self.definition = definition
        return created
    }
}

/// Why a topic's records do not reach their table for now.
struct MaterializerError: Error {
    let message: String

    init(_ message: String) { self.message = message }

    init(_ error: ColumnarError) { self.init(error.message) }

    init(_ error: LogStoreError) { self.init(error.message) }
}

import Disk
import Synchronization

/// Writes one partition's segments. Used on the committer's thread only, once the partition is open.
final class PartitionWriter: @unchecked Sendable {
    /// A place in the log.
    struct Cursor: Hashable {
        /// Bytes of the segment.
        var position: Int64
        var nextOffset: Int64
        var maxTimestampMs: Int64
    }

    /// How much is gathered before it is written.
    private static let bufferBytes = 1 << 20
    /// The one leader epoch of a log that has one leader.
    static let leaderEpoch: Int32 = 0

    private var file: any File
    private var baseOffset: Int64
    private var indexFiles: SegmentIndexFiles
    private let recoveryFile: (any File)?
    /// The end of what was handed to the system (or is in `buffer`).
    private var cursor: Cursor
    /// The end of what is synced.
    private var durable: Cursor
    /// The end of what readers see.
    private var published: Cursor
    /// When the segment got its first record, in milliseconds since 1970; nil while it is empty.
    private var firstRecordMs: Int64?

    private var buffer: [UInt8] = []
    private var bufferStart: Cursor
    private var bufferRequests: [AppendRequest] = []
    private var bufferNotes: [(batch: RecordBatch, position: Int64)] = []
    /// Written, not published yet.
    private var written: [AppendRequest] = []
    private var notes: [(batch: RecordBatch, position: Int64)] = []

    /// What is known of producers at `cursor`.
    var producers: ProducerTable
    /// What was known at `bufferStart`.
    private var bufferMark: ProducerTable.Mark
    let snapshots: ProducerSnapshots

    init(
        file: any File, baseOffset: Int64, indexFiles: SegmentIndexFiles, recoveryFile: (any File)?, cursor: Cursor,
        firstRecordMs: Int64?, producers: ProducerTable, snapshots: ProducerSnapshots
    ) {
        self.file = file
        self.baseOffset = baseOffset
        self.indexFiles = indexFiles
        self.recoveryFile = recoveryFile
        self.cursor = cursor
        self.firstRecordMs = firstRecordMs
        durable = cursor
        published = cursor
        bufferStart = cursor
        self.producers = producers
        bufferMark = producers.mark
        self.snapshots = snapshots
    }

    /// The transactions that are open, by first offset.
    var openTransactions: [OpenTransaction] { producers.open }

    /// Whether bytes were written that are not synced.
    var isDirty: Bool { durable.position < cursor.position }

    /// Notes in the recovery point how far recovery found the log whole, and synced it.
    func noteRecovered() { writeRecoveryPoint(isClean: false) }

    // MARK: A round

    /// Hands the requests' bytes to the system, rolling segments as due. Fails those it cannot.
    func write(_ requests: [AppendRequest], _ log: PartitionLog) {
        let config = log.configuration.value
        let nowMs = log.environment.clock.nowMs()
        for request in requests {
            if let failure = log.failure {
                request.fail(failure)
                continue
            }
            if mustRoll(request, config, nowMs) {
                flush(log)
                do throws(LogStoreError) {
                    try rollIfNeeded(log)
                } catch {
                    request.fail(error)
                    continue
                }
            }
            stageIfNew(request, nowMs, isStamping: config.timestampType == .logAppendTime)
            if buffer.count >= Self.bufferBytes { flush(log) }
        }
        flush(log)
    }

    private func mustRoll(_ request: AppendRequest, _ config: TopicConfig, _ nowMs: Int64) -> Bool {
        guard cursor.position > 0 else { return false }
        if cursor.position + Int64(request.sizeBytes) > config.segmentBytes { return true }
        if let firstRecordMs, nowMs - firstRecordMs >= config.segmentMs { return true }
        // Offsets in the indexes are relative to the segment's, in 32 bits.
        let records = request.headers.reduce(Int64(0)) { $0 + Int64($1.recordCount) }
        return cursor.nextOffset + records - baseOffset > Int64(Int32.max)
    }

    /// Gives the request its place unless its producer may not write it, or has written it before.
    private func stageIfNew(_ request: AppendRequest, _ nowMs: Int64, isStamping: Bool) {
        if bufferRequests.isEmpty {
            bufferStart = cursor
            bufferMark = producers.mark
        }
        do throws(LogStoreError) {
            if let marker = request.marker {
                try producers.end(marker, at: cursor.nextOffset, nowMs: nowMs)
                return stage(request, nowMs, isStamping)
            }
            switch try producers.admit(request.headers, at: cursor.nextOffset, nowMs: nowMs) {
            case .new:
                stage(request, nowMs, isStamping)
            case .stored(let baseOffset, let nextOffset, let appendTimeMs):
                request.result = AppendResult(
                    baseOffset: baseOffset, nextOffset: nextOffset, appendTimeMs: appendTimeMs,
                    logAppendTimeMs: isStamping ? appendTimeMs : nil)
                // What is not published yet shares the fate of what it repeats.
                if nextOffset <= published.nextOffset { request.succeed() } else { bufferRequests.append(request) }
            }
        } catch {
            request.fail(error)
        }
    }

    private func stage(_ request: AppendRequest, _ nowMs: Int64, _ isStamping: Bool) {
        let first = cursor.nextOffset
        for (bytes, header) in zip(request.batches, request.headers) {
            let start = buffer.count
            buffer.append(contentsOf: bytes)
            var placed = header
            placed.baseOffset = cursor.nextOffset
            buffer.withUnsafeMutableBytes { buffer in
                let batch = UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
                RecordBatch.patch(batch, baseOffset: placed.baseOffset, partitionLeaderEpoch: Self.leaderEpoch)
                if isStamping { placed.stamp(batch, appendTimeMs: nowMs) }
            }
            bufferNotes.append((placed, cursor.position))
            cursor.position += Int64(bytes.count)
            cursor.nextOffset += Int64(header.recordCount)
            cursor.maxTimestampMs = max(cursor.maxTimestampMs, placed.maxTimestampMs)
        }
        if firstRecordMs == nil { firstRecordMs = nowMs }
        request.result = AppendResult(
            baseOffset: first, nextOffset: cursor.nextOffset, appendTimeMs: nowMs,
            logAppendTimeMs: isStamping ? nowMs : nil)
        bufferRequests.append(request)
    }

    /// Writes the buffer. When the disk is full its requests fail, what was written of them is cut, and the log goes
    /// on; any other failure ends the log.
    private func flush(_ log: PartitionLog) {
        guard !bufferRequests.isEmpty else { return }
        let requests = bufferRequests
        do throws(DiskError) {
            if !buffer.isEmpty { try file.write(buffer, at: UInt64(bufferStart.position)) }
            written += requests
            notes += bufferNotes
            producers.settle()
        } catch {
            cursor = bufferStart
            producers.rollBack(to: bufferMark)
            if cursor.position == 0 { firstRecordMs = nil }
            let isFull = error.code == .full
            var failure = LogStoreError(error)
            do throws(DiskError) {
                try file.truncate(to: UInt64(cursor.position))
            } catch {
                failure = poison(log, error, "cut what a failed write left")
            }
            if !isFull, failure.code != .poisoned { failure = poison(log, error, "write") }
            for request in requests { request.fail(failure) }
        }
        bufferRequests = []
        bufferNotes = []
        buffer.removeAll(keepingCapacity: buffer.capacity <= 4 * Self.bufferBytes)
    }

    /// Ends the round: syncs when asked to, shows readers what is there, and tells those who wait.
    func commit(_ log: PartitionLog, syncing: Bool) {
        guard !written.isEmpty else { return }
        // Who ended a transaction forgets it: a marker lost with the power would leave it open for ever.
        if syncing || written.contains(where: { $0.marker != nil }), !sync(log) { return }
        publish(log)
    }

    /// Syncs bytes that were acknowledged before.
    func syncLater(_ log: PartitionLog) {
        if isDirty, log.failure == nil { _ = sync(log) }
    }

    /// Makes all that was written durable; else poisons the log, fails who waits and returns false.
    private func sync(_ log: PartitionLog) -> Bool {
        guard isDirty else { return true }
        do throws(DiskError) {
            try file.sync()
        } catch {
            _ = poison(log, error, "sync")
            return false
        }
        durable = cursor
        writeRecoveryPoint(isClean: false)
        return true
    }

    private func writeRecoveryPoint(isClean: Bool) {
        let point = RecoveryPoint(
            segmentBaseOffset: baseOffset, positionBytes: durable.position, nextOffset: durable.nextOffset,
            maxTimestampMs: durable.maxTimestampMs, isClean: isClean,
            hasProducers: !producers.isEmpty || snapshots.hasAborted)
        // A hint for recovery: without it there is only more to scan.
        try? recoveryFile?.write(point.encoded, at: 0)
    }

    private func publish(_ log: PartitionLog) {
        published = cursor
        let aborted = producers.takeAborted()
        if !aborted.isEmpty { snapshots.hasAborted = true }
        let (observers, newOffsets, newTimes) = log.state.withLock { state in
            for (batch, position) in notes {
                state.activeIndexes.note(
                    batch, segmentBase: baseOffset, position: position,
                    intervalBytes: log.environment.settings.indexIntervalBytes)
            }
            let last = state.segments.count - 1
            state.segments[last].endOffset = cursor.nextOffset
            state.segments[last].sizeBytes = cursor.position
            state.segments[last].maxTimestampMs = cursor.maxTimestampMs
            state.aborted.recent += aborted
            state.firstOpenOffset = producers.open.first?.firstOffset
            state.producerCount = producers.entries.count
            return (
                Array(state.observers.values),
                Array(state.activeIndexes.offsets.entries[indexFiles.writtenOffsets...]),
                Array(state.activeIndexes.times.entries[indexFiles.writtenTimes...])
            )
        }
        notes = []
        for request in written { request.succeed() }
        written = []
        for observer in observers { observer(cursor.nextOffset) }
        indexFiles.write(offsets: newOffsets[...], times: newTimes[...])
        if !aborted.isEmpty,
            log.state.withLock({ $0.aborted.recent.count }) > log.environment.settings.maxAbortedInMemory
        {
            saveProducers(log)
        }
    }

    /// Ends the log, failing who waits: after a failed sync nobody knows what is on the disk, and a second one would
    /// lie.
    private func poison(_ log: PartitionLog, _ error: DiskError, _ doing: String) -> LogStoreError {
        let failure = LogStoreError(
            .poisoned,
            "\(log.topic)-\(log.partition) takes no more appends: could not \(doing): \(error.message). "
                + "What was acknowledged can be read; restart once the disk is well.")
        log.state.withLock { if $0.failure == nil { $0.failure = failure } }
        // What was never acknowledged must not come back as if it were on the disk.
        try? file.truncate(to: UInt64(published.position))
        cursor = published
        for request in written { request.fail(failure) }
        written = []
        notes = []
        return failure
    }

    // MARK: Producers

    /// Forgets producers not heard of for too long.
    func expireProducers(_ log: PartitionLog) {
        producers.expire(nowMs: log.environment.clock.nowMs())
        log.state.withLock { $0.producerCount = producers.entries.count }
    }

    /// Writes what is known of producers, which must be true of what is synced and published, for the next start.
    func saveProducers(_ log: PartitionLog) {
        guard !isDirty, published == cursor else { return }
        producers.expire(nowMs: log.environment.clock.nowMs())
        snapshots.save(producers, at: cursor.nextOffset, log)
    }

    // MARK: Segments

    /// Begins a new segment at `newBase`, once the old one is durable.
    private func roll(to newBase: Int64, _ log: PartitionLog) throws(LogStoreError) {
        let fileSystem = log.environment.fileSystem
        guard sync(log) else { throw log.failure ?? LogStoreError(.storage, "cannot sync") }
        publish(log)
        let next: any File
        do throws(DiskError) {
            next = try fileSystem.open(SegmentFormat.path(log.folder, newBase, SegmentFormat.logSuffix), .createNew)
        } catch {
            throw LogStoreError(error)
        }
        do throws(DiskError) {
            try fileSystem.syncDirectory(log.folder)
        } catch {
            throw poison(log, error, "begin a new segment")
        }
        let closing = log.state.withLock { state in
            state.activeIndexes.seal(segmentBase: baseOffset, nextOffset: cursor.nextOffset)
            let times = Array(state.activeIndexes.times.entries[indexFiles.writtenTimes...])
            state.segments.append(
                SegmentState(baseOffset: newBase, endOffset: newBase, sizeBytes: 0, maxTimestampMs: .min))
            state.activeFile = next
            state.activeIndexes = SegmentIndexes()
            return times
        }
        indexFiles.write(offsets: [], times: closing[...])
        _ = indexFiles.seal(syncing: false)
        indexFiles.close()
        indexFiles = SegmentIndexFiles(folder: log.folder, baseOffset: newBase, fileSystem: fileSystem)
        file = next
        baseOffset = newBase
        cursor = Cursor(position: 0, nextOffset: newBase, maxTimestampMs: .min)
        durable = cursor
        published = cursor
        firstRecordMs = nil
        writeRecoveryPoint(isClean: false)
        saveProducers(log)
    }

    /// Begins a new segment when the one being written holds anything.
    func rollIfNeeded(_ log: PartitionLog) throws(LogStoreError) {
        if let failure = log.failure { throw failure }
        if cursor.position > 0 { try roll(to: cursor.nextOffset, log) }
    }

    /// By which batch each producer is known that last wrote before `offset`.
    func lastBatches(before offset: Int64) -> [Int64: LastBatch] {
        producers.entries.compactMapValues { entry in
            guard let last = entry.batches.last else { return .marker(epoch: entry.epoch) }
            return last.nextOffset <= offset ? .records(lastOffset: last.nextOffset - 1) : nil
        }
    }

    /// The same when it got its first record at least so many milliseconds ago.
    func rollIfNeeded(_ log: PartitionLog, olderThanMs ageMs: Int64) throws(LogStoreError) {
        guard let firstRecordMs, log.environment.clock.nowMs() - firstRecordMs >= ageMs else { return }
        try rollIfNeeded(log)
    }

    /// Begins a new segment at `offset` when the log ends before it.
    func advance(to offset: Int64, _ log: PartitionLog) throws(LogStoreError) {
        if let failure = log.failure { throw failure }
        if offset > cursor.nextOffset { try roll(to: offset, log) }
    }

    /// Syncs everything and says in the recovery point that it did, so that the next start need not scan.
    func close(_ log: PartitionLog) {
        guard log.failure == nil, sync(log) else { return }
        saveProducers(log)
        let isClean = indexFiles.seal(syncing: true)
        writeRecoveryPoint(isClean: isClean)
        try? recoveryFile?.sync()
        indexFiles.close()
        recoveryFile?.close()
        log.state.withLock { if $0.failure == nil { $0.failure = LogStoreError(.closed, "the log is closed") } }
    }
}

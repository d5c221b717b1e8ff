import Disk

/// What a partition knows of the producers that number their batches, and of the transactions open in it.
///
/// Used on the committer's thread only. Batches are checked and entered when they get their place in the log, before
/// they are written; a journal takes the changes back when the write fails. Bounded: producers not heard of for a day
/// are forgotten, and of more than `maxCount` those heard of longest ago, none with an open transaction.
struct ProducerTable {
    /// How many batches of a producer are told apart from new ones.
    static let keptBatches = 5

    /// A batch that is in the log.
    struct StoredBatch: Hashable {
        var firstSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
        var nextOffset: Int64
        var appendTimeMs: Int64
    }

    /// One producer.
    struct Entry: Hashable {
        var epoch: Int16
        /// Of its last transaction marker; -1 when there was none.
        var coordinatorEpoch: Int32 = -1
        /// The last batches of this epoch, oldest first.
        var batches: [StoredBatch] = []
        /// How many records of this epoch are known to come before `batches`, their sequence numbers without a gap.
        var earlierRecords: Int64 = 0
        /// The first offset of its open transaction.
        var transactionStart: Int64?
        /// When it last wrote, in milliseconds since 1970.
        var lastSeenMs: Int64

        /// Forgets the batches of other epochs.
        mutating func begin(epoch: Int16) {
            guard epoch != self.epoch else { return }
            self.epoch = epoch
            batches = []
            earlierRecords = 0
        }

        /// Whether a batch that is none of `batches` lies before them where nothing is missing.
        func isSurelyStored(_ batch: RecordBatch) -> Bool {
            guard let first = batches.first else { return false }
            let distance = Int64((first.firstSequence &- batch.baseSequence) & Int32.max)
            return distance <= earlierRecords && distance > Int64(batch.lastOffsetDelta)
        }
    }

    /// What becomes of an append.
    enum Admission {
        /// It is to be written.
        case new
        /// It is in the log already.
        case stored(baseOffset: Int64, nextOffset: Int64, appendTimeMs: Int64)
    }

    /// A state to go back to.
    struct Mark {
        fileprivate var changes = 0
        fileprivate var aborted = 0
    }

    private(set) var entries: [Int64: Entry] = [:]
    /// By first offset; one a producer at most.
    private(set) var open: [OpenTransaction] = []
    /// Transactions whose abort marker got its place and readers do not know of yet.
    private var aborted: [AbortedTransaction] = []
    private var journal: [(producerID: Int64, entry: Entry?)] = []
    private let maxCount: Int
    private let expiryMs: Int64

    init(maxCount: Int, expiryMs: Int64) {
        self.maxCount = max(1, maxCount)
        self.expiryMs = expiryMs
    }

    var isEmpty: Bool { entries.isEmpty }

    // MARK: Appends

    /// Checks the batches of one append, of which the first gets `offset`, and enters those that are new: all or none.
    ///
    /// Throws `.invalidProducerEpoch`, `.outOfOrderSequence`, `.duplicateSequence`, `.invalidTransactionState` or
    /// `.overloaded`.
    mutating func admit(
        _ batches: [RecordBatch], at offset: Int64, nowMs: Int64
    ) throws(LogStoreError) -> Admission {
        let start = mark
        var next = offset
        var first: StoredBatch?
        var last: StoredBatch?
        var storedCount = 0
        do throws(LogStoreError) {
            for batch in batches {
                let batchOffset = next
                next += Int64(batch.recordCount)
                guard batch.hasProducer else { continue }
                if let stored = try check(batch, nowMs) {
                    first = first ?? stored
                    last = stored
                    storedCount += 1
                } else {
                    enter(batch, at: batchOffset, appendTimeMs: nowMs, seenMs: nowMs)
                }
            }
            guard let first, let last else { return .new }
            guard storedCount == batches.count else {
                throw LogStoreError(.outOfOrderSequence, "an append repeats stored batches beside new ones")
            }
            return .stored(
                baseOffset: first.baseOffset, nextOffset: last.nextOffset, appendTimeMs: first.appendTimeMs)
        } catch {
            rollBack(to: start)
            throw error
        }
    }

    /// The stored batch that this one repeats; nil when it is new and may be written.
    private func check(_ batch: RecordBatch, _ nowMs: Int64) throws(LogStoreError) -> StoredBatch? {
        guard let entry = live(entries[batch.producerID], nowMs) else {
            if entries.count >= maxCount, open.count >= maxCount {
                throw LogStoreError(.overloaded, "\(open.count) producers have open transactions already")
            }
            return nil
        }
        try checkEpoch(batch.producerID, batch.producerEpoch, entry)
        if batch.producerEpoch > entry.epoch {
            guard batch.baseSequence == 0 else {
                throw outOfOrder(batch, "the first of a new epoch has 0")
            }
        } else {
            let stored = entry.batches.first {
                $0.firstSequence == batch.baseSequence && $0.lastSequence == batch.lastSequence
            }
            if let stored { return stored }
            let due = entry.batches.last.map { RecordBatch.sequence($0.lastSequence, plus: 1) } ?? 0
            guard batch.baseSequence == due else {
                if entry.isSurelyStored(batch) {
                    throw LogStoreError(
                        .duplicateSequence,
                        "the batch of sequence number \(batch.baseSequence) of producer \(batch.producerID) was stored "
                            + "before; where is no longer known")
                }
                throw outOfOrder(batch, "\(due) is due")
            }
        }
        if entry.transactionStart != nil, !batch.isTransactional {
            throw LogStoreError(
                .invalidTransactionState,
                "producer \(batch.producerID) sent a batch outside its open transaction")
        }
        return nil
    }

    private func checkEpoch(_ id: Int64, _ epoch: Int16, _ entry: Entry) throws(LogStoreError) {
        guard epoch >= entry.epoch else {
            throw LogStoreError(
                .invalidProducerEpoch,
                "epoch \(epoch) of producer \(id) was followed by \(entry.epoch): another instance took over")
        }
    }

    private func outOfOrder(_ batch: RecordBatch, _ what: String) -> LogStoreError {
        LogStoreError(
            .outOfOrderSequence, "sequence number \(batch.baseSequence) of producer \(batch.producerID), and \(what)")
    }

    /// Enters a batch without checking it.
    private mutating func enter(_ batch: RecordBatch, at offset: Int64, appendTimeMs: Int64, seenMs: Int64) {
        let old = entries[batch.producerID]
        journal.append((batch.producerID, old))
        var entry = live(old, seenMs) ?? Entry(epoch: batch.producerEpoch, lastSeenMs: seenMs)
        let due = entry.batches.last.map { RecordBatch.sequence($0.lastSequence, plus: 1) }
        if entry.epoch != batch.producerEpoch || due != batch.baseSequence {
            entry.epoch = batch.producerEpoch
            entry.batches = []
            entry.earlierRecords = 0
        }
        if entry.batches.count >= Self.keptBatches {
            let gone = entry.batches.removeFirst()
            // Numbers come round again; what is further back than half the way cannot be told from what is to come.
            let count = Int64((gone.lastSequence &- gone.firstSequence) & Int32.max) + 1
            entry.earlierRecords = min(entry.earlierRecords + count, Int64(Int32.max / 2))
        }
        entry.batches.append(
            StoredBatch(
                firstSequence: batch.baseSequence, lastSequence: batch.lastSequence, baseOffset: offset,
                nextOffset: offset &+ Int64(batch.lastOffsetDelta) &+ 1, appendTimeMs: appendTimeMs))
        if batch.isTransactional, entry.transactionStart == nil {
            entry.transactionStart = offset
            open.append(
                OpenTransaction(producerID: batch.producerID, producerEpoch: batch.producerEpoch, firstOffset: offset))
        }
        entry.lastSeenMs = max(entry.lastSeenMs, seenMs)
        entries[batch.producerID] = entry
    }

    // MARK: Markers

    /// Enters a transaction's end at `offset`. Throws `.invalidProducerEpoch` and `.coordinatorFenced`.
    mutating func end(
        _ marker: TransactionMarker, at offset: Int64, nowMs: Int64
    ) throws(LogStoreError) {
        if let entry = live(entries[marker.producerID], nowMs) {
            try checkEpoch(marker.producerID, marker.producerEpoch, entry)
            guard marker.coordinatorEpoch >= entry.coordinatorEpoch else {
                throw LogStoreError(
                    .coordinatorFenced,
                    "a transaction marker of coordinator epoch \(marker.coordinatorEpoch), and "
                        + "\(entry.coordinatorEpoch) was seen")
            }
        }
        enter(marker, at: offset, seenMs: nowMs)
    }

    private mutating func enter(_ marker: TransactionMarker, at offset: Int64, seenMs: Int64) {
        let old = entries[marker.producerID]
        journal.append((marker.producerID, old))
        var entry = live(old, seenMs) ?? Entry(epoch: marker.producerEpoch, lastSeenMs: seenMs)
        if let start = entry.transactionStart {
            remove(openFrom: start)
            if !marker.isCommit {
                aborted.append(
                    AbortedTransaction(
                        producerID: marker.producerID, firstOffset: start, lastOffset: offset,
                        lastStableOffset: open.first?.firstOffset ?? offset &+ 1))
            }
            entry.transactionStart = nil
        }
        entry.begin(epoch: marker.producerEpoch)
        entry.coordinatorEpoch = marker.coordinatorEpoch
        entry.lastSeenMs = max(entry.lastSeenMs, seenMs)
        entries[marker.producerID] = entry
    }

    private mutating func enter(epochOf batch: RecordBatch, seenMs: Int64) {
        var entry = entries[batch.producerID] ?? Entry(epoch: batch.producerEpoch, lastSeenMs: seenMs)
        if batch.producerEpoch > entry.epoch { entry.begin(epoch: batch.producerEpoch) }
        entry.lastSeenMs = max(entry.lastSeenMs, seenMs)
        entries[batch.producerID] = entry
    }

    /// Enters a batch that is in the log. `bytes` are the whole batch, verified.
    mutating func replay(_ batch: RecordBatch, _ bytes: UnsafeRawBufferPointer, seenMs: Int64) {
        guard batch.hasProducer else { return }
        if batch.isControl {
            if let marker = TransactionMarker(parsing: batch, bytes) {
                enter(marker, at: batch.baseOffset, seenMs: seenMs)
            } else if batch.recordCount == 0 {
                // Compaction has left nothing but the epoch, which still shuts out lower ones.
                enter(epochOf: batch, seenMs: seenMs)
            }
        } else if batch.baseSequence >= 0, batch.lastOffsetDelta >= 0 {
            enter(batch, at: batch.baseOffset, appendTimeMs: batch.maxTimestampMs, seenMs: seenMs)
        }
        settle()
    }

    // MARK: Undoing

    var mark: Mark { Mark(changes: journal.count, aborted: aborted.count) }

    /// Takes back all changes since `mark`.
    mutating func rollBack(to mark: Mark) {
        while journal.count > mark.changes {
            let (id, old) = journal.removeLast()
            let start = entries[id]?.transactionStart
            if start != old?.transactionStart {
                if let start { remove(openFrom: start) }
                if let old, let start = old.transactionStart {
                    let index = open.partitionPoint { $0.firstOffset > start }
                    open.insert(
                        OpenTransaction(producerID: id, producerEpoch: old.epoch, firstOffset: start), at: index)
                }
            }
            entries[id] = old
        }
        aborted.removeLast(max(0, aborted.count - mark.aborted))
    }

    /// Makes all changes final: what they came from is written.
    mutating func settle() {
        journal.removeAll(keepingCapacity: true)
        if entries.count > maxCount { evict() }
    }

    /// The aborted transactions that readers do not know of yet, to tell them.
    mutating func takeAborted() -> [AbortedTransaction] {
        defer { aborted = [] }
        return aborted
    }

    private mutating func remove(openFrom start: Int64) {
        let index = open.partitionPoint { $0.firstOffset >= start }
        if index < open.count, open[index].firstOffset == start { open.remove(at: index) }
    }

    // MARK: Forgetting

    func isExpired(_ entry: Entry, _ nowMs: Int64) -> Bool {
        entry.transactionStart == nil && nowMs.subtractingReportingOverflow(entry.lastSeenMs).partialValue >= expiryMs
    }

    private func live(_ entry: Entry?, _ nowMs: Int64) -> Entry? {
        guard let entry, !isExpired(entry, nowMs) else { return nil }
        return entry
    }

    /// Forgets the producers not heard of for too long.
    mutating func expire(nowMs: Int64) {
        entries = entries.filter { !isExpired($0.value, nowMs) }
    }

    /// Forgets a tenth more than it must, so that this is seldom.
    private mutating func evict() {
        let candidates = entries.filter { $0.value.transactionStart == nil }
            .map { (id: $0.key, seenMs: $0.value.lastSeenMs) }
            .sorted { ($0.seenMs, $0.id) < ($1.seenMs, $1.id) }
        for candidate in candidates.prefix(entries.count - maxCount + maxCount / 10) { entries[candidate.id] = nil }
    }

    // MARK: Snapshots

    /// Enters a producer read from a snapshot.
    mutating func load(_ id: Int64, _ entry: Entry) {
        entries[id] = entry
        if let start = entry.transactionStart {
            let index = open.partitionPoint { $0.firstOffset > start }
            open.insert(
                OpenTransaction(producerID: id, producerEpoch: entry.epoch, firstOffset: start), at: index)
        }
    }
}

/// A transaction whose end is not in the partition yet.
public struct OpenTransaction: Sendable, Hashable {
    /// Whose it is.
    public let producerID: Int64
    /// The producer's epoch when it began.
    public let producerEpoch: Int16
    /// The offset of its first record in the partition.
    public let firstOffset: Int64
}

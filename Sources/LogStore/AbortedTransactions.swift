import Disk
import Synchronization

/// A transaction whose records do not count, in one partition.
public struct AbortedTransaction: Sendable, Hashable {
    /// Whose it was.
    public let producerID: Int64
    /// The offset of its first record in the partition.
    public let firstOffset: Int64
    /// The offset of the marker that ended it.
    public let lastOffset: Int64
    /// The partition's last stable offset once it had ended: no transaction ended later begins before.
    public let lastStableOffset: Int64

    /// Creates one.
    public init(producerID: Int64, firstOffset: Int64, lastOffset: Int64, lastStableOffset: Int64) {
        self.producerID = producerID
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
        self.lastStableOffset = lastStableOffset
    }
}

/// Tells batches of aborted transactions from others.
public struct AbortedFilter: Sendable {
    /// By producer, in the log's order; a producer's transactions do not overlap.
    private var ranges: [Int64: [ClosedRange<Int64>]] = [:]

    /// A filter for the part of the log that `transactions` was asked for.
    public init(_ transactions: [AbortedTransaction]) {
        for transaction in transactions where transaction.firstOffset <= transaction.lastOffset {
            ranges[transaction.producerID, default: []].append(transaction.firstOffset...transaction.lastOffset)
        }
        for (producer, unsorted) in ranges where unsorted.count > 1 {
            ranges[producer] = unsorted.sorted { $0.lowerBound < $1.lowerBound }
        }
    }

    /// Whether a reader of committed records skips the batch: a marker, or of an aborted transaction.
    public func hides(_ batch: RecordBatch) -> Bool { batch.isControl || isAborted(batch) }

    /// Whether the batch is of an aborted transaction.
    public func isAborted(_ batch: RecordBatch) -> Bool {
        guard batch.isTransactional, !ranges.isEmpty, let ranges = ranges[batch.producerID] else { return false }
        let after = ranges.partitionPoint { $0.lowerBound > batch.baseOffset }
        return after > 0 && ranges[after - 1].contains(batch.baseOffset)
    }
}

/// Batches whose transactions have all ended.
public struct CommittedBatches: Sendable {
    /// Whole batches as stored, markers and aborted ones among them.
    public let bytes: [UInt8]
    /// Tells which of them count.
    public let filter: AbortedFilter
    /// The offset after them.
    public let nextOffset: Int64

    /// Shows the batches whose records count, in order, with their bytes.
    public func forEachBatch<Failure: Error>(
        _ body: (RecordBatch, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try bytes.withBytes { bytes throws(Failure) in
            var rest = bytes
            while let batch = try? RecordBatch(parsing: rest), batch.sizeBytes <= rest.count {
                if !filter.hides(batch) { try body(batch, UnsafeRawBufferPointer(rebasing: rest[..<batch.sizeBytes])) }
                rest = UnsafeRawBufferPointer(rebasing: rest[batch.sizeBytes...])
            }
        }
    }
}

/// The aborted transactions of a partition, by the offset of their marker. Those of long ago are in files, each with
/// some thousands; the others are here (and found again in the log after a crash).
struct AbortedIndex: Sendable {
    /// A file of transactions.
    struct Chunk: Sendable, Hashable {
        /// The marker of its first transaction; its file's name.
        var number: Int64
        /// The marker of its last transaction.
        var lastOffset: Int64
        var count: Int
    }

    var chunks: [Chunk] = []
    var recent: [AbortedTransaction] = []
    /// The chunk read last.
    var cached: (chunk: Chunk, transactions: [AbortedTransaction])?

    var isEmpty: Bool { chunks.isEmpty && recent.isEmpty }
}

extension PartitionLog {
    /// The aborted transactions with records in the offsets from `offset` up to, not including, `end`, by first
    /// offset; complete for an `end` up to the last stable offset. Blocks.
    public func abortedTransactions(
        from offset: Int64, upTo end: Int64
    ) throws(LogStoreError) -> [AbortedTransaction] {
        let (chunks, recent) = state.withLock { state in
            (state.aborted.chunks.filter { $0.lastOffset >= offset }, state.aborted.recent)
        }
        var found: [AbortedTransaction] = []
        var isComplete = offset >= end
        func take(_ transactions: [AbortedTransaction]) {
            let start = transactions.partitionPoint { $0.lastOffset >= offset }
            for transaction in transactions[start...] where !isComplete {
                if transaction.firstOffset < end { found.append(transaction) }
                isComplete = transaction.lastStableOffset >= end
            }
        }
        for chunk in chunks where !isComplete { take(try transactions(of: chunk)) }
        take(recent)
        return found.sorted { $0.firstOffset < $1.firstOffset }
    }

    /// Whole batches from the one that holds `offset` on whose transactions have ended, about `maxBytes` of them but
    /// the first one always whole, with what tells those that count. Empty at the last stable offset. With
    /// `includingDeleted` also of records that were deleted and that a hold keeps, as `readKept` does, up to
    /// `keptStableOffset`. Throws as `read` does. Blocks.
    public func readCommitted(
        from offset: Int64, maxBytes: Int, includingDeleted: Bool = false
    ) throws(LogStoreError) -> CommittedBatches {
        let end = includingDeleted ? keptStableOffset : lastStableOffset
        if offset >= end {
            // Beyond the log's end is an error as in `read`; between both ends is waiting.
            if offset > endOffset { _ = try read(from: offset, maxBytes: 0) }
            return CommittedBatches(bytes: [], filter: AbortedFilter([]), nextOffset: offset)
        }
        var bytes = try read(from: offset, maxBytes: maxBytes, includingDeleted: includingDeleted)
        var used = 0
        var next = offset
        bytes.withBytes { bytes in
            while let batch = try? RecordBatch(parsing: UnsafeRawBufferPointer(rebasing: bytes[used...])),
                batch.sizeBytes <= bytes.count - used
            {
                guard batch.baseOffset < end else {
                    // Between the batches there may be a gap.
                    next = end
                    break
                }
                used += batch.sizeBytes
                next = batch.nextOffset
            }
        }
        bytes.removeLast(bytes.count - used)
        return CommittedBatches(
            bytes: bytes, filter: AbortedFilter(try abortedTransactions(from: offset, upTo: next)), nextOffset: next)
    }

    /// The transactions open in the partition, by first offset. Blocks.
    public func openTransactions() throws(LogStoreError) -> [OpenTransaction] {
        let found = Monitor<[OpenTransaction]>([])
        try environment.committer.run { [self] () -> LogStoreError? in
            let open = writer.openTransactions
            found.update { $0 = open }
            return nil
        }
        return found.update { $0 }
    }
}

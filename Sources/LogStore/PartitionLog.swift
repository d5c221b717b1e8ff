import Disk
import Synchronization

/// What an append gives back.
public struct AppendResult: Sendable, Hashable {
    /// The offset of the first record.
    public let baseOffset: Int64
    /// The offset after the last record.
    public let nextOffset: Int64
    /// When it was written, in milliseconds since 1970.
    public let appendTimeMs: Int64
    /// The timestamp all its records got, when the topic's records carry the log's time; else nil.
    public let logAppendTimeMs: Int64?
}

/// How closely an append looks at its batches.
public enum BatchCheck: Sendable, Hashable {
    /// Header, length, checksum, and every record parses (compressed ones are decompressed for it).
    case records
    /// Header, length and checksum; for batches this program built.
    case header
}

/// A segment, for system tables and metrics.
public struct SegmentInfo: Sendable, Hashable {
    /// The offset of its first record.
    public let baseOffset: Int64
    /// The offset after its last record that can be read.
    public let endOffset: Int64
    /// Its length in bytes.
    public let sizeBytes: Int64
    /// The largest timestamp of its records in milliseconds since 1970; nil when it is empty.
    public let maxTimestampMs: Int64?
    /// Whether it is the one being written.
    public let isActive: Bool
}

/// A partition of a topic: an append-only sequence of records numbered by offset.
///
/// Any thread may call anything here. `append` never blocks its thread; everything else reads or writes files in
/// the calling thread and belongs on no event loop.
public final class PartitionLog: Sendable {
    /// The topic's name.
    public let topic: String
    /// The partition's number, from 0.
    public let partition: Int32

    let folder: String
    let environment: LogEnvironment
    /// Names it among the segments kept open.
    let number: UInt64
    let configuration: ConfigurationBox
    let state: Mutex<PartitionState>
    /// Used on the committer's thread only.
    let writer: PartitionWriter
    /// Held while sealed segments are deleted or replaced, on the disk and in the state.
    let fileChanges = Mutex(())
    /// Whether the partition is being compacted.
    let isCompacting = Monitor(false)

    init(
        topic: String, partition: Int32, folder: String, environment: LogEnvironment,
        configuration: ConfigurationBox, state: sending PartitionState, writer: PartitionWriter
    ) {
        self.topic = topic
        self.partition = partition
        self.folder = folder
        self.environment = environment
        number = environment.sealedSegments.newPartition()
        self.configuration = configuration
        self.state = Mutex(state)
        self.writer = writer
    }

    deinit { environment.sealedSegments.forget(number, 0..<Int64.max) }

    // MARK: Append

    /// Appends whole record batches, one after the other, and returns once they are as durable as the topic asks:
    /// all of them, or none and an error. Suspends without blocking its thread.
    ///
    /// Throws what `RecordBatch.init(verifying:…)` does, `.invalidRecord` for records without a key in a compacted
    /// topic and `.invalidTimestamp` for those too far from now (both with `recordErrors`), `.diskFull` (no trace is
    /// left; may be tried again), `.poisoned`, `.overloaded`, `.closed`, `.storage`, and `.unknownTopicOrPartition` for
    /// a deleted topic.
    ///
    /// Batches that a producer numbered are each stored once: one of its last five again gives the offset it has, and
    /// is not written. What does not follow its last one throws `.outOfOrderSequence`, `.duplicateSequence` (it was
    /// stored; where is forgotten), `.invalidProducerEpoch` or `.invalidTransactionState`.
    public func append(
        _ batches: [[UInt8]], checking check: BatchCheck = .records
    ) async throws(LogStoreError) -> AppendResult {
        try await append(batches.map { $0[...] }, checking: check)
    }

    /// The same for pieces of larger arrays, a request's say: they are copied only into what is written to the disk.
    @_disfavoredOverload
    public func append(
        _ batches: [ArraySlice<UInt8>], checking check: BatchCheck = .records
    ) async throws(LogStoreError) -> AppendResult {
        let outcome: Result<AppendResult, LogStoreError> = await withCheckedContinuation { continuation in
            append(batches, checking: check) { continuation.resume(returning: $0) }
        }
        return try outcome.get()
    }

    /// The same, blocking the calling thread.
    public func appendBlocking(
        _ batches: [[UInt8]], checking check: BatchCheck = .records
    ) throws(LogStoreError) -> AppendResult {
        try waiting { append(batches.map { $0[...] }, checking: check, completion: $0) }
    }

    /// The same, calling `completion` from the log's writer thread (or at once, when the append is refused): it must
    /// be cheap.
    public func append(
        _ batches: [[UInt8]], checking check: BatchCheck = .records,
        completion: @escaping @Sendable (Result<AppendResult, LogStoreError>) -> Void
    ) {
        append(batches.map { $0[...] }, checking: check, completion: completion)
    }

    /// The same for pieces of larger arrays.
    @_disfavoredOverload
    public func append(
        _ batches: [ArraySlice<UInt8>], checking check: BatchCheck = .records,
        completion: @escaping @Sendable (Result<AppendResult, LogStoreError>) -> Void
    ) {
        do throws(LogStoreError) {
            let headers = try verify(batches, check)
            enqueue(AppendRequest(log: self, batches: batches, headers: headers, completion: completion))
        } catch {
            completion(.failure(error))
        }
    }

    /// Ends the producer's open transaction in this partition: writes a marker and calls `completion`, like an append,
    /// once it is on the disk, whatever durability the topic asks for. Without an open transaction it still shuts out
    /// lower epochs.
    ///
    /// Fails with `.invalidProducerEpoch` when a later epoch was seen, `.coordinatorFenced` when a later coordinator
    /// was, and as appends do.
    public func appendMarker(
        commit: Bool, producerID: Int64, producerEpoch: Int16, coordinatorEpoch: Int32,
        completion: @escaping @Sendable (Result<AppendResult, LogStoreError>) -> Void
    ) {
        guard producerID >= 0, producerEpoch >= 0 else {
            completion(
                .failure(
                    LogStoreError(.invalidRecord, "a transaction of producer \(producerID), epoch \(producerEpoch)")))
            return
        }
        let marker = TransactionMarker(
            producerID: producerID, producerEpoch: producerEpoch, isCommit: commit, coordinatorEpoch: coordinatorEpoch)
        do throws(LogStoreError) {
            let bytes = try marker.batch(timestampMs: environment.clock.nowMs())
            let header = try bytes.withBytes { bytes throws(LogStoreError) in try RecordBatch(parsing: bytes) }
            enqueue(
                AppendRequest(
                    log: self, batches: [bytes[...]], headers: [header], marker: marker, completion: completion))
        } catch {
            completion(.failure(error))
        }
    }

    /// The same, suspending until the marker is on the disk.
    public func appendMarker(
        commit: Bool, producerID: Int64, producerEpoch: Int16, coordinatorEpoch: Int32
    ) async throws(LogStoreError) -> AppendResult {
        let outcome: Result<AppendResult, LogStoreError> = await withCheckedContinuation { continuation in
            appendMarker(
                commit: commit, producerID: producerID, producerEpoch: producerEpoch,
                coordinatorEpoch: coordinatorEpoch
            ) { continuation.resume(returning: $0) }
        }
        return try outcome.get()
    }

    /// The same, blocking the calling thread.
    public func appendMarkerBlocking(
        commit: Bool, producerID: Int64, producerEpoch: Int16, coordinatorEpoch: Int32
    ) throws(LogStoreError) -> AppendResult {
        try waiting {
            appendMarker(
                commit: commit, producerID: producerID, producerEpoch: producerEpoch,
                coordinatorEpoch: coordinatorEpoch, completion: $0)
        }
    }

    private func waiting(
        _ start: (@escaping @Sendable (Result<AppendResult, LogStoreError>) -> Void) -> Void
    ) throws(LogStoreError) -> AppendResult {
        let outcome = Monitor<Result<AppendResult, LogStoreError>?>(nil)
        start { result in outcome.update { $0 = result } }
        guard let result = outcome.wait(until: { $0 }) else {
            throw LogStoreError(.closed, "the log is closed")
        }
        return try result.get()
    }

    private func verify(_ batches: [ArraySlice<UInt8>], _ check: BatchCheck) throws(LogStoreError) -> [RecordBatch] {
        let config = configuration.value
        let maxBytes = config.effectiveMaxMessageBytes
        guard !batches.isEmpty else { throw LogStoreError(.invalidRecord, "an append without record batches") }
        var headers: [RecordBatch] = []
        headers.reserveCapacity(batches.count)
        for batch in batches {
            headers.append(
                try RecordBatch(verifying: batch, maxBytes: maxBytes, checkingRecords: check == .records))
        }
        if check == .records, headers.contains(where: \.hasAppendTime) {
            throw LogStoreError(.invalidTimestamp, "a producer sent a batch as if its timestamps were the log's")
        }
        let limits = RecordLimits(config, nowMs: environment.clock.nowMs())
        try limits.check(
            batches, headers, maxDecompressedBytes: RecordBatch.maxDecompressedBytes(ofBatchesUpTo: maxBytes))
        return headers
    }

    private func enqueue(_ request: AppendRequest) {
        if let failure = state.withLock({ $0.failure }) {
            request.fail(failure)
            return
        }
        environment.committer.append(request)
    }

    // MARK: What is there

    /// The offset of the first record that readers see; a record of that very offset need not be there.
    public var startOffset: Int64 { state.withLock { $0.startOffset } }

    /// The offset after the last record that can be read: that the next record gets, when nothing is being written.
    public var endOffset: Int64 { state.withLock { $0.segments[$0.segments.count - 1].endOffset } }

    /// The offset up to which the outcome of all transactions is known: the first record of the earliest open one, else
    /// the end offset. Readers of committed records read to here.
    public var lastStableOffset: Int64 { state.withLock { $0.lastStableOffset } }

    /// The same for who has a hold, and sees records that were deleted.
    public var keptStableOffset: Int64 { state.withLock { $0.stableOffset(from: $0.keptOffset) } }

    /// How many producers with numbered batches are remembered.
    public var producerCount: Int { state.withLock { $0.producerCount } }

    /// Bytes of all segments that can be read.
    public var sizeBytes: Int64 { state.withLock { $0.segments.reduce(0) { $0 + $1.sizeBytes } } }

    /// The segments, oldest first.
    public var segments: [SegmentInfo] {
        state.withLock { state in
            state.segments.enumerated().map { index, segment in
                SegmentInfo(
                    baseOffset: segment.baseOffset, endOffset: segment.endOffset, sizeBytes: segment.sizeBytes,
                    maxTimestampMs: segment.maxTimestampMs == .min ? nil : segment.maxTimestampMs,
                    isActive: index == state.segments.count - 1)
            }
        }
    }

    /// Why the partition takes no more appends; nil while it does.
    public var failure: LogStoreError? { state.withLock { $0.failure } }

    // MARK: Observation

    /// Calls `call` with the new end offset after each append became readable, until the returned object is
    /// cancelled or gone. The call comes from the log's writer thread: it must be cheap and must not append.
    public func onAppend(_ call: @escaping @Sendable (Int64) -> Void) -> AppendObservation {
        let number = state.withLock { state in
            state.nextObserver += 1
            state.observers[state.nextObserver] = call
            return state.nextObserver
        }
        return AppendObservation(log: self, number: number)
    }

    // MARK: Retention

    /// Never deletes a segment that holds offsets of `storedOffset` or more, whatever retention says. Each `name` has
    /// one hold; a later call replaces it.
    public func holdRetention(name: String, storedOffset: Int64) {
        state.withLock { $0.holds[name] = storedOffset }
    }

    /// Ends the hold called `name`.
    public func releaseRetention(name: String) {
        state.withLock { $0.holds[name] = nil }
    }

    /// Lets the next record have at least offset `offset`, leaving a gap when the log ends before: what someone knows
    /// of offsets beyond the end (a table that stored records which a loss of power took from a log not synced) stays
    /// true. Blocks.
    public func ensureEndOffset(atLeast offset: Int64) throws(LogStoreError) {
        guard offset > endOffset else { return }
        try environment.committer.run { [self] () -> LogStoreError? in
            do throws(LogStoreError) {
                try writer.advance(to: offset, self)
                return nil
            } catch {
                return error
            }
        }
    }
}

/// Keeps an observer called; ends with `cancel` or with the object.
public final class AppendObservation: Sendable {
    private let number: Int
    private let log: Mutex<PartitionLog?>

    init(log: PartitionLog, number: Int) {
        self.number = number
        self.log = Mutex(log)
    }

    deinit { cancel() }

    /// Ends the observation; a call may still be under way.
    public func cancel() {
        let log = log.withLock { log in
            defer { log = nil }
            return log
        }
        log?.state.withLock { $0.observers[number] = nil }
    }
}

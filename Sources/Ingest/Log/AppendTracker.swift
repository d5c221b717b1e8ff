import LogStore
import Synchronization

/// Appends of one request that are on their way to the disk.
final class AppendTracker: Sendable {
    private struct State {
        var waiting = 0
        var durableRecords = 0
        var nextOffset: Int64?
        var failure: LogStoreError?
        /// Resumed once at most `limit` appends wait.
        var waiter: (limit: Int, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())

    /// Starts an append of `records` records.
    func append(_ batch: [UInt8], records: Int, to partition: PartitionLog) {
        state.withLock { $0.waiting += 1 }
        partition.append([batch], checking: .header) { result in self.complete(result, records) }
    }

    private func complete(_ result: Result<AppendResult, LogStoreError>, _ records: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.waiting -= 1
            switch result {
            case .success(let appended):
                state.durableRecords += records
                state.nextOffset = max(state.nextOffset ?? 0, appended.nextOffset)
            case .failure(let failure):
                if state.failure == nil { state.failure = failure }
            }
            guard let waiter = state.waiter, state.waiting <= waiter.limit else { return nil }
            state.waiter = nil
            return waiter.continuation
        }
        waiter?.resume()
    }

    /// Returns once at most `limit` appends wait. Throws the first failure of any.
    func wait(limit: Int) async throws(IngestError) {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.waiting <= limit { return true }
                state.waiter = (limit, continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
        let (failure, durable) = state.withLock { ($0.failure, $0.durableRecords) }
        guard let failure else { return }
        var error = IngestError(failure)
        error.durable = durable
        throw error
    }

    /// Records on the disk so far, and the offset after the last of them.
    var outcome: (records: Int, nextOffset: Int64?) { state.withLock { ($0.durableRecords, $0.nextOffset) } }
}

extension IngestError {
    /// The log's failure as the sender should see it.
    init(_ error: LogStoreError) {
        let code: Code
        switch error.code {
        case .invalidTopicName, .unknownTopicOrPartition, .topicExists, .invalidPartitions, .invalidConfig:
            code = .invalidTopic
        case .diskFull: code = .diskFull
        case .overloaded: code = .overloaded
        case .messageTooLarge, .invalidRecord, .invalidTimestamp, .corruptBatch, .unsupportedCompression:
            code = .invalidValue
        case .poisoned, .closed, .storage, .offsetOutOfRange, .policyViolation,
            .outOfOrderSequence, .duplicateSequence, .invalidProducerEpoch, .invalidTransactionState,
            .coordinatorFenced:
            // The last ones are for producers that number their batches; nobody does who comes this way.
            code = .unavailable
        }
        self.init(code, error.message, cause: error)
    }
}

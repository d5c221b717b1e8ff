import KafkaProtocol
import LogStore

/// What is to be done about a request.
enum TransactionStep: Sendable, Hashable {
    /// Nothing; it is answered so.
    case answer(ErrorCode)
    /// This is to be made durable.
    case change(StoredTransaction)
    /// The transaction under way is to be aborted under this epoch, which shuts out the producer that has it.
    case fence(epoch: Int16)
    /// A producer id that nobody has is needed first.
    case needsProducerID
}

/// Which producer a client says it is.
struct ProducerIdentity: Sendable, Hashable {
    let id: Int64
    let epoch: Int16
}

/// A transactional id and what goes on with it. What may happen when is decided here, as Kafka decides it.
struct TransactionEntry: Sendable {
    var stored: StoredTransaction
    /// A change is on its way to the disk; until it is there nothing else is begun.
    var isChanging = false
    /// The epoch was raised to shut a producer out, but that could not be kept. As nobody was told of the epoch, it is
    /// not raised again.
    var hasFailedFence = false
    /// How many appends and commits of offsets were let through and are not in the log's queue yet.
    var entering = 0
    /// What waits for them.
    var whenEntered: (@Sendable () -> Void)?
    /// When the transaction under way is aborted.
    var deadline: Timers.Token?

    init(_ stored: StoredTransaction) { self.stored = stored }

    /// No epoch is given away that could not be raised once more to shut its owner out.
    private static let lastEpoch = Int16.max - 1

    private var isEnding: Bool { stored.state == .prepareCommit || stored.state == .prepareAbort }

    /// The epoch with which a transaction is aborted that its producer did not end.
    var fencingEpoch: Int16 {
        hasFailedFence || stored.producerEpoch == .max ? stored.producerEpoch : stored.producerEpoch + 1
    }

    // MARK: InitProducerId

    /// A producer begins under this id (`expected`: nil), or goes on after an error as the one it says it is.
    func initialization(
        _ expected: ProducerIdentity?, timeoutMs: Int32, freshProducerID: Int64?, nowMs: Int64
    ) -> TransactionStep {
        if isChanging { return .answer(.concurrentTransactions) }
        if let expected, !mayBe(expected) { return .answer(.producerFenced) }
        switch stored.state {
        case .prepareCommit, .prepareAbort: return .answer(.concurrentTransactions)
        case .ongoing: return .fence(epoch: fencingEpoch)
        case .empty, .completeCommit, .completeAbort: break
        }
        var next = stored
        next.state = .empty
        next.timeoutMs = timeoutMs
        next.startedMs = -1
        next.changedMs = nowMs
        next.previousProducerID = stored.producerID
        if stored.producerEpoch >= Self.lastEpoch, expected == nil || expected?.epoch == stored.producerEpoch {
            guard let freshProducerID else { return .needsProducerID }
            next.producerID = freshProducerID
            next.producerEpoch = 0
            next.lastProducerEpoch = expected == nil ? -1 : stored.producerEpoch
        } else if expected == nil || stored.producerEpoch == -1 || expected?.epoch == stored.producerEpoch {
            next.producerEpoch = stored.producerEpoch &+ 1
            next.lastProducerEpoch = expected == nil ? -1 : stored.producerEpoch
        } else if expected?.epoch != stored.lastProducerEpoch {
            return .answer(.producerFenced)
        }
        // Else the answer was lost, and is given again.
        return .change(next)
    }

    private func mayBe(_ expected: ProducerIdentity) -> Bool {
        stored.producerEpoch == -1 || expected.id == stored.producerID
            || expected.id == stored.previousProducerID && expected.epoch >= Self.lastEpoch
    }

    // MARK: What belongs to a transaction

    /// The partitions and groups are to belong to the transaction, which begins with the first of them.
    func addition(
        _ producer: ProducerIdentity, partitions: Set<TopicPartition>, groups: Set<String>, nowMs: Int64
    ) -> TransactionStep {
        if let refusal = refusal(of: producer) { return .answer(refusal) }
        if isChanging || isEnding { return .answer(.concurrentTransactions) }
        var next = stored
        if stored.state == .ongoing {
            if partitions.isSubset(of: stored.partitions), groups.isSubset(of: stored.groups) { return .answer(.none) }
        } else {
            next.state = .ongoing
            next.startedMs = nowMs
        }
        next.partitions.formUnion(partitions)
        next.groups.formUnion(groups)
        next.changedMs = nowMs
        return .change(next)
    }

    /// Why records or offsets of the producer are no part of its transaction; nil when they are.
    func refusal(
        ofUse producer: ProducerIdentity, _ isPart: (StoredTransaction) -> Bool
    ) -> ErrorCode? {
        if let refusal = refusal(of: producer) { return refusal }
        if isEnding { return .concurrentTransactions }
        return stored.state == .ongoing && isPart(stored) ? nil : .invalidTxnState
    }

    private func refusal(of producer: ProducerIdentity) -> ErrorCode? {
        if producer.id != stored.producerID { return .invalidProducerIDMapping }
        return producer.epoch == stored.producerEpoch ? nil : .producerFenced
    }

    // MARK: The end

    /// The producer decides.
    func end(_ producer: ProducerIdentity, isCommit: Bool, nowMs: Int64) -> TransactionStep {
        if let refusal = refusal(of: producer) { return .answer(refusal) }
        if isChanging { return .answer(.concurrentTransactions) }
        switch stored.state {
        case .ongoing:
            var next = stored
            next.state = isCommit ? .prepareCommit : .prepareAbort
            next.changedMs = nowMs
            return .change(next)
        case .completeCommit: return .answer(isCommit ? .none : .invalidTxnState)
        case .completeAbort: return .answer(isCommit ? .invalidTxnState : .none)
        case .prepareCommit: return .answer(isCommit ? .concurrentTransactions : .invalidTxnState)
        case .prepareAbort: return .answer(isCommit ? .invalidTxnState : .concurrentTransactions)
        case .empty: return .answer(.invalidTxnState)
        }
    }

    /// All is told; nil when there is nothing to be ended.
    func completion(nowMs: Int64) -> StoredTransaction? {
        guard isEnding, !isChanging else { return nil }
        var next = stored
        next.state = stored.state == .prepareCommit ? .completeCommit : .completeAbort
        next.partitions = []
        next.groups = []
        next.changedMs = nowMs
        return next
    }

    /// Whether nobody used the id since `thresholdMs`, and nothing is left to be done.
    func isUnused(since thresholdMs: Int64) -> Bool {
        switch stored.state {
        case .empty, .completeCommit, .completeAbort:
            !isChanging && entering == 0 && stored.changedMs <= thresholdMs
        case .ongoing, .prepareCommit, .prepareAbort: false
        }
    }
}

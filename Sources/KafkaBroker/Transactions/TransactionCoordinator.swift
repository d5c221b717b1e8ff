import Disk
import KafkaProtocol
import LogStore
import Synchronization

/// Lets producers write to several partitions, and consumers' offsets with them, so that all of it counts or none.
///
/// What a transaction has touched is durable before records go there, the decision is durable before anyone is told of
/// it, and what was decided before a crash is told after it. The rules are Kafka's (`TransactionEntry`).
///
/// Any thread may call; only `initialize` may block. Answers come on any thread, outside of all locks.
final class TransactionCoordinator: Sendable {
    /// There is one coordinator, and never another.
    static let epoch: Int32 = 0

    let logStore: LogStore
    let clock: any Clock
    let timers: Timers
    let settings: TransactionSettings
    let entries = Mutex<[String: TransactionEntry]>([:])

    /// A coordinator of the transactions that `logStore` knows.
    init(logStore: LogStore, clock: any Clock, timers: Timers, settings: TransactionSettings) {
        self.logStore = logStore
        self.clock = clock
        self.timers = timers
        self.settings = settings
        entries.withLock { entries in
            for stored in logStore.storedTransactions { entries[stored.transactionalID] = TransactionEntry(stored) }
        }
    }

    var nowMs: Int64 { clock.nowMs() }

    // MARK: Producers

    /// Gives the producer of a transactional id its producer id and epoch, and shuts out the one it had before. May
    /// block.
    func initialize(
        _ name: String, timeoutMs: Int32, as expected: ProducerIdentity?,
        reply: @escaping @Sendable (ErrorCode, ProducerIdentity?) -> Void
    ) {
        guard !name.isEmpty else {
            reply(.invalidRequest, nil)
            return
        }
        guard timeoutMs > 0, timeoutMs <= settings.maxTimeoutMs else {
            reply(.invalidTransactionTimeout, nil)
            return
        }
        guard entries.withLock({ $0.count < settings.maxIDs || $0[name] != nil }) else {
            reply(.policyViolation, nil)
            return
        }
        var freshProducerID: Int64?
        while true {
            let nowMs = nowMs
            let step = begin(name) { entry in
                if entry == nil {
                    guard let freshProducerID else { return .needsProducerID }
                    entry = TransactionEntry(
                        StoredTransaction(
                            transactionalID: name, producerID: freshProducerID, timeoutMs: timeoutMs, changedMs: nowMs))
                }
                return entry?.initialization(
                    expected, timeoutMs: timeoutMs, freshProducerID: freshProducerID, nowMs: nowMs)
                    ?? .answer(.unknownServerError)
            }
            switch step {
            case .answer(let code):
                reply(code, nil)
            case .change(let next):
                persist(next) { code in
                    reply(
                        code, code == .none ? ProducerIdentity(id: next.producerID, epoch: next.producerEpoch) : nil)
                }
            case .fence(let epoch):
                // The client tries again, and finds the transaction aborted.
                abort(name, underEpoch: epoch) { code in reply(code == .none ? .concurrentTransactions : code, nil) }
            case .needsProducerID:
                do throws(LogStoreError) {
                    freshProducerID = try logStore.allocateProducerID()
                    continue
                } catch {
                    reply(Self.code(error), nil)
                }
            }
            return
        }
    }

    /// Makes the partitions and groups belong to the producer's transaction; answered when that is durable.
    func add(
        _ name: String, _ producer: ProducerIdentity, partitions: Set<TopicPartition> = [], groups: Set<String> = [],
        reply: @escaping @Sendable (ErrorCode) -> Void
    ) {
        run(name, reply) { entry in
            entry.addition(producer, partitions: partitions, groups: groups, nowMs: nowMs)
        } then: {
            reply($0)
        }
    }

    /// Ends the producer's transaction; answered when the decision is durable and told, or at least durable.
    func end(
        _ name: String, _ producer: ProducerIdentity, isCommit: Bool, reply: @escaping @Sendable (ErrorCode) -> Void
    ) {
        run(name, reply) { entry in
            entry.end(producer, isCommit: isCommit, nowMs: nowMs)
        } then: { [self] code in
            if code == .none { complete(name) { reply(.none) } } else { reply(code) }
        }
    }

    private func run(
        _ name: String, _ reply: @escaping @Sendable (ErrorCode) -> Void,
        _ decide: (TransactionEntry) -> TransactionStep, then: @escaping @Sendable (ErrorCode) -> Void
    ) {
        guard !name.isEmpty else {
            reply(.invalidRequest)
            return
        }
        let step = begin(name) { entry in entry.map(decide) ?? .answer(.invalidProducerIDMapping) }
        switch step {
        case .answer(let code): reply(code)
        case .change(let next): persist(next, completion: then)
        case .fence, .needsProducerID: reply(.unknownServerError)
        }
    }

    // MARK: Records and offsets of a transaction

    /// Lets records or offsets of the producer in, when `isPart` says that its transaction has where they go to; else
    /// says why not. Who was let in calls `hasEntered` once they are in the log's queue: the transaction's end comes
    /// after them.
    func enter(
        _ name: String, _ producer: ProducerIdentity, isPart: (StoredTransaction) -> Bool
    ) -> ErrorCode? {
        entries.withLock { entries in
            guard let entry = entries[name] else { return .invalidProducerIDMapping }
            if let refusal = entry.refusal(ofUse: producer, isPart) { return refusal }
            entries[name]?.entering += 1
            return nil
        }
    }

    /// What `enter` let in is in the log's queue, or is not going to be.
    func hasEntered(_ name: String) {
        let goOn = entries.withLock { entries -> (@Sendable () -> Void)? in
            guard var entry = entries[name] else { return nil }
            entry.entering -= 1
            let goOn = entry.entering == 0 ? entry.whenEntered.take() : nil
            entries[name] = entry
            return goOn
        }
        goOn?()
    }

    // MARK: The disk

    /// Decides about an entry; when a change comes of it, nothing else is begun until `persist` is through.
    private func begin(_ name: String, _ decide: (inout TransactionEntry?) -> TransactionStep) -> TransactionStep {
        entries.withLock { entries in
            let step = decide(&entries[name])
            if case .change = step { entries[name]?.isChanging = true }
            return step
        }
    }

    /// Makes a change durable that was begun, then takes it up.
    func persist(_ next: StoredTransaction, completion: @escaping @Sendable (ErrorCode) -> Void) {
        let finish: @Sendable (LogStoreError?) -> Void = { [self] error in
            take(next, isKept: error == nil)
            completion(error.map(Self.code) ?? .none)
        }
        do throws(LogStoreError) {
            try logStore.changeTransactions(.set(next), completion: finish)
        } catch {
            finish(error)
        }
    }

    private func take(_ next: StoredTransaction, isKept: Bool) {
        let name = next.transactionalID
        let (mustWatch, ended) = entries.withLock { entries -> (Bool, Timers.Token?) in
            guard var entry = entries[name] else { return (false, nil) }
            entry.isChanging = false
            let wasOngoing = entry.stored.state == .ongoing
            var ended: Timers.Token?
            if isKept {
                entry.stored = next
                entry.hasFailedFence = false
                if next.state != .ongoing { ended = entry.deadline.take() }
            }
            // An id that was never kept does not exist.
            let isKnown = isKept || entry.stored.producerEpoch >= 0
            entries[name] = isKnown ? entry : nil
            return (isKept && next.state == .ongoing && !wasOngoing, ended)
        }
        ended?.cancel()
        if mustWatch { watch(next) }
    }

    /// The code for what went wrong in the log: mostly one with which clients try again.
    static func code(_ error: LogStoreError) -> ErrorCode {
        switch error.code {
        // There are too many ids, or the transaction is too large: trying again is of no use.
        case .messageTooLarge: .policyViolation
        default: .coordinatorNotAvailable
        }
    }
}

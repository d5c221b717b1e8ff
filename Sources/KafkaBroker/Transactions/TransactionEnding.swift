import KafkaProtocol
import LogStore
import Synchronization

/// What happens once it is decided how a transaction ends: all that it touched is told, then that is noted.
///
/// Telling twice does no harm, so what a crash or a full disk interrupts is simply begun again.
extension TransactionCoordinator {
    /// How long is waited before what could not be written is tried again, in milliseconds: at first, and at most.
    private static let retryMs: ClosedRange<Int64> = 200...30_000

    /// Ends the transactions whose end was decided before the start, and lets the others have the rest of their time.
    /// Transactions in partitions that nobody knows of (of topics whose durability let markers be lost) are ended
    /// too. Blocks; to be called before any request.
    func start() {
        let all = entries.withLock { $0.values.map(\.stored) }
        endUnknown(all)
        for stored in all {
            switch stored.state {
            case .ongoing: watch(stored)
            case .prepareCommit, .prepareAbort: complete(stored.transactionalID) {}
            case .empty, .completeCommit, .completeAbort: break
            }
        }
        scheduleExpiry()
    }

    /// Aborts a transaction that its producer did not end, and shuts the producer out with an epoch above its own.
    /// With `startedMs`, only the one that began then: its producer may have gone on to the next.
    func abort(
        _ name: String, underEpoch epoch: Int16, startedMs: Int64? = nil, reply: @escaping @Sendable (ErrorCode) -> Void
    ) {
        let nowMs = nowMs
        let next = entries.withLock { entries -> StoredTransaction? in
            guard var entry = entries[name], entry.stored.state == .ongoing, !entry.isChanging,
                startedMs == nil || startedMs == entry.stored.startedMs
            else { return nil }
            // From now on, whether this can be kept or not.
            entry.stored.producerEpoch = epoch
            entry.stored.lastProducerEpoch = -1
            entry.hasFailedFence = true
            entry.isChanging = true
            entries[name] = entry
            var next = entry.stored
            next.state = .prepareAbort
            next.changedMs = nowMs
            return next
        }
        guard let next else {
            reply(.concurrentTransactions)
            return
        }
        persist(next) { [self] code in
            if code == .none { complete(name) { reply(.none) } } else { reply(code) }
        }
    }

    /// Tells all that the transaction touched how it ends. `done` is called when that is done, or has to be tried
    /// again later.
    func complete(_ name: String, done: @escaping @Sendable () -> Void) {
        let stored = entries.withLock { entries -> StoredTransaction? in
            guard var entry = entries[name] else { return nil }
            if entry.entering == 0 { return entry.stored }
            entry.whenEntered = { [self] in complete(name, done: done) }
            entries[name] = entry
            return nil
        }
        guard let stored else { return }
        tell(stored, partitions: Array(stored.partitions), hasGroups: !stored.groups.isEmpty, tries: 0, done: done)
    }

    private func tell(
        _ stored: StoredTransaction, partitions: [TopicPartition], hasGroups: Bool, tries: Int,
        done: @escaping @Sendable () -> Void
    ) {
        let isCommit = stored.state == .prepareCommit
        let telling = Telling(count: partitions.count + (hasGroups ? 1 : 0)) { [self] failed, areGroupsLeft in
            if failed.isEmpty, !areGroupsLeft {
                finish(stored.transactionalID, done: done)
                return
            }
            timers.schedule(afterMs: Self.delayMs(tries)) { [weak self] in
                self?.tell(stored, partitions: failed, hasGroups: areGroupsLeft, tries: tries + 1) {}
            }
            // The decision stands; the client need not wait for all to be well.
            done()
        }
        for partition in partitions {
            guard let log = logStore.partition(partition) else {
                telling.oneDone()
                continue
            }
            log.appendMarker(
                commit: isCommit, producerID: stored.producerID, producerEpoch: stored.producerEpoch,
                coordinatorEpoch: Self.epoch
            ) { result in
                if case .failure(let error) = result, Self.mayTryAgain(error) {
                    telling.failed(partition)
                } else {
                    telling.oneDone()
                }
            }
        }
        if hasGroups { tellGroups(stored, isCommit, telling) }
        telling.oneDone()
    }

    private func tellGroups(_ stored: StoredTransaction, _ isCommit: Bool, _ telling: Telling) {
        let finish: @Sendable (LogStoreError?) -> Void = { error in
            if error == nil { telling.oneDone() } else { telling.failedGroups() }
        }
        do throws(LogStoreError) {
            try logStore.changeGroups(
                .endTransaction(
                    producerID: stored.producerID, producerEpoch: stored.producerEpoch, isCommit: isCommit),
                completion: finish)
        } catch {
            finish(error)
        }
    }

    private static func delayMs(_ tries: Int) -> Int64 {
        min(retryMs.upperBound, retryMs.lowerBound << Int64(min(tries, 16)))
    }

    /// Whether the marker can still be written later. A topic that is gone needs none, nor does a partition that
    /// heard of a later epoch.
    private static func mayTryAgain(_ error: LogStoreError) -> Bool {
        switch error.code {
        case .unknownTopicOrPartition, .invalidProducerEpoch, .coordinatorFenced, .invalidRecord: false
        default: true
        }
    }

    /// All are told: notes that the transaction is over.
    private func finish(_ name: String, tries: Int = 0, done: @escaping @Sendable () -> Void) {
        let nowMs = nowMs
        let next = entries.withLock { entries -> StoredTransaction? in
            guard let next = entries[name]?.completion(nowMs: nowMs) else { return nil }
            entries[name]?.isChanging = true
            return next
        }
        guard let next else {
            done()
            return
        }
        persist(next) { [self] code in
            if code != .none {
                timers.schedule(afterMs: Self.delayMs(tries)) { [weak self] in
                    self?.finish(name, tries: tries + 1) {}
                }
            }
            done()
        }
    }

    /// Ends transactions that are open in partitions but not here.
    private func endUnknown(_ all: [StoredTransaction]) {
        let known = Dictionary(all.map { ($0.producerID, $0) }) { first, _ in first }
        for log in logStore.topics.flatMap(\.partitions) {
            // A partition that cannot say takes no appends either.
            for open in (try? log.openTransactions()) ?? [] {
                let stored = known[open.producerID]
                let place = TopicPartition(topic: log.topic, partition: log.partition)
                if let stored, stored.partitions.contains(place) { continue }
                let isCommitted = stored?.state == .completeCommit && stored?.producerEpoch == open.producerEpoch
                log.appendMarker(
                    commit: isCommitted, producerID: open.producerID, producerEpoch: open.producerEpoch,
                    coordinatorEpoch: Self.epoch
                ) { _ in }
            }
        }
    }
}

/// Counts who was told, and who could not be.
private final class Telling: Sendable {
    private struct State {
        var left: Int
        var failed: [TopicPartition] = []
        var areGroupsLeft = false
    }

    private let state: Mutex<State>
    private let completion: @Sendable (_ failed: [TopicPartition], _ areGroupsLeft: Bool) -> Void

    /// `count` are told, and one more is for who tells.
    init(count: Int, completion: @escaping @Sendable (_ failed: [TopicPartition], _ areGroupsLeft: Bool) -> Void) {
        state = Mutex(State(left: count + 1))
        self.completion = completion
    }

    func oneDone() { done { _ in } }
    func failed(_ partition: TopicPartition) { done { $0.failed.append(partition) } }
    func failedGroups() { done { $0.areGroupsLeft = true } }

    private func done(_ note: (inout State) -> Void) {
        let finished = state.withLock { state -> State? in
            note(&state)
            state.left -= 1
            return state.left == 0 ? state : nil
        }
        if let finished { completion(finished.failed, finished.areGroupsLeft) }
    }
}

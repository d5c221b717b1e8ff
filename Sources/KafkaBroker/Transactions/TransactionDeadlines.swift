import KafkaProtocol
import LogStore
import Synchronization

/// What time does to transactions: one that takes too long is aborted, an id that nobody uses is forgotten.
extension TransactionCoordinator {
    /// How long is waited when a transaction cannot be aborted just now, in milliseconds.
    private static let retryMs: Int64 = 1000

    /// Aborts the transaction when its time is over. Time is the wall clock's, so that it goes on over a restart.
    func watch(_ stored: StoredTransaction) {
        let (dueMs, overflows) = stored.startedMs.addingReportingOverflow(Int64(stored.timeoutMs))
        let (leftMs, isOdd) = dueMs.subtractingReportingOverflow(nowMs)
        // A clock that was set back does not make a transaction longer than it asked to be.
        let delayMs = overflows || isOdd ? 0 : min(max(0, leftMs), Int64(stored.timeoutMs))
        watch(stored, afterMs: delayMs)
    }

    private func watch(_ stored: StoredTransaction, afterMs: Int64) {
        let name = stored.transactionalID
        let token = timers.schedule(afterMs: afterMs) { [weak self] in self?.isLate(stored) }
        let unused = entries.withLock { entries -> Timers.Token? in
            guard entries[name]?.stored.state == .ongoing, entries[name]?.stored.startedMs == stored.startedMs else {
                return token
            }
            let old = entries[name]?.deadline
            entries[name]?.deadline = token
            return old
        }
        unused?.cancel()
    }

    private func isLate(_ stored: StoredTransaction) {
        let name = stored.transactionalID
        let (epoch, isBusy) = entries.withLock { entries -> (Int16?, Bool) in
            guard let entry = entries[name], entry.stored.state == .ongoing,
                entry.stored.producerID == stored.producerID,
                entry.stored.startedMs == stored.startedMs
            else { return (nil, false) }
            return (entry.fencingEpoch, entry.isChanging)
        }
        guard let epoch else { return }
        if isBusy {
            watch(stored, afterMs: Self.retryMs)
            return
        }
        abort(name, underEpoch: epoch, startedMs: stored.startedMs) { [weak self] code in
            // Whoever was faster may have ended it; otherwise it is tried again.
            if code != .none { self?.watch(stored, afterMs: Self.retryMs) }
        }
    }

    // MARK: Ids

    /// Looks for unused ids now and then.
    func scheduleExpiry() {
        timers.schedule(afterMs: settings.expiryIntervalMs) { [weak self] in
            self?.expireIDs()
            self?.scheduleExpiry()
        }
    }

    /// Forgets the ids that nobody used for long.
    private func expireIDs() {
        let thresholdMs = nowMs - settings.idExpiryMs
        let unused = entries.withLock { entries in
            let names = entries.filter { $0.value.isUnused(since: thresholdMs) }.map(\.key)
            for name in names { entries[name]?.isChanging = true }
            return names
        }
        for name in unused {
            let finish: @Sendable (LogStoreError?) -> Void = { [weak self] error in
                self?.entries.withLock { entries in
                    if error == nil { entries[name] = nil } else { entries[name]?.isChanging = false }
                }
            }
            do throws(LogStoreError) {
                try logStore.changeTransactions(.delete(name), completion: finish)
            } catch {
                finish(error)
            }
        }
    }
}

import Disk

/// An append waiting for its sync.
final class AppendRequest: @unchecked Sendable {
    let log: PartitionLog
    let batches: [ArraySlice<UInt8>]
    let headers: [RecordBatch]
    /// What the only batch says when it ends a transaction.
    let marker: TransactionMarker?
    let sizeBytes: Int
    /// Set by the writer once the bytes have their place.
    var result: AppendResult?
    private let completion: @Sendable (Result<AppendResult, LogStoreError>) -> Void

    init(
        log: PartitionLog, batches: [ArraySlice<UInt8>], headers: [RecordBatch], marker: TransactionMarker? = nil,
        completion: @escaping @Sendable (Result<AppendResult, LogStoreError>) -> Void
    ) {
        self.log = log
        self.batches = batches
        self.headers = headers
        self.marker = marker
        self.completion = completion
        sizeBytes = batches.reduce(0) { $0 + $1.count }
    }

    func succeed() {
        guard let result else { preconditionFailure("BUG: an append is acknowledged before it was written") }
        completion(.success(result))
    }

    func fail(_ error: LogStoreError) { completion(.failure(error)) }
}

/// The thread that writes: takes all appends that wait, over all partitions, writes them, syncs each touched file
/// once, and only then lets them know. While it syncs, the next ones gather, so producers share syncs under load.
///
/// It sleeps while nothing waits; only a partition of durability `interval` with unsynced bytes sets a timer.
final class GroupCommit: Sendable {
    private enum Work: Sendable {
        case append(AppendRequest)
        case task(@Sendable () -> Void)
    }

    private struct Queue: Sendable {
        var work: [Work] = []
        var waitingBytes = 0
        var isStopping = false
        var isStopped = false
    }

    private let queue = Monitor(Queue())
    private let clock: any Clock
    private let maxWaitingBytes: Int

    init(clock: any Clock, maxWaitingBytes: Int) {
        self.clock = clock
        self.maxWaitingBytes = maxWaitingBytes
    }

    /// Starts the thread; it runs until `stop`.
    func start() {
        _ = Thread(name: "log-writer") { [self] in runLoop() }
    }

    func append(_ request: AppendRequest) {
        let refusal: LogStoreError? = queue.update { queue in
            if queue.isStopping { return LogStoreError(.closed, "the log is closed") }
            // A single append is taken whatever its size: it must be possible to append at all.
            if queue.waitingBytes > 0, queue.waitingBytes + request.sizeBytes > maxWaitingBytes {
                return LogStoreError(.overloaded, "\(queue.waitingBytes) bytes wait for the disk already")
            }
            queue.waitingBytes += request.sizeBytes
            queue.work.append(.append(request))
            return nil
        }
        if let refusal { request.fail(refusal) }
    }

    /// Lets the thread run `task` after what waits now, with its result given to `completion`.
    func enqueue(_ task: @escaping @Sendable () -> Void) -> Bool {
        queue.update { queue in
            if queue.isStopping { return false }
            queue.work.append(.task(task))
            return true
        }
    }

    /// Runs `task` on the thread and waits for it.
    func run(_ task: @escaping @Sendable () -> LogStoreError?) throws(LogStoreError) {
        let outcome = Monitor<LogStoreError??>(nil)
        let isTaken = enqueue {
            let error = task()
            outcome.update { $0 = .some(error) }
        }
        guard isTaken else { throw LogStoreError(.closed, "the log is closed") }
        if let error = outcome.wait(until: { $0 }) ?? nil { throw error }
    }

    /// Finishes what waits, then ends the thread. Idempotent; blocks.
    func stop() {
        queue.update { $0.isStopping = true }
        queue.wait { $0.isStopped ? () : nil }
    }

    // MARK: The thread

    private enum Next: Sendable {
        case work([Work])
        case stop
    }

    private func runLoop() {
        /// Partitions with bytes not synced, and when they are due on the steady clock.
        var dirty: [ObjectIdentifier: (log: PartitionLog, dueNs: UInt64)] = [:]
        while true {
            let due = dirty.values.map(\.dueNs).min()
            let timeoutMs = due.map { due in
                let now = clock.steadyNs()
                return due > now ? Int64((due - now + 999_999) / 1_000_000) : 0
            }
            let next: Next? = queue.wait(timeoutMs: timeoutMs) { queue in
                if !queue.work.isEmpty {
                    defer {
                        queue.work = []
                        queue.waitingBytes = 0
                    }
                    return .work(queue.work)
                }
                return queue.isStopping ? .stop : nil
            }
            switch next {
            case .work(let work):
                round(work, &dirty)
            case .stop:
                for (log, _) in dirty.values { log.writer.syncLater(log) }
                queue.update { $0.isStopped = true }
                return
            case nil:
                break
            }
            if let due {
                let now = max(clock.steadyNs(), next == nil ? due : 0)
                for (key, entry) in dirty where entry.dueNs <= now {
                    dirty[key] = nil
                    entry.log.writer.syncLater(entry.log)
                }
            }
        }
    }

    /// One group commit.
    private func round(_ work: [Work], _ dirty: inout [ObjectIdentifier: (log: PartitionLog, dueNs: UInt64)]) {
        var order: [PartitionLog] = []
        var requests: [ObjectIdentifier: [AppendRequest]] = [:]
        for case .append(let request) in work {
            let key = ObjectIdentifier(request.log)
            if requests[key] == nil { order.append(request.log) }
            requests[key, default: []].append(request)
        }
        for log in order { log.writer.write(requests[ObjectIdentifier(log)] ?? [], log) }
        for log in order {
            let durability = log.configuration.value.durability
            log.writer.commit(log, syncing: durability == .fsync)
            if case .interval(let ms) = durability, log.writer.isDirty, dirty[ObjectIdentifier(log)] == nil {
                dirty[ObjectIdentifier(log)] = (log, clock.steadyNs() + UInt64(ms) * 1_000_000)
            }
        }
        for case .task(let task) in work { task() }
    }
}

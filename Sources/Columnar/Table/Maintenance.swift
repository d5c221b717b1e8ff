import Disk
import Synchronization

/// The background threads of a catalog: one flushes, one merges, expires and caps.
final class Maintenance: Sendable {
    private let isStopping = Atomic(false)
    private let threads = Mutex<[Thread]>([])
    private let budget: MemoryBudget

    init(_ catalog: Catalog) {
        budget = catalog.budget
        budget.setFlusher(true)
        let flusher = Thread(name: "ls-flush") { [weak self, weak catalog] in
            self?.loop(catalog) { catalog, _ in Self.flush(catalog) }
        }
        let merger = Thread(name: "ls-merge") { [weak self, weak catalog] in
            self?.loop(catalog) { catalog, isCancelled in Self.merge(catalog, isCancelled) }
        }
        threads.withLock { $0 = [flusher, merger] }
    }

    /// Stops both threads; returns when they have ended.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        budget.setFlusher(false)
        budget.ring()
        for thread in threads.withLock({ $0 }) { thread.join() }
        threads.withLock { $0 = [] }
    }

    private func loop(_ catalog: Catalog?, _ work: (Catalog, () -> Bool) -> Void) {
        guard let catalog else { return }
        var seen = 0
        let isCancelled = { self.isStopping.load(ordering: .acquiring) }
        while !isCancelled() {
            work(catalog, isCancelled)
            if isCancelled() { return }
            seen = budget.waitForRing(after: seen, timeoutMs: catalog.settings.maintenanceIntervalMs)
        }
    }

    private static func flush(_ catalog: Catalog) {
        let nowMs = catalog.clock.nowMs()
        let tables = catalog.tables
        for table in tables where table.wantsFlush(nowMs: nowMs, isLargest: false) { try? table.flush() }
        // Failures are kept on the table, which waits before the next try; another table may still give way.
        var candidates = tables.filter { $0.wantsFlush(nowMs: nowMs, isLargest: true) }
        candidates.sort { $0.memoryBytes > $1.memoryBytes }
        for table in candidates where catalog.budget.isOver { try? table.flush() }
    }

    private static func merge(_ catalog: Catalog, _ isCancelled: () -> Bool) {
        var busy = catalog.tables
        while !busy.isEmpty && !isCancelled() {
            // One merge a table in turn, so that none waits for another's whole backlog.
            busy = busy.filter { !isCancelled() && $0.maintain(isCancelled: isCancelled) }
        }
    }
}

extension Table {
    var memoryBytes: Int { state.withLock { $0.memoryBytes } }
}

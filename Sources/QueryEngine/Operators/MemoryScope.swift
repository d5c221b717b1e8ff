import Synchronization

/// The part of a query's memory that one operator holds: told now and then how much that is, given back at the end.
final class MemoryScope: Sendable {
    private let tracker: MemoryTracker
    private let held = Mutex(0)

    init(_ tracker: MemoryTracker) { self.tracker = tracker }

    deinit { tracker.release(held.withLock { $0 }) }

    /// Says how much is held now. Throws when that is over the query's budget.
    func set(_ bytes: Int) throws(QueryError) {
        let change = held.withLock { held -> Int in
            let change = bytes - held
            held = bytes
            return change
        }
        do throws(QueryError) {
            try tracker.reserve(change)
        } catch {
            held.withLock { $0 -= change }
            throw error
        }
    }
}

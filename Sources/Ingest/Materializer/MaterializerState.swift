import Columnar
import LogStore

/// What the materializer's threads share; guarded by its monitor.
struct MaterializerState {
    /// A table's place in the work.
    struct Entry {
        /// Used only by the worker that holds the entry (`isRunning`).
        let feed: FeedBox
        var observations: [AppendObservation] = []
        /// There is something new since the last turn began.
        var isDirty = true
        var isQueued = false
        var isRunning = false
        /// While above 0, the table is left alone.
        var pauses = 0
        /// Not before this moment, on the steady clock in milliseconds.
        var notBeforeMs: Int64 = 0
        /// Wake at this moment even if nothing comes.
        var wakeAtMs: Int64?
        var failures = 0
        var error: String?
        var visible: [Int32: Int64] = [:]
        var rows: UInt64 = 0
        var deadLetters: UInt64 = 0
    }

    /// By the tables' names.
    var entries: [String: Entry] = [:]
    /// The tables that read each topic.
    var readers: [String: [String]] = [:]
    /// Tables that have work, in turn.
    var queue: [String] = []
    var isStopping = false
    /// Grows with each change of a wake-up time, so that sleepers take a new look at it.
    var wakeVersion = 0

    /// The offset before which all tables that read the topic have everything; 0 when none does.
    func visibleOffset(_ topic: String, _ partition: Int32) -> Int64 {
        var least: Int64?
        for table in readers[topic] ?? [] {
            least = min(least ?? .max, entries[table]?.visible[partition] ?? 0)
        }
        return least ?? 0
    }

    /// Queues the table unless it is in hand already; whether a worker should wake.
    mutating func signal(_ topic: String) -> Bool {
        guard entries[topic]?.isDirty == false || entries[topic]?.isQueued == false else { return false }
        entries[topic]?.isDirty = true
        return enqueue(topic)
    }

    /// Queues the table when it has something to do and nobody does it.
    mutating func enqueue(_ topic: String) -> Bool {
        guard let entry = entries[topic], entry.isDirty, !entry.isQueued, !entry.isRunning, entry.pauses == 0 else {
            return false
        }
        entries[topic]?.isQueued = true
        queue.append(topic)
        return true
    }

    /// Takes the next table whose time has come.
    mutating func next(nowMs: Int64) -> String? {
        for (topic, entry) in entries {
            if let wake = entry.wakeAtMs, wake <= nowMs, !entry.isRunning {
                entries[topic]?.wakeAtMs = nil
                entries[topic]?.isDirty = true
                _ = enqueue(topic)
            }
        }
        guard let index = queue.firstIndex(where: { (entries[$0]?.notBeforeMs ?? 0) <= nowMs }) else { return nil }
        let topic = queue.remove(at: index)
        guard var entry = entries[topic], entry.pauses == 0 else {
            entries[topic]?.isQueued = false
            return next(nowMs: nowMs)
        }
        entry.isQueued = false
        entry.isRunning = true
        entry.isDirty = false
        entries[topic] = entry
        return topic
    }

    /// Milliseconds until something is due by the clock; nil when nothing is.
    func nextWakeMs(nowMs: Int64) -> Int64? {
        var earliest: Int64?
        for entry in entries.values where !entry.isRunning && entry.pauses == 0 {
            let due = [entry.isQueued ? entry.notBeforeMs : nil, entry.wakeAtMs].compactMap { $0 }.min()
            if let due, due < earliest ?? .max { earliest = due }
        }
        return earliest.map { max($0 - nowMs, 1) }
    }
}

/// A feed on its way between threads; the state's `isRunning` says that one of them has it.
final class FeedBox: @unchecked Sendable {
    let feed: TopicFeed

    init(_ feed: TopicFeed) { self.feed = feed }
}

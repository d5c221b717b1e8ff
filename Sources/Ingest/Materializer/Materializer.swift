import Columnar
import Disk
import LogStore
import Synchronization

/// Brings the records of every topic to the table of the same name, and to those that read it by their setting
/// `topic`: to each exactly once, in under a second.
///
/// A few threads sleep until the log says that something was appended. Where to go on stands in each table's
/// manifest, committed together with the rows, so a crash at any moment neither loses nor doubles a row. A table in
/// trouble (a full disk) is tried again after a pause and does not hold up the others. Topics whose names begin with
/// `__` are internal and feed nothing.
public final class Materializer: Sendable {
    private let logStore: LogStore
    private let catalog: Catalog
    private let clock: any Clock
    private let settings: MaterializerSettings
    private let monitor = Monitor(MaterializerState())
    private let threads = Mutex<[Thread]>([])
    /// Held while the ways are made what topics and tables are.
    private let following = Mutex(())
    /// Tables whose commits are listened to, so that none is twice.
    private let followed = Mutex<[String: ObjectIdentifier]>([:])

    /// Creates the way from `logStore` to `catalog`; nothing moves before `start`.
    public init(
        logStore: LogStore, catalog: Catalog, clock: any Clock, settings: MaterializerSettings = MaterializerSettings()
    ) {
        self.logStore = logStore
        self.catalog = catalog
        self.clock = clock
        self.settings = settings
    }

    /// Takes hold of every topic and starts the threads. Call once, before retention runs.
    public func start() {
        logStore.onTopicsChanged { [weak self] in self?.followTopics() }
        catalog.onTablesChanged { [weak self] definition in
            // Tables that read the topic of their name are made by their feeds, or found by them.
            if definition.topic != definition.name { self?.followTopics() }
        }
        followTopics()
        threads.withLock { threads in
            for index in 0..<max(settings.threads, 1) {
                // Behind those who acknowledge: rows can wait in the log, producers cannot.
                threads.append(Thread(name: "materialize-\(index)", niceness: Self.niceness) { [self] in work() })
            }
        }
    }

    private static let niceness: Int32 = 5

    /// Ends the threads after what they have in hand. What is not in a part then comes from the log again at the
    /// next start.
    public func stop() {
        monitor.update { state in
            state.isStopping = true
            for table in state.entries.keys { state.entries[table]?.observations = [] }
        }
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }

    /// Waits until every record before `offset` of the partition is visible to queries (as a row or a dead letter) in
    /// all tables that read the topic.
    /// False when `timeoutMs` milliseconds passed before. Blocks the calling thread.
    public func waitUntilVisible(topic: String, partition: Int32, offset: Int64, timeoutMs: Int64) -> Bool {
        monitor.wait(timeoutMs: timeoutMs) { state -> Bool? in
            if state.isStopping { return false }
            return state.visibleOffset(topic, partition) >= offset ? true : nil
        } ?? false
    }

    /// The same for a place in the log.
    public func waitUntilVisible(_ position: LogPosition, timeoutMs: Int64) -> Bool {
        waitUntilVisible(
            topic: position.topic, partition: position.partition, offset: position.offset, timeoutMs: timeoutMs)
    }

    /// How each topic stands with each table that reads it, by the tables' names.
    public var status: [TopicStatus] {
        let entries = monitor.withLock { $0.entries }
        return entries.sorted { $0.key < $1.key }.map { name, entry in
            let topic = entry.feed.feed.topic
            var lag: Int64 = 0
            for partition in topic.partitions {
                lag += max(partition.endOffset - (entry.visible[partition.partition] ?? partition.keptOffset), 0)
            }
            return TopicStatus(
                topic: topic.name, table: name, lag: lag, rows: entry.rows, deadLetters: entry.deadLetters,
                error: entry.error)
        }
    }

    /// Runs `body` while nothing is brought to the table, for dropping or replacing it or its topic. Afterwards the
    /// topic, if there still is one, begins anew from what the table has stored.
    public func withoutFeeding<Result, Failure: Error>(
        _ table: String, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        monitor.update { $0.entries[table]?.pauses += 1 }
        _ = monitor.wait { state -> Bool? in state.entries[table]?.isRunning == true ? nil : true }
        defer {
            monitor.update { state in
                if let pauses = state.entries[table]?.pauses, pauses > 0 { state.entries[table]?.pauses = pauses - 1 }
            }
            followTopics()
            signal(table)
        }
        return try body()
    }

    /// The tables that read the topic besides the one of its name.
    public func readers(of topic: String) -> [String] {
        catalog.tables.map(\.definition).filter { $0.topic == topic && $0.name != topic }.map(\.name)
    }

    // MARK: Topics

    /// Which table reads which topic.
    private func wantedFeeds() -> [String: Topic] {
        var wanted: [String: Topic] = [:]
        for topic in logStore.topics where !topic.name.hasPrefix("__") { wanted[topic.name] = topic }
        for table in catalog.tables {
            let definition = table.definition
            guard definition.topic != definition.name else { continue }
            wanted[definition.name] = logStore.topic(definition.topic)
        }
        return wanted
    }

    /// Makes the entries what the log's topics and the tables' definitions are.
    private func followTopics() {
        // One after the other: what was seen first must not be the last word.
        following.withLock { _ in follow(wantedFeeds()) }
    }

    private func follow(_ wanted: [String: Topic]) {
        for (table, topic) in wanted { holdRetention(table, topic) }
        var added: [(table: String, topic: Topic)] = []
        var ended: [(table: String, topic: Topic)] = []
        monitor.update { state in
            if state.isStopping { return }
            for (table, entry) in state.entries where wanted[table] !== entry.feed.feed.topic {
                ended.append((table, entry.feed.feed.topic))
                if wanted[table] == nil { state.entries[table] = nil }
            }
            for (table, topic) in wanted {
                if let entry = state.entries[table], entry.feed.feed.topic === topic {
                    if entry.observations.count != topic.partitions.count { added.append((table, topic)) }
                    continue
                }
                let feed = TopicFeed(
                    topic: topic, tableName: table, logStore: logStore, catalog: catalog, clock: clock,
                    settings: settings)
                let pauses = state.entries[table]?.pauses ?? 0
                state.entries[table] = MaterializerState.Entry(feed: FeedBox(feed), pauses: pauses)
                added.append((table, topic))
            }
            state.readers = Dictionary(grouping: wanted.keys) { wanted[$0]?.name ?? "" }
        }
        for (table, topic) in ended {
            for partition in topic.partitions { partition.releaseRetention(name: Self.holdName(table)) }
        }
        for (table, topic) in added {
            // A topic made anew goes on after what the table has of the old one, from its first record on.
            let visible = catalog.table(table)?.visibleOffsets() ?? [:]
            for partition in topic.partitions {
                let source = SourcePartition(topic: topic.name, partition: partition.partition)
                try? partition.ensureEndOffset(atLeast: visible[source] ?? 0)
            }
            observe(table, topic)
            signal(table)
        }
    }

    private func observe(_ table: String, _ topic: Topic) {
        let observations = topic.partitions.map { partition in
            partition.onAppend { [weak self] _ in self?.signal(table) }
        }
        monitor.withLock { state in
            guard state.entries[table]?.feed.feed.topic === topic, !state.isStopping else { return }
            state.entries[table]?.observations = observations
        }
    }

    /// Says that the table's topic has something new. Cheap: called from the log's writer thread.
    private func signal(_ table: String) {
        if monitor.withLock({ $0.signal(table) }) { monitor.update { _ in } }
    }

    private static func holdName(_ table: String) -> String { "table \(table)" }

    /// Keeps the log from deleting what the table has not stored, from now on and after each of its commits.
    private func holdRetention(_ name: String, _ topic: Topic) {
        let table = catalog.table(name)
        let stored = table?.storedOffsets() ?? [:]
        for partition in topic.partitions {
            let source = SourcePartition(topic: topic.name, partition: partition.partition)
            partition.holdRetention(name: Self.holdName(name), storedOffset: stored[source] ?? 0)
        }
        guard let table else { return }
        let isNew = followed.withLock { followed in
            let identity = ObjectIdentifier(table)
            defer { followed[name] = identity }
            return followed[name] != identity
        }
        guard isNew else { return }
        table.onStored { [weak self] offsets in
            for (source, next) in offsets {
                guard let topic = self?.logStore.topic(source.topic) else { continue }
                let partition = topic.partitions.first { $0.partition == source.partition }
                partition?.holdRetention(name: Self.holdName(name), storedOffset: next)
            }
        }
    }

    // MARK: Work

    private func nowMs() -> Int64 { Int64(clamping: clock.steadyNs() / 1_000_000) }

    private enum Job {
        case run(String, FeedBox)
        case lookAgain
        case stop
    }

    private func work() {
        while true {
            switch nextJob() {
            case .stop: return
            case .lookAgain: continue
            case .run(let topic, let box): run(topic, box)
            }
        }
    }

    private func nextJob() -> Job {
        let (version, timeoutMs) = monitor.withLock { ($0.wakeVersion, $0.nextWakeMs(nowMs: nowMs())) }
        return monitor.wait(timeoutMs: timeoutMs) { state -> Job? in
            if state.isStopping { return .stop }
            if let topic = state.next(nowMs: nowMs()), let box = state.entries[topic]?.feed { return .run(topic, box) }
            return state.wakeVersion != version ? .lookAgain : nil
        } ?? .lookAgain
    }

    private func run(_ topic: String, _ box: FeedBox) {
        let feed = box.feed
        do throws(MaterializerError) {
            let turn = try feed.run()
            holdRetention(feed.tableName, feed.topic)
            finish(topic, box) { entry, nowMs in
                entry.visible = turn.visible
                entry.failures = 0
                entry.error = nil
                entry.notBeforeMs = 0
                entry.wakeAtMs = turn.returnAfterMs.map { nowMs + $0 }
                if turn.hasMore { entry.isDirty = true }
            }
        } catch {
            feed.restart()
            finish(topic, box) { entry, nowMs in
                let pauseMs = min(settings.retryMs << Int64(min(entry.failures, 20)), settings.maxRetryMs)
                entry.failures += 1
                entry.error = error.message
                entry.notBeforeMs = nowMs + pauseMs
                entry.isDirty = true
            }
        }
    }

    /// Gives the topic back.
    private func finish(_ topic: String, _ box: FeedBox, _ change: (inout MaterializerState.Entry, Int64) -> Void) {
        let nowMs = nowMs()
        monitor.update { state in
            // The topic may have been deleted, and made anew, meanwhile.
            guard var entry = state.entries[topic], entry.feed === box else { return }
            entry.isRunning = false
            entry.rows = box.feed.rowCount
            entry.deadLetters = box.feed.deadLetterCount
            change(&entry, nowMs)
            state.entries[topic] = entry
            // Sleepers look at the clock's side of things anew only when it changed.
            if entry.wakeAtMs != nil || entry.notBeforeMs > nowMs { state.wakeVersion += 1 }
            _ = state.enqueue(topic)
        }
    }
}

import Disk
import Synchronization

/// What is kept of consumer groups: a file of records, each a change, each with its checksum; rewritten when most of
/// it is outdated. Changes are made on the committer's thread: those that wait together share one write and one sync.
final class GroupFile: @unchecked Sendable {
    static let fileName = "group-offsets"
    /// Below this the file is not rewritten.
    private static let minRewriteBytes: Int64 = 1 << 20

    /// A change that waits for its sync, with the call that tells how it went.
    private struct Waiting: Sendable {
        let change: GroupChange
        let completion: @Sendable (LogStoreError?) -> Void
    }

    private struct Queue: Sendable {
        var waiting: [Waiting] = []
    }

    private let path: String
    private let environment: LogEnvironment
    private let table: Mutex<GroupTable>
    private let failure = Mutex<LogStoreError?>(nil)
    private let queue = Mutex(Queue())
    // Used on the committer's thread only.
    private var file: any File
    private var sizeBytes: Int64

    /// Opens the file, cutting a torn tail and noting damage in `report`.
    init(folder: String, environment: LogEnvironment, report: inout RecoveryReport) throws(LogStoreError) {
        path = folder + "/" + Self.fileName
        self.environment = environment
        let path = path
        let fileSystem = environment.fileSystem
        let isNew = try translating { () throws(DiskError) in try fileSystem.status(path) == nil }
        file = try translating { () throws(DiskError) in try fileSystem.open(path, .create) }
        if isNew { try translating { () throws(DiskError) in try fileSystem.syncDirectory(folder) } }
        let openedFile = file
        let bytes = try translating { () throws(DiskError) in
            let size = try openedFile.size()
            guard size <= 1 << 30 else { throw DiskError(.corrupt, "\(path): \(size) bytes are too many") }
            return try openedFile.readExactly(at: 0, count: Int(size))
        }
        var loaded = GroupTable()
        let end = Self.load(bytes, path, &loaded, &report)
        table = Mutex(loaded)
        sizeBytes = Int64(end)
        if end < bytes.count {
            report.cutBytes += Int64(bytes.count - end)
            try translating { () throws(DiskError) in try openedFile.truncate(to: UInt64(end)) }
        }
        // What only the process before had handed to the system is shown from now on, so it must stay.
        if end > 0 { try translating { () throws(DiskError) in try openedFile.sync() } }
    }

    /// What is durable.
    func withTable<Result>(_ body: (GroupTable) -> Result) -> Result { table.withLock { body($0) } }

    /// Makes the change durable, then visible, then calls `completion` on the committer's thread; after earlier
    /// changes. Throws, and does not call it, when the log is closed or too much waits.
    func submit(
        _ change: GroupChange, completion: @escaping @Sendable (LogStoreError?) -> Void
    ) throws(LogStoreError) {
        let refusal: LogStoreError? = queue.withLock { queue in
            if queue.waiting.count >= 100_000 {
                return LogStoreError(.overloaded, "\(queue.waiting.count) changes of groups wait for the disk already")
            }
            if queue.waiting.isEmpty, !environment.committer.enqueue({ [self] in applyWaiting() }) {
                return LogStoreError(.closed, "the log is closed")
            }
            queue.waiting.append(Waiting(change: change, completion: completion))
            return nil
        }
        if let refusal { throw refusal }
    }

    // MARK: On the committer's thread

    private func applyWaiting() {
        let batch = queue.withLock { queue in
            defer { queue = Queue() }
            return queue.waiting
        }
        var outcomes: [LogStoreError?] = []
        var writer = ByteWriter()
        var stamped: [GroupChange] = []
        let live = table.withLock { $0.liveBytes }
        for item in batch {
            let change = stamp(item.change)
            let start = writer.count
            GroupRecord.append(change, &writer)
            let size = writer.count - start
            if let refusal = refusal(of: change, size, live: live + writer.count) {
                writer.bytes.removeLast(size)
                outcomes.append(refusal)
            } else {
                stamped.append(change)
                outcomes.append(nil)
            }
        }
        if let error = write(writer.bytes) {
            outcomes = outcomes.map { $0 ?? error }
        } else {
            table.withLock { table in for change in stamped { table.perform(change) } }
            rewriteIfGrown()
        }
        for (item, outcome) in zip(batch, outcomes) { item.completion(outcome) }
    }

    /// Why a change is not taken: it, or all that is known of groups, would be too large. What makes it less is taken.
    private func refusal(of change: GroupChange, _ size: Int, live: Int) -> LogStoreError? {
        if size - GroupRecord.prefixBytes > GroupRecord.maxPayloadBytes {
            return LogStoreError(.messageTooLarge, "a change of a group of \(size) bytes is too large")
        }
        switch change {
        case .commit, .rebalance, .stage:
            let limit = environment.settings.maxGroupBytes
            guard live > limit else { return nil }
            return LogStoreError(
                .diskFull, "consumer groups take \(live) bytes, more than \(limit); delete some")
        case .deleteGroup, .deletePartitions, .endTransaction, .deleteTopic:
            return nil
        }
    }

    private func write(_ bytes: [UInt8]) -> LogStoreError? {
        if let failure = failure.withLock({ $0 }) { return failure }
        if bytes.isEmpty { return nil }
        do throws(DiskError) {
            try file.write(bytes, at: UInt64(sizeBytes))
        } catch {
            try? file.truncate(to: UInt64(sizeBytes))
            return error.code == .full ? LogStoreError(error) : poison(error)
        }
        do throws(DiskError) {
            try file.sync()
        } catch {
            return poison(error)
        }
        sizeBytes += Int64(bytes.count)
        return nil
    }

    private func poison(_ error: DiskError) -> LogStoreError {
        let failure = LogStoreError(
            .poisoned,
            "offsets of consumer groups are no longer taken: \(error.message). Restart once the disk is well.")
        self.failure.withLock { $0 = failure }
        try? file.truncate(to: UInt64(sizeBytes))
        return failure
    }

    private func stamp(_ change: GroupChange) -> GroupChange {
        let nowMs = environment.clock.nowMs()
        switch change {
        case .commit(let group, let offsets):
            return .commit(group: group, Self.stamp(offsets, nowMs))
        case .stage(let group, let producerID, let epoch, let offsets):
            return .stage(group: group, producerID: producerID, producerEpoch: epoch, Self.stamp(offsets, nowMs))
        default:
            return change
        }
    }

    private static func stamp(_ offsets: GroupChange.Offsets, _ nowMs: Int64) -> GroupChange.Offsets {
        offsets.mapValues { offset in
            var offset = offset
            offset.committedMs = nowMs
            return offset
        }
    }

    private func rewriteIfGrown() {
        let live = Int64(table.withLock { $0.liveBytes })
        guard sizeBytes > Self.minRewriteBytes, sizeBytes > 4 * live else { return }
        let changes = table.withLock { $0 }.changes
        var writer = ByteWriter()
        for change in changes {
            for part in Self.parts(of: change) { GroupRecord.append(part, &writer) }
        }
        do throws(DiskError) {
            try environment.fileSystem.replaceFile(path, with: writer.bytes)
            file = try environment.fileSystem.open(path, .readWrite)
            sizeBytes = Int64(writer.count)
        } catch {
            // Which of both files the name stands for is not known any more.
            _ = poison(error)
        }
    }

    /// A change in parts that fit into records: a group may have grown by many commits.
    private static func parts(of change: GroupChange) -> [GroupChange] {
        switch change {
        case .commit(let group, let offsets):
            return chunks(of: offsets).map { .commit(group: group, $0) }
        case .stage(let group, let producerID, let epoch, let offsets):
            return chunks(of: offsets).map {
                .stage(group: group, producerID: producerID, producerEpoch: epoch, $0)
            }
        default:
            return [change]
        }
    }

    private static func chunks(of offsets: GroupChange.Offsets) -> [GroupChange.Offsets] {
        // Topics' names are bounded, metadata is by the broker: 1,000 entries are under 5 MB.
        let limit = 1000
        guard offsets.count > limit else { return [offsets] }
        var chunks: [GroupChange.Offsets] = []
        var chunk: GroupChange.Offsets = [:]
        for (partition, offset) in offsets {
            chunk[partition] = offset
            if chunk.count == limit {
                chunks.append(chunk)
                chunk = [:]
            }
        }
        return chunk.isEmpty ? chunks : chunks + [chunk]
    }

    func close() { file.close() }

    // MARK: Loading

    /// Reads all records; what is damaged between good ones is skipped and reported. Returns the last good one's end.
    private static func load(
        _ bytes: [UInt8], _ path: String, _ table: inout GroupTable, _ report: inout RecoveryReport
    ) -> Int {
        var position = 0
        while position < bytes.count {
            if let (change, end) = GroupRecord.record(bytes, at: position, path) {
                table.perform(change)
                position = end
                continue
            }
            var next = position + 1
            while next < bytes.count, GroupRecord.record(bytes, at: next, path) == nil { next += 1 }
            guard next < bytes.count else { return position }
            report.problems.append(
                LogProblem(
                    path: path,
                    message:
                        "bytes \(position)..<\(next) are damaged: offsets committed there are lost, older ones stand"
                ))
            position = next
        }
        return position
    }
}

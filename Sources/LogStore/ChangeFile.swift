import Disk
import Synchronization

/// What a `ChangeFile` keeps: the sum of its changes.
protocol ChangeTable: Sendable {
    associatedtype Change: Sendable

    /// The file's name in the log's folder.
    static var fileName: String { get }
    /// What the table is about, for messages: "consumer groups".
    static var subject: String { get }
    /// How many bytes it may take, by the settings.
    static func maxBytes(_ settings: LogSettings) -> Int
    /// Whether the change may make the table larger, so that one that is too large refuses it.
    static func mayGrow(_ change: Change) -> Bool
    /// Writes what the file keeps of the change.
    static func append(_ change: Change, _ payload: inout ByteWriter)
    /// Reads it.
    static func parse(_ payload: inout ByteReader) throws(DiskError) -> Change

    init()
    /// About how many bytes a file takes that says only what is known now.
    var liveBytes: Int { get }
    /// The changes that make an empty table this one, each small enough for a record.
    var changes: [Change] { get }
    mutating func perform(_ change: Change)
}

/// A table that is kept as a file of records, each a change, each with its checksum; rewritten when most of it is
/// outdated. Changes are made on the committer's thread: those that wait together share one write and one sync.
///
///     checksum of all after it (4 bytes), length of the payload (4), payload
final class ChangeFile<Table: ChangeTable>: @unchecked Sendable {
    /// The bytes before a record's payload: its checksum and its length.
    private static var prefixBytes: Int { 8 }
    private static var maxPayloadBytes: Int { 16 << 20 }
    /// Below this the file is not rewritten.
    private static var minRewriteBytes: Int64 { 1 << 20 }

    /// A change that waits for its sync, with the call that tells how it went.
    private struct Waiting: Sendable {
        let change: Table.Change
        let completion: @Sendable (LogStoreError?) -> Void
    }

    private struct Queue: Sendable {
        var waiting: [Waiting] = []
    }

    private let path: String
    private let environment: LogEnvironment
    private let table: Mutex<Table>
    private let failure = Mutex<LogStoreError?>(nil)
    private let queue = Mutex(Queue())
    private let folder: String
    // Used on the committer's thread only.
    /// nil: there is none before the first change.
    private var file: (any File)?
    private var sizeBytes: Int64
    /// After a rewrite that found no room: how large the file may become before the next.
    private var nextRewriteBytes: Int64 = 0

    /// Opens the file, cutting a torn tail and noting damage in `report`.
    init(folder: String, environment: LogEnvironment, report: inout RecoveryReport) throws(LogStoreError) {
        self.folder = folder
        path = folder + "/" + Table.fileName
        self.environment = environment
        let path = path
        let fileSystem = environment.fileSystem
        let exists = try translating { () throws(DiskError) in try fileSystem.status(path) != nil }
        guard exists else {
            table = Mutex(Table())
            sizeBytes = 0
            return
        }
        let openedFile = try translating { () throws(DiskError) in try fileSystem.open(path, .readWrite) }
        file = openedFile
        let bytes = try translating { () throws(DiskError) in
            let size = try openedFile.size()
            guard size <= 1 << 30 else { throw DiskError(.corrupt, "\(path): \(size) bytes are too many") }
            return try openedFile.readExactly(at: 0, count: Int(size))
        }
        var loaded = Table()
        let end = Self.load(bytes, path, &loaded, &report)
        table = Mutex(loaded)
        sizeBytes = Int64(end)
        if end < bytes.count {
            report.cutBytes += Int64(bytes.count - end)
            try translating { () throws(DiskError) in try openedFile.truncate(to: UInt64(end)) }
        }
        // What only the process before had handed to the system is shown from now on, so it must stay.
        try translating { () throws(DiskError) in
            if end > 0 { try openedFile.sync() }
            try fileSystem.syncDirectory(folder)
        }
    }

    /// What is durable.
    func withTable<Result>(_ body: (Table) -> Result) -> Result { table.withLock { body($0) } }

    /// Makes the change durable, then visible, then calls `completion` on the committer's thread; after earlier
    /// changes. Throws, and does not call it, when the log is closed or too much waits.
    func submit(
        _ change: Table.Change, completion: @escaping @Sendable (LogStoreError?) -> Void
    ) throws(LogStoreError) {
        let refusal: LogStoreError? = queue.withLock { queue in
            if queue.waiting.count >= 100_000 {
                return LogStoreError(
                    .overloaded, "\(queue.waiting.count) changes of \(Table.subject) wait for the disk already")
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
        var accepted: [Table.Change] = []
        let live = table.withLock { $0.liveBytes }
        for item in batch {
            let start = writer.count
            Self.append(item.change, &writer)
            let size = writer.count - start
            if let refusal = refusal(of: item.change, size, live: live + writer.count) {
                writer.bytes.removeLast(size)
                outcomes.append(refusal)
            } else {
                accepted.append(item.change)
                outcomes.append(nil)
            }
        }
        if let error = write(writer.bytes) {
            outcomes = outcomes.map { $0 ?? error }
        } else {
            table.withLock { table in for change in accepted { table.perform(change) } }
            rewriteIfGrown()
        }
        for (item, outcome) in zip(batch, outcomes) { item.completion(outcome) }
    }

    /// Why a change is not taken: it, or the table with it, would be too large. What makes it less is taken.
    private func refusal(of change: Table.Change, _ size: Int, live: Int) -> LogStoreError? {
        if size - Self.prefixBytes > Self.maxPayloadBytes {
            return LogStoreError(.messageTooLarge, "a change of \(Table.subject) of \(size) bytes is too large")
        }
        let limit = Table.maxBytes(environment.settings)
        guard live > limit, Table.mayGrow(change) else { return nil }
        return LogStoreError(.diskFull, "\(Table.subject) take \(live) bytes, more than \(limit); delete some")
    }

    private func write(_ bytes: [UInt8]) -> LogStoreError? {
        if let failure = failure.withLock({ $0 }) { return failure }
        if bytes.isEmpty { return nil }
        let file: any File
        do throws(DiskError) {
            file = try opened()
        } catch {
            return error.code == .full ? LogStoreError(error) : poison(error)
        }
        do throws(DiskError) {
            try file.write(bytes, at: UInt64(sizeBytes))
        } catch {
            let refusal = error.code == .full ? LogStoreError(error) : poison(error)
            // What was refused must not come back behind a later, shorter write.
            do throws(DiskError) { try file.truncate(to: UInt64(sizeBytes)) } catch { return poison(error) }
            return refusal
        }
        do throws(DiskError) {
            try file.sync()
        } catch {
            return poison(error)
        }
        sizeBytes += Int64(bytes.count)
        return nil
    }

    private func opened() throws(DiskError) -> any File {
        if let file { return file }
        let created = try environment.fileSystem.open(path, .create)
        try environment.fileSystem.syncDirectory(folder)
        file = created
        return created
    }

    private func poison(_ error: DiskError) -> LogStoreError {
        let failure = LogStoreError(
            .poisoned,
            "changes of \(Table.subject) are no longer taken: \(error.message). Restart once the disk is well.")
        self.failure.withLock { $0 = failure }
        try? file?.truncate(to: UInt64(sizeBytes))
        return failure
    }

    private func rewriteIfGrown() {
        let live = Int64(table.withLock { $0.liveBytes })
        guard sizeBytes > max(Self.minRewriteBytes, nextRewriteBytes), sizeBytes > 4 * live else { return }
        let changes = table.withLock { $0 }.changes
        var writer = ByteWriter()
        for change in changes { Self.append(change, &writer) }
        do throws(DiskError) {
            try environment.fileSystem.replaceFile(path, with: writer.bytes)
            file = try environment.fileSystem.open(path, .readWrite)
            sizeBytes = Int64(writer.count)
        } catch {
            if error.code == .full {
                // Nothing has taken the file's place: it goes on, and is rewritten when there is more room, perhaps.
                nextRewriteBytes = sizeBytes + Self.minRewriteBytes
                return
            }
            // Which of both files the name stands for is not known any more.
            _ = poison(error)
        }
    }

    func close() { file?.close() }

    // MARK: Records

    private static func append(_ change: Table.Change, _ writer: inout ByteWriter) {
        var checked = ByteWriter()
        checked.uint32(0)
        Table.append(change, &checked)
        checked.patch(uint32: UInt32(checked.count - 4), at: 0)
        writer.uint32(CRC32C.checksum(checked.bytes))
        writer.bytes(checked.bytes)
    }

    /// The record at `position`; nil when there is no whole and right one.
    private static func record(
        _ bytes: [UInt8], at position: Int, _ path: String
    ) -> (change: Table.Change, end: Int)? {
        guard position + prefixBytes <= bytes.count else { return nil }
        return bytes.withBytes { all in
            let checksum = UInt32(littleEndian: all.loadUnaligned(fromByteOffset: position, as: UInt32.self))
            let length = Int(UInt32(littleEndian: all.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)))
            guard length > 0, length <= maxPayloadBytes, length <= all.count - position - prefixBytes else {
                return nil
            }
            let end = position + prefixBytes + length
            guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: all[position + 4..<end])) == checksum else {
                return nil
            }
            var payload = ByteReader(Array(all[position + prefixBytes..<end]), name: path)
            guard let change = try? Table.parse(&payload) else { return nil }
            return (change, end)
        }
    }

    /// Reads all records; what is damaged between good ones is skipped and reported. Returns the last good one's end.
    private static func load(
        _ bytes: [UInt8], _ path: String, _ table: inout Table, _ report: inout RecoveryReport
    ) -> Int {
        var position = 0
        while position < bytes.count {
            if let (change, end) = record(bytes, at: position, path) {
                table.perform(change)
                position = end
                continue
            }
            var next = position + 1
            while next < bytes.count, record(bytes, at: next, path) == nil { next += 1 }
            guard next < bytes.count else { return position }
            report.problems.append(
                LogProblem(
                    path: path,
                    message:
                        "bytes \(position)..<\(next) are damaged: changes of \(Table.subject) there are lost, older ones stand"
                ))
            position = next
        }
        return position
    }
}

import Disk
import Synchronization

/// A partition by its topic's name and its number.
public struct TopicPartition: Sendable, Hashable {
    /// The topic's name.
    public let topic: String
    /// The partition's number.
    public let partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}

/// How far a consumer group says it has come in a partition.
public struct CommittedOffset: Sendable, Hashable {
    /// The offset it will read next.
    public var offset: Int64
    /// The leader epoch it saw; -1 when it did not say.
    public var leaderEpoch: Int32
    /// What the consumer wants to be told again.
    public var metadata: String
    /// When it was committed, in milliseconds since 1970; set by the log.
    public var committedMs: Int64

    /// Creates a committed offset.
    public init(offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "", committedMs: Int64 = 0) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.committedMs = committedMs
    }
}

/// The consumer groups' offsets: a file of records, each a change, each with its checksum; rewritten when most of it
/// is outdated. Changes are made on the committer's thread, one sync for all that wait.
final class GroupOffsets: @unchecked Sendable {
    typealias Offsets = [TopicPartition: CommittedOffset]

    static let fileName = "group-offsets"
    /// The bytes before a record's payload: its checksum and its length.
    private static let prefixBytes = 8
    private static let maxPayloadBytes = 16 << 20
    /// Below this the file is not rewritten.
    private static let minRewriteBytes: Int64 = 1 << 20

    /// A record's kinds.
    private enum Kind: UInt8 {
        case commit = 1
        case deleteGroup = 2
        case deletePartitions = 3
    }

    /// What a caller asks to be changed.
    enum Change: Sendable {
        case commit(group: String, Offsets)
        case deleteGroup(String)
        case deletePartitions(group: String, [TopicPartition])
    }

    private let path: String
    private let environment: LogEnvironment
    private let groups: Mutex<[String: Offsets]>
    private let failure = Mutex<LogStoreError?>(nil)
    // Used on the committer's thread only.
    private var file: any File
    private var sizeBytes: Int64
    private var liveBytes: Int64

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
        var loaded: [String: Offsets] = [:]
        let end = Self.load(bytes, path, &loaded, &report)
        groups = Mutex(loaded)
        sizeBytes = Int64(end)
        liveBytes = Int64(end)
        if end < bytes.count {
            report.cutBytes += Int64(bytes.count - end)
            try translating { () throws(DiskError) in try openedFile.truncate(to: UInt64(end)) }
        }
        // What only the process before had handed to the system is shown from now on, so it must stay.
        if end > 0 { try translating { () throws(DiskError) in try openedFile.sync() } }
    }

    var names: [String] { groups.withLock { $0.keys.sorted() } }

    func offsets(of group: String) -> Offsets { groups.withLock { $0[group] ?? [:] } }

    /// Makes the change durable, then visible. On the committer's thread.
    func apply(_ change: Change) -> LogStoreError? {
        if let failure = failure.withLock({ $0 }) { return failure }
        let stamped = stamp(change)
        var writer = ByteWriter()
        Self.append(stamped, &writer)
        let position = sizeBytes
        do throws(DiskError) {
            try file.write(writer.bytes, at: UInt64(position))
        } catch {
            try? file.truncate(to: UInt64(position))
            return error.code == .full ? LogStoreError(error) : poison(error)
        }
        do throws(DiskError) {
            try file.sync()
        } catch {
            return poison(error)
        }
        sizeBytes += Int64(writer.count)
        groups.withLock { Self.perform(stamped, &$0) }
        rewriteIfGrown()
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

    private func stamp(_ change: Change) -> Change {
        guard case .commit(let group, var offsets) = change else { return change }
        let nowMs = environment.clock.nowMs()
        for partition in offsets.keys { offsets[partition]?.committedMs = nowMs }
        return .commit(group: group, offsets)
    }

    private func rewriteIfGrown() {
        guard sizeBytes > Self.minRewriteBytes, sizeBytes > 4 * liveBytes else { return }
        var writer = ByteWriter()
        for (group, offsets) in groups.withLock({ $0 }) { Self.append(.commit(group: group, offsets), &writer) }
        liveBytes = Int64(writer.count)
        guard sizeBytes > 2 * liveBytes else { return }
        do throws(DiskError) {
            try environment.fileSystem.replaceFile(path, with: writer.bytes)
            file = try environment.fileSystem.open(path, .readWrite)
            sizeBytes = liveBytes
        } catch {
            // Which of both files the name stands for is not known any more.
            _ = poison(error)
        }
    }

    func close() { file.close() }

    // MARK: The records

    private static func append(_ change: Change, _ writer: inout ByteWriter) {
        var payload = ByteWriter()
        switch change {
        case .commit(let group, let offsets):
            payload.uint8(Kind.commit.rawValue)
            payload.string(group)
            payload.count(offsets.count)
            for (partition, offset) in offsets {
                payload.string(partition.topic)
                payload.int32(partition.partition)
                payload.int64(offset.offset)
                payload.int32(offset.leaderEpoch)
                payload.string(offset.metadata)
                payload.int64(offset.committedMs)
            }
        case .deleteGroup(let group):
            payload.uint8(Kind.deleteGroup.rawValue)
            payload.string(group)
        case .deletePartitions(let group, let partitions):
            payload.uint8(Kind.deletePartitions.rawValue)
            payload.string(group)
            payload.count(partitions.count)
            for partition in partitions {
                payload.string(partition.topic)
                payload.int32(partition.partition)
            }
        }
        var checked = ByteWriter()
        checked.uint32(UInt32(payload.count))
        checked.bytes(payload.bytes)
        writer.uint32(CRC32C.checksum(checked.bytes))
        writer.bytes(checked.bytes)
    }

    private static func parse(_ payload: [UInt8], _ path: String) throws(DiskError) -> Change {
        var reader = ByteReader(payload, name: path)
        let kind = try reader.uint8()
        let group = try reader.string()
        switch Kind(rawValue: kind) {
        case .commit:
            var offsets: Offsets = [:]
            for _ in 0..<(try reader.count(max: reader.remaining)) {
                let partition = TopicPartition(topic: try reader.string(), partition: try reader.int32())
                offsets[partition] = CommittedOffset(
                    offset: try reader.int64(), leaderEpoch: try reader.int32(), metadata: try reader.string(),
                    committedMs: try reader.int64())
            }
            return .commit(group: group, offsets)
        case .deleteGroup:
            return .deleteGroup(group)
        case .deletePartitions:
            var partitions: [TopicPartition] = []
            for _ in 0..<(try reader.count(max: reader.remaining)) {
                partitions.append(TopicPartition(topic: try reader.string(), partition: try reader.int32()))
            }
            return .deletePartitions(group: group, partitions)
        case nil:
            throw reader.corrupt("a record of unknown kind \(kind)")
        }
    }

    private static func perform(_ change: Change, _ groups: inout [String: Offsets]) {
        switch change {
        case .commit(let group, let offsets): groups[group, default: [:]].merge(offsets) { $1 }
        case .deleteGroup(let group): groups[group] = nil
        case .deletePartitions(let group, let partitions):
            for partition in partitions { groups[group]?[partition] = nil }
            if groups[group]?.isEmpty == true { groups[group] = nil }
        }
    }

    /// The record at `position`; nil when there is no whole and right one.
    private static func record(_ bytes: [UInt8], at position: Int, _ path: String) -> (change: Change, end: Int)? {
        guard position + prefixBytes <= bytes.count else { return nil }
        return bytes.withBytes { all in
            let checksum = UInt32(littleEndian: all.loadUnaligned(fromByteOffset: position, as: UInt32.self))
            let length = Int(UInt32(littleEndian: all.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)))
            guard length > 0, length <= maxPayloadBytes, length <= all.count - position - prefixBytes else {
                return nil
            }
            let end = position + prefixBytes + length
            guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: all[position + 4..<end])) == checksum,
                let change = try? parse(Array(all[position + prefixBytes..<end]), path)
            else { return nil }
            return (change, end)
        }
    }

    /// Reads all records; what is damaged between good ones is skipped and reported. Returns the last good one's end.
    private static func load(
        _ bytes: [UInt8], _ path: String, _ groups: inout [String: Offsets], _ report: inout RecoveryReport
    ) -> Int {
        var position = 0
        while position < bytes.count {
            if let (change, end) = record(bytes, at: position, path) {
                perform(change, &groups)
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
                        "bytes \(position)..<\(next) are damaged: offsets committed there are lost, older ones stand"
                ))
            position = next
        }
        return position
    }
}

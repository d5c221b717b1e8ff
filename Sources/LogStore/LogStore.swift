import Disk
import Synchronization

/// The durable log: topics of partitions of record batches, in one folder.
///
/// Any thread may call anything; what is not `async` blocks and belongs on no event loop.
public final class LogStore: Sendable {
    private let folder: String
    let environment: LogEnvironment
    private let topicsByName: Mutex<[String: Topic]>
    /// Held while topics are created, grown or deleted, apart from the table itself so that look-ups never wait for a
    /// disk.
    private let changes = Monitor(false)
    private let groupFile: ChangeFile<GroupTable>
    let transactionFile: ChangeFile<TransactionTable>
    private let producerIDs: ProducerIDs
    private let isClosed = Mutex(false)
    private let topicObservers = Mutex<[@Sendable () -> Void]>([])

    /// What opening the folder found and did.
    public let recovery: RecoveryReport

    private init(
        folder: String, environment: LogEnvironment, topics: [String: Topic], groupFile: ChangeFile<GroupTable>,
        transactionFile: ChangeFile<TransactionTable>, producerIDs: ProducerIDs, recovery: RecoveryReport
    ) {
        self.folder = folder
        self.environment = environment
        topicsByName = Mutex(topics)
        self.groupFile = groupFile
        self.transactionFile = transactionFile
        self.producerIDs = producerIDs
        self.recovery = recovery
    }

    deinit { close() }

    /// Opens the log in `folder`, creating it when absent, recovering it when it was not closed in order. The caller
    /// holds the data folder's lock. Throws `.storage` when the disk fails, and for files of a newer version.
    public static func open(
        folder: String, fileSystem: any FileSystem, clock: any Clock, settings: LogSettings = LogSettings()
    ) throws(LogStoreError) -> LogStore {
        let environment = LogEnvironment(
            fileSystem: fileSystem, clock: clock, settings: settings,
            committer: GroupCommit(clock: clock, maxWaitingBytes: settings.maxWaitingBytes))
        var report = RecoveryReport()
        try translating { () throws(DiskError) in
            try fileSystem.createDurableDirectory(topicsFolder(folder))
            try removeDeleted(folder, fileSystem)
        }
        let names = try translating { () throws(DiskError) in try fileSystem.list(topicsFolder(folder)) }
        var topics: [String: Topic] = [:]
        for name in names {
            if let topic = try openTopic(name, folder, environment, &report) { topics[name] = topic }
        }
        let groupFile = try ChangeFile<GroupTable>(folder: folder, environment: environment, report: &report)
        let transactionFile = try ChangeFile<TransactionTable>(
            folder: folder, environment: environment, report: &report)
        let producerIDs = try ProducerIDs(folder: folder, environment: environment, report: &report)
        environment.committer.start()
        return LogStore(
            folder: folder, environment: environment, topics: topics, groupFile: groupFile,
            transactionFile: transactionFile, producerIDs: producerIDs, recovery: report)
    }

    /// Writes and syncs what waits, then ends the writer's thread; later appends fail with `.closed`. Idempotent.
    public func close() {
        let wasClosed = isClosed.withLock { closed in
            defer { closed = true }
            return closed
        }
        if wasClosed { return }
        environment.committer.stop()
        for topic in topics {
            for partition in topic.partitions {
                partition.writer.close(partition)
                partition.awaitCompaction()
            }
        }
        groupFile.close()
        transactionFile.close()
    }

    // MARK: Topics

    /// The settings of a topic that says nothing itself: what to begin from for a new topic, and to reset to.
    public var defaultConfig: TopicConfig { environment.settings.defaultConfig.asDefaults }

    /// How many partitions a topic gets whose creator does not say.
    public var defaultPartitions: Int { environment.settings.defaultPartitions }

    /// All topics, by name.
    public var topics: [Topic] {
        topicsByName.withLock { $0.values.sorted { $0.name < $1.name } }
    }

    /// The topic called `name`; nil when there is none.
    public func topic(_ name: String) -> Topic? { topicsByName.withLock { $0[name] } }

    /// The partition; nil when there is none.
    public func partition(_ partition: TopicPartition) -> PartitionLog? {
        guard let partitions = topic(partition.topic)?.partitions,
            partitions.indices.contains(Int(partition.partition))
        else { return nil }
        return partitions[Int(partition.partition)]
    }

    /// Creates a topic, durably. Throws `.invalidTopicName` (also for a name that differs from another topic's in `.`
    /// and `_` alone), `.invalidPartitions`, `.invalidConfig`, `.topicExists`, `.diskFull`, `.storage`. Blocks.
    @discardableResult
    public func createTopic(
        _ name: String, partitions: Int, config: TopicConfig? = nil
    ) throws(LogStoreError) -> Topic {
        let config = config ?? defaultConfig
        return try changing { () throws(LogStoreError) in
            try checkCreation(of: name, partitions: partitions, config: config)
            return try create(name, partitions, config)
        }
    }

    /// The topic called `name`, created with the default settings when there is none. Blocks only to create it.
    public func ensureTopic(_ name: String) throws(LogStoreError) -> Topic {
        if let topic = topic(name) { return topic }
        do throws(LogStoreError) {
            return try createTopic(name, partitions: environment.settings.defaultPartitions)
        } catch {
            // Someone else may have been faster.
            if error.code == .topicExists, let topic = topic(name) { return topic }
            throw error
        }
    }

    /// Deletes the topic with all its records and its groups' offsets. Throws `.unknownTopicOrPartition`. Blocks.
    public func deleteTopic(_ name: String) throws(LogStoreError) {
        try changing { () throws(LogStoreError) in
            guard let topic = topic(name) else {
                throw LogStoreError(.unknownTopicOrPartition, "there is no topic \"\(name)\"")
            }
            let gone = LogStoreError(.unknownTopicOrPartition, "topic \"\(name)\" was deleted")
            let before = topic.partitions.map { partition in
                partition.state.withLock { state in
                    defer { state.failure = gone }
                    return state.failure
                }
            }
            let fileSystem = environment.fileSystem
            let folder = folder
            do throws(LogStoreError) {
                // Once the writer has come by, and every change of the files, nobody writes to the folder any more.
                try environment.committer.run { nil }
                for partition in topic.partitions { partition.awaitCompaction() }
                topic.awaitChanges()
                try Self.moveAway(topic, folder, fileSystem)
            } catch {
                // The topic stays what it was.
                for (partition, failure) in zip(topic.partitions, before) {
                    partition.state.withLock { $0.failure = failure }
                }
                throw error
            }
            topicsByName.withLock { $0[name] = nil }
            try changeGroups(.deleteTopic(name))
            // What cannot be removed now is at the next start.
            try? Self.removeDeleted(folder, fileSystem)
        }
    }

    private static func moveAway(
        _ topic: Topic, _ folder: String, _ fileSystem: any FileSystem
    ) throws(LogStoreError) {
        try translating { () throws(DiskError) in
            let target = deletedFolder(folder) + "/" + String(topic.id, radix: 16)
            try fileSystem.createDurableDirectory(deletedFolder(folder))
            try fileSystem.rename(topic.folder, to: target)
            try fileSystem.syncDirectory(topicsFolder(folder))
            try fileSystem.syncDirectory(deletedFolder(folder))
        }
    }

    /// Deletes what retention no longer keeps, in all partitions; for a maintenance thread, every few minutes.
    /// Returns how many bytes went. A partition whose disk fails is skipped, its error kept for the end. Blocks.
    @discardableResult
    public func applyRetention() throws(LogStoreError) -> Int64 {
        var deletedBytes: Int64 = 0
        var failure: LogStoreError?
        for topic in topics {
            for partition in topic.partitions {
                do throws(LogStoreError) {
                    deletedBytes += try partition.applyRetention()
                } catch {
                    failure = failure ?? error
                }
            }
        }
        if let failure { throw failure }
        return deletedBytes
    }

    /// Calls `call` after each creation, growth and deletion of a topic, on the thread that did it, for as long as the
    /// store lives. Whoever created a topic gets it only after the call has returned, so the call sees its first
    /// append.
    public func onTopicsChanged(_ call: @escaping @Sendable () -> Void) {
        topicObservers.withLock { $0.append(call) }
    }

    /// An id for a producer that numbers its batches, never given before and never again, whatever crashes. Throws
    /// `.diskFull` or `.storage`. Blocks now and then.
    public func allocateProducerID() throws(LogStoreError) -> Int64 { try producerIDs.allocate() }

    // MARK: Consumer groups

    /// All groups of which something is kept, by name.
    public var groups: [String] { groupFile.withTable { $0.entries.keys.sorted() } }

    /// What the groups that have members, or had some, agreed on last.
    public var storedGroups: [StoredGroup] { groupFile.withTable { $0.entries.values.compactMap(\.metadata) } }

    /// What the group agreed on last; nil for one that never had members.
    public func storedGroup(_ group: String) -> StoredGroup? {
        groupFile.withTable { $0.entries[group]?.metadata }
    }

    /// What the group has committed; empty for an unknown group.
    public func committedOffsets(group: String) -> [TopicPartition: CommittedOffset] {
        groupFile.withTable { $0.entries[group]?.committed ?? [:] }
    }

    /// What the group has committed, and where a transaction may change it; empty for an unknown group.
    public func groupOffsets(_ group: String) -> GroupOffsets { groupFile.withTable { $0.offsets(of: group) } }

    /// In which epoch the producer has staged offsets for the group; nil when it has staged none.
    public func stagedEpoch(group: String, producerID: Int64) -> Int16? {
        groupFile.withTable { $0.staged(group: group, producerID: producerID)?.epoch }
    }

    /// Makes the change durable, then visible, then calls `completion` on the writer's thread, where it must not
    /// block. Changes take effect in the order they are given, several with one sync. Throws `.closed` and
    /// `.overloaded`, and does not call then; `completion` gets `.diskFull`, `.messageTooLarge`, `.poisoned`. Never
    /// blocks.
    public func changeGroups(
        _ change: GroupChange, completion: @escaping @Sendable (LogStoreError?) -> Void
    ) throws(LogStoreError) {
        try groupFile.submit(change.stamped(environment.clock.nowMs()), completion: completion)
    }

    /// The same, waiting. Blocks.
    public func changeGroups(_ change: GroupChange) throws(LogStoreError) {
        let outcome = Monitor<LogStoreError??>(nil)
        try changeGroups(change) { error in outcome.update { $0 = .some(error) } }
        if let error = outcome.wait(until: { $0 }) ?? nil { throw error }
    }

    /// Stores offsets for the group, durably. Throws `.diskFull`, `.poisoned`, `.closed`. Blocks.
    public func commitOffsets(
        group: String, _ offsets: [TopicPartition: CommittedOffset]
    ) throws(LogStoreError) {
        try changeGroups(.commit(group: group, offsets))
    }

    /// The same, suspending without blocking the thread.
    public func commitOffsets(
        group: String, _ offsets: [TopicPartition: CommittedOffset]
    ) async throws(LogStoreError) {
        let failure: LogStoreError? = await withCheckedContinuation { continuation in
            do throws(LogStoreError) {
                try changeGroups(.commit(group: group, offsets)) { continuation.resume(returning: $0) }
            } catch {
                continuation.resume(returning: error)
            }
        }
        if let failure { throw failure }
    }

    /// Forgets the group with all its offsets, durably. Blocks.
    public func deleteGroup(_ group: String) throws(LogStoreError) { try changeGroups(.deleteGroup(group)) }

    // MARK: Folders

    static func topicsFolder(_ folder: String) -> String { folder + "/topics" }
    static func deletedFolder(_ folder: String) -> String { folder + "/deleted" }

    /// Runs `body` while no other topic is created, grown or deleted, and tells the observers afterwards.
    func changing<Result>(_ body: () throws(LogStoreError) -> Result) throws(LogStoreError) -> Result {
        changes.wait { isBusy -> Void? in
            if isBusy { return nil }
            isBusy = true
            return ()
        }
        defer {
            changes.update { $0 = false }
            for call in topicObservers.withLock({ $0 }) { call() }
        }
        return try body()
    }

    private func create(_ name: String, _ partitions: Int, _ config: TopicConfig) throws(LogStoreError) -> Topic {
        let topicFolder = Self.topicsFolder(folder) + "/" + name
        let metadata = TopicMetadata(
            id: environment.settings.makeTopicID(), partitionCount: partitions, config: config)
        let fileSystem = environment.fileSystem
        var report = RecoveryReport()
        let topic = try Self.openPartitions(name, topicFolder, metadata, environment, &report)
        // The topic exists once this file does; without it the next start removes the folder.
        try translating { () throws(DiskError) in
            try fileSystem.replaceFile(topicFolder + "/" + TopicMetadata.fileName, with: metadata.encoded)
        }
        topicsByName.withLock { $0[name] = topic }
        return topic
    }

    private static func openPartitions(
        _ name: String, _ topicFolder: String, _ metadata: TopicMetadata, _ environment: LogEnvironment,
        _ report: inout RecoveryReport
    ) throws(LogStoreError) -> Topic {
        let configuration = ConfigurationBox(metadata.config)
        var partitions: [PartitionLog] = []
        for number in 0..<metadata.partitionCount {
            var recovery = Recovery(
                topic: name, partition: Int32(number), folder: topicFolder + "/\(number)", environment: environment,
                configuration: configuration)
            partitions.append(try recovery.open())
            report.add(recovery.report)
        }
        return Topic(
            name: name, id: metadata.id, partitions: partitions, folder: topicFolder,
            fileSystem: environment.fileSystem, configuration: configuration)
    }

    private static func openTopic(
        _ name: String, _ folder: String, _ environment: LogEnvironment, _ report: inout RecoveryReport
    ) throws(LogStoreError) -> Topic? {
        let topicFolder = topicsFolder(folder) + "/" + name
        let fileSystem = environment.fileSystem
        let path = topicFolder + "/" + TopicMetadata.fileName
        let metadata: TopicMetadata
        do throws(DiskError) {
            guard try fileSystem.status(topicFolder)?.isDirectory == true else {
                report.problems.append(LogProblem(path: topicFolder, message: "is no topic's folder; left alone"))
                return nil
            }
            metadata = try TopicMetadata(
                try fileSystem.readFile(path, maxBytes: TopicMetadata.maxBytes), path: path,
                defaults: environment.settings.defaultConfig)
        } catch {
            switch error.code {
            case .notFound, .corrupt, .truncated: break
            default: throw LogStoreError(error)
            }
            return try openDamagedTopic(name, topicFolder, error, environment, &report)
        }
        guard (1...environment.settings.maxPartitions).contains(metadata.partitionCount) else {
            throw LogStoreError(.storage, "\(path): says the topic has \(metadata.partitionCount) partitions")
        }
        return try openPartitions(name, topicFolder, metadata, environment, &report)
    }

    /// A topic whose file is missing or damaged: one whose creation was interrupted is removed; one with records is
    /// kept whole, with settings that delete nothing.
    private static func openDamagedTopic(
        _ name: String, _ topicFolder: String, _ error: DiskError, _ environment: LogEnvironment,
        _ report: inout RecoveryReport
    ) throws(LogStoreError) -> Topic? {
        let fileSystem = environment.fileSystem
        let numbers = try translating { () throws(DiskError) in
            try fileSystem.list(topicFolder).compactMap { Int($0) }.filter { $0 >= 0 }.sorted()
        }
        let hasRecords = try translating { () throws(DiskError) in
            for number in numbers {
                for file in try fileSystem.list("\(topicFolder)/\(number)")
                where SegmentFormat.baseOffset(ofLog: file) != nil {
                    if let size = try fileSystem.status("\(topicFolder)/\(number)/\(file)")?.sizeBytes, size > 0 {
                        return true
                    }
                }
            }
            return false
        }
        if error.code == .notFound, !hasRecords {
            try translating { () throws(DiskError) in
                try removeTree(topicFolder, fileSystem)
                try fileSystem.syncDirectory(parentDirectory(of: topicFolder) ?? ".")
            }
            return nil
        }
        var config = environment.settings.defaultConfig.asDefaults
        config.retentionMs = -1
        config.cleanupPolicy = .delete
        let count = min(environment.settings.maxPartitions, (numbers.last ?? 0) + 1)
        let metadata = TopicMetadata(id: environment.settings.makeTopicID(), partitionCount: count, config: config)
        report.problems.append(
            LogProblem(
                path: topicFolder + "/" + TopicMetadata.fileName,
                message: "\(error.message); the topic has default settings and keeps its records for ever until altered"
            ))
        return try openPartitions(name, topicFolder, metadata, environment, &report)
    }

    private static func removeDeleted(_ folder: String, _ fileSystem: any FileSystem) throws(DiskError) {
        guard try fileSystem.status(deletedFolder(folder)) != nil else { return }
        for name in try fileSystem.list(deletedFolder(folder)) {
            try removeTree(deletedFolder(folder) + "/" + name, fileSystem)
        }
    }

    private static func removeTree(_ path: String, _ fileSystem: any FileSystem) throws(DiskError) {
        guard try fileSystem.status(path)?.isDirectory == true else {
            try fileSystem.remove(path)
            return
        }
        for name in try fileSystem.list(path) { try removeTree(path + "/" + name, fileSystem) }
        try fileSystem.removeDirectory(path)
    }
}

extension RecoveryReport {
    mutating func add(_ other: RecoveryReport) {
        problems += other.problems
        cutBytes += other.cutBytes
        cutSegments += other.cutSegments
        scannedBytes += other.scannedBytes
        rebuiltIndexes += other.rebuiltIndexes
    }
}

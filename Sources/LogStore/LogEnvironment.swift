import Disk
import Synchronization

/// What the log is told when it is opened.
public struct LogSettings: Sendable {
    /// How many partitions `ensureTopic` gives a new topic.
    public var defaultPartitions = 1
    /// The settings of all topics, as far as they do not say otherwise themselves.
    public var defaultConfig = TopicConfig()
    /// How many bytes of segment stand between two index entries.
    public var indexIntervalBytes = 4096
    /// How many bytes of appends may wait for the disk; more are refused with `.overloaded`.
    public var maxWaitingBytes = 64 << 20
    /// How many bytes may be kept of consumer groups, which are all in memory; more is refused with `.diskFull`.
    public var maxGroupBytes = 64 << 20
    /// How many bytes may be kept of transactional ids and their transactions, which are all in memory; more is refused
    /// with `.diskFull`.
    public var maxTransactionBytes = 8 << 20
    /// The most partitions one topic may have.
    public var maxPartitions = 1024
    /// How long a partition remembers a producer that writes nothing, in milliseconds.
    public var producerExpiryMs: Int64 = 86_400_000
    /// How many producers a partition remembers at most.
    public var maxProducers = 100_000
    /// How many of its aborted transactions a partition keeps in memory; more go to files.
    public var maxAbortedInMemory = 16_384
    /// How many bytes of memory a compaction may use for the keys it knows.
    public var compactionMapBytes = 16 << 20
    /// How many bytes of segments compaction reads in a second at most; 0 for no limit.
    public var compactionBytesPerSecond: Int64 = 64 << 20
    /// Makes the ids of new topics.
    public var makeTopicID: @Sendable () -> UInt128 = { UInt128.random(in: 1...UInt128.max) }

    /// The defaults.
    public init() {}
}

/// What every part of the log uses.
struct LogEnvironment: Sendable {
    let fileSystem: any FileSystem
    let clock: any Clock
    let settings: LogSettings
    let committer: GroupCommit
    let sealedSegments = SealedSegmentCache()
    private let stopping = Switch()

    init(fileSystem: any FileSystem, clock: any Clock, settings: LogSettings, committer: GroupCommit) {
        self.fileSystem = fileSystem
        self.clock = clock
        self.settings = settings
        self.committer = committer
    }

    /// Whether work in the background is to end.
    var isStopping: Bool { stopping.isOn.load(ordering: .relaxed) }

    func stop() { stopping.isOn.store(true, ordering: .relaxed) }

    private final class Switch: Sendable {
        let isOn = Atomic(false)
    }
}

/// A topic's settings, shared by its partitions.
final class ConfigurationBox: Sendable {
    private let storage: Mutex<TopicConfig>

    init(_ config: TopicConfig) { storage = Mutex(config) }

    var value: TopicConfig {
        get { storage.withLock { $0 } }
        set { storage.withLock { $0 = newValue } }
    }
}

/// What opening the log found that an operator should know.
public struct LogProblem: Sendable, Hashable, CustomStringConvertible {
    /// The file or folder.
    public let path: String
    /// What is wrong with it, and what was done about it.
    public let message: String

    /// Creates a problem.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    /// The message.
    public var description: String { "\(path): \(message)" }
}

/// What recovery did.
public struct RecoveryReport: Sendable {
    /// Damage, oldest first: nothing of it was cut or deleted.
    public var problems: [LogProblem] = []
    /// How many bytes were cut: writes that a crash left unfinished and that nobody had acknowledged.
    public var cutBytes: Int64 = 0
    /// How many segments lost a torn tail.
    public var cutSegments = 0
    /// How many bytes of segments were read and verified.
    public var scannedBytes: Int64 = 0
    /// How many segments' indexes were computed again.
    public var rebuiltIndexes = 0

    /// An empty report.
    public init() {}
}

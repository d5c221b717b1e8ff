import Disk
import Synchronization

/// A topic: a name, settings and partitions.
public final class Topic: Sendable {
    /// The name, as Kafka allows it.
    public let name: String
    /// A number that no other topic has or had.
    public let id: UInt128
    let folder: String
    let configuration: ConfigurationBox
    private let fileSystem: any FileSystem
    private let partitionList: Mutex<[PartitionLog]>
    /// Held while the topic's file is replaced.
    private let fileChanges = Mutex(())

    init(
        name: String, id: UInt128, partitions: [PartitionLog], folder: String, fileSystem: any FileSystem,
        configuration: ConfigurationBox
    ) {
        self.name = name
        self.id = id
        partitionList = Mutex(partitions)
        self.folder = folder
        self.fileSystem = fileSystem
        self.configuration = configuration
    }

    /// The partitions, by number. There may be more later, never fewer.
    public var partitions: [PartitionLog] { partitionList.withLock { $0 } }

    /// The settings.
    public var config: TopicConfig { configuration.value }

    /// Replaces the settings, durably. Throws `.invalidConfig`, `.diskFull` or `.storage`. Blocks.
    public func alter(_ config: TopicConfig) throws(LogStoreError) {
        try change { $0 = config }
    }

    /// Lets `change` change the settings, one caller after the other, and replaces them, durably; with `validateOnly`
    /// only checks what it made of them. Throws what `change` does, `.invalidConfig`, `.diskFull` or `.storage`.
    /// Blocks.
    public func change(
        validateOnly: Bool = false, _ change: (inout TopicConfig) throws(LogStoreError) -> Void
    ) throws(LogStoreError) {
        try fileChanges.withLock { _ throws(LogStoreError) in
            try checkExists()
            var config = configuration.value
            try change(&config)
            try config.validate()
            if validateOnly { return }
            try store(TopicMetadata(id: id, partitionCount: partitions.count, config: config))
            configuration.value = config
        }
    }

    /// Takes in more partitions, durably: readers see them once the topic's file counts them.
    func add(_ added: [PartitionLog]) throws(LogStoreError) {
        try fileChanges.withLock { _ throws(LogStoreError) in
            try checkExists()
            let all = partitions + added
            try store(TopicMetadata(id: id, partitionCount: all.count, config: config))
            partitionList.withLock { $0 = all }
        }
    }

    /// Throws when the topic was deleted: the folder may be that of a new one of the same name.
    private func checkExists() throws(LogStoreError) {
        if let failure = partitions.first?.failure, failure.code == .unknownTopicOrPartition { throw failure }
    }

    /// Waits for changes of the topic's files that are under way; for who has made sure that none begins.
    func awaitChanges() {
        fileChanges.withLock { _ in }
        for partition in partitions { partition.fileChanges.withLock { _ in } }
    }

    private func store(_ metadata: TopicMetadata) throws(LogStoreError) {
        try translating { () throws(DiskError) in
            try fileSystem.replaceFile(folder + "/" + TopicMetadata.fileName, with: metadata.encoded)
        }
    }

    /// Kafka's rule: 1 to 249 of `a–z A–Z 0–9 . _ -`, and not `.` or `..`. Throws `.invalidTopicName`.
    public static func validate(name: String) throws(LogStoreError) {
        let isAllowed = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2E || byte == 0x5F || byte == 0x2D
        }
        guard isAllowed, (1...249).contains(name.utf8.count), name != ".", name != ".." else {
            throw LogStoreError(
                .invalidTopicName,
                "\"\(name.prefix(300))\" is no topic name: 1 to 249 of a–z A–Z 0–9 . _ - are allowed, but not . or ..")
        }
    }
}

/// The file `topic` in a topic's folder.
struct TopicMetadata: Hashable {
    static let fileName = "topic"
    /// "LSTM".
    private static let magic: UInt32 = 0x4D54_534C
    private static let version: UInt16 = 1
    static let maxBytes = 1 << 16
    /// Stands among the settings of a file that has those set on the topic itself, and no others. A file without it is
    /// older and has them all: those equal to the server's count as not set.
    private static let explicitName = "explicit"

    var id: UInt128
    var partitionCount: Int
    var config: TopicConfig

    var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.uint32(Self.magic)
        writer.uint16(Self.version)
        writer.uint64(UInt64(truncatingIfNeeded: id))
        writer.uint64(UInt64(truncatingIfNeeded: id >> 64))
        writer.uint32(UInt32(partitionCount))
        let settings = [(name: Self.explicitName, value: "1")] + config.explicitEntries
        writer.count(settings.count)
        for (name, value) in settings {
            writer.string(name)
            writer.string(value)
        }
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    init(id: UInt128, partitionCount: Int, config: TopicConfig) {
        self.id = id
        self.partitionCount = partitionCount
        self.config = config
    }

    /// `defaults` are the server's settings for all topics.
    ///
    /// Throws `.corrupt` or `.truncated` when the bytes are not what was written, `.incompatible` for a newer version.
    init(_ bytes: [UInt8], path: String, defaults: TopicConfig) throws(DiskError) {
        var reader = ByteReader(bytes, name: path)
        guard bytes.count >= 8, try reader.uint32() == Self.magic else { throw reader.corrupt("no topic file") }
        let version = try reader.uint16()
        var tail = ByteReader(Array(bytes.suffix(4)), name: path)
        guard try tail.uint32() == CRC32C.checksum(Array(bytes.dropLast(4))) else {
            throw reader.corrupt("the checksum is wrong")
        }
        guard version <= Self.version else {
            throw DiskError(.incompatible, "\(path): written by a newer logstore (topic format \(version))")
        }
        id = UInt128(try reader.uint64())
        id |= UInt128(try reader.uint64()) << 64
        partitionCount = Int(try reader.uint32())
        config = defaults.asDefaults
        var hasAll = true
        for _ in 0..<(try reader.count(max: reader.remaining)) {
            let name = try reader.string()
            let value = try reader.string()
            if name == Self.explicitName { hasAll = false }
            // A setting this program does not know stays unused.
            try? config.set(name, to: value)
        }
        for (name, value) in config.explicitEntries where hasAll && value == defaults.text(of: name) {
            try? config.reset(name, to: defaults)
        }
        guard reader.remaining == 4 else { throw reader.corrupt("bytes follow the settings") }
    }
}

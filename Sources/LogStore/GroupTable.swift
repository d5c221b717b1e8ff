import Disk

/// What is known of all consumer groups: the sum of the changes in their file.
struct GroupTable: ChangeTable {
    static let fileName = "group-offsets"
    static let subject = "consumer groups"

    typealias Offsets = GroupChange.Offsets

    /// Offsets that count once a transaction commits.
    struct Staged: Sendable {
        var epoch: Int16
        var offsets: Offsets
    }

    struct Entry: Sendable {
        var committed: Offsets = [:]
        /// By producer id.
        var staged: [Int64: Staged] = [:]
        var metadata: StoredGroup?

        var isEmpty: Bool { committed.isEmpty && staged.isEmpty && metadata == nil }
    }

    private(set) var entries: [String: Entry] = [:]
    /// About how many bytes a file takes that says only what is known now.
    private(set) var liveBytes = 0
    /// The groups for which a producer has staged offsets.
    private var stagedGroups: [Int64: Set<String>] = [:]

    /// What a producer staged for a group and in which epoch; nil when there is nothing.
    func staged(group: String, producerID: Int64) -> Staged? { entries[group]?.staged[producerID] }

    func offsets(of group: String) -> GroupOffsets {
        guard let entry = entries[group] else { return GroupOffsets() }
        return GroupOffsets(
            committed: entry.committed,
            unstable: entry.staged.isEmpty ? [] : Set(entry.staged.values.flatMap(\.offsets.keys)))
    }

    /// The changes that make an empty table this one, in parts that fit into records.
    var changes: [GroupChange] {
        var changes: [GroupChange] = []
        for (group, entry) in entries {
            if let metadata = entry.metadata { changes.append(.rebalance(metadata)) }
            for part in Self.chunks(of: entry.committed) { changes.append(.commit(group: group, part)) }
            // After the commits: of two offsets for one partition the one written later counts, and those staged
            // before a commit of the same partition were dropped by it.
            for (producerID, staged) in entry.staged {
                for part in Self.chunks(of: staged.offsets) {
                    changes.append(
                        .stage(group: group, producerID: producerID, producerEpoch: staged.epoch, part))
                }
            }
        }
        return changes
    }

    private static func chunks(of offsets: GroupChange.Offsets) -> [GroupChange.Offsets] {
        // Topics' names are bounded, metadata is by the broker: 1,000 entries are under 5 MB.
        let limit = 1000
        guard offsets.count > limit else { return offsets.isEmpty ? [] : [offsets] }
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

    static func maxBytes(_ settings: LogSettings) -> Int { settings.maxGroupBytes }

    static func mayGrow(_ change: GroupChange) -> Bool {
        switch change {
        case .commit, .rebalance, .stage: true
        case .deleteGroup, .deletePartitions, .endTransaction, .deleteTopic: false
        }
    }

    static func append(_ change: GroupChange, _ payload: inout ByteWriter) { GroupRecord.append(change, &payload) }

    static func parse(_ payload: inout ByteReader) throws(DiskError) -> GroupChange {
        try GroupRecord.parse(&payload)
    }

    mutating func perform(_ change: GroupChange) {
        switch change {
        case .commit(let group, let offsets): commit(group, offsets)
        case .deleteGroup(let group): deleteGroup(group)
        case .deletePartitions(let group, let partitions): delete(partitions, of: group)
        case .rebalance(let metadata):
            update(metadata.name) { entry in
                let before = entry.metadata.map(Self.size) ?? 0
                entry.metadata = metadata
                return Self.size(metadata) - before
            }
        case .stage(let group, let producerID, let epoch, let offsets):
            stage(group, producerID, epoch, offsets)
        case .endTransaction(let producerID, let epoch, let isCommit):
            endTransaction(producerID, epoch, isCommit)
        case .deleteTopic(let topic):
            for (group, entry) in entries {
                let partitions = Set(entry.committed.keys).union(entry.staged.values.flatMap(\.offsets.keys))
                    .filter { $0.topic == topic }
                if !partitions.isEmpty { delete(Array(partitions), of: group) }
            }
        }
    }

    // MARK: The changes

    private mutating func commit(_ group: String, _ offsets: Offsets) {
        if offsets.isEmpty { return }
        var emptied: [Int64] = []
        update(group) { entry in
            var growth = 0
            for (partition, offset) in offsets {
                growth += Self.size(partition, offset)
                if let old = entry.committed.updateValue(offset, forKey: partition) {
                    growth -= Self.size(partition, old)
                }
            }
            growth += Self.unstage(Array(offsets.keys), &entry, &emptied)
            return growth
        }
        forget(emptied, group)
    }

    private mutating func stage(_ group: String, _ producerID: Int64, _ epoch: Int16, _ offsets: Offsets) {
        if offsets.isEmpty { return }
        update(group) { entry in
            var growth = 0
            if let old = entry.staged[producerID], old.epoch != epoch {
                // A newer epoch begins with nothing: the older one's transaction was given up.
                growth -= Self.size(old.offsets)
                entry.staged[producerID] = nil
            }
            for (partition, offset) in offsets {
                growth += Self.size(partition, offset)
                let old = entry.staged[producerID, default: Staged(epoch: epoch, offsets: [:])].offsets
                    .updateValue(offset, forKey: partition)
                if let old { growth -= Self.size(partition, old) }
            }
            return growth
        }
        stagedGroups[producerID, default: []].insert(group)
    }

    private mutating func endTransaction(_ producerID: Int64, _ epoch: Int16, _ isCommit: Bool) {
        for group in stagedGroups[producerID] ?? [] {
            guard let staged = entries[group]?.staged[producerID], staged.epoch <= epoch else { continue }
            update(group) { entry in
                entry.staged[producerID] = nil
                return -Self.size(staged.offsets)
            }
            forget([producerID], group)
            if isCommit { commit(group, staged.offsets) }
        }
    }

    private mutating func delete(_ partitions: [TopicPartition], of group: String) {
        guard entries[group] != nil else { return }
        var emptied: [Int64] = []
        update(group) { entry in
            var growth = 0
            for partition in partitions {
                if let old = entry.committed.removeValue(forKey: partition) { growth -= Self.size(partition, old) }
            }
            growth += Self.unstage(partitions, &entry, &emptied)
            return growth
        }
        forget(emptied, group)
    }

    private mutating func deleteGroup(_ group: String) {
        guard let entry = entries.removeValue(forKey: group) else { return }
        liveBytes -= Self.groupBytes(group) + Self.size(entry.committed) + (entry.metadata.map(Self.size) ?? 0)
        for staged in entry.staged.values { liveBytes -= Self.size(staged.offsets) }
        forget(Array(entry.staged.keys), group)
    }

    /// Drops what is staged for the partitions; notes the producers that have nothing left.
    private static func unstage(_ partitions: [TopicPartition], _ entry: inout Entry, _ emptied: inout [Int64]) -> Int {
        var growth = 0
        for producerID in entry.staged.keys {
            for partition in partitions {
                if let old = entry.staged[producerID]?.offsets.removeValue(forKey: partition) {
                    growth -= size(partition, old)
                }
            }
            if entry.staged[producerID]?.offsets.isEmpty == true {
                entry.staged[producerID] = nil
                emptied.append(producerID)
            }
        }
        return growth
    }

    private mutating func forget(_ producers: [Int64], _ group: String) {
        for producerID in producers {
            stagedGroups[producerID]?.remove(group)
            if stagedGroups[producerID]?.isEmpty == true { stagedGroups[producerID] = nil }
        }
    }

    private mutating func update(_ group: String, _ body: (inout Entry) -> Int) {
        if entries[group] == nil { liveBytes += Self.groupBytes(group) }
        liveBytes += body(&entries[group, default: Entry()])
        if entries[group]?.isEmpty == true {
            entries[group] = nil
            liveBytes -= Self.groupBytes(group)
        }
    }

    // MARK: Sizes

    private static func groupBytes(_ group: String) -> Int { 16 + group.utf8.count }

    private static func size(_ partition: TopicPartition, _ offset: CommittedOffset) -> Int {
        28 + partition.topic.utf8.count + offset.metadata.utf8.count
    }

    private static func size(_ offsets: Offsets) -> Int { offsets.reduce(0) { $0 + size($1.key, $1.value) } }

    private static func size(_ group: StoredGroup) -> Int {
        group.members.reduce(48 + group.name.utf8.count) { size, member in
            size + 32 + member.id.utf8.count + (member.instanceID?.utf8.count ?? 0) + member.clientID.utf8.count
                + member.clientHost.utf8.count + member.subscription.count + member.assignment.count
        }
    }
}

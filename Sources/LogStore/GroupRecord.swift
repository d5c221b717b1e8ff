import Disk

/// A change to consumer groups as bytes: a kind, and what belongs to the kind (docs/format.md).
enum GroupRecord {
    /// A record's kinds.
    private enum Kind: UInt8 {
        case commit = 1
        case deleteGroup = 2
        case deletePartitions = 3
        case rebalance = 4
        case stage = 5
        case endTransaction = 6
        case deleteTopic = 7
    }

    // MARK: Writing

    static func append(_ change: GroupChange, _ payload: inout ByteWriter) {
        switch change {
        case .commit(let group, let offsets):
            payload.uint8(Kind.commit.rawValue)
            payload.string(group)
            append(offsets, &payload)
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
        case .rebalance(let group):
            payload.uint8(Kind.rebalance.rawValue)
            append(group, &payload)
        case .stage(let group, let producerID, let producerEpoch, let offsets):
            payload.uint8(Kind.stage.rawValue)
            payload.string(group)
            payload.int64(producerID)
            payload.int16(producerEpoch)
            append(offsets, &payload)
        case .endTransaction(let producerID, let producerEpoch, let isCommit):
            payload.uint8(Kind.endTransaction.rawValue)
            payload.int64(producerID)
            payload.int16(producerEpoch)
            payload.uint8(isCommit ? 1 : 0)
        case .deleteTopic(let topic):
            payload.uint8(Kind.deleteTopic.rawValue)
            payload.string(topic)
        }
    }

    private static func append(_ offsets: GroupChange.Offsets, _ payload: inout ByteWriter) {
        payload.count(offsets.count)
        for (partition, offset) in offsets {
            payload.string(partition.topic)
            payload.int32(partition.partition)
            payload.int64(offset.offset)
            payload.int32(offset.leaderEpoch)
            payload.string(offset.metadata)
            payload.int64(offset.committedMs)
        }
    }

    private static func append(_ group: StoredGroup, _ payload: inout ByteWriter) {
        payload.string(group.name)
        payload.int32(group.generation)
        payload.string(group.protocolType)
        append(group.protocolName, &payload)
        append(group.leader, &payload)
        payload.int64(group.changedMs)
        payload.count(group.members.count)
        for member in group.members {
            payload.string(member.id)
            append(member.instanceID, &payload)
            payload.string(member.clientID)
            payload.string(member.clientHost)
            payload.int32(member.rebalanceTimeoutMs)
            payload.int32(member.sessionTimeoutMs)
            payload.lengthPrefixedBytes(member.subscription)
            payload.lengthPrefixedBytes(member.assignment)
        }
    }

    private static func append(_ text: String?, _ payload: inout ByteWriter) {
        payload.uint8(text == nil ? 0 : 1)
        if let text { payload.string(text) }
    }

    // MARK: Reading

    static func parse(_ reader: inout ByteReader) throws(DiskError) -> GroupChange {
        let kind = try reader.uint8()
        switch Kind(rawValue: kind) {
        case .commit:
            return .commit(group: try reader.string(), try offsets(&reader))
        case .deleteGroup:
            return .deleteGroup(try reader.string())
        case .deletePartitions:
            let group = try reader.string()
            var partitions: [TopicPartition] = []
            for _ in 0..<(try reader.count(max: reader.remaining)) {
                partitions.append(TopicPartition(topic: try reader.string(), partition: try reader.int32()))
            }
            return .deletePartitions(group: group, partitions)
        case .rebalance:
            return .rebalance(try group(&reader))
        case .stage:
            return .stage(
                group: try reader.string(), producerID: try reader.int64(), producerEpoch: try reader.int16(),
                try offsets(&reader))
        case .endTransaction:
            return .endTransaction(
                producerID: try reader.int64(), producerEpoch: try reader.int16(), isCommit: try reader.uint8() != 0)
        case .deleteTopic:
            return .deleteTopic(try reader.string())
        case nil:
            throw reader.corrupt("a record of unknown kind \(kind)")
        }
    }

    private static func offsets(_ reader: inout ByteReader) throws(DiskError) -> GroupChange.Offsets {
        var offsets: GroupChange.Offsets = [:]
        for _ in 0..<(try reader.count(max: reader.remaining)) {
            let partition = TopicPartition(topic: try reader.string(), partition: try reader.int32())
            offsets[partition] = CommittedOffset(
                offset: try reader.int64(), leaderEpoch: try reader.int32(), metadata: try reader.string(),
                committedMs: try reader.int64())
        }
        return offsets
    }

    private static func group(_ reader: inout ByteReader) throws(DiskError) -> StoredGroup {
        var group = StoredGroup(
            name: try reader.string(), generation: try reader.int32(), protocolType: try reader.string(),
            protocolName: try optional(&reader), leader: try optional(&reader), changedMs: try reader.int64(),
            members: [])
        for _ in 0..<(try reader.count(max: reader.remaining)) {
            group.members.append(
                StoredMember(
                    id: try reader.string(), instanceID: try optional(&reader), clientID: try reader.string(),
                    clientHost: try reader.string(), rebalanceTimeoutMs: try reader.int32(),
                    sessionTimeoutMs: try reader.int32(), subscription: try reader.lengthPrefixedBytes(),
                    assignment: try reader.lengthPrefixedBytes()))
        }
        return group
    }

    private static func optional(_ reader: inout ByteReader) throws(DiskError) -> String? {
        try reader.uint8() == 0 ? nil : try reader.string()
    }
}

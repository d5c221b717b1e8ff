import Disk
import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

/// Members of one group at a broker whose clock is moved by hand.
final class GroupFixture: Sendable {
    static let group = "readers"

    let base: BrokerFixture
    let client: BrokerClient

    init(
        disk: SimulatedDisk = SimulatedDisk(), clock: ManualClock = ManualClock(nowMs: BrokerFixture.startMs),
        _ change: (inout GroupSettings) -> Void = { _ in }
    ) throws {
        var settings = BrokerSettings()
        settings.groups.initialRebalanceDelayMs = 100
        change(&settings.groups)
        base = try BrokerFixture(disk: disk, clock: clock, settings: settings)
        client = base.client()
        _ = try base.log("t")
        _ = try base.log("u")
    }

    /// The same folder after the power was cut: what was not durable is gone.
    func restarted(_ change: (inout GroupSettings) -> Void = { _ in }) throws -> GroupFixture {
        base.broker.stop()
        base.disk.crash(.none)
        base.logStore.close()
        return try GroupFixture(disk: base.disk, clock: base.clock, change)
    }

    /// Lets time pass in small steps, so that what is due happens at its time.
    func pass(milliseconds: Int64, step: Int64 = 1_000) {
        var left = milliseconds
        while left > 0 {
            base.advance(milliseconds: min(step, left))
            left -= step
        }
        settle()
    }

    /// Waits until what is on its way to the disk is there, and what follows from it has happened.
    func settle() {
        for _ in 0..<2 { try? base.logStore.changeGroups(.deleteTopic("never was")) }
    }

    // MARK: Requests

    func join(
        _ id: String = "", group: String = group, instance: String? = nil, _ protocols: [(String, [UInt8])]? = nil,
        type: String = "consumer", sessionMs: Int32 = 10_000, rebalanceMs: Int32 = 30_000, version: Int16? = nil
    ) throws -> PendingResponse<JoinGroupRequest> {
        var request = JoinGroupRequest()
        request.groupID = group
        request.memberID = id
        request.groupInstanceID = instance
        request.protocolType = type
        request.sessionTimeoutMs = sessionMs
        request.rebalanceTimeoutMs = rebalanceMs
        request.protocols = (protocols ?? [("range", subscription("t"))]).map { name, metadata in
            var choice = JoinGroupRequest.Choice()
            choice.name = name
            choice.metadata = metadata
            return choice
        }
        return try client.begin(request, version: version)
    }

    /// What a consumer that reads these topics says of itself.
    func subscription(_ topics: String...) -> [UInt8] {
        var writer = ByteWriter()
        writer.int16BigEndian(1)
        writer.int32BigEndian(Int32(topics.count))
        for topic in topics {
            writer.int16BigEndian(Int16(topic.utf8.count))
            writer.bytes(Array(topic.utf8))
        }
        writer.int32BigEndian(-1)
        return writer.bytes
    }

    /// An id for a new member, which it has not joined with yet.
    func newID() throws -> String {
        let response = try join().wait()
        #expect(response.error == .memberIDRequired)
        return response.memberID
    }

    func sync(
        _ id: String, _ generation: Int32, instance: String? = nil, _ assignments: [String: String] = [:],
        protocolType: String? = "consumer", protocolName: String? = "range"
    ) throws -> PendingResponse<SyncGroupRequest> {
        var request = SyncGroupRequest()
        request.groupID = Self.group
        request.memberID = id
        request.generationID = generation
        request.groupInstanceID = instance
        request.protocolType = protocolType
        request.protocolName = protocolName
        request.assignments = assignments.map { member, text in
            var entry = SyncGroupRequest.Assignment()
            entry.memberID = member
            entry.assignment = Array(text.utf8)
            return entry
        }
        return try client.begin(request)
    }

    func heartbeat(_ id: String, _ generation: Int32, instance: String? = nil) throws -> ErrorCode {
        var request = HeartbeatRequest()
        request.groupID = Self.group
        request.memberID = id
        request.generationID = generation
        request.groupInstanceID = instance
        return try client.send(request).error
    }

    /// The members leave, each by its id or by its instance; the errors.
    func leave(_ members: (id: String, instance: String?)...) throws -> [ErrorCode] {
        var request = LeaveGroupRequest()
        request.groupID = Self.group
        request.members = members.map { id, instance in
            var member = LeaveGroupRequest.Member()
            member.memberID = id
            member.groupInstanceID = instance
            return member
        }
        let response = try client.send(request)
        #expect(response.error == .none)
        return response.members.map(\.error)
    }

    func describe(_ group: String = group) throws -> DescribeGroupsResponse.Group {
        var request = DescribeGroupsRequest()
        request.groups = [group]
        return try #require(try client.send(request).groups.first)
    }

    func state() throws -> String { try describe().state }

    func commit(
        _ offsets: [TopicPartition: Int64], _ id: String = "", _ generation: Int32 = -1, group: String = group,
        instance: String? = nil, metadata: String? = "", leaderEpoch: Int32 = -1, version: Int16? = nil
    ) throws -> [ErrorCode] {
        var request = OffsetCommitRequest()
        request.groupID = group
        request.memberID = id
        request.generationID = generation
        request.groupInstanceID = instance
        request.topics = offsets.sorted { ($0.key.topic, $0.key.partition) < ($1.key.topic, $1.key.partition) }.map {
            var topic = OffsetCommitRequest.Topic()
            topic.name = $0.key.topic
            var partition = OffsetCommitRequest.Partition()
            partition.index = $0.key.partition
            partition.committedOffset = $0.value
            partition.committedLeaderEpoch = leaderEpoch
            partition.metadata = metadata
            topic.partitions = [partition]
            return topic
        }
        return try client.send(request, version: version).topics.flatMap { $0.partitions.map(\.error) }
    }

    /// Begins to commit one offset for a group without members.
    func beginCommit(_ place: TopicPartition, _ offset: Int64, group: String) throws -> PendingResponse<
        OffsetCommitRequest
    > {
        var request = OffsetCommitRequest()
        request.groupID = group
        var topic = OffsetCommitRequest.Topic()
        topic.name = place.topic
        var partition = OffsetCommitRequest.Partition()
        partition.index = place.partition
        partition.committedOffset = offset
        topic.partitions = [partition]
        request.topics = [topic]
        return try client.begin(request)
    }

    /// Fetches all offsets of the group, or those asked for.
    func fetch(
        _ places: [TopicPartition]? = nil, group: String = group, stable: Bool = false
    ) throws -> [TopicPartition: OffsetFetchResponse.Partition] {
        var request = OffsetFetchRequest()
        request.groupID = group
        request.requireStable = stable
        request.topics = places.map { places in
            places.map { place in
                var topic = OffsetFetchRequest.Topic()
                topic.name = place.topic
                topic.partitions = [place.partition]
                return topic
            }
        }
        let response = try client.send(request)
        #expect(response.error == .none)
        var found: [TopicPartition: OffsetFetchResponse.Partition] = [:]
        for topic in response.topics {
            for partition in topic.partitions {
                found[TopicPartition(topic: topic.name, partition: partition.index)] = partition
            }
        }
        return found
    }

    // MARK: Whole rebalances

    /// A stable group of `count` members; their ids, the leader's first. Member n is assigned the text "part n".
    func stable(
        _ count: Int, instances: [String] = [], sessionMs: Int32 = 10_000, rebalanceMs: Int32 = 30_000
    ) throws -> (ids: [String], generation: Int32) {
        var joins: [PendingResponse<JoinGroupRequest>] = []
        for number in 0..<count {
            if instances.indices.contains(number) {
                joins.append(try join(instance: instances[number], sessionMs: sessionMs, rebalanceMs: rebalanceMs))
            } else {
                joins.append(try join(newID(), sessionMs: sessionMs, rebalanceMs: rebalanceMs))
            }
        }
        pass(milliseconds: 300, step: 100)
        let answers = try joins.map { try $0.wait() }
        for answer in answers { #expect(answer.error == .none) }
        let ids = answers.map(\.memberID)
        let generation = try #require(answers.first).generationID
        try assign(ids, generation, instances: instances)
        return (ids, generation)
    }

    /// All members ask for their assignment; the first is the leader.
    func assign(_ ids: [String], _ generation: Int32, instances: [String] = []) throws {
        let parts = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, "part \($0)") })
        let syncs = try ids.enumerated().reversed().map { number, id in
            try sync(
                id, generation, instance: instances.indices.contains(number) ? instances[number] : nil,
                number == 0 ? parts : [:])
        }
        for (number, pending) in zip(ids.indices.reversed(), syncs) {
            let response = try pending.wait()
            #expect(response.error == .none)
            #expect(String(decoding: response.assignment, as: UTF8.self) == "part \(number)")
        }
        #expect(try state() == "Stable")
    }
}

import Disk
import KafkaProtocol
import LogStore
import Testing

@testable import KafkaBroker

@Suite("Looking at groups and deleting them")
struct GroupAdministrationTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)
    private let u0 = TopicPartition(topic: "u", partition: 0)
    private let day: Int64 = 86_400_000

    private func delete(_ fixture: GroupFixture, _ groups: String...) throws -> [ErrorCode] {
        var request = DeleteGroupsRequest()
        request.groups = groups
        return try fixture.client.send(request).groups.map(\.error)
    }

    private func deleteOffsets(
        _ fixture: GroupFixture, _ places: [TopicPartition], group: String = GroupFixture.group
    ) throws -> [ErrorCode] {
        var request = OffsetDeleteRequest()
        request.groupID = group
        request.topics = places.map { place in
            var topic = OffsetDeleteRequest.Topic()
            topic.name = place.topic
            var partition = OffsetDeleteRequest.Partition()
            partition.index = place.partition
            topic.partitions = [partition]
            return topic
        }
        let response = try fixture.client.send(request)
        return response.error == .none ? response.topics.flatMap { $0.partitions.map(\.error) } : [response.error]
    }

    private func list(_ fixture: GroupFixture, _ states: String...) throws -> [String] {
        var request = ListGroupsRequest()
        request.states = states
        return try fixture.client.send(request).groups.map { "\($0.groupID):\($0.protocolType):\($0.state)" }
    }

    private func expire(_ fixture: GroupFixture) {
        let done = Monitor(false)
        fixture.base.broker.groups.expireOffsets { done.update { $0 = true } }
        #expect(done.wait(timeoutMs: 30_000) { $0 ? () : nil } != nil)
        fixture.settle()
    }

    @Test("groups are listed with what they are, by state where that is asked for")
    func listing() throws {
        let fixture = try GroupFixture()
        _ = try fixture.stable(1)
        #expect(try fixture.commit([t0: 1], group: "alone") == [.none])
        _ = try fixture.join(group: "joining", [("p", [0xFF])], type: "connect", version: 3)
        #expect(
            try list(fixture) == ["alone::Empty", "joining:connect:PreparingRebalance", "readers:consumer:Stable"])
        #expect(try list(fixture, "stable") == ["readers:consumer:Stable"])
        #expect(try list(fixture, "Empty", "PREPARINGREBALANCE").count == 2)
        #expect(try list(fixture, "Dead") == [])
    }

    @Test("a group is described with its members; their metadata once it is stable")
    func describing() throws {
        let fixture = try GroupFixture()
        let (ids, _) = try fixture.stable(2, instances: ["one"])
        var group = try fixture.describe()
        #expect(group.state == "Stable" && group.protocolType == "consumer" && group.protocolName == "range")
        #expect(group.members.map(\.memberID) == ids)
        #expect(group.members.map(\.groupInstanceID) == ["one", nil])
        #expect(group.members[1].clientID == "test client" && group.members[1].clientHost == "/127.0.0.1")
        #expect(group.members[1].metadata == fixture.subscription("t"))
        #expect(group.members[1].assignment == Array("part 1".utf8))
        _ = try fixture.join(ids[0], instance: "one")
        group = try fixture.describe()
        #expect(group.state == "PreparingRebalance" && group.protocolName == "")
        #expect(group.members.map(\.assignment) == [[], []])
        var request = DescribeGroupsRequest()
        request.groups = [GroupFixture.group]
        request.includeAuthorizedOperations = true
        #expect(try fixture.client.send(request).groups.first?.authorizedOperations == 1 << 3 | 1 << 6 | 1 << 8)
    }

    @Test("only a group without members is deleted, with its offsets, for good")
    func deleting() throws {
        var fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1)
        #expect(try fixture.commit([t0: 4], ids[0], generation) == [.none])
        #expect(try fixture.commit([t0: 1], group: "alone") == [.none])
        #expect(
            try delete(fixture, GroupFixture.group, "alone", "unknown") == [.nonEmptyGroup, .none, .groupIDNotFound])
        #expect(try fixture.fetch(group: "alone").isEmpty)
        #expect(try fixture.leave((ids[0], nil)) == [.none])
        #expect(try delete(fixture, GroupFixture.group) == [.none])
        #expect(try fixture.describe().state == "Dead")
        fixture = try fixture.restarted()
        #expect(try list(fixture) == [])
        #expect(try fixture.fetch().isEmpty)
        #expect(try fixture.stable(1).generation == 1)
    }

    @Test("a deletion that the disk refuses leaves the group as it was")
    func deletionFails() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 4]) == [.none])
        fixture.base.disk.capacityBytes = fixture.base.disk.usedBytes + 4
        #expect(try delete(fixture, GroupFixture.group) == [.coordinatorNotAvailable])
        #expect(try fixture.fetch()[t0]?.committedOffset == 4)
        #expect(try list(fixture) == ["readers::Empty"])
    }

    @Test("offsets are deleted of topics that the group does not read")
    func deletingOffsets() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1)
        #expect(try fixture.commit([t0: 4, u0: 5], ids[0], generation) == [.none, .none])
        let nowhere = TopicPartition(topic: "nowhere", partition: 0)
        #expect(
            try deleteOffsets(fixture, [t0, u0, nowhere])
                == [.groupSubscribedToTopic, .none, .unknownTopicOrPartition])
        #expect(try fixture.fetch().mapValues(\.committedOffset) == [t0: 4])
        #expect(try deleteOffsets(fixture, [t0], group: "unknown") == [.groupIDNotFound])
        #expect(try fixture.leave((ids[0], nil)) == [.none])
        fixture.settle()
        #expect(try deleteOffsets(fixture, [t0]) == [.none])
        fixture.settle()
        #expect(try fixture.describe().state == "Dead", "nothing is left of it")
    }

    @Test("what members of another kind read is unknown, and what a consumer says wrongly, too")
    func opaqueSubscriptions() throws {
        let fixture = try GroupFixture()
        for (type, metadata, error) in [
            ("connect", [0, 1, 0, 0, 0, 0], ErrorCode.nonEmptyGroup),
            ("consumer", [0, 1, 0x7F, 0xFF, 0xFF, 0xFF], .groupSubscribedToTopic),
            ("consumer", [0, 1, 0, 0, 0, 0], .none),
        ] as [(String, [UInt8], ErrorCode)] {
            let id = try fixture.join("", [("range", metadata)], type: type, version: 3)
            fixture.pass(milliseconds: 200)
            let joined = try id.wait()
            #expect(joined.error == .none)
            #expect(try deleteOffsets(fixture, [t0]) == [error], "\(type) \(metadata)")
            #expect(try fixture.leave((joined.memberID, nil)) == [.none])
            fixture.settle()
        }
    }

    @Test("offsets of a group that lost its members go after the retention time, and the group with them")
    func expiryOfEmpty() throws {
        var fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1)
        #expect(try fixture.commit([t0: 4], ids[0], generation) == [.none])
        fixture.base.clock.advance(milliseconds: 30 * day)
        #expect(try fixture.leave((ids[0], nil)) == [.none])
        fixture.base.clock.advance(milliseconds: 7 * day - 1)
        expire(fixture)
        #expect(try fixture.fetch()[t0]?.committedOffset == 4, "in use until the members went")
        fixture = try fixture.restarted()
        fixture.base.clock.advance(milliseconds: 1)
        expire(fixture)
        #expect(try list(fixture) == [])
        #expect(fixture.base.logStore.groups == [])
    }

    @Test("offsets of a group that never had members go by when they were committed; those of a transaction stay")
    func expiryOfSimple() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 4]) == [.none])
        fixture.base.clock.advance(milliseconds: day)
        #expect(try fixture.commit([u0: 5]) == [.none])
        fixture.base.clock.advance(milliseconds: 6 * day)
        expire(fixture)
        #expect(try fixture.fetch().mapValues(\.committedOffset) == [u0: 5])
        try fixture.base.logStore.changeGroups(
            .stage(group: GroupFixture.group, producerID: 1, producerEpoch: 0, [u0: CommittedOffset(offset: 9)]))
        fixture.base.clock.advance(milliseconds: 6 * day)
        expire(fixture)
        #expect(try fixture.fetch().mapValues(\.committedOffset) == [u0: 5])
    }

    @Test("a live group keeps what it reads, and loses what it has not read for long")
    func expiryOfStable() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1, sessionMs: 1_800_000)
        #expect(try fixture.commit([t0: 4, u0: 5], ids[0], generation) == [.none, .none])
        fixture.base.clock.advance(milliseconds: 8 * day)
        #expect(try fixture.heartbeat(ids[0], generation) == .none)
        expire(fixture)
        #expect(try fixture.fetch().mapValues(\.committedOffset) == [t0: 4])
        #expect(try fixture.state() == "Stable")
    }

    @Test("a commit on its way to the disk is neither expired nor taken for nothing")
    func expiryDuringCommit() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 4]) == [.none])
        fixture.base.clock.advance(milliseconds: 8 * day)
        fixture.base.disk.holdSyncs()
        let pending = try [GroupFixture.group, "new"].map { try fixture.beginCommit(t0, 5, group: $0) }
        #expect(fixture.base.disk.waitForHeldSyncs(1))
        let done = Monitor(false)
        fixture.base.broker.groups.expireOffsets { done.update { $0 = true } }
        fixture.base.disk.releaseSyncs()
        for commit in pending { #expect(try commit.wait().topics.first?.partitions.first?.error == ErrorCode.none) }
        #expect(done.wait(timeoutMs: 30_000) { $0 ? () : nil } != nil)
        fixture.settle()
        for group in [GroupFixture.group, "new"] {
            #expect(try fixture.fetch(group: group)[t0]?.committedOffset == 5)
            #expect(try fixture.describe(group).state == "Empty")
        }
    }

    @Test("who may not administer deletes nothing")
    func permissions() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 4]) == [.none])
        let consumer = fixture.base.client(.consume)
        var request = DeleteGroupsRequest()
        request.groups = [GroupFixture.group]
        #expect(try consumer.send(request).groups.map(\.error) == [.groupAuthorizationFailed])
        #expect(try consumer.send(ListGroupsRequest()).groups.count == 1)
        #expect(try fixture.base.client(.produce).send(ListGroupsRequest()).groups.isEmpty)
    }
}

import Disk
import KafkaProtocol
import LogStore
import Testing

@testable import KafkaBroker

@Suite("Groups' offsets")
struct GroupOffsetTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)
    private let t1 = TopicPartition(topic: "t", partition: 1)
    private let u0 = TopicPartition(topic: "u", partition: 0)

    @Test("what is committed is fetched again, metadata and epoch too", arguments: 1...8 as ClosedRange<Int16>)
    func roundTrip(version: Int16) throws {
        let fixture = try GroupFixture()
        #expect(
            try fixture.commit([t0: 42, u0: 7], metadata: "größe", leaderEpoch: 3, version: version) == [.none, .none])
        let all = try fixture.fetch()
        #expect(Set(all.keys) == [t0, u0])
        #expect(all[t0]?.committedOffset == 42 && all[t0]?.metadata == "größe")
        #expect(all[t0]?.committedLeaderEpoch == (version >= 6 ? 3 : -1))
        #expect(try fixture.fetch([t1])[t1]?.committedOffset == -1)
        #expect(try fixture.commit([t0: 43], metadata: nil, version: version) == [.none])
        #expect(try fixture.fetch([t0])[t0]?.metadata == "")
        #expect(try fixture.state() == "Empty")
    }

    @Test("a group that nobody knows has no offsets, which is no error", arguments: 1...7 as ClosedRange<Int16>)
    func unknownGroup(version: Int16) throws {
        let fixture = try GroupFixture()
        var request = OffsetFetchRequest()
        request.groupID = "unknown"
        var topic = OffsetFetchRequest.Topic()
        topic.name = "nowhere"
        topic.partitions = [5]
        request.topics = [topic]
        let response = try fixture.client.send(request, version: version)
        #expect(response.error == .none)
        let partition = try #require(response.topics.first?.partitions.first)
        #expect(partition.error == .none && partition.committedOffset == -1 && partition.metadata == "")
        #expect(try fixture.describe("unknown").state == "Dead")
        #expect(try fixture.fetch(group: "unknown").isEmpty)
    }

    @Test("partitions that are not there and metadata too long are refused, the rest is taken")
    func refusedPartitions() throws {
        let fixture = try GroupFixture()
        let nowhere = TopicPartition(topic: "nowhere", partition: 0)
        let beyond = TopicPartition(topic: "t", partition: 3)
        #expect(
            try fixture.commit([nowhere: 1, t0: 2, beyond: 3])
                == [.unknownTopicOrPartition, .none, .unknownTopicOrPartition])
        let long = String(repeating: "m", count: 4_097)
        #expect(try fixture.commit([t0: 9], metadata: long) == [.offsetMetadataTooLarge])
        #expect(try fixture.commit([t1: 9], metadata: String(long.dropLast())) == [.none])
        #expect(try fixture.fetch().mapValues(\.committedOffset) == [t0: 2, t1: 9])
        #expect(try fixture.commit([nowhere: 1], group: "leaves nothing") == [.unknownTopicOrPartition])
        #expect(try fixture.describe("leaves nothing").state == "Dead")
        #expect(try fixture.commit([t0: 1], group: "") == [.none], "the empty name may keep offsets")
    }

    @Test("only members commit for a group that has any, in their generation")
    func members() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 1], "someone", 3) == [.illegalGeneration], "there is no such group")
        let (ids, generation) = try fixture.stable(2)
        #expect(try fixture.commit([t0: 1]) == [.unknownMemberID])
        #expect(try fixture.commit([t0: 1], "stranger", generation) == [.unknownMemberID])
        #expect(try fixture.commit([t0: 1], ids[0], generation + 1) == [.illegalGeneration])
        #expect(try fixture.commit([t0: 1], ids[0], -1) == [.illegalGeneration])
        #expect(try fixture.commit([t0: 1], ids[0], generation) == [.none])
        // One that has left.
        #expect(try fixture.leave((ids[1], nil)) == [.none])
        #expect(try fixture.commit([t0: 9], ids[1], generation) == [.unknownMemberID])
        // While the new assignment is made it may be another's partition.
        let join = try fixture.join(ids[0]).wait()
        #expect(try fixture.commit([t0: 9], ids[0], join.generationID) == [.rebalanceInProgress])
        #expect(try fixture.fetch()[t0]?.committedOffset == 1)
        // An empty group takes commits of anyone again; not those of a member that was.
        #expect(try fixture.leave((ids[0], nil)) == [.none])
        fixture.settle()
        #expect(try fixture.commit([t0: 5]) == [.none])
        #expect(try fixture.commit([t0: 9], ids[0], 2) == [.unknownMemberID])
    }

    @Test("a commit is acknowledged when it is durable, and not when it cannot be")
    func durable() throws {
        let fixture = try GroupFixture()
        fixture.base.disk.capacityBytes = fixture.base.disk.usedBytes + 10
        #expect(try fixture.commit([t0: 1]) == [.coordinatorNotAvailable])
        #expect(try fixture.fetch().isEmpty)
        fixture.base.disk.capacityBytes = 1 << 30
        #expect(try fixture.commit([t0: 2]) == [.none])
        let again = try fixture.restarted()
        #expect(try again.fetch()[t0]?.committedOffset == 2)
    }

    @Test("a deleted topic's offsets are gone; one of the same name begins anew")
    func deletedTopic() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 4, u0: 5]) == [.none, .none])
        try fixture.base.logStore.deleteTopic("t")
        try fixture.base.logStore.createTopic("t", partitions: 1)
        #expect(try fixture.fetch([t0])[t0]?.committedOffset == -1)
        #expect(try fixture.fetch([u0])[u0]?.committedOffset == 5)
    }

    // MARK: Transactions

    private func stage(
        _ fixture: GroupFixture, _ offsets: [TopicPartition: Int64], _ id: String = "", _ generation: Int32 = -1,
        producer: Int64 = 9, epoch: Int16 = 0
    ) -> [ErrorCode] {
        var request = TxnOffsetCommitRequest()
        request.transactionalID = "tx"
        request.groupID = GroupFixture.group
        request.producerID = producer
        request.producerEpoch = epoch
        request.memberID = id
        request.generationID = generation
        request.topics = offsets.map { place, offset in
            var topic = TxnOffsetCommitRequest.Topic()
            topic.name = place.topic
            var partition = TxnOffsetCommitRequest.Partition()
            partition.index = place.partition
            partition.committedOffset = offset
            partition.metadata = "staged"
            topic.partitions = [partition]
            return topic
        }
        let answer = Monitor<[ErrorCode]?>(nil)
        fixture.base.broker.groups.stageTransactionalOffsets(request) { response in
            answer.update { $0 = response.topics.flatMap { $0.partitions.map(\.error) } }
        }
        return answer.wait(timeoutMs: 30_000) { $0 } ?? []
    }

    private func end(_ fixture: GroupFixture, producer: Int64 = 9, epoch: Int16 = 0, commit: Bool) {
        let done = Monitor(false)
        fixture.base.broker.groups.completeTransaction(producerID: producer, producerEpoch: epoch, commit: commit) {
            #expect($0 == nil)
            done.update { $0 = true }
        }
        #expect(done.wait(timeoutMs: 30_000) { $0 ? () : nil } != nil)
    }

    @Test("a transaction's offsets count when it commits; before, who needs stable ones is told to wait")
    func transactions() throws {
        var fixture = try GroupFixture()
        #expect(try fixture.commit([t0: 1]) == [.none])
        #expect(stage(fixture, [t0: 5]) == [.none])
        #expect(stage(fixture, [TopicPartition(topic: "nowhere", partition: 0): 5]) == [.unknownTopicOrPartition])
        #expect(try fixture.fetch([t0, t1])[t0]?.committedOffset == 1)
        for places in [nil, [t0, t1]] {
            let stable = try fixture.fetch(places, stable: true)
            #expect(stable[t0]?.error == .unstableOffsetCommit && stable[t0]?.committedOffset == -1)
            #expect(places == nil || stable[t1]?.error == ErrorCode.none)
        }
        fixture = try fixture.restarted()
        #expect(try fixture.fetch(stable: true)[t0]?.error == .unstableOffsetCommit)
        end(fixture, commit: true)
        #expect(try fixture.fetch(stable: true)[t0]?.committedOffset == 5)
        #expect(try fixture.fetch()[t0]?.metadata == "staged")
        #expect(stage(fixture, [t0: 6]) == [.none])
        end(fixture, commit: false)
        #expect(try fixture.fetch(stable: true)[t0]?.committedOffset == 5)
    }

    @Test("a transaction that says who it reads for must be a member in its generation; zombies are fenced")
    func transactionMembers() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1)
        #expect(stage(fixture, [t0: 1], ids[0], generation + 1) == [.illegalGeneration])
        #expect(stage(fixture, [t0: 1], "stranger", generation) == [.unknownMemberID])
        #expect(stage(fixture, [t0: 1], ids[0], generation, epoch: 2) == [.none])
        #expect(stage(fixture, [t0: 2], epoch: 1) == [.invalidProducerEpoch])
        #expect(stage(fixture, [t0: 3], epoch: 2) == [.none], "old clients do not say who they are")
        end(fixture, epoch: 2, commit: true)
        #expect(try fixture.fetch()[t0]?.committedOffset == 3)
    }
}

import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

@Suite("Transactions at the broker")
struct TransactionTests {
    private let a = TopicPartition(topic: "t", partition: 0)
    private let b = TopicPartition(topic: "t", partition: 1)
    private let fixture: BrokerFixture

    init() throws {
        fixture = try BrokerFixture()
        _ = try fixture.log("t")
    }

    private func producer(_ name: String = "tx") throws -> TransactionProducer {
        let producer = TransactionProducer(fixture.client([.produce, .consume]), name)
        #expect(try producer.begin() == .none)
        return producer
    }

    private func offset(_ group: String = "g") -> Int64? {
        fixture.logStore.committedOffsets(group: group)[a]?.offset
    }

    @Test("what is committed counts everywhere at once, with the group's offsets; what is aborted nowhere")
    func outcomes() throws {
        let producer = try producer()
        for (text, isCommit) in [("one", true), ("two", false), ("three", true), ("four", false)] {
            #expect(try producer.add([a, b]) == .none)
            #expect(try producer.addOffsets("g") == .none)
            #expect(try producer.send(text, to: a) == .none)
            #expect(try producer.send(text, to: b) == .none)
            let before = offset()
            #expect(try producer.commitOffset(Int64(text.count), a, "g") == .none)
            #expect(try !fixture.committed(a).contains(text))
            #expect(offset() == before)
            #expect(fixture.logStore.groupOffsets("g").unstable == [a])
            #expect(try producer.end(commit: isCommit) == .none)
            #expect(try fixture.committed(a).contains(text) == isCommit)
            #expect(offset() == (isCommit ? Int64(text.count) : before))
            #expect(fixture.logStore.groupOffsets("g").unstable == [])
        }
        for place in [a, b] { #expect(try fixture.committed(place) == ["one", "three"]) }
        let all = try fixture.client().send(BrokerFixture.fetch(a, isCommittedOnly: true)).topics[0].partitions[0]
        #expect(all.abortedTransactions?.map(\.firstOffset) == [2, 6])
        #expect(all.lastStableOffset == 8 && all.highWatermark == 8)
    }

    @Test("a waiting reader of committed records is woken by the end of a transaction, not by its records")
    func longPoll() throws {
        let producer = try producer()
        #expect(try producer.add([a]) == .none)
        let waiting = try fixture.client().begin(
            BrokerFixture.fetch(a, isCommittedOnly: true, maxWaitMs: 1_000_000))
        #expect(try producer.send("x", to: a) == .none)
        fixture.settle()
        #expect(!waiting.isAnswered)
        #expect(try producer.end(commit: true) == .none)
        #expect(try waiting.wait().topics[0].partitions[0].records?.count ?? 0 > 0)
    }

    @Test("a second producer of the same id shuts the first one out, and aborts what it began")
    func fencing() throws {
        let first = try producer()
        #expect(try first.add([a]) == .none)
        #expect(try first.addOffsets("g") == .none)
        #expect(try first.send("lost", to: a) == .none)
        let second = TransactionProducer(fixture.client(), "tx")
        #expect(try second.begin(isPatient: false) == .concurrentTransactions)
        #expect(try second.begin(isPatient: false) == .none)
        #expect(second.id == first.id && second.epoch == first.epoch + 2)
        for version: Int16 in 0...3 {
            let code: ErrorCode = version < 2 ? .invalidProducerEpoch : .producerFenced
            #expect(try first.add([a], version: version) == code)
            #expect(try first.addOffsets("g", version: version) == code)
            #expect(try first.end(commit: true, version: version) == code)
            #expect(try first.commitOffset(1, a, "g", version: version) == .invalidProducerEpoch)
        }
        #expect(try first.send("late", to: a) == .invalidProducerEpoch)
        #expect(try second.add([a]) == .none)
        #expect(try second.send("kept", to: a) == .none)
        #expect(try second.end(commit: true) == .none)
        #expect(try fixture.committed(a) == ["kept"])
    }

    @Test("a producer that goes on after an error keeps its id; answers that were lost are given again")
    func goingOn() throws {
        let producer = try producer()
        let id = producer.id
        #expect(producer.epoch == 0)
        for _ in 0..<2 {
            #expect(try producer.begin(as: (id, 0)) == .none)
            #expect(producer.id == id && producer.epoch == 1)
        }
        #expect(try producer.begin(as: (id, 1)) == .none)
        #expect(producer.epoch == 2)
        #expect(try producer.begin(as: (id, 0), version: 4) == .producerFenced)
        #expect(try producer.begin(as: (id, 0), version: 3) == .invalidProducerEpoch)
        #expect(try producer.begin(as: (id + 1, 2)) == .producerFenced)
        // One that begins anew is nobody's retry.
        #expect(try producer.begin() == .none)
        #expect(try producer.begin(as: (id, 2)) == .producerFenced)
    }

    @Test("requests that do not fit the state get Kafka's codes")
    func refusals() throws {
        let stranger = TransactionProducer(fixture.client(), "nobody")
        #expect(try stranger.add([a]) == .invalidProducerIDMapping)
        #expect(try stranger.end(commit: true) == .invalidProducerIDMapping)
        #expect(try stranger.commitOffset(1, a, "g") == .invalidProducerIDMapping)
        #expect(try stranger.begin(timeoutMs: 900_001) == .invalidTransactionTimeout)
        #expect(try stranger.begin(timeoutMs: 0) == .invalidTransactionTimeout)
        #expect(try TransactionProducer(fixture.client(), "").begin() == .invalidRequest)
        #expect(try TransactionProducer(fixture.client(.consume)).begin() == .transactionalIDAuthorizationFailed)

        let producer = try producer()
        #expect(try producer.end(commit: true) == .invalidTxnState)
        #expect(try producer.send("x", to: a) == .invalidTxnState)
        let missing = TopicPartition(topic: "t", partition: 9)
        #expect(try producer.addEach([a, missing]) == [.operationNotAttempted, .unknownTopicOrPartition])
        #expect(try producer.add([a]) == .none)
        #expect(try producer.send("x", to: b) == .invalidTxnState)
        #expect(try producer.commitOffset(1, a, "g") == .invalidTxnState)
        #expect(try producer.addOffsets("") == .invalidGroupID)
        #expect(try producer.send("in", to: a) == .none)
        #expect(try producer.end(commit: true) == .none)
        #expect(try producer.end(commit: true) == .none)
        #expect(try producer.end(commit: false) == .invalidTxnState)
        #expect(try producer.send("x", to: a) == .invalidTxnState)
        #expect(try producer.add([a]) == .none)
        #expect(try producer.end(commit: false) == .none)
        #expect(try producer.end(commit: true) == .invalidTxnState)
        producer.id += 1
        #expect(try producer.add([a]) == .invalidProducerIDMapping)
        #expect(try fixture.committed(a) == ["in"])
    }

    @Test("records of a transaction without its id are refused")
    func withoutID() throws {
        var partition = ProduceRequest.Partition()
        partition.records = RecordData(try numberedBatch("x", 1, 0, 0)[...])
        var topic = ProduceRequest.Topic()
        topic.name = "t"
        topic.partitions = [partition]
        var request = ProduceRequest()
        request.topics = [topic]
        let answer = try fixture.client().send(request)
        #expect(answer.topics[0].partitions[0].error == .transactionalIDAuthorizationFailed)
    }

    @Test("a transaction that takes too long is aborted, and its producer shut out")
    func timeout() throws {
        let producer = try producer()
        #expect(try producer.add([a]) == .none)
        #expect(try producer.send("x", to: a) == .none)
        fixture.advance(milliseconds: 59_999)
        fixture.settle()
        #expect(try producer.send("y", to: a) == .none)
        fixture.advance(milliseconds: 1)
        fixture.settle()
        #expect(try fixture.log("t").lastStableOffset == 3)
        #expect(try fixture.committed(a) == [])
        #expect(try producer.end(commit: true) == .producerFenced)
        #expect(try producer.send("z", to: a) == .invalidProducerEpoch)
        // It may go on as who it was before, as nobody else has begun.
        #expect(try producer.begin() == .none)
        #expect(try producer.add([a]) == .none)
        #expect(try producer.send("z", to: a) == .none)
        #expect(try producer.end(commit: true) == .none)
        #expect(try fixture.committed(a) == ["z"])
    }

    @Test("ids that nobody uses for a week are forgotten, others are not")
    func expiry() throws {
        let unused = try producer("unused")
        let open = try producer("open")
        fixture.advance(milliseconds: 7 * 86_400_000 - 3_600_000)
        #expect(try open.begin() == .none)
        for _ in 0..<2 { fixture.advance(milliseconds: 3_600_000) }
        fixture.settle()
        #expect(fixture.logStore.storedTransactions.map(\.transactionalID) == ["open"])
        #expect(try unused.add([a]) == .invalidProducerIDMapping)
        #expect(try open.add([a]) == .none)
    }

    @Test("when epochs run out the id gets another producer id, and a lost answer is given again")
    func exhaustion() throws {
        let old = StoredTransaction(transactionalID: "tx", producerID: 900, timeoutMs: 1, changedMs: 0)
        var worn = old
        worn.producerEpoch = .max - 1
        try fixture.logStore.changeTransactions(.set(worn)) { _ in }
        fixture.settle()
        let fixture = try BrokerFixture(disk: fixture.disk, clock: fixture.clock)
        let producer = TransactionProducer(fixture.client())
        for _ in 0..<2 {
            #expect(try producer.begin(as: (900, .max - 1)) == .none)
            #expect(producer.id != 900 && producer.epoch == 0)
        }
        #expect(try producer.begin(as: (900, 5)) == .producerFenced)
    }

    @Test("what cannot be told at once is told later; the decision stands")
    func retry() throws {
        let producer = try producer()
        #expect(try producer.add([a]) == .none)
        #expect(try producer.addOffsets("g") == .none)
        #expect(try producer.send("x", to: a) == .none)
        #expect(try producer.commitOffset(5, a, "g") == .none)
        // The first write is the decision, then come the marker and the groups; a failure that waits its turn does not
        // count the operation that one before it fails.
        fixture.disk.failOperation(number: 2, of: [.write], with: .full)
        fixture.disk.failOperation(number: 2, of: [.write], with: .full)
        #expect(try producer.end(commit: true) == .none)
        #expect(try fixture.log("t").lastStableOffset == 0)
        #expect(offset() == nil)
        #expect(try producer.add([b]) == .concurrentTransactions)
        #expect(try producer.end(commit: false) == .invalidTxnState)
        fixture.advance(milliseconds: 200)
        fixture.settle()
        #expect(try fixture.committed(a) == ["x"])
        #expect(offset() == 5)
        #expect(try producer.add([b]) == .none)
    }

    @Test("offsets of a transaction are taken only from members of the group's present generation")
    func members() throws {
        var joining = JoinGroupRequest()
        joining.groupID = "g"
        joining.sessionTimeoutMs = 10_000
        joining.rebalanceTimeoutMs = 10_000
        joining.groupInstanceID = "static"
        joining.protocolType = "consumer"
        var range = JoinGroupRequest.Choice()
        range.name = "range"
        joining.protocols = [range]
        let pending = try fixture.client().begin(joining)
        fixture.advance(milliseconds: 5_000)
        let joined = try pending.wait()
        #expect(joined.error == .none)
        let (member, generation) = (joined.memberID, joined.generationID)
        let producer = try producer()
        #expect(try producer.addOffsets("g") == .none)
        func commit(_ id: String, _ generation: Int32, _ instance: String? = nil) throws -> ErrorCode {
            try producer.commitOffset(3, a, "g", member: (id, generation, instance))
        }
        #expect(try commit(member, generation + 1) == .illegalGeneration)
        #expect(try commit("other", generation) == .unknownMemberID)
        #expect(try commit("other", generation, "static") == .fencedInstanceID)
        #expect(try commit("other", generation, "nobody") == .unknownMemberID)
        #expect(try commit(member, generation, "static") == .none)
        // Clients before version 3 cannot say who they are.
        #expect(try producer.commitOffset(4, b, "g", version: 2) == .none)
        #expect(try producer.end(commit: true) == .none)
        #expect(offset() == 3)
        #expect(fixture.logStore.committedOffsets(group: "g")[b]?.offset == 4)
    }

    @Test("there may be so many ids and no more")
    func tooManyIDs() throws {
        var settings = BrokerSettings()
        settings.transactions.maxIDs = 2
        let fixture = try BrokerFixture(settings: settings)
        #expect(try TransactionProducer(fixture.client(), "1").begin() == .none)
        #expect(try TransactionProducer(fixture.client(), "2").begin() == .none)
        #expect(try TransactionProducer(fixture.client(), "3").begin() == .policyViolation)
        #expect(try TransactionProducer(fixture.client(), "1").begin() == .none)
    }

    @Test("a transaction is ended although one of its topics is gone")
    func deletedTopic() throws {
        _ = try fixture.log("u")
        let producer = try producer()
        #expect(try producer.add([a, TopicPartition(topic: "u", partition: 0)]) == .none)
        #expect(try producer.send("x", to: a) == .none)
        try fixture.logStore.deleteTopic("u")
        #expect(try producer.end(commit: true) == .none)
        #expect(try fixture.committed(a) == ["x"])
    }
}

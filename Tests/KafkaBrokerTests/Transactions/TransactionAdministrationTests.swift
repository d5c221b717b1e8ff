import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

@Suite("Administration of transactions")
struct TransactionAdministrationTests {
    private let a = TopicPartition(topic: "t", partition: 0)
    private let fixture: BrokerFixture
    private let open: TransactionProducer

    /// One transaction under way, for a minute; one that was committed; and an id that has begun none.
    init() throws {
        fixture = try BrokerFixture()
        _ = try fixture.log("t")
        open = TransactionProducer(fixture.client(), "open")
        let done = TransactionProducer(fixture.client(), "done")
        for producer in [open, done] {
            #expect(try producer.begin(timeoutMs: 600_000) == .none)
            #expect(try producer.add([a, TopicPartition(topic: "t", partition: 2)]) == .none)
            #expect(try producer.send("x", to: a) == .none)
        }
        #expect(try done.end(commit: true) == .none)
        #expect(try TransactionProducer(fixture.client(), "empty").begin() == .none)
        fixture.advance(milliseconds: 60_000)
    }

    private func list(
        states: [String] = [], producers: [Int64] = [], minDurationMs: Int64 = -1,
        _ permissions: Principal.Permissions = .administer
    ) throws -> ListTransactionsResponse {
        var request = ListTransactionsRequest()
        request.states = states
        request.producerIDs = producers
        request.minDurationMs = minDurationMs
        return try fixture.client(permissions).send(request)
    }

    @Test("transactions are listed by state, producer and duration")
    func listing() throws {
        let all = try list()
        #expect(all.transactions.map(\.transactionalID) == ["done", "empty", "open"])
        #expect(all.transactions.map(\.state) == ["CompleteCommit", "Empty", "Ongoing"])
        #expect(try list(states: ["Ongoing"]).transactions.map(\.transactionalID) == ["open"])
        #expect(try list(producers: [open.id]).transactions.map(\.transactionalID) == ["open"])
        #expect(try list(states: ["Empty"], producers: [open.id]).transactions.isEmpty)
        #expect(try list(states: ["Ongoing"], minDurationMs: 60_000).transactions.isEmpty)
        #expect(try list(states: ["Ongoing"], minDurationMs: 59_999).transactions.count == 1)
        let odd = try list(states: ["Dead", "Undead"])
        #expect(odd.unknownStates == ["Undead"] && odd.transactions.isEmpty)
        #expect(try list(.consume).transactions.isEmpty)
    }

    @Test("a transaction is described with its partitions")
    func description() throws {
        var request = DescribeTransactionsRequest()
        request.transactionalIDs = ["open", "done", "nobody", ""]
        let answers = try fixture.client(.administer).send(request).transactions
        #expect(answers.map(\.error) == [.none, .none, .transactionalIDNotFound, .invalidRequest])
        #expect(answers[0].state == "Ongoing" && answers[0].timeoutMs == 600_000)
        #expect(answers[0].producerID == open.id && answers[0].producerEpoch == 0)
        #expect(answers[0].startTimeMs == BrokerFixture.startMs)
        #expect(answers[0].topics.map(\.name) == ["t"] && answers[0].topics.first?.partitions == [0, 2])
        #expect(answers[1].state == "CompleteCommit" && answers[1].topics.isEmpty)
        let refused = try fixture.client(.consume).send(request).transactions
        #expect(refused.allSatisfy { $0.error == .transactionalIDAuthorizationFailed })
    }

    @Test("a partition tells of its producers and their open transactions")
    func producers() throws {
        var request = DescribeProducersRequest()
        var topic = DescribeProducersRequest.Topic()
        topic.name = "t"
        topic.partitions = [0, 1, 7]
        request.topics = [topic]
        let partitions = try fixture.client(.administer).send(request).topics[0].partitions
        #expect(partitions.map(\.error) == [.none, .none, .unknownTopicOrPartition])
        let known = partitions[0].producers
        #expect(known.map(\.transactionStartOffset) == [0, -1])
        #expect(known.map(\.lastSequence) == [0, 0])
        #expect(known.map(\.coordinatorEpoch) == [-1, 0])
        #expect(known.first?.producerID == open.id && known.first?.lastTimestamp == BrokerFixture.startMs)
        #expect(partitions[1].producers.isEmpty)
        let refused = try fixture.client(.produce).send(request).topics[0].partitions
        #expect(refused.allSatisfy { $0.error == .topicAuthorizationFailed })
    }
}

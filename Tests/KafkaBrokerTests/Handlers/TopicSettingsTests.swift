import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

@Suite("What a topic's settings do to requests")
struct TopicSettingsTests {
    private func batch(keys: [String?]) throws -> [UInt8] {
        var builder = RecordBatchBuilder()
        for key in keys {
            builder.append(timestampMs: 5, key: key.map { Array($0.utf8) }, value: Array("v".utf8))
        }
        return try builder.finish()
    }

    private func topic(_ fixture: BrokerFixture, _ settings: [(String, String)]) throws {
        var request = CreateTopicsRequest()
        var topic = CreateTopicsRequest.Topic()
        topic.name = "t"
        topic.partitionCount = 1
        topic.replicationFactor = 1
        topic.configs = settings.map { name, value in
            var config = CreateTopicsRequest.Config()
            (config.name, config.value) = (name, value)
            return config
        }
        request.topics = [topic]
        #expect(try fixture.client().send(request).topics.map(\.error) == [.none])
    }

    private func produce(_ fixture: BrokerFixture, _ records: [UInt8]) throws -> ProduceResponse.Partition {
        var request = ProduceRequest()
        request.acks = -1
        var topic = ProduceRequest.Topic()
        topic.name = "t"
        var partition = ProduceRequest.Partition()
        partition.records = RecordData(records[...])
        topic.partitions = [partition]
        request.topics = [topic]
        return try #require(try fixture.client().send(request).topics.first?.partitions.first)
    }

    private func delete(
        _ client: BrokerClient, _ topic: String, before offset: Int64
    ) throws -> DeleteRecordsResponse.Partition {
        var request = DeleteRecordsRequest()
        var wish = DeleteRecordsRequest.Topic()
        wish.name = topic
        var partition = DeleteRecordsRequest.Partition()
        partition.offset = offset
        wish.partitions = [partition]
        request.topics = [wish]
        return try #require(try client.send(request).topics.first?.partitions.first)
    }

    @Test("a producer is told the log's time where the topic's records carry it")
    func appendTime() throws {
        let fixture = try BrokerFixture()
        try topic(fixture, [("message.timestamp.type", "LogAppendTime")])
        let answer = try produce(fixture, try batch(keys: [nil]))
        #expect(answer.error == .none && answer.logAppendTimeMs == BrokerFixture.startMs)
    }

    @Test("records without keys are refused by a compacted topic, each by its number")
    func keyless() throws {
        let fixture = try BrokerFixture()
        try topic(fixture, [("cleanup.policy", "compact")])
        let refused = try produce(fixture, try batch(keys: ["a", nil, "b", nil]))
        #expect(refused.error == .invalidRecord && refused.recordErrors.map(\.batchIndex) == [1, 3])
        let taken = try produce(fixture, try batch(keys: ["a"]))
        #expect(taken.error == .none && taken.baseOffset == 0 && taken.logAppendTimeMs == -1)
        #expect(try delete(fixture.client(), "t", before: -1).error == .policyViolation)
    }

    @Test("deleted records are gone, and who deletes is told where the partition begins")
    func deletion() throws {
        let fixture = try BrokerFixture()
        try topic(fixture, [])
        for _ in 0..<3 { _ = try produce(fixture, try batch(keys: [nil, nil])) }
        let deleted = try delete(fixture.client(.administer), "t", before: 3)
        #expect(deleted.error == .none && deleted.lowWatermark == 3)
        #expect(try fixture.log("t").startOffset == 3)
        let all = try delete(fixture.client(), "t", before: -1)
        #expect(all.error == .none && all.lowWatermark == 6)
        let past = try delete(fixture.client(), "t", before: 7)
        #expect(past.error == .offsetOutOfRange && past.lowWatermark == -1)
        #expect(try delete(fixture.client(), "u", before: 0).error == .unknownTopicOrPartition)
        #expect(try delete(fixture.client([.produce, .consume]), "t", before: -1).error == .topicAuthorizationFailed)
    }
}

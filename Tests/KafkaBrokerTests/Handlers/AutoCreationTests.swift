import KafkaBroker
import KafkaProtocol
import Testing

@Suite("Topics that are made when they are asked for")
struct AutoCreationTests {
    private func ask(_ fixture: BrokerFixture, _ names: [String]) throws -> [MetadataResponse.Topic] {
        var request = MetadataRequest()
        request.topics = names.map { name in
            var topic = MetadataRequest.Topic()
            topic.name = name
            return topic
        }
        return try fixture.client().send(request).topics
    }

    @Test("they have as many partitions as is configured, and one that is there stays as it is")
    func partitions() throws {
        var settings = BrokerSettings()
        settings.defaultPartitions = 5
        let fixture = try BrokerFixture(settings: settings)
        _ = try fixture.log("there")
        let topics = try ask(fixture, ["new", "there", "new"])
        #expect(topics.map(\.error) == [.none, .none], "what is named twice is answered once")
        #expect(topics.map(\.partitions.count) == [5, 3])
    }

    @Test("without it there is no such topic")
    func off() throws {
        var settings = BrokerSettings()
        settings.autoCreateTopics = false
        let fixture = try BrokerFixture(settings: settings)
        #expect(try ask(fixture, ["new"]).map(\.error) == [.unknownTopicOrPartition])
        #expect(fixture.logStore.topics.isEmpty)
    }
}

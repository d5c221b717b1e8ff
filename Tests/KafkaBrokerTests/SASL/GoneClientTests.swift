import Disk
import KafkaProtocol
import Testing

@testable import KafkaBroker

@Suite("Clients that are gone")
struct GoneClientTests {
    @Test("a fetch that waits is given up when its connection is gone", arguments: [false, true])
    func fetchIsGivenUp(isGoneBefore: Bool) throws {
        let fixture = try BrokerFixture()
        _ = try fixture.log("t")
        let client = fixture.client()
        let idleTimers = fixture.timers.count
        var partition = FetchRequest.Partition()
        partition.index = 0
        partition.maxBytes = 1 << 20
        var topic = FetchRequest.Topic()
        topic.name = "t"
        topic.partitions = [partition]
        var request = FetchRequest()
        request.maxWaitMs = Int32.max
        request.minBytes = 1
        request.maxBytes = 1 << 20
        request.topics = [topic]
        if isGoneBefore { client.session.close() }
        let pending = try client.begin(request)
        if !isGoneBefore {
            #expect(!pending.isAnswered)
            client.session.close()
        }
        #expect(try pending.wait().error == .none)
        #expect(fixture.timers.count == idleTimers, "nothing of it is left")
    }
}

import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

@Suite("Producer ids")
struct ProducerIDTests {
    private func ask(_ client: BrokerClient, version: Int16? = nil) throws -> InitProducerIDResponse {
        var request = InitProducerIDRequest()
        request.transactionalID = nil
        return try client.send(request, version: version)
    }

    @Test("each idempotent producer gets an id of its own, in every version, also after a crash")
    func ids() throws {
        var fixture = try BrokerFixture()
        var seen: Set<Int64> = []
        for _ in 0..<3 {
            for version in InitProducerIDRequest.api.versions {
                let answer = try ask(fixture.client(.produce), version: version)
                #expect(answer.error == .none)
                #expect(answer.producerID >= 0 && answer.producerEpoch == 0)
                #expect(seen.insert(answer.producerID).inserted)
            }
            fixture.disk.crash(.none)
            fixture = try BrokerFixture(disk: fixture.disk)
        }
    }

    @Test("who may not produce gets no id, nor who says half of what they have")
    func refusals() throws {
        let fixture = try BrokerFixture()
        #expect(try ask(fixture.client(.consume)).error == .clusterAuthorizationFailed)
        var request = InitProducerIDRequest()
        request.transactionalID = nil
        request.producerID = 5
        #expect(try fixture.client().send(request).error == .invalidRequest)
        request.transactionalID = "t"
        #expect(try fixture.client(.consume).send(request).error == .transactionalIDAuthorizationFailed)
    }

    @Test("an id that cannot be kept is not given")
    func diskFailure() throws {
        let fixture = try BrokerFixture()
        fixture.disk.failOperation(number: 1, isSticky: true)
        let answer = try ask(fixture.client())
        #expect(answer.error == .kafkaStorageError && answer.producerID == -1)
        fixture.disk.clearFailures()
        #expect(try ask(fixture.client()).error == .none)
    }
}

import KafkaProtocol
import LogStore

/// Gives producers that number their batches, or write in transactions, their ids.
struct ProducerIDHandlers: Sendable {
    let logStore: LogStore
    let transactions: TransactionCoordinator
    let offload: Broker.Offload

    /// The first version whose clients know the code for a producer that was shut out.
    private static let firstFencedVersion: Int16 = 4

    func register(in table: inout HandlerTable) {
        table.on(InitProducerIDRequest.self) { request, context, reply in
            if let refusal = Self.refusal(of: request, context) {
                reply(Self.failure(refusal))
                return
            }
            // Now and then an id has to wait for the disk.
            let isTaken = offload {
                if let name = request.transactionalID {
                    initialize(name, request, reply)
                } else {
                    reply(allocate())
                }
            }
            if !isTaken { reply(Self.failure(.coordinatorNotAvailable)) }
        }
    }

    /// Why a request is refused before anything is done.
    private static func refusal(of request: InitProducerIDRequest, _ context: RequestContext) -> ErrorCode? {
        if !context.session.may(.produce) {
            return request.transactionalID == nil ? .clusterAuthorizationFailed : .transactionalIDAuthorizationFailed
        }
        // Both are said, or none.
        return (request.producerID == -1) == (request.producerEpoch == -1) ? nil : .invalidRequest
    }

    private func initialize(_ name: String, _ request: InitProducerIDRequest, _ reply: Reply<InitProducerIDRequest>) {
        let expected =
            request.producerID == -1
            ? nil : ProducerIdentity(id: request.producerID, epoch: request.producerEpoch)
        transactions.initialize(name, timeoutMs: request.transactionTimeoutMs, as: expected) { code, producer in
            guard let producer else {
                let isOld = reply.header.version < Self.firstFencedVersion
                reply(Self.failure(isOld && code == .producerFenced ? .invalidProducerEpoch : code))
                return
            }
            var response = InitProducerIDResponse()
            response.producerID = producer.id
            response.producerEpoch = producer.epoch
            reply(response)
        }
    }

    private func allocate() -> InitProducerIDResponse {
        do throws(LogStoreError) {
            var response = InitProducerIDResponse()
            response.producerID = try logStore.allocateProducerID()
            return response
        } catch {
            return Self.failure(ErrorCode(error))
        }
    }

    private static func failure(_ error: ErrorCode) -> InitProducerIDResponse {
        var response = InitProducerIDResponse()
        response.error = error
        response.producerEpoch = -1
        return response
    }
}

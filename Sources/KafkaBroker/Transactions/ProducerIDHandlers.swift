import KafkaProtocol
import LogStore

/// Gives producers that number their batches their ids.
struct ProducerIDHandlers: Sendable {
    let logStore: LogStore
    let offload: Broker.Offload

    func register(in table: inout HandlerTable) {
        table.on(InitProducerIDRequest.self) { request, context, reply in
            if let refusal = Self.refusal(of: request, context) {
                reply(Self.failure(refusal))
                return
            }
            // Now and then an id has to wait for the disk.
            let isTaken = offload { reply(allocate()) }
            if !isTaken { reply(Self.failure(.coordinatorNotAvailable)) }
        }
    }

    /// Why a request is refused before anything is done.
    private static func refusal(of request: InitProducerIDRequest, _ context: RequestContext) -> ErrorCode? {
        guard request.transactionalID == nil else {
            return context.session.may(.produce) ? .invalidRequest : .transactionalIDAuthorizationFailed
        }
        if !context.session.may(.produce) { return .clusterAuthorizationFailed }
        // Both are said, or none.
        return (request.producerID == -1) == (request.producerEpoch == -1) ? nil : .invalidRequest
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

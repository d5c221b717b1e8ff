import KafkaProtocol
import LogStore

/// Transactions' requests on their way to the coordinator.
struct TransactionHandlers: Sendable {
    let logStore: LogStore
    let transactions: TransactionCoordinator
    let groups: GroupCoordinator

    /// The first version whose clients know the code for a producer that was shut out.
    private static let firstFencedVersion: Int16 = 2

    func register(in table: inout HandlerTable) {
        table.on(AddPartitionsToTxnRequest.self) { request, context, reply in add(request, context, reply) }
        table.on(AddOffsetsToTxnRequest.self) { request, context, reply in add(request, context, reply) }
        table.on(EndTxnRequest.self) { request, context, reply in end(request, context, reply) }
        table.on(TxnOffsetCommitRequest.self) { request, context, reply in commit(request, context, reply) }
    }

    /// The code as clients of this version know it.
    private static func code(_ code: ErrorCode, _ version: Int16) -> ErrorCode {
        version < firstFencedVersion && code == .producerFenced ? .invalidProducerEpoch : code
    }

    // MARK: AddPartitionsToTxn

    private func add(
        _ request: AddPartitionsToTxnRequest, _ context: RequestContext, _ reply: Reply<AddPartitionsToTxnRequest>
    ) {
        var partitions: Set<TopicPartition> = []
        for topic in request.topics {
            for index in topic.partitions { partitions.insert(TopicPartition(topic: topic.name, partition: index)) }
        }
        guard context.session.may(.produce) else {
            reply(Self.answer(request) { _ in .transactionalIDAuthorizationFailed })
            return
        }
        let unknown = partitions.filter { logStore.partition($0) == nil }
        guard unknown.isEmpty else {
            reply(Self.answer(request) { unknown.contains($0) ? .unknownTopicOrPartition : .operationNotAttempted })
            return
        }
        let producer = ProducerIdentity(id: request.producerID, epoch: request.producerEpoch)
        transactions.add(request.transactionalID, producer, partitions: partitions) { code in
            reply(Self.answer(request) { _ in Self.code(code, context.version) })
        }
    }

    private static func answer(
        _ request: AddPartitionsToTxnRequest, _ code: (TopicPartition) -> ErrorCode
    ) -> AddPartitionsToTxnResponse {
        var response = AddPartitionsToTxnResponse()
        response.topics = request.topics.map { topic in
            var answer = AddPartitionsToTxnResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { index in
                var answer = AddPartitionsToTxnResponse.Partition()
                answer.index = index
                answer.error = code(TopicPartition(topic: topic.name, partition: index))
                return answer
            }
            return answer
        }
        return response
    }

    // MARK: AddOffsetsToTxn

    private func add(
        _ request: AddOffsetsToTxnRequest, _ context: RequestContext, _ reply: Reply<AddOffsetsToTxnRequest>
    ) {
        let answer: @Sendable (ErrorCode) -> Void = { code in
            var response = AddOffsetsToTxnResponse()
            response.error = Self.code(code, context.version)
            reply(response)
        }
        if !context.session.may(.produce) {
            answer(.transactionalIDAuthorizationFailed)
        } else if !context.session.may(.consume) {
            answer(.groupAuthorizationFailed)
        } else if let refusal = groups.refusal(ofName: request.groupID) {
            answer(refusal)
        } else {
            let producer = ProducerIdentity(id: request.producerID, epoch: request.producerEpoch)
            transactions.add(request.transactionalID, producer, groups: [request.groupID], reply: answer)
        }
    }

    // MARK: EndTxn

    private func end(_ request: EndTxnRequest, _ context: RequestContext, _ reply: Reply<EndTxnRequest>) {
        let answer: @Sendable (ErrorCode) -> Void = { code in
            var response = EndTxnResponse()
            response.error = Self.code(code, context.version)
            reply(response)
        }
        guard context.session.may(.produce) else {
            answer(.transactionalIDAuthorizationFailed)
            return
        }
        let producer = ProducerIdentity(id: request.producerID, epoch: request.producerEpoch)
        transactions.end(request.transactionalID, producer, isCommit: request.isCommit, reply: answer)
    }

    // MARK: TxnOffsetCommit

    private func commit(
        _ request: TxnOffsetCommitRequest, _ context: RequestContext, _ reply: Reply<TxnOffsetCommitRequest>
    ) {
        guard context.session.may(.produce) else {
            reply(Self.refusal(of: request, .transactionalIDAuthorizationFailed))
            return
        }
        guard context.session.may(.consume) else {
            reply(Self.refusal(of: request, .groupAuthorizationFailed))
            return
        }
        let producer = ProducerIdentity(id: request.producerID, epoch: request.producerEpoch)
        let refusal = transactions.enter(request.transactionalID, producer) { $0.groups.contains(request.groupID) }
        if let refusal {
            reply(Self.refusal(of: request, Self.offsetCode(refusal, context.version)))
            return
        }
        groups.stageTransactionalOffsets(request) { reply($0) }
        transactions.hasEntered(request.transactionalID)
    }

    /// Clients that commit offsets know fewer codes.
    private static func offsetCode(_ code: ErrorCode, _ version: Int16) -> ErrorCode {
        switch code {
        case .producerFenced: .invalidProducerEpoch
        case .concurrentTransactions:
            version < firstFencedVersion ? .coordinatorNotAvailable : .coordinatorLoadInProgress
        default: code
        }
    }

    private static func refusal(of request: TxnOffsetCommitRequest, _ code: ErrorCode) -> TxnOffsetCommitResponse {
        var response = TxnOffsetCommitResponse()
        response.topics = request.topics.map { topic in
            var answer = TxnOffsetCommitResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var answer = TxnOffsetCommitResponse.Partition()
                answer.index = partition.index
                answer.error = code
                return answer
            }
            return answer
        }
        return response
    }
}

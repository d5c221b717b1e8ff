import KafkaProtocol
import LogStore
import Synchronization

/// Tells administrators of transactions and of the producers that partitions know.
struct TransactionAdministrationHandlers: Sendable {
    let logStore: LogStore
    let transactions: TransactionCoordinator
    let offload: Broker.Offload

    func register(in table: inout HandlerTable) {
        table.on(ListTransactionsRequest.self) { request, context, reply in
            reply(Self.mayLook(context) ? transactions.list(request) : ListTransactionsResponse())
        }
        table.on(DescribeTransactionsRequest.self) { request, context, reply in
            var response = DescribeTransactionsResponse()
            response.transactions = request.transactionalIDs.unique { $0 }.map { name in
                if Self.mayLook(context) { return transactions.describe(name) }
                var answer = DescribeTransactionsResponse.Transaction()
                answer.transactionalID = name
                answer.error = .transactionalIDAuthorizationFailed
                return answer
            }
            reply(response)
        }
        table.on(DescribeProducersRequest.self) { request, context, reply in
            let isAllowed = context.session.may(.consume) || context.session.may(.administer)
            let isTaken = offload {
                reply(
                    Self.answer(request) { place, answer in
                        if isAllowed { describe(place, &answer) } else { answer.error = .topicAuthorizationFailed }
                    })
            }
            if !isTaken { reply(Self.answer(request) { $1.error = .requestTimedOut }) }
        }
    }

    private static func mayLook(_ context: RequestContext) -> Bool {
        context.session.may(.produce) || context.session.may(.administer)
    }

    private static func answer(
        _ request: DescribeProducersRequest,
        _ fill: (TopicPartition, inout DescribeProducersResponse.Partition) -> Void
    ) -> DescribeProducersResponse {
        var response = DescribeProducersResponse()
        response.topics = request.topics.unique { $0.name }.map { topic in
            var answer = DescribeProducersResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.unique { $0 }.map { index in
                var answer = DescribeProducersResponse.Partition()
                answer.index = index
                fill(TopicPartition(topic: topic.name, partition: index), &answer)
                return answer
            }
            return answer
        }
        return response
    }

    private func describe(_ place: TopicPartition, _ answer: inout DescribeProducersResponse.Partition) {
        guard let log = logStore.partition(place) else {
            answer.error = .unknownTopicOrPartition
            return
        }
        do throws(LogStoreError) {
            answer.producers = try log.activeProducers().map { producer in
                var answer = DescribeProducersResponse.Producer()
                answer.producerID = producer.producerID
                answer.producerEpoch = Int32(producer.producerEpoch)
                answer.lastSequence = producer.lastSequence
                answer.lastTimestamp = producer.lastSeenMs
                answer.coordinatorEpoch = producer.coordinatorEpoch
                answer.transactionStartOffset = producer.transactionStart ?? -1
                return answer
            }
        } catch {
            answer.error = ErrorCode(error)
            answer.errorMessage = error.message
        }
    }
}

extension StoredTransaction.State {
    /// The name in Kafka's answers.
    var kafkaName: String {
        switch self {
        case .empty: "Empty"
        case .ongoing: "Ongoing"
        case .prepareCommit: "PrepareCommit"
        case .prepareAbort: "PrepareAbort"
        case .completeCommit: "CompleteCommit"
        case .completeAbort: "CompleteAbort"
        }
    }
}

extension TransactionCoordinator {
    /// Kafka's states that no transaction is ever seen in.
    private static let passingStates = ["Dead", "PrepareEpochFence"]

    /// The transactional ids that a request is after, by name.
    func list(_ request: ListTransactionsRequest) -> ListTransactionsResponse {
        let known = Set(StoredTransaction.State.allCases.map(\.kafkaName) + Self.passingStates)
        var response = ListTransactionsResponse()
        response.unknownStates = request.states.filter { !known.contains($0) }
        let states = Set(request.states)
        let producers = Set(request.producerIDs)
        let nowMs = nowMs
        let found = entries.withLock { entries in
            entries.values.map(\.stored).filter { stored in
                (producers.isEmpty || producers.contains(stored.producerID))
                    && (states.isEmpty || states.contains(stored.state.kafkaName))
                    && (request.minDurationMs < 0 || nowMs &- stored.startedMs > request.minDurationMs)
            }
        }
        response.transactions = found.sorted { $0.transactionalID < $1.transactionalID }.map { stored in
            var answer = ListTransactionsResponse.Transaction()
            answer.transactionalID = stored.transactionalID
            answer.producerID = stored.producerID
            answer.state = stored.state.kafkaName
            return answer
        }
        return response
    }

    /// What goes on under a transactional id.
    func describe(_ name: String) -> DescribeTransactionsResponse.Transaction {
        var answer = DescribeTransactionsResponse.Transaction()
        answer.transactionalID = name
        guard !name.isEmpty else {
            answer.error = .invalidRequest
            return answer
        }
        guard let stored = entries.withLock({ $0[name]?.stored }) else {
            answer.error = .transactionalIDNotFound
            return answer
        }
        answer.state = stored.state.kafkaName
        answer.timeoutMs = stored.timeoutMs
        answer.startTimeMs = stored.startedMs
        answer.producerID = stored.producerID
        answer.producerEpoch = stored.producerEpoch
        let indexes = Dictionary(grouping: stored.partitions, by: \.topic)
        answer.topics = indexes.sorted { $0.key < $1.key }.map { name, partitions in
            var topic = DescribeTransactionsResponse.Topic()
            topic.name = name
            topic.partitions = partitions.map(\.partition).sorted()
            return topic
        }
        return answer
    }
}

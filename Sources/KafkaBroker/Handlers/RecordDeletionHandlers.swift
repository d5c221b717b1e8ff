import KafkaProtocol
import LogStore

/// Deletes records from the front of partitions. Rows that tables made of them stay.
struct RecordDeletionHandlers: Sendable {
    let logStore: LogStore
    let offload: Broker.Offload

    func register(in table: inout HandlerTable) {
        table.on(DeleteRecordsRequest.self) { request, context, reply in
            guard context.session.may(.administer) else {
                reply(Self.refusal(of: request, .topicAuthorizationFailed))
                return
            }
            let isTaken = offload { reply(delete(request)) }
            if !isTaken { reply(Self.refusal(of: request, .requestTimedOut)) }
        }
    }

    private func delete(_ request: DeleteRecordsRequest) -> DeleteRecordsResponse {
        Self.answer(request) { name, wish, answer in
            guard let log = logStore.partition(name) else {
                answer.error = .unknownTopicOrPartition
                return
            }
            do throws(LogStoreError) {
                answer.lowWatermark = try log.deleteRecords(before: wish.offset)
            } catch {
                answer.error = ErrorCode(error)
            }
        }
    }

    private static func refusal(of request: DeleteRecordsRequest, _ error: ErrorCode) -> DeleteRecordsResponse {
        answer(request) { _, _, answer in answer.error = error }
    }

    private static func answer(
        _ request: DeleteRecordsRequest,
        _ fill: (TopicPartition, DeleteRecordsRequest.Partition, inout DeleteRecordsResponse.Partition) -> Void
    ) -> DeleteRecordsResponse {
        var response = DeleteRecordsResponse()
        response.topics = request.topics.map { topic in
            var answer = DeleteRecordsResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var answer = DeleteRecordsResponse.Partition()
                answer.index = partition.index
                fill(TopicPartition(topic: topic.name, partition: partition.index), partition, &answer)
                return answer
            }
            return answer
        }
        return response
    }
}

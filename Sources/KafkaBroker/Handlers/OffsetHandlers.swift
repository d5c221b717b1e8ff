import KafkaProtocol
import LogStore

/// Finds offsets by time, and by leader epoch.
struct OffsetHandlers: Sendable {
    let logStore: LogStore
    let offload: Broker.Offload

    /// What a client says instead of a time.
    private enum SpecialTime {
        static let end: Int64 = -1
        static let start: Int64 = -2
        static let largestTimestamp: Int64 = -3
    }

    private static let firstVersionWithLargestTimestamp: Int16 = 7

    func register(in table: inout HandlerTable) {
        table.on(ListOffsetsRequest.self) { request, context, reply in
            let isTaken = offload { reply(list(request, context)) }
            if !isTaken { reply(Self.refusal(of: request, .requestTimedOut)) }
        }
        table.on(OffsetForLeaderEpochRequest.self) { request, context, reply in reply(ends(request, context)) }
    }

    /// Where leaders' epochs end: there is but one, and it has not ended.
    private func ends(
        _ request: OffsetForLeaderEpochRequest, _ context: RequestContext
    ) -> OffsetForLeaderEpochResponse {
        var response = OffsetForLeaderEpochResponse()
        response.topics = request.topics.map { topic in
            var answer = OffsetForLeaderEpochResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var answer = OffsetForLeaderEpochResponse.Partition()
                answer.index = partition.index
                let name = TopicPartition(topic: topic.name, partition: partition.index)
                if !context.session.may(.consume) {
                    answer.error = .topicAuthorizationFailed
                } else if let log = logStore.partition(name) {
                    if partition.currentLeaderEpoch > MetadataHandlers.leaderEpoch {
                        answer.error = .unknownLeaderEpoch
                    } else if partition.leaderEpoch == MetadataHandlers.leaderEpoch {
                        answer.leaderEpoch = MetadataHandlers.leaderEpoch
                        answer.endOffset = log.endOffset
                    }
                } else {
                    answer.error = .unknownTopicOrPartition
                }
                return answer
            }
            return answer
        }
        return response
    }

    private func list(_ request: ListOffsetsRequest, _ context: RequestContext) -> ListOffsetsResponse {
        guard context.session.may(.consume) || context.session.may(.produce) else {
            return Self.refusal(of: request, .topicAuthorizationFailed)
        }
        return Self.answer(request) { topic, partition, answer in
            guard let log = logStore.partition(TopicPartition(topic: topic, partition: partition.index)) else {
                answer.error = .unknownTopicOrPartition
                return
            }
            guard partition.currentLeaderEpoch <= MetadataHandlers.leaderEpoch else {
                answer.error = .unknownLeaderEpoch
                return
            }
            do throws(LogStoreError) {
                try find(partition.timestamp, in: log, request, context.version, &answer)
            } catch {
                answer.error = ErrorCode(error)
            }
        }
    }

    private func find(
        _ timestamp: Int64, in log: PartitionLog, _ request: ListOffsetsRequest, _ version: Int16,
        _ answer: inout ListOffsetsResponse.Partition
    ) throws(LogStoreError) {
        let end = request.isolationLevel == 1 ? log.lastStableOffset : log.endOffset
        answer.leaderEpoch = MetadataHandlers.leaderEpoch
        switch timestamp {
        case SpecialTime.end: answer.offset = end
        case SpecialTime.start: answer.offset = log.startOffset
        case SpecialTime.largestTimestamp where version >= Self.firstVersionWithLargestTimestamp:
            guard let found = try log.maxTimestampAndOffset() else { return }
            (answer.timestamp, answer.offset) = (found.timestampMs, found.offset)
        case 0...:
            guard let found = try log.timestampAndOffset(atOrAfterMs: timestamp), found.offset < end else { return }
            (answer.timestamp, answer.offset) = (found.timestampMs, found.offset)
        default: answer.error = .unsupportedVersion
        }
    }

    private static func refusal(of request: ListOffsetsRequest, _ error: ErrorCode) -> ListOffsetsResponse {
        answer(request) { _, _, answer in answer.error = error }
    }

    private static func answer(
        _ request: ListOffsetsRequest,
        _ fill: (String, ListOffsetsRequest.Partition, inout ListOffsetsResponse.Partition) -> Void
    ) -> ListOffsetsResponse {
        var response = ListOffsetsResponse()
        response.topics = request.topics.map { topic in
            var answer = ListOffsetsResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var answer = ListOffsetsResponse.Partition()
                answer.index = partition.index
                fill(topic.name, partition, &answer)
                return answer
            }
            return answer
        }
        return response
    }
}

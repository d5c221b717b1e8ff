import KafkaProtocol
import LogStore
import Synchronization

/// Appends what producers send. The answer is given once every partition's records are as durable as their topic
/// promises; requests go on to the log as they come, so that one sync serves many.
struct ProduceHandlers: Sendable {
    let logStore: LogStore
    let transactions: TransactionCoordinator

    /// The first version of Produce that may carry zstd.
    private static let firstZstdVersion: Int16 = 7

    func register(in table: inout HandlerTable) {
        table.on(ProduceRequest.self) { request, context, reply in
            let answer = ProduceAnswer(request, reply)
            var failure: (code: ErrorCode, message: String)?
            if !context.session.may(.produce) {
                failure = (.topicAuthorizationFailed, "this user may not produce")
            } else if ![-1, 0, 1].contains(request.acks) {
                failure = (.invalidRequiredAcks, "acks is 0, 1 or -1 (all), not \(request.acks)")
            }
            for (topicIndex, topic) in request.topics.enumerated() {
                for (index, partition) in topic.partitions.enumerated() {
                    let place = ProduceAnswer.Place(topic: topicIndex, partition: index)
                    if let failure {
                        answer.fail(place, failure.code, failure.message)
                    } else {
                        append(partition, of: topic.name, request.transactionalID, context, answer, place)
                    }
                }
            }
            answer.partDone()
        }
    }

    private func append(
        _ partition: ProduceRequest.Partition, of topic: String, _ transactionalID: String?,
        _ context: RequestContext, _ answer: ProduceAnswer, _ place: ProduceAnswer.Place
    ) {
        let target = TopicPartition(topic: topic, partition: partition.index)
        guard let log = logStore.partition(target) else {
            answer.fail(place, .unknownTopicOrPartition, "there is no \(topic)-\(partition.index)")
            return
        }
        guard let batch = partition.records?.bytes, !batch.isEmpty else {
            answer.fail(place, .invalidRecord, "no record batch for \(topic)-\(partition.index)")
            return
        }
        if let refusal = Self.refusal(of: batch, context.version) {
            answer.fail(place, refusal.code, refusal.message)
            return
        }
        let isTransactional = batch[batch.startIndex + 22] & 0x10 != 0
        if isTransactional, let refusal = enter(batch, target, transactionalID) {
            answer.fail(place, refusal.code, refusal.message)
            return
        }
        log.append([batch]) { result in
            switch result {
            case .success(let appended): answer.succeed(place, appended, log)
            case .failure(let error): answer.fail(place, error)
            }
        }
        if isTransactional, let transactionalID { transactions.hasEntered(transactionalID) }
    }

    /// Lets a batch into its transaction, or says why not.
    private func enter(
        _ batch: ArraySlice<UInt8>, _ target: TopicPartition, _ transactionalID: String?
    ) -> (code: ErrorCode, message: String)? {
        guard let transactionalID, !transactionalID.isEmpty else {
            return (.transactionalIDAuthorizationFailed, "records of a transaction without a transactional id")
        }
        guard let header = try? batch.withUnsafeBytes({ try RecordBatch(parsing: $0) }) else {
            return (.corruptMessage, "an unreadable record batch")
        }
        let producer = ProducerIdentity(id: header.producerID, epoch: header.producerEpoch)
        let refusal = transactions.enter(transactionalID, producer) { $0.partitions.contains(target) }
        switch refusal {
        case nil: return nil
        // Producers know the older of the two codes here, and this one as something to be tried again.
        case .producerFenced: return (.invalidProducerEpoch, "the producer has epoch \(producer.epoch) no more")
        case .concurrentTransactions: return (.notEnoughReplicas, "the transaction before is still being ended")
        case .invalidTxnState:
            return (.invalidTxnState, "\(target.topic)-\(target.partition) was not added to the transaction")
        case .some(let code):
            return (code, "\(transactionalID) is not the transactional id of producer \(producer.id)")
        }
    }

    /// Why a batch is refused before the log looks at it.
    private static func refusal(
        of batch: ArraySlice<UInt8>, _ version: Int16
    ) -> (code: ErrorCode, message: String)? {
        let start = batch.startIndex
        guard batch.count > 22 else { return (.corruptMessage, "a record batch of \(batch.count) bytes") }
        let magic = batch[start + 16]
        guard magic == 2 else {
            return (
                .unsupportedForMessageFormat,
                "records of format \(magic); only format 2, which Kafka has since 0.11, is taken"
            )
        }
        let zstd: UInt8 = 4
        if version < firstZstdVersion, batch[start + 22] & 7 == zstd {
            return (.unsupportedCompressionType, "zstd needs version \(firstZstdVersion) of Produce")
        }
        return nil
    }
}

/// Gathers what became of each partition's records, and answers when all is known.
private final class ProduceAnswer: Sendable {
    struct Place: Sendable {
        let topic: Int
        let partition: Int
    }

    private struct State {
        var response = ProduceResponse()
        /// What is not known yet, and one for the handler that is still at it.
        var left = 1
        var failure: String?
    }

    private let acks: Int16
    private let reply: Reply<ProduceRequest>
    private let state: Mutex<State>

    init(_ request: ProduceRequest, _ reply: Reply<ProduceRequest>) {
        acks = request.acks
        self.reply = reply
        var state = State()
        state.response.topics = request.topics.map { topic in
            var answer = ProduceResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var answer = ProduceResponse.Partition()
                answer.index = partition.index
                return answer
            }
            state.left += topic.partitions.count
            return answer
        }
        self.state = Mutex(state)
    }

    func succeed(_ place: Place, _ result: AppendResult, _ log: PartitionLog) {
        let startOffset = log.startOffset
        done { state in
            state.response.topics[place.topic].partitions[place.partition].baseOffset = result.baseOffset
            state.response.topics[place.topic].partitions[place.partition].logStartOffset = startOffset
            if let timeMs = result.logAppendTimeMs {
                state.response.topics[place.topic].partitions[place.partition].logAppendTimeMs = timeMs
            }
        }
    }

    func fail(_ place: Place, _ error: LogStoreError) {
        fail(place, ErrorCode(error), error.message, error.recordErrors)
    }

    func fail(_ place: Place, _ code: ErrorCode, _ message: String, _ records: [RecordError] = []) {
        done { state in
            var answer = state.response.topics[place.topic].partitions[place.partition]
            answer.error = code
            answer.errorMessage = message
            answer.recordErrors = records.map { record in
                var error = ProduceResponse.RecordError()
                error.batchIndex = Int32(clamping: record.index)
                error.message = record.message
                return error
            }
            state.response.topics[place.topic].partitions[place.partition] = answer
            state.failure = message
        }
    }

    func partDone() { done { _ in } }

    private func done(_ change: (inout State) -> Void) {
        let finished: State? = state.withLock { state in
            change(&state)
            state.left -= 1
            return state.left == 0 ? state : nil
        }
        guard let finished else { return }
        if acks != 0 {
            reply(finished.response)
        } else if let failure = finished.failure {
            // Who asked for no answer learns of a failure only so.
            reply.send(.close("records sent without acknowledgement were refused: \(failure)"))
        } else {
            reply.send(.silence)
        }
    }
}

import KafkaProtocol
import LogStore
import Synchronization

/// Hands out record batches, and lets readers wait for new ones.
struct FetchHandlers: Sendable {
    let logStore: LogStore
    let settings: BrokerSettings
    let timers: Timers
    let offload: Broker.Offload

    func register(in table: inout HandlerTable) {
        table.on(FetchRequest.self) { request, context, reply in
            // Sessions save a large cluster's followers from repeating their partitions; a client that offers one is
            // told that there is none and goes on with whole requests.
            guard request.sessionID == 0 else {
                var response = FetchResponse()
                response.error = .fetchSessionIDNotFound
                reply(response)
                return
            }
            PendingFetch(request, context, reply, self).begin()
        }
    }
}

/// One fetch from its request to its answer: reads what there is, and when that is less than the client wants, waits
/// for an append or for the client's patience to end.
private final class PendingFetch: Sendable {
    private enum Phase {
        /// On its way to being read, or being read. `again`: something was appended meanwhile.
        case reading(again: Bool)
        /// Wakes up with the next append.
        case waiting
        case answered
    }

    private struct State {
        var phase = Phase.reading(again: false)
        var observations: [AppendObservation] = []
        var deadline: Timers.Token?
        var closeWatch: Int?
        var isLate = false
    }

    private let request: FetchRequest
    private let context: RequestContext
    private let reply: Reply<FetchRequest>
    private let handlers: FetchHandlers
    private let state = Mutex(State())

    init(
        _ request: FetchRequest, _ context: RequestContext, _ reply: Reply<FetchRequest>, _ handlers: FetchHandlers
    ) {
        self.request = request
        self.context = context
        self.reply = reply
        self.handlers = handlers
    }

    private var partitionCount: Int { request.topics.reduce(0) { $0 + $1.partitions.count } }

    func begin() {
        guard context.session.may(.consume) else {
            reply(FetchReading.refusal(of: request, .topicAuthorizationFailed))
            return
        }
        read()
    }

    /// Reads on a thread that may block.
    private func read() {
        let isTaken = handlers.offload { [self] in attempt() }
        // Nothing is wrong with the partitions: a client that gets no records asks again.
        if !isTaken { answer(FetchReading.refusal(of: request, .none)) }
    }

    private func attempt() {
        while true {
            let mayWait = request.maxWaitMs > 0 && partitionCount > 0
            let isLate = state.withLock { state in
                state.phase = .reading(again: false)
                return state.isLate
            }
            // Whoever is going to wait first makes sure to hear of appends, then looks: none falls in between.
            if mayWait, !isLate { observe() }
            let reading = FetchReading(handlers.logStore, handlers.settings, request)
            if isLate || !mayWait || reading.isFinal || reading.sizeBytes >= Int(request.minBytes) {
                answer(reading.response)
                return
            }
            let isDone = state.withLock { state in
                guard case .reading(let again) = state.phase else { return true }
                if again || state.isLate { return false }
                state.phase = .waiting
                return true
            }
            if isDone { return }
        }
    }

    /// Asks to be woken by appends, by the client's deadline and by its leaving; once.
    private func observe() {
        let isFirst = state.withLock { $0.deadline == nil }
        guard isFirst else { return }
        // The deadline keeps this object while it waits; the log, which may outlive it, does not.
        let deadline = handlers.timers.schedule(afterMs: Int64(request.maxWaitMs)) { [self] in wake(isLate: true) }
        // A client that is gone waits no longer, whatever it said: else it could leave requests behind for ever.
        let closeWatch = context.session.whenClosed { [weak self] in self?.wake(isLate: true) }
        var observations: [AppendObservation] = []
        for topic in request.topics {
            for partition in topic.partitions {
                let name = TopicPartition(topic: topic.name, partition: partition.index)
                guard let log = handlers.logStore.partition(name) else { continue }
                observations.append(log.onAppend { [weak self] _ in self?.wake(isLate: false) })
            }
        }
        state.withLock { state in
            state.deadline = deadline
            state.closeWatch = closeWatch
            state.observations = observations
        }
    }

    /// From the log's writer or the timers' thread.
    private func wake(isLate: Bool) {
        let mustRead = state.withLock { state in
            if isLate { state.isLate = true }
            switch state.phase {
            case .reading:
                state.phase = .reading(again: true)
                return false
            case .waiting:
                state.phase = .reading(again: false)
                return true
            case .answered:
                return false
            }
        }
        if mustRead { read() }
    }

    private func answer(_ response: FetchResponse) {
        let (observations, deadline, closeWatch) = state.withLock { state in
            defer {
                state.observations = []
                state.deadline = nil
                state.closeWatch = nil
                state.phase = .answered
            }
            return (state.observations, state.deadline, state.closeWatch)
        }
        deadline?.cancel()
        if let closeWatch { context.session.forget(closeWatch) }
        for observation in observations { observation.cancel() }
        reply(response)
    }
}

/// What the partitions of a fetch hold at one moment.
private struct FetchReading {
    private(set) var response = FetchResponse()
    private(set) var sizeBytes = 0
    /// Whether waiting would not bring more: an error, or records that were left out for want of room.
    private(set) var isFinal = false

    init(_ logStore: LogStore, _ settings: BrokerSettings, _ request: FetchRequest) {
        var left = min(Int(max(0, request.maxBytes)), settings.maxFetchBytes)
        for topic in request.topics {
            var answer = FetchResponse.Topic()
            answer.name = topic.name
            for partition in topic.partitions {
                let name = TopicPartition(topic: topic.name, partition: partition.index)
                // The first batch is given whole, however large: else a reader could never get past it.
                let budget = sizeBytes == 0 ? max(1, left) : left
                let part = Self.read(
                    logStore.partition(name), partition, maxBytes: min(budget, Int(max(0, partition.maxBytes))),
                    isFirst: sizeBytes == 0, isCommittedOnly: request.isolationLevel == 1)
                let size = part.answer.records?.count ?? 0
                sizeBytes += size
                left -= size
                if part.answer.error != .none || part.isCut { isFinal = true }
                answer.partitions.append(part.answer)
            }
            response.topics.append(answer)
        }
    }

    static func refusal(of request: FetchRequest, _ error: ErrorCode) -> FetchResponse {
        var response = FetchResponse()
        response.topics = request.topics.map { topic in
            var answer = FetchResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var answer = FetchResponse.Partition()
                answer.index = partition.index
                answer.error = error
                return answer
            }
            return answer
        }
        return response
    }

    private static func read(
        _ log: PartitionLog?, _ partition: FetchRequest.Partition, maxBytes: Int, isFirst: Bool, isCommittedOnly: Bool
    ) -> (answer: FetchResponse.Partition, isCut: Bool) {
        var answer = FetchResponse.Partition()
        answer.index = partition.index
        guard let log else {
            answer.error = .unknownTopicOrPartition
            return (answer, false)
        }
        if partition.currentLeaderEpoch > MetadataHandlers.leaderEpoch {
            answer.error = .unknownLeaderEpoch
            return (answer, false)
        }
        var isCut = false
        let end = log.endOffset
        answer.highWatermark = end
        answer.lastStableOffset = min(end, log.lastStableOffset)
        answer.logStartOffset = log.startOffset
        if isCommittedOnly { answer.abortedTransactions = [] }
        guard maxBytes > 0 else { return (answer, false) }
        do throws(LogStoreError) {
            let limit = isCommittedOnly ? answer.lastStableOffset : nil
            let slice = try log.slice(from: partition.fetchOffset, maxBytes: maxBytes, upTo: limit)
            guard let slice else { return (answer, false) }
            guard isFirst || slice.sizeBytes <= maxBytes else { return (answer, true) }
            isCut = slice.endOffset < limit ?? end
            answer.records = RecordData(slice.file, position: UInt64(slice.position), count: slice.sizeBytes)
            guard isCommittedOnly else { return (answer, isCut) }
            answer.abortedTransactions = try log.abortedTransactions(
                from: slice.firstOffset, upTo: min(slice.endOffset, answer.lastStableOffset)
            ).map { transaction in
                var answer = FetchResponse.AbortedTransaction()
                answer.producerID = transaction.producerID
                answer.firstOffset = transaction.firstOffset
                return answer
            }
        } catch {
            answer.error = ErrorCode(error)
        }
        return (answer, isCut)
    }
}

import KafkaProtocol
import LogStore

/// Tells of the one broker and its topics; creates a topic that is asked for, when that is configured.
struct MetadataHandlers: Sendable {
    let logStore: LogStore
    let settings: BrokerSettings
    let offload: Broker.Offload

    /// The most topics that one request creates by naming them; the client asks for the others again.
    private static let maxCreated = 100

    /// The leader epoch of every partition: there is one leader, ever.
    static let leaderEpoch: Int32 = 0

    func register(in table: inout HandlerTable) {
        table.on(MetadataRequest.self) { request, context, reply in
            let missing = missingTopics(request, context)
            if missing.isEmpty {
                reply(answer(request, context, failures: [:]))
                return
            }
            let isTaken = offload { reply(answer(request, context, failures: create(missing))) }
            if !isTaken {
                let busy = LogStoreError(.overloaded, "too much waits for the disk")
                reply(answer(request, context, failures: Dictionary(uniqueKeysWithValues: missing.map { ($0, busy) })))
            }
        }
    }

    /// Whether all topics are asked for.
    private func wantsAll(_ request: MetadataRequest, _ context: RequestContext) -> Bool {
        guard let topics = request.topics else { return true }
        return context.version == 0 && topics.isEmpty
    }

    /// The topics to be created first.
    private func missingTopics(_ request: MetadataRequest, _ context: RequestContext) -> [String] {
        guard settings.autoCreateTopics, request.allowAutoTopicCreation, context.session.may(.produce) else {
            return []
        }
        let names = (request.topics ?? []).filter { $0.id == 0 }.compactMap(\.name)
        let missing = names.unique { $0 }.filter { logStore.topic($0) == nil }
        return Array(missing.prefix(Self.maxCreated))
    }

    private func create(_ names: [String]) -> [String: LogStoreError] {
        var failures: [String: LogStoreError] = [:]
        for name in names {
            do throws(LogStoreError) {
                _ = try logStore.createTopic(name, partitions: Int(settings.defaultPartitions))
            } catch {
                // Someone else may have been faster.
                if error.code != .topicExists { failures[name] = error }
            }
        }
        return failures
    }

    private func answer(
        _ request: MetadataRequest, _ context: RequestContext, failures: [String: LogStoreError]
    ) -> MetadataResponse {
        var response = MetadataResponse()
        var broker = MetadataResponse.Broker()
        broker.nodeID = settings.nodeID
        (broker.host, broker.port) = settings.address(for: context.session)
        response.brokers = [broker]
        response.clusterID = settings.clusterID
        response.controllerID = settings.nodeID
        if wantsAll(request, context) {
            response.topics = logStore.topics.map { describe($0) }
        } else {
            let topics = request.topics ?? []
            let named = topics.filter { $0.id == 0 }.map { $0.name ?? "" }.unique { $0 }
            let ids = topics.filter { $0.id != 0 }.map(\.id).unique { $0 }
            response.topics = named.map { describe($0, failures[$0]) } + describe(ids)
        }
        return response
    }

    private func describe(_ name: String, _ failure: LogStoreError?) -> MetadataResponse.Topic {
        if let topic = logStore.topic(name) { return describe(topic) }
        var answer = MetadataResponse.Topic()
        answer.name = name
        if let failure {
            answer.error = ErrorCode(failure)
        } else {
            do throws(LogStoreError) {
                try Topic.validate(name: name)
                answer.error = .unknownTopicOrPartition
            } catch {
                answer.error = .invalidTopic
            }
        }
        return answer
    }

    private func describe(_ ids: [UInt128]) -> [MetadataResponse.Topic] {
        if ids.isEmpty { return [] }
        let byID = Dictionary(logStore.topics.map { ($0.id, $0) }) { first, _ in first }
        return ids.map { id in
            if let topic = byID[id] { return describe(topic) }
            var answer = MetadataResponse.Topic()
            answer.name = nil
            answer.id = id
            answer.error = .unknownTopicID
            return answer
        }
    }

    private func describe(_ topic: Topic) -> MetadataResponse.Topic {
        var answer = MetadataResponse.Topic()
        answer.name = topic.name
        answer.id = topic.id
        answer.partitions = topic.partitions.map { log in
            var partition = MetadataResponse.Partition()
            partition.index = log.partition
            partition.leaderID = settings.nodeID
            partition.leaderEpoch = Self.leaderEpoch
            partition.replicas = [settings.nodeID]
            partition.inSyncReplicas = [settings.nodeID]
            return partition
        }
        return answer
    }
}

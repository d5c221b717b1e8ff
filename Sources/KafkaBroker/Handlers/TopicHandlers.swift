import KafkaProtocol
import LogStore

/// Creates and deletes topics, gives them partitions, and tells of the cluster.
///
/// There is one broker, so replication factors and assignments are taken as wishes that one copy fulfils: programs
/// made for a cluster ask for three.
struct TopicHandlers: Sendable {
    let logStore: LogStore
    let settings: BrokerSettings
    let offload: Broker.Offload

    private static let firstVersionWithDefaults: Int16 = 4

    func register(in table: inout HandlerTable) {
        table.on(CreateTopicsRequest.self) { request, context, reply in
            work({ create(request, context) }, reply) { error in refusal(of: request, error) }
        }
        table.on(DeleteTopicsRequest.self) { request, context, reply in
            work({ delete(request, context) }, reply) { error in refusal(of: request, error) }
        }
        table.on(CreatePartitionsRequest.self) { request, context, reply in
            work({ grow(request, context) }, reply) { error in refusal(of: request, error) }
        }
        table.on(DescribeClusterRequest.self) { request, context, reply in reply(cluster(request, context)) }
    }

    /// Why something is not done.
    private struct Failure {
        let code: ErrorCode
        let message: String

        init(_ code: ErrorCode, _ message: String) {
            self.code = code
            self.message = message
        }

        init(_ error: LogStoreError) { self.init(ErrorCode(error), error.message) }

        static let forbidden = Failure(.topicAuthorizationFailed, "this user may not administer topics")
        static let busy = Failure(.requestTimedOut, "too much waits for the disk")
    }

    /// Does `body` where it may block, and answers with what it returns.
    private func work<Request: KafkaRequest>(
        _ body: @escaping @Sendable () -> Request.Response, _ reply: Reply<Request>,
        _ refusal: (Failure) -> Request.Response
    ) {
        if !offload({ reply(body()) }) { reply(refusal(.busy)) }
    }

    // MARK: Create

    private func create(_ request: CreateTopicsRequest, _ context: RequestContext) -> CreateTopicsResponse {
        guard context.session.may(.administer) else { return refusal(of: request, .forbidden) }
        let names = Dictionary(grouping: request.topics, by: \.name)
        var response = CreateTopicsResponse()
        for topic in request.topics.unique(by: { $0.name }) {
            if names[topic.name]?.count == 1 {
                response.topics.append(create(topic, request.validateOnly, context.version))
            } else {
                response.topics.append(
                    Self.failed(topic.name, Failure(.invalidRequest, "topic \"\(topic.name)\" is named twice")))
            }
        }
        return response
    }

    private func create(
        _ wish: CreateTopicsRequest.Topic, _ validateOnly: Bool, _ version: Int16
    ) -> CreateTopicsResponse.Topic {
        do throws(LogStoreError) {
            let count: Int32
            switch partitionCount(wish, version) {
            case .success(let number): count = number
            case .failure(let failure): return Self.failed(wish.name, failure)
            }
            var config = logStore.defaultConfig
            for entry in wish.configs {
                guard let value = entry.value else {
                    throw LogStoreError(.invalidConfig, "setting \"\(entry.name)\" has no value")
                }
                try config.set(entry.name, to: value)
            }
            if validateOnly {
                try logStore.checkCreation(of: wish.name, partitions: Int(count), config: config)
            } else {
                try logStore.createTopic(wish.name, partitions: Int(count), config: config)
            }
            var answer = CreateTopicsResponse.Topic()
            answer.name = wish.name
            answer.partitionCount = count
            answer.replicationFactor = 1
            answer.configs = ConfigDescription.all(of: config).map { description in
                var config = CreateTopicsResponse.Config()
                config.name = description.name
                config.value = description.value
                config.source = description.source
                return config
            }
            return answer
        } catch {
            return Self.failed(wish.name, Failure(error))
        }
    }

    private enum Count {
        case success(Int32)
        case failure(Failure)
    }

    /// How many partitions are wanted, by number or by a list of which brokers they are to lie on.
    private func partitionCount(_ wish: CreateTopicsRequest.Topic, _ version: Int16) -> Count {
        if !wish.assignments.isEmpty {
            guard wish.partitionCount == -1, wish.replicationFactor == -1 else {
                return .failure(
                    Failure(.invalidRequest, "a number of partitions or replicas, and an assignment of them, as well"))
            }
            let wanted = Set(wish.assignments.map(\.partition))
            guard wanted.count == wish.assignments.count, wanted == Set(0..<Int32(clamping: wanted.count)) else {
                return .failure(Failure(.invalidReplicaAssignment, "partitions are not numbered from 0 without a gap"))
            }
            return .success(Int32(clamping: wanted.count))
        }
        if wish.partitionCount == -1, version >= Self.firstVersionWithDefaults {
            return .success(settings.defaultPartitions)
        }
        guard wish.partitionCount > 0 else {
            return .failure(Failure(.invalidPartitions, "a topic has 1 partition at least, not \(wish.partitionCount)"))
        }
        guard wish.replicationFactor > 0 || wish.replicationFactor == -1 else {
            return .failure(
                Failure(.invalidReplicationFactor, "a replication factor is 1 at least, not \(wish.replicationFactor)"))
        }
        return .success(wish.partitionCount)
    }

    private static func failed(_ name: String, _ failure: Failure) -> CreateTopicsResponse.Topic {
        var answer = CreateTopicsResponse.Topic()
        answer.name = name
        answer.error = failure.code
        answer.errorMessage = failure.message
        return answer
    }

    private func refusal(of request: CreateTopicsRequest, _ failure: Failure) -> CreateTopicsResponse {
        var response = CreateTopicsResponse()
        response.topics = request.topics.map { Self.failed($0.name, failure) }
        return response
    }

    // MARK: Delete

    private func delete(_ request: DeleteTopicsRequest, _ context: RequestContext) -> DeleteTopicsResponse {
        guard context.session.may(.administer) else { return refusal(of: request, .forbidden) }
        var response = DeleteTopicsResponse()
        response.topics = request.names.map { name in
            var answer = DeleteTopicsResponse.Topic()
            answer.name = name
            do throws(LogStoreError) {
                try logStore.deleteTopic(name)
            } catch {
                answer.error = ErrorCode(error)
                answer.errorMessage = error.message
            }
            return answer
        }
        return response
    }

    private func refusal(of request: DeleteTopicsRequest, _ failure: Failure) -> DeleteTopicsResponse {
        var response = DeleteTopicsResponse()
        response.topics = request.names.map { name in
            var answer = DeleteTopicsResponse.Topic()
            answer.name = name
            answer.error = failure.code
            answer.errorMessage = failure.message
            return answer
        }
        return response
    }

    // MARK: Partitions

    private func grow(_ request: CreatePartitionsRequest, _ context: RequestContext) -> CreatePartitionsResponse {
        guard context.session.may(.administer) else { return refusal(of: request, .forbidden) }
        var response = CreatePartitionsResponse()
        response.topics = request.topics.map { wish in
            var answer = CreatePartitionsResponse.Topic()
            answer.name = wish.name
            do throws(LogStoreError) {
                try grow(wish, request.validateOnly)
            } catch {
                answer.error = ErrorCode(error)
                answer.errorMessage = error.message
            }
            return answer
        }
        return response
    }

    private func grow(_ wish: CreatePartitionsRequest.Topic, _ validateOnly: Bool) throws(LogStoreError) {
        if validateOnly {
            try logStore.checkGrowth(of: wish.name, total: Int(wish.count))
        } else {
            try logStore.addPartitions(topic: wish.name, total: Int(wish.count))
        }
    }

    private func refusal(of request: CreatePartitionsRequest, _ failure: Failure) -> CreatePartitionsResponse {
        var response = CreatePartitionsResponse()
        response.topics = request.topics.map { wish in
            var answer = CreatePartitionsResponse.Topic()
            answer.name = wish.name
            answer.error = failure.code
            answer.errorMessage = failure.message
            return answer
        }
        return response
    }

    // MARK: The cluster

    private func cluster(_ request: DescribeClusterRequest, _ context: RequestContext) -> DescribeClusterResponse {
        var response = DescribeClusterResponse()
        response.endpointType = request.endpointType
        response.clusterID = settings.clusterID
        response.controllerID = settings.nodeID
        var broker = DescribeClusterResponse.Broker()
        broker.nodeID = settings.nodeID
        (broker.host, broker.port) = settings.address(for: context.session)
        response.brokers = [broker]
        return response
    }
}

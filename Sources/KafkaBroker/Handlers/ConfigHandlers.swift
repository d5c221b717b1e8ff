import KafkaProtocol
import LogStore

/// Tells and changes the settings of topics; tells those of the broker, which its configuration file has.
struct ConfigHandlers: Sendable {
    let logStore: LogStore
    let settings: BrokerSettings
    let offload: Broker.Offload

    /// What settings belong to, by Kafka's numbers.
    private enum ResourceType {
        static let topic: Int8 = 2
        static let broker: Int8 = 4
    }

    /// What is done to a setting, by Kafka's numbers.
    private enum Operation {
        static let set: Int8 = 0
        static let delete: Int8 = 1
        static let append: Int8 = 2
        static let subtract: Int8 = 3
    }

    func register(in table: inout HandlerTable) {
        table.on(DescribeConfigsRequest.self) { request, context, reply in
            var response = DescribeConfigsResponse()
            response.resources = Self.unique(request.resources) { ($0.type, $0.name) }.map {
                describe($0, request, context)
            }
            reply(response)
        }
        table.on(AlterConfigsRequest.self) { request, context, reply in
            let isTaken = offload {
                var response = AlterConfigsResponse()
                response.resources = Self.unique(request.resources) { ($0.type, $0.name) }
                    .map { replace($0, request.validateOnly, context) }
                reply(response)
            }
            if !isTaken { reply.send(.close("too much waits for the disk")) }
        }
        table.on(IncrementalAlterConfigsRequest.self) { request, context, reply in
            let isTaken = offload {
                var response = IncrementalAlterConfigsResponse()
                response.resources = Self.unique(request.resources) { ($0.type, $0.name) }
                    .map { change($0, request.validateOnly, context) }
                reply(response)
            }
            if !isTaken { reply.send(.close("too much waits for the disk")) }
        }
    }

    private static func unique<Resource>(
        _ resources: [Resource], _ key: (Resource) -> (type: Int8, name: String)
    ) -> [Resource] {
        resources.unique { resource in
            let (type, name) = key(resource)
            return "\(type) \(name)"
        }
    }

    /// Why a resource is not described or changed.
    private struct Failure: Error {
        let code: ErrorCode
        let message: String

        init(_ code: ErrorCode, _ message: String) {
            self.code = code
            self.message = message
        }
    }

    // MARK: Describe

    private func describe(
        _ resource: DescribeConfigsRequest.Resource, _ request: DescribeConfigsRequest, _ context: RequestContext
    ) -> DescribeConfigsResponse.Resource {
        var answer = DescribeConfigsResponse.Resource()
        answer.type = resource.type
        answer.name = resource.name
        answer.errorMessage = nil
        do throws(Failure) {
            let configs =
                resource.type == ResourceType.topic
                ? ConfigDescription.all(of: try topic(resource.name).config).map { entry($0, request) }
                : try brokerEntries(resource)
            answer.configs = configs.filter { resource.keys?.contains($0.name) ?? true }
        } catch {
            answer.error = error.code
            answer.errorMessage = error.message
        }
        return answer
    }

    private func entry(
        _ description: ConfigDescription, _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.Config {
        var config = DescribeConfigsResponse.Config()
        config.name = description.name
        config.value = description.value
        config.isDefault = description.source == ConfigDescription.Source.standard
        config.source = description.source
        config.type = description.type
        config.documentation = request.includeDocumentation ? description.setting.documentation : nil
        if request.includeSynonyms {
            config.synonyms = synonyms(description)
        }
        return config
    }

    private func synonyms(_ description: ConfigDescription) -> [DescribeConfigsResponse.Synonym] {
        var places: [(value: String, source: Int8)] = []
        if description.source == ConfigDescription.Source.topic {
            places.append((description.value, description.source))
        }
        let standard = description.setting.defaultText
        let server = logStore.defaultConfig.text(of: description.name) ?? standard
        if server != standard { places.append((server, ConfigDescription.Source.brokerFile)) }
        places.append((standard, ConfigDescription.Source.standard))
        return places.map { place in
            var synonym = DescribeConfigsResponse.Synonym()
            synonym.name = description.name
            synonym.value = place.value
            synonym.source = place.source
            return synonym
        }
    }

    /// The broker's settings that programs ask for before they create topics.
    private func brokerEntries(
        _ resource: DescribeConfigsRequest.Resource
    ) throws(Failure) -> [DescribeConfigsResponse.Config] {
        guard resource.type == ResourceType.broker else {
            throw Failure(.invalidRequest, "resources of type \(resource.type) have no settings here")
        }
        guard resource.name.isEmpty || resource.name == String(settings.nodeID) else {
            throw Failure(.invalidRequest, "there is no broker \(resource.name); this is \(settings.nodeID)")
        }
        let defaults = logStore.defaultConfig
        let entries: [(name: String, value: String, type: Int8)] = [
            ("broker.id", String(settings.nodeID), 3),
            ("auto.create.topics.enable", String(settings.autoCreateTopics), 1),
            ("num.partitions", String(settings.defaultPartitions), 3),
            ("default.replication.factor", "1", 3),
            ("min.insync.replicas", "1", 3),
            ("offsets.topic.replication.factor", "1", 4),
            ("transaction.state.log.replication.factor", "1", 4),
            ("delete.topic.enable", "true", 1),
            ("log.retention.ms", String(defaults.retentionMs), 5),
            ("log.retention.bytes", String(defaults.retentionBytes), 5),
            ("log.segment.bytes", String(defaults.segmentBytes), 3),
            ("log.cleanup.policy", defaults.cleanupPolicy.text, 7),
            ("log.message.timestamp.type", defaults.timestampType.rawValue, 2),
            ("message.max.bytes", String(defaults.maxMessageBytes), 3),
            ("compression.type", defaults.text(of: "compression.type") ?? "producer", 2),
        ]
        return entries.map { entry in
            var config = DescribeConfigsResponse.Config()
            config.name = entry.name
            config.value = entry.value
            config.isReadOnly = true
            config.source = ConfigDescription.Source.brokerFile
            config.type = entry.type
            config.documentation = nil
            return config
        }
    }

    private func topic(_ name: String) throws(Failure) -> Topic {
        if let topic = logStore.topic(name) { return topic }
        do throws(LogStoreError) { try Topic.validate(name: name) } catch {
            throw Failure(.invalidTopic, error.message)
        }
        throw Failure(.unknownTopicOrPartition, "there is no topic \"\(name)\"")
    }

    // MARK: Change

    private func replace(
        _ resource: AlterConfigsRequest.Resource, _ validateOnly: Bool, _ context: RequestContext
    ) -> AlterConfigsResponse.Resource {
        var answer = AlterConfigsResponse.Resource()
        answer.type = resource.type
        answer.name = resource.name
        answer.errorMessage = nil
        do throws(Failure) {
            try alter(resource.type, resource.name, validateOnly, context) { (config) throws(LogStoreError) in
                for (name, _) in config.explicitEntries { try config.reset(name, to: logStore.defaultConfig) }
                for entry in resource.configs {
                    if let value = entry.value { try config.set(entry.name, to: value) }
                }
            }
        } catch {
            answer.error = error.code
            answer.errorMessage = error.message
        }
        return answer
    }

    private func change(
        _ resource: IncrementalAlterConfigsRequest.Resource, _ validateOnly: Bool, _ context: RequestContext
    ) -> IncrementalAlterConfigsResponse.Resource {
        var answer = IncrementalAlterConfigsResponse.Resource()
        answer.type = resource.type
        answer.name = resource.name
        answer.errorMessage = nil
        do throws(Failure) {
            guard Set(resource.configs.map(\.name)).count == resource.configs.count else {
                throw Failure(.invalidRequest, "a setting is named twice")
            }
            try alter(resource.type, resource.name, validateOnly, context) { (config) throws(LogStoreError) in
                for entry in resource.configs { try apply(entry, to: &config) }
            }
        } catch {
            answer.error = error.code
            answer.errorMessage = error.message
        }
        return answer
    }

    private func apply(
        _ entry: IncrementalAlterConfigsRequest.Config, to config: inout TopicConfig
    ) throws(LogStoreError) {
        if entry.operation == Operation.delete {
            try config.reset(entry.name, to: logStore.defaultConfig)
            return
        }
        guard let value = entry.value else {
            throw LogStoreError(.invalidConfig, "setting \"\(entry.name)\" has no value")
        }
        switch entry.operation {
        case Operation.set: try config.set(entry.name, to: value)
        case Operation.append: try config.append(value, to: entry.name)
        case Operation.subtract: try config.remove(value, from: entry.name)
        default: throw LogStoreError(.invalidConfig, "there is no operation \(entry.operation) on settings")
        }
    }

    private func alter(
        _ type: Int8, _ name: String, _ validateOnly: Bool, _ context: RequestContext,
        _ change: (inout TopicConfig) throws(LogStoreError) -> Void
    ) throws(Failure) {
        guard context.session.may(.administer) else {
            throw type == ResourceType.topic
                ? Failure(.topicAuthorizationFailed, "this user may not administer topics")
                : Failure(.clusterAuthorizationFailed, "this user may not administer the broker")
        }
        guard type == ResourceType.topic else {
            throw Failure(
                .invalidRequest, "the broker's settings are in its configuration file; restart to change them")
        }
        let topic = try topic(name)
        do throws(LogStoreError) {
            try topic.change(validateOnly: validateOnly, change)
        } catch {
            throw Failure(ErrorCode(error), error.message)
        }
    }
}

import KafkaProtocol

/// What the fields of Kafka's schemas are called in the library, where it is not Kafka's name in Swift's spelling.
enum MessageNames {
    private static let everywhere = [
        "ErrorCode": "error", "PartitionErrorCode": "error", "PartitionIndex": "index", "Partition": "index",
        "PartitionIndexes": "partitions", "GenerationIdOrMemberEpoch": "generationID", "CommittedMetadata": "metadata",
        "TopicConfigErrorCode": "configError", "NumPartitions": "partitionCount", "ReadOnly": "isReadOnly",
        "ConfigSource": "source", "ConfigType": "type", "ResourceType": "type", "ResourceName": "name",
        "ConfigurationKeys": "keys", "ConfigOperation": "operation", "BrokerId": "nodeID",
        "ResultsByPartition": "partitions", "Topic": "name", "ReplicaNodes": "replicas", "IsrNodes": "inSyncReplicas",
        "AuthBytes": "bytes", "TopicId": "id",
    ]

    /// By message.
    private static let special = [
        "ProduceRequest": ["TopicData": "topics", "PartitionData": "partitions"],
        "ProduceResponse": [
            "Responses": "topics", "PartitionResponses": "partitions", "BatchIndexErrorMessage": "message",
        ],
        "FetchRequest": ["ForgottenTopicsData": "forgotten", "PartitionMaxBytes": "maxBytes"],
        "FetchResponse": ["Responses": "topics"],
        "MetadataResponse": ["TopicAuthorizedOperations": "authorizedOperations"],
        "ApiVersionsResponse": ["ApiKeys": "entries", "ApiKey": "key"],
        "DescribeGroupsResponse": [
            "GroupState": "state", "ProtocolData": "protocolName", "MemberMetadata": "metadata",
            "MemberAssignment": "assignment",
        ],
        "ListGroupsRequest": ["StatesFilter": "states"],
        "ListGroupsResponse": ["GroupState": "state"],
        "CreateTopicsRequest": ["PartitionIndex": "partition"],
        "DeleteTopicsRequest": ["TopicNames": "names"],
        "DeleteTopicsResponse": ["Responses": "topics"],
        "CreatePartitionsResponse": ["Results": "topics"],
        "AddPartitionsToTxnRequest": [
            "V3AndBelowTransactionalId": "transactionalID", "V3AndBelowProducerId": "producerID",
            "V3AndBelowProducerEpoch": "producerEpoch", "V3AndBelowTopics": "topics",
        ],
        "AddPartitionsToTxnResponse": ["ResultsByTopicV3AndBelow": "topics"],
        "EndTxnRequest": ["Committed": "isCommit"],
        "DescribeAclsRequest": [
            "ResourceTypeFilter": "resourceType", "ResourceNameFilter": "resourceName",
            "PatternTypeFilter": "patternType", "PrincipalFilter": "principal", "HostFilter": "host",
        ],
        "DescribeConfigsResponse": ["Results": "resources"],
        "AlterConfigsResponse": ["Responses": "resources"],
        "IncrementalAlterConfigsResponse": ["Responses": "resources"],
        "DescribeLogDirsResponse": [
            "Results": "folders", "LogDir": "path", "PartitionSize": "size", "IsFutureKey": "isFuture",
        ],
        "DeleteGroupsRequest": ["GroupsNames": "groups"],
        "DeleteGroupsResponse": ["Results": "groups"],
        "DescribeProducersResponse": [
            "ActiveProducers": "producers", "CurrentTxnStartOffset": "transactionStartOffset",
        ],
        "DescribeTransactionsResponse": [
            "TransactionStates": "transactions", "TransactionState": "state", "TransactionTimeoutMs": "timeoutMs",
            "TransactionStartTimeMs": "startTimeMs",
        ],
        "ListTransactionsRequest": [
            "StateFilters": "states", "ProducerIdFilters": "producerIDs", "DurationFilter": "minDurationMs",
        ],
        "ListTransactionsResponse": [
            "UnknownStateFilters": "unknownStates", "TransactionStates": "transactions", "TransactionState": "state",
        ],
    ]

    /// The property for Kafka's `field` of `message`.
    static func property(_ message: String, _ field: String) -> String {
        if let name = special[message]?[field] ?? everywhere[field] { return name }
        var name = field.prefix(1).lowercased() + field.dropFirst()
        if name.hasSuffix("Id") { name = name.dropLast(2) + "ID" }
        if name.hasSuffix("Ids") { name = name.dropLast(3) + "IDs" }
        return name
    }

    /// Where `value`, read from a message, does not say what `wanted` does. Fields that are not read are passed over.
    static func differences(_ message: String, _ wanted: FieldValue, _ value: Any, at path: String) -> [String] {
        switch wanted {
        case .structure(let fields):
            var children: [String: Any] = [:]
            for child in Mirror(reflecting: value).children { children[child.label ?? ""] = child.value }
            return fields.flatMap { name, wanted -> [String] in
                if ignored.contains(message + "." + name) { return [] }
                let property = property(message, name)
                guard let child = children[property] else { return ["\(path): no \(property) for \(name)"] }
                return differences(message, wanted, child, at: path + "." + property)
            }
        case .list(let wanted):
            let elements = (unwrapped(value)).map { Array(Mirror(reflecting: $0).children) }
            guard let elements, elements.count == wanted.count else { return ["\(path): another count"] }
            return zip(wanted, elements).enumerated().flatMap { index, pair in
                differences(message, pair.0, pair.1.value, at: "\(path)[\(index)]")
            }
        default:
            let found = plain(value)
            return found == wanted ? [] : ["\(path): \(found) instead of \(wanted)"]
        }
    }

    /// Tagged fields that nobody here uses.
    private static let ignored: Set<String> = [
        "FetchRequest.ClusterId", "FetchResponse.DivergingEpoch", "FetchResponse.CurrentLeader",
        "FetchResponse.SnapshotId", "ApiVersionsResponse.SupportedFeatures",
        "ApiVersionsResponse.FinalizedFeaturesEpoch", "ApiVersionsResponse.FinalizedFeatures",
        "ApiVersionsResponse.ZkMigrationReady",
    ]

    private static func unwrapped(_ value: Any) -> Any? {
        let mirror = Mirror(reflecting: value)
        return mirror.displayStyle == .optional ? mirror.children.first?.value : value
    }

    private static func plain(_ value: Any) -> FieldValue {
        guard let value = unwrapped(value) else { return .null }
        switch value {
        case let value as Bool: return .number(value ? 1 : 0)
        case let value as Int8: return .number(Int64(value))
        case let value as Int16: return .number(Int64(value))
        case let value as Int32: return .number(Int64(value))
        case let value as Int64: return .number(value)
        case let value as UInt128: return .bytes(withUnsafeBytes(of: value.bigEndian) { Array($0) })
        case let value as ErrorCode: return .number(Int64(value.rawValue))
        case let value as String: return .text(value)
        case let value as [UInt8]: return .bytes(value)
        case let value as RecordData: return value.bytes.map { .bytes(Array($0)) } ?? .null
        default: return .text("an unexpected \(type(of: value))")
        }
    }
}

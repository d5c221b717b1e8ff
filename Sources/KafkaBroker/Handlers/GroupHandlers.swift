import KafkaProtocol
import LogStore

/// Consumer groups' requests on their way to the coordinator.
struct GroupHandlers: Sendable {
    let coordinator: GroupCoordinator
    let settings: BrokerSettings

    /// What may be done to a group, as bits of Kafka's numbers of operations: read (3), delete (6), describe (8).
    private static let readBits: Int32 = 1 << 3 | 1 << 8
    private static let deleteBits: Int32 = 1 << 6 | 1 << 8

    func register(in table: inout HandlerTable) {
        registerFinding(in: &table)
        registerMembership(in: &table)
        registerOffsets(in: &table)
        registerAdministration(in: &table)
    }

    private func mayUse(_ context: RequestContext) -> Bool { context.session.may(.consume) }
    private func mayLook(_ context: RequestContext) -> Bool { mayUse(context) || context.session.may(.administer) }

    // MARK: FindCoordinator

    private func registerFinding(in table: inout HandlerTable) {
        table.on(FindCoordinatorRequest.self) { request, context, reply in
            var response = FindCoordinatorResponse()
            let isAllowed: Bool
            switch request.keyType {
            case 0:
                isAllowed = mayLook(context)
                response.error = .groupAuthorizationFailed
            case 1:
                isAllowed = context.session.may(.produce)
                response.error = .transactionalIDAuthorizationFailed
            default:
                isAllowed = false
                response.error = .invalidRequest
                response.errorMessage =
                    "there are coordinators of groups (0) and of transactions (1), no \(request.keyType)"
            }
            if isAllowed {
                let address = settings.address(for: context.session)
                response.error = .none
                response.nodeID = settings.nodeID
                response.host = address.host
                response.port = address.port
            }
            reply(response)
        }
    }

    // MARK: Members

    private func registerMembership(in table: inout HandlerTable) {
        table.on(JoinGroupRequest.self) { request, context, reply in
            guard mayUse(context) else {
                reply(.failure(.groupAuthorizationFailed, memberID: request.memberID))
                return
            }
            // From version 4 on a client is first given an id, and joins again with it.
            let client = GroupClient(
                id: context.clientID, host: "/" + context.session.remoteHost, canRejoin: context.version >= 4)
            coordinator.join(request, from: client) { reply($0) }
        }
        table.on(SyncGroupRequest.self) { request, context, reply in
            guard mayUse(context) else {
                reply(.failure(.groupAuthorizationFailed))
                return
            }
            // From version 5 on a client must say which protocol it takes the group's to be.
            if context.version >= 5, request.protocolType == nil || request.protocolName == nil {
                reply(.failure(.inconsistentGroupProtocol))
                return
            }
            coordinator.sync(request) { reply($0) }
        }
        table.on(HeartbeatRequest.self) { request, context, reply in
            var response = HeartbeatResponse()
            response.error = mayUse(context) ? coordinator.heartbeat(request) : .groupAuthorizationFailed
            reply(response)
        }
        table.on(LeaveGroupRequest.self) { request, context, reply in
            guard mayLook(context) else {
                var response = LeaveGroupResponse()
                response.error = .groupAuthorizationFailed
                reply(response)
                return
            }
            guard context.version < 3 else {
                reply(coordinator.leave(request))
                return
            }
            // Before version 3 one member leaves, and its error is the answer's.
            var single = request
            var member = LeaveGroupRequest.Member()
            member.memberID = request.memberID
            single.members = [member]
            var response = coordinator.leave(single)
            if response.error == .none { response.error = response.members.first?.error ?? .none }
            response.members = []
            reply(response)
        }
    }

    // MARK: Offsets

    private func registerOffsets(in table: inout HandlerTable) {
        table.on(OffsetCommitRequest.self) { request, context, reply in
            guard mayUse(context) else {
                reply(Self.refusal(of: request, .groupAuthorizationFailed))
                return
            }
            coordinator.commit(request) { reply($0) }
        }
        table.on(OffsetFetchRequest.self) { request, context, reply in
            guard mayLook(context) else {
                var response = OffsetFetchResponse()
                response.error = .groupAuthorizationFailed
                response.topics = (request.topics ?? []).map { topic in
                    var answer = OffsetFetchResponse.Topic()
                    answer.name = topic.name
                    answer.partitions = topic.partitions.map { index in
                        var entry = OffsetFetchResponse.Partition()
                        entry.index = index
                        entry.error = .groupAuthorizationFailed
                        return entry
                    }
                    return answer
                }
                reply(response)
                return
            }
            reply(coordinator.fetch(request))
        }
        table.on(OffsetDeleteRequest.self) { request, context, reply in
            guard context.session.may(.administer) else {
                var response = OffsetDeleteResponse()
                response.error = .groupAuthorizationFailed
                reply(response)
                return
            }
            let places = request.topics.flatMap { topic in
                topic.partitions.map { TopicPartition(topic: topic.name, partition: $0.index) }
            }
            coordinator.deleteOffsets(request.groupID, places) { error, errors in
                reply(Self.answer(request, error, errors))
            }
        }
    }

    private static func refusal(of request: OffsetCommitRequest, _ error: ErrorCode) -> OffsetCommitResponse {
        var response = OffsetCommitResponse()
        response.topics = request.topics.map { topic in
            var answer = OffsetCommitResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var entry = OffsetCommitResponse.Partition()
                entry.index = partition.index
                entry.error = error
                return entry
            }
            return answer
        }
        return response
    }

    private static func answer(
        _ request: OffsetDeleteRequest, _ error: ErrorCode, _ errors: [TopicPartition: ErrorCode]
    ) -> OffsetDeleteResponse {
        var response = OffsetDeleteResponse()
        response.error = error
        if error != .none { return response }
        response.topics = request.topics.map { topic in
            var answer = OffsetDeleteResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { partition in
                var entry = OffsetDeleteResponse.Partition()
                entry.index = partition.index
                entry.error = errors[TopicPartition(topic: topic.name, partition: partition.index)] ?? .none
                return entry
            }
            return answer
        }
        return response
    }

    // MARK: Administration

    private func registerAdministration(in table: inout HandlerTable) {
        table.on(DescribeGroupsRequest.self) { request, context, reply in
            var response = DescribeGroupsResponse()
            response.groups = request.groups.unique { $0 }.map { name in
                guard mayLook(context) else {
                    var group = DescribeGroupsResponse.Group()
                    group.groupID = name
                    group.error = .groupAuthorizationFailed
                    return group
                }
                var group = coordinator.describe(name)
                if request.includeAuthorizedOperations, group.error == .none {
                    group.authorizedOperations =
                        (mayUse(context) ? Self.readBits : 0)
                        | (context.session.may(.administer) ? Self.deleteBits : 0)
                }
                return group
            }
            reply(response)
        }
        table.on(ListGroupsRequest.self) { request, context, reply in
            var response = ListGroupsResponse()
            // Who may not look sees nothing, as in Kafka.
            if mayLook(context) { response.groups = coordinator.list(states: request.states) }
            reply(response)
        }
        table.on(DeleteGroupsRequest.self) { request, context, reply in
            let names = context.session.may(.administer) ? request.groups : []
            coordinator.delete(names) { errors in
                var response = DeleteGroupsResponse()
                response.groups = request.groups.map { name in
                    var group = DeleteGroupsResponse.Group()
                    group.groupID = name
                    group.error = errors[name] ?? .groupAuthorizationFailed
                    return group
                }
                reply(response)
            }
        }
    }
}

import KafkaProtocol
import LogStore
import Synchronization

/// Looking at groups and deleting them and their offsets, by request and by age.
extension GroupCoordinator {
    // MARK: DescribeGroups, ListGroups

    /// Describes a group; one that nobody knows is dead, which is no error.
    func describe(_ name: String) -> DescribeGroupsResponse.Group {
        var answer = DescribeGroupsResponse.Group()
        answer.groupID = name
        answer.state = GroupState.Phase.dead.rawValue
        if let refusal = refusal(ofName: name, mayBeEmpty: true) {
            answer.error = refusal
            return answer
        }
        guard let group = group(name) else { return answer }
        return group.update { state in
            answer.state = state.phase.rawValue
            answer.protocolType = state.protocolType ?? ""
            let isStable = state.phase == .stable
            if isStable { answer.protocolName = state.protocolName ?? "" }
            answer.members = state.orderedMembers.map { member in
                var entry = DescribeGroupsResponse.Member()
                entry.memberID = member.id
                entry.groupInstanceID = member.instanceID
                entry.clientID = member.clientID
                entry.clientHost = member.clientHost
                if isStable {
                    entry.metadata = member.metadata(state.protocolName)
                    entry.assignment = member.assignment
                }
                return entry
            }
            return answer
        }
    }

    /// All groups that are in one of `states`, by name; with no states all.
    func list(states: [String]) -> [ListGroupsResponse.Group] {
        let wanted = Set(states.map { $0.lowercased() })
        return all.compactMap { group in
            let (phase, type) = group.update { ($0.phase, $0.protocolType) }
            guard phase != .dead, wanted.isEmpty || wanted.contains(phase.rawValue.lowercased()) else { return nil }
            var entry = ListGroupsResponse.Group()
            entry.groupID = group.name
            entry.protocolType = type ?? ""
            entry.state = phase.rawValue
            return entry
        }.sorted { $0.groupID < $1.groupID }
    }

    // MARK: DeleteGroups

    /// Deletes groups without members; `reply` gets an error for each name, once all that can be are durably gone.
    func delete(_ names: [String], reply: @escaping @Sendable ([String: ErrorCode]) -> Void) {
        let names = Set(names)
        let answer = GatheredErrors(count: names.count, reply)
        for name in names {
            delete(name) { answer.add(name, $0) }
        }
        if names.isEmpty { reply([:]) }
    }

    private func delete(_ name: String, reply: @escaping @Sendable (ErrorCode) -> Void) {
        if let refusal = refusal(ofName: name, mayBeEmpty: true) {
            reply(refusal)
            return
        }
        guard let group = group(name) else {
            reply(.groupIDNotFound)
            return
        }
        group.update { state in
            switch state.phase {
            case .dead:
                state.then { reply(.groupIDNotFound) }
            case .preparingRebalance, .completingRebalance, .stable:
                state.then { reply(.nonEmptyGroup) }
            case .empty:
                for id in state.pending.keys { state.removePending(id) }
                state.move(to: .dead, nowMs: nowMs)
                // Who comes from now on makes a new group, whose changes follow this one.
                remove(group)
                write(.deleteGroup(name), group, &state) { [self] error, state in
                    state.then { [self] in
                        // What could not be deleted is still there.
                        if error != nil { load(name) }
                        reply(error.map { Self.code($0) } ?? .none)
                    }
                }
            }
        }
    }

    // MARK: OffsetDelete

    /// Deletes committed offsets of topics that the group does not read. `reply` gets an error for the whole, or one
    /// per partition.
    func deleteOffsets(
        _ name: String, _ partitions: [TopicPartition],
        reply: @escaping @Sendable (ErrorCode, [TopicPartition: ErrorCode]) -> Void
    ) {
        if let refusal = refusal(ofName: name) {
            reply(refusal, [:])
            return
        }
        guard let group = group(name) else {
            reply(.groupIDNotFound, [:])
            return
        }
        group.update { state in
            var errors: [TopicPartition: ErrorCode] = [:]
            switch state.phase {
            case .dead:
                state.then { reply(.groupIDNotFound, [:]) }
                return
            case .empty:
                break
            case .preparingRebalance, .completingRebalance, .stable:
                guard state.protocolType == ConsumerSubscription.protocolType else {
                    state.then { reply(.nonEmptyGroup, [:]) }
                    return
                }
                for place in partitions where state.isSubscribed(to: place.topic) {
                    errors[place] = .groupSubscribedToTopic
                }
            }
            for place in partitions where errors[place] == nil && logStore.partition(place) == nil {
                errors[place] = .unknownTopicOrPartition
            }
            let deleted = partitions.filter { errors[$0] == nil }
            guard !deleted.isEmpty else {
                state.then { [errors] in reply(.none, errors) }
                return
            }
            write(.deletePartitions(group: name, deleted), group, &state) { [self, errors] error, state in
                var errors = errors
                for place in deleted { errors[place] = error.map { Self.code($0) } ?? ErrorCode.none }
                removeIfUnused(group, &state)
                state.then { [errors] in reply(.none, errors) }
            }
        }
    }

    // MARK: Age

    /// Deletes offsets that were not used for the retention time, and groups of which nothing is left then. Offsets of
    /// a group that had members are in use until it has none; those of a group that never had any, and those of topics
    /// that a consumer group does not read any more, until they were committed last. `completion` is called when all
    /// of it is durable, or has failed.
    func expireOffsets(completion: @escaping @Sendable () -> Void = {}) {
        let groups = all
        let answer = GatheredErrors(count: groups.count + 1) { _ in completion() }
        for group in groups {
            group.update { state in
                let expired = expiredOffsets(group, state)
                guard !expired.isEmpty else {
                    removeIfUnused(group, &state)
                    state.then { answer.add(group.name, .none) }
                    return
                }
                write(.deletePartitions(group: group.name, expired), group, &state) { [self] _, state in
                    removeIfUnused(group, &state)
                    state.then { answer.add(group.name, .none) }
                }
            }
        }
        answer.add("", .none)
    }

    /// Lets offsets expire every `expiryIntervalMs` from now on, as long as the timers run.
    func expireOffsetsRegularly() {
        timers.schedule(afterMs: settings.expiryIntervalMs) { [weak self] in
            self?.expireOffsets()
            self?.expireOffsetsRegularly()
        }
    }

    private func expiredOffsets(_ group: Group, _ state: borrowing GroupState) -> [TopicPartition] {
        // A commit on its way would be deleted, too.
        guard state.writesInFlight == 0 else { return [] }
        let limitMs = nowMs - settings.offsetRetentionMs
        let offsets = logStore.groupOffsets(group.name)
        let subscribed: Set<String>
        switch (state.phase, state.protocolType) {
        case (.empty, .some):
            return state.changedMs <= limitMs ? offsets.committed.keys.filter { !offsets.unstable.contains($0) } : []
        case (.empty, nil):
            subscribed = []
        case (.stable, ConsumerSubscription.protocolType):
            guard let topics = state.subscribedTopics else { return [] }
            subscribed = topics
        default:
            return []
        }
        return offsets.committed.filter { place, offset in
            offset.committedMs <= limitMs && !subscribed.contains(place.topic) && !offsets.unstable.contains(place)
        }.map(\.key)
    }
}

/// Waits for a number of outcomes, from any thread, and then tells them all.
private final class GatheredErrors: Sendable {
    private let state: Mutex<(left: Int, errors: [String: ErrorCode])>
    private let reply: @Sendable ([String: ErrorCode]) -> Void

    init(count: Int, _ reply: @escaping @Sendable ([String: ErrorCode]) -> Void) {
        state = Mutex((count, [:]))
        self.reply = reply
    }

    func add(_ name: String, _ error: ErrorCode) {
        let all = state.withLock { state -> [String: ErrorCode]? in
            state.left -= 1
            state.errors[name] = error
            return state.left == 0 ? state.errors : nil
        }
        if let all { reply(all) }
    }
}

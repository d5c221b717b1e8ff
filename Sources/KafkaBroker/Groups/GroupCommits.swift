import KafkaProtocol
import LogStore

/// Offsets: committing them, staging them for a transaction, fetching them.
extension GroupCoordinator {
    // MARK: OffsetCommit

    /// Makes the offsets durable; answered when they are.
    func commit(_ request: OffsetCommitRequest, reply: @escaping @Sendable (OffsetCommitResponse) -> Void) {
        var split = SplitOffsets(self)
        for topic in request.topics {
            for partition in topic.partitions {
                split.add(
                    TopicPartition(topic: topic.name, partition: partition.index), partition.committedOffset,
                    partition.committedLeaderEpoch, partition.metadata)
            }
        }
        let committer = Committer(
            group: request.groupID, memberID: request.memberID, instanceID: request.groupInstanceID,
            generation: request.generationID, isTransactional: false)
        let refused = split.refused
        write(split.accepted, from: committer) { group, offsets in
            .commit(group: group, offsets)
        } reply: { error in
            var response = OffsetCommitResponse()
            response.topics = request.topics.map { topic in
                var answer = OffsetCommitResponse.Topic()
                answer.name = topic.name
                answer.partitions = topic.partitions.map { partition in
                    var entry = OffsetCommitResponse.Partition()
                    entry.index = partition.index
                    let place = TopicPartition(topic: topic.name, partition: partition.index)
                    entry.error = refused[place] ?? error
                    return entry
                }
                return answer
            }
            reply(response)
        }
    }

    // MARK: Transactions

    /// Makes the offsets durable so that they count once the producer's transaction commits; answered when they are.
    /// That the producer has the transactional id and the epoch it says, and a transaction with the group in it, is
    /// for the caller to see to.
    func stageTransactionalOffsets(
        _ request: TxnOffsetCommitRequest, reply: @escaping @Sendable (TxnOffsetCommitResponse) -> Void
    ) {
        var split = SplitOffsets(self)
        for topic in request.topics {
            for partition in topic.partitions {
                split.add(
                    TopicPartition(topic: topic.name, partition: partition.index), partition.committedOffset,
                    partition.committedLeaderEpoch, partition.metadata)
            }
        }
        let committer = Committer(
            group: request.groupID, memberID: request.memberID, instanceID: request.groupInstanceID,
            generation: request.generationID, isTransactional: true,
            producer: (request.producerID, request.producerEpoch))
        let refused = split.refused
        write(split.accepted, from: committer) { group, offsets in
            .stage(
                group: group, producerID: request.producerID, producerEpoch: request.producerEpoch, offsets)
        } reply: { error in
            var response = TxnOffsetCommitResponse()
            response.topics = request.topics.map { topic in
                var answer = TxnOffsetCommitResponse.Topic()
                answer.name = topic.name
                answer.partitions = topic.partitions.map { partition in
                    var entry = TxnOffsetCommitResponse.Partition()
                    entry.index = partition.index
                    let place = TopicPartition(topic: topic.name, partition: partition.index)
                    entry.error = refused[place] ?? error
                    return entry
                }
                return answer
            }
            reply(response)
        }
    }

    /// Lets what the producer staged count, in all groups at once, or forgets it; calls `completion` when that is
    /// durable, or cannot be made so. What was staged in epochs up to `producerEpoch` is meant. Asking again, after a
    /// crash say, changes nothing.
    func completeTransaction(
        producerID: Int64, producerEpoch: Int16, commit: Bool,
        completion: @escaping @Sendable (LogStoreError?) -> Void
    ) {
        do throws(LogStoreError) {
            try logStore.changeGroups(
                .endTransaction(producerID: producerID, producerEpoch: producerEpoch, isCommit: commit),
                completion: completion)
        } catch {
            completion(error)
        }
    }

    // MARK: OffsetFetch

    /// The committed offsets. A group nobody knows has none, which is no error.
    func fetch(_ request: OffsetFetchRequest) -> OffsetFetchResponse {
        var response = OffsetFetchResponse()
        if let refusal = refusal(ofName: request.groupID, mayBeEmpty: true) {
            response.error = refusal
            response.topics = (request.topics ?? []).map { topic in
                var answer = OffsetFetchResponse.Topic()
                answer.name = topic.name
                answer.partitions = topic.partitions.map { index in
                    var entry = OffsetFetchResponse.Partition()
                    entry.index = index
                    entry.error = refusal
                    return entry
                }
                return answer
            }
            return response
        }
        let offsets = logStore.groupOffsets(request.groupID)
        let asked = request.topics ?? Self.topics(of: offsets)
        response.topics = asked.map { topic in
            var answer = OffsetFetchResponse.Topic()
            answer.name = topic.name
            answer.partitions = topic.partitions.map { index in
                Self.entry(TopicPartition(topic: topic.name, partition: index), offsets, request.requireStable)
            }
            return answer
        }
        return response
    }

    private static func topics(of offsets: GroupOffsets) -> [OffsetFetchRequest.Topic] {
        var partitions: [String: [Int32]] = [:]
        for place in offsets.committed.keys { partitions[place.topic, default: []].append(place.partition) }
        return partitions.sorted { $0.key < $1.key }.map { name, indexes in
            var topic = OffsetFetchRequest.Topic()
            topic.name = name
            topic.partitions = indexes.sorted()
            return topic
        }
    }

    private static func entry(
        _ place: TopicPartition, _ offsets: GroupOffsets, _ requireStable: Bool
    ) -> OffsetFetchResponse.Partition {
        var entry = OffsetFetchResponse.Partition()
        entry.index = place.partition
        if requireStable, offsets.unstable.contains(place) {
            entry.error = .unstableOffsetCommit
        } else if let committed = offsets.committed[place] {
            entry.committedOffset = committed.offset
            entry.committedLeaderEpoch = committed.leaderEpoch
            entry.metadata = committed.metadata
        }
        return entry
    }

    // MARK: Writing

    /// Who commits.
    private struct Committer: Sendable {
        let group: String
        let memberID: String
        let instanceID: String?
        let generation: Int32
        let isTransactional: Bool
        var producer: (id: Int64, epoch: Int16)?

        /// Whether it says that it is a member.
        var isMember: Bool { generation >= 0 || !memberID.isEmpty || instanceID != nil }
    }

    private func write(
        _ offsets: GroupChange.Offsets, from committer: Committer,
        change: @escaping @Sendable (String, GroupChange.Offsets) -> GroupChange,
        reply: @escaping @Sendable (ErrorCode) -> Void
    ) {
        if let refusal = refusal(ofName: committer.group, mayBeEmpty: !committer.isTransactional) {
            reply(refusal)
            return
        }
        // Who claims no membership may use a group to keep offsets only.
        let mayMake = committer.generation < 0 || committer.isTransactional
        guard let group = mayMake ? makeGroup(committer.group) : group(committer.group) else {
            reply(mayMake ? .policyViolation : .illegalGeneration)
            return
        }
        group.update { state in
            if let refusal = refusal(of: committer, state) {
                state.then { reply(refusal) }
                return
            }
            if !committer.isTransactional, state.has(committer.memberID) { touch(committer.memberID, group, &state) }
            if offsets.isEmpty {
                state.then { reply(.none) }
                if state.generation == 0 { removeIfUnused(group, &state) }
                return
            }
            write(change(group.name, offsets), group, &state) { error, state in
                let code = error.map { Self.code($0) } ?? .none
                state.then { reply(code) }
            }
        }
    }

    private func refusal(of committer: Committer, _ state: borrowing GroupState) -> ErrorCode? {
        if state.phase == .dead { return .coordinatorNotAvailable }
        if let producer = committer.producer,
            let epoch = logStore.stagedEpoch(group: committer.group, producerID: producer.id), epoch > producer.epoch
        {
            return .invalidProducerEpoch
        }
        if committer.generation < 0, state.phase == .empty { return nil }
        if committer.isMember {
            if let refusal = refusal(ofMember: committer.memberID, instanceID: committer.instanceID, state) {
                return refusal
            }
            if committer.generation != state.generation { return .illegalGeneration }
        } else if !committer.isTransactional {
            // A group with members belongs to them. Transactions of old clients do not say who they are.
            return .unknownMemberID
        }
        // It knows the generation but may commit what its new assignment gives to another: it is to try again.
        return state.phase == .completingRebalance && !committer.isTransactional ? .rebalanceInProgress : nil
    }
}

/// Offsets to be committed, those apart that cannot be.
private struct SplitOffsets {
    private let coordinator: GroupCoordinator
    private(set) var accepted: GroupChange.Offsets = [:]
    private(set) var refused: [TopicPartition: ErrorCode] = [:]

    init(_ coordinator: GroupCoordinator) { self.coordinator = coordinator }

    mutating func add(_ place: TopicPartition, _ offset: Int64, _ leaderEpoch: Int32, _ metadata: String?) {
        if coordinator.logStore.partition(place) == nil {
            refused[place] = .unknownTopicOrPartition
        } else if (metadata?.utf8.count ?? 0) > coordinator.settings.maxOffsetMetadataBytes {
            refused[place] = .offsetMetadataTooLarge
        } else {
            accepted[place] = CommittedOffset(offset: offset, leaderEpoch: leaderEpoch, metadata: metadata ?? "")
        }
    }
}

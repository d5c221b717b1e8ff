import KafkaProtocol
import LogStore

/// JoinGroup: becoming a member, and waiting for the rebalance that makes one.
extension GroupCoordinator {
    /// Lets a client join; answered when the rebalance that this may begin has everyone.
    func join(
        _ request: JoinGroupRequest, from client: GroupClient, reply: @escaping GroupMember.JoinReply
    ) {
        if let refusal = refusal(ofName: request.groupID) {
            reply(.failure(refusal, memberID: request.memberID))
            return
        }
        let timeouts = settings.minSessionTimeoutMs...settings.maxSessionTimeoutMs
        guard timeouts.contains(request.sessionTimeoutMs) else {
            reply(.failure(.invalidSessionTimeout, memberID: request.memberID))
            return
        }
        // A group is made for who does not claim to be a member already.
        let isNew = request.memberID.isEmpty
        guard let group = isNew ? makeGroup(request.groupID) : group(request.groupID) else {
            reply(
                .failure(isNew ? .policyViolation : .unknownMemberID, memberID: request.memberID))
            return
        }
        group.update { state in
            if !accepts(request.memberID, state) {
                state.remove(request.memberID)
                state.then { reply(.failure(.groupMaxSizeReached)) }
            } else if state.phase == .dead {
                state.then { reply(.failure(.coordinatorNotAvailable, memberID: request.memberID)) }
            } else if !state.supports(request.protocolType, request.protocols) {
                state.then { reply(.failure(.inconsistentGroupProtocol, memberID: request.memberID)) }
            } else if !memory.hasRoom(for: 1024 + GroupMember.memoryBytes(request.protocols)) {
                state.then { reply(.failure(.groupMaxSizeReached, memberID: request.memberID)) }
            } else if isNew {
                joinNew(request, client, group, &state, reply)
            } else {
                joinKnown(request, client, group, &state, reply)
            }
            completeJoinIfReady(group, &state)
            if state.generation == 0 { removeIfUnused(group, &state) }
        }
    }

    /// Whether there is room for the member. While a rebalance is prepared those count that have joined it.
    private func accepts(_ id: String, _ state: borrowing GroupState) -> Bool {
        if state.pending.count >= settings.maxMembers, !state.has(id), !state.isPending(id) { return false }
        switch state.phase {
        case .empty, .dead: return true
        case .preparingRebalance:
            return state.members[id]?.isAwaitingJoin == true || state.awaitingJoin < settings.maxMembers
        case .completingRebalance, .stable:
            return state.has(id) || state.members.count < settings.maxMembers
        }
    }

    private func joinNew(
        _ request: JoinGroupRequest, _ client: GroupClient, _ group: Group, _ state: inout GroupState,
        _ reply: @escaping GroupMember.JoinReply
    ) {
        // An id must fit into every version of every message, so of a long name only the beginning is in it.
        let prefix = String((request.groupInstanceID ?? client.id).prefix(249))
        let id = prefix + "-" + settings.makeID()
        if let instanceID = request.groupInstanceID {
            if let oldID = state.staticMembers[instanceID] {
                replaceStatic(instanceID, oldID, id, request, group, &state, reply)
            } else {
                addMember(id, request, client, group, &state, reply)
            }
        } else if client.canRejoin {
            // Should the client not get the answer, its id is forgotten without a rebalance.
            let timer = timers.schedule(afterMs: Int64(request.sessionTimeoutMs)) { [weak self] in
                self?.pendingTimerFired(id, group)
            }
            state.addPending(id, timer)
            state.then { reply(.failure(.memberIDRequired, memberID: id)) }
        } else {
            addMember(id, request, client, group, &state, reply)
        }
    }

    private func pendingTimerFired(_ id: String, _ group: Group) {
        group.update { state in
            guard state.isPending(id) else { return }
            state.removePending(id)
            completeJoinIfReady(group, &state)
            if state.generation == 0 { removeIfUnused(group, &state) }
        }
    }

    private func joinKnown(
        _ request: JoinGroupRequest, _ client: GroupClient, _ group: Group, _ state: inout GroupState,
        _ reply: @escaping GroupMember.JoinReply
    ) {
        let id = request.memberID
        if state.isPending(id) {
            if request.groupInstanceID != nil {
                state.then { reply(.failure(.invalidRequest, memberID: id)) }
            } else {
                addMember(id, request, client, group, &state, reply)
            }
            return
        }
        if let refusal = refusal(ofMember: id, instanceID: request.groupInstanceID, state) {
            state.then { reply(.failure(refusal, memberID: id)) }
            return
        }
        let hasChanged = state.members[id]?.matches(request.protocols) != true
        switch state.phase {
        case .preparingRebalance:
            rejoin(id, request, group, &state, reply)
        case .completingRebalance where !hasChanged, .stable where !hasChanged && !state.isLeader(id):
            // It may not have got the first answer; nothing changes for the others. A leader of a stable group, though,
            // has its reasons to have everyone join again: new partitions, say.
            let response = state.joinResponse(for: id)
            state.then { reply(response) }
        case .completingRebalance, .stable:
            rejoin(id, request, group, &state, reply)
        case .empty, .dead:
            state.then { reply(.failure(.unknownMemberID, memberID: id)) }
        }
    }

    private func addMember(
        _ id: String, _ request: JoinGroupRequest, _ client: GroupClient, _ group: Group, _ state: inout GroupState,
        _ reply: @escaping GroupMember.JoinReply
    ) {
        var member = GroupMember(
            id: id, instanceID: request.groupInstanceID, clientID: client.id, clientHost: client.host,
            protocolType: request.protocolType, rebalanceTimeoutMs: request.effectiveRebalanceTimeoutMs,
            sessionTimeoutMs: request.sessionTimeoutMs, protocols: request.protocols)
        member.isNew = true
        member.joinReply = reply
        if state.phase == .preparingRebalance, state.generation == 0 { state.newMemberAdded = true }
        state.add(member)
        // A new member does not send heartbeats before its rebalance is over. That its client is still there is only
        // known when it asks again.
        touch(id, group, &state, timeoutMs: settings.newMemberTimeoutMs)
        prepareRebalanceIfPossible(group, &state)
    }

    private func rejoin(
        _ id: String, _ request: JoinGroupRequest, _ group: Group, _ state: inout GroupState,
        _ reply: @escaping GroupMember.JoinReply
    ) {
        state.update(
            id, protocols: request.protocols, rebalanceTimeoutMs: request.effectiveRebalanceTimeoutMs,
            sessionTimeoutMs: request.sessionTimeoutMs, joinReply: reply)
        prepareRebalanceIfPossible(group, &state)
    }

    // MARK: Static members

    /// A static member is back, under a new id. If nothing changes for the others, it gets what it had.
    private func replaceStatic(
        _ instanceID: String, _ oldID: String, _ id: String, _ request: JoinGroupRequest, _ group: Group,
        _ state: inout GroupState, _ reply: @escaping GroupMember.JoinReply
    ) {
        let oldLeader = state.leader ?? ""
        let before = state.members[oldID]
        state.replaceStatic(instanceID, oldID, by: id)
        state.update(
            id, protocols: request.protocols, rebalanceTimeoutMs: request.effectiveRebalanceTimeoutMs,
            sessionTimeoutMs: request.sessionTimeoutMs, joinReply: reply)
        touch(id, group, &state)
        switch state.phase {
        case .stable where state.selectProtocol() == state.protocolName:
            let assignments = state.members.mapValues(\.assignment)
            let stored = state.stored(group.name, assignments: assignments, nowMs: state.changedMs)
            write(.rebalance(stored), group, &state) { [self] error, state in
                if let error, let before {
                    undoReplacement(instanceID, id, before, GroupCoordinator.code(error), group, &state)
                } else if state.phase == .stable {
                    // Told of the old leader's id, even a leader does not assign anew: the others would not hear of it.
                    var response = state.joinResponse(for: id)
                    response.leader = oldLeader
                    response.members = []
                    state.answerJoin(id, response)
                }
                // Otherwise a rebalance has begun, which will answer.
            }
        case .stable, .completingRebalance:
            // The leader may assign to the old id right now, so that the new one would get nothing.
            prepareRebalance(group, &state)
        case .preparingRebalance, .empty, .dead:
            break
        }
    }

    private func undoReplacement(
        _ instanceID: String, _ id: String, _ before: GroupMember, _ error: ErrorCode, _ group: Group,
        _ state: inout GroupState
    ) {
        guard state.staticMembers[instanceID] == id else { return }
        state.answerJoin(id, .failure(error))
        state.update(
            id, protocols: before.protocols, rebalanceTimeoutMs: before.rebalanceTimeoutMs,
            sessionTimeoutMs: before.sessionTimeoutMs, joinReply: nil)
        state.replaceStatic(instanceID, id, by: before.id)
        touch(before.id, group, &state)
        completeJoinIfReady(group, &state)
    }
}

extension JoinGroupRequest {
    /// Before version 1 a rebalance waited for a session timeout.
    fileprivate var effectiveRebalanceTimeoutMs: Int32 {
        rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs
    }
}

import KafkaProtocol
import LogStore

/// The rebalance itself: when it begins, whom it waits for, and when it is over.
extension GroupCoordinator {
    /// Begins a rebalance, unless one is in preparation.
    func prepareRebalanceIfPossible(_ group: Group, _ state: inout GroupState) {
        switch state.phase {
        case .empty, .completingRebalance, .stable: prepareRebalance(group, &state)
        case .preparingRebalance, .dead: break
        }
    }

    /// Begins a rebalance: all members must join again; heartbeats tell them so.
    func prepareRebalance(_ group: Group, _ state: inout GroupState) {
        if state.phase == .completingRebalance { resetAssignments(.rebalanceInProgress, group, &state) }
        state.pendingSync = []
        cancelSyncTimer(&state)
        let timeoutMs = state.rebalanceTimeoutMs
        if state.phase == .empty {
            let delayMs = settings.initialRebalanceDelayMs
            state.joinWait = .firstMembers(delayMs: delayMs, remainingMs: max(timeoutMs - delayMs, 0))
            state.newMemberAdded = false
            scheduleJoinTimer(delayMs, group, &state)
        } else {
            state.joinWait = .everyone
            scheduleJoinTimer(timeoutMs, group, &state)
        }
        state.move(to: .preparingRebalance, nowMs: nowMs)
        completeJoinIfReady(group, &state)
    }

    private func scheduleJoinTimer(_ afterMs: Int64, _ group: Group, _ state: inout GroupState) {
        state.joinTimer?.cancel()
        state.timerNumber += 1
        let number = state.timerNumber
        state.joinTimerNumber = number
        state.joinTimer = timers.schedule(afterMs: afterMs) { [weak self] in self?.joinTimerFired(number, group) }
    }

    private func joinTimerFired(_ number: UInt64, _ group: Group) {
        group.update { state in
            guard state.phase == .preparingRebalance, state.joinTimerNumber == number else { return }
            if case .firstMembers(let delayMs, let remainingMs) = state.joinWait, state.newMemberAdded,
                remainingMs != 0
            {
                state.newMemberAdded = false
                let nextMs = min(settings.initialRebalanceDelayMs, remainingMs)
                state.joinWait = .firstMembers(delayMs: nextMs, remainingMs: max(remainingMs - delayMs, 0))
                scheduleJoinTimer(nextMs, group, &state)
                return
            }
            completeJoin(group, &state)
        }
    }

    /// Goes on when everyone has joined; the first members of a group are given their time, though.
    func completeJoinIfReady(_ group: Group, _ state: inout GroupState) {
        guard state.phase == .preparingRebalance, case .everyone = state.joinWait, state.hasEveryoneJoined else {
            return
        }
        completeJoin(group, &state)
    }

    /// The time to join is over: those who did are the next generation, and the leader is asked to assign.
    private func completeJoin(_ group: Group, _ state: inout GroupState) {
        state.joinTimer?.cancel()
        state.joinTimer = nil
        // A static member is missed only when its session ends.
        for member in state.orderedMembers where !member.isAwaitingJoin && !member.isStatic {
            state.remove(member.id)
        }
        if !state.electJoinedLeader(), !state.members.isEmpty {
            // Only static members are left, none of which has joined: their sessions will end, or they come back.
            state.joinWait = .everyone
            scheduleJoinTimer(max(1000, state.rebalanceTimeoutMs), group, &state)
            return
        }
        state.beginGeneration(nowMs: nowMs)
        if state.members.isEmpty {
            // Should this fail and the server too, the members before come to life again, and time out.
            let stored = state.stored(group.name, assignments: [:], nowMs: state.changedMs)
            write(.rebalance(stored), group, &state) { _, _ in }
            return
        }
        for member in state.orderedMembers {
            state.answerJoin(member.id, state.joinResponse(for: member.id))
            touch(member.id, group, &state)
            state.with(member.id) { $0.isNew = false }
            state.pendingSync.insert(member.id)
        }
        scheduleSyncTimer(group, &state)
    }

    // MARK: SyncGroup

    /// Takes the leader's assignment, and gives each member its own.
    func sync(_ request: SyncGroupRequest, reply: @escaping GroupMember.SyncReply) {
        if let refusal = refusal(ofName: request.groupID) {
            reply(.failure(refusal))
            return
        }
        guard let group = group(request.groupID) else {
            reply(.failure(.unknownMemberID))
            return
        }
        group.update { state in
            if let refusal = refusal(of: request, state) {
                state.then { reply(.failure(refusal)) }
                return
            }
            let id = request.memberID
            switch state.phase {
            case .empty, .dead:
                state.then { reply(.failure(.unknownMemberID)) }
            case .preparingRebalance:
                state.then { reply(.failure(.rebalanceInProgress)) }
            case .completingRebalance:
                // A client that asks again has given up on its earlier request.
                state.answerSync(id, .failure(.rebalanceInProgress))
                state.with(id) { $0.syncReply = reply }
                hasSynced(id, &state)
                if state.isLeader(id) { store(request, group, &state) }
            case .stable:
                hasSynced(id, &state)
                let response = state.syncResponse(for: id)
                state.then { reply(response) }
                touch(id, group, &state)
            }
        }
    }

    private func refusal(of request: SyncGroupRequest, _ state: borrowing GroupState) -> ErrorCode? {
        if state.phase == .dead { return .coordinatorNotAvailable }
        if let refusal = refusal(ofMember: request.memberID, instanceID: request.groupInstanceID, state) {
            return refusal
        }
        if request.generationID != state.generation { return .illegalGeneration }
        if let type = request.protocolType, type != state.protocolType { return .inconsistentGroupProtocol }
        if let name = request.protocolName, name != state.protocolName { return .inconsistentGroupProtocol }
        return nil
    }

    /// Makes the leader's assignment durable; then the group is stable.
    private func store(_ request: SyncGroupRequest, _ group: Group, _ state: inout GroupState) {
        var assignments: [String: [UInt8]] = [:]
        var size = 0
        for entry in request.assignments where state.has(entry.memberID) {
            assignments[entry.memberID] = entry.assignment
            size += entry.assignment.count
        }
        guard memory.hasRoom(for: size) else {
            failAssignment(.coordinatorNotAvailable, group, &state)
            return
        }
        let generation = state.generation
        let stored = state.stored(group.name, assignments: assignments, nowMs: nowMs)
        write(.rebalance(stored), group, &state) { [self, assignments] error, state in
            // Meanwhile a member may have come or gone: then there will be another assignment.
            guard state.phase == .completingRebalance, state.generation == generation else { return }
            if let error {
                failAssignment(
                    error.code == .messageTooLarge ? .unknownServerError : Self.code(error), group, &state)
                return
            }
            for id in state.members.keys {
                state.setAssignment(id, assignments[id] ?? [])
                if state.answerSync(id, state.syncResponse(for: id)) { touch(id, group, &state) }
            }
            state.move(to: .stable, nowMs: nowMs)
        }
    }

    private func failAssignment(_ error: ErrorCode, _ group: Group, _ state: inout GroupState) {
        resetAssignments(error, group, &state)
        prepareRebalanceIfPossible(group, &state)
    }

    private func resetAssignments(_ error: ErrorCode, _ group: Group, _ state: inout GroupState) {
        for id in state.members.keys {
            state.setAssignment(id, [])
            if state.answerSync(id, .failure(error)) { touch(id, group, &state) }
        }
    }

    private func hasSynced(_ id: String, _ state: inout GroupState) {
        state.pendingSync.remove(id)
        if state.pendingSync.isEmpty { cancelSyncTimer(&state) }
    }

    private func cancelSyncTimer(_ state: inout GroupState) {
        state.syncTimer?.cancel()
        state.syncTimer = nil
    }

    /// Who joined but does not ask for its assignment in time is taken out: the others may wait for it, the leader.
    private func scheduleSyncTimer(_ group: Group, _ state: inout GroupState) {
        cancelSyncTimer(&state)
        let generation = state.generation
        state.syncTimer = timers.schedule(afterMs: state.rebalanceTimeoutMs) { [weak self] in
            self?.syncTimerFired(generation, group)
        }
    }

    private func syncTimerFired(_ generation: Int32, _ group: Group) {
        group.update { state in
            guard state.generation == generation, !state.pendingSync.isEmpty,
                state.phase == .completingRebalance || state.phase == .stable
            else { return }
            for id in state.pendingSync { state.remove(id) }
            prepareRebalance(group, &state)
        }
    }

    // MARK: Heartbeat

    /// Takes a sign of life; answers whether the member must join again.
    func heartbeat(_ request: HeartbeatRequest) -> ErrorCode {
        if let refusal = refusal(ofName: request.groupID) { return refusal }
        guard let group = group(request.groupID) else { return .unknownMemberID }
        return group.update { state in
            if state.phase == .dead { return .coordinatorNotAvailable }
            if let refusal = refusal(ofMember: request.memberID, instanceID: request.groupInstanceID, state) {
                return refusal
            }
            if request.generationID != state.generation { return .illegalGeneration }
            touch(request.memberID, group, &state)
            return state.phase == .preparingRebalance ? .rebalanceInProgress : .none
        }
    }

    // MARK: LeaveGroup

    /// Takes members out; one that is named by its instance only is static, and an administrator does it.
    func leave(_ request: LeaveGroupRequest) -> LeaveGroupResponse {
        var response = LeaveGroupResponse()
        if let refusal = refusal(ofName: request.groupID) {
            response.error = refusal
            return response
        }
        let group = group(request.groupID)
        let errors = group?.update { state -> [ErrorCode]? in
            if state.phase == .dead { return nil }
            return request.members.map { leave($0, group, &state) }
        }
        if group != nil, errors == .some(nil) {
            response.error = .coordinatorNotAvailable
            return response
        }
        for (index, member) in request.members.enumerated() {
            var entry = LeaveGroupResponse.Member()
            entry.memberID = member.memberID
            entry.groupInstanceID = member.groupInstanceID
            entry.error = (errors ?? nil)?[index] ?? .unknownMemberID
            response.members.append(entry)
        }
        return response
    }

    private func leave(_ member: LeaveGroupRequest.Member, _ group: Group?, _ state: inout GroupState) -> ErrorCode {
        guard let group else { return .unknownMemberID }
        if member.memberID.isEmpty {
            guard let id = member.groupInstanceID.flatMap({ state.staticMembers[$0] }) else { return .unknownMemberID }
            removeMember(id, group, &state)
            return .none
        }
        if state.isPending(member.memberID) {
            state.removePending(member.memberID)
            completeJoinIfReady(group, &state)
            return .none
        }
        if let refusal = refusal(ofMember: member.memberID, instanceID: member.groupInstanceID, state) {
            return refusal
        }
        removeMember(member.memberID, group, &state)
        return .none
    }

    /// Takes a member out; the others share what it had.
    func removeMember(_ id: String, _ group: Group, _ state: inout GroupState) {
        state.remove(id)
        switch state.phase {
        case .stable, .completingRebalance: prepareRebalance(group, &state)
        case .preparingRebalance: completeJoinIfReady(group, &state)
        case .empty, .dead: break
        }
    }
}

import KafkaBroker
import KafkaProtocol
import Testing

@Suite("A group's rebalances")
struct RebalanceTests {
    @Test("a lone consumer joins, leads, and gets what it assigns to itself")
    func lone() throws {
        let fixture = try GroupFixture()
        let id = try fixture.newID()
        #expect(id.hasPrefix("test client-"))
        #expect(try fixture.state() == "Empty")
        let join = try fixture.join(id)
        #expect(try fixture.state() == "PreparingRebalance")
        fixture.pass(milliseconds: 99, step: 99)
        #expect(!join.isAnswered, "more members may come")
        fixture.pass(milliseconds: 1)
        let joined = try join.wait()
        #expect(joined.error == .none)
        #expect(joined.generationID == 1)
        #expect(joined.leader == id && joined.memberID == id)
        #expect(joined.protocolName == "range" && joined.protocolType == "consumer")
        #expect(joined.members.map(\.memberID) == [id])
        #expect(joined.members.first?.metadata == fixture.subscription("t"))
        #expect(try fixture.state() == "CompletingRebalance")
        let synced = try fixture.sync(id, 1, [id: "mine"]).wait()
        #expect(synced.error == .none)
        #expect(synced.assignment == Array("mine".utf8))
        #expect(synced.protocolName == "range" && synced.protocolType == "consumer")
        #expect(try fixture.state() == "Stable")
        #expect(try fixture.heartbeat(id, 1) == .none)
    }

    @Test(
        "before version 4 a member gets its id with the rebalance; in version 0 its rebalance timeout is the session's")
    func oldVersions() throws {
        let fixture = try GroupFixture()
        let join = try fixture.join(version: 0)
        fixture.pass(milliseconds: 100)
        let response = try join.wait()
        #expect(response.error == .none)
        #expect(response.memberID == response.leader && !response.memberID.isEmpty)
        // It does not sync: after its session's time it is out.
        fixture.pass(milliseconds: 10_000)
        #expect(try fixture.state() == "Empty")
    }

    @Test("members that come while a group begins prolong the wait, up to the rebalance timeout")
    func initialDelay() throws {
        let fixture = try GroupFixture()
        let first = try fixture.join(fixture.newID(), rebalanceMs: 250)
        fixture.pass(milliseconds: 50)
        let second = try fixture.join(fixture.newID(), rebalanceMs: 250)
        fixture.pass(milliseconds: 60)
        #expect(!first.isAnswered, "another came: another 100 ms")
        let third = try fixture.join(fixture.newID(), rebalanceMs: 250)
        fixture.pass(milliseconds: 91, step: 1)
        #expect(!first.isAnswered, "and another")
        fixture.pass(milliseconds: 60, step: 1)
        for join in [first, second, third] { #expect(try join.wait().generationID == 1) }
    }

    @Test("the way of assigning is the one that all know and most prefer; metadata is opaque")
    func votes() throws {
        let fixture = try GroupFixture()
        let joins = [
            try fixture.join("", [("only a", [1]), ("x", [2]), ("y", [3])], version: 3),
            try fixture.join("", [("y", [255, 0]), ("x", [])], version: 3),
            try fixture.join("", [("y", [4]), ("x", [5]), ("only c", [])], version: 3),
        ]
        fixture.pass(milliseconds: 500, step: 50)
        let answers = try joins.map { try $0.wait() }
        #expect(answers.map(\.protocolName) == ["y", "y", "y"])
        #expect(answers[0].members.map(\.metadata) == [[3], [255, 0], [4]])
        #expect(answers[1].members.isEmpty && answers[2].members.isEmpty)
        #expect(Set(answers.map(\.leader)) == [answers[0].memberID])
        let stranger = try fixture.join("", [("only a", [])])
        #expect(try stranger.wait().error == .inconsistentGroupProtocol)
        #expect(try fixture.join([], "connect") == .inconsistentGroupProtocol)
    }

    @Test("followers wait for the leader's assignment; who was forgotten gets an empty one")
    func followersWait() throws {
        let fixture = try GroupFixture()
        let joins = try (0..<3).map { _ in try fixture.join(fixture.newID()) }
        fixture.pass(milliseconds: 500, step: 50)
        let ids = try joins.map { try $0.wait().memberID }
        let second = try fixture.sync(ids[1], 1)
        let third = try fixture.sync(ids[2], 1)
        #expect(try fixture.heartbeat(ids[1], 1) == .none, "heartbeats are fine meanwhile")
        #expect(!second.isAnswered && !third.isAnswered)
        let first = try fixture.sync(ids[0], 1, [ids[0]: "a", ids[1]: "b", "nobody": "c"])
        #expect(try first.wait().assignment == Array("a".utf8))
        #expect(try second.wait().assignment == Array("b".utf8))
        #expect(try third.wait().assignment == [])
        #expect(try fixture.sync(ids[1], 1).wait().assignment == Array("b".utf8), "and again when asked again")
    }

    @Test("a new member makes all join again; heartbeats tell them")
    func newMember() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2)
        let third = try fixture.join(fixture.newID())
        #expect(try fixture.state() == "PreparingRebalance")
        for id in ids { #expect(try fixture.heartbeat(id, generation) == .rebalanceInProgress) }
        #expect(try fixture.sync(ids[0], generation).wait().error == .rebalanceInProgress)
        let second = try fixture.join(ids[1])
        #expect(!third.isAnswered)
        let first = try fixture.join(ids[0])
        let answers = try [first, second, third].map { try $0.wait() }
        #expect(answers.map(\.generationID) == [2, 2, 2])
        #expect(answers.map(\.leader) == [ids[0], ids[0], ids[0]])
        try fixture.assign(answers.map(\.memberID), 2)
        #expect(try fixture.heartbeat(ids[0], 1) == .illegalGeneration)
        #expect(try fixture.sync(ids[0], 1).wait().error == .illegalGeneration)
    }

    @Test("who does not join again in time is out, and is told so when it comes")
    func tooLate() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2, sessionMs: 60_000, rebalanceMs: 20_000)
        let third = try fixture.join(fixture.newID(), rebalanceMs: 20_000)
        fixture.pass(milliseconds: 19_999)
        #expect(try fixture.heartbeat(ids[0], generation) == .rebalanceInProgress)
        #expect(!third.isAnswered)
        fixture.pass(milliseconds: 1)
        let response = try third.wait()
        #expect(response.error == .none && response.generationID == 2)
        #expect(response.leader == response.memberID, "it leads now")
        #expect(response.members.count == 1)
        #expect(try fixture.heartbeat(ids[0], generation) == .unknownMemberID)
        #expect(try fixture.join(ids[1]).wait().error == .unknownMemberID)
        #expect(try fixture.sync(ids[1], 1).wait().error == .unknownMemberID)
    }

    @Test("a leader that joined and never assigns is out after the rebalance timeout; the others begin again")
    func absentLeader() throws {
        let fixture = try GroupFixture()
        let joins = try (0..<2).map { _ in try fixture.join(fixture.newID(), sessionMs: 60_000) }
        fixture.pass(milliseconds: 500, step: 50)
        let ids = try joins.map { try $0.wait().memberID }
        let follower = try fixture.sync(ids[1], 1)
        fixture.pass(milliseconds: 29_000)
        #expect(!follower.isAnswered)
        fixture.pass(milliseconds: 1_000)
        #expect(try follower.wait().error == .rebalanceInProgress)
        #expect(try fixture.heartbeat(ids[0], 1) == .unknownMemberID)
        let again = try fixture.join(ids[1]).wait()
        #expect(again.generationID == 2 && again.leader == ids[1])
    }

    @Test("who is silent for its session timeout is out, who is heard of stays")
    func sessions() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2)
        for _ in 0..<5 {
            fixture.pass(milliseconds: 3_000)
            #expect(try fixture.heartbeat(ids[0], generation) == (fixture.isOut(ids[1]) ? .rebalanceInProgress : .none))
        }
        #expect(try fixture.state() == "PreparingRebalance")
        let joined = try fixture.join(ids[0]).wait()
        #expect(joined.generationID == 2 && joined.members.map(\.memberID) == [ids[0]])
        try fixture.assign([ids[0]], 2)
        fixture.pass(milliseconds: 10_001)
        #expect(try fixture.state() == "Empty")
        #expect(try fixture.heartbeat(ids[0], 2) == .unknownMemberID)
    }

    @Test("waiting for a rebalance is a sign of life, however long; an offset commit, too")
    func waitingIsLiving() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2, rebalanceMs: 60_000)
        let waiting = try fixture.join(ids[0], rebalanceMs: 60_000)
        for _ in 0..<6 {
            fixture.pass(milliseconds: 9_000)
            #expect(
                try fixture.commit([.init(topic: "t", partition: 0): 5], ids[1], generation) == [.none],
                "commits are taken while a rebalance is prepared")
        }
        #expect(!waiting.isAnswered)
        _ = try fixture.join(ids[1])
        #expect(try waiting.wait().generationID == 2)
    }

    @Test("who leaves is out at once; the last leaves an empty group of the next generation")
    func leaving() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2)
        #expect(try fixture.leave((ids[0], nil), ("stranger", nil)) == [.none, .unknownMemberID])
        #expect(try fixture.heartbeat(ids[1], generation) == .rebalanceInProgress)
        let second = try fixture.join(ids[1]).wait()
        #expect(second.leader == ids[1])
        try fixture.assign([ids[1]], 2)
        #expect(try fixture.leave((ids[1], nil)) == [.none])
        fixture.settle()
        #expect(try fixture.describe().members.isEmpty)
        let stored = fixture.base.logStore.storedGroup(GroupFixture.group)
        #expect(stored == nil || stored?.generation == 3 && stored?.members == [])
        // Before version 3 the answer itself has the error.
        var old = LeaveGroupRequest()
        old.groupID = GroupFixture.group
        old.memberID = ids[1]
        #expect(try fixture.client.send(old, version: 2).error == .unknownMemberID)
    }

    @Test("a follower that joins again unchanged disturbs nobody; a leader, or one with news, does")
    func rejoining() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2)
        let same = try fixture.join(ids[1]).wait()
        #expect(same.error == .none && same.generationID == generation && same.members.isEmpty)
        #expect(try fixture.state() == "Stable")
        let news = try fixture.join(ids[1], [("range", fixture.subscription("t", "u"))])
        #expect(try fixture.state() == "PreparingRebalance")
        let leader = try fixture.join(ids[0])
        #expect(try news.wait().generationID == 2)
        // In CompletingRebalance the unchanged get the same answer again.
        #expect(try leader.wait().members.count == 2)
        #expect(try fixture.join(ids[0]).wait().members.count == 2)
        #expect(try fixture.state() == "CompletingRebalance")
        try fixture.assign(ids, 2)
        _ = try fixture.join(ids[0])
        #expect(try fixture.state() == "PreparingRebalance")
    }

    @Test("a change while the leader assigns begins anew, and the waiting are told")
    func changeWhileCompleting() throws {
        let fixture = try GroupFixture()
        let joins = try (0..<2).map { _ in try fixture.join(fixture.newID()) }
        fixture.pass(milliseconds: 500, step: 50)
        let ids = try joins.map { try $0.wait().memberID }
        let waiting = try fixture.sync(ids[1], 1)
        _ = try fixture.join(ids[0], [("range", [])])
        #expect(try waiting.wait().error == .rebalanceInProgress)
        #expect(try fixture.join(ids[1]).wait().generationID == 2)
    }

    @Test("an assignment that was on its way to the disk when a member came is not given out")
    func assignmentOvertaken() throws {
        let fixture = try GroupFixture()
        let join = try fixture.join(fixture.newID())
        fixture.pass(milliseconds: 100)
        let id = try join.wait().memberID
        let other = try fixture.newID()
        fixture.base.disk.holdSyncs()
        let sync = try fixture.sync(id, 1, [id: "outdated"])
        #expect(fixture.base.disk.waitForHeldSyncs(1))
        #expect(!sync.isAnswered, "an assignment is durable before it is given out")
        let newcomer = try fixture.join(other)
        fixture.base.disk.releaseSyncs()
        #expect(try sync.wait().error == .rebalanceInProgress)
        fixture.settle()
        #expect(try fixture.state() == "PreparingRebalance")
        let again = try fixture.join(id)
        #expect(try newcomer.wait().generationID == 2)
        #expect(try again.wait().generationID == 2)
    }

    @Test("asking twice: the earlier request gets an answer, too")
    func askingTwice() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2)
        let first = try fixture.join(ids[0])
        let second = try fixture.join(ids[0])
        #expect(try first.wait().error == .rebalanceInProgress)
        _ = try fixture.join(ids[1])
        #expect(try second.wait().generationID == generation + 1)
        let sync = try fixture.sync(ids[1], 2)
        let again = try fixture.sync(ids[1], 2)
        #expect(try sync.wait().error == .rebalanceInProgress)
        _ = try fixture.sync(ids[0], 2)
        #expect(try again.wait().error == .none)
    }

    @Test("an id that nobody joins with holds a rebalance up for a session timeout, no longer")
    func pendingMembers() throws {
        let fixture = try GroupFixture()
        let (ids, _) = try fixture.stable(1, sessionMs: 30_000)
        _ = try fixture.newID()
        let left = try fixture.newID()
        let join = try fixture.join(ids[0])
        #expect(!join.isAnswered)
        #expect(try fixture.leave((left, nil)) == [.none])
        #expect(!join.isAnswered)
        fixture.pass(milliseconds: 10_000)
        #expect(try join.wait().generationID == 2)
        #expect(try fixture.join(left).wait().error == .unknownMemberID)
    }

    @Test("a new member that waits five minutes is taken for gone")
    func newMemberTimeout() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1, sessionMs: 600_000, rebalanceMs: 600_000)
        let join = try fixture.join(fixture.newID(), sessionMs: 600_000, rebalanceMs: 600_000)
        fixture.pass(milliseconds: 299_000)
        #expect(!join.isAnswered)
        fixture.pass(milliseconds: 1_000)
        #expect(try join.wait().error == .unknownMemberID)
        #expect(try fixture.heartbeat(ids[0], generation) == .rebalanceInProgress)
    }

    @Test("a group takes so many members and no more")
    func maxMembers() throws {
        let fixture = try GroupFixture { $0.maxMembers = 2 }
        let (ids, _) = try fixture.stable(2)
        #expect(try fixture.join().wait().error == .groupMaxSizeReached)
        #expect(try fixture.state() == "Stable")
        #expect(try fixture.join(ids[1]).wait().error == .none)
    }

    @Test("there are so many groups and no more, and idle ones make room; members' metadata is bounded")
    func maxGroups() throws {
        let fixture = try GroupFixture {
            $0.maxGroups = 2
            $0.maxMemoryBytes = 100_000
        }
        for name in ["a", "b"] { _ = try fixture.join(group: name, version: 3) }
        #expect(try fixture.join(group: "c").wait().error == .policyViolation)
        #expect(try fixture.commit([.init(topic: "t", partition: 0): 1], group: "c") == [.policyViolation])
        #expect(
            try fixture.join(group: "a", [("range", Array(repeating: 1, count: 100_000))]).wait().error
                == .groupMaxSizeReached)
        // Their members go when they are silent, and the groups when it is looked for unused ones.
        fixture.pass(milliseconds: 60_000)
        fixture.pass(milliseconds: 600_000)
        #expect(try fixture.join(group: "c").wait().error == .memberIDRequired)
        // What was only looked at leaves nothing behind either.
        fixture.pass(milliseconds: 60_000)
        #expect(try fixture.describe("c").state == "Dead")
    }

    @Test(
        "what cannot be joined is refused",
        arguments: [
            ("", 10_000, "consumer", 1, ErrorCode.invalidGroupID),
            (String(repeating: "g", count: 2_000), 10_000, "consumer", 1, .invalidGroupID),
            ("g", 5_999, "consumer", 1, .invalidSessionTimeout),
            ("g", 1_800_001, "consumer", 1, .invalidSessionTimeout),
            ("g", -1, "consumer", 1, .invalidSessionTimeout), ("g", 10_000, "", 1, .inconsistentGroupProtocol),
            ("g", 10_000, "consumer", 0, .inconsistentGroupProtocol), ("g", 6_000, "consumer", 1, .memberIDRequired),
        ])
    func refusals(name: String, sessionMs: Int32, type: String, protocols: Int, error: ErrorCode) throws {
        let fixture = try GroupFixture()
        let choices = (0..<protocols).map { ("p\($0)", [UInt8]()) }
        let response = try fixture.join(group: name, choices, type: type, sessionMs: sessionMs).wait()
        #expect(response.error == error)
        if error != .memberIDRequired { #expect(try fixture.describe(name).members.isEmpty) }
    }

    @Test("nobody is a member of a group that is not there")
    func unknownGroup() throws {
        let fixture = try GroupFixture()
        #expect(try fixture.join("someone").wait().error == .unknownMemberID)
        #expect(try fixture.sync("someone", 1).wait().error == .unknownMemberID)
        #expect(try fixture.heartbeat("someone", 1) == .unknownMemberID)
        #expect(try fixture.leave(("someone", nil)) == [.unknownMemberID])
        let (ids, generation) = try fixture.stable(1)
        #expect(
            try fixture.sync(ids[0], generation, protocolName: "other").wait().error == .inconsistentGroupProtocol)
        #expect(
            try fixture.sync(ids[0], generation, protocolType: nil).wait().error == .inconsistentGroupProtocol)
    }

    @Test("a user that may not consume is no member")
    func permissions() throws {
        let fixture = try GroupFixture()
        let producer = fixture.base.client(.produce)
        var join = JoinGroupRequest()
        join.groupID = "g"
        join.sessionTimeoutMs = 10_000
        #expect(try producer.send(join).error == .groupAuthorizationFailed)
        var find = FindCoordinatorRequest()
        find.key = "g"
        #expect(try producer.send(find).error == .groupAuthorizationFailed)
        find.keyType = 1
        #expect(try producer.send(find).error == .none)
        find.keyType = 7
        #expect(try fixture.client.send(find).error == .invalidRequest)
        find.keyType = 0
        let found = try fixture.client.send(find, version: 0)
        #expect(found.error == .none && found.host == "localhost" && found.port == 9092 && found.nodeID == 1)
    }
}

extension GroupFixture {
    fileprivate func isOut(_ id: String) throws -> Bool { try !describe().members.contains { $0.memberID == id } }

    fileprivate func join(_ protocols: [(String, [UInt8])], _ type: String) throws -> ErrorCode {
        try join("", protocols + [("y", [])], type: type).wait().error
    }
}

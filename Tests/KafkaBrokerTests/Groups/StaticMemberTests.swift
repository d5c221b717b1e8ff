import KafkaBroker
import KafkaProtocol
import LogStore
import Testing

@Suite("Static members")
struct StaticMemberTests {
    private let place = TopicPartition(topic: "t", partition: 0)

    @Test("one that comes back gets what it had, and nobody else notices; its former self is fenced")
    func replaced() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2, instances: ["one", "two"])
        #expect(ids[1].hasPrefix("two-"))
        let back = try fixture.join(instance: "two").wait()
        #expect(back.error == .none && back.generationID == generation)
        #expect(back.memberID != ids[1] && back.memberID.hasPrefix("two-"))
        #expect(back.leader == ids[0] && back.members.isEmpty)
        #expect(try fixture.state() == "Stable")
        let synced = try fixture.sync(back.memberID, generation, instance: "two").wait()
        #expect(String(decoding: synced.assignment, as: UTF8.self) == "part 1")
        #expect(try fixture.heartbeat(ids[0], generation, instance: "one") == .none)
        #expect(try fixture.heartbeat(ids[1], generation, instance: "two") == .fencedInstanceID)
        #expect(try fixture.heartbeat(ids[1], generation) == .unknownMemberID)
        #expect(try fixture.commit([place: 1], ids[1], generation, instance: "two") == [.fencedInstanceID])
        #expect(try fixture.sync(ids[1], generation, instance: "two").wait().error == .fencedInstanceID)
        #expect(try fixture.join(ids[1], instance: "two").wait().error == .fencedInstanceID)
        #expect(try fixture.leave((ids[1], "two")) == [.fencedInstanceID])
        #expect(try fixture.heartbeat(back.memberID, generation, instance: "nobody") == .unknownMemberID)
        #expect(try fixture.heartbeat(back.memberID, generation, instance: "two") == .none)
    }

    @Test("a leader that comes back is told the old leader's id, so that it does not assign to a stable group")
    func replacedLeader() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(2, instances: ["one", "two"])
        let back = try fixture.join(instance: "one").wait()
        #expect(back.leader == ids[0] && back.memberID != ids[0] && back.members.isEmpty)
        // It leads nonetheless: joining again with its new id begins a rebalance.
        _ = try fixture.join(back.memberID, instance: "one")
        #expect(try fixture.heartbeat(ids[1], generation, instance: "two") == .rebalanceInProgress)
    }

    @Test("the new id is durable before it is given out")
    func replacementDurable() throws {
        let fixture = try GroupFixture()
        let (_, generation) = try fixture.stable(1, instances: ["one"])
        fixture.base.disk.holdSyncs()
        let join = try fixture.join(instance: "one")
        #expect(fixture.base.disk.waitForHeldSyncs(1))
        #expect(!join.isAnswered)
        fixture.base.disk.releaseSyncs()
        let id = try join.wait().memberID
        let again = try fixture.restarted()
        #expect(try again.heartbeat(id, generation, instance: "one") == .none)
    }

    @Test("when the disk refuses the new id, the old one stays")
    func replacementFails() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1, instances: ["one"])
        fixture.base.disk.capacityBytes = fixture.base.disk.usedBytes + 4
        #expect(try fixture.join(instance: "one").wait().error == .coordinatorNotAvailable)
        #expect(try fixture.heartbeat(ids[0], generation, instance: "one") == .none)
        #expect(try fixture.state() == "Stable")
        fixture.base.disk.capacityBytes = 1 << 30
        #expect(try fixture.join(instance: "one").wait().error == .none)
    }

    @Test("one that comes back with another way of assigning makes all join again")
    func otherProtocol() throws {
        let fixture = try GroupFixture()
        let both: [(String, [UInt8])] = [("range", []), ("sticky", [])]
        let joins = [try fixture.join(instance: "one", both), try fixture.join(instance: "two", both)]
        fixture.pass(milliseconds: 500, step: 50)
        let ids = try joins.map { try $0.wait().memberID }
        try fixture.assign(ids, 1, instances: ["one", "two"])
        // Two of two still know both, and like "range" best as before: nothing changes.
        #expect(try fixture.join(instance: "two", both).wait().generationID == 1)
        let back = try fixture.join(instance: "two", [("sticky", [])])
        #expect(try fixture.state() == "PreparingRebalance")
        let leader = try fixture.join(ids[0], instance: "one", both)
        #expect(try back.wait().protocolName == "sticky")
        #expect(try leader.wait().generationID == 2)
    }

    @Test("one that comes back while others join or wait for the assignment takes its former self's place")
    func replacedInRebalance() throws {
        let fixture = try GroupFixture()
        let first = try fixture.join(instance: "one")
        let second = try fixture.join(instance: "one")
        let fenced = try first.wait()
        #expect(fenced.error == .fencedInstanceID)
        let other = try fixture.join(instance: "two")
        fixture.pass(milliseconds: 500, step: 50)
        let id = try second.wait().memberID
        let waiting = try fixture.sync(try other.wait().memberID, 1, instance: "two")
        // The leader may be assigning to the id that is no more: all join again.
        let back = try fixture.join(instance: "two")
        #expect(try waiting.wait().error == .fencedInstanceID)
        #expect(try fixture.heartbeat(id, 1, instance: "one") == .rebalanceInProgress)
        _ = try fixture.join(id, instance: "one")
        #expect(try back.wait().generationID == 2)
    }

    @Test("one that went before it asked for its assignment, and comes back for it, is not missed later")
    func replacedBeforeSync() throws {
        let fixture = try GroupFixture()
        let joins = try ["one", "two"].map { try fixture.join(instance: $0, sessionMs: 60_000) }
        fixture.pass(milliseconds: 500, step: 50)
        let ids = try joins.map { try $0.wait().memberID }
        try fixture.sync(ids[0], 1, instance: "one", [ids[0]: "a", ids[1]: "b"]).wait().expectNone()
        let back = try fixture.join(instance: "two", sessionMs: 60_000).wait()
        #expect(back.error == .none && back.generationID == 1)
        let synced = try fixture.sync(back.memberID, 1, instance: "two").wait()
        #expect(String(decoding: synced.assignment, as: UTF8.self) == "b")
        fixture.pass(milliseconds: 40_000)
        #expect(try fixture.state() == "Stable")
    }

    @Test("one that does not join a rebalance stays until its session ends")
    func absent() throws {
        let fixture = try GroupFixture()
        let (ids, _) = try fixture.stable(2, instances: ["one", "two"], sessionMs: 60_000, rebalanceMs: 10_000)
        let join = try fixture.join(ids[0], instance: "one", sessionMs: 60_000, rebalanceMs: 10_000)
        fixture.pass(milliseconds: 10_000)
        #expect(try join.wait().members.map(\.groupInstanceID) == ["one", "two"])
        try fixture.sync(ids[0], 2, instance: "one", [ids[0]: "all"]).wait().expectNone()
        // It does not ask for its assignment either, in time.
        fixture.pass(milliseconds: 10_000)
        #expect(try fixture.heartbeat(ids[1], 2, instance: "two") == .unknownMemberID)
        #expect(try fixture.heartbeat(ids[0], 2, instance: "one") == .rebalanceInProgress)
    }

    @Test("when none of them joins, the rebalance waits until one does, or all sessions have ended")
    func allAbsent() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(
            2, instances: ["one", "two"], sessionMs: 60_000, rebalanceMs: 10_000)
        #expect(try fixture.leave(("", "one")) == [.none])
        fixture.pass(milliseconds: 30_000)
        #expect(try fixture.state() == "PreparingRebalance")
        #expect(try fixture.heartbeat(ids[1], generation, instance: "two") == .rebalanceInProgress)
        fixture.pass(milliseconds: 60_000)
        #expect(try fixture.state() == "Empty")
    }

    @Test("an administrator takes them out by their names")
    func removedByName() throws {
        let fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(3, instances: ["one", "two", "three"])
        #expect(
            try fixture.leave(("", "two"), ("", "nobody"), ("", nil)) == [.none, .unknownMemberID, .unknownMemberID])
        #expect(try fixture.describe().members.map(\.groupInstanceID) == ["one", "three"])
        #expect(try fixture.heartbeat(ids[1], generation, instance: "two") == .unknownMemberID)
        // The name is free again.
        let back = try fixture.join(instance: "two")
        for (id, name) in [(ids[0], "one"), (ids[2], "three")] { _ = try fixture.join(id, instance: name) }
        #expect(try back.wait().generationID == 2)
    }
}

extension SyncGroupResponse {
    fileprivate func expectNone() { #expect(error == .none) }
}

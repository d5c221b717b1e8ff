import Disk
import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

@Suite("Groups across restarts")
struct GroupRestartTests {
    private let place = TopicPartition(topic: "t", partition: 0)

    @Test("after a crash members go on as if nothing had been, and time out as ever")
    func goesOn() throws {
        var fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(3, instances: ["one"])
        #expect(try fixture.commit([place: 7], ids[2], generation) == [.none])
        let before = try fixture.describe()
        fixture = try fixture.restarted()
        #expect(try fixture.describe().members.map(\.memberID) == before.members.map(\.memberID))
        #expect(try fixture.describe().members.map(\.assignment) == before.members.map(\.assignment))
        #expect(try fixture.describe().members.map(\.metadata) == before.members.map(\.metadata))
        #expect(try fixture.describe().state == "Stable")
        fixture.pass(milliseconds: 9_000)
        #expect(try fixture.heartbeat(ids[0], generation, instance: "one") == .none)
        #expect(try fixture.heartbeat(ids[1], generation) == .none)
        #expect(try fixture.commit([place: 8], ids[1], generation) == [.none])
        let synced = try fixture.sync(ids[1], generation).wait()
        #expect(String(decoding: synced.assignment, as: UTF8.self) == "part 1")
        // The third was not heard of again.
        fixture.pass(milliseconds: 2_000)
        #expect(try fixture.heartbeat(ids[1], generation) == .rebalanceInProgress)
        let joins = [try fixture.join(ids[0], instance: "one"), try fixture.join(ids[1])]
        let answers = try joins.map { try $0.wait() }
        #expect(answers.map(\.generationID) == [generation + 1, generation + 1])
        #expect(answers.map(\.leader) == [ids[0], ids[0]])
        #expect(try fixture.fetch()[place]?.committedOffset == 8)
    }

    @Test("a static member that comes back after the crash gets what it had")
    func staticMember() throws {
        var fixture = try GroupFixture()
        let (_, generation) = try fixture.stable(2, instances: ["one", "two"])
        fixture = try fixture.restarted()
        let back = try fixture.join(instance: "two").wait()
        #expect(back.error == .none && back.generationID == generation)
        let synced = try fixture.sync(back.memberID, generation, instance: "two").wait()
        #expect(String(decoding: synced.assignment, as: UTF8.self) == "part 1")
    }

    @Test("of a rebalance that was not complete the generation before is left; its members join again")
    func incomplete() throws {
        var fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1)
        let join = try fixture.join(ids[0])
        #expect(try join.wait().generationID == generation + 1)
        fixture = try fixture.restarted()
        #expect(try fixture.heartbeat(ids[0], generation + 1) == .illegalGeneration)
        #expect(try fixture.heartbeat(ids[0], generation) == .none)
        #expect(try fixture.join(ids[0]).wait().generationID == generation + 1)
    }

    @Test("an empty group stays empty, and its generation goes on from where it was")
    func empty() throws {
        var fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(1)
        #expect(try fixture.commit([place: 7], ids[0], generation) == [.none])
        #expect(try fixture.leave((ids[0], nil)) == [.none])
        fixture.settle()
        fixture = try fixture.restarted()
        #expect(try fixture.state() == "Empty")
        #expect(try fixture.describe().protocolType == "consumer")
        #expect(try fixture.stable(1).generation == generation + 2)
    }

    @Test("a group that has grown too large joins again")
    func tooLarge() throws {
        var fixture = try GroupFixture()
        let (ids, generation) = try fixture.stable(3)
        fixture = try fixture.restarted { $0.maxMembers = 2 }
        #expect(try fixture.heartbeat(ids[0], generation) == .rebalanceInProgress)
        let joins = try ids.map { try fixture.join($0) }
        #expect(try joins[2].wait().error == .groupMaxSizeReached)
        #expect(try joins[0].wait().generationID == generation + 1)
    }

    @Test("when the disk fails, an assignment is given to nobody, and the members are told to try again")
    func failingDisk() throws {
        let fixture = try GroupFixture()
        let joins = try (0..<2).map { _ in try fixture.join(fixture.newID()) }
        fixture.pass(milliseconds: 500, step: 50)
        let ids = try joins.map { try $0.wait().memberID }
        let follower = try fixture.sync(ids[1], 1)
        fixture.base.disk.capacityBytes = fixture.base.disk.usedBytes + 10
        #expect(try fixture.sync(ids[0], 1, [ids[0]: "a"]).wait().error == .coordinatorNotAvailable)
        #expect(try follower.wait().error == .coordinatorNotAvailable)
        #expect(try fixture.heartbeat(ids[1], 1) == .rebalanceInProgress)
        fixture.base.disk.capacityBytes = 1 << 30
        let again = try ids.map { try fixture.join($0) }
        for join in again { #expect(try join.wait().generationID == 2) }
        try fixture.assign(ids, 2)
    }

    @Test("power lost at any operation: what members were told of is there afterwards, or nothing of it")
    func anyOperation() throws {
        let count = try operations(cutAt: nil).disk.operationCount()
        for number in 1...count {
            let (disk, told) = try operations(cutAt: number)
            disk.crash(.random, seed: UInt64(number))
            guard let fixture = try? GroupFixture(disk: disk) else { continue }
            defer { fixture.base.broker.stop() }
            let stored = fixture.base.logStore.storedGroup(GroupFixture.group)
            #expect((stored?.generation ?? 0) >= told.generation, "operation \(number)")
            if told.generation > 0, stored?.generation == told.generation {
                #expect(stored?.members.map(\.assignment) == [Array("mine".utf8)], "operation \(number)")
            }
            #expect(
                fixture.base.logStore.committedOffsets(group: GroupFixture.group)[place]?.offset ?? 0 >= told.offset)
        }
    }

    /// Joins, syncs and commits, twice, with power cut at an operation; what was acknowledged.
    private func operations(cutAt number: Int?) throws -> (
        disk: SimulatedDisk, told: (generation: Int32, offset: Int64)
    ) {
        let disk = SimulatedDisk()
        if let number { disk.cutPower(atOperation: number) }
        var told: (generation: Int32, offset: Int64) = (0, 0)
        guard let fixture = try? GroupFixture(disk: disk) else { return (disk, told) }
        defer {
            fixture.base.broker.stop()
            fixture.base.logStore.close()
        }
        var id = try fixture.newID()
        for round in 1...2 as ClosedRange<Int32> {
            let join = try fixture.join(id)
            fixture.pass(milliseconds: 200, step: 100)
            guard join.isAnswered, try join.wait().error == .none else { break }
            id = try join.wait().memberID
            guard try fixture.sync(id, round, [id: "mine"]).wait().error == .none else { break }
            told.generation = round
            if try fixture.commit([place: Int64(round)], id, round) == [.none] { told.offset = Int64(round) }
        }
        return (disk, told)
    }
}

import Disk
import KafkaProtocol
import LogStore
import Synchronization
import TestSupport
import Testing

@testable import KafkaBroker

@Suite("Groups under random use")
struct GroupFuzzTests {
    /// Requests that were sent, and how often each was answered.
    private final class Ledger: Sendable {
        let answers = Mutex<[Int]>([])
        let joined = Mutex<[(id: String, generation: Int32)]>([])

        func open() -> Int {
            answers.withLock { answers in
                answers.append(0)
                return answers.count - 1
            }
        }

        func answer(_ number: Int) { answers.withLock { $0[number] += 1 } }

        var unanswered: Int { answers.withLock { $0.count { $0 == 0 } } }
        var answeredTwice: Int { answers.withLock { $0.count { $0 > 1 } } }
    }

    private let names = ["one", "two", "three"]

    @Test(
        "every request is answered once, and nothing is left when all have gone",
        arguments: 1...20 as ClosedRange<UInt64>)
    func randomUse(seed: UInt64) throws {
        let fixture = try GroupFixture { $0.maxMembers = 6 }
        let baseline = fixture.base.timers.count
        var random = SeededRandom(seed: seed)
        let ledger = Ledger()
        for _ in 0..<300 { step(fixture.base.broker.groups, fixture, ledger, &random) }
        // Everyone falls silent: sessions end, rebalances complete without them.
        fixture.pass(milliseconds: 700_000, step: 5_000)
        #expect(ledger.unanswered == 0)
        #expect(ledger.answeredTwice == 0)
        #expect(ledger.joined.withLock { $0.count } > 10, "the test does something")
        let state = try fixture.state()
        #expect(state == "Empty" || state == "Dead")
        #expect(fixture.base.broker.groups.memory.usedBytes == 0)
        #expect(fixture.base.timers.count == baseline)
    }

    @Test("so it is with many threads and many groups at once")
    func threads() throws {
        let fixture = try GroupFixture { $0.maxMembers = 6 }
        let baseline = fixture.base.timers.count
        let ledger = Ledger()
        let isDone = Atomic(false)
        let ticker = Thread(name: "ticker") {
            while !isDone.load(ordering: .relaxed) { fixture.base.advance(milliseconds: 37) }
        }
        let workers = (0..<6 as Range<UInt64>).map { number in
            Thread(name: "worker") {
                var random = SeededRandom(seed: number)
                for _ in 0..<400 {
                    step(fixture.base.broker.groups, fixture, ledger, &random, group: "g\(random.next() % 3)")
                }
            }
        }
        for worker in workers { worker.join() }
        isDone.store(true, ordering: .relaxed)
        ticker.join()
        fixture.pass(milliseconds: 700_000, step: 5_000)
        #expect(ledger.unanswered == 0)
        #expect(ledger.answeredTwice == 0)
        #expect(fixture.base.broker.groups.memory.usedBytes == 0)
        #expect(fixture.base.timers.count == baseline)
    }

    /// One random request, or a while that passes.
    private func step(
        _ groups: GroupCoordinator, _ fixture: GroupFixture, _ ledger: Ledger, _ random: inout SeededRandom,
        group: String = GroupFixture.group
    ) {
        let all = ledger.joined.withLock { $0 }
        let known = all.isEmpty ? (id: "nobody", generation: 1) : all[Int(random.next() % UInt64(all.count))]
        let number = ledger.open()
        switch random.next() % 12 {
        case 0, 1, 2, 3:
            join(groups, ledger, number, &random, known.id, group)
        case 4, 5, 6, 7:
            var request = SyncGroupRequest()
            request.groupID = group
            request.memberID = known.id
            request.generationID = known.generation
            request.assignments = ledger.joined.withLock { joined in
                joined.suffix(6).map { member in
                    var entry = SyncGroupRequest.Assignment()
                    entry.memberID = member.id
                    entry.assignment = Array(repeating: 7, count: 100)
                    return entry
                }
            }
            groups.sync(request) { _ in ledger.answer(number) }
        case 8:
            var request = HeartbeatRequest()
            request.groupID = group
            request.memberID = known.id
            request.generationID = known.generation
            _ = groups.heartbeat(request)
            ledger.answer(number)
        case 9:
            var request = LeaveGroupRequest()
            request.groupID = group
            var member = LeaveGroupRequest.Member()
            member.memberID = random.next() % 2 == 0 ? known.id : ""
            member.groupInstanceID = member.memberID.isEmpty ? names.randomElement(using: &random) : nil
            request.members = [member]
            _ = groups.leave(request)
            ledger.answer(number)
        case 10:
            groups.delete([group]) { _ in ledger.answer(number) }
        default:
            fixture.base.advance(milliseconds: Int64(random.next() % 8_000))
            ledger.answer(number)
        }
    }

    private func join(
        _ groups: GroupCoordinator, _ ledger: Ledger, _ number: Int, _ random: inout SeededRandom, _ knownID: String,
        _ group: String
    ) {
        var request = JoinGroupRequest()
        request.groupID = group
        request.sessionTimeoutMs = 6_000 + Int32(random.next() % 10_000)
        request.rebalanceTimeoutMs = Int32(random.next() % 20_000)
        request.protocolType = "consumer"
        request.memberID = random.next() % 3 == 0 ? "" : knownID
        if random.next() % 3 == 0 { request.groupInstanceID = names.randomElement(using: &random) }
        for name in ["range", "sticky", "other"] where name == "range" || random.next() % 2 == 0 {
            var choice = JoinGroupRequest.Choice()
            choice.name = name
            choice.metadata = Array(repeating: 1, count: Int(random.next() % 50))
            request.protocols.append(choice)
        }
        let client = GroupClient(id: "c", host: "/h", canRejoin: random.next() % 2 == 0)
        groups.join(request, from: client) { response in
            ledger.answer(number)
            guard !response.memberID.isEmpty else { return }
            ledger.joined.withLock { joined in
                joined.append((response.memberID, response.generationID))
                if joined.count > 12 { joined.removeFirst() }
            }
        }
    }
}

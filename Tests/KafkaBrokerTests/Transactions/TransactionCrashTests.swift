import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

@Suite("Transactions and crashes")
struct TransactionCrashTests {
    private let places = (0..<2).map { TopicPartition(topic: "t", partition: $0) }

    /// What a producer was told of its transactions, by number.
    private struct Ledger {
        var committed: Set<Int> = []
        /// Asked for, but not answered with success.
        var open: Set<Int> = []
    }

    /// Transactions that write to two partitions and commit an offset; every third is aborted. Goes on until
    /// something fails.
    private func run(_ fixture: BrokerFixture, _ ledger: inout Ledger) throws {
        _ = try fixture.log("t")
        let producer = TransactionProducer(fixture.client())
        guard try producer.begin() == .none else { return }
        for number in 1...4 {
            guard try producer.add(places) == .none, try producer.addOffsets("g") == .none else { return }
            for place in places { guard try producer.send("\(number)", to: place) == .none else { return } }
            guard try producer.commitOffset(Int64(number), places[0], "g") == .none else { return }
            if number % 3 == 2 {
                guard try producer.end(commit: false) == .none else { return }
            } else {
                ledger.open.insert(number)
                guard try producer.end(commit: true) == .none else { return }
                ledger.open.remove(number)
                ledger.committed.insert(number)
            }
        }
    }

    private func verify(_ disk: SimulatedDisk, _ ledger: Ledger, _ label: String) throws {
        let fixture = try BrokerFixture(disk: disk)
        fixture.settle()
        // Who was cut off does not come back: what is open is aborted.
        fixture.advance(milliseconds: 60_000)
        fixture.settle()
        guard fixture.logStore.topic("t") != nil else {
            #expect(ledger.committed.isEmpty, "\(label)")
            return
        }
        let shown = try places.map { try fixture.committed($0) }
        let numbers = Set(shown[0].compactMap(Int.init))
        #expect(shown[0] == shown[1], "\(label): partitions differ")
        #expect(shown[0] == numbers.sorted().map(String.init), "\(label): out of order, or twice")
        #expect(numbers.isSuperset(of: ledger.committed), "\(label): committed is lost")
        #expect(numbers.isSubset(of: ledger.committed.union(ledger.open)), "\(label): what was not committed counts")
        let offsets = fixture.logStore.groupOffsets("g")
        #expect(offsets.committed[places[0]]?.offset == numbers.max().map(Int64.init), "\(label): offsets")
        #expect(offsets.unstable == [], "\(label)")
        for place in places {
            let log = try fixture.log("t", place.partition)
            #expect(log.lastStableOffset == log.endOffset, "\(label): a transaction hangs")
        }
        // It goes on.
        let producer = TransactionProducer(fixture.client())
        #expect(try producer.begin() == .none, "\(label)")
        #expect(try producer.add(places) == .none, "\(label)")
        #expect(try producer.send("after", to: places[1]) == .none, "\(label)")
        #expect(try producer.end(commit: true) == .none, "\(label)")
        #expect(try fixture.committed(places[1]) == shown[1] + ["after"], "\(label)")
        #expect(fixture.logStore.recovery.problems == [], "\(label)")
    }

    @Test("power lost at any operation leaves every transaction whole or without effect")
    func powerCuts() throws {
        let counting = try BrokerFixture()
        var all = Ledger()
        try run(counting, &all)
        #expect(all.committed == [1, 3, 4])
        let count = counting.disk.operationCount()
        #expect(count > 60)
        for operation in 1...count {
            for (survival, seed) in [(SimulatedDisk.Survival.none, 0), (.all, 0), (.random, 1), (.random, 2)] {
                let disk = SimulatedDisk()
                disk.cutPower(atOperation: operation)
                var ledger = Ledger()
                do {
                    let fixture = try BrokerFixture(disk: disk)
                    try? run(fixture, &ledger)
                } catch {}
                disk.crash(survival, seed: UInt64(operation * 10 + seed))
                try verify(disk, ledger, "operation \(operation), \(survival), seed \(seed)")
            }
        }
    }

    @Test("power lost while transactions are ended after a crash is no worse")
    func powerCutsAfterACrash() throws {
        for first in stride(from: 20, through: 100, by: 4) {
            for second in 1...12 {
                let disk = SimulatedDisk()
                disk.cutPower(atOperation: first)
                var ledger = Ledger()
                do {
                    let fixture = try BrokerFixture(disk: disk)
                    try? run(fixture, &ledger)
                } catch {}
                disk.crash(.all)
                disk.cutPower(atOperation: second)
                do {
                    let fixture = try BrokerFixture(disk: disk)
                    fixture.settle()
                } catch {}
                disk.crash(.random, seed: UInt64(first * 100 + second))
                try verify(disk, ledger, "operations \(first), then \(second)")
            }
        }
    }

    @Test("a transaction under way survives a restart, with the time it has left")
    func restart() throws {
        let first = try BrokerFixture()
        _ = try first.log("t")
        let producer = TransactionProducer(first.client())
        try producer.begin()
        #expect(try producer.add(places) == .none)
        #expect(try producer.send("one", to: places[0]) == .none)
        first.clock.advance(milliseconds: 40_000)
        first.disk.crash(.none)
        let second = try BrokerFixture(disk: first.disk, clock: first.clock)
        let again = TransactionProducer(second.client())
        (again.id, again.epoch) = (producer.id, producer.epoch)
        #expect(try again.add(places) == .none)
        second.advance(milliseconds: 19_999)
        second.settle()
        #expect(try second.log("t").lastStableOffset == 0)
        second.advance(milliseconds: 1)
        second.settle()
        #expect(try second.log("t").lastStableOffset == 2)
        #expect(try second.committed(places[0]) == [])
        #expect(try again.end(commit: true) == .producerFenced)
    }

    @Test("a transaction that only a partition knows of is ended at the start")
    func unknownTransactions() throws {
        let first = try BrokerFixture()
        let log = try first.log("t")
        var done = StoredTransaction(transactionalID: "done", producerID: 5, timeoutMs: 1, changedMs: 0)
        done.producerEpoch = 2
        done.state = .completeCommit
        try first.logStore.changeTransactions(.set(done)) { _ in }
        _ = try log.appendBlocking([numberedBatch("lost", 4, 0, 0)])
        _ = try log.appendBlocking([numberedBatch("kept", 5, 2, 0)])
        first.settle()
        let second = try BrokerFixture(disk: first.disk)
        second.settle()
        #expect(try second.log("t").lastStableOffset == 4)
        #expect(try second.committed(places[0]) == ["kept"])
    }
}

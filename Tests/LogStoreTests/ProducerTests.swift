import Disk
import LogStore
import TestSupport
import Testing

/// Appends a numbered batch of `count` records; its base offset.
private func send(
    _ log: PartitionLog, of producer: Int64 = 1, epoch: Int16 = 0, _ sequence: Int32, count: Int = 1,
    inTransaction: Bool = false
) throws(LogStoreError) -> Int64 {
    let texts = (0..<count).map { "p\(producer) e\(epoch) s\(sequence) \($0)" }
    return try log.appendBlocking([
        numbered(texts, producer: producer, epoch: epoch, sequence: sequence, inTransaction: inTransaction)
    ]).baseOffset
}

private func sendCode(
    _ log: PartitionLog, of producer: Int64 = 1, epoch: Int16 = 0, _ sequence: Int32, count: Int = 1,
    inTransaction: Bool = false
) -> LogStoreError.Code? {
    logCode { () throws(LogStoreError) in
        _ = try send(log, of: producer, epoch: epoch, sequence, count: count, inTransaction: inTransaction)
    }
}

@Suite("Producers that number their batches")
struct ProducerTests {
    @Test("a batch sent again is stored once and answered with its first offset and time")
    func duplicates() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        for sequence in 0..<7 as Range<Int32> {
            #expect(try send(log, sequence * 2, count: 2) == Int64(sequence) * 2)
        }
        let stored = try log.appendBlocking([batch(["other"])])
        fixture.clock.advance(milliseconds: 5000)
        for sequence in 2..<7 as Range<Int32> {
            let again = try log.appendBlocking([
                numbered(["x", "y"], producer: 1, sequence: sequence * 2)
            ])
            #expect(again.baseOffset == Int64(sequence) * 2)
            #expect(again.nextOffset == Int64(sequence) * 2 + 2)
            #expect(again.appendTimeMs == stored.appendTimeMs)
        }
        #expect(log.endOffset == 15)
        #expect(sendCode(log, 0, count: 2) == .duplicateSequence, "further back than the last five")
        #expect(sendCode(log, 2, count: 2) == .duplicateSequence)
        #expect(sendCode(log, 4, count: 1) == .outOfOrderSequence, "part of a stored batch")
        #expect(sendCode(log, 2, count: 3) == .outOfOrderSequence, "partly further back")
        #expect(sendCode(log, 15) == .outOfOrderSequence, "a gap")
        #expect(try send(log, 14) == 15)
        #expect(log.producerCount == 1)
    }

    @Test("what was never stored is no duplicate, however far back")
    func unknownPast() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        // The batch of 0 was lost on the way: an unknown producer may begin anywhere.
        for sequence in 1..<9 as Range<Int32> { _ = try send(log, sequence) }
        #expect(sendCode(log, 0) == .outOfOrderSequence)
        #expect(sendCode(log, 1) == .duplicateSequence)
    }

    @Test("sequence numbers go round from 2^31 - 1 to 0")
    func wrapAround() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        #expect(try send(log, Int32.max - 2, count: 2) == 0)
        #expect(try send(log, Int32.max, count: 3) == 2)
        #expect(try send(log, Int32.max, count: 3) == 2, "again")
        #expect(sendCode(log, 3) == .outOfOrderSequence)
        for sequence in 2..<8 as Range<Int32> { #expect(try send(log, sequence) == Int64(sequence) + 3) }
        #expect(sendCode(log, Int32.max, count: 3) == .duplicateSequence)
        #expect(sendCode(log, Int32.max - 2, count: 2) == .duplicateSequence)
        #expect(sendCode(log, Int32.max - 3, count: 1) == .outOfOrderSequence)

        #expect(try send(log, of: 2, Int32.max) == 11)
        #expect(try send(log, of: 2, 0) == 12)
    }

    @Test("a later epoch begins at 0 and shuts out the earlier ones")
    func epochs() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try send(log, epoch: 3, 10)
        #expect(sendCode(log, epoch: 4, 11) == .outOfOrderSequence)
        #expect(try send(log, epoch: 5, 0) == 1)
        #expect(sendCode(log, epoch: 3, 10) == .invalidProducerEpoch)
        #expect(sendCode(log, epoch: 4, 0) == .invalidProducerEpoch)
        #expect(try send(log, epoch: 5, 0) == 1, "a duplicate")
        #expect(try send(log, epoch: 5, 1) == 2)
    }

    @Test("several batches in one append are stored all or none")
    func severalBatches() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        func both(_ first: Int32, _ second: Int32) throws(LogStoreError) -> AppendResult {
            try log.appendBlocking([
                numbered(["a"], producer: 1, sequence: first), numbered(["b"], producer: 1, sequence: second),
            ])
        }
        #expect(logCode { () throws(LogStoreError) in _ = try both(0, 2) } == .outOfOrderSequence)
        #expect(log.endOffset == 0)
        #expect(log.producerCount == 0)
        #expect(try both(0, 1).nextOffset == 2)
        let again = try both(0, 1)
        #expect(again.baseOffset == 0 && again.nextOffset == 2)
        #expect(logCode { () throws(LogStoreError) in _ = try both(1, 2) } == .outOfOrderSequence, "half of it stored")
        #expect(logCode { () throws(LogStoreError) in _ = try both(2, 2) } == .outOfOrderSequence, "twice in one")
        #expect(log.endOffset == 2)
        #expect(try both(2, 3).baseOffset == 2)
    }

    @Test("numbers that contradict each other are refused before anything is written")
    func nonsense() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        #expect(sendCode(log, of: 1, epoch: -1, 0) == .invalidRecord)
        #expect(sendCode(log, of: 1, -1) == .invalidRecord)
        #expect(sendCode(log, of: -1, epoch: -1, -1, inTransaction: true) == .invalidRecord)
        #expect(sendCode(log, of: -1, epoch: -1, -1) == nil)
    }

    @Test("pieces of a request are stored as whole arrays are")
    func slices() async throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        let first = try batch(["a", "b"])
        let second = try numbered(["c"], producer: 9, sequence: 4)
        let request = [1, 2, 3] + first + [4] + second + [5, 6]
        let start = 4 + first.count
        let result = try await log.append([
            request[3..<3 + first.count], request[start..<start + second.count],
        ])
        #expect(result.baseOffset == 0 && result.nextOffset == 3)
        #expect(try log.everything().map(\.text) == ["a", "b", "c"])
        await #expect(throws: LogStoreError.self) { try await log.append([request[2..<3 + first.count]]) }
        #expect(sendCode(log, of: 9, 6) == .outOfOrderSequence)
        #expect(try send(log, of: 9, 5) == 3)
    }

    @Test("a duplicate is answered only once what it repeats is durable")
    func duplicateOfUnsynced() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        fixture.disk.holdSyncs()
        let answers = Monitor<[Int64]>([])
        let sent = try numbered(["a"], producer: 1, sequence: 0)
        for _ in 0..<3 {
            log.append([sent]) { result in
                answers.update { $0.append((try? result.get().baseOffset) ?? -1) }
            }
        }
        #expect(fixture.disk.waitForHeldSyncs(1))
        #expect(answers.update { $0 } == [])
        fixture.disk.releaseSyncs()
        #expect(answers.wait(timeoutMs: 10_000) { $0.count == 3 ? $0 : nil } == [0, 0, 0])
        #expect(log.endOffset == 1)
    }

    @Test("a failed write takes back what was noted of its producer")
    func diskFull() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try send(log, 0)
        fixture.disk.capacityBytes = fixture.disk.usedBytes + 50
        // Both wait for the same write: a batch and the same again fail together.
        let answers = Monitor<[LogStoreError.Code?]>([])
        let sent = try numbered(["b"], producer: 1, sequence: 1)
        for _ in 0..<2 {
            log.append([sent]) { result in
                answers.update { answers in
                    if case .failure(let error) = result { answers.append(error.code) } else { answers.append(nil) }
                }
            }
        }
        #expect(answers.wait(timeoutMs: 10_000) { $0.count == 2 ? $0 : nil } == [.diskFull, .diskFull])
        #expect(sendCode(log, of: 7, 3, inTransaction: true) == .diskFull)
        #expect(log.producerCount == 1)
        #expect(log.lastStableOffset == 1)
        #expect(try send(log, 0) == 0, "what is stored is still known")
        fixture.disk.capacityBytes = 1 << 30
        #expect(sendCode(log, 2) == .outOfOrderSequence)
        #expect(try send(log, 1) == 1)
        #expect(try send(log, of: 7, 0, inTransaction: true) == 2)
        #expect(log.lastStableOffset == 2)
    }

    @Test("a producer that writes nothing for a day is forgotten, unless its transaction is open")
    func expiry() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try send(log, of: 1, epoch: 4, 0)
        _ = try send(log, of: 2, 0, inTransaction: true)
        fixture.clock.advance(milliseconds: 86_399_999)
        #expect(sendCode(log, of: 1, epoch: 3, 0) == .invalidProducerEpoch)
        fixture.clock.advance(milliseconds: 1)
        #expect(try send(log, of: 1, epoch: 3, 77) == 2, "unknown: any number will do")
        #expect(sendCode(log, of: 2, 5, inTransaction: true) == .outOfOrderSequence)
        fixture.clock.advance(milliseconds: 86_400_000)
        try store.applyRetention()
        _ = try log.openTransactions()
        #expect(log.producerCount == 1)
        #expect(log.lastStableOffset == 1)
    }

    @Test("of too many producers the ones heard of longest ago go, none with an open transaction")
    func bounded() throws {
        var fixture = LogFixture()
        fixture.settings.maxProducers = 100
        let store = try fixture.open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try send(log, of: 5000, 0, inTransaction: true)
        for producer in 0..<1000 as Range<Int64> {
            _ = try send(log, of: producer, 3)
            fixture.clock.advance(milliseconds: 1)
            #expect(log.producerCount <= 100)
        }
        #expect(log.producerCount >= 90)
        #expect(sendCode(log, of: 999, 3) == nil)
        #expect(log.endOffset == 1001, "it was known")
        #expect(sendCode(log, of: 5000, 2, inTransaction: true) == .outOfOrderSequence, "known")
        for producer in 6000..<6099 as Range<Int64> { _ = try send(log, of: producer, 0, inTransaction: true) }
        #expect(sendCode(log, of: 7000, 0, inTransaction: true) == .overloaded)
        #expect(sendCode(log, of: 6005, 1, inTransaction: true) == nil)
    }
}

@Suite("Producers' ids")
struct ProducerIDTests {
    @Test("no id is given twice, whatever crashes")
    func unique() throws {
        let fixture = LogFixture()
        var given: Set<Int64> = []
        var isNew = true
        for round in 0..<6 {
            let store = try fixture.open()
            for _ in 0..<1500 { isNew = given.insert(try store.allocateProducerID()).inserted && isNew }
            if round % 2 == 0 { store.close() }
            fixture.disk.crash(round % 3 == 0 ? .none : .random, seed: UInt64(round))
        }
        #expect(isNew)
        #expect(given.count == 9000)
        #expect(given.allSatisfy { $0 >= 0 && $0 < 20_000 })
    }

    @Test("power lost at any operation repeats no id")
    func powerCuts() throws {
        for operation in 1...40 {
            for seed in 0..<3 as Range<UInt64> {
                let fixture = LogFixture()
                var given: Set<Int64> = []
                var isNew = true
                fixture.disk.cutPower(atOperation: operation)
                if let store = try? fixture.open() {
                    for _ in 0..<5000 {
                        guard let id = try? store.allocateProducerID() else { break }
                        isNew = given.insert(id).inserted && isNew
                    }
                }
                fixture.disk.crash(.random, seed: seed)
                let store = try fixture.open()
                #expect(store.recovery.problems == [])
                for _ in 0..<2500 { isNew = given.insert(try store.allocateProducerID()).inserted && isNew }
                #expect(isNew, "operation \(operation)")
            }
        }
    }

    @Test("a damaged file is reported, and no id is given twice")
    func damage() throws {
        let path = "/data/log/producer-ids"
        for bit in 0..<160 {
            let fixture = LogFixture()
            let store = try fixture.open()
            let before = (0..<3).map { _ in try? store.allocateProducerID() }
            store.close()
            fixture.disk.flipBit(path, bit)
            let again = try fixture.open()
            #expect(again.recovery.problems.map(\.path) == [path], "bit \(bit)")
            let id = try again.allocateProducerID()
            #expect(id > 1_000_000_000 && !before.contains(id))
            again.close()
            #expect(try fixture.open().recovery.problems == [])
        }
    }

    @Test("a full disk gives no id, and later the next")
    func diskFull() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        for _ in 0..<1000 { _ = try store.allocateProducerID() }
        fixture.disk.capacityBytes = fixture.disk.usedBytes
        #expect(logCode { () throws(LogStoreError) in _ = try store.allocateProducerID() } == .diskFull)
        fixture.disk.capacityBytes = 1 << 30
        #expect(try store.allocateProducerID() == 1000)
    }
}

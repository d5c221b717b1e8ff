import Disk
import LogStore
import TestSupport
import Testing

/// A workload that crosses segments, and the ledger of what it was promised.
private final class Workload {
    /// What was sent, in order.
    private(set) var attempted: [String] = []
    /// What was acknowledged.
    private(set) var acknowledged: [SeenRecord] = []
    private(set) var committedOffset: Int64 = -1
    /// Those tried since then: whether they are stored is open.
    private(set) var attemptedOffsets: [Int64] = []

    func run(_ store: LogStore, config: TopicConfig, rounds: Int = 14) {
        guard let topic = try? store.topic("t") ?? store.createTopic("t", partitions: 1, config: config) else { return }
        let log = topic.partitions[0]
        for round in 0..<rounds {
            let texts = (0...round % 3).map { "round \(round) text \($0) \(String(repeating: "x", count: 40 * round))" }
            attempted += texts
            if let result = try? log.appendBlocking([batch(texts)]) {
                acknowledged += texts.enumerated().map {
                    SeenRecord(offset: result.baseOffset + Int64($0), text: $1)
                }
            }
            if round % 4 == 1 {
                attemptedOffsets.append(Int64(round))
                let offsets = [TopicPartition(topic: "t", partition: 0): CommittedOffset(offset: Int64(round))]
                do {
                    try store.commitOffsets(group: "g", offsets)
                    committedOffset = Int64(round)
                    attemptedOffsets = []
                } catch {}
            }
        }
    }
}

private func smallSegments(_ durability: Durability = .fsync) -> TopicConfig {
    var config = TopicConfig()
    config.segmentBytes = 1500
    config.durability = durability
    return config
}

@Suite("Crashes")
struct CrashTests {
    /// How many operations the workload makes when nothing fails.
    private func operationCount(_ config: TopicConfig) throws -> Int {
        let fixture = LogFixture()
        let store = try fixture.open()
        Workload().run(store, config: config)
        store.close()
        return fixture.disk.operationCount()
    }

    /// Checks what a restart finds against the ledger; `label` says which crash it was.
    private func verify(
        _ fixture: LogFixture, _ workload: Workload, _ label: String, promised: Bool = true
    ) throws {
        let store: LogStore
        do {
            store = try fixture.open()
        } catch {
            Issue.record("\(label): cannot open: \(error)")
            return
        }
        #expect(store.recovery.problems == [], "\(label)")
        let found = try store.topic("t")?.partitions[0].everything() ?? []
        #expect(found.map(\.text) == Array(workload.attempted.prefix(found.count)), "\(label): not a prefix")
        #expect(found.map(\.offset) == (0..<found.count).map(Int64.init), "\(label): offsets")
        if promised {
            #expect(
                Array(found.prefix(workload.acknowledged.count)) == workload.acknowledged, "\(label): acked are lost")
            let offset = store.committedOffsets(group: "g")[TopicPartition(topic: "t", partition: 0)]?.offset ?? -1
            #expect(
                offset == workload.committedOffset || workload.attemptedOffsets.contains(offset),
                "\(label): group offset")
        }
        // The log goes on, and what it gets now survives the worst crash.
        let log = try store.ensureTopic("t").partitions[0]
        let result = try log.appendBlocking([batch(["after"])])
        #expect(result.baseOffset == Int64(found.count), "\(label)")
        try store.commitOffsets(group: "h", [TopicPartition(topic: "t", partition: 0): CommittedOffset(offset: 5)])
        if !promised { store.close() }
        fixture.disk.crash(.none)
        let again = try fixture.open()
        let after = try again.topic("t")?.partitions[0].everything() ?? []
        #expect(after == found + [SeenRecord(offset: Int64(found.count), text: "after")], "\(label): second restart")
        #expect(again.recovery.problems == [], "\(label): second restart")
        #expect(again.groups.contains("h"), "\(label)")
    }

    @Test("power lost at any operation loses nothing acknowledged and invents nothing")
    func powerCuts() throws {
        let config = smallSegments()
        let count = try operationCount(config)
        #expect(count > 60)
        for operation in 1...count {
            for (survival, seed) in [
                (SimulatedDisk.Survival.none, 0), (.all, 0), (.random, 1), (.random, 2), (.random, 3),
            ] {
                let fixture = LogFixture()
                fixture.disk.cutPower(atOperation: operation)
                let workload = Workload()
                if let store = try? fixture.open() {
                    workload.run(store, config: config)
                    store.close()
                }
                fixture.disk.crash(survival, seed: UInt64(operation * 10 + seed))
                try verify(fixture, workload, "operation \(operation), \(survival), seed \(seed)")
            }
        }
    }

    @Test("power lost while recovery is at work is no worse")
    func powerCutsInRecovery() throws {
        let config = smallSegments()
        for operation in 1...25 {
            for seed in 0..<4 as Range<UInt64> {
                let fixture = LogFixture()
                fixture.disk.cutPower(atOperation: 60)
                let workload = Workload()
                if let store = try? fixture.open() {
                    workload.run(store, config: config)
                    store.close()
                }
                fixture.disk.crash(.random, seed: seed)
                fixture.disk.cutPower(atOperation: operation)
                if let store = try? fixture.open() { store.close() }
                fixture.disk.crash(.random, seed: seed + 100)
                try verify(fixture, workload, "operation \(operation) of recovery, seed \(seed)")
            }
        }
    }

    @Test("with relaxed durability a crash keeps a prefix", arguments: [Durability.os, .interval(ms: 1)])
    func relaxed(durability: Durability) throws {
        for operation in stride(from: 5, to: 90, by: 2) {
            for seed in 0..<4 as Range<UInt64> {
                let fixture = LogFixture()
                fixture.disk.cutPower(atOperation: operation)
                let workload = Workload()
                if let store = try? fixture.open() {
                    workload.run(store, config: smallSegments(durability))
                    store.close()
                }
                fixture.disk.crash(.random, seed: seed)
                try verify(fixture, workload, "\(durability) operation \(operation), seed \(seed)", promised: false)
            }
        }
    }

    @Test("after any failed sync nothing acknowledged is lost, and no sync is tried again")
    func failedSyncs() throws {
        let config = smallSegments()
        let fixture = LogFixture()
        let store = try fixture.open()
        Workload().run(store, config: config)
        store.close()
        let count = fixture.disk.operationCount([.sync, .syncDirectory])
        for number in 1...count {
            for survival in SimulatedDisk.Survival.allCases {
                let fixture = LogFixture()
                fixture.disk.failOperation(number: number, of: [.sync, .syncDirectory])
                let workload = Workload()
                let label = "sync \(number), \(survival)"
                if let store = try? fixture.open() {
                    workload.run(store, config: config)
                    if let log = store.topic("t")?.partitions[0], let failure = log.failure {
                        #expect(failure.code == .poisoned, "\(label)")
                        #expect(try log.everything() == workload.acknowledged, "\(label): still readable")
                        let syncs = fixture.disk.operationCount([.sync])
                        #expect(
                            logCode { () throws(LogStoreError) in
                                _ = try log.appendBlocking([batch(["more"])])
                            } == .poisoned, "\(label)")
                        #expect(fixture.disk.operationCount([.sync]) == syncs, "\(label): no sync after the failed one")
                    }
                    store.close()
                }
                fixture.disk.crash(survival, seed: UInt64(number))
                let again = try fixture.open()
                let found = try again.topic("t")?.partitions[0].everything() ?? []
                #expect(Array(found.prefix(workload.acknowledged.count)) == workload.acknowledged, "\(label): acked")
                #expect(again.recovery.problems == [], "\(label)")
            }
        }
    }

    @Test("any operation that finds the disk full costs at most the append at hand")
    func fullAtAnyOperation() throws {
        let config = smallSegments()
        let count = try operationCount(config)
        for operation in 1...count {
            let fixture = LogFixture()
            fixture.disk.failOperation(
                number: operation, of: SimulatedDisk.Operation.changing.subtracting([.sync, .syncDirectory]),
                with: .full)
            let workload = Workload()
            guard let store = try? fixture.open() else { continue }
            workload.run(store, config: config)
            if let log = store.topic("t")?.partitions[0] {
                #expect(log.failure == nil, "operation \(operation)")
                #expect(try log.everything() == workload.acknowledged, "operation \(operation)")
            }
            store.close()
            fixture.disk.crash(.none)
            let again = try fixture.open()
            #expect(again.recovery.problems == [], "operation \(operation)")
            #expect(try again.topic("t")?.partitions[0].everything() ?? [] == workload.acknowledged)
        }
    }
}

@Suite("A full disk")
struct FullDiskTests {
    @Test("appends fail with a clear error, reads go on, appends too once there is room")
    func full() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        fixture.disk.capacityBytes = fixture.disk.usedBytes + 100
        let big = try batch([String(repeating: "x", count: 5000)])
        for _ in 0..<3 {
            #expect(logCode { () throws(LogStoreError) in _ = try log.appendBlocking([big]) } == .diskFull)
        }
        #expect(try log.everything().map(\.text) == ["a"])
        #expect(fixture.disk.contents(LogFixture.segmentPath())?.count == Int(log.sizeBytes), "the torn tail was cut")
        // A small one still fits.
        _ = try log.appendBlocking([batch(["b"])])
        fixture.disk.capacityBytes = 1 << 30
        #expect(try log.appendBlocking([big]).baseOffset == 2)
        store.close()
        fixture.disk.crash(.none)
        let again = try fixture.open()
        #expect(try again.topic("t")?.partitions[0].everything().count == 3)
        #expect(again.recovery.cutBytes == 0)
    }

    @Test("among appends written together only those that do not fit fail")
    func sharedRound() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        fixture.disk.capacityBytes = fixture.disk.usedBytes + 50
        let outcomes = Monitor<[LogStoreError.Code?]>([])
        for text in ["b", "c"] {
            let sent = try batch([text])
            log.append([sent]) { result in
                outcomes.update { outcomes in
                    if case .failure(let error) = result { outcomes.append(error.code) } else { outcomes.append(nil) }
                }
            }
        }
        #expect(outcomes.wait(timeoutMs: 10_000) { $0.count == 2 ? $0 : nil } == [.diskFull, .diskFull])
        #expect(try log.everything().map(\.text) == ["a"])
    }
}

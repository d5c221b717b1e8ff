import Compression
import Disk
import LogStore
import TestSupport
import Testing

@Suite("Compaction and failing disks")
struct CompactionCrashTests {
    private let config = compacted(segmentBytes: 500)

    /// How many operations the workload makes when nothing fails, in all and before the last few.
    private func operationCount(_ seed: UInt64) throws -> Int {
        let fixture = LogFixture()
        let workload = CompactionWorkload(fixture, seed: seed)
        let store = try workload.run(try fixture.open(), config: config)
        store.close()
        #expect(workload.compactions > 2)
        return fixture.disk.operationCount()
    }

    /// Opens what is left and checks it, and that the log goes on: appends, compacts and survives the worst crash.
    private func verify(_ fixture: LogFixture, _ workload: CompactionWorkload, _ label: String) throws {
        var store: LogStore
        do {
            store = try fixture.open()
        } catch {
            Issue.record("\(label): cannot open: \(error)")
            return
        }
        #expect(store.recovery.problems == [], "\(label)")
        #expect(!fixture.disk.allFiles.contains { $0.hasSuffix(".cleaned") || $0.hasSuffix(".swap") }, "\(label)")
        guard let log = store.topic("t")?.partitions[0] else {
            #expect(workload.model.acknowledged == 0, "\(label)")
            return
        }
        try workload.model.check(log, label)
        // What was tried and is not there will not come.
        var model = workload.model
        model.records = Array(model.records.prefix(Int(log.endOffset)))
        let more = (0..<12).map { KeyedRecord(key: "key \($0 % 2)", value: "after \($0)", timestampMs: 9) }
        for record in more {
            _ = try log.appendBlocking([keyedBatch([record])])
            model.records.append(record)
        }
        model.acknowledged = model.records.count
        let active = try #require(log.segments.last).baseOffset
        try store.compact()
        try model.check(log, "\(label), compacted")
        try model.checkCompacted(log, upTo: active, label)
        #expect(try store.verify() == [], "\(label)")
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.recovery.problems == [], "\(label), second restart")
        try model.check(try #require(store.topic("t")?.partitions[0]), "\(label), second restart")
    }

    @Test("power lost at any operation loses no key's last record and brings nothing back", arguments: 1...4)
    func powerCuts(seed: UInt64) throws {
        // Each seed takes its share of the operations; together they are a few hundred moments of every kind.
        for operation in stride(from: Int(seed), through: try operationCount(seed), by: 9) {
            let survivals: [(SimulatedDisk.Survival, Int)] =
                operation % 3 == 0 ? [(.none, 0), (.random, 1)] : [(.all, 0), (.random, 2)]
            for (survival, crashSeed) in survivals {
                let fixture = LogFixture()
                fixture.disk.cutPower(atOperation: operation)
                let workload = CompactionWorkload(fixture, seed: seed)
                if let opened = try? fixture.open() {
                    let store = try workload.run(opened, config: config)
                    store.close()
                }
                fixture.disk.crash(survival, seed: UInt64(operation * 10 + crashSeed))
                try verify(fixture, workload, "operation \(operation), \(survival) \(crashSeed)")
            }
        }
    }

    @Test("power lost at any change of names is no worse, whichever of them come back")
    func powerCutsAtNames() throws {
        let kinds: Set<SimulatedDisk.Operation> = [.rename, .remove, .syncDirectory]
        for cut in 1...200 {
            for seed in 0..<3 as Range<UInt64> {
                let fixture = LogFixture()
                fixture.disk.cutPower(atOperation: cut, of: kinds)
                let workload = CompactionWorkload(fixture, seed: 7)
                if let opened = try? fixture.open() {
                    let store = try workload.run(opened, config: config, steps: 25)
                    store.close()
                }
                if !fixture.disk.isPowerCut { return #expect(cut > 30) }
                fixture.disk.crash(.random, seed: seed)
                try verify(fixture, workload, "name operation \(cut), seed \(seed)")
            }
        }
    }

    @Test("power lost while an interrupted compaction is finished is no worse")
    func powerCutsInRecovery() throws {
        var finished = 0
        for cut in 1...(try operationCount(5)) where cut % 4 == 0 {
            for operation in [1, 2, 3, 4, 6] {
                let fixture = LogFixture()
                fixture.disk.cutPower(atOperation: cut, of: [.rename, .remove, .syncDirectory])
                let workload = CompactionWorkload(fixture, seed: 5)
                if let opened = try? fixture.open() {
                    let store = try workload.run(opened, config: config)
                    store.close()
                }
                if !fixture.disk.isPowerCut { break }
                fixture.disk.crash(.random, seed: UInt64(cut))
                guard fixture.disk.allFiles.contains(where: { $0.hasSuffix(".swap") || $0.hasSuffix(".cleaned") })
                else { break }
                finished += 1
                fixture.disk.cutPower(atOperation: operation)
                if let store = try? fixture.open() { store.close() }
                fixture.disk.crash(.random, seed: UInt64(operation + 100))
                try verify(fixture, workload, "cut \(cut), operation \(operation) of recovery")
            }
        }
        #expect(finished > 10)
    }

    @Test("any operation that fails or finds the disk full costs no record, and the next compaction goes on")
    func failures() throws {
        for code in [DiskError.Code.full, .io] {
            for operation in stride(from: code == .io ? 1 : 3, through: try operationCount(6), by: 7) {
                let fixture = LogFixture()
                fixture.disk.failOperation(number: operation, with: code)
                let workload = CompactionWorkload(fixture, seed: 6)
                guard let opened = try? fixture.open() else { continue }
                let store = try workload.run(opened, config: config)
                let label = "operation \(operation), \(code)"
                if let log = store.topic("t")?.partitions[0] {
                    fixture.disk.clearFailures()
                    if log.failure == nil {
                        try store.compact()
                        let active = try #require(log.segments.last).baseOffset
                        try workload.model.checkCompacted(log, upTo: active, label)
                        #expect(
                            !fixture.disk.allFiles.contains { $0.hasSuffix(".swap") || $0.hasSuffix(".cleaned") },
                            "\(label)")
                    }
                    try workload.model.check(log, label)
                }
                store.close()
                fixture.disk.crash(.none)
                try verify(fixture, workload, label)
            }
        }
    }

    @Test("a disk without room for the new segment leaves the log as it is")
    func full() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 4000)).partitions[0]
        let workload = CompactionWorkload(fixture, seed: 3)
        for _ in 0..<80 { try workload.append(log) }
        fixture.disk.capacityBytes = fixture.disk.usedBytes + 100
        #expect(logCode { () throws(LogStoreError) in try store.compact() } == .diskFull)
        try workload.model.check(log)
        #expect(!fixture.disk.allFiles.contains { $0.hasSuffix(".cleaned") })
        fixture.disk.capacityBytes = 1 << 30
        #expect(try store.compact() > 0)
        try workload.model.check(log)
    }
}

@Suite("Compaction and damage")
struct CompactionDamageTests {
    /// A log compacted but for its last segments, closed in order.
    private func make(_ seed: UInt64) throws -> (LogFixture, CompactionWorkload) {
        var fixture = LogFixture()
        fixture.settings.indexIntervalBytes = 100
        let workload = CompactionWorkload(fixture, seed: seed, keyCount: 30)
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 800)).partitions[0]
        for _ in 0..<60 { try workload.append(log) }
        try store.compact()
        store.close()
        fixture.disk.crash(.all)
        return (fixture, workload)
    }

    @Test("a flipped bit in a compacted segment is never served, and costs at most what lies near")
    func flippedBits() throws {
        let (original, _) = try make(1)
        let size = try #require(original.disk.contents(LogFixture.segmentPath())).count
        let good = try salvage(try #require(try original.open().topic("t")?.partitions[0])).count
        for bit in stride(from: 0, to: size * 8, by: 7) {
            let (fixture, workload) = try make(1)
            fixture.disk.flipBit(LogFixture.segmentPath(), bit)
            let store = try fixture.open()
            let log = try #require(store.topic("t")?.partitions[0])
            let whole = try salvage(log)
            #expect(whole.allSatisfy { workload.model.records[Int($0.offset)] == $0.record }, "bit \(bit)")
            #expect(whole.count >= good - 12, "bit \(bit): \(whole.count) of \(good)")
        }
    }

    @Test("a damaged partition is not compacted, and says so once")
    func refuses() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 800)).partitions[0]
        let workload = CompactionWorkload(fixture, seed: 2)
        for _ in 0..<60 { try workload.append(log) }
        let second = try #require(log.segments.dropFirst().first).baseOffset
        fixture.disk.flipBit(LogFixture.segmentPath(second), 100 * 8)
        let before = fixture.disk.contents(LogFixture.segmentPath())
        #expect(logCode { () throws(LogStoreError) in try store.compact() } == .corruptBatch)
        #expect(try store.compact() == 0)
        #expect(fixture.disk.contents(LogFixture.segmentPath()) == before)
    }

    @Test("any flipped bit of the cleaner's point only means more to compact")
    func cleanerPoint() throws {
        for bit in 0..<20 * 8 {
            let (fixture, workload) = try make(4)
            fixture.disk.flipBit("/data/log/topics/t/0/cleaner-point", bit)
            let store = try fixture.open()
            try store.compact()
            try workload.model.check(try #require(store.topic("t")?.partitions[0]), "bit \(bit)")
        }
    }

    /// Everything that can be read, going on behind damage as the errors say.
    private func salvage(_ log: PartitionLog) throws -> [(offset: Int64, record: KeyedRecord)] {
        var found: [(offset: Int64, record: KeyedRecord)] = []
        var next = log.startOffset
        while next < log.endOffset {
            do {
                let bytes = try log.read(from: next, maxBytes: 150)
                found += try keyedRecordsOf(bytes).filter { $0.offset >= next }
                next = try #require(try lastOffset(bytes)) + 1
            } catch let error as LogStoreError {
                #expect(error.code == .corruptBatch)
                let resume = try #require(error.resumeOffset)
                try #require(resume > next)
                next = resume
            }
        }
        return found
    }
}

@Suite("Compaction while others work")
struct CompactionConcurrencyTests {
    @Test("readers and writers during compaction find every record in order and nothing wrong")
    func readers() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 700)).partitions[0]
        let workload = CompactionWorkload(fixture, seed: 9, codecs: [.none, .lz4])
        for _ in 0..<50 { try workload.append(log) }
        let progress = Monitor((isDone: false, finished: 0, passes: 0))
        let known = Monitor(workload.model)
        for number in 0..<3 {
            _ = Thread(name: "reader \(number)") {
                while !progress.withLock({ $0.isDone }) {
                    do {
                        for (offset, record) in try log.keyedRecords(readBytes: 200 + 300 * number) {
                            // The model is told of a record before the log.
                            #expect(known.withLock { $0.records[Int(offset)] } == record)
                        }
                        _ = try log.offset(atOrAfterMs: fixture.clock.nowMs() - 100)
                        if let slice = try log.slice(from: Int64(number), maxBytes: 2000) {
                            #expect(try headers(slice.read()).isEmpty == false)
                        }
                    } catch {
                        Issue.record("reader \(number): \(error)")
                    }
                    progress.update { $0.passes += 1 }
                }
                progress.update { $0.finished += 1 }
            }
        }
        for round in 0..<60 {
            for _ in 0..<8 {
                let records = workload.randomRecords()
                known.update { $0.records += records }
                workload.note(records)
                _ = try log.appendBlocking([keyedBatch(records)])
            }
            fixture.clock.advance(milliseconds: 300)
            try store.compact()
            // Every reader gets its turn between compactions, now and then.
            if round % 20 == 0 {
                let seen = progress.withLock { $0.passes }
                progress.wait { $0.passes >= seen + 3 ? () : nil }
            }
        }
        progress.update { $0.isDone = true }
        progress.wait { $0.finished == 3 ? () : nil }
        try workload.model.check(log)
    }

    @Test("a slice taken before a compaction stays what it was")
    func slices() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 900)).partitions[0]
        let workload = CompactionWorkload(fixture, seed: 7)
        for _ in 0..<50 { try workload.append(log) }
        let slice = try #require(try log.slice(from: 3, maxBytes: 600))
        let bytes = try slice.read()
        #expect(try store.compact() > 0)
        #expect(try slice.read() == bytes)
        #expect(try log.read(from: 3, maxBytes: 600) != bytes)
    }

    @Test("closing the store and deleting the topic end a compaction under way", arguments: [true, false])
    func ending(closes: Bool) throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 900)).partitions[0]
        let workload = CompactionWorkload(fixture, seed: 8)
        for _ in 0..<80 { try workload.append(log) }
        fixture.disk.holdSyncs()
        let outcome = Monitor<[String]>([])
        _ = Thread(name: "compactor") {
            let freed = try? log.compact(CompactionPolicy())
            outcome.update { $0.append("compacted \(freed ?? -1)") }
        }
        #expect(fixture.disk.waitForHeldSyncs(1))
        _ = Thread(name: "closer") {
            if closes { store.close() } else { try? store.deleteTopic("t") }
            outcome.update { $0.append("ended") }
        }
        let isWaiting = outcome.wait(timeoutMs: 10_000) { _ in log.failure != nil ? true : nil }
        // Its sync of nothing new may be held as well; either way it waits for the compaction.
        _ = isWaiting
        fixture.disk.releaseSyncs()
        #expect(outcome.wait(timeoutMs: 10_000) { $0.count == 2 ? true : nil } == true)
        #expect(try log.compact(CompactionPolicy()) == 0)
        if closes {
            let again = try fixture.open()
            try workload.model.check(try #require(again.topic("t")?.partitions[0]))
        } else {
            #expect(!fixture.disk.allFiles.contains { $0.contains("/t/") })
        }
    }
}

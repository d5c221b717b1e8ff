import Columnar
import Disk
import LogStore
import TestSupport
import Testing

@testable import Ingest

@Suite("Exactly once through crashes")
struct CrashTests {
    /// Numbers of records that were acknowledged, and of those sent without an answer.
    struct Ledger {
        var acknowledged: Set<Int64> = []
        var unanswered: Set<Int64> = []
        var next: Int64 = 0
    }

    /// Sends records until done or the disk dies, flushing the table now and then.
    static func work(_ disk: SimulatedDisk, _ ledger: inout Ledger, rounds: Int) async {
        guard let pipeline = try? Pipeline(disk) else { return }
        for round in 0..<rounds {
            let numbers = ledger.next..<ledger.next + 3
            ledger.next += 3
            // Every round looks different, so that tables change between the crashes.
            let body = numbers.map { "{\"n\":\($0),\"r\($0 % 5)\":\($0 % 2 == 0 ? "1" : "2.5")}\n" }.joined() + "junk\n"
            do {
                let result = try await pipeline.ingestor.ingest(topic: "t", body: Array(body.utf8))
                #expect(result.accepted == 3)
                ledger.acknowledged.formUnion(numbers)
                if !disk.isPowerCut, let end = result.end {
                    _ = pipeline.materializer.waitUntilVisible(end, timeoutMs: 50)
                }
            } catch {
                ledger.unanswered.formUnion(numbers)
            }
            if round % 3 == 2 { try? pipeline.catalog.table("t")?.flush() }
        }
        pipeline.stop()
    }

    /// Opens what is left and compares it with the ledger.
    static func check(_ disk: SimulatedDisk, _ ledger: Ledger, _ context: String) throws {
        let pipeline = try Pipeline(disk)
        defer { pipeline.stop() }
        guard pipeline.logStore.topic("t") != nil else {
            #expect(ledger.acknowledged.isEmpty, "\(context): the topic is lost")
            return
        }
        #expect(pipeline.waitUntilCaughtUp("t"), "\(context): \(pipeline.materializer.status)")
        var counts: [Int64: Int] = [:]
        if pipeline.catalog.table("t") != nil {
            for row in try pipeline.rows("t", ["n"]) {
                guard case .int(let number) = row[0] else {
                    return #expect(Bool(false), "\(context): a row of nothing")
                }
                counts[number, default: 0] += 1
            }
        }
        let doubled = counts.filter { $0.value > 1 }.keys.sorted()
        #expect(doubled.isEmpty, "\(context): doubled \(doubled)")
        let lost = ledger.acknowledged.subtracting(counts.keys).sorted()
        #expect(lost.isEmpty, "\(context): lost \(lost)")
        let invented = Set(counts.keys).subtracting(ledger.acknowledged).subtracting(ledger.unanswered).sorted()
        #expect(invented.isEmpty, "\(context): invented \(invented)")
    }

    @Test("the power cut at any operation, then again", arguments: SimulatedDisk.Survival.allCases)
    func powerCuts(survival: SimulatedDisk.Survival) async throws {
        var cut = 1
        var isDone = false
        while !isDone {
            let disk = SimulatedDisk()
            var ledger = Ledger()
            disk.cutPower(atOperation: cut)
            await Self.work(disk, &ledger, rounds: 9)
            isDone = !disk.isPowerCut
            disk.crash(survival, seed: UInt64(cut))
            try Self.check(disk, ledger, "cut at \(cut)")
            // What the recovery left is worked on and cut again.
            disk.cutPower(atOperation: 1 + cut % 40)
            await Self.work(disk, &ledger, rounds: 4)
            disk.crash(survival, seed: UInt64(cut) &* 31)
            try Self.check(disk, ledger, "cut at \(cut), and at \(1 + cut % 40) after it")
            cut += 1
        }
    }

    @Test("a full disk stops nothing for good: what was refused was refused, the rest is rows once there is room")
    func fullDisk() async throws {
        let disk = SimulatedDisk()
        let pipeline = try Pipeline(disk)
        defer { pipeline.stop() }
        var acknowledged: Set<Int64> = []
        for number in 0..<400 {
            if number == 100 { disk.capacityBytes = disk.usedBytes + 4000 }
            if number == 300 { disk.capacityBytes = 1 << 40 }
            if number % 50 == 49 { try? pipeline.catalog.table("t")?.flush() }
            let body = Array("{\"n\":\(number),\"k\(number % 7)\":\"\(String(repeating: "x", count: 50))\"}".utf8)
            if (try? await pipeline.ingestor.ingest(topic: "t", body: body)) != nil {
                acknowledged.insert(Int64(number))
            }
        }
        #expect(acknowledged.count >= 200 && acknowledged.count < 400)
        #expect(pipeline.waitUntilCaughtUp("t"), "\(pipeline.materializer.status)")
        let rows = try pipeline.rows("t", ["n"])
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == Set(acknowledged.map { [.int($0)] }))
    }

    @Test("a table that cannot be changed for a while doubles nothing that was in its memory")
    func changeFails() async throws {
        let disk = SimulatedDisk()
        let pipeline = try Pipeline(disk)
        defer { pipeline.stop() }
        try await pipeline.ingest("t", #"{"n":0}"#)
        for number in 1..<8 {
            // The new column needs the manifest, whose next write fails; the log's own go through first.
            let result = try await pipeline.ingestor.ingest(topic: "other", body: Array("{}".utf8))
            _ = pipeline.waitUntilVisible(try #require(result.end))
            let topic = try #require(pipeline.logStore.topic("t"))
            let body = #"{"n":\#(number),"k\#(number)":1}"#
            pipeline.materializer.withoutFeeding("t") {
                _ = try? topic.partitions[0].appendBlocking([recordBatch([Array(body.utf8)])])
                disk.failOperation(number: 1, of: [.write], with: .full)
            }
            #expect(pipeline.waitUntilCaughtUp("t"), "\(pipeline.materializer.status)")
            if number == 4 { try #require(pipeline.catalog.table("t")).flush() }
        }
        #expect(Set(try pipeline.rows("t", ["n"])) == Set((0..<8).map { [.int($0)] }))
        #expect(try pipeline.rows("t", ["n"]).count == 8)
    }

    @Test("one table in trouble does not hold up the others")
    func troubleStaysLocal() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        // A name a topic may have and a table may not.
        let long = String(repeating: "x", count: 220)
        let result = try await pipeline.ingestor.ingest(topic: long, body: Array("{\"a\":1}".utf8))
        #expect(result.accepted == 1)
        try await pipeline.ingest("fine", #"{"a":1}"#)
        #expect(try pipeline.rows("fine", ["a"]) == [[.int(1)]])
        let status = try #require(pipeline.materializer.status.first { $0.topic == long })
        #expect(status.lag == 1)
    }

    @Test("a damaged place in the log becomes a dead letter, and what follows are rows")
    func damage() async throws {
        let disk = SimulatedDisk()
        let first = try Pipeline(disk, starts: false)
        for number in 0..<3 {
            _ = try await first.ingestor.ingest(topic: "t", body: Array("{\"n\":\(number)}".utf8))
        }
        first.stop()
        let path = try #require(disk.allFiles.first { $0.contains("/t/") && $0.hasSuffix(".log") })
        let bytes = try #require(disk.contents(path))
        let needle = Array("{\"n\":1}".utf8)
        let place = try #require((0..<bytes.count).first { bytes[$0...].starts(with: needle) })
        disk.flipBit(path, place * 8 + 5)
        let second = try Pipeline(disk)
        defer { second.stop() }
        #expect(second.waitUntilCaughtUp("t"), "\(second.materializer.status)")
        let rows = try second.rows("t", ["n"])
        #expect(rows.contains([.int(0)]))
        #expect(!rows.contains([.int(1)]))
    }
}

import Columnar
import LogStore
import TestSupport
import Testing

@testable import Ingest

/// A source's table, and the events of what happens to it.
struct SourceTable {
    /// What each row says, by primary key.
    var rows: [Int: Int] = [:]
    private var random: SeededRandom
    private var nextValue = 0
    private let keys: Int

    init(seed: UInt64, keys: Int) {
        random = SeededRandom(seed: seed)
        self.keys = keys
    }

    /// Does something to the table; the event of it, as Maxwell writes it.
    mutating func change(mayClear: Bool) -> SampleRecord {
        let id = Int(random.next() % UInt64(keys))
        nextValue += 1
        func data(_ id: Int, _ value: Int) -> String { #"{"id":\#(id),"v":\#(value),"s":"\#(value % 7)"}"# }
        let choice = random.next() % 100
        if mayClear, choice < 4 {
            rows = [:]
            return SampleRecord(
                key: #"{"database":"shop","table":"orders"}"#,
                value: #"{"type":"table-truncate","database":"shop","table":"orders","ts":1}"#)
        }
        guard let old = rows[id] else {
            rows[id] = nextValue
            return ChangeSamples.maxwell("insert", data(id, nextValue), id: id)
        }
        if choice < 30 {
            rows[id] = nil
            return ChangeSamples.maxwell("delete", data(id, old), id: id)
        }
        let other = Int(random.next() % UInt64(keys))
        if choice < 45, rows[other] == nil {
            rows[id] = nil
            rows[other] = nextValue
            return ChangeSamples.maxwell(
                "update", data(other, nextValue), old: #"{"id":\#(id),"v":\#(old)}"#, id: other)
        }
        rows[id] = nextValue
        return ChangeSamples.maxwell("update", data(id, nextValue), old: #"{"v":\#(old)}"#, id: id)
    }

    /// A number below `bound`.
    mutating func number(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
}

@Suite("Current state against a model")
struct CurrentStateModelTests {
    private static func rows(_ pipeline: Pipeline) throws -> [Int: Int] {
        var found: [Int: Int] = [:]
        for row in try pipeline.rows("orders", ["id", "v"]) {
            guard case .int(let id) = row[0], case .int(let value) = row[1] else {
                Issue.record("a row of nothing: \(row)")
                continue
            }
            #expect(found[Int(id)] == nil, "row \(id) is there twice")
            found[Int(id)] = Int(value)
        }
        return found
    }

    private static func open(_ disk: SimulatedDisk) throws -> Pipeline {
        let pipeline = try Pipeline(disk)
        _ = try pipeline.logStore.ensureTopic("m")
        if pipeline.catalog.table("orders") == nil {
            try pipeline.catalog.createTable(
                CurrentStateTests.definition("orders", topic: "m", ["cdc_source": "shop.orders"]))
        }
        return pipeline
    }

    @Test("changes, flushes, merges and restarts in any order", arguments: 1...6)
    func randomHistory(seed: Int) throws {
        let disk = SimulatedDisk()
        // Few keys: much is replaced. Many: granules and parts differ.
        var source = SourceTable(seed: UInt64(seed), keys: seed % 3 == 0 ? 9000 : 40)
        var pipeline = try Self.open(disk)
        defer { pipeline.stop() }
        for step in 0..<40 {
            let many = seed % 3 == 0 ? 900 : 12
            var batch: [SampleRecord] = []
            for _ in 0...source.number(below: many) { batch.append(source.change(mayClear: many < 100 || step == 20)) }
            try pipeline.produce("m", batch)
            let table = try #require(pipeline.catalog.table("orders"))
            switch source.number(below: 10) {
            case 0, 1, 2: try table.flush()
            case 3: _ = try table.compact(final: false)
            case 4: _ = try table.compact(final: true)
            case 5:
                pipeline.stop()
                pipeline = try Self.open(disk)
                #expect(pipeline.waitUntilCaughtUp("m"))
            default: break
            }
            if source.number(below: 2) == 0 { #expect(try Self.rows(pipeline) == source.rows, "step \(step)") }
        }
        #expect(try Self.rows(pipeline) == source.rows)
        // Merged to one part, nothing is left but what counts.
        let table = try #require(pipeline.catalog.table("orders"))
        _ = try table.compact(final: true)
        #expect(try Self.rows(pipeline) == source.rows)
        #expect(table.statistics.rowCount == source.rows.count)
        #expect(table.statistics.deadLetterRows == 0)
    }

    @Test("a view taken before stays what it was")
    func viewsStay() throws {
        let pipeline = try Self.open(SimulatedDisk())
        defer { pipeline.stop() }
        var source = SourceTable(seed: 7, keys: 100)
        var views: [(rows: [Int: Int], snapshot: any TableSnapshot)] = []
        let table = try #require(pipeline.catalog.table("orders"))
        for step in 0..<40 {
            try pipeline.produce("m", (0..<20).map { _ in source.change(mayClear: false) })
            views.append((source.rows, try table.currentSnapshot()))
            if step % 7 == 6 { try table.flush() }
            if step % 15 == 14 { _ = try table.compact(final: true) }
        }
        for view in views {
            var count = 0
            for part in view.snapshot.sources {
                for granule in 0..<part.granuleCount {
                    let ids = try part.read(column: "id", granule: granule)
                    let values = try part.read(column: "v", granule: granule)
                    #expect(ids.count == part.rowCount(granule: granule))
                    for row in 0..<ids.count {
                        guard case .int(let id) = ids.scalar(at: row) else { continue }
                        #expect(values.scalar(at: row) == .int(Int64(view.rows[Int(id)] ?? -1)))
                        count += 1
                    }
                }
            }
            #expect(count == view.rows.count)
        }
    }

    @Test("the power cut at any operation: every acknowledged change once", arguments: SimulatedDisk.Survival.allCases)
    func powerCuts(survival: SimulatedDisk.Survival) throws {
        var cut = 1
        var isDone = false
        while !isDone {
            let disk = SimulatedDisk()
            // States the table may be in: after the last acknowledged change, or one sent without an answer.
            var source = SourceTable(seed: UInt64(cut), keys: 8)
            var states: [[Int: Int]] = [[:]]
            do {
                let pipeline = try Self.open(disk)
                disk.cutPower(atOperation: cut)
                defer { pipeline.stop() }
                for round in 0..<12 {
                    let record = source.change(mayClear: round > 6)
                    states.append(source.rows)
                    let topic = try pipeline.logStore.ensureTopic("m")
                    let appended = try topic.partitions[0].appendBlocking([try recordBatch(of: [record])])
                    states.removeFirst(states.count - 1)
                    _ = pipeline.materializer.waitUntilVisible(
                        topic: "m", partition: 0, offset: appended.nextOffset, timeoutMs: disk.isPowerCut ? 1 : 200)
                    if round % 3 == 1 { try pipeline.catalog.table("orders")?.flush() }
                    if round % 5 == 4 { _ = try pipeline.catalog.table("orders")?.compact(final: true) }
                }
            } catch {
                #expect(disk.isPowerCut, "\(error)")
            }
            isDone = !disk.isPowerCut
            disk.crash(survival, seed: UInt64(cut))
            let pipeline = try Self.open(disk)
            #expect(pipeline.waitUntilCaughtUp("m"), "cut at \(cut): \(pipeline.materializer.status)")
            let found = try Self.rows(pipeline)
            #expect(states.contains(found), "cut at \(cut): \(found) is none of \(states)")
            pipeline.stop()
            cut += 1
        }
    }
}

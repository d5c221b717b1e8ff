import Disk
import TestSupport
import Testing

@testable import Columnar

@Suite("Table")
struct TableTests {
    @Test("rows are visible at once, after a flush, after a merge and after a restart")
    func lifecycle() throws {
        let fixture = Fixture()
        var catalog = try fixture.open()
        var table = try catalog.createTable(Requests.definition())
        let expected = contents(Requests.block(0..<30_000))
        for start in stride(from: 0, to: 30_000, by: 10_000) {
            try table.append(Requests.block(start..<start + 10_000), offsets: [source0: Int64(start + 10_000)])
            #expect(rowCount(table.snapshot()) == start + 10_000)
            #expect(table.storedOffsets()[source0] ?? 0 == Int64(start))
            try table.flush()
            #expect(table.storedOffsets() == [source0: Int64(start + 10_000)])
        }
        #expect(try contents(table.snapshot()) == expected)
        #expect(table.statistics.partCount == 3)
        #expect(table.statistics.memoryBytes == 0 && catalog.memoryBytes == 0)

        let report = try table.compact(final: true)
        #expect(report.partsBefore == 3 && report.partsAfter == 1)
        #expect(try contents(table.snapshot()) == expected)
        #expect(try sortedByKey(table.snapshot()))
        #expect(table.check().isEmpty)

        try catalog.close()
        catalog = try fixture.open()
        table = try #require(catalog.table("requests"))
        #expect(table.definition == Requests.definition())
        #expect(try contents(table.snapshot()) == expected)
        #expect(table.storedOffsets() == [source0: 30_000])
        let files = try fixture.disk.list("/data/tables/requests/parts")
        #expect(files.count == 1, "merged parts are gone: \(files)")
    }

    /// Whether each part is in the order of service and timestamp.
    private func sortedByKey(_ snapshot: any TableSnapshot) throws -> Bool {
        for source in snapshot.sources {
            var last = ("", Int64.min)
            for granule in 0..<source.granuleCount {
                let services = try source.read(column: "service", granule: granule)
                let times = try source.read(column: "timestamp", granule: granule)
                for row in 0..<source.rowCount(granule: granule) {
                    guard case .string(let bytes) = services.scalar(at: row),
                        case .int(let time) = times.scalar(at: row)
                    else { return false }
                    let next = (String(decoding: bytes, as: UTF8.self), time)
                    if next < last { return false }
                    last = next
                }
            }
        }
        return true
    }

    @Test("many small appends coalesce, and every one is visible")
    func smallAppends() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        for row in 0..<500 { try table.append(Requests.block(row..<row + 1)) }
        let snapshot = table.snapshot()
        #expect(rowCount(snapshot) == 500)
        #expect(snapshot.sources.count == 1 && snapshot.sources[0].granuleCount < 12)
        #expect(try contents(snapshot) == contents(Requests.block(0..<500)))
    }

    @Test("a snapshot stays as it was while rows come, parts merge and the table is dropped")
    func snapshotIsolation() throws {
        let fixture = Fixture()
        let catalog = try fixture.open()
        let table = try catalog.createTable(Requests.definition())
        for start in [0, 5000] {
            try table.append(Requests.block(start..<start + 5000))
            try table.flush()
        }
        var snapshot: (any TableSnapshot)? = table.snapshot()
        try table.append(Requests.block(10_000..<10_100))
        _ = try table.compact(final: true)
        #expect(try fixture.disk.list("/data/tables/requests/parts").count == 3)
        #expect(try contents(#require(snapshot)) == contents(Requests.block(0..<10_000)))
        try catalog.dropTable("requests")
        #expect(try contents(#require(snapshot)) == contents(Requests.block(0..<10_000)))
        #expect(throws: ColumnarError.self) { try table.append(Requests.block(0..<1)) }
        // The name is free at once.
        let again = try catalog.createTable(Requests.definition())
        #expect(rowCount(again.snapshot()) == 0)
        snapshot = nil
        #expect(try fixture.disk.list("/data/tables/requests/parts").isEmpty)
        #expect(try fixture.open().table("requests")?.statistics.rowCount == 0)
    }

    @Test("rows go to one part a day, in the partition's name")
    func partitions() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        try table.append(Requests.block(0..<4000, stepMs: 60_000))
        try table.flush()
        let parts = table.partInfos.sorted { $0.partition < $1.partition }
        #expect(parts.map(\.partition) == ["20251009", "20251010", "20251011", "20251012"])
        #expect(parts.map(\.rowCount).reduce(0, +) == 4000)
        #expect(parts[1].minTimeMs == 1_760_054_420_000)
        #expect(try contents(table.snapshot()) == contents(Requests.block(0..<4000, stepMs: 60_000)))
        _ = try table.compact(final: true)
        #expect(table.partInfos.count == 4)
    }

    @Test("times from all of history make a bounded number of parts, and more parts than open files are read")
    func manyPartitions() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        for start in [0, 200, 400] {
            try table.append(Requests.block(start..<start + 200, stepMs: 86_400_000 * 3))
            try table.flush()
        }
        #expect(table.partInfos.count == 3 * (FlushWriter.maxPartitions + 1))
        #expect(table.partInfos.filter { $0.partition == "other" }.map(\.rowCount) == [72, 72, 72])
        let expected = contents(Requests.block(0..<600, stepMs: 86_400_000 * 3))
        #expect(try contents(table.snapshot()) == expected)
        _ = try table.compact(final: true)
        #expect(table.partInfos.count == 3 * FlushWriter.maxPartitions + 1)
        #expect(try contents(#require(try fixture.open().table("requests")).snapshot()) == expected)
    }

    @Test("missing columns get defaults, unknown ones and wrong types are errors")
    func alignment() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        let time = Column(type: .dateTime64(precision: 3, timeZone: nil), data: .int64([Requests.startMs]))
        let status = Column(type: .uint8, data: .uint8([200]))
        try table.append(Block(names: ["timestamp", "status"], columns: [time, status], rowCount: 1))
        let expected = [
            "int(\(Requests.startMs))", "string([])", "string([])", "int(200)", "null", "string([])", "array([])",
        ].joined(separator: "|")
        #expect(try contents(table.snapshot()) == [expected.replacing("null", with: "null")])
        #expect(throws: ColumnarError.self) {
            try table.append(Block(names: ["nope"], columns: [status], rowCount: 1))
        }
        #expect(throws: ColumnarError.self) {
            let text = Column(type: .string, data: .string(StringData(["x"])))
            try table.append(Block(names: ["status"], columns: [text], rowCount: 1))
        }
        #expect(rowCount(table.snapshot()) == 1)
        try table.flush()
        #expect(try contents(table.snapshot()) == [expected])
    }

    @Test("dead letters are kept beside the rows, with the same commit")
    func deadLetters() throws {
        let fixture = Fixture()
        var table = try fixture.open().createTable(Requests.definition())
        let letters = Block(
            names: ["topic", "partition", "offset", "reason", "value"],
            columns: [
                Column(type: .string, data: .string(StringData(["requests"]))),
                Column(type: .int32, data: .int32([0])), Column(type: .int64, data: .int64([17])),
                Column(type: .string, data: .string(StringData(["no JSON object"]))),
                Column(type: .string, data: .string(StringData(["]["]))),
            ], rowCount: 1)
        try table.append(Block(names: [], columns: [], rowCount: 0), deadLetters: letters, offsets: [source0: 18])
        #expect(rowCount(table.deadLetters()) == 1)
        try table.flush()
        table = try #require(try fixture.open().table("requests"))
        #expect(rowCount(table.deadLetters()) == 1 && rowCount(table.snapshot()) == 0)
        #expect(try contents(table.deadLetters(), columns: ["reason"]) == ["string(\(Array("no JSON object".utf8)))"])
        #expect(table.storedOffsets() == [source0: 18])
        #expect(table.statistics.deadLetterRows == 1)
    }

    @Test("columns added, dropped and widened read right from old parts, memory and merged parts")
    func schemaEvolution() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        try table.append(Requests.block(0..<100))
        try table.flush()
        try table.append(Requests.block(100..<200))
        try table.addColumns([
            ColumnDefinition(name: "region", type: .nullable(.string)), ColumnDefinition(name: "bytes", type: .uint32),
        ])
        try table.widenColumn("status", to: .nullable(.float64))
        func verify(_ table: Table) throws {
            let rows = try contents(table.snapshot(), columns: ["status", "region", "bytes"])
            #expect(rows.count == 200)
            #expect(rows.allSatisfy { $0.hasSuffix("|null|uint(0)") && $0.hasPrefix("float(") })
            for source in table.snapshot().sources where source.name != "memory" {
                #expect(source.range(column: "region")?.nullCount == source.rowCount)
                if case .float(let low)? = source.range(column: "status")?.minimum { #expect(low == 200) }
            }
        }
        try verify(table)
        try table.flush()
        try verify(table)
        try verify(try #require(try fixture.open().table("requests")))
        try table.dropColumn("level")
        #expect(throws: ColumnarError.self) { try table.dropColumn("timestamp") }
        #expect(throws: ColumnarError.self) { try table.widenColumn("status", to: .int8) }
        try table.addColumns([ColumnDefinition(name: "level", type: .int32)])
        #expect(Set(try contents(table.snapshot(), columns: ["level"])) == ["int(0)"])
        _ = try table.compact(final: true)
        try verify(table)
        #expect(Set(try contents(table.snapshot(), columns: ["level"])) == ["int(0)"])
        #expect(throws: ColumnarError.self) { try table.addColumns([ColumnDefinition(name: "level", type: .int32)]) }
    }

    @Test("ranges hold what is there, Bloom filters and dictionaries find values")
    func pruning() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition(sortingKey: ["timestamp"], partitionBy: .none))
        try table.append(Requests.block(0..<40_000))
        try table.flush()
        for final in [false, true] {
            if final { _ = try table.compact(final: true) }
            let source = table.snapshot().sources[0]
            #expect(source.granuleCount == 5 && source.isSorted)
            for granule in 0..<5 {
                let range = try #require(source.range(column: "timestamp", granule: granule))
                #expect(range.minimum == .int(Requests.startMs + Int64(granule) * 8_192_000))
                #expect(range.isExact)
                let nulls = try #require(source.range(column: "latency", granule: granule))
                #expect(
                    nulls.nullCount == source.rowCount(granule: granule) / 10
                        + (granule * 8192 % 10 > 2 || granule == 0 ? 1 : 0)
                        || nulls.nullCount > 700)
            }
            var misses = 0
            for row in stride(from: 0, to: 40_000, by: 501) {
                let value = Array(Requests.trace(row).utf8)
                for granule in 0..<5 {
                    let may = try source.mayContain(column: "trace", granule: granule, value: value)
                    if granule == row / 8192 { #expect(may) } else if !may { misses += 1 }
                }
            }
            #expect(misses > 250)
            #expect(try !source.mayContain(column: "level", granule: 0, value: Array("FATAL".utf8)))
            #expect(try source.mayContain(column: "level", granule: 0, value: Array("WARN".utf8)))
            #expect(try source.dictionary(column: "service")?.values.count == 5)
            #expect(try source.dictionary(column: "trace") == nil)
        }
    }

    @Test("rows past their TTL go: whole parts at once, single rows with a merge")
    func timeToLive() throws {
        let fixture = Fixture()
        let ttl = TimeToLive(column: "timestamp", seconds: 86_400, sql: "timestamp + INTERVAL 1 DAY")
        let table = try fixture.open().createTable(Requests.definition(ttl: ttl))
        try table.append(Requests.block(0..<5000, stepMs: 60_000))
        try table.flush()
        #expect(table.partInfos.count == 4)
        // Two and a half days on from the first row.
        fixture.clock.advance(milliseconds: 43_200_000 + 86_400_000)
        let kept = contents(Requests.block(0..<5000, stepMs: 60_000)).filter { row in
            guard let time = Int64(row.dropFirst(4).prefix { $0 != ")" }) else { return false }
            return time >= Requests.startMs + 129_600_000
        }
        let report = try table.compact(final: true)
        #expect(report.merges >= 1)
        #expect(try contents(table.snapshot()) == kept)
        #expect(table.partInfos.count == 3)
        fixture.clock.advance(milliseconds: 365 * 86_400_000)
        _ = try table.compact(final: false)
        #expect(table.statistics.rowCount == 0 && table.statistics.partCount == 0)
    }

    @Test("past its cap the table gives up its oldest day first")
    func byteCap() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        try table.append(Requests.block(0..<4000, stepMs: 60_000))
        try table.flush()
        let size = table.statistics.sizeBytes
        try table.setMaxBytes(size * 3 / 4)
        try table.capBytes()
        let left = table.partInfos.map(\.partition).sorted()
        #expect(left == ["20251010", "20251011", "20251012"] || left == ["20251011", "20251012"])
        try table.setMaxBytes(1)
        try table.capBytes()
        #expect(table.partInfos.count == 1 && table.partInfos[0].partition == "20251012")
    }

    @Test("a hundred flushes leave few parts behind in the background")
    func backgroundMerges() throws {
        var settings = ColumnarSettings()
        settings.maintenanceIntervalMs = 5
        let fixture = Fixture(settings: settings)
        let catalog = try fixture.open()
        let table = try catalog.createTable(Requests.definition(partitionBy: .none))
        catalog.startMaintenance()
        for start in stride(from: 0, to: 10_000, by: 100) {
            try table.append(Requests.block(start..<start + 100), offsets: [source0: Int64(start + 100)])
            try table.flush()
        }
        fixture.clock.advance(milliseconds: 60_000)
        for _ in 0..<2000 where table.statistics.partCount > 8 { usleepMs(5) }
        catalog.stopMaintenance()
        #expect(table.statistics.partCount <= 8)
        #expect(try contents(table.snapshot()) == contents(Requests.block(0..<10_000)))
        #expect(table.statistics.mergeError == nil)
        #expect(try fixture.disk.list("/data/tables/requests/parts").count == table.statistics.partCount)
    }

    @Test("readers see every row exactly once while rows come, flush and merge")
    func concurrency() throws {
        var settings = ColumnarSettings()
        settings.maintenanceIntervalMs = 1
        settings.flushRows = 300
        let fixture = Fixture(settings: settings)
        let catalog = try fixture.open()
        let table = try catalog.createTable(Requests.definition(partitionBy: .none))
        catalog.startMaintenance()
        let appended = Monitor(0)
        let writer = Thread(name: "writer") {
            for start in stride(from: 0, to: 6000, by: 50) {
                try? table.append(Requests.block(start..<start + 50), offsets: [source0: Int64(start + 50)])
                appended.update { $0 = start + 50 }
                if start % 1000 == 0 { fixture.clock.advance(milliseconds: 60_000) }
            }
        }
        var done = false
        while !done {
            let before = appended.withLock { $0 }
            done = before == 6000
            let snapshot = table.snapshot()
            let statuses = try contents(snapshot, columns: ["timestamp"])
            #expect(statuses.count >= before && statuses.count == rowCount(snapshot))
            #expect(Set(statuses).count == statuses.count)
        }
        writer.join()
        catalog.stopMaintenance()
        #expect(try contents(table.snapshot()) == contents(Requests.block(0..<6000)))
        try table.flush()
        #expect(table.storedOffsets() == [source0: 6000])
        #expect(table.statistics.mergeError == nil && table.check().isEmpty)
    }

    @Test("memory is flushed by age, by rows and when all tables together hold too much")
    func flushTriggers() throws {
        var settings = ColumnarSettings()
        settings.memoryBytes = 1 << 20
        settings.flushRows = 5000
        settings.maintenanceIntervalMs = 2
        let fixture = Fixture(settings: settings)
        let catalog = try fixture.open()
        let table = try catalog.createTable(Requests.definition(partitionBy: .none))
        catalog.startMaintenance()
        defer { catalog.stopMaintenance() }
        func waitUntilEmpty() -> Bool {
            for _ in 0..<2000 where table.statistics.memoryRows > 0 { usleepMs(5) }
            return table.statistics.memoryRows == 0
        }
        try table.append(Requests.block(0..<10))
        fixture.clock.advance(milliseconds: 299_000)
        usleepMs(30)
        #expect(table.statistics.memoryRows == 10)
        fixture.clock.advance(milliseconds: 2000)
        #expect(waitUntilEmpty())
        try table.append(Requests.block(10..<6000))
        #expect(waitUntilEmpty())
        var next = 6000
        while next < 40_000 {
            try table.append(Requests.block(next..<next + 1000))
            next += 1000
        }
        #expect(catalog.memoryBytes <= 3 << 20)
        #expect(try contents(table.snapshot()).count == 40_000)
    }

    @Test("names with any characters make tables that open again")
    func names() throws {
        let fixture = Fixture()
        let catalog = try fixture.open()
        let names = ["app.logs", "..", ".", "a/b", "Ünï cödé", "%41", "A", String(repeating: "x/", count: 90)]
        for name in names { try catalog.createTable(Requests.definition(name: name)) }
        #expect(throws: ColumnarError.self) { try catalog.createTable(Requests.definition(name: "A")) }
        #expect(throws: ColumnarError.self) { try catalog.createTable(Requests.definition(name: "")) }
        #expect(try fixture.open().tables.map(\.name) == names.sorted())
    }

    @Test("definitions that cannot be are refused")
    func invalidDefinitions() throws {
        let catalog = try Fixture().open()
        func refuse(_ change: (inout TableDefinition) -> Void) {
            var definition = Requests.definition()
            change(&definition)
            #expect(throws: ColumnarError.self) { try catalog.createTable(definition) }
        }
        refuse { $0.columns = [] }
        refuse { $0.columns.append($0.columns[0]) }
        refuse { $0.sortingKey = ["nope"] }
        refuse { $0.sortingKey = ["tags"] }
        refuse { $0.partitionBy = .day(column: "service") }
        refuse { $0.timeColumn = "status" }
        refuse { $0.columns[0].type = .tuple([.int8]) }
        refuse { $0.columns[3].type = .nullable(.array(.int8)) }
        #expect(catalog.tables.isEmpty)
    }

    @Test("truncate removes rows and keeps offsets")
    func truncate() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition())
        try table.append(Requests.block(0..<100), offsets: [source0: 100])
        try table.flush()
        try table.append(Requests.block(100..<150), offsets: [source0: 150])
        try table.truncate()
        #expect(rowCount(table.snapshot()) == 0)
        #expect(table.storedOffsets() == [source0: 150])
        #expect(try fixture.open().table("requests")?.storedOffsets() == [source0: 150])
        #expect(try fixture.disk.list("/data/tables/requests/parts").isEmpty)
    }

    @Test("large values make small granules, and come back")
    func largeValues() throws {
        let fixture = Fixture()
        let definition = TableDefinition(
            name: "big",
            columns: [ColumnDefinition(name: "id", type: .int64), ColumnDefinition(name: "text", type: .string)],
            sortingKey: ["id"])
        let table = try fixture.open().createTable(definition)
        for row in 0..<12 {
            let text = String(repeating: "x\(row)", count: 3 << 20)
            try table.append(
                Block(
                    names: ["id", "text"],
                    columns: [
                        Column(type: .int64, data: .int64([Int64(12 - row)])),
                        Column(type: .string, data: .string(StringData([text]))),
                    ], rowCount: 1))
            if row % 6 == 5 { try table.flush() }
        }
        for _ in 0..<2 {
            for source in table.snapshot().sources {
                #expect(source.granuleCount > 1)
                for granule in 0..<source.granuleCount {
                    #expect(try source.read(column: "text", granule: granule).memoryBytes < 50 << 20)
                }
            }
            #expect(rowCount(table.snapshot()) == 12)
            _ = try table.compact(final: true)
        }
    }
}

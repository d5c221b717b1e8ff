import Disk
import TestSupport
import Testing

@testable import Columnar

@Suite("Crashes and damage")
struct CrashTests {
    /// Creates, appends, flushes, merges; returns how far the acknowledged flushes came.
    private func run(_ fixture: Fixture) -> (acknowledged: Int64, attempted: Int64) {
        var acknowledged: Int64 = 0
        var attempted: Int64 = 0
        do {
            let catalog = try fixture.open()
            let table = try catalog.table("requests") ?? catalog.createTable(Requests.definition())
            let start = Int(table.storedOffsets()[source0] ?? 0)
            for step in 0..<4 {
                let rows = start + step * 50..<start + step * 50 + 50
                try table.append(Requests.block(rows, stepMs: 600_000), offsets: [source0: Int64(rows.upperBound)])
                attempted = Int64(rows.upperBound)
                try table.flush()
                acknowledged = Int64(rows.upperBound)
                if step == 2 { _ = try table.compact(final: true) }
            }
            try table.addColumns([ColumnDefinition(name: "extra\(start)", type: .int8)])
        } catch {}
        return (acknowledged, attempted)
    }

    /// Opens after a crash: rows and offsets must agree, nothing acknowledged may be missing.
    private func verify(_ fixture: Fixture, _ acknowledged: Int64, _ note: String) throws {
        let catalog = try fixture.open()
        guard let table = catalog.table("requests") else {
            #expect(acknowledged == 0, "table gone: \(note)")
            return
        }
        let offset = table.storedOffsets()[source0] ?? 0
        #expect(offset >= acknowledged, "\(note)")
        let names = Requests.columns.map(\.name)
        #expect(
            try contents(table.snapshot(), columns: names)
                == contents(Requests.block(0..<Int(offset), stepMs: 600_000)),
            "rows are those of the offset: \(note)")
        #expect(table.statistics.detachedParts == 0, "\(note)")
        #expect(table.check().isEmpty, "\(note)")
        let named = table.statistics.partCount
        #expect(try fixture.disk.list("/data/tables/requests/parts").count == named, "no file without a name: \(note)")
    }

    @Test("power cut at any operation: rows and offsets agree, nothing acknowledged is lost")
    func powerCuts() throws {
        let clean = Fixture()
        _ = run(clean)
        let total = clean.disk.operationCount()
        #expect(total > 50)
        for number in 1...total {
            for survival in SimulatedDisk.Survival.allCases {
                let fixture = Fixture()
                fixture.disk.cutPower(atOperation: number)
                let (acknowledged, _) = run(fixture)
                fixture.disk.crash(survival, seed: UInt64(number))
                try verify(fixture, acknowledged, "operation \(number) of \(total), \(survival)")
                if number % 9 == 0 {
                    let (further, _) = run(fixture)
                    #expect(further >= 200)
                    try verify(fixture, further, "going on after operation \(number), \(survival)")
                }
            }
        }
    }

    @Test("any single operation may fail: the rows stay, and the next try succeeds")
    func failures() throws {
        let clean = Fixture()
        let cleanTable = try clean.open().createTable(Requests.definition())
        let first = clean.disk.operationCount()
        try cleanTable.append(Requests.block(0..<100), offsets: [source0: 100])
        try cleanTable.flush()
        let total = clean.disk.operationCount() - first
        for code in [DiskError.Code.full, .io] {
            for number in 1...total {
                let fixture = Fixture()
                let catalog = try fixture.open()
                let table = try catalog.createTable(Requests.definition())
                try table.append(Requests.block(0..<100), offsets: [source0: 100])
                fixture.disk.failOperation(number: number, with: code)
                do {
                    try table.flush()
                } catch {
                    #expect(table.statistics.flushError != nil)
                    #expect(table.storedOffsets().isEmpty)
                }
                #expect(rowCount(table.snapshot()) == 100)
                try table.append(Requests.block(100..<120), offsets: [source0: 120])
                fixture.disk.clearFailures()
                try table.flush()
                #expect(table.statistics.flushError == nil && table.statistics.memoryRows == 0)
                try verifyRows(fixture, 120, note: "operation \(number), \(code)")
            }
        }
    }

    private func verifyRows(_ fixture: Fixture, _ count: Int, note: String) throws {
        let table = try #require(try fixture.open().table("requests"))
        #expect(table.storedOffsets() == [source0: Int64(count)], "\(note)")
        #expect(try contents(table.snapshot()) == contents(Requests.block(0..<count)), "\(note)")
        #expect(
            try fixture.disk.list("/data/tables/requests/parts").count == table.statistics.partCount, "\(note)")
    }

    @Test("a full disk: appends go on until memory is full, then say so; with room again all is stored")
    func fullDisk() throws {
        var settings = ColumnarSettings()
        settings.memoryBytes = 200 << 10
        settings.appendTimeoutMs = 20
        let fixture = Fixture(settings: settings)
        let catalog = try fixture.open()
        let table = try catalog.createTable(Requests.definition(partitionBy: .none))
        fixture.disk.capacityBytes = fixture.disk.usedBytes + 2000
        var stored = 0
        var failure: ColumnarError?
        while failure == nil && stored < 100_000 {
            do throws(ColumnarError) {
                try table.append(Requests.block(stored..<stored + 500), offsets: [source0: Int64(stored + 500)])
                stored += 500
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .disk)
        #expect(catalog.memoryBytes < 2 << 20)
        #expect(rowCount(table.snapshot()) == stored)
        fixture.disk.capacityBytes = 1 << 40
        try table.append(Requests.block(stored..<stored + 500), offsets: [source0: Int64(stored + 500)])
        try table.flush()
        #expect(try contents(table.snapshot()) == contents(Requests.block(0..<stored + 500)))
    }

    @Test("a failing merge leaves everything as it was, and can be done later")
    func mergeFailures() throws {
        var number = 1
        while true {
            let fixture = Fixture()
            let table = try fixture.open().createTable(Requests.definition(partitionBy: .none))
            for start in [0, 300, 600] {
                try table.append(Requests.block(start..<start + 300), offsets: [source0: Int64(start + 300)])
                try table.flush()
            }
            fixture.disk.failOperation(number: number, with: .full)
            let failed = (try? table.compact(final: true)) == nil
            #expect(try contents(table.snapshot()) == contents(Requests.block(0..<900)))
            fixture.disk.clearFailures()
            _ = try table.compact(final: true)
            #expect(table.statistics.partCount == 1)
            try verifyRows(fixture, 900, note: "operation \(number)")
            if !failed { break }
            number += 1
        }
        #expect(number > 5)
    }

    @Test("every flipped bit of a part is found, the part set aside, and the table goes on")
    func flippedPart() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition(partitionBy: .none))
        try table.append(Requests.block(0..<60), offsets: [source0: 60])
        try table.flush()
        try table.append(Requests.block(60..<70))
        try table.flush()
        let path = "/data/tables/requests/parts/00000001.part"
        let bytes = try #require(fixture.disk.contents(path))
        for index in bytes.indices {
            fixture.disk.flipBit(path, index * 8 + index % 8)
            let problems = (try? Part.open(path, number: 1, fileSystem: fixture.disk)).map { $0.check() }
            #expect(problems?.isEmpty != true, "byte \(index) of \(bytes.count)")
            fixture.disk.flipBit(path, index * 8 + index % 8)
        }
        #expect(try Part.open(path, number: 1, fileSystem: fixture.disk).check().isEmpty)
        for length in stride(from: 0, to: bytes.count, by: 7) {
            fixture.disk.plant("/data/short", Array(bytes[..<length]))
            #expect(throws: ColumnarError.self) { try Part.open("/data/short", number: 1, fileSystem: fixture.disk) }
        }

        // Found at open, by the footer.
        fixture.disk.flipBit(path, (bytes.count - 40) * 8)
        let opened = try #require(try fixture.open().table("requests"))
        #expect(try contents(opened.snapshot()) == contents(Requests.block(60..<70)))
        #expect(opened.statistics.detachedParts == 1)
        #expect(opened.storedOffsets() == [source0: 60])
        #expect(fixture.disk.contents("/data/tables/requests/detached/00000001.part")?.count == bytes.count)
        let reason = try #require(fixture.disk.contents("/data/tables/requests/detached/00000001.part.reason"))
        #expect(String(decoding: reason, as: UTF8.self).contains("checksum"))
        #expect(try fixture.open().table("requests")?.statistics.detachedParts == 0)
    }

    @Test("damage met by a query names the part, which is set aside afterwards")
    func damageWhileReading() throws {
        let fixture = Fixture()
        let catalog = try fixture.open()
        let table = try catalog.createTable(Requests.definition(partitionBy: .none))
        for start in [0, 100] {
            try table.append(Requests.block(start..<start + 100))
            try table.flush()
        }
        fixture.disk.flipBit("/data/tables/requests/parts/00000001.part", 100 * 8)
        let failure = #expect(throws: ColumnarError.self) { try contents(table.snapshot()) }
        #expect(failure?.message.contains("part 00000001") == true)
        _ = try table.compact(final: false)
        #expect(try contents(table.snapshot()) == contents(Requests.block(100..<200)))
        #expect(table.statistics.detachedParts == 1)
        #expect(try fixture.open().table("requests")?.statistics.rowCount == 100)
    }

    @Test("a part that the manifest names but is missing is counted, and the table opens")
    func missingPart() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition(partitionBy: .none))
        for start in [0, 100] {
            try table.append(Requests.block(start..<start + 100))
            try table.flush()
        }
        try fixture.disk.remove("/data/tables/requests/parts/00000002.part")
        let opened = try #require(try fixture.open().table("requests"))
        #expect(opened.statistics.detachedParts == 1 && opened.statistics.rowCount == 100)
    }

    @Test("every flipped byte of a manifest is an error, or a torn end whose commit never was")
    func flippedManifest() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition(partitionBy: .none))
        for start in [0, 100, 200] {
            try table.append(Requests.block(start..<start + 100), offsets: [source0: Int64(start + 100)])
            try table.flush()
        }
        let path = "/data/tables/requests/MANIFEST"
        let bytes = try #require(fixture.disk.contents(path))
        let whole = try Manifest.parse(bytes)
        #expect(whole.end == bytes.count && whole.content.offsets == [source0: 300])
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x10
            guard let parsed = try? Manifest.parse(damaged) else { continue }
            #expect(parsed.content.offsets == [source0: 200] && parsed.content.parts.count == 2, "byte \(index)")
            #expect(parsed.end < bytes.count)
        }
        for length in 0..<bytes.count {
            if let parsed = try? Manifest.parse(Array(bytes[..<length])) {
                #expect(parsed.content.parts.count == Int(parsed.content.offsets[source0] ?? 0) / 100)
            }
        }
    }

    @Test("a long log of commits is rewritten, and says the same")
    func manifestRewrite() throws {
        let disk = SimulatedDisk()
        try disk.createDirectory("/m")
        var manifest = try Manifest.create(
            "/m/MANIFEST", content: ManifestContent(StoredDefinition(Requests.definition())), fileSystem: disk)
        for number in 0..<20_000 {
            try manifest.commit([.offset(source0, Int64(number)), .nextPart(UInt64(number))])
        }
        #expect((disk.contents("/m/MANIFEST")?.count ?? 0) < 300_000)
        let opened = try Manifest.open("/m/MANIFEST", fileSystem: disk)
        #expect(opened.content.offsets == [source0: 19_999] && opened.content.nextPart == 19_999)
    }

    @Test("a newer version is said to be one")
    func newerVersion() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(Requests.definition(partitionBy: .none))
        try table.append(Requests.block(0..<10))
        try table.flush()
        let path = "/data/tables/requests/MANIFEST"
        var bytes = try #require(fixture.disk.contents(path))
        bytes[7] = 2
        fixture.disk.plant(path, bytes)
        let failure = #expect(throws: ColumnarError.self) { try fixture.open() }
        #expect(failure?.code == .newerVersion)
    }

    @Test("drops end after a crash, half-made tables are cleared")
    func dropCrashes() throws {
        for number in 1...12 {
            for survival in SimulatedDisk.Survival.allCases {
                let fixture = Fixture()
                let catalog = try fixture.open()
                let table = try catalog.createTable(Requests.definition())
                try table.append(Requests.block(0..<100))
                try table.flush()
                fixture.disk.cutPower(atOperation: number)
                let dropped = (try? catalog.dropTable("requests")) != nil
                fixture.disk.crash(survival, seed: UInt64(number))
                let reopened = try fixture.open()
                if dropped { #expect(reopened.table("requests") == nil) }
                if let survivor = reopened.table("requests") {
                    #expect(try contents(survivor.snapshot()) == contents(Requests.block(0..<100)))
                }
            }
        }
    }
}

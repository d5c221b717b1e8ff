import Columnar
import Disk
import QueryEngine
import Testing

@Suite("Limits of a query")
struct LimitsTests {
    private func code(_ sql: String, _ limits: QueryLimits, _ token: CancellationToken = CancellationToken()) -> Int? {
        do {
            _ = try FixtureDatabase().rows(sql, limits: limits, cancellation: token)
            return nil
        } catch {
            return error.code.number
        }
    }

    @Test("Too many rows read, or in the result, are refused")
    func rows() {
        var limits = QueryLimits()
        limits.maxRowsToRead = 10_000
        #expect(code("SELECT count() FROM numbers(10000) WHERE number >= 0", limits) == nil)
        #expect(code("SELECT sum(number) FROM numbers(100000)", limits) == 158)
        limits = QueryLimits()
        limits.maxResultRows = 100
        #expect(code("SELECT number FROM numbers(100)", limits) == nil)
        #expect(code("SELECT number FROM numbers(101)", limits) == 396)
    }

    @Test(
        "A query over its memory budget fails, whatever holds the memory",
        arguments: [
            "SELECT number, count() FROM numbers(1000000) GROUP BY number",
            "SELECT uniqExact(number) FROM numbers(1000000)",
            "SELECT groupArray(number) FROM numbers(1000000)",
            "SELECT number FROM numbers(1000000) ORDER BY number DESC",
            "SELECT DISTINCT number FROM numbers(1000000)",
            "SELECT quantileExact(number) FROM numbers(1000000)",
            "SELECT number FROM numbers(1000000) LIMIT 1 BY number",
        ])
    func memory(sql: String) {
        var limits = QueryLimits()
        limits.maxMemoryBytes = 1 << 20
        #expect(code(sql, limits) == 241)
    }

    @Test("Memory is given back when a query ends, well or not")
    func memoryReturned() throws {
        var limits = QueryLimits()
        for budget in [1 << 20, 1 << 30] {
            limits.maxMemoryBytes = budget
            let context = QueryContext(database: FixtureDatabase(), limits: limits)
            do {
                let query = try FixtureDatabase().select("SELECT number, count() FROM numbers(200000) GROUP BY number")
                let executor = try SelectExecutor(query, context: context)
                try executor.run { _ in }
            } catch {
                #expect(error.code == .memoryLimitExceeded)
            }
            #expect(context.memory.usedBytes == 0)
            #expect(budget < 1 << 30 || context.memory.peakBytes > 0)
        }
    }

    @Test("A cancelled query stops")
    func cancelled() {
        let token = CancellationToken()
        token.cancel()
        #expect(code("SELECT sum(number) FROM numbers(1000000)", QueryLimits(), token) == 394)
    }

    @Test("A query stops when its time is up")
    func timeout() throws {
        let clock = ManualClock(nowMs: 1000)
        var limits = QueryLimits()
        limits.timeoutMs = 50
        let context = QueryContext(database: FixtureDatabase(), clock: clock, limits: limits)
        let query = try FixtureDatabase().select("SELECT number FROM numbers(100000)")
        let executor = try SelectExecutor(query, context: context)
        let error = #expect(throws: QueryError.self) {
            try executor.run { _ in clock.advance(milliseconds: 60) }
        }
        #expect(error?.code == .timeoutExceeded)
    }

    @Test("Damage is reported with the part's name")
    func damage() {
        let block = Block(names: ["a"], columns: [Column(type: .uint8, data: .uint8([1, 2]))], rowCount: 2)
        var part = PartFixture(block, name: "20251016_7")
        part.damagedColumn = "a"
        var database = FixtureDatabase()
        database.tables["t"] = PartsFixture([part])
        let error = #expect(throws: QueryError.self) { try database.rows("SELECT a FROM t") }
        #expect(error?.code == .corruptedData)
        #expect(error?.message.contains("20251016_7") == true)
    }

    @Test("ORDER BY with LIMIT reads the granules at the right end only")
    func topRows() throws {
        let block = Block(
            names: ["k"],
            columns: [Column(type: .dateTime64(precision: 3, timeZone: nil), data: .int64((0..<10_000).map { $0 }))],
            rowCount: 10_000)
        var database = FixtureDatabase()
        database.tables["t"] = PartsFixture([PartFixture(block, granule: 100, isSorted: true)], sortingKey: ["k"])
        var limits = QueryLimits()
        limits.threads = 1
        let context = QueryContext(database: database, limits: limits)
        let executor = try SelectExecutor(
            try database.select("SELECT k FROM t ORDER BY k DESC LIMIT 10"), context: context)
        var rows = 0
        try executor.run { rows += $0.rowCount }
        #expect(rows == 10)
        #expect(context.progress.granulesRead == 1)
        #expect(context.progress.granulesSkipped == 99)
    }

    @Test("EXPLAIN tells what was skipped and why")
    func explain() throws {
        let block = Block(
            names: ["k", "s"],
            columns: [
                Column(type: .uint32, data: .uint32((0..<1000).map { $0 })),
                strings((0..<1000).map { "v\($0 % 500)" }),
            ], rowCount: 1000)
        var database = FixtureDatabase()
        database.tables["t"] = PartsFixture(
            [PartFixture(block, granule: 100, isSorted: true)], sortingKey: ["k"])
        let lines = try database.executor("SELECT count() FROM t WHERE k < 150 AND s = 'v142'").explain()
        let text = lines.joined(separator: "\n")
        #expect(text.contains("Granules: 1 of 10 (100 of 1000 rows)"), "\(text)")
        #expect(text.contains("Skipped by sorting key: 8, for less(k, 150)"), "\(text)")
        #expect(text.contains("Skipped by Bloom filter: 1, for equals(s, 'v142')"), "\(text)")
        let none = try database.executor("SELECT count() FROM t WHERE k > 5000").explain().joined(separator: "\n")
        #expect(none.contains("Parts: 0 of 1"), "\(none)")
    }
}

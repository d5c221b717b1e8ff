import Columnar
import QueryEngine
import TestSupport
import Testing

/// The same rows in different parts, granules and threads must give the same answers, with pruning and without.
@Suite("SELECT whatever the layout")
struct EquivalenceTests {
    private static let rowCount = 1500

    private static func block(seed: UInt64, isSorted: Bool) -> Block {
        var random = SeededRandom(seed: seed)
        var rows = (0..<rowCount).map { row in
            (
                service: "service-\(Int.random(in: 0..<7, using: &random))", time: Int64(row) * 37,
                status: UInt16.random(in: 200..<210, using: &random),
                ms: Double(Int.random(in: 0..<1000, using: &random)) / 8,
                user: "user \(Int.random(in: 0..<900, using: &random))",
                isNull: Int.random(in: 0..<5, using: &random) == 0
            )
        }
        if isSorted { rows.sort { ($0.service, $0.time) < ($1.service, $1.time) } }
        return Block(
            names: ["service", "time", "status", "ms", "user", "maybe"],
            columns: [
                dictionary(rows.map(\.service)), Column(type: .int64, data: .int64(rows.map(\.time))),
                Column(type: .uint16, data: .uint16(rows.map(\.status))),
                Column(type: .float64, data: .float64(rows.map { $0.ms == 3 ? .nan : $0.ms })),
                strings(rows.map(\.user)),
                Column(
                    type: .nullable(.int32), data: .int32(rows.map { $0.isNull ? 0 : Int32($0.status) }),
                    nulls: rows.map { $0.isNull ? 1 : 0 }),
            ], rowCount: rowCount)
    }

    private static func database(_ block: Block, parts: Int, granule: Int, isSorted: Bool) -> FixtureDatabase {
        var sources: [PartFixture] = []
        let size = (block.rowCount + parts - 1) / parts
        for start in stride(from: 0, to: block.rowCount, by: size) {
            let rows = start..<min(start + size, block.rowCount)
            let part = Block(
                names: block.names, columns: block.columns.map { $0.slice(rows) }, rowCount: rows.count)
            sources.append(PartFixture(part, name: "part \(start)", granule: granule, isSorted: isSorted))
        }
        var database = FixtureDatabase()
        database.tables["t"] = PartsFixture(sources, sortingKey: isSorted ? ["service", "time"] : [])
        return database
    }

    private static let conditions = [
        "", "WHERE service = 'service-3'", "WHERE time >= 100000 AND time < 120000", "WHERE time = 3700",
        "WHERE user = 'user 17'", "WHERE user IN ('user 1', 'user 2', 'nobody')", "WHERE status != 204",
        "WHERE NOT (status < 205)", "WHERE maybe > 204", "WHERE NOT (maybe > 204)", "WHERE maybe IS NULL",
        "WHERE ms < 50", "WHERE NOT (ms < 50)", "WHERE service = 'service-1' OR time < 5000",
        "WHERE time > 999999999", "WHERE service IN ('service-1', 'x') AND status = 203 AND ms > 10",
        "WHERE status NOT IN (200, 201)", "WHERE maybe NOT IN (200, 201)", "WHERE service > 'service-5'",
    ]

    private static let queries = [
        "SELECT count(), sum(status), min(time), max(time) FROM t ? ",
        "SELECT min(maybe), max(maybe), count(maybe) FROM t ?",
        "SELECT service, count(), sum(time), max(ms), uniqExact(user), uniq(status) FROM t ? GROUP BY service ORDER BY service",
        "SELECT user, count() AS c FROM t ? GROUP BY user ORDER BY c DESC, user LIMIT 7",
        "SELECT service, status, count() FROM t ? GROUP BY service, status ORDER BY service, status",
        "SELECT maybe, count(), avg(status) FROM t ? GROUP BY maybe ORDER BY maybe",
        "SELECT user, status, service, maybe, count() FROM t ? GROUP BY user, status, service, maybe ORDER BY 1, 2, 3, 4 LIMIT 20",
        "SELECT time, service, user FROM t ? ORDER BY time DESC LIMIT 5",
        "SELECT time, user FROM t ? ORDER BY service, time LIMIT 9 OFFSET 3",
        "SELECT ms, time FROM t ? ORDER BY ms DESC, time LIMIT 12",
        "SELECT maybe, time FROM t ? ORDER BY maybe NULLS FIRST, time LIMIT 12",
        "SELECT DISTINCT service, status FROM t ? ORDER BY service, status",
        "SELECT DISTINCT service FROM t ? ORDER BY service",
        "SELECT time FROM t ? ORDER BY user, time LIMIT 2 BY service",
        "SELECT c, count() FROM (SELECT user, count() AS c FROM t ? GROUP BY user) GROUP BY c ORDER BY c",
        "SELECT topK(3)(service), quantileExact(0.9)(time), argMax(user, time), anyIf(service, time = 37) FROM t ?",
        "SELECT time FROM t ? ORDER BY time",
    ]

    @Test("Answers do not depend on parts, granules, threads or pruning", arguments: [UInt64(0), 1, 2, 3])
    func equivalence(seed: UInt64) throws {
        let sorted = Self.block(seed: seed, isSorted: true)
        var plain = QueryLimits()
        plain.threads = 1
        plain.usesPruning = false
        let reference = Self.database(sorted, parts: 1, granule: Self.rowCount, isSorted: true)
        let layouts: [(parts: Int, granule: Int, threads: Int)] = [(1, 64, 1), (5, 30, 3), (3, 200, 8)]
        for (number, query) in Self.queries.enumerated() {
            // Every condition meets every query over the seeds; all pairs at once would take long.
            for (other, condition) in Self.conditions.enumerated() where (number + other) % 4 == Int(seed) {
                let sql = query.replacing("?", with: condition)
                let expected = try reference.rows(sql, limits: plain)
                for layout in layouts {
                    let database = Self.database(sorted, parts: layout.parts, granule: layout.granule, isSorted: true)
                    var limits = QueryLimits()
                    limits.threads = layout.threads
                    #expect(try database.rows(sql, limits: limits) == expected, "\(sql) \(layout)")
                }
            }
        }
    }
}

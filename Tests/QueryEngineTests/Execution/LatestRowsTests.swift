import Columnar
import TestSupport
import Testing

@testable import QueryEngine

@Suite("Queries on the latest version of each row")
struct LatestRowsTests {
    /// Versions of rows as they come: id, v (nil: NULL), s; nil for a deletion.
    private typealias Version = (id: Int64, row: (v: Int64?, s: String)?)

    private static func append(_ versions: [Version], to table: Table) throws {
        let count = versions.count
        let ids = versions.map { $0.row == nil ? Scalar.null : .int($0.id) }
        let values = versions.map { $0.row?.v.map { Scalar.int($0) } ?? .null }
        let texts = versions.map { $0.row.map { Scalar.text($0.s) } ?? .null }
        let keys = versions.map { Scalar.text("key \($0.id)") }
        let columns = [
            Column(type: .nullable(.int64), scalars: ids), Column(type: .nullable(.int64), scalars: values),
            Column(type: .nullable(.string), scalars: texts), Column(type: .string, scalars: keys),
            Column(type: .uint8, scalars: versions.map { .uint($0.row == nil ? 1 : 0) }),
        ]
        try table.append(
            Block(names: ["id", "v", "s", "_cdc_key", "_cdc_deleted"], columns: columns, rowCount: count))
    }

    private static func table(_ engine: TestEngine) throws -> Table {
        try engine.run(
            "CREATE TABLE t (id Nullable(Int64), v Nullable(Int64), s Nullable(String)) ORDER BY id "
                + "SETTINGS topic = 'x', cdc = 'current'")
        return try #require(engine.database.catalog.table("t"))
    }

    @Test("filters, aggregates, limits and counts see the latest rows only, wherever older ones lie")
    func sees() throws {
        let engine = try TestEngine()
        let table = try Self.table(engine)
        // Version 1 in a part, version 2 of some in another, version 3 in memory; deletions in both.
        var first: [Version] = []
        for id in 0..<20_000 { first.append((Int64(id), (1, "old"))) }
        try Self.append(first, to: table)
        try table.flush()
        var second: [Version] = []
        for id in stride(from: 0, to: 20_000, by: 2) {
            let value: Int64? = id % 4 == 0 ? nil : 2
            second.append(id % 10 == 0 ? (Int64(id), nil) : (Int64(id), (value, "newer")))
        }
        try Self.append(second, to: table)
        try table.flush()
        var third: [Version] = []
        for id in 0..<10 { third.append((Int64(id), (3, "newest"))) }
        try Self.append(third, to: table)
        let expectations: [(String, String)] = [
            ("SELECT count() FROM t", "18001\n"),
            ("SELECT count(v), min(v), max(v) FROM t", "14003\t1\t3\n"),
            ("SELECT count() FROM t WHERE v IS NULL", "3998\n"),
            ("SELECT count() FROM t WHERE v IS NOT NULL", "14003\n"),
            ("SELECT count() FROM t WHERE v = 1", "9995\n"),
            ("SELECT count() FROM t WHERE s = 'old'", "9995\n"),
            ("SELECT count() FROM t WHERE s = 'old' AND id % 2 = 0", "0\n"),
            (
                "SELECT id, v, s FROM t WHERE id IN (0, 1, 12, 11, 20) ORDER BY id",
                "0\t3\tnewest\n1\t3\tnewest\n11\t1\told\n12\t\\N\tnewer\n"
            ),
            ("SELECT v, count() FROM t GROUP BY v ORDER BY v NULLS LAST", "1\t9995\n2\t3998\n3\t10\n\\N\t3998\n"),
            ("SELECT * FROM t ORDER BY id DESC LIMIT 2", "19999\t1\told\n19998\t2\tnewer\n"),
            ("SELECT count() FROM (SELECT * FROM t LIMIT 20000)", "18001\n"),
            ("SELECT uniqExact(id) = count() FROM t", "1\n"),
        ]
        for (sql, expected) in expectations {
            #expect(try engine.run(sql) == expected, "\(sql)")
        }
        let before = try engine.run("SELECT * FROM t ORDER BY id")
        _ = try table.compact(final: true)
        #expect(try engine.run("SELECT * FROM t ORDER BY id") == before)
        #expect(table.statistics.rowCount == 18_001)
    }

    @Test("the same with and without pruning, for random histories", arguments: 1...6)
    func pruning(seed: Int) throws {
        let engine = try TestEngine()
        let table = try Self.table(engine)
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<6 {
            var versions: [Version] = []
            for _ in 0..<Int.random(in: 1...3000, using: &random) {
                let id = Int64.random(in: 0..<2000, using: &random)
                let value: Int64? = Bool.random(using: &random) ? Int64.random(in: 0..<9, using: &random) : nil
                let isGone = Int.random(in: 0..<4, using: &random) == 0
                versions.append(isGone ? (id, nil) : (id, (value, "s\(id % 50)")))
            }
            try Self.append(versions, to: table)
            if Bool.random(using: &random) { try table.flush() }
            if Int.random(in: 0..<4, using: &random) == 0 { _ = try table.compact(final: false) }
        }
        for filter in ["v IS NULL", "v > 5", "s = 's7'", "id BETWEEN 100 AND 120", "NOT (v = 3)", "s LIKE 's1%'"] {
            let plain = try engine.run("SELECT count(), sum(id) FROM (SELECT * FROM t) WHERE (\(filter)) IN (1)")
            #expect(try engine.run("SELECT count(), sum(id) FROM t WHERE \(filter)") == plain, "\(filter)")
        }
        #expect(try engine.run("SELECT count() = uniqExact(id) FROM t") == "1\n")
    }

    @Test("SHOW CREATE TABLE, DESCRIBE and SELECT * know nothing of the hidden columns")
    func described() throws {
        let engine = try TestEngine()
        _ = try Self.table(engine)
        let text = try engine.run("SHOW CREATE TABLE t FORMAT TSVRaw")
        #expect(text.contains("ORDER BY id"))
        #expect(text.contains("cdc = 'current', cdc_key = 'id', topic = 'x'"), "\(text)")
        #expect(!text.contains("_cdc_"))
        #expect(try engine.run("DESCRIBE t").split(separator: "\n").count == 3)
        try engine.run("DROP TABLE t")
        try engine.run(text)
        #expect(try engine.run("SHOW CREATE TABLE t FORMAT TSVRaw") == text)
        try engine.run(
            "CREATE TABLE shop.orders SETTINGS topic = 'maxwell', cdc = 'current', cdc_source = 'shop.orders'")
        #expect(try engine.run("SELECT count() FROM shop.orders") == "0\n")
        let bare = try engine.run("SHOW CREATE TABLE shop.orders FORMAT TSVRaw")
        try engine.run("DROP TABLE shop.orders")
        try engine.run(bare)
        #expect(try engine.run("SHOW CREATE TABLE shop.orders FORMAT TSVRaw") == bare)
        #expect(engine.failure("SELECT _cdc_key FROM shop.orders") != nil)
        #expect(engine.failure("CREATE TABLE u ORDER BY id SETTINGS cdc = 'history', topic = 'x'") != nil)
    }
}

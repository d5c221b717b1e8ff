import Columnar
import QueryEngine
import Testing

/// Expected values are ClickHouse's own.
@Suite("Aggregate functions")
struct AggregateTests {
    private let database: FixtureDatabase = {
        let block = Block(
            names: ["g", "u8", "i64", "f32", "n", "s", "none"],
            columns: [
                dictionary(["a", "b", "a", "b", "a"]), Column(type: .uint8, data: .uint8([250, 10, 20, 30, 40])),
                Column(type: .int64, data: .int64([-5, 4, 3, -2, 1])),
                Column(type: .float32, data: .float32([1.5, .nan, 2.5, 0.5, -1])),
                Column(type: .nullable(.int32), data: .int32([7, 0, 9, 0, 8]), nulls: [0, 1, 0, 1, 0]),
                strings(["x", "yy", "", "yy", "z"]),
                Column(
                    type: .nullable(.string), data: .string(StringData(["", "", "", "", ""])), nulls: [1, 1, 1, 1, 1]),
            ], rowCount: 5)
        var database = FixtureDatabase()
        database.tables["t"] = PartsFixture([PartFixture(block, granule: 2)])
        database.tables["empty"] = BlockSnapshot(
            Block(names: block.names, columns: block.columns.map { $0.slice(0..<0) }, rowCount: 0), name: "empty")
        return database
    }()

    @Test(
        "Results are ClickHouse's",
        arguments: [
            ("sum(u8), sum(i64), sum(n), sum(none::Nullable(Int8))", "350|1|24|NULL"),
            ("avg(u8), avg(i64), avg(n)", "70|0.2|8"),
            ("min(u8), max(i64), min(s), max(s), min(n), max(none)", "10|4||z|7|NULL"),
            ("min(f32), max(f32)", "-1|2.5"),
            ("count(), count(n), count(none), count(1), count(NULL)", "5|3|0|5|0"),
            ("count(DISTINCT s), uniq(s), uniqExact(s), uniqExact(n), uniq(s, u8)", "4|4|4|3|5"),
            ("any(s), anyLast(s), any(n), any(none)", "x|z|7|NULL"),
            ("argMin(s, i64), argMax(s, i64), argMax(u8, s), argMin(n, u8)", "x|yy|40|9"),
            (
                "round(stddevPop(i64), 6), round(varPop(i64), 6), round(varSamp(i64), 6), round(stddevSamp(u8), 6)",
                "3.310589|10.96|13.7|101.242284"
            ),
            ("quantile(0.25)(u8), median(i64), quantiles(0, 0.5, 1)(u8)", "20|1|[10,30,250]"),
            ("quantileExact(0.5)(u8), quantileExact(0.9)(s = 'x'), quantilesExact(0.1, 0.9)(i64)", "30|1|[-5,4]"),
            ("groupArray(n), groupArray(2)(s), groupUniqArray(g)", "[7,9,8]|['x','yy']|['a','b']"),
            ("topK(1)(s), topK(2)(g)", "['yy']|['a','b']"),
            ("sumIf(u8, g = 'a'), countIf(n > 7), avgIf(i64, s = 'nothing'), anyIf(s, u8 = 20)", "310|2|nan|"),
            (
                "sumOrNull(u8), sumIfOrNull(u8, 0), avgOrNull(i64), sumDistinct(u8), countDistinct(s)",
                "350|NULL|0.2|350|4"
            ),
            ("groupBitOr(u8), groupBitAnd(u8), groupBitXor(u8)", "254|0|210"),
            (
                "round(corr(i64, u8), 6), covarPop(i64, u8), covarSamp(i64, u8)",
                "-0.827255|-248|-310"
            ),
            ("sum(u8 + 1) * 2, max(length(s)) + min(u8)", "710|12"),
        ] as [(String, String)])
    func results(list: String, expected: String) throws {
        // In one thread: which row `any` and `groupArray` meet first is otherwise a matter of luck.
        var limits = QueryLimits()
        limits.threads = 1
        #expect(try database.rows("SELECT \(list) FROM t", limits: limits) == [expected], "\(list)")
    }

    @Test(
        "Of no rows there are ClickHouse's results too",
        arguments: [
            ("count(), sum(u8), avg(u8), min(s), max(u8), any(s)", "0|0|nan||0|"),
            ("sum(n), avg(n), min(n), any(n), count(n)", "NULL|NULL|NULL|NULL|0"),
            ("uniq(s), uniqExact(s), quantile(0.5)(u8), median(n)", "0|0|nan|NULL"),
            ("groupArray(u8), topK(2)(s), quantiles(0.5, 0.9)(u8), groupUniqArray(s)", "[]|[]|[nan,nan]|[]"),
            ("argMax(s, u8), stddevPop(u8), quantileExact(u8), sumIf(u8, u8 > 1)", "|nan|0|0"),
        ] as [(String, String)])
    func ofNothing(list: String, expected: String) throws {
        #expect(try database.rows("SELECT \(list) FROM empty") == [expected], "\(list)")
        #expect(try database.rows("SELECT g, \(list) FROM empty GROUP BY g") == [])
        #expect(try database.rows("SELECT \(list) FROM t WHERE u8 = 1") == [expected], "\(list)")
    }

    @Test(
        "Result types are ClickHouse's",
        arguments: [
            ("sum(u8)", "UInt64"), ("sum(i64)", "Int64"), ("sum(f32)", "Float64"), ("sum(n)", "Nullable(Int64)"),
            ("avg(u8)", "Float64"), ("min(g)", "String"), ("any(n)", "Nullable(Int32)"), ("count(n)", "UInt64"),
            ("quantile(0.5)(u8)", "Float64"), ("quantileExact(u8)", "UInt8"), ("quantileTDigest(u8)", "Float32"),
            ("quantiles(0.5)(toDateTime(u8))", "Array(DateTime)"), ("groupArray(g)", "Array(String)"),
            ("uniq(n)", "UInt64"), ("max(u8)", "UInt8"), ("argMax(s, n)", "Nullable(String)"),
            ("topK(3)(s)", "Array(String)"), ("stddevPop(u8)", "Float64"),
        ] as [(String, String)])
    func types(call: String, expected: String) throws {
        #expect(try database.executor("SELECT \(call) FROM t").columns[0].type.name == expected, "\(call)")
    }

    @Test("Groups are numbered whatever the keys' types")
    func keys() throws {
        #expect(
            try database.rows(
                "SELECT g, n, s, f32, splitByChar('y', s), count() FROM t GROUP BY g, n, s, f32, splitByChar('y', s) ORDER BY i64sum LIMIT 1"
                    .replacing("i64sum", with: "sum(i64)")) == ["a|7|x|1.5|['x']|1"])
        #expect(try database.rows("SELECT n, count() FROM t GROUP BY n ORDER BY n") == ["7|1", "8|1", "9|1", "NULL|2"])
        #expect(try database.rows("SELECT none, sum(u8) FROM t GROUP BY none") == ["NULL|350"])
        #expect(
            try database.rows(
                "SELECT toUUID('00000000-0000-0000-0000-000000000001') AS k, u8 > 25 AS b, count() "
                    + "FROM t GROUP BY k, b ORDER BY b") == [
                    "00000000-0000-0000-0000-000000000001|0|2", "00000000-0000-0000-0000-000000000001|1|3",
                ])
    }

    @Test("WITH TOTALS gives a row over the groups that HAVING lets through")
    func totals() throws {
        let executor = try database.executor(
            "SELECT g, sum(u8), uniqExact(s) FROM t GROUP BY g WITH TOTALS HAVING sum(u8) > 100 ORDER BY g")
        var rows: [String] = []
        try executor.run { rows += text($0) }
        #expect(rows == ["a|310|3"])
        #expect(executor.totals.map { text($0) } == ["|310|3"])
    }

    @Test("arrayJoin makes a row of each element")
    func arrayJoin() throws {
        #expect(try database.rows("SELECT arrayJoin(splitByChar(',', '1,2,3')) AS x") == ["1", "2", "3"])
        #expect(
            try database.rows("SELECT u8, arrayJoin(splitByChar('y', s)) AS x FROM t WHERE x != '' AND g = 'a'") == [
                "250|x", "40|z",
            ])
        #expect(
            try database.rows("SELECT sum(toUInt8(x)) FROM (SELECT arrayJoin(splitByChar(',', '1,2,3')) AS x FROM t)")
                == ["30"])
    }

    @Test("uniq stays within 2 percent, quantile within 1")
    func approximate() throws {
        let rows = try database.rows(
            "SELECT uniq(number), uniq(number % 50000), quantile(0.5)(number + 1), quantile(0.99)(number + 1) "
                + "FROM numbers(300000)")
        let values = rows[0].split(separator: "|").compactMap { Double($0) }
        for (value, exact) in zip(values, [300_000.0, 50_000, 150_000, 297_000]) {
            #expect(abs(value - exact) < 0.02 * exact, "\(value) for \(exact)")
        }
        #expect(try database.rows("SELECT uniq(number) FROM numbers(4000)") == ["4000"])
    }
}

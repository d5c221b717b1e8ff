import QueryEngine
import Testing

@testable import Server

@Suite("Time macros")
struct TimeMacrosTests {
    private let macros = TimeMacros(fromMs: 1_700_000_000_500, toMs: 1_700_003_600_000, intervalMs: 20_000)

    @Test(
        "each macro becomes what the ClickHouse plugin of Grafana makes of it",
        arguments: [
            ("$__timeFilter(ts)", "ts >= toDateTime(1700000000) AND ts <= toDateTime(1700003600)"),
            (
                "$__timeFilter_ms(ts)",
                "ts >= fromUnixTimestamp64Milli(1700000000500) AND ts <= fromUnixTimestamp64Milli(1700003600000)"
            ),
            ("$__dateFilter(d)", "d >= toDate('2023-11-14') AND d <= toDate('2023-11-14')"),
            (
                "$__dateTimeFilter(d, t)",
                "(d >= toDate('2023-11-14') AND d <= toDate('2023-11-14')) AND "
                    + "(t >= toDateTime(1700000000) AND t <= toDateTime(1700003600))"
            ),
            ("$__timeInterval(ts)", "toStartOfInterval(toDateTime(ts), INTERVAL 20 second)"),
            ("$__timeInterval_ms(ts)", "toStartOfInterval(toDateTime64(ts, 3), INTERVAL 20000 millisecond)"),
            ("$__fromTime", "toDateTime(1700000000)"), ("$__toTime", "toDateTime(1700003600)"),
            ("$__fromTime_ms", "fromUnixTimestamp64Milli(1700000000500)"), ("$__interval_s", "20"),
            ("$__from", "1700000000500"), ("$__to + 1", "1700003600000 + 1"), ("$__interval_ms", "20000"),
            ("$__conditionalAll(a IN ('x'), 'x')", "a IN ('x')"), ("$__conditionalAll(a IN (''), '')", "1=1"),
            (
                "$__timeFilter(fn(a, ')') )",
                "fn(a, ')') >= toDateTime(1700000000) AND fn(a, ')') <= toDateTime(1700003600)"
            ),
        ])
    func expansion(sql: String, expected: String) throws {
        #expect(try expand(sql) == expected)
    }

    @Test("literals, names and comments are left alone")
    func opaque() throws {
        for sql in [
            "'$__fromTime'", "\"$__fromTime\"", "`$__fromTime`", "1 -- $__fromTime", "/* $__nope */ 1", "'a\\'$__x'",
        ] {
            #expect(try expand(sql) == sql)
        }
        #expect(try expand("1 -- $__x\n$__interval_s") == "1 -- $__x\n20")
    }

    @Test("what cannot be expanded says so, and where")
    func failures() {
        for (sql, macros) in [
            ("SELECT $__timeFilter(ts)", TimeMacros()), ("SELECT $__timeFiltre(ts)", self.macros),
            ("SELECT $__timeFilter()", self.macros), ("SELECT $__timeFilter(a", self.macros),
            ("SELECT $__timeFilter", self.macros),
        ] {
            let error = #expect(throws: QueryError.self) { try macros.expand(Array(sql.utf8)) }
            #expect((7...20).contains(error?.position ?? 0), "\(sql)")
        }
    }

    @Test("without a width a chart gets about five hundred points")
    func width() throws {
        let macros = TimeMacros(fromMs: 0, toMs: 3_600_000, intervalMs: nil)
        #expect(String(decoding: try macros.expand(Array("$__interval_s".utf8)), as: UTF8.self) == "7")
    }

    private func expand(_ sql: String) throws -> String {
        String(decoding: try macros.expand(Array(sql.utf8)), as: UTF8.self)
    }
}

@Suite("Times of dashboards")
struct TimeTextTests {
    @Test(
        "each form is read",
        arguments: [
            ("1700000000000", 1_700_000_000_000), ("2024-04-17T04:04:12Z", 1_713_326_652_000),
            ("2024-04-17T04:04:12.5Z", 1_713_326_652_500), ("2024-04-17 04:04:12", 1_713_326_652_000),
            ("2024-04-17T06:04:12+02:00", 1_713_326_652_000), ("2024-04-16T23:04:12-0500", 1_713_326_652_000),
            ("2024-04-17", 1_713_312_000_000), ("now", 1_000_000_000_000), ("now-15m", 999_999_100_000),
            ("1969-12-31T23:59:59Z", -1000),
        ])
    func reading(text: String, milliseconds: Int64) {
        #expect(TimeText.milliseconds(text, nowMs: 1_000_000_000_000) == milliseconds)
    }

    @Test(
        "what is no time is none",
        arguments: [
            "", "x", "2024-1", "2024-13-01", "2024-01-01T25:00", "2024-01-01T00:00:00Zx", "now-", "now-1x",
            "now+99999999d", "2024-01-01T00:00:00.Z",
        ])
    func refusing(text: String) {
        #expect(TimeText.milliseconds(text, nowMs: 0) == nil)
    }

    @Test("dates and times are written in UTC")
    func writing() {
        #expect(TimeText.date(ms: 1_713_326_652_000) == "2024-04-17")
        #expect(TimeText.date(ms: -1) == "1969-12-31")
        #expect(TimeText.dateTime(ms: 1_713_326_652_000) == "2024-04-17 04:04:12")
        #expect(TimeText.dateTime(ms: -1000) == "1969-12-31 23:59:59")
    }
}

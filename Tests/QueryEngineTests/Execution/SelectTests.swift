import Columnar
import QueryEngine
import Testing

@Suite("SELECT")
struct SelectTests {
    private let database: FixtureDatabase = {
        let block = Block(
            names: ["id", "service", "level", "ms", "note.text"],
            columns: [
                Column(type: .uint32, data: .uint32([1, 2, 3, 4, 5, 6])),
                dictionary(["a", "b", "a", "c", "b", "a"]),
                strings(["INFO", "ERROR", "INFO", "WARN", "ERROR", "ERROR"]),
                Column(type: .float64, data: .float64([1.5, 2.5, 3.5, 4.5, 5.5, 6.5])),
                Column(
                    type: .nullable(.string), data: .string(StringData(["x", "", "y", "", "x", ""])),
                    nulls: [0, 1, 0, 1, 0, 1]),
            ], rowCount: 6)
        var database = FixtureDatabase()
        database.tables["t"] = PartsFixture([PartFixture(block, granule: 4)])
        database.tables["app.logs"] = BlockSnapshot(block, name: "app.logs")
        return database
    }()

    @Test(
        "Queries give these rows",
        arguments: [
            ("SELECT 1", ["1"]),
            ("SELECT id FROM t WHERE level = 'ERROR'", ["2", "5", "6"]),
            ("SELECT id FROM t WHERE service = 'a' AND ms > 2", ["3", "6"]),
            ("SELECT id FROM t WHERE service = 'nothing'", []),
            ("SELECT `note.text`, note.text, t.note.text FROM t LIMIT 1", ["x|x|x"]),
            ("SELECT count() FROM t", ["6"]),
            ("SELECT count(*), count(note.text) FROM t", ["6|3"]),
            ("SELECT count() FROM app.logs WHERE id > 2", ["4"]),
            ("SELECT service, count() AS c FROM t GROUP BY service ORDER BY c DESC, service", ["a|3", "b|2", "c|1"]),
            ("SELECT service AS s, sum(id) FROM t GROUP BY s ORDER BY s", ["a|10", "b|7", "c|4"]),
            (
                "SELECT service, level, count() FROM t GROUP BY 1, 2 ORDER BY 1, 2",
                ["a|ERROR|1", "a|INFO|2", "b|ERROR|2", "c|WARN|1"]
            ),
            ("SELECT service FROM t GROUP BY service HAVING count() > 1 ORDER BY service", ["a", "b"]),
            ("SELECT DISTINCT level FROM t ORDER BY level", ["ERROR", "INFO", "WARN"]),
            ("SELECT id FROM t ORDER BY ms DESC LIMIT 2", ["6", "5"]),
            ("SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 3", ["4", "5"]),
            ("SELECT id FROM t ORDER BY note.text, id", ["1", "5", "3", "2", "4", "6"]),
            ("SELECT id FROM t ORDER BY note.text NULLS FIRST, id DESC", ["6", "4", "2", "5", "1", "3"]),
            ("SELECT id, service FROM t ORDER BY id LIMIT 1 BY service", ["1|a", "2|b", "4|c"]),
            ("SELECT x FROM (SELECT id AS x, level FROM t) WHERE level = 'INFO'", ["1", "3"]),
            ("SELECT id FROM t WHERE id = 1 UNION ALL SELECT id FROM t WHERE id > 5", ["1", "6"]),
            ("SELECT max(id), min(ms), avg(ms), any(service) FROM t WHERE id < 3", ["2|1.5|2|a"]),
            ("SELECT number FROM numbers(3)", ["0", "1", "2"]),
            ("SELECT sum(number) FROM numbers(100000)", ["4999950000"]),
            ("SELECT count() FROM t WHERE ms > 100", ["0"]),
            ("SELECT service, count() FROM t WHERE ms > 100 GROUP BY service", []),
            // A dictionary's values that no row has any more are no groups.
            ("SELECT service, count() FROM t WHERE level = 'WARN' GROUP BY service", ["c|1"]),
            ("SELECT DISTINCT service FROM t WHERE id = 2", ["b"]),
            ("SELECT service, level, count() FROM t WHERE id > 5 GROUP BY service, level", ["a|ERROR|1"]),
            ("WITH q AS (SELECT id FROM t WHERE id < 3) SELECT count() FROM q", ["2"]),
            ("SELECT note.text, count() FROM t GROUP BY note.text ORDER BY 1", ["x|2", "y|1", "NULL|3"]),
            ("SELECT count(DISTINCT service), uniq(level), uniqExact(service, level) FROM t", ["3|3|4"]),
            ("SELECT groupArray(id), groupArray(2)(id) FROM t WHERE service = 'a'", ["[1,3,6]|[1,3]"]),
            ("SELECT argMax(service, ms), argMin(id, ms) FROM t", ["a|1"]),
            ("SELECT quantile(0.5)(id), median(id), quantileExact(id) FROM t", ["3.5|3.5|4"]),
            ("SELECT topK(1)(service) FROM t", ["['a']"]),
            ("SELECT sumIf(id, level = 'ERROR'), countIf(id > 4) FROM t", ["13|2"]),
            ("SELECT a AS b, b AS a FROM (SELECT 1 AS a, 2 AS b)", ["2|1"]),
            ("SELECT id FROM t LIMIT 0", []),
        ] as [(String, [String])])
    func rows(sql: String, expected: [String]) throws {
        #expect(try database.rows(sql) == expected, "\(sql)")
    }

    @Test(
        "Mistakes get ClickHouse's code and the place",
        arguments: [
            ("SELECT nosuch FROM t", 47, 7),
            ("SELECT servis FROM t", 47, 7),
            ("SELECT 1 FROM nosuch", 60, 14),
            ("SELECT foo(1)", 46, 7),
            ("SELECT id, count() FROM t", 215, 7),
            ("SELECT sum(sum(id)) FROM t", 184, 11),
            ("SELECT id FROM t WHERE count() > 1", 184, 23),
            ("SELECT max(id) AS id, sum(id) FROM t", 184, 7),
            ("SELECT id FROM t ORDER BY 2", 36, 26),
            ("SELECT count(id, id) FROM t", 42, 7),
            ("SELECT sum(service) FROM t", 43, 7),
            ("SELECT id FROM t WHERE service", 59, 23),
        ] as [(String, Int, Int)])
    func mistakes(sql: String, code: Int, position: Int) {
        do {
            _ = try database.rows(sql)
            Issue.record("no error: \(sql)")
        } catch {
            #expect(error.code.number == code, "\(sql): \(error)")
            #expect(error.position == position, "\(sql): \(error)")
        }
    }

    @Test("A misspelt name gets the nearest one suggested")
    func suggestions() {
        let error = #expect(throws: QueryError.self) { try database.rows("SELECT servise FROM t") }
        #expect(error?.message.contains("'service'") == true)
    }
}

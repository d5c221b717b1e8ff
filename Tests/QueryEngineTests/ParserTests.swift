import Columnar
import Testing

@testable import QueryEngine

private func parse(_ sql: String, parameters: [String: String]? = nil) throws -> ParsedQuery {
    try Parser.parse(Array(sql.utf8), parameters: parameters?.mapValues { Array($0.utf8) })
}

private func select(_ sql: String) throws -> SelectQuery {
    guard case .select(let query) = try parse(sql).statement else { throw QueryError(.logicalError, "no SELECT") }
    return query
}

/// The name of the column, which shows the tree in full.
private func tree(_ expression: String) throws -> String {
    try Parser.parseExpression(Array(expression.utf8)).columnName()
}

private func failure(_ sql: String) -> QueryError? {
    do throws(QueryError) {
        _ = try Parser.parse(Array(sql.utf8))
        return nil
    } catch {
        return error
    }
}

@Suite("Parser: expressions")
struct ParserExpressionTests {
    @Test(
        "Operators become calls, and bind as in ClickHouse",
        arguments: [
            ("1 + 2 * 3", "plus(1, multiply(2, 3))"),
            ("(1 + 2) * 3", "multiply(plus(1, 2), 3)"),
            ("1 - 2 - 3", "minus(minus(1, 2), 3)"),
            ("a OR b AND NOT c = d", "or(a, and(b, not(equals(c, d))))"),
            ("a AND b AND c", "and(a, b, c)"),
            ("a OR b OR (c OR d)", "or(a, b, or(c, d))"),
            ("a || b || 'c'", "concat(a, b, 'c')"),
            ("- 2 * 3", "multiply(-2, 3)"),
            ("- -1", "negate(-1)"),
            ("-a + b", "plus(negate(a), b)"),
            ("a -1", "minus(a, 1)"),
            ("1 = 1 = 1", "equals(equals(1, 1), 1)"),
            ("not 1 = 2", "not(equals(1, 2))"),
            ("a ? b : c ? d : e", "if(a, b, if(c, d, e))"),
            ("a = 1 ? x::Int8 : 2", "if(equals(a, 1), CAST(x, 'Int8'), 2)"),
            ("x BETWEEN 1 AND 2 AND y", "and(and(greaterOrEquals(x, 1), lessOrEquals(x, 2)), y)"),
            ("x NOT BETWEEN 1 AND 2 + 1", "or(less(x, 1), greater(x, plus(2, 1)))"),
            ("x IN (1, 2)", "in(x, (1, 2))"),
            ("x NOT IN (1)", "notIn(x, 1)"),
            ("(a, 1) IN ((1, 2), (3, 4))", "in((a, 1), ((1, 2), (3, 4)))"),
            ("x GLOBAL NOT IN (1, 2)", "notIn(x, (1, 2))"),
            ("x LIKE 'a%' AND y NOT ILIKE 'b'", "and(like(x, 'a%'), notILike(y, 'b'))"),
            ("x REGEXP 'a' OR x NOT REGEXP 'b'", "or(match(x, 'a'), not(match(x, 'b')))"),
            ("now() - INTERVAL 1 DAY IS NULL", "isNull(minus(now(), toIntervalDay(1)))"),
            ("x IS NOT NULL", "isNotNull(x)"),
            ("a <=> b", "isNotDistinctFrom(a, b)"),
            ("a IS NOT DISTINCT FROM b", "isNotDistinctFrom(a, b)"),
            ("7 DIV 2 MOD 3", "modulo(intDiv(7, 2), 3)"),
            ("a[1][2]", "arrayElement(arrayElement(a, 1), 2)"),
            ("t.1", "tupleElement(t, 1)"),
            ("(1, 2).1", "tupleElement((1, 2), 1)"),
            ("m['k'] = 'v'", "equals(arrayElement(m, 'k'), 'v')"),
            ("arrayMap((x, y) -> x + y, a, b)", "arrayMap(lambda(tuple(x, y), plus(x, y)), a, b)"),
            ("arrayMap(x -> x + 1, [1, 2])", "arrayMap(lambda(tuple(x), plus(x, 1)), [1, 2])"),
            ("(a AS b) + b", "plus(b, b)"),
            ("1 <> 2", "notEquals(1, 2)"),
            ("a == b", "equals(a, b)"),
        ])
    func operators(sql: String, expected: String) throws {
        #expect(try tree(sql) == expected)
    }

    @Test(
        "Literals read as ClickHouse reads them",
        arguments: [
            ("1_000", "1000"), ("0x1F", "31"), ("0b11", "3"), ("1e3", "1000."), ("1.", "1."), (".5", "0.5"),
            ("18446744073709551615", "18446744073709551615"), ("18446744073709551616", "18446744073709552000."),
            ("-9223372036854775808", "-9223372036854775808"), ("-9223372036854775809", "-9223372036854776000."),
            ("1e100", "1e100"), ("inf", "inf"), ("-inf", "negate(inf)"), ("NULL", "NULL"), ("TRUE", "true"),
            (#"'it''s \' \n \x41 \d'"#, #"'it\'s \' \n A \\d'"#), ("x'4142'", "'AB'"), ("b'01000001'", "'A'"),
            ("$$a'b$$", #"'a\'b'"#), ("$tag$a$$b$tag$", "'a$$b'"), ("[]", "[]"), ("()", "()"), ("(1,)", "(1)"),
            ("1::String", "CAST('1', 'String')"), ("-1.5::Float32", "CAST('-1.5', 'Float32')"),
            ("'a'::LowCardinality(String)", "CAST('a', 'LowCardinality(String)')"),
        ])
    func literals(sql: String, expected: String) throws {
        #expect(try tree(sql) == expected)
    }

    @Test(
        "Forms with a grammar of their own",
        arguments: [
            ("CASE WHEN a = 1 THEN 2 ELSE 3 END", "multiIf(equals(a, 1), 2, 3)"),
            ("CASE a WHEN 1 THEN 2 WHEN 3 THEN 4 END", "multiIf(equals(a, 1), 2, equals(a, 3), 4, NULL)"),
            ("CAST(a AS Nullable(DateTime64(3, 'UTC')))", "CAST(a, 'Nullable(DateTime64(3, \\'UTC\\'))')"),
            ("cast(a, 'String')", "CAST(a, 'String')"),
            ("INTERVAL 5 MINUTE", "toIntervalMinute(5)"), ("INTERVAL '5' minute", "toIntervalMinute('5')"),
            ("INTERVAL '5 minutes'", "toIntervalMinute(5)"), ("INTERVAL (1 + 1) DAY", "toIntervalDay(plus(1, 1))"),
            ("interval 1 day + interval 2 hour", "plus(toIntervalDay(1), toIntervalHour(2))"),
            ("DATE '2020-01-01' + 1", "plus(toDate('2020-01-01'), 1)"),
            ("TIMESTAMP '2020-01-01 00:00:00'", "toDateTime('2020-01-01 00:00:00')"),
            ("EXTRACT(DAY FROM t)", "toDayOfMonth(t)"), ("extract(s, '[0-9]+')", "extract(s, '[0-9]+')"),
            ("TRIM(BOTH 'a' FROM s)", "trimBoth(s, 'a')"), ("trim(s)", "trimBoth(s)"),
            ("TRIM(LEADING ' ' FROM s)", "trimLeft(s, ' ')"),
            ("SUBSTRING(s FROM 2 FOR 3)", "substring(s, 2, 3)"), ("substr(s, 1)", "substr(s, 1)"),
            ("POSITION('b' IN s)", "position(s, 'b')"), ("position(s, 'b')", "position(s, 'b')"),
            ("dateDiff(day, a, b)", "dateDiff('day', a, b)"), ("dateDiff('day', a, b)", "dateDiff('day', a, b)"),
            ("DATE_ADD(DAY, 1, d)", "plus(d, toIntervalDay(1))"),
            ("date_sub(d, INTERVAL 1 DAY)", "minus(d, toIntervalDay(1))"),
            ("count(*)", "count()"), ("count(DISTINCT a, b)", "countDistinct(a, b)"),
            ("quantile(0.5)(x)", "quantile(0.5)(x)"), ("sum(x) FILTER (WHERE y > 1)", "sumIf(x, greater(y, 1))"),
            ("exists(SELECT 1)", "exists(_subquery1)"),
        ])
    func specialForms(sql: String, expected: String) throws {
        #expect(try tree(sql) == expected)
    }

    @Test(
        "Names that are also keywords stay names where only a name makes sense",
        arguments: [
            "date", "timestamp", "interval", "format", "offset", "limit", "values", "key", "case", "end", "left", "any",
            "all",
            "`select`", "\"from\"", "`a b`", "desc", "order", "group", "index", "with",
        ])
    func keywordNames(sql: String) throws {
        guard case .identifier(let parts) = try Parser.parseExpression(Array(sql.utf8)).kind else {
            Issue.record("no identifier")
            return
        }
        #expect(parts == [sql.filter { $0 != "`" && $0 != "\"" }])
        _ = try select("SELECT \(sql) AS x, \(sql), count() FROM t WHERE \(sql) = 1 ORDER BY x")
    }

    @Test("A dotted name keeps its parts, and an asterisk its qualifier")
    func dottedNames() throws {
        guard case .identifier(let parts) = try Parser.parseExpression(Array("details.`meta a`.b".utf8)).kind else {
            Issue.record("no identifier")
            return
        }
        #expect(parts == ["details", "meta a", "b"])
        guard case .asterisk("t") = try select("SELECT t.* FROM t").projections[0].kind else {
            Issue.record("no asterisk")
            return
        }
    }

    @Test(
        "Trees written back as SQL parse to the same tree",
        arguments: [
            "a + 1 AS b", "-(a + b)", "-(-1)", "NOT (a AND b)", "x IN (1, 2)", "x IN (1)",
            "x NOT IN (SELECT a FROM t WHERE b)",
            "(x >= 1) AND (x <= 2)", "CAST(x, 'Int8')", "arr[1]", "tuple(1)", "tuple()", "(1, 2)", "[1, 2, [3]]",
            "m['it\\'s']",
            "count(DISTINCT x)", "quantile(0.5)(x)", "arrayMap(x -> (x + 1), a)", "arrayMap((x, y) -> (x = y), a, b)",
            "(a OR b) AND c", "a LIKE '%\\\\%'", "`weird name`", "`select`.`a b`", "x IS NULL", "(x + 1) IS NOT NULL",
            "1. + 1e100", "toIntervalDay(1)", "concat(a, b)", "{p:String}", "sumIf(DISTINCT a, b)", "left(a, 1)",
            "if(a, b, c)",
        ])
    func roundTrip(sql: String) throws {
        let first = try Parser.parseExpression(Array(sql.utf8))
        let written = SQLWriter.text(first)
        #expect(written == sql)
        #expect(try Parser.parseExpression(Array(written.utf8)).columnName() == first.columnName())
    }
}

@Suite("Parser: statements")
struct ParserStatementTests {
    @Test("Every clause of SELECT finds its place")
    func selectClauses() throws {
        let sql = """
            WITH 5 AS five SELECT DISTINCT a, b x, count() AS c FROM db.t AS s
            PREWHERE p WHERE w GROUP BY a, b WITH TOTALS HAVING c > 1 ORDER BY a DESC NULLS FIRST, b LIMIT 1, 2 BY a LIMIT 10 OFFSET 5
            SETTINGS max_threads = 1, s = 'x' FORMAT JSON;
            """
        let parsed = try parse(sql)
        #expect(parsed.format == "JSON")
        #expect(parsed.settings.map(\.name) == ["max_threads", "s"])
        let expected = """
            WITH 5 AS five
            SELECT DISTINCT
                a,
                b AS x,
                count() AS c
            FROM db.t AS s
            PREWHERE p
            WHERE w
            GROUP BY
                a,
                b
                WITH TOTALS
            HAVING c > 1
            ORDER BY
                a DESC NULLS FIRST,
                b ASC
            LIMIT 1, 2 BY a
            LIMIT 5, 10
            SETTINGS max_threads = 1, s = 'x'
            """
        let query = try select(sql)
        #expect(SQLWriter.text(query) == expected)
        #expect(SQLWriter.text(try select(expected)) == expected)
    }

    @Test("LIMIT in all its forms")
    func limits() throws {
        for sql in ["LIMIT 5, 10", "LIMIT 10 OFFSET 5", "OFFSET 5 ROWS FETCH FIRST 10 ROWS ONLY"] {
            let query = try select("SELECT a FROM t \(sql)")
            #expect(query.limit?.columnName() == "10")
            #expect(query.offset?.columnName() == "5")
        }
        #expect(try select("SELECT 1 OFFSET 3").offset?.columnName() == "3")
    }

    @Test("Subqueries, UNION ALL and WITH queries")
    func queries() throws {
        let query = try select("(SELECT 1) UNION ALL SELECT 2 UNION ALL (SELECT 3 UNION ALL SELECT 4)")
        #expect(query.unionAll.count == 3)
        #expect(query.unionAll.allSatisfy { $0.unionAll.isEmpty })
        let inlined = try select("WITH x AS (SELECT 1 AS a), y AS (SELECT a FROM x) SELECT * FROM y WHERE a IN x")
        guard case .subquery(let outer, "y")? = inlined.from, case .subquery(_, "x")? = outer.from else {
            Issue.record("not inlined")
            return
        }
        #expect(SQLWriter.text(inlined).contains("a IN (SELECT 1 AS a)"))
        let scoped = try select("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) WHERE a IN x")
        #expect(SQLWriter.text(scoped).contains("a IN x"))
        guard case .function("numbers", let arguments, "n", _)? = try select("SELECT 1 FROM numbers(10) AS n").from
        else {
            Issue.record("no table function")
            return
        }
        #expect(arguments.count == 1)
        _ = try select("SELECT ((SELECT 1) + 1)")
        _ = try select("SELECT 1 FROM ((SELECT 1))")
        _ = try select("SELECT a, FROM t")
    }

    @Test("A table's name: whole, with database, with dots, quoted, as parameter")
    func tableNames() throws {
        func table(_ sql: String, _ parameters: [String: String]? = nil) throws -> TableName? {
            guard case .select(let query) = try parse("SELECT 1 FROM \(sql)", parameters: parameters).statement,
                case .table(let name, _)? = query.from
            else { return nil }
            return name
        }
        #expect(try table("t")?.table == "t")
        #expect(try table("app.logs") == TableName(database: "app", table: "logs", position: 14))
        #expect(try table("default.app.logs") == TableName(database: "default", table: "app.logs", position: 14))
        #expect(try table("`app.logs`") == TableName(database: nil, table: "app.logs", position: 14))
        let parameters = ["d": "db", "t": "my table"]
        #expect(
            try table("{d:Identifier}.{t:Identifier}", parameters)
                == TableName(database: "db", table: "my table", position: 14))
    }

    @Test("Parameters take their values; a missing one is named")
    func parameters() throws {
        let sql = "SELECT {s:String}, {n:UInt64}, {i:Identifier}, {z:Nullable(Int8)} FROM t LIMIT {n:UInt64}"
        let values = ["s": #"a\'b\tc"#, "n": "7", "i": "c", "z": "\\N"]
        guard case .select(let query) = try parse(sql, parameters: values).statement else { return }
        #expect(
            query.projections.map { $0.columnName() } == [
                #"'a\'b\tc'"#, "CAST('7', 'UInt64')", "c", "CAST(NULL, 'Nullable(Int8)')",
            ])
        #expect(query.limit?.columnName() == "7")
        #expect(throws: QueryError.self) { try parse("SELECT {x:String}", parameters: [:]) }
        guard case .select(let open) = try parse("SELECT {x:String}").statement else { return }
        #expect(open.projections[0].columnName() == "{x:String}")
    }

    @Test("CREATE TABLE is read whole; what does not apply is listed")
    func createTable() throws {
        let sql = """
            CREATE TABLE IF NOT EXISTS otel.logs ON CLUSTER c (
                `Timestamp` DateTime64(9) CODEC(Delta(8), ZSTD(1)),
                TraceId String CODEC(ZSTD(1)) COMMENT 'trace',
                Level LowCardinality(String) DEFAULT 'INFO',
                n Int32 NULL TTL Timestamp + INTERVAL 1 DAY,
                index UInt8,
                Attributes Map(LowCardinality(String), String),
                INDEX idx_trace TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
                PROJECTION p (SELECT a ORDER BY b)
            ) ENGINE = MergeTree() PARTITION BY toDate(Timestamp)
            ORDER BY (Level, toUnixTimestamp(Timestamp)) PRIMARY KEY Level SAMPLE BY n
            TTL toDateTime(Timestamp) + INTERVAL 30 DAY DELETE SETTINGS index_granularity = 8192 COMMENT 'all logs'
            """
        guard case .createTable(let table) = try parse(sql).statement else {
            Issue.record("no CREATE TABLE")
            return
        }
        #expect(table.ifNotExists)
        #expect(table.columns.map(\.name) == ["Timestamp", "TraceId", "Level", "n", "index", "Attributes"])
        #expect(table.columns[0].type == .dateTime64(precision: 9, timeZone: nil))
        #expect(table.columns[1].comment == "trace")
        #expect(table.columns[2].defaultExpression == "'INFO'")
        #expect(table.columns[3].type == .nullable(.int32))
        #expect(table.engine == "MergeTree()")
        #expect(table.orderBy == ["Level", "Timestamp"])
        #expect(table.partitionBy.map { SQLWriter.text($0) } == "toDate(Timestamp)")
        #expect(table.ttl.map { SQLWriter.text($0) } == "toDateTime(Timestamp) + toIntervalDay(30)")
        #expect(
            table.settings == [Setting(name: "index_granularity", value: "8192", position: table.settings[0].position)])
        #expect(table.comment == "all logs")
        #expect(table.ignored.contains("INDEX idx_trace") && table.ignored.contains("CODEC of column TraceId"))
        guard
            case .createTable(let plain) = try parse(
                "CREATE TABLE t (a Int8 PRIMARY KEY) ENGINE MergeTree ORDER BY tuple()"
            ).statement
        else { return }
        #expect(plain.orderBy.isEmpty)
    }

    @Test("INSERT says where its data begins and looks at none of it")
    func insert() throws {
        func source(_ sql: String) throws -> (InsertStatement, String?) {
            let parsed = try parse(sql)
            guard case .insert(let insert) = parsed.statement else { throw QueryError(.logicalError, "no INSERT") }
            return (insert, parsed.dataOffset.map { String(decoding: Array(sql.utf8)[$0...], as: UTF8.self) })
        }
        let (values, data) = try source("INSERT INTO TABLE a.b (x, `y z`, c.d) VALUES (1, 'unbalanced")
        #expect(values.columns == ["x", "y z", "c.d"] && data == " (1, 'unbalanced")
        #expect(try source("INSERT INTO t FORMAT JSONEachRow\n{\"a\": '}").1 == "{\"a\": '}")
        #expect(try source("INSERT INTO t FORMAT JSONEachRow {}").1 == "{}")
        #expect(try source("INSERT INTO t SETTINGS async_insert = 1 FORMAT CSV\n\n1").1 == "\n1")
        let (selected, none) = try source("INSERT INTO t (a) SELECT 1 FROM u LIMIT 1")
        guard case .select = selected.source else {
            Issue.record("no SELECT")
            return
        }
        #expect(none == nil)
    }

    @Test(
        "The other statements",
        arguments: [
            "CREATE DATABASE IF NOT EXISTS otel ENGINE = Atomic", "DROP TABLE IF EXISTS a.b SYNC", "TRUNCATE TABLE t",
            "TRUNCATE t",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a Int8 DEFAULT 1 AFTER b, DROP COLUMN IF EXISTS c",
            "ALTER TABLE t MODIFY TTL ts + INTERVAL 1 DAY", "ALTER TABLE t MODIFY SETTING a = 1",
            "ALTER TABLE t COMMENT COLUMN a 'x'",
            "SHOW TABLES", "SHOW TABLES FROM \"db\" LIKE '%a'", "SHOW DATABASES", "SHOW CREATE TABLE t",
            "SHOW CREATE t",
            "DESCRIBE TABLE `t`", "DESC t", "DESCRIBE (SELECT 1)", "EXISTS TABLE t", "EXISTS t", "EXISTS DATABASE d",
            "EXPLAIN SELECT 1", "EXPLAIN indexes = 1 SELECT 1", "EXPLAIN PLAN actions = 1, indexes = 1 SELECT 1",
            "EXPLAIN SYNTAX SELECT 1", "EXPLAIN AST SELECT 1", "OPTIMIZE TABLE t FINAL", "USE db", "SET a = 1, b = 'x'",
            "select 1 -- comment", "/* a /* nested */ comment */ SELECT 1 # end", "SELECT 1;;",
            "SELECT 1 FORMAT JSON SETTINGS a = 1",
            "SELECT 1 settings additional_table_filters={'t' : ' k = 1 '}", "\u{FEFF}SELECT\u{A0}1",
        ])
    func statements(sql: String) throws {
        _ = try parse(sql)
    }
}

@Suite("Parser: bad input")
struct ParserErrorTests {
    @Test(
        "A syntax error says where, what was found, and what was expected",
        arguments: [
            ("", "query is empty", 0), ("SELECT", "found the end of the query, expected an expression", 6),
            ("SELEC 1", "maybe you meant SELECT", 0), ("SELECT FROM t", "found 'FROM', expected an expression", 7),
            ("SELECT 1\nFROM t\nWHERE a ==== 2", "(line 3, col 11)", 26), ("SELECT (1", "expected ',' or ')'", 9),
            ("SELECT 'abc", "a string without its closing quote", 7),
            ("SELECT `abc", "a quoted name without its closing quote", 7),
            ("SELECT /* x", "a comment without its closing */", 7), ("SELECT 1\u{0}", "a NUL byte", 8),
            ("SELECT é", "letters outside ASCII", 7), ("SELECT 12ab", "a number with letters behind it", 7),
            ("SELECT 1 2", "found '2'", 9), ("SELECT a FROM t WHERE", "expected an expression", 21),
            ("SELECT f(1,)", "expected an argument of f", 11), ("SELECT CASE WHEN 1 THEN 2", "END", 25),
            ("SELECT 1; SELECT 2", "a second statement", 10), ("SELECT INTERVAL 5 FOO", "a unit of time", 18),
            ("SELECT CAST(1 AS", "expected a type", 16), ("SELECT x'4g'", "a digit that is none", 7),
            ("SELECT 1 FROM app-logs", "needs quotes", 17), ("SELECT a = FROM t", "expected an expression", 11),
            ("INSERT INTO t (a", "expected ',' or ')'", 16), ("CREATE TABLE t (a)", "expected a type", 17),
            ("SELECT [1, 2", "expected ',' or ']'", 12), ("DESCRIBE", "expected a table", 8),
            ("SELECT 1 ORDER BY a NULLS", "FIRST or LAST", 25), ("SELECT 1 LIMIT 1 LIMIT 2", "one LIMIT", 24),
        ])
    func syntaxErrors(sql: String, message: String, position: Int) throws {
        let error = try #require(failure(sql))
        #expect(error.code == .syntaxError)
        #expect(error.message.contains(message), "\(error.message)")
        #expect(error.position == position)
    }

    @Test(
        "What ClickHouse has and this engine has not is named",
        arguments: [
            ("SELECT 1 FROM a JOIN b ON a.x = b.x", "JOIN"),
            ("SELECT 1 FROM a AS x LEFT OUTER JOIN b USING c", "LEFT OUTER JOIN"),
            ("SELECT 1 FROM a, b", "cross join"), ("SELECT 1 FROM a ARRAY JOIN b", "ARRAY JOIN"),
            ("SELECT 1 FROM a FINAL", "FINAL"), ("SELECT 1 FROM a SAMPLE 0.1", "SAMPLE"),
            ("SELECT sum(a) OVER (PARTITION BY b)", "OVER"),
            ("SELECT 1 UNION SELECT 2", "UNION without ALL"), ("SELECT 1 EXCEPT SELECT 2", "EXCEPT"),
            ("SELECT 1 GROUP BY ROLLUP(a)", "ROLLUP"), ("SELECT 1 GROUP BY a WITH CUBE", "WITH CUBE"),
            ("SELECT a FROM t GROUP BY ALL", "GROUP BY ALL"), ("SELECT a FROM t ORDER BY ALL", "ORDER BY ALL"),
            ("SELECT 1 ORDER BY a WITH FILL", "WITH FILL"), ("SELECT * EXCEPT (a) FROM t", "* EXCEPT"),
            ("WITH RECURSIVE a AS (SELECT 1) SELECT 1", "WITH RECURSIVE"), ("SELECT 1 LIMIT 1 WITH TIES", "WITH TIES"),
            ("DELETE FROM t WHERE 1", "DELETE"), ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "MATERIALIZED"), ("DROP DATABASE d", "DROP DATABASE"),
            ("ALTER TABLE t MODIFY COLUMN a Int8", "MODIFY COLUMN"), ("ALTER TABLE t DELETE WHERE 1", "DELETE"),
            ("SELECT 1 INTO OUTFILE 'a'", "INTO OUTFILE"), ("CREATE TABLE t (a Int8 ALIAS 1)", "ALIAS"),
            ("KILL QUERY", "KILL"),
        ])
    func unsupported(sql: String, construct: String) throws {
        let error = try #require(failure(sql))
        #expect(error.code == .notImplemented)
        #expect(error.message.contains(construct) && error.message.contains("not supported"), "\(error.message)")
        #expect(error.position != nil)
    }

    @Test("Bytes that are not UTF-8 are data in strings and errors elsewhere")
    func invalidUTF8() throws {
        let query = try Parser.parse(Array("SELECT '".utf8) + [0xFF, 0x00] + Array("'".utf8))
        guard case .select(let select) = query.statement,
            case .literal(.string([0xFF, 0x00])) = select.projections[0].kind
        else {
            Issue.record("bytes were lost")
            return
        }
        for quote in ["", "`"] {
            #expect(throws: QueryError.self) {
                try Parser.parse(Array("SELECT \(quote)".utf8) + [0xFF, 0xFE] + Array(quote.utf8))
            }
        }
    }

    @Test("Deep nesting is an error, in whatever way it nests")
    func depth() throws {
        let many = 100_000
        let texts = [
            "SELECT " + String(repeating: "(", count: many),
            "SELECT " + String(repeating: "(", count: many) + "1" + String(repeating: ")", count: many),
            "SELECT " + String(repeating: "[", count: many), "SELECT " + String(repeating: "f(", count: many),
            "SELECT " + String(repeating: "- ", count: many) + "1",
            "SELECT " + String(repeating: "NOT ", count: many) + "1",
            "SELECT 1" + String(repeating: " + 1", count: many), "SELECT a" + String(repeating: "[1]", count: many),
            "SELECT a" + String(repeating: " ? a", count: many),
            "SELECT " + String(repeating: "CASE WHEN ", count: many),
            "SELECT a" + String(repeating: " IS NULL", count: many),
            "SELECT a" + String(repeating: "::Int8", count: many),
            String(repeating: "SELECT (", count: many),
            "SELECT * FROM " + String(repeating: "(SELECT * FROM ", count: many),
            "SELECT 1::" + String(repeating: "Array(", count: many),
            "SELECT " + String(repeating: "x -> ", count: many) + "x",
            "SELECT " + String(repeating: "INTERVAL ", count: many), "SELECT " + String(repeating: "/*", count: many),
            String(repeating: "(", count: many) + "SELECT 1", "EXPLAIN " + String(repeating: "(", count: many),
            "SELECT " + String(repeating: "INTERVAL (", count: 500),
        ]
        for text in texts { #expect(failure(text)?.code == .syntaxError, "\(text.prefix(40))") }
        // A long list and a long chain of AND are wide, not deep.
        _ = try parse("SELECT 1 IN (" + String(repeating: "1,", count: 20_000) + "1)")
        _ = try parse("SELECT 1" + String(repeating: " AND 1", count: 20_000))
        _ = try parse("SELECT 1" + String(repeating: " + 1", count: 200))
    }

    @Test("WITH queries that double each other are an error, not an explosion")
    func explodingWith() {
        var sql = "WITH x0 AS (SELECT 1)"
        for index in 1...30 {
            sql += ", x\(index) AS (SELECT * FROM x\(index - 1) UNION ALL SELECT * FROM x\(index - 1))"
        }
        #expect(failure(sql + " SELECT * FROM x30")?.code == .syntaxError)
    }

    @Test("Random and mangled text never traps")
    func fuzz() {
        var random = SplitMix(state: 0x5EED)
        let seeds = [
            "SELECT DISTINCT a, count(*) AS c FROM db.t WHERE x IN (1, 2) AND y LIKE '%a' GROUP BY a HAVING c > 1 LIMIT 1, 2",
            "CREATE TABLE t (a Nullable(Int8) DEFAULT 1, b Map(String, String) CODEC(ZSTD)) ENGINE = M ORDER BY (a, b) TTL a",
            "INSERT INTO t (a, b) VALUES (1, 'x')",
            "WITH x AS (SELECT 1) SELECT * FROM x UNION ALL SELECT CASE WHEN 1 THEN 2 END",
            "SELECT {a:String}, x::Array(Int8)[1].2, INTERVAL '5 minute', $$a$$, x'41', `q``q`, a ? b : c, q(0.5)(x) FORMAT A",
            "ALTER TABLE a.b.c ADD COLUMN x Int8 AFTER y, MODIFY SETTING a = 1",
            "EXPLAIN indexes = 1 SELECT 1 SETTINGS a = {'x': [1]}",
        ].map { Array($0.utf8) }
        let pieces = [
            "(", ")", "'", "`", "\\", "SELECT ", ",", ".", "::", "->", "[", "{", "/*", "--", "\u{0}", "é", "0x", "1e",
            "$",
        ].map { Array($0.utf8) }
        for _ in 0..<3000 {
            var text = seeds[Int(random.next() % UInt64(seeds.count))]
            for _ in 0..<(1 + random.next() % 4) {
                let at = Int(random.next() % UInt64(text.count + 1))
                switch random.next() % 5 {
                case 0: text.removeSubrange(at..<min(text.count, at + Int(random.next() % 8)))
                case 1: text.insert(contentsOf: pieces[Int(random.next() % UInt64(pieces.count))], at: at)
                case 2: text.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
                case 3: text = Array(text[..<at])
                default:
                    let other = seeds[Int(random.next() % UInt64(seeds.count))]
                    text.insert(contentsOf: other[Int(random.next() % UInt64(other.count))...], at: at)
                }
            }
            check(text)
        }
        for _ in 0..<2000 { check((0..<(random.next() % 60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }) }
    }

    private func check(_ text: [UInt8]) {
        do throws(QueryError) {
            let parsed = try Parser.parse(text)
            if case .select(let query) = parsed.statement {
                // What was understood can be written and understood again, the same.
                let written = SQLWriter.text(query)
                let again = try Parser.parse(Array(written.utf8))
                guard case .select(let second) = again.statement else { return }
                #expect(SQLWriter.text(second) == written, "\(String(decoding: text, as: UTF8.self))")
            }
        } catch {
            #expect(!error.message.isEmpty)
            if error.code == .syntaxError { #expect((0...text.count).contains(error.position ?? 0)) }
        }
    }
}

private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

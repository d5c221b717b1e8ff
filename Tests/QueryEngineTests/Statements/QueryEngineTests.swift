import Columnar
import Testing

@testable import QueryEngine

@Suite("Query engine")
struct QueryEngineTests {
    private func engine(rows: String = "(1, 'x'), (2, 'y')") throws -> TestEngine {
        let engine = try TestEngine()
        try engine.run("CREATE TABLE t (a Int32, b String) ENGINE = MergeTree ORDER BY a")
        try engine.run("INSERT INTO t VALUES \(rows)")
        return engine
    }

    @Test("FORMAT in the text wins over the default format, names in any case")
    func formats() throws {
        let engine = try engine()
        #expect(try engine.run("SELECT a FROM t ORDER BY a") == "1\n2\n")
        #expect(try engine.run("SELECT a FROM t ORDER BY a") { $0.defaultFormat = "CSVWithNames" } == "\"a\"\n1\n2\n")
        let sink = try engine.result("SELECT a FROM t ORDER BY a FORMAT jsoneachrow") { $0.defaultFormat = "CSV" }
        #expect(sink.text == "{\"a\":1}\n{\"a\":2}\n")
        #expect(sink.format?.name == "JSONEachRow")
        #expect(engine.failure("SELECT 1 FORMAT Nope")?.code == .unknownFormat)
    }

    @Test("An empty result begins all the same, and a failed one does not")
    func empty() throws {
        let engine = try engine()
        #expect(try engine.result("SELECT a FROM t WHERE a > 9").format != nil)
        #expect(try engine.result("SELECT a FROM t WHERE a > 9 FORMAT JSON").text.contains("\"rows\": 0"))
        let sink = MemorySink()
        #expect(throws: QueryError.self) {
            try engine.engine.run(Array("SELECT intDiv(1, a - a) FROM t".utf8), options: QueryOptions(), sink: sink)
        }
        #expect(sink.format == nil && sink.bytes.isEmpty)
    }

    @Test("An error about a name says where the name stands")
    func place() throws {
        let engine = try engine()
        let failure = engine.failure("SELECT a,\n  nope FROM t")
        #expect(failure?.code == .unknownIdentifier)
        #expect(failure?.message.hasSuffix("(line 2, col 3)") == true)
        // Named once, also when the parser has said it.
        #expect(engine.failure("SELECT FROM")?.message.components(of: "(line ") == 1)
    }

    @Test("Statements without a result write nothing")
    func noResult() throws {
        let engine = try engine()
        for sql in ["CREATE DATABASE IF NOT EXISTS x", "USE default", "SET max_threads = 1", "OPTIMIZE TABLE t FINAL"] {
            #expect(try engine.result(sql).format == nil)
        }
    }

    @Test("A long result comes in pieces")
    func pieces() throws {
        let engine = try engine()
        let sink = try engine.result("SELECT number FROM numbers(100000)")
        #expect(sink.pieces > 3)
        #expect(sink.bytes.count { $0 == 0x0A } == 100_000)
    }

    @Test("The summary counts what was read, given and written")
    func summary() throws {
        let engine = try engine()
        let read = try engine.engine.run(
            Array("SELECT a FROM t WHERE a = 1".utf8), options: QueryOptions(), sink: MemorySink())
        #expect(read.readRows == 2 && read.resultRows == 1 && read.resultBytes == 2 && read.writtenRows == 0)
        let written = try engine.engine.run(
            Array("INSERT INTO t VALUES (3, 'z')".utf8), options: QueryOptions(), sink: MemorySink())
        #expect(written.writtenRows == 1 && written.writtenBytes > 0)
        let created = try engine.engine.run(
            Array("CREATE TABLE u (a Int8 CODEC(ZSTD)) ENGINE = MergeTree ORDER BY a".utf8), options: QueryOptions(),
            sink: MemorySink())
        #expect(created.notices == ["CODEC of column a has no meaning here and was ignored"])
    }

    @Test("Parameters are values, never SQL")
    func parameters() throws {
        let engine = try engine()
        func run(_ sql: String, _ parameters: [String: String]) throws -> String {
            try engine.run(sql) { $0.parameters = parameters.mapValues { Array($0.utf8) } }
        }
        #expect(try run("SELECT b FROM t WHERE a = {n:Int32}", ["n": "2"]) == "y\n")
        #expect(try run("SELECT {s:String}", ["s": #"a\'b; DROP TABLE t"#]) == "a\\'b; DROP TABLE t\n")
        #expect(try run("SELECT count() FROM {d:Identifier}.{t:Identifier}", ["d": "default", "t": "t"]) == "2\n")
        #expect(try run("SELECT a FROM t ORDER BY a LIMIT {l:UInt64}", ["l": "1"]) == "1\n")
        #expect(engine.failure("SELECT {missing:String}")?.code == .unknownQueryParameter)
    }

    @Test("A read-only query may ask but not change")
    func readonly() throws {
        let engine = try engine()
        let change: (inout QueryOptions) -> Void = { $0.isReadonly = true }
        for sql in [
            "INSERT INTO t VALUES (1, 'x')", "DROP TABLE t", "CREATE TABLE u (a Int8) ENGINE = MergeTree ORDER BY a",
            "TRUNCATE TABLE t",
            "ALTER TABLE t ADD COLUMN c Int8", "OPTIMIZE TABLE t", "CREATE DATABASE d",
        ] {
            #expect(engine.failure(sql, change)?.code == .readonly, "\(sql)")
        }
        for sql in [
            "SELECT 1", "SHOW TABLES", "DESCRIBE t", "EXISTS t", "EXPLAIN SELECT 1", "SHOW CREATE TABLE t",
            "SET max_threads = 1",
        ] {
            #expect(engine.failure(sql, change) == nil, "\(sql)")
        }
        #expect(engine.failure("DROP TABLE t") { $0.settings = ["readonly": "1"] }?.code == .readonly)
    }

    @Test("Settings limit a query; unknown ones of a request pass; nonsense is an error")
    func settings() throws {
        let engine = try engine()
        #expect(
            engine.failure("SELECT number FROM numbers(100) SETTINGS max_result_rows = 10")?.code == .tooManyRowsOrBytes
        )
        let cut = try engine.run(
            "SELECT number FROM numbers(100000) SETTINGS max_result_rows = 10, result_overflow_mode = 'break'")
        #expect(cut.hasPrefix("0\n1\n") && cut.count { $0 == "\n" } < 100_000)
        #expect(
            engine.failure("SELECT count() FROM numbers(100000)") { $0.settings = ["max_rows_to_read": "10"] }?.code
                == .tooManyRows)
        #expect(
            engine.failure("SELECT 1") { $0.settings = ["wait_end_of_query": "1", "session_id": "x", "limit": ""] }
                == nil)
        #expect(engine.failure("SELECT 1 SETTINGS made_up = 'x'") == nil)
        #expect(engine.failure("SELECT 1 SETTINGS max_threads = 'many'")?.code == .cannotParseInput)
        #expect(engine.failure("SELECT 1") { $0.settings = ["max_memory_usage": "lots"] }?.code == .cannotParseInput)
        #expect(
            engine.failure("SELECT 1") { $0.settings = ["max_memory_usage": "10G", "max_execution_time": "1.5"] } == nil
        )
    }

    @Test("A cancelled query stops")
    func cancellation() throws {
        let engine = try engine()
        let token = CancellationToken()
        token.cancel()
        #expect(
            engine.failure("SELECT sum(number) FROM numbers(100000000)") { $0.cancellation = token }?.code
                == .queryWasCancelled)
        #expect(engine.engine.cancel(queryID: "nothing") == 0)
    }

    @Test("The query log remembers the last queries with what they did")
    func queryLog() throws {
        let engine = try engine()
        _ = engine.failure("SELECT nope FROM t")
        try engine.run("SELECT a FROM t") { $0.queryID = "mine" }
        let text = try engine.run(
            "SELECT type, query_id, query, read_rows, result_rows, exception_code FROM system.query_log")
        let lines = text.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[2].hasPrefix("ExceptionWhileProcessing\t\tSELECT nope FROM t\t") && lines[2].hasSuffix("\t47"))
        #expect(lines[3] == "QueryFinish\tmine\tSELECT a FROM t\t2\t2\t0")
        for _ in 0..<20 { try engine.run("SELECT 1") }
        #expect(try engine.run("SELECT count() FROM system.query_log") == "10\n")
    }

    @Test("Data of an INSERT comes with the text, beside it, or both", arguments: [1, 3, 1000])
    func insertData(size: Int) throws {
        let engine = try engine()
        try engine.run("INSERT INTO t FORMAT JSONEachRow") {
            $0.inputData = PieceData("{\"a\":5,\"b\":\"é\"}\n{\"a\":6}", size: size)
        }
        try engine.run("INSERT INTO t FORMAT CSV\n7,\"in text\"\n") {
            $0.inputData = PieceData("8,beside\n", size: size)
        }
        try engine.run("INSERT INTO t (b, a) VALUES") { $0.inputData = PieceData("('v', 9), ('w', 10)", size: size) }
        #expect(
            try engine.run("SELECT a, b FROM t WHERE a >= 5 ORDER BY a")
                == "5\té\n6\t\n7\tin text\n8\tbeside\n9\tv\n10\tw\n")
    }

    @Test("An INSERT that fails names row and column, and an unknown column its neighbour")
    func insertErrors() throws {
        let engine = try engine()
        let error = engine.failure("INSERT INTO t FORMAT JSONEachRow {\"a\": 1} {\"a\": \"x\"}")
        #expect(error?.message.contains("at row 2, column a, type Int32") == true)
        #expect(engine.failure("INSERT INTO t (a, c) VALUES (1, 2)")?.message.contains("No such column c") == true)
        #expect(engine.failure("INSERT INTO tt VALUES (1)")?.message.contains("Maybe you meant t") == true)
        #expect(engine.failure("INSERT INTO system.one VALUES (1)")?.code == .readonly)
        #expect(engine.failure("INSERT INTO t FORMAT Pretty x")?.code == .notImplemented)
    }

    @Test("Many rows go in as batches, and defaults are filled in")
    func insertMany() throws {
        let engine = try engine()
        try engine.run(
            "CREATE TABLE d (a UInt32, b String DEFAULT 'none', c Nullable(Int8)) ENGINE = MergeTree ORDER BY a")
        let rows = (0..<100_000).map { "{\"a\":\($0)}" }.joined(separator: "\n")
        try engine.run("INSERT INTO d FORMAT JSONEachRow") { $0.inputData = PieceData(rows, size: 65_536) }
        #expect(
            try engine.run("SELECT count(), min(a), max(a), min(b), max(b), count(c) FROM d")
                == "100000\t0\t99999\tnone\tnone\t0\n")
        try engine.run("INSERT INTO d (a) SELECT number FROM numbers(10)")
        #expect(try engine.run("SELECT count() FROM d WHERE b = 'none'") == "100010\n")
    }

    @Test("Dotted names are tables of their own; a database is what stands before the dot")
    func dottedNames() throws {
        let engine = try engine()
        try engine.run("CREATE DATABASE IF NOT EXISTS app")
        try engine.run("CREATE TABLE app.logs (x UInt8) ENGINE = MergeTree ORDER BY x")
        try engine.run("INSERT INTO app.logs VALUES (1)")
        #expect(engine.database.tableNames() == ["app.logs", "t"])
        for name in ["app.logs", "`app.logs`", "default.`app.logs`", "default.app.logs"] {
            #expect(try engine.run("SELECT x FROM \(name)") == "1\n", "\(name)")
            #expect(try engine.run("EXISTS \(name)") == "1\n", "\(name)")
        }
        #expect(try engine.run("SHOW TABLES FROM app") == "logs\n")
        #expect(try engine.run("SHOW DATABASES") == "app\ndefault\nsystem\n")
        #expect(try engine.run("DESCRIBE app.logs") == "x\tUInt8\t\t\t\t\t\n")
        #expect(engine.failure("SHOW TABLES FROM nowhere")?.code == .unknownDatabase)
        #expect(engine.failure("USE nowhere")?.code == .unknownDatabase)
        #expect(engine.failure("DROP TABLE nowhere.logs")?.code == .unknownDatabase)
        try engine.run("DROP TABLE default.app.logs")
        #expect(engine.database.tableNames() == ["t"])
    }

    @Test("SHOW CREATE TABLE gives a statement that makes the table again")
    func showCreate() throws {
        let engine = try engine()
        let sql = """
            CREATE TABLE c (`a b` UInt8 COMMENT 'it''s', select String DEFAULT concat('x', 'y'), t DateTime64(3, 'UTC'))
            ENGINE = MergeTree ORDER BY (t, `a b`) COMMENT 'all'
            """
        try engine.run(sql)
        let written = try engine.run("SHOW CREATE TABLE c FORMAT TSVRaw")
        #expect(
            written == """
                CREATE TABLE default.c
                (
                    `a b` UInt8 COMMENT 'it\\'s',
                    `select` String DEFAULT concat('x', 'y'),
                    `t` DateTime64(3, 'UTC')
                )
                ENGINE = MergeTree
                ORDER BY (t, `a b`)
                SETTINGS index_granularity = 8192
                COMMENT 'all'

                """)
        try engine.run("DROP TABLE c")
        try engine.run(written)
        #expect(try engine.run("SHOW CREATE TABLE c FORMAT TSVRaw") == written)
    }

    @Test("System tables answer what clients ask")
    func systemTables() throws {
        let engine = try engine()
        #expect(try engine.run("SELECT name FROM system.databases ORDER BY name") == "default\nsystem\n")
        #expect(
            try engine.run("SELECT name, engine, total_rows, sorting_key FROM system.tables WHERE database = 'default'")
                == "t\tMergeTree\t2\ta\n")
        #expect(
            try engine.run("SELECT name, type, position, is_in_sorting_key FROM system.columns WHERE table = 't'")
                == "a\tInt32\t1\t1\nb\tString\t2\t0\n")
        #expect(
            try engine.run("SELECT name, value, readonly FROM system.settings WHERE name = 'max_threads'")
                == "max_threads\t0\t0\n")
        #expect(try engine.run("SELECT count() > 50 FROM system.functions") == "1\n")
        #expect(try engine.run("SELECT is_input, is_output FROM system.formats WHERE name = 'JSONEachRow'") == "1\t1\n")
        #expect(try engine.run("SELECT query FROM system.processes") == "SELECT query FROM system.processes\n")
        #expect(try engine.run("SELECT dummy FROM system.one") == "0\n")
        #expect(try engine.run("SHOW TABLES FROM system LIKE 'quer%'") == "query_log\n")
        #expect(try engine.run("EXISTS system.tables") == "1\n")
        #expect(try engine.run("DESCRIBE system.databases").hasPrefix("name\tString\t"))
        for name in SystemTables(engine: engine.engine).names where name != "numbers" {
            #expect(engine.failure("SELECT * FROM system.\(name) LIMIT 1") == nil, "\(name)")
        }
        #expect(engine.failure("DROP TABLE system.tables")?.code == .readonly)
    }

    @Test("EXPLAIN SYNTAX writes the query back, EXPLAIN AST its tree")
    func explain() throws {
        let engine = try engine()
        #expect(try engine.run("EXPLAIN SYNTAX select a+1 from t where a=1") == "SELECT a + 1\nFROM t\nWHERE a = 1\n")
        #expect(
            try engine.run("EXPLAIN AST SELECT a FROM t")
                == "SelectQuery\n Projections (children 1)\n  Identifier a\n Table t\n")
        #expect(try !engine.run("EXPLAIN SELECT a FROM t WHERE a = 1").isEmpty)
    }

    @Test(
        "LIKE of SHOW TABLES",
        arguments: [
            ("abc", "abc", true), ("abc", "a%", true), ("abc", "%c", true), ("abc", "a_c", true), ("abc", "a_", false),
            ("", "%", true),
            ("aé", "a_", true), ("a%b", "a\\%b", true), ("axb", "a\\%b", false), ("aab", "%ab", true),
            ("abab", "%ab%b", true),
        ])
    func like(text: String, pattern: String, expected: Bool) {
        #expect(LikeMatch.matches(Array(text.utf8)[...], Array(pattern.utf8)[...]) == expected)
    }
}

extension String {
    /// How often `part` occurs.
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}

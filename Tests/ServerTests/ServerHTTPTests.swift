import Testing

@testable import Server

@Suite("The server over HTTP")
struct ServerHTTPTests {
    @Test("the small paths answer, and one that is none lists those that are")
    func paths() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            #expect(try await server.get("/ping").text == "Ok.\n")
            #expect(try await server.get("/").text == "Ok.\n")
            #expect(try await server.get("/replicas_status").text == "Ok.\n")
            let page = try await server.get("/", headers: ["Accept: text/html"])
            #expect(page.text.contains("<textarea"))
            #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
            #expect(try await server.get("/play").text == page.text)
            let none = try await server.get("/nothing")
            #expect(none.status == 404)
            #expect(none.text.contains("/ingest/{topic}"))
            #expect(none.reason.contains("/nothing"))
            let health = try await server.get("/health")
            #expect(health.status == 200)
            #expect(try JSONValue(parsing: health.body)["status"]?.string == "ok")
            let metrics = try await server.get("/metrics")
            #expect(metrics.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
            #expect(metrics.text.contains("\nprocess_resident_memory_bytes "))
            #expect(try await server.send("OPTIONS", "/").status == 204)
            let head = try await server.send("HEAD", "/ping")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
        }
    }

    @Test("records are taken, counted and refused by line")
    func ingest() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let reply = try await server.post("/ingest/t", "{\"a\":1}\nnope\n{\"a\":2}\n")
            let answer = try JSONValue(parsing: reply.body)
            #expect(reply.status == 200)
            #expect(answer["accepted"]?.integer == 2)
            #expect(answer["rejected"]?.integer == 1)
            #expect(answer["errors"]?.elements?.first?["line"]?.integer == 2)
            #expect(try await server.post("/ingest/t", "nope").status == 400)
            #expect(try await server.send("PUT", "/ingest/t", body: Array("[{\"a\":3}]".utf8)).status == 200)
            #expect(try await server.get("/ingest/t").status == 405)
            #expect(try await server.post("/ingest/", "{}").status == 404)
            #expect(try await server.post("/ingest/a%2Fb", "{}").status == 400)
            #expect(try await server.post("/ingest/t", "{}", headers: ["Content-Encoding: rot13"]).status == 415)
            #expect(try await server.post("/ingest/t", "{}", headers: ["Content-Encoding: gzip"]).status == 400)
            let tail = try await server.get("/tail/t?from=start&follow=0")
            #expect(tail.text.split(separator: "\n") == ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"])
            #expect(try await server.get("/tail/t?from=-1&follow=0").text.contains("{\"a\":3}"))
            #expect(try await server.get("/tail/tt").status == 404)
            #expect(try await server.get("/tail/t?from=then").status == 400)
        }
    }

    @Test("a body past the limit is refused, whether its length is announced or not, and what came before is told")
    func limit() async throws {
        try await TestServer.with(["max_body": "1000"]) { (server: TestServer) async throws in
            let line = "{\"a\":\"" + String(repeating: "x", count: 80) + "\"}\n"
            let announced = try await server.post("/ingest/t", String(repeating: line, count: 20))
            #expect(announced.status == 413)
            #expect(announced.headers["connection"] == "close")
            let chunk = String(line.utf8.count, radix: 16) + "\r\n" + line + "\r\n"
            let request =
                "POST /ingest/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(repeating: chunk, count: 20) + "0\r\n\r\n"
            let chunked = Reply(try await server.raw(Array(request.utf8)))
            #expect(chunked.status == 413)
            #expect(chunked.text.contains("max_body"))
        }
    }

    @Test("each role may do its own work and no more")
    func roles() async throws {
        try await TestServer.with(["users": "a:1:admin,r:2:readonly,i:3:ingest"]) { (server: TestServer) async throws in
            func asked(_ user: String, _ method: String, _ target: String, _ body: String = "") async throws -> Int {
                let key = ["a": "1", "r": "2", "i": "3"][user] ?? ""
                let headers = ["X-ClickHouse-User: \(user)", "X-ClickHouse-Key: \(key)"]
                return try await server.send(method, target, headers: headers, body: Array(body.utf8)).status
            }
            #expect(try await server.get("/?query=SELECT%201").status == 401)
            #expect(try await server.get("/?query=SELECT%201").headers["www-authenticate"] != nil)
            #expect(try await asked("a", "POST", "/ingest/t", "{}") == 200)
            #expect(try await asked("i", "POST", "/ingest/t", "{}") == 200)
            #expect(try await asked("r", "POST", "/ingest/t", "{}") == 403)
            #expect(try await asked("i", "POST", "/", "SELECT 1") == 403)
            #expect(try await asked("r", "POST", "/", "SELECT 1") == 200)
            #expect(try await asked("i", "GET", "/metrics") == 403)
            #expect(try await asked("r", "GET", "/api/topics") == 200)
            #expect(try await asked("r", "POST", "/api/compact") == 403)
            #expect(try await asked("x", "GET", "/api/topics") == 403)
            #expect(try await server.get("/ping").status == 200)
            #expect(try await server.get("/health").status == 200)
        }
    }

    @Test("a page of another origin may not call a server without users, unless it was allowed")
    func origins() async throws {
        try await TestServer.with(["cors_origin": "http://good.example"]) { (server: TestServer) async throws in
            #expect(try await server.post("/", "SELECT 1", headers: ["Origin: http://evil.example"]).status == 403)
            let good = try await server.post("/", "SELECT 1", headers: ["Origin: http://good.example"])
            #expect(good.status == 200)
            #expect(good.headers["access-control-allow-origin"] == "http://good.example")
            #expect(
                try await server.post("/", "SELECT 1", headers: ["Origin: http://127.0.0.1:\(server.port)"]).status
                    == 200)
            #expect(try await server.post("/ingest/t", "{}", headers: ["Origin: http://evil.example"]).status == 200)
        }
    }

    @Test("topics are created, listed, changed and deleted")
    func topics() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let made = try await server.post(
                "/api/topics", #"{"topic":"x.y","partitions":2,"config":{"retention.ms":1000}}"#)
            #expect(made.status == 201)
            #expect(try await server.post("/api/topics", #"{"topic":"x.y"}"#).status == 409)
            #expect(try await server.post("/api/topics", #"{"topic":"a b"}"#).status == 400)
            #expect(try await server.post("/api/topics", #"{"topic":"z","config":{"no.such":1}}"#).status == 400)
            #expect(try await server.post("/api/topics", "{").status == 400)
            let list = try JSONValue(parsing: try await server.get("/api/topics").body)
            #expect(list.elements?.first?["partitions"]?.elements?.count == 2)
            #expect(list.elements?.first?["config"]?["retention.ms"]?.string == "1000")
            let changed = try await server.send(
                "PUT", "/api/topics/x.y", body: Array(#"{"config":{"retention.ms":"2000"}}"#.utf8))
            #expect(changed.text.contains("2000"))
            #expect(try await server.send("DELETE", "/api/topics/x.y").status == 200)
            #expect(try await server.get("/api/topics/x.y").status == 404)
        }
    }

    @Test("what is no HTTP gets 400, and a slow head is cut off")
    func garbage() async throws {
        try await TestServer.with(["header_timeout": "200ms"]) { (server: TestServer) async throws in
            #expect(Reply(try await server.raw(Array("hello\r\n\r\n".utf8))).status == 400)
            #expect(try await server.raw(Array("GET / HTTP/1.1\r\nHost: x\r\n".utf8)).isEmpty)
            #expect(try await server.get("/ping").status == 200)
        }
    }
}

@Suite("SQL over HTTP")
struct QueryHTTPTests {
    @Test("SQL comes in the parameter, the body, both, or a form; a result has its headers")
    func ways() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let plain = try await server.get("/?query=SELECT%201%2B1&query_id=mine")
            #expect(plain.text == "2\n")
            #expect(plain.headers["x-clickhouse-query-id"] == "mine")
            #expect(plain.headers["x-clickhouse-format"] == "TabSeparated")
            #expect(plain.headers["x-clickhouse-timezone"] == "UTC")
            #expect(plain.headers["x-clickhouse-summary"]?.contains("\"result_rows\":\"1\"") == true)
            #expect(try await server.post("/", "SELECT 3").text == "3\n")
            #expect(try await server.post("/?query=SELECT", "4").text == "4\n")
            #expect(
                try await server.get("/?query=SELECT%20%7Bx:UInt8%7D,%7Bs:String%7D&param_x=41&param_s=a%5C'b").text
                    == "41\ta\\'b\n")
            #expect(try await server.post("/?default_format=CSV", "SELECT 'a'").text == "\"a\"\n")
            #expect(try await server.post("/", "SELECT 'a'", headers: ["X-ClickHouse-Format: CSV"]).text == "\"a\"\n")
            let form = "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 5\r\n--b--\r\n"
            let type = ["Content-Type: multipart/form-data; boundary=b"]
            #expect(try await server.post("/", form, headers: type).text == "5\n")
            #expect(try await server.send("HEAD", "/?query=SELECT%201").body.isEmpty)
            #expect(
                try await server.get("/?query=SELECT%201", headers: ["Accept-Encoding: gzip"]).body.prefix(2) == [
                    0x1F, 0x8B,
                ])
        }
    }

    @Test("a wrong query gets its code, its status, its place, and its reason in the status line")
    func mistakes() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let unknown = try await server.post("/", "SELECT * FROM nothing")
            #expect(unknown.status == 404)
            #expect(unknown.text.hasPrefix("Code: 60. DB::Exception: "))
            #expect(unknown.text.hasSuffix("(UNKNOWN_TABLE)\n"))
            #expect(unknown.headers["x-clickhouse-exception-code"] == "60")
            #expect(unknown.reason.contains("nothing"))
            let syntax = try await server.post("/", "SELECT 1 +")
            #expect(syntax.status == 400)
            #expect(syntax.headers["x-logstore-error-position"] != nil)
            #expect(try await server.get("/?query=CREATE%20TABLE%20t%20(a%20Int8)%20ORDER%20BY%20a").status == 403)
            #expect(try await server.get("/?query=SELECT%201&from=noon").status == 400)
            #expect(try await server.post("/", String(repeating: " ", count: 2 << 20) + "SELECT 1").status == 413)
        }
    }

    @Test("rows inserted are there for the next query; long data streams in")
    func inserts() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let made = try await server.post("/", "CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
            #expect(made.status == 200, "\(made.text)")
            #expect(try await server.post("/", "INSERT INTO t VALUES (1, 'x'), (2, 'y')").status == 200)
            #expect(try await server.post("/", "SELECT count(), sum(a) FROM t").text == "2\t3\n")
            let lines = (0..<20_000).map { "{\"a\":\($0),\"s\":\"row \($0)\"}\n" }.joined()
            let beside = try await server.post("/?query=INSERT%20INTO%20t%20FORMAT%20JSONEachRow", lines)
            #expect(
                beside.headers["x-clickhouse-summary"]?.contains("\"written_rows\":\"20000\"") == true, "\(beside.text)"
            )
            #expect(try await server.post("/", "INSERT INTO t FORMAT JSONEachRow\n" + lines).status == 200)
            #expect(try await server.post("/", "SELECT count() FROM t").text == "40002\n")
            #expect(try await server.post("/", "SELECT count() FROM system.topics WHERE topic = 't'").text == "1\n")
            #expect(try await server.post("/", "DROP TABLE t").status == 200)
            #expect(try await server.post("/", "SELECT count() FROM t").status == 404)
            #expect(try await server.get("/api/topics").text == "[]")
        }
    }

    @Test("a long result streams; one that fails late says so and has no proper end")
    func streams() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let long = try await server.post("/", "SELECT number, 'some text to fill it' FROM numbers(100000)")
            #expect(long.isComplete)
            #expect(long.body.filter { $0 == 0x0A }.count == 100_000)
            let late = try await server.post(
                "/?max_result_rows=50000", "SELECT number, 'some text to fill it' FROM numbers(100000)")
            if late.status == 200 {
                #expect(!late.isComplete)
                #expect(late.text.contains("__exception__"))
                #expect(late.headers["x-clickhouse-exception-tag"].map { late.text.contains($0) } == true)
            }
            #expect(late.text.contains("Code: 396"))
        }
    }

    @Test("Grafana's data sources get frames, options and errors they understand")
    func grafana() async throws {
        try await TestServer.with { (server: TestServer) async throws in
            let lines = (0..<60).map {
                "{\"timestamp\":\"2024-04-17T04:00:\($0 < 10 ? "0" : "")\($0)Z\",\"n\":\($0)}\n"
            }.joined()
            #expect(try await server.post("/ingest/web?wait=1", lines).status == 200)
            #expect(try await server.get("/grafana").status == 200)
            let query =
                #"{"range":{"from":"2024-04-17T04:00:00Z","to":"2024-04-17T04:00:29Z"},"intervalMs":10000,"targets":"#
                + #"[{"refId":"A","payload":{"sql":"SELECT $__timeInterval(timestamp) AS t, count() AS c FROM web "#
                + #"WHERE $__timeFilter(timestamp) GROUP BY t ORDER BY t"}}]}"#
            let frames = try await server.post("/grafana/query", query)
            #expect(
                frames.text
                    == #"[{"refId":"A","fields":[{"name":"t","type":"time","values":[1713326400000,1713326410000,1713326420000]},"#
                    + #"{"name":"c","type":"number","values":[10,10,10]}]}]"#)
            #expect(try await server.post("/grafana/search", "{}").text == #"["web"]"#)
            let variable = try await server.post("/grafana/variable", #"{"payload":{"sql":"SELECT max(n) FROM web"}}"#)
            #expect(variable.text == #"[{"__text":"59","__value":"59"}]"#)
            let wrong = try await server.post(
                "/grafana/query", #"{"targets":[{"payload":{"sql":"SELECT x FROM web"}}]}"#)
            #expect(wrong.status == 404)
            #expect(try JSONValue(parsing: wrong.body)["error"]?["code"]?.integer == 47)
            #expect(try await server.post("/grafana/query", "{").status == 400)
            #expect(try await server.post("/grafana/nothing", "{}").status == 404)
        }
    }

    @Test("a client that goes away takes its query with it")
    func disconnect() async throws {
        try await TestServer.with(["max_concurrent_queries": "1", "max_waiting_queries": "0"]) {
            (server: TestServer) async throws in
            let request =
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 55\r\n\r\nSELECT count() FROM numbers(3000000000) WHERE number % 7"
            try await blocking { try hangUp(port: server.port, Array(request.utf8)) }
            // Once it is gone there is room for the next.
            var status = 429
            for _ in 0..<500 where status == 429 {
                try await Task.sleep(for: .milliseconds(20))
                status = try await server.get("/?query=SELECT%201").status
            }
            #expect(status == 200)
        }
    }
}

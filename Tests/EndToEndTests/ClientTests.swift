import Foundation
import Testing

/// The clients people have: curl with compression, Grafana's Infinity and JSON datasources, browsers, Prometheus.
@Suite("Clients")
struct ClientTests {
    private let gzipHeader = ["--header", "Content-Encoding: gzip"]

    /// Compresses with a program of the system.
    private func compressed(_ text: String, by program: [String]) throws -> Data {
        let space = try TemporaryFolder()
        let child = try Child(
            program, input: try write(text, to: space.file("in")), output: space.file("out"), errors: space.file("err"))
        guard try child.wait(seconds: 60) == 0 else { throw HarnessError("\(program) failed") }
        return try Data(contentsOf: URL(fileURLWithPath: space.file("out")))
    }

    private func write(_ text: String, to path: String) throws -> String {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    /// A server with 5,000 rows of web logs of one day.
    private func server(in space: TemporaryFolder) throws -> Server {
        let server = try Server(data: space.file("data"))
        let lines = (0..<5000).map { row in
            let minute = row / 60 % 60, second = row % 60, hour = row / 3600
            func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
            return "{\"timestamp\":\"2025-03-01T0\(hour):\(two(minute)):\(two(second))Z\",\"status\":"
                + "\(row % 10 == 0 ? 500 : 200),\"path\":\"/p/\(row % 7)\",\"seconds\":0.\(row % 10)}"
        }
        let body = try compressed(lines.joined(separator: "\n"), by: ["gzip", "-c"])
        let reply = try server.curl("/ingest/web", gzipHeader, body: body)
        try #require(reply.status == 200, "\(reply.text)")
        try #require(try server.answer("SELECT count() FROM web", becomes: "5000") == "5000")
        return server
    }

    @Test("bodies come in as gzip, zstd and plain, chunked or not; as lines, an array or one object")
    func compressedBodies() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let lines = (0..<1000).map { "{\"n\":\($0)}\n" }.joined()
        let gzip = try compressed(lines, by: ["gzip", "-c"])
        #expect(try server.curl("/ingest/t", gzipHeader, body: gzip).status == 200)
        let zstd = try compressed(lines, by: ["zstd", "-q", "-c"])
        #expect(try server.curl("/ingest/t", ["--header", "Content-Encoding: zstd"], body: zstd).status == 200)
        #expect(try server.ingest("t", lines, ["--header", "Transfer-Encoding: chunked"]).status == 200)
        #expect(try server.ingest("t", "[{\"n\":1},{\"n\":2}]").object()["accepted"] as? Int == 2)
        #expect(try server.ingest("t", "{\n  \"n\": 3\n}\n").object()["accepted"] as? Int == 1)
        #expect(try server.answer("SELECT count() FROM t", becomes: "3003") == "3003")
    }

    @Test("answers go out as gzip and zstd when asked for, and are the same")
    func compressedAnswers() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        let sql = Data("SELECT path, status FROM web ORDER BY timestamp FORMAT CSV".utf8)
        let plain = try server.curl("/", body: sql)
        #expect(plain.headers["content-encoding"] == nil)
        for (name, program) in [("gzip", ["gzip", "-dc"]), ("zstd", ["zstd", "-q", "-dc"])] {
            // ClickHouse compresses only when the setting says so; both ways of asking must do.
            for path in ["/", "/?enable_http_compression=1"] {
                let reply = try server.curl(path, ["--header", "Accept-Encoding: \(name)"], body: sql)
                #expect(reply.headers["content-encoding"] == name, "\(path) \(reply.headers)")
                let file = space.file("answer")
                try reply.body.write(to: URL(fileURLWithPath: file))
                let unpacked = try Child(program, input: file, output: space.file("plain"))
                #expect(try unpacked.wait(seconds: 30) == 0)
                #expect(try Data(contentsOf: URL(fileURLWithPath: space.file("plain"))) == plain.body)
            }
        }
    }

    @Test("ClickHouse's way of asking: query in the URL, in the body or both; parameters; formats; headers")
    func queries() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        #expect(try server.get("/?query=SELECT%20count()%20FROM%20web").trimmed == "5000")
        #expect(try server.get("/").trimmed == "Ok.")
        #expect(try server.get("/ping").text == "Ok.\n")
        let parameter = try server.get(
            "/?query=SELECT%20count()%20FROM%20web%20WHERE%20path=%7Bp:String%7D&param_p=/p/3")
        #expect(parameter.trimmed == "714")
        let insert = try server.curl(
            "/?query=INSERT%20INTO%20web%20FORMAT%20JSONEachRow",
            body: Data("{\"timestamp\":\"2025-03-02 00:00:00\",\"status\":404,\"path\":\"/new\"}".utf8))
        #expect(insert.status == 200, "\(insert.text)")
        #expect(try server.answer("SELECT path FROM web WHERE status = 404", becomes: "/new") == "/new")
        // A GET changes nothing.
        let readonly = try server.get("/?query=DROP%20TABLE%20web")
        #expect(readonly.status >= 400)
        #expect(try server.answer("SELECT count() FROM web") == "5001")

        let json = try server.query("SELECT status, count() AS c FROM web GROUP BY status ORDER BY status FORMAT JSON")
        let object = try json.object()
        #expect((object["data"] as? [[String: Any]])?.count == 3)
        #expect((object["meta"] as? [[String: Any]])?.first?["name"] as? String == "status")
        #expect(object["rows"] as? Int == 3)
        #expect(object["statistics"] is [String: Any])
        #expect(json.headers["x-clickhouse-format"] == "JSON")
        #expect(json.headers["x-clickhouse-query-id"]?.isEmpty == false)
        #expect(json.headers["x-clickhouse-summary"]?.contains("\"read_rows\":\"") == true)
        #expect(json.headers["content-type"]?.hasPrefix("application/json") == true)
    }

    @Test("Grafana's Infinity: SQL with time macros in the URL, JSON back, errors in the status line")
    func infinity() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        let sql =
            "SELECT $__timeInterval(timestamp) AS time, count() AS requests FROM web WHERE $__timeFilter(timestamp) "
            + "GROUP BY time ORDER BY time FORMAT JSON"
        // 2025-03-01 00:00:00 to 00:29:59 UTC, in steps of ten minutes.
        let reply = try server.curl(
            "/?from=1740787200000&to=1740788999000&interval_ms=600000",
            ["--header", "Accept-Encoding: gzip", "--compressed"], body: Data(sql.utf8))
        #expect(reply.status == 200, "\(reply.text)")
        let rows = try #require(try reply.object()["data"] as? [[String: Any]])
        #expect(rows.count == 3, "\(reply.text)")
        #expect(
            rows.allSatisfy { ($0["requests"] as? Int ?? Int($0["requests"] as? String ?? "")) == 600 }, "\(reply.text)"
        )
        let wrong = try server.curl("/?from=1&to=2", ["--include"], body: Data("SELECT nothing FROM web".utf8))
        #expect(wrong.status == 404)
        let statusLine = wrong.text.split(separator: "\r\n").first ?? ""
        #expect(statusLine.contains("nothing"), "\(statusLine)")
    }

    @Test("Grafana's JSON datasource: every endpoint answers in its shape")
    func simPod() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        let json = ["--header", "Content-Type: application/json"]
        func post(_ path: String, _ body: String) throws -> Reply {
            try server.curl("/grafana" + path, json, body: Data(body.utf8))
        }
        #expect(try server.get("/grafana").status == 200)
        #expect(try server.get("/grafana/").status == 200)
        #expect(try post("/metrics", "{}").array().isEmpty == false)
        #expect(try post("/search", "{}").array().isEmpty == false)
        _ = try post("/metric-payload-options", "{\"metric\":\"web\",\"payload\":{},\"name\":\"table\"}").array()

        let range = "\"range\":{\"from\":\"2025-03-01T00:00:00.000Z\",\"to\":\"2025-03-01T01:00:00.000Z\"}"
        let series =
            "SELECT $__timeInterval(timestamp) AS time, count() AS requests FROM web "
            + "WHERE $__timeFilter(timestamp) GROUP BY time ORDER BY time"
        let reply = try post(
            "/query",
            "{\(range),\"intervalMs\":600000,\"maxDataPoints\":100,\"targets\":[{\"refId\":\"A\",\"target\":\"sql\","
                + "\"payload\":{\"sql\":\"\(series)\"}}]}")
        #expect(reply.status == 200, "\(reply.text)")
        let frames = try reply.array()
        #expect(frames.count == 1)
        let frame = try #require(frames.first as? [String: Any])
        #expect(frame["fields"] is [Any] || frame["datapoints"] is [Any] || frame["rows"] is [Any], "\(reply.text)")

        let variable = try post("/variable", "{\"payload\":{\"target\":\"SELECT DISTINCT path FROM web\"},\(range)}")
        #expect(variable.status == 200, "\(variable.text)")
        #expect(try variable.array().count == 7)
        #expect(try post("/tag-keys", "{}").array().isEmpty == false)
        _ = try post("/tag-values", "{\"key\":\"status\"}").array()
        let wrong = try post("/query", "{\"targets\":[{\"refId\":\"A\",\"payload\":{\"sql\":\"SELEC\"}}]}")
        #expect(wrong.status >= 400)
        #expect(try wrong.object()["error"] != nil, "\(wrong.text)")
    }

    @Test("random queries get the answers that ClickHouse's own engine gives")
    func differential() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        // Made by `make setup`.
        let python = Program.root + "/.venv/bin/python"
        let outcome = try run(
            [
                python, Program.root + "/Tests/SQL/differential.py", "--url", server.url, "--seed", "1", "--count",
                "300",
            ],
            seconds: 300)
        #expect(outcome.status == 0, "\(outcome.output.suffix(2000))\(outcome.errors.suffix(2000))")
        #expect(outcome.output.contains("300 queries, 0 differ"), "\(outcome.output.suffix(500))")
    }

    @Test("health, metrics and the console page")
    func operations() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        let health = try server.get("/health")
        #expect(health.status == 200)
        #expect(try !health.object().isEmpty)
        let metrics = try server.get("/metrics")
        #expect(metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
        for line in metrics.text.split(separator: "\n") where !line.hasPrefix("#") {
            #expect(Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
        }
        let page = try server.curl("/", ["--header", "Accept: text/html"])
        #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
        #expect(!page.text.contains("src=\"http"), "the page loads nothing from elsewhere")
    }
}

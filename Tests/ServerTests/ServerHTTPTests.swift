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

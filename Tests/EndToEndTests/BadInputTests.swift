import Foundation
import Testing

/// Whatever comes in over HTTP: a clear answer, and what is good is kept.
@Suite("Bad input over HTTP")
struct BadInputTests {
    /// One body with the number of records that must be taken and a word that the answer must contain.
    struct Body: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: Data
        var accepted: Int
        var says: [String]

        init(_ name: String, _ bytes: Data, accepted: Int, says: [String] = []) {
            self.name = name
            self.bytes = bytes
            self.accepted = accepted
            self.says = says
        }

        init(_ name: String, _ text: String, accepted: Int, says: [String] = []) {
            self.init(name, Data(text.utf8), accepted: accepted, says: says)
        }

        var testDescription: String { name }
    }

    static let bodies: [Body] = [
        Body("broken JSON between good lines", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", accepted: 2, says: ["\"line\":2"]),
        Body("an unterminated string", "{\"a\":\"b\n{\"a\":2}\n", accepted: 1, says: ["\"line\":1"]),
        Body("text that is no JSON", "hello\n{\"a\":2}", accepted: 1, says: ["\"line\":1"]),
        Body("a number alone", "{\"a\":1}\n17\n", accepted: 1, says: ["\"line\":2"]),
        Body("a line of 100 MB", Body.hugeLine, accepted: 2, says: ["\"line\":2"]),
        Body(
            "nesting of 100,000",
            "{\"a\":1}\n" + String(repeating: "{\"a\":", count: 100_000) + "1"
                + String(repeating: "}", count: 100_000) + "\n{\"a\":3}", accepted: 2, says: ["\"line\":2"]),
        Body(
            "brackets never closed", "{\"a\":1}\n{\"a\":" + String(repeating: "[", count: 100_000), accepted: 1,
            says: ["\"line\":2"]),
        Body(
            "invalid UTF-8", Data("{\"a\":1}\n{\"a\":\"".utf8) + [0xFF, 0xC0, 0x80] + Data("\"}\n{\"a\":3}".utf8),
            accepted: 2, says: ["\"line\":2", "UTF-8"]),
        Body(
            "a NUL byte", Data("{\"a\":1}\n{\"a\":\"x".utf8) + [0] + Data("y\"}\n{\"a\":3}".utf8), accepted: 2,
            says: ["\"line\":2"]),
        Body("a NUL escape", "{\"a\":\"x\\u0000y\"}", accepted: 1),
        Body("half a surrogate pair", "{\"a\":\"\\ud800\"}\n{\"a\":2}", accepted: 1),
        Body("a key twice", "{\"a\":1,\"a\":2}", accepted: 1),
        Body(
            "huge numbers",
            "{\"a\":123456789012345678901234567890}\n{\"a\":1e400}\n{\"a\":-1e-400}\n"
                + "{\"a\":-99999999999999999999}\n{\"a\":18446744073709551615}\n", accepted: 5),
        Body(
            "times of the years 0 and 9999",
            "{\"timestamp\":\"0000-01-01T00:00:00Z\"}\n"
                + "{\"timestamp\":\"9999-12-31T23:59:59Z\"}\n{\"timestamp\":99999999999999999}\n"
                + "{\"timestamp\":-1}\n{\"timestamp\":\"no time\"}\n", accepted: 5),
        Body("a long key", "{\"" + String(repeating: "k", count: 100_000) + "\":1}", accepted: 1),
        Body(
            "2,000 keys", "{" + (0..<2000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}", accepted: 1),
        Body("keys that look like SQL", "{\"`; DROP TABLE x\":1,\"\":2,\"a b\":3,\"é\":4}", accepted: 1),
        Body("an empty body", "", accepted: 0),
        Body("empty lines", "\n\n\r\n{\"a\":1}\r\n\n", accepted: 1),
        Body("an empty array", "[]", accepted: 0),
        Body("an array with a bad element", "[{\"a\":1},2,{\"a\":3}]", accepted: 2),
    ]

    @Test("each body: the good records are taken and stored, the bad ones named", arguments: bodies)
    func ingest(_ body: Body) throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let reply = try server.curl("/ingest/bad", body: body.bytes)
        #expect(server.child.isRunning, "\(server.log.suffix(1000))")
        let object = try reply.object()
        #expect(object["accepted"] as? Int == body.accepted, "\(reply.status) \(reply.text.prefix(500))")
        let compact = reply.text.filter { $0 != " " }
        for word in body.says { #expect(compact.contains(word), "\(reply.text.prefix(500))") }
        // Accepted means stored: as a row, or as a dead letter with its bytes.
        if body.accepted > 0 {
            let total = String(body.accepted)
            #expect(try server.answer("SELECT count() FROM bad", becomes: total) == total)
        }
        #expect(try server.answer("SELECT 1") == "1")
        #expect(try server.stop() == 0)
    }

    /// A statement, the status and ClickHouse's code of its answer, and words the answer must contain.
    struct Mistake: Sendable, CustomTestStringConvertible {
        var sql: String
        var status: Int
        var code: Int
        var says: [String]

        init(_ sql: String, _ status: Int, _ code: Int, _ says: String...) {
            self.sql = sql
            self.status = status
            self.code = code
            self.says = says
        }

        var testDescription: String { String(sql.prefix(80)) }
    }

    static let mistakes: [Mistake] = [
        Mistake("SELECT * FROM event", 404, 60, "event", "events"),
        Mistake("SELECT usr_id FROM events", 404, 47, "usr_id", "user_id"),
        Mistake("SELECT lenght(path) FROM events", 404, 46, "lenght", "length"),
        Mistake("SELECT cuont() FROM events", 404, 46, "cuont", "count"),
        Mistake("SELECT 'abc", 400, 62),
        Mistake("SELECT \"abc", 400, 62),
        Mistake("SELECT (1 + 2", 400, 62),
        Mistake("SELECT 1 +", 400, 62),
        Mistake("SELEC 1", 400, 62),
        Mistake("SELECT 1; SELECT 2", 400, 62),
        Mistake("SELECT 1 + 'a'", 400, 43),
        Mistake("SELECT path + 1 FROM events", 400, 43),
        Mistake("SELECT length()", 400, 42),
        Mistake("SELECT intDiv(1, 0)", 400, 153),
        Mistake("SELECT toUInt8('x')", 400, 6),
        Mistake("SELECT CAST('x' AS NoSuchType)", 404, 50),
        Mistake("SELECT path FROM events GROUP BY type", 400, 215),
        Mistake("SELECT 1 FORMAT NoSuchFormat", 404, 73),
        Mistake("SELECT match('x', '(')", 400, 427),
        Mistake("SELECT " + String(repeating: "(", count: 100_000), 400, 62),
        Mistake("INSERT INTO events FORMAT JSONEachRow {\"type\":", 400, 0),
        Mistake("CREATE TABLE events (a Int32) ORDER BY a", 400, 57),
    ]

    @Test("each wrong statement gets ClickHouse's code, its status and a helpful sentence", arguments: mistakes)
    func sql(_ mistake: Mistake) throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        #expect(try server.ingest("events", clickEvent).status == 200)
        #expect(try server.answer("SELECT count() FROM events", becomes: "1") == "1")
        let reply = try server.query(mistake.sql)
        #expect(server.child.isRunning, "\(server.log.suffix(1000))")
        #expect(reply.status == mistake.status, "\(reply.text.prefix(500))")
        if mistake.code != 0 {
            #expect(reply.text.hasPrefix("Code: \(mistake.code). DB::Exception: "), "\(reply.text.prefix(500))")
            #expect(reply.headers["x-clickhouse-exception-code"] == String(mistake.code))
        }
        for word in mistake.says { #expect(reply.text.contains(word), "\(reply.text.prefix(500))") }
        #expect(try server.answer("SELECT count() FROM events") == "1")
    }

    @Test("division by zero is infinity for floating-point numbers and an error for whole ones")
    func divisionByZero() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        #expect(try server.answer("SELECT 1 / 0, -1 / 0, 0 / 0") == "inf\t-inf\tnan")
        #expect(try server.query("SELECT intDiv(1, 0)").status == 400)
        #expect(try server.query("SELECT 1 % 0").status == 400)
    }

    @Test("requests that are none: unknown paths, methods, encodings, bodies that are too long or no gzip")
    func requests() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"), environment: ["LOGSTORE_MAX_BODY": "1M"])
        #expect(try server.get("/no/such/path").status == 404)
        #expect(try server.curl("/ingest/t", ["--request", "DELETE"]).status >= 400)
        let long = String(repeating: "{\"a\":1}\n", count: 300_000)
        #expect(try server.ingest("t", long).status == 413)
        let noGzip = try server.ingest("t", "{\"a\":1}", ["--header", "Content-Encoding: gzip"])
        #expect(noGzip.status == 400, "\(noGzip.text)")
        let odd = try server.ingest("t", "{\"a\":1}", ["--header", "Content-Encoding: rot13"])
        #expect(odd.status == 400 || odd.status == 415, "\(odd.text)")
        // A bomb: 100 MB of spaces in 100 kB.
        let bomb = try run([
            "bash", "-c", "head -c 100000000 /dev/zero | tr '\\0' ' ' | gzip > \"$0\"", space.file("b"),
        ])
        #expect(bomb.status == 0)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: space.file("b")))
        #expect(try server.curl("/ingest/t", ["--header", "Content-Encoding: gzip"], body: bytes).status == 413)
        for topic in ["..", "a/b", "%2e%2e%2f", String(repeating: "x", count: 300), "a%00b"] {
            let reply = try server.curl("/ingest/" + topic, ["--path-as-is"], body: Data("{\"a\":1}".utf8))
            #expect(reply.status >= 400 && reply.status < 500, "\(topic): \(reply.status) \(reply.text)")
        }
        #expect(server.child.isRunning)
        #expect(try server.ingest("t", "{\"a\":1}").status == 200)
    }

    @Test("a line of 100 MB costs no memory of its size")
    func memory() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        _ = try server.curl("/ingest/bad", body: Body.hugeLine)
        let status = try String(contentsOfFile: "/proc/\(server.child.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        let kilobytes = try #require(
            Int(line.split(separator: " ").dropLast().last?.trimmingCharacters(in: .whitespaces) ?? ""))
        #expect(kilobytes < 256 * 1024, "\(kilobytes) kB at the most")
    }
}

extension BadInputTests.Body {
    /// A good line, one with a string of 100 MB, and a good one.
    static let hugeLine =
        Data("{\"a\":1}\n{\"a\":\"".utf8) + Data(repeating: UInt8(ascii: "x"), count: 100_000_000)
        + Data("\"}\n{\"a\":3}\n".utf8)
}

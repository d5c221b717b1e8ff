import Foundation
import Testing

/// The command line against a running server and against a folder: output, exit codes, errors on stderr.
@Suite("Command line")
struct CommandLineTests {
    @Test("usage errors end with 2, failed work with 1, and both say why on stderr")
    func exitCodes() throws {
        for wrong in [["frobnicate"], ["query"], ["serve", "--no-such-flag"], ["ingest"]] {
            let outcome = try Program.run(wrong, input: Data())
            #expect(outcome.status == 2, "\(wrong): \(outcome.output)\(outcome.errors)")
            #expect(!outcome.errors.isEmpty, "\(wrong)")
        }
        let space = try TemporaryFolder()
        let absent = space.file("absent")
        let nobody = "http://127.0.0.1:\(try freePort())"
        for failing in [
            ["query", "--url", nobody, "SELECT 1"], ["compact", "--url", nobody], ["topics", "list", "--url", nobody],
            ["query", "--data", absent, "SELECT 1"], ["check", "--data", absent],
        ] {
            let outcome = try Program.run(failing)
            #expect(outcome.status == 1, "\(failing): \(outcome.output)\(outcome.errors)")
            #expect(!outcome.errors.isEmpty, "\(failing)")
            #expect(outcome.output.isEmpty, "\(failing): \(outcome.output)")
        }
        #expect(!FileManager.default.fileExists(atPath: absent), "a question makes no data folder")
        let version = try Program.run(["version"])
        #expect(version.status == 0)
        #expect(version.output.contains("logstore"))
    }

    @Test("every command has a help text with an example")
    func help() throws {
        let top = try Program.run(["--help"])
        #expect(top.status == 0)
        for command in ["serve", "query", "ingest", "tail", "topics", "compact", "check", "version"] {
            #expect(top.output.contains(command))
            let outcome = try Program.run([command, "--help"])
            #expect(outcome.status == 0, "\(command)")
            #expect(
                command == "version" || outcome.output.contains("logstore \(command)"), "\(command): \(outcome.output)")
        }
    }

    @Test("ingest from a file and from standard input, query, tail and topics")
    func workday() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let lines = (0..<1000).map { "{\"n\":\($0),\"word\":\"w\($0 % 3)\"}\n" }.joined()
        try lines.write(toFile: space.file("lines.json"), atomically: false, encoding: .utf8)
        let file = try Program.run(["ingest", "--url", server.url, "--topic", "words", space.file("lines.json")])
        #expect(file.status == 0, "\(file.errors)")
        let input = try Program.run(["ingest", "--url", server.url, "--topic", "words", "-"], input: Data(lines.utf8))
        #expect(input.status == 0, "\(input.errors)")
        #expect(try server.answer("SELECT count() FROM words", becomes: "2000") == "2000")

        let plain = try Program.run([
            "query", "--url", server.url, "SELECT word, count() FROM words GROUP BY word ORDER BY word",
        ])
        #expect(plain.status == 0, "\(plain.errors)")
        #expect(plain.output == "w0\t668\nw1\t666\nw2\t666\n", "in a pipe: plain, no table")
        let pretty = try Program.run(["query", "--url", server.url, "--format", "PrettyCompact", "SELECT 1 AS one"])
        #expect(pretty.output.contains("┌─one─┐"), "\(pretty.output)")
        let wrong = try Program.run(["query", "--url", server.url, "SELECT n FROM word"])
        #expect(wrong.status == 1)
        #expect(wrong.errors.contains("words"), "\(wrong.errors)")

        let created = try Program.run(["topics", "create", "--url", server.url, "mine"])
        #expect(created.status == 0, "\(created.errors)")
        let list = try Program.run(["topics", "list", "--url", server.url])
        #expect(list.output.contains("mine") && list.output.contains("words"), "\(list.output)\(list.errors)")
        #expect(try Program.run(["topics", "describe", "--url", server.url, "words"]).status == 0)
        #expect(try Program.run(["topics", "delete", "--url", server.url, "mine"]).status == 0)
        #expect(try Program.run(["topics", "describe", "--url", server.url, "mine"]).status == 1)

        let tail = try Child(
            [try Program.binary(), "tail", "--url", server.url, "words"], output: space.file("tail"),
            errors: space.file("tail.err"))
        let shown = try eventually {
            _ = try server.ingest("words", "{\"n\":-1,\"word\":\"fresh\"}")
            return (try? String(contentsOfFile: space.file("tail"), encoding: .utf8))?.contains("fresh") == true
        }
        #expect(shown, "\((try? String(contentsOfFile: space.file("tail.err"), encoding: .utf8)) ?? "")")
        tail.signal(SIGINT)
        _ = try tail.wait(seconds: 10)
    }

    @Test("ingest names bad lines by number and ends with 1; the good lines are in")
    func badLines() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let outcome = try Program.run(
            ["ingest", "--url", server.url, "--topic", "t", "-"], input: Data("{\"a\":1}\n{\"a\":\n{\"a\":3}\n".utf8))
        #expect(outcome.status == 1, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.errors.contains("2"), "\(outcome.errors)")
        #expect(try server.answer("SELECT count() FROM t", becomes: "2") == "2")
    }

    /// Rows in several parts of one day.
    private func fill(_ server: Server) throws {
        for batch in 0..<5 {
            let lines = (0..<2000).map { "{\"timestamp\":\"2025-06-01T00:00:00Z\",\"id\":\(batch * 2000 + $0)}" }
            #expect(try server.ingest("t", lines.joined(separator: "\n")).status == 200)
            let all = String((batch + 1) * 2000)
            #expect(try server.answer("SELECT count() FROM t", becomes: all) == all)
            usleep(400_000)
        }
    }

    @Test("compact asks a running server, takes the lock of a stopped folder, and says what it did")
    func compact() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        let parts = "SELECT count() FROM system.parts WHERE active AND table = 't'"
        var server = try Server(data: data, environment: ["LOGSTORE_FLUSH_INTERVAL": "100ms"])
        try fill(server)
        let live = try Program.run(["compact", "--url", server.url, "--table", "t", "--final"])
        #expect(live.status == 0, "\(live.errors)")
        #expect(live.output.contains("part") && live.output.contains("t"), "\(live.output)")
        #expect(try server.answer(parts) == "1")
        #expect(try server.answer("SELECT count(), uniqExact(id) FROM t") == "10000\t10000")
        let unknown = try Program.run(["compact", "--url", server.url, "--table", "nothing"])
        #expect(unknown.status == 1)
        #expect(unknown.errors.contains("nothing"), "\(unknown.errors)")
        #expect(try server.ingest("t", "{\"timestamp\":\"2025-06-01T00:00:00Z\",\"id\":-1}").status == 200)
        #expect(try server.answer("SELECT count() FROM t", becomes: "10001") == "10001")
        #expect(try server.stop() == 0)

        let stopped = try Program.run(["compact", "--data", data, "--final"])
        #expect(stopped.status == 0, "\(stopped.errors)")
        #expect(stopped.output.contains("part"), "\(stopped.output)")
        server = try Server(data: data)
        #expect(try server.answer("SELECT count(), uniqExact(id) FROM t", becomes: "10001\t10001") == "10001\t10001")
        #expect(try server.answer(parts) == "1")
        #expect(try server.stop() == 0)
    }
}

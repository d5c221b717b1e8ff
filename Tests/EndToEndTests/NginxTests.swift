import Foundation
import Glibc
import Testing

/// The whole way with real logs: nginx writes them, the server takes, stores and answers them, also after a kill.
@Suite("Logs of a real nginx")
struct NginxTests {
    /// Makes real requests to a real nginx; returns its access log's lines.
    private func accessLog(in space: TemporaryFolder) throws -> [String] {
        let port = try freePort()
        let prefix = space.file("nginx")
        let nginx = try Child(
            [Program.root + "/Tools/demo/nginx.sh", prefix, String(port)], output: space.file("nginx.out"),
            errors: space.file("nginx.out"))
        defer {
            nginx.signal(SIGTERM)
            _ = try? nginx.wait(seconds: 20)
        }
        let up = try eventually {
            try run(["curl", "--silent", "--output", "/dev/null", "http://127.0.0.1:\(port)/health"]).status == 0
        }
        let output = (try? String(contentsOfFile: space.file("nginx.out"), encoding: .utf8)) ?? ""
        try #require(up, "nginx did not start: \(output)")
        let traffic = try run([Program.root + "/Tools/demo/traffic.sh", String(port), "12"])
        try #require(traffic.status == 0, "\(traffic.errors)")
        let text = try String(contentsOfFile: prefix + "/access.log", encoding: .utf8)
        return text.split(separator: "\n").map(String.init)
    }

    /// What the answers must be, counted from the log itself.
    private func expectations(_ lines: [String]) throws -> [(sql: String, answer: String)] {
        var statuses: [Int: Int] = [:]
        var bytes = 0
        var agents: Set<String> = []
        for line in lines {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            statuses[try #require(object["status"] as? Int), default: 0] += 1
            bytes += try #require(object["bytes"] as? Int)
            agents.insert(try #require(object["user_agent"] as? String))
        }
        let byStatus = statuses.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)" }.joined(separator: "\n")
        return [
            ("SELECT count() FROM nginx", String(lines.count)),
            ("SELECT status, count() FROM nginx GROUP BY status ORDER BY status", byStatus),
            ("SELECT sum(bytes) FROM nginx", String(bytes)),
            ("SELECT uniqExact(user_agent) FROM nginx", String(agents.count)),
            (
                "SELECT count() FROM nginx WHERE user_agent = 'odd \"agent\" with \\\\ and ümlaut'",
                String(lines.filter { $0.contains("ümlaut") }.count)
            ),
            ("SELECT uniqExact(request_id) = count() FROM nginx", "1"),
        ]
    }

    @Test("ingested, queried, killed and started again: every answer stays the same")
    func wholeWay() throws {
        let space = try TemporaryFolder()
        let lines = try accessLog(in: space)
        #expect(lines.count > 1000)
        let expected = try expectations(lines)

        let data = space.file("data")
        var server = try Server(data: data)
        // Several requests, as a shipper would send them.
        for start in stride(from: 0, to: lines.count, by: 400) {
            let piece = lines[start..<min(start + 400, lines.count)]
            let reply = try server.ingest("nginx", piece.joined(separator: "\n") + "\n")
            #expect(reply.status == 200, "\(reply.text)")
            #expect(try reply.object()["accepted"] as? Int == piece.count)
        }
        #expect(try server.answer("SELECT count() FROM nginx", becomes: String(lines.count)) == String(lines.count))
        for (sql, answer) in expected { #expect(try server.answer(sql) == answer, "\(sql)") }

        for round in 1...3 {
            try server.kill9()
            server = try Server(data: data)
            #expect(try server.answer("SELECT count() FROM nginx", becomes: String(lines.count)) == String(lines.count))
            for (sql, answer) in expected { #expect(try server.answer(sql) == answer, "\(sql), restart \(round)") }
        }
        #expect(try server.stop() == 0)
        #expect(!server.child.leavesProcesses)

        // The command line reads the same folder without a server.
        let offline = try Program.run(
            ["query", "--data", data, "--format", "TabSeparated", "SELECT count() FROM nginx"])
        #expect(offline.status == 0, "\(offline.errors)")
        #expect(offline.output == "\(lines.count)\n")
    }

    @Test("the click event becomes a table whose nested fields have dotted names")
    func clickEventBecomesTable() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let reply = try server.ingest("events", clickEvent)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try reply.object()["accepted"] as? Int == 1)
        #expect(try server.answer("SELECT count() FROM events", becomes: "1") == "1")
        let answer = try server.answer(
            "SELECT type, user_id, session_id, toUnixTimestamp(timestamp), path, details.meta_a, `details.meta_b` "
                + "FROM events")
        #expect(answer == "click\t1\tFaAa31\t1713326652\t/getting-started\tmeta_a\tmeta_b")
        #expect(try server.stop() == 0)
    }

    @Test("the demo runs through, shows its three answers and leaves no process behind")
    func demo() throws {
        let space = try TemporaryFolder()
        let outcome = try run(
            [Program.root + "/Tools/demo/demo.sh", try Program.binary()],
            environment: ["DEMO_ONCE": "1", "DEMO_FOLDER": space.file("demo")], seconds: 180)
        #expect(outcome.status == 0, "\(outcome.output)\n\(outcome.errors)")
        #expect(outcome.output.contains("getting-started"))
        #expect(outcome.output.contains("┌"), "a table is drawn")
        #expect(outcome.output.contains("demo: ended"))
        #expect(processes(mentioning: space.path).isEmpty)
    }
}

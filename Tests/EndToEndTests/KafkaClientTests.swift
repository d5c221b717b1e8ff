import Foundation
import Glibc
import Testing

/// Real Kafka clients against the release binary, each as a process of its own; what they check is in their scripts,
/// under Tests/Clients. What they produced is asked for by SQL afterwards.
@Suite("Kafka clients")
struct KafkaClientTests {
    /// One client and one thing it does.
    struct Script: Sendable, CustomTestStringConvertible {
        var client: String
        var command: [String]
        var scenario: String
        /// Tables that must be there afterwards: name, rows.
        var tables: [(name: String, rows: Int)] = []
        var testDescription: String { "\(client): \(scenario)" }
    }

    private static let codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    private static func python(_ client: String, _ file: String, environment: String = ".venv") -> [String] {
        ["\(Program.root)/\(environment)/bin/python", "\(Program.root)/Tests/Clients/python/\(file)"]
    }

    private static func scripts(
        _ client: String, _ command: [String], _ scenarios: [String], topics prefix: String, rows: Int
    ) -> [Script] {
        scenarios.map { scenario in
            Script(
                client: client, command: command, scenario: scenario,
                tables: scenario == "produce" ? codecs.map { (prefix + "-" + $0, rows) } : [])
        }
    }

    static let confluent = python("confluent-kafka", "confluent.py")
    static let kafka3 = python("kafka-python 3", "kafkapy.py")
    static let kafka2 = python("kafka-python 2.0.2", "kafkapy.py", environment: ".venv/kafka-2.0.2")
    static let aiokafka = python("aiokafka", "aio.py")

    static let all: [Script] =
        scripts(
            "confluent-kafka", confluent,
            ["produce", "offsets", "group", "static", "admin", "errors", "transactions", "crowd"],
            topics: "confluent", rows: 500)
        + scripts(
            "kafka-python 3", kafka3, ["produce", "offsets", "group", "admin", "errors", "transactions"],
            topics: "kafka3", rows: 300)
        + scripts(
            "kafka-python 2.0.2", kafka2, ["produce", "offsets", "group", "admin", "errors"],
            topics: "kafka2", rows: 300)
        + scripts(
            "aiokafka", aiokafka, ["produce", "offsets", "group", "admin", "transactions"], topics: "aio", rows: 300)

    @Test("does what it can, and what it wrote is in tables exactly once", arguments: all)
    func client(_ script: Script) throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let outcome = try run(script.command + ["\(server.bootstrap)", script.scenario], seconds: 180)
        #expect(outcome.status == 0, "\(outcome.output.suffix(1000))\(outcome.errors.suffix(3000))\n\(server.log)")
        for (table, rows) in script.tables {
            let sql = "SELECT count(), uniqExact(n), min(n), max(n), uniqExact(client) FROM `\(table)`"
            let expected = "\(rows)\t\(rows)\t0\t\(rows - 1)\t1"
            #expect(try server.answer(sql, becomes: expected) == expected, "\(table)")
        }
        #expect(try server.stop() == 0)
    }

    @Test("kcat produces, reads alone and in a group, and asks for offsets")
    func kcat() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let outcome = try run(
            [Program.root + "/Tests/Clients/kcat.sh", "\(server.bootstrap)"], seconds: 180)
        #expect(outcome.status == 0, "\(outcome.output.suffix(1000))\(outcome.errors.suffix(3000))")
        for codec in Self.codecs {
            let sql = "SELECT uniqExact(n), max(path) FROM `kcat-\(codec)` WHERE n <= 300"
            #expect(try server.answer(sql, becomes: "300\t/p/6") == "300\t/p/6", "\(codec)")
        }
    }

    @Test("rsyslog, as the page on Kafka configures it, ships every line once")
    func rsyslog() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let port = try freePort()
        let documented = try documentedFile("rsyslog.conf", of: "docs/kafka.md")
            .replacingOccurrences(of: "localhost:9092", with: "\(server.bootstrap)")
        let configuration = """
            global(workDirectory="\(space.path)")
            module(load="imptcp")
            input(type="imptcp" address="127.0.0.1" port="\(port)")
            \(documented)
            """
        try configuration.write(toFile: space.file("rsyslog.conf"), atomically: true, encoding: .utf8)
        let daemon = try Child(
            ["/usr/sbin/rsyslogd", "-n", "-f", space.file("rsyslog.conf"), "-i", space.file("pid")],
            output: space.file("rsyslog.out"), errors: space.file("rsyslog.out"))
        let lines = (1...500).map {
            "<13>1 2025-03-01T10:00:00.\(String(format: "%03d", $0))Z web-1 shop 77 - - order \($0) \"paid\"\n"
        }
        try lines.joined().write(toFile: space.file("lines"), atomically: true, encoding: .utf8)
        let sent = try eventually {
            try run(["bash", "-c", "cat '\(space.file("lines"))' > /dev/tcp/127.0.0.1/\(port)"]).status == 0
        }
        let output = (try? String(contentsOfFile: space.file("rsyslog.out"), encoding: .utf8)) ?? ""
        try #require(sent, "rsyslog did not listen: \(output)")
        let sql =
            "SELECT count(), uniqExact(message), uniqExact(timestamp), any(host), any(program), any(severity) "
            + "FROM syslog"
        let expected = "500\t500\t500\tweb-1\tshop\tnotice"
        #expect(try server.answer(sql, becomes: expected) == expected, "\(output)")
        daemon.signal(SIGTERM)
        try daemon.wait(seconds: 30)
    }
}

/// The block of a page that stands below `<!-- file: NAME -->`.
func documentedFile(_ name: String, of page: String) throws -> String {
    let lines = try String(contentsOfFile: Program.root + "/" + page, encoding: .utf8)
        .split(separator: "\n", omittingEmptySubsequences: false)
    guard let mark = lines.firstIndex(of: "<!-- file: \(name) -->"), mark + 2 < lines.count else {
        throw HarnessError("\(page) has no file \(name)")
    }
    return lines[(mark + 2)...].prefix { !$0.hasPrefix("```") }.joined(separator: "\n") + "\n"
}

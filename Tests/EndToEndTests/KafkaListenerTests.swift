import Foundation
import Testing

/// Who may come in through Kafka's listener, and what comes of those who mean no good.
@Suite("Kafka listener")
struct KafkaListenerTests {
    private static let users = "adm:pw:admin,app:s=c;ret:ingest,rep:geheim:readonly"

    private func kcat(
        _ server: Server, _ arguments: [String], user: (name: String, password: String)?, mechanism: String = "PLAIN",
        ca: String? = nil, input: String? = nil
    ) throws -> (status: Int32, text: String) {
        let protocolName = (user == nil ? "" : "SASL_") + (ca == nil ? "PLAINTEXT" : "SSL")
        var command = ["kcat", "-b", server.bootstrap, "-X", "security.protocol=\(protocolName)"]
        if let user {
            command += [
                "-X", "sasl.mechanisms=\(mechanism)", "-X", "sasl.username=\(user.name)",
                "-X", "sasl.password=\(user.password)",
            ]
        }
        if let ca { command += ["-X", "ssl.ca.location=\(ca)"] }
        command += arguments
        let quoted = command.map { "'\($0)'" }.joined(separator: " ")
        let outcome = try run(
            ["bash", "-c", "\(input.map { "echo '\($0)' | " } ?? "")timeout 20 \(quoted)"], seconds: 60)
        return (Int32(outcome.status), outcome.output + outcome.errors)
    }

    @Test(
        "users log in by each mechanism and may do what their roles say",
        arguments: [
            "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512",
        ])
    func logins(_ mechanism: String) throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"), arguments: ["--users", Self.users])
        let sender = (name: "app", password: "s=c;ret")
        let reader = (name: "rep", password: "geheim")
        let sent = try kcat(server, ["-P", "-t", "in"], user: sender, mechanism: mechanism, input: "{\"n\":1}")
        #expect(sent.status == 0, "\(sent.text)\n\(server.log)")
        let read = try kcat(server, ["-C", "-e", "-q", "-t", "in"], user: reader, mechanism: mechanism)
        #expect(read.text.contains("{\"n\":1}"), "\(read.text)\n\(server.log)")
        let refused = try kcat(server, ["-P", "-t", "in"], user: reader, mechanism: mechanism, input: "{\"n\":2}")
        #expect(refused.text.contains("Topic authorization failed"), "\(refused.text)")
        let stranger = try kcat(
            server, ["-L", "-m", "4"], user: (name: "app", password: "wrong"), mechanism: mechanism)
        #expect(stranger.status != 0)
        #expect(try kcat(server, ["-L", "-m", "4"], user: nil).status != 0)
        #expect(server.log.contains("invalid credentials"))
    }

    @Test("records go through TLS both ways; who does not speak it is turned away")
    func tls() throws {
        let space = try TemporaryFolder()
        let made = try run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", space.file("key"), "-out",
            space.file("certificate"), "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        ])
        try #require(made.status == 0, "\(made.errors)")
        let server = try Server(
            data: space.file("data"),
            arguments: [
                "--users", Self.users, "--kafka-tls-certificate", space.file("certificate"), "--kafka-tls-key",
                space.file("key"),
            ])
        let lines = (1...50_000).map { "{\"n\":\($0),\"text\":\"longer than nothing\"}\n" }.joined()
        try lines.write(toFile: space.file("lines"), atomically: true, encoding: .utf8)
        let admin = (name: "adm", password: "pw")
        let ca = space.file("certificate")
        let sent = try kcat(server, ["-P", "-t", "in", "-l", space.file("lines")], user: admin, ca: ca)
        #expect(sent.status == 0, "\(sent.text)\n\(server.log)")
        let read = try kcat(server, ["-C", "-e", "-q", "-t", "in"], user: admin, ca: ca)
        #expect(read.text == lines, "\(read.text.count) of \(lines.count) characters")
        #expect(try kcat(server, ["-L", "-m", "4"], user: admin).status != 0)
    }

    @Test("random bytes, lengths of 2 GB, floods, and clients that stop or leave harm nobody else")
    func abuse() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let outcome = try run(
            [
                "python3", Program.root + "/Tests/Clients/python/abuse.py", "127.0.0.1", "\(server.kafkaPort)",
                "\(server.child.pid)",
            ], seconds: 300)
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }
}

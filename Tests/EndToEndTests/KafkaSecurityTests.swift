import Foundation
import Testing

/// Who may do what over Kafka, with the clients' own SASL and TLS.
@Suite("Kafka security")
struct KafkaSecurityTests {
    /// A client's way of logging in.
    struct Login: Sendable, CustomTestStringConvertible {
        var client: String
        var mechanism: String
        var tls: Bool
        var testDescription: String { "\(client), \(mechanism)\(tls ? " over TLS" : "")" }

        /// The client's settings for a user, as its script takes them.
        func settings(user: String, password: String, authority: String) -> String {
            let transport = tls ? "SASL_SSL" : "SASL_PLAINTEXT"
            if client == "confluent-kafka" {
                return """
                    {"security.protocol": "\(transport)", "sasl.mechanism": "\(mechanism)", "sasl.username": "\(user)",
                     "sasl.password": "\(password)", "ssl.ca.location": "\(authority)"}
                    """
            }
            return """
                {"security_protocol": "\(transport)", "sasl_mechanism": "\(mechanism)", "sasl_plain_username": "\(user)",
                 "sasl_plain_password": "\(password)", "ssl_cafile": "\(authority)"}
                """
        }
    }

    static let logins: [Login] = {
        var all: [Login] = []
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            all.append(Login(client: "confluent-kafka", mechanism: mechanism, tls: mechanism != "SCRAM-SHA-512"))
            all.append(Login(client: "kafka-python 3", mechanism: mechanism, tls: mechanism == "PLAIN"))
        }
        all.append(Login(client: "kafka-python 2.0.2", mechanism: "PLAIN", tls: true))
        all.append(Login(client: "kafka-python 2.0.2", mechanism: "SCRAM-SHA-256", tls: false))
        return all
    }()

    /// A certificate for 127.0.0.1 that is its own authority, and its key, in a folder.
    static func certificate(in space: TemporaryFolder) throws -> (certificate: String, key: String) {
        let certificate = space.file("server.pem")
        let key = space.file("server.key")
        let outcome = try run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate,
        ])
        guard outcome.status == 0 else { throw HarnessError("no certificate: \(outcome.errors)") }
        return (certificate, key)
    }

    /// A server with three users and a topic with a record.
    static func server(in space: TemporaryFolder, tls: Bool) throws -> (server: Server, authority: String) {
        let (certificate, key) = try certificate(in: space)
        var arguments = ["--users", "root:secret0:admin,app:secret1:ingest,reports:secret2:readonly"]
        if tls { arguments += ["--kafka-tls-certificate", certificate, "--kafka-tls-key", key] }
        let server = try Server(data: space.file("data"), arguments: arguments)
        let reply = try server.ingest("secured", "{\"n\":1}\n", ["--user", "root:secret0"])
        guard reply.status == 200 else { throw HarnessError("no record: \(reply.text)") }
        return (server, certificate)
    }

    @Test("each role may do its own and nothing else; a wrong password may do nothing", arguments: logins)
    func roles(_ login: Login) throws {
        let space = try TemporaryFolder()
        let (server, authority) = try Self.server(in: space, tls: login.tls)
        let script =
            switch login.client {
            case "confluent-kafka": KafkaClientTests.confluent
            case "kafka-python 2.0.2": KafkaClientTests.kafka2
            default: KafkaClientTests.kafka3
            }
        let users = [
            ("app", "secret1", "ingest"), ("reports", "secret2", "read"), ("app", "secret2", "intruder"),
            ("nobody", "secret0", "intruder"),
        ]
        for (user, password, scenario) in users {
            let outcome = try run(
                script + ["\(server.bootstrap)", scenario],
                environment: [
                    "CLIENT_SETTINGS": login.settings(user: user, password: password, authority: authority)
                ], seconds: 120)
            #expect(
                outcome.status == 0,
                "\(user) \(scenario): \(outcome.output.suffix(1000))\(outcome.errors.suffix(3000))\n\(server.log)")
        }
        #expect(try server.stop() == 0)
    }

    @Test("kcat logs in with every mechanism")
    func kcat() throws {
        let space = try TemporaryFolder()
        let (server, authority) = try Self.server(in: space, tls: true)
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            func kcat(_ user: String, _ password: String, _ arguments: [String], input: String? = nil) throws -> Outcome
            {
                let settings = [
                    "security.protocol=SASL_SSL", "sasl.mechanism=\(mechanism)", "sasl.username=\(user)",
                    "sasl.password=\(password)", "ssl.ca.location=\(authority)",
                ]
                let command =
                    ["kcat", "-b", "\(server.bootstrap)"] + settings.flatMap { ["-X", $0] } + arguments
                return try run(command, input: input.map { Data($0.utf8) }, seconds: 60)
            }
            let sent = try kcat("app", "secret1", ["-P", "-t", "secured"], input: "{\"n\":2}\n")
            #expect(sent.status == 0, "\(mechanism): \(sent.errors)")
            let read = try kcat(
                "reports", "secret2", ["-C", "-t", "secured", "-o", "beginning", "-e", "-q", "-c", "2"])
            #expect(read.output == "{\"n\":1}\n{\"n\":2}\n", "\(mechanism): \(read.errors)")
            let refused = try kcat("app", "wrong", ["-L", "-m", "5"])
            #expect(refused.status != 0, "\(mechanism): \(refused.output)")
        }
        // Without TLS, or without a login, there is nothing.
        let plain = try run(["kcat", "-L", "-m", "3", "-b", "\(server.bootstrap)"], seconds: 60)
        #expect(plain.status != 0, "\(plain.output)")
        #expect(try server.stop() == 0)
    }
}

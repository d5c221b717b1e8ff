import Foundation
import Glibc
import Synchronization

/// The release binary and the checkout it came from.
enum Program {
    /// The top folder of the checkout.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Path of the release binary: LOGSTORE_BINARY, or where `make build` puts it. Without one every test here fails.
    static func binary() throws -> String {
        let path = ProcessInfo.processInfo.environment["LOGSTORE_BINARY"] ?? root + "/.build/release/logstore"
        guard access(path, X_OK) == 0 else { throw HarnessError("no release binary at \(path): run make build") }
        return path
    }

    /// Puts a copy of the release binary at `path`. Another process makes it: were the copy written by this one, a
    /// child started meanwhile by a test in parallel would hold it open for writing, and it could not be run.
    static func copyBinary(to path: String) throws {
        let outcome = try EndToEndTests.run(["cp", try binary(), path])
        guard outcome.status == 0 else { throw HarnessError("cannot copy the binary: \(outcome.errors)") }
    }

    /// Runs the command line with some arguments.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], input: Data? = nil, seconds: Double = 120
    ) throws -> Outcome {
        try EndToEndTests.run(
            [try binary()] + arguments, environment: environment, input: input, seconds: seconds)
    }
}

/// A port that nobody listens on at this moment.
func freePort() throws -> UInt16 {
    while true {
        let port = try anyFreePort()
        if givenPorts.withLock({ $0.insert(port).inserted }) { return port }
    }
}

/// Ports given out before: the system may offer one again before it is used.
private let givenPorts = Mutex<Set<UInt16>>([])

private func anyFreePort() throws -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw HarnessError("no socket") }
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failure = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(socket, generic, length) != 0 || getsockname(socket, generic, &length) != 0
        }
    }
    guard !failure else { throw HarnessError("no free port") }
    return UInt16(bigEndian: address.sin_port)
}

/// An answer of the server, as curl saw it.
struct Reply {
    /// The HTTP status; 0 when there was no answer.
    var status: Int
    /// Header fields, names in lower case.
    var headers: [String: String]
    var body: Data
    /// What curl complained about.
    var complaint: String

    var text: String { String(decoding: body, as: UTF8.self) }
    /// The text without spaces and line ends around it.
    var trimmed: String { text.trimmingCharacters(in: .whitespacesAndNewlines) }

    /// The body as a JSON object.
    func object() throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw HarnessError("no JSON object: \(text.prefix(300))")
        }
        return object
    }

    /// The body as a JSON array.
    func array() throws -> [Any] {
        guard let array = try JSONSerialization.jsonObject(with: body) as? [Any] else {
            throw HarnessError("no JSON array: \(text.prefix(300))")
        }
        return array
    }
}

/// `logstore serve` as a process, with curl to talk to it.
final class Server: Sendable {
    let child: Child
    let port: UInt16
    /// Where Kafka clients are listened to.
    let kafkaPort: UInt16
    let folder: String
    private let space: TemporaryFolder

    /// What a Kafka client is told to connect to.
    var bootstrap: String { "127.0.0.1:\(kafkaPort)" }
    var url: String { "http://127.0.0.1:\(port)" }

    /// Starts a server on a data folder and waits until it answers. `prefix` goes before the program: a wrapper.
    init(
        data folder: String, arguments: [String] = [], prefix: [String] = [], program: String? = nil,
        dataArgument: String? = nil, environment: [String: String] = [:]
    ) throws {
        space = try TemporaryFolder()
        self.folder = folder
        port = try freePort()
        kafkaPort = try freePort()
        let program = try program ?? Program.binary()
        let command =
            prefix + [
                program, "serve", "--data", dataArgument ?? folder, "--http", "127.0.0.1:\(port)", "--kafka",
                "127.0.0.1:\(kafkaPort)",
            ] + arguments
        child = try Child(command, environment: environment, output: space.file("log"), errors: space.file("log"))
        let child = child
        let up = try eventually(seconds: 60) {
            guard child.isRunning else { return true }
            return try get("/ping").status == 200
        }
        guard up, child.isRunning else {
            throw HarnessError("the server did not come up: \(log.suffix(2000))")
        }
    }

    /// What the server wrote to its output so far.
    var log: String {
        String(decoding: (try? Data(contentsOf: URL(fileURLWithPath: space.file("log")))) ?? Data(), as: UTF8.self)
    }

    /// Sends a request with curl; `arguments` are curl's.
    func curl(_ path: String, _ arguments: [String] = [], body: Data? = nil, seconds: Int = 120) throws -> Reply {
        let place = try TemporaryFolder()
        var command = [
            "curl", "--silent", "--show-error", "--max-time", String(seconds), "--output", place.file("body"),
            "--dump-header", place.file("headers"), "--write-out", "%{http_code}", "--header", "Expect:",
        ]
        command += arguments
        if let body {
            try body.write(to: URL(fileURLWithPath: place.file("request")))
            command += ["--data-binary", "@" + place.file("request")]
        }
        command.append(url + path)
        let outcome = try run(command, seconds: Double(seconds) + 10)
        var headers: [String: String] = [:]
        let lines = (try? String(contentsOfFile: place.file("headers"), encoding: .utf8)) ?? ""
        for line in lines.split(whereSeparator: \.isNewline) {
            let pieces = line.split(separator: ":", maxSplits: 1)
            if pieces.count == 2 {
                headers[pieces[0].lowercased()] = pieces[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return Reply(
            status: Int(outcome.output) ?? 0, headers: headers,
            body: (try? Data(contentsOf: URL(fileURLWithPath: place.file("body")))) ?? Data(),
            complaint: outcome.errors)
    }

    func get(_ path: String) throws -> Reply { try curl(path, seconds: 20) }

    /// Asks a query; the answer in its default format or the one in its FORMAT clause.
    func query(_ sql: String) throws -> Reply { try curl("/", body: Data(sql.utf8)) }

    /// The answer's text without the last line end; an answer that is no success fails the test.
    func answer(_ sql: String) throws -> String {
        let reply = try query(sql)
        guard reply.status == 200 else { throw HarnessError("\(sql): \(reply.status) \(reply.trimmed)") }
        return reply.trimmed
    }

    /// Posts records to a topic.
    func ingest(_ topic: String, _ body: String, _ arguments: [String] = []) throws -> Reply {
        try curl("/ingest/" + topic, arguments, body: Data(body.utf8))
    }

    /// Waits until the query has the answer; returns the last one.
    func answer(_ sql: String, becomes expected: String, seconds: Double = 20) throws -> String {
        var last = ""
        _ = try eventually(seconds: seconds) {
            let reply = try query(sql)
            last = reply.status == 200 ? reply.trimmed : "\(reply.status) \(reply.trimmed)"
            return last == expected
        }
        return last
    }

    /// Ends the server as an operator does; returns its exit code.
    @discardableResult
    func stop() throws -> Int32 {
        child.signal(SIGTERM)
        return try child.wait(seconds: 60)
    }

    /// Ends the server as a power cut of its process does.
    func kill9() throws {
        child.signal(SIGKILL)
        try child.wait(seconds: 20)
    }
}

/// The event of a small web analytics, as a site would send it.
let clickEvent = """
    {"type":"click","user_id":"1","session_id":"FaAa31","timestamp":"2024-04-17T04:04:12","locale":"en",\
    "path":"/getting-started","appVersion":"0.0.1","details":{"meta_a":"meta_a","meta_b":"meta_b"}}
    """

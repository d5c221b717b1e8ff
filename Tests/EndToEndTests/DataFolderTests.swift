import Foundation
import Glibc
import Testing

/// What the program does with a data folder that it cannot or must not use.
@Suite("Data folder")
struct DataFolderTests {
    /// Starts a server that is expected to refuse; returns what it said. `program` runs as nobody when asked.
    private func refusal(data: String, prefix: [String] = [], program: String? = nil) throws -> Outcome {
        try run(
            prefix + [
                program ?? Program.binary(), "serve", "--data", data, "--http", "127.0.0.1:\(freePort())", "--kafka",
                "off",
            ],
            seconds: 30)
    }

    @Test("a folder in use is refused by every command that needs it for itself, and the first server goes on")
    func locked() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        let server = try Server(data: data)
        #expect(try server.ingest("t", "{\"a\":1}").status == 200)
        let second = try refusal(data: data)
        #expect(second.status == 1)
        #expect(second.errors.contains(data), "\(second.errors)")
        #expect(second.errors.lowercased().contains("lock") || second.errors.contains("use"), "\(second.errors)")
        for command in [["compact", "--data", data], ["check", "--data", data]] {
            let outcome = try Program.run(command)
            #expect(outcome.status == 1, "\(command): \(outcome.output)\(outcome.errors)")
            #expect(!outcome.errors.isEmpty)
        }
        #expect(try server.answer("SELECT count() FROM t", becomes: "1") == "1")
        #expect(try server.stop() == 0)
        // The lock goes with its holder.
        let check = try Program.run(["check", "--data", data])
        #expect(check.status == 0, "\(check.errors)")
    }

    @Test("a killed server leaves no lock behind")
    func staleLock() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        try server.kill9()
        #expect(try Server(data: space.file("data")).stop() == 0)
    }

    @Test("a folder that cannot be written to is refused by name")
    func unwritable() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        // Permissions do not bind root: root hands the folder to nobody's reach and runs the program as nobody.
        let program = space.file("logstore")
        try Program.copyBinary(to: program)
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        chmod(data, 0o555)
        defer { chmod(data, 0o755) }
        let outcome = try refusal(data: data, prefix: getuid() == 0 ? nobody : [], program: program)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(data), "\(outcome.errors)")
        #expect(outcome.errors.lowercased().contains("permission"), "\(outcome.errors)")
    }

    @Test("a folder of a newer version is refused and left as it is")
    func newerVersion() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        let server = try Server(data: data)
        #expect(try server.ingest("t", "{\"a\":1}").status == 200)
        #expect(try server.stop() == 0)
        try "logstore 999\n".write(toFile: data + "/VERSION", atomically: false, encoding: .utf8)
        let before = try FileManager.default.subpathsOfDirectory(atPath: data).sorted()
        let outcome = try refusal(data: data)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("999"), "\(outcome.errors)")
        #expect(try FileManager.default.subpathsOfDirectory(atPath: data).sorted() == before)
    }

    @Test("a folder that holds something else is refused, and what is in it stays")
    func foreignFolder() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        try "mine".write(toFile: data + "/notes.txt", atomically: false, encoding: .utf8)
        let outcome = try refusal(data: data)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(data), "\(outcome.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: data) == ["notes.txt"])
    }

    @Test("a data folder that is a file, and a port that is taken, are said so")
    func fileAndPort() throws {
        let space = try TemporaryFolder()
        try "x".write(toFile: space.file("data"), atomically: false, encoding: .utf8)
        let outcome = try refusal(data: space.file("data"))
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(space.file("data")), "\(outcome.errors)")

        let server = try Server(data: space.file("other"))
        let second = try Program.run(
            ["serve", "--data", space.file("third"), "--http", "127.0.0.1:\(server.port)", "--kafka", "off"],
            seconds: 30)
        #expect(second.status == 1)
        #expect(second.errors.contains(String(server.port)), "\(second.errors)")
    }

    @Test("a public address without users is refused unless told so")
    func publicAddress() throws {
        let space = try TemporaryFolder()
        let outcome = try Program.run(
            ["serve", "--data", space.file("data"), "--http", "0.0.0.0:\(freePort())", "--kafka", "off"], seconds: 30)
        #expect(outcome.status == 1 || outcome.status == 2)
        #expect(outcome.errors.contains("0.0.0.0"), "\(outcome.errors)")
    }
}

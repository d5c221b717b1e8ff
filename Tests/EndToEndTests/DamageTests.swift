import Foundation
import Glibc
import Testing

/// Files that are cut short or have a flipped bit: named by `check`, never a crash, never a wrong answer, and the log
/// is still there to be looked at.
@Suite("Damaged files")
struct DamageTests {
    enum Kind: String, Sendable, CaseIterable {
        case segment, offsetIndex, timeIndex, part, manifest

        func matches(_ path: String) -> Bool {
            let name = String(path.split(separator: "/").last ?? "")
            return switch self {
            case .segment: name.hasSuffix(".log")
            case .offsetIndex: name.hasSuffix(".index")
            case .timeIndex: name.hasSuffix(".timeindex")
            case .part: name.hasSuffix(".part")
            case .manifest: name.lowercased().contains("manifest")
            }
        }
    }

    enum Damage: String, Sendable, CaseIterable {
        case flippedBit, cutInHalf, emptied
    }

    static let rows = 30_000

    /// A data folder with a few parts and a log, of a server that was stopped in good order.
    private func folder(in space: TemporaryFolder) throws -> String {
        let data = space.file("data")
        let server = try Server(data: data, environment: ["LOGSTORE_FLUSH_INTERVAL": "100ms"])
        for batch in 0..<3 {
            let size = DamageTests.rows / 3
            let lines = (0..<size).map { row in
                "{\"timestamp\":\"2025-01-0\(batch + 1)T00:00:00Z\",\"id\":\(batch * size + row),\"text\":\"row \(row)\"}"
            }
            let reply = try server.ingest("t", lines.joined(separator: "\n"))
            try #require(reply.status == 200, "\(reply.text)")
        }
        let all = String(DamageTests.rows)
        try #require(try server.answer("SELECT count() FROM t", becomes: all) == all)
        try #require(try server.stop() == 0)
        return data
    }

    /// Damages the largest file of a kind; returns its name.
    private func damage(_ kind: Kind, _ damage: Damage, in data: String) throws -> String {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: data).filter(kind.matches)
        let sized = paths.map { path -> (path: String, size: Int) in
            var status = stat()
            stat(data + "/" + path, &status)
            return (path, Int(status.st_size))
        }
        let target = try #require(sized.max { $0.size < $1.size }, "no \(kind.rawValue) in \(paths)")
        let path = data + "/" + target.path
        switch damage {
        case .cutInHalf: truncate(path, target.size / 2)
        case .emptied: truncate(path, 0)
        case .flippedBit:
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            guard !bytes.isEmpty else { break }
            bytes[bytes.count / 2] ^= 0x10
            try bytes.write(to: URL(fileURLWithPath: path))
        }
        return String(target.path.split(separator: "/").last ?? "")
    }

    @Test("check names the damaged file and fails", arguments: Kind.allCases, Damage.allCases)
    func check(kind: Kind, damage: Damage) throws {
        let space = try TemporaryFolder()
        let data = try folder(in: space)
        let whole = try Program.run(["check", "--data", data])
        #expect(whole.status == 0, "\(whole.output)\(whole.errors)")
        let name = try self.damage(kind, damage, in: data)
        let outcome = try Program.run(["check", "--data", data])
        #expect(outcome.status < 128, "it must not crash: \(outcome.errors)")
        let said = outcome.output + outcome.errors
        // Indexes may be made again from the segment instead of being called damaged.
        if kind == .offsetIndex || kind == .timeIndex {
            #expect(outcome.status <= 1, "\(said)")
        } else {
            #expect(outcome.status == 1, "\(said)")
            #expect(said.contains(name) || said.contains("manifest"), "\(name): \(said)")
        }
    }

    @Test("the server starts or says why not; no row is wrong, none twice", arguments: Kind.allCases, Damage.allCases)
    func serve(kind: Kind, damage: Damage) throws {
        let space = try TemporaryFolder()
        let data = try folder(in: space)
        let name = try self.damage(kind, damage, in: data)
        let port = try freePort()
        let log = space.file("log")
        let child = try Child(
            [try Program.binary(), "serve", "--data", data, "--http", "127.0.0.1:\(port)", "--kafka", "off"],
            output: log, errors: log)
        let up = try eventually(seconds: 30) {
            guard child.isRunning else { return true }
            return try run(["curl", "--silent", "--fail", "http://127.0.0.1:\(port)/ping"]).status == 0
        }
        let said = { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
        #expect(up, "\(said())")
        guard child.isRunning else {
            // Refusing is right when going on could lose rows silently; the reason names the place.
            #expect(child.poll() == 1, "\(said())")
            #expect(said().contains(name) || said().contains("manifest"), "\(name): \(said())")
            return
        }
        let ask = { (sql: String) in
            try run(["curl", "--silent", "--data-binary", sql, "http://127.0.0.1:\(port)/"]).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        // A damaged part may show only when it is read: then it is set aside, and the next query answers.
        var answer = ""
        _ = try eventually {
            answer = try ask("SELECT count() = uniqExact(id), max(id) < \(DamageTests.rows), count() FROM t")
            return answer.hasPrefix("1\t1\t")
        }
        #expect(answer.hasPrefix("1\t1\t"), "\(answer)")
        let count = Int(answer.split(separator: "\t").last ?? "") ?? -1
        if kind == .part {
            let aside = try FileManager.default.subpathsOfDirectory(atPath: data).filter { $0.contains("detached") }
            let isWhole = count == DamageTests.rows
            #expect(isWhole || aside.contains { $0.hasSuffix(name) }, "\(count) rows, set aside: \(aside)")
            #expect(isWhole || said().contains(name) || said().contains("detached"), "\(said().suffix(1000))")
        } else {
            #expect(count == DamageTests.rows, "\(said().suffix(1000))")
        }
        // It takes new rows.
        let post = try run([
            "curl", "--silent", "--fail", "--data-binary", "{\"timestamp\":\"2025-01-09T00:00:00Z\",\"id\":-5}",
            "http://127.0.0.1:\(port)/ingest/t",
        ])
        #expect(post.status == 0, "\(post.output)")
        #expect(try eventually { try ask("SELECT count() FROM t WHERE id = -5") == "1" })
        child.signal(SIGTERM)
        #expect(try child.wait(seconds: 60) == 0, "\(said().suffix(1000))")
    }
}

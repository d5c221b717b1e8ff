import Foundation
import Glibc
import Testing

/// A mount namespace that lives until the value goes away; commands run inside it see its mounts.
final class MountNamespace: Sendable {
    private let holder: Child

    /// Makes a namespace and runs a shell script in it that sets its mounts up; `$1` … are `arguments`.
    init(setUp script: String, _ arguments: [String]) throws {
        let space = try TemporaryFolder()
        let ready = space.file("ready")
        // Root may make one outright; others need a user namespace around it.
        let user = getuid() == 0 ? [] : ["--map-root-user"]
        holder = try Child(
            ["unshare", "--mount"] + user + [
                "bash", "-euc", script + "\ntouch \"$0\"; exec sleep 600", ready,
            ] + arguments, output: space.file("log"), errors: space.file("log"))
        let holder = holder
        let up = eventually { access(ready, F_OK) == 0 || !holder.isRunning }
        guard up, holder.isRunning else {
            let log = (try? String(contentsOfFile: space.file("log"), encoding: .utf8)) ?? ""
            throw HarnessError("no mount namespace (these tests need root or user namespaces): \(log)")
        }
    }

    /// What to put before a command so that it runs inside.
    var prefix: [String] {
        let user = getuid() == 0 ? [] : ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", String(holder.pid), "--mount"] + user + ["--"]
    }

    deinit { holder.signal(SIGKILL) }
}

@Suite("Isolation")
struct IsolationTests {
    @Test("serves in a chroot that holds nothing but the binary, the data folder and /proc")
    func chroot() throws {
        let space = try TemporaryFolder()
        let root = space.file("root")
        let manager = FileManager.default
        for name in ["data", "proc"] {
            try manager.createDirectory(atPath: root + "/" + name, withIntermediateDirectories: true)
        }
        try Program.copyBinary(to: root + "/logstore")
        let namespace = try MountNamespace(setUp: "mount --rbind /proc \"$1/proc\"", [root])
        let server = try Server(
            data: root + "/data", prefix: namespace.prefix + ["chroot", root], program: "/logstore",
            dataArgument: "/data")
        let reply = try server.ingest("events", clickEvent)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try server.answer("SELECT type FROM events", becomes: "click") == "click")
        #expect(try server.answer("SELECT toDateTime(0, 'UTC')") == "1970-01-01 00:00:00")
        #expect(try server.get("/health").status == 200)
        #expect(try server.get("/metrics").status == 200)
        #expect(try server.stop() == 0)
        #expect(try manager.contentsOfDirectory(atPath: root).sorted() == ["data", "logstore", "proc"])
    }

    @Test("the binary is static, stripped, under 40 MB and without full Foundation")
    func binary() throws {
        let outcome = try run([Program.root + "/Tools/check-binary.sh", try Program.binary()])
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test("a full disk refuses new records by a clear error, keeps every acknowledged one, and works again with space")
    func fullDisk() throws {
        let space = try TemporaryFolder()
        let disk = space.file("disk")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        let namespace = try MountNamespace(setUp: "mount -t tmpfs -o size=24m tmpfs \"$1\"", [disk])
        let data = disk + "/data"
        var server = try Server(data: data, prefix: namespace.prefix)
        // Random letters do not compress: each request takes about a megabyte.
        var accepted = 0
        var refusal: Reply?
        for round in 0..<60 where refusal == nil {
            var generator = SystemRandomNumberGenerator()
            let lines = (0..<16).map { line -> String in
                let noise = Data((0..<49_152).map { _ in UInt8.random(in: 0...255, using: &generator) })
                return "{\"id\":\(round * 16 + line),\"noise\":\"\(noise.base64EncodedString())\"}"
            }
            let reply = try server.ingest("noise", lines.joined(separator: "\n"))
            if reply.status == 200 { accepted += 16 } else { refusal = reply }
        }
        let refused = try #require(refusal, "24 MB took more than 40 MB")
        #expect(accepted >= 16)
        #expect(refused.status >= 500, "\(refused.text)")
        let says = refused.text.lowercased()
        #expect(says.contains("space") || says.contains("full"), "\(refused.text)")
        // Reading goes on.
        #expect(server.child.isRunning)
        #expect(try server.answer("SELECT 1 + 1") == "2")
        #expect(try server.get("/health").status != 0)
        _ = try server.stop()

        // With space again everything acknowledged is there, and new records are taken.
        let grow = try run(namespace.prefix + ["mount", "-o", "remount,size=256m", disk])
        #expect(grow.status == 0, "\(grow.errors)")
        server = try Server(data: data, prefix: namespace.prefix)
        _ = try eventually { Int(try server.query("SELECT count() FROM noise").trimmed) ?? 0 >= accepted }
        let count = Int(try server.answer("SELECT count() FROM noise")) ?? 0
        #expect(count >= accepted && count <= accepted + 16, "\(count) rows of \(accepted) acknowledged")
        #expect(try server.answer("SELECT count() = uniqExact(id) FROM noise") == "1")
        #expect(try server.ingest("noise", "{\"id\":-1,\"noise\":\"\"}").status == 200)
        #expect(try server.answer("SELECT count() FROM noise WHERE id = -1", becomes: "1") == "1")
        #expect(try server.stop() == 0)
    }

    @Test("a limit on file sizes is met like a full disk, not by dying of its signal")
    func fileSizeLimit() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"), prefix: ["prlimit", "--fsize=3000000"])
        let line = "{\"text\":\"" + String(repeating: "0123456789abcdef", count: 40_000) + "\"}"
        var statuses: [Int] = []
        for _ in 0..<12 where statuses.last ?? 200 == 200 { statuses.append(try server.ingest("big", line).status) }
        #expect(server.child.isRunning, "\(server.log.suffix(500))")
        #expect(try server.answer("SELECT 2") == "2")
        _ = try server.stop()
    }

    @Test("an idle server uses next to no processor time")
    func idle() throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        #expect(try server.ingest("events", clickEvent).status == 200)
        #expect(try server.answer("SELECT count() FROM events", becomes: "1") == "1")
        usleep(3_000_000)
        let before = try processorTicks(server.child.pid)
        usleep(10_000_000)
        let spent = try processorTicks(server.child.pid) - before
        // A tick is 10 ms: 20 in 10 s are 2 % of one core.
        #expect(spent <= 20, "\(spent) ticks in ten idle seconds")
    }

    /// Processor time of a process so far, user and system, in ticks of 10 ms.
    private func processorTicks(_ pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            throw HarnessError("cannot read /proc/\(pid)/stat")
        }
        return user + system
    }
}

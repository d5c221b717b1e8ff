import Foundation
import Glibc
import Synchronization

/// A process that a test starts, in a process group of its own. Its output goes into files, so no pipe can block it.
final class Child: Sendable {
    /// The process's id.
    let pid: pid_t
    private let reaped = Mutex<Int32?>(nil)

    /// Starts a program found on PATH. `output` and `errors` are files to write to, nil for nowhere.
    init(
        _ command: [String], folder: String? = nil, environment: [String: String] = [:], input: String? = nil,
        output: String? = nil, errors: String? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let create = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", create, 0o644)
        if let errors, errors == output {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, errors ?? "/dev/null", create, 0o644)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The test runner blocks and ignores some signals; children begin with none of that.
        var none = sigset_t()
        sigemptyset(&none)
        var every = sigset_t()
        sigfillset(&every)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var variables = ProcessInfo.processInfo.environment
        for (name, value) in environment { variables[name] = value }
        let command = folder.map { ["env", "--chdir", $0] + command } ?? command
        let arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        let settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer {
            for text in arguments + settings { free(text) }
        }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, settings)
        guard failure == 0 else {
            throw HarnessError("cannot start \(command[0]): \(String(cString: strerror(failure)))")
        }
        self.pid = pid
    }

    /// Sends a signal to the process, once it is known to be still ours.
    func signal(_ number: Int32) {
        reaped.withLock { status in
            if status == nil { kill(pid, number) }
        }
    }

    /// Whether the process still runs.
    var isRunning: Bool { poll() == nil }

    /// The exit code, 128 and the signal when a signal ended it, or nil while it runs.
    func poll() -> Int32? {
        reaped.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            let signal = raw & 0x7F
            status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
            return status
        }
    }

    /// Waits for the end; kills the process and reports an error when it takes longer than `seconds`.
    @discardableResult
    func wait(seconds: Double) throws -> Int32 {
        let deadline = Date().addingTimeInterval(seconds)
        while true {
            if let status = poll() { return status }
            if Date() > deadline {
                signal(SIGKILL)
                throw HarnessError("process \(pid) did not end within \(seconds) s")
            }
            usleep(5_000)
        }
    }

    /// Whether any process of its group is left.
    var leavesProcesses: Bool { kill(-pid, 0) == 0 }

    deinit {
        if poll() == nil {
            kill(-pid, SIGKILL)
            var raw: Int32 = 0
            waitpid(pid, &raw, 0)
        }
    }
}

/// Command lines of all processes of this machine that mention a path.
func processes(mentioning path: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.filter { Int($0) != nil }.compactMap { name in
        guard let raw = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else { return nil }
        let line = String(decoding: raw, as: UTF8.self).replacingOccurrences(of: "\0", with: " ")
        return line.contains(path) ? "\(name) \(line)" : nil
    }
}

/// What went wrong in the harness itself, not in what it tests.
struct HarnessError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A folder that goes away with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array((NSTemporaryDirectory() + "/logstore-e2e-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw HarnessError("no temporary folder") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    /// The path of a file in it.
    func file(_ name: String) -> String { path + "/" + name }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What a program said and how it ended.
struct Outcome {
    var status: Int32
    var output: String
    var errors: String
}

/// Runs a program to its end.
func run(
    _ command: [String], folder: String? = nil, environment: [String: String] = [:], input: Data? = nil,
    seconds: Double = 120
) throws -> Outcome {
    let space = try TemporaryFolder()
    if let input { try input.write(to: URL(fileURLWithPath: space.file("in"))) }
    let child = try Child(
        command, folder: folder, environment: environment, input: input == nil ? nil : space.file("in"),
        output: space.file("out"), errors: space.file("err"))
    let status = try child.wait(seconds: seconds)
    func text(_ name: String) -> String {
        String(decoding: (try? Data(contentsOf: URL(fileURLWithPath: space.file(name)))) ?? Data(), as: UTF8.self)
    }
    return Outcome(status: status, output: text("out"), errors: text("err"))
}

/// Tries until `condition` holds; false when it did not within `seconds`.
func eventually(seconds: Double = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while true {
        if try condition() { return true }
        if Date() > deadline { return false }
        usleep(20_000)
    }
}

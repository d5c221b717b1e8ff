import ArgumentParser
import Server

/// The program: one binary that serves, asks, sends and looks after a data folder.
@main
struct Logstore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logstore",
        abstract: "Logs in by HTTP, kept durably in a log and in columns, out by SQL.",
        discussion: """
            Start a server:     logstore serve --data ./data
            Send records:       logstore ingest --topic events events.ndjson
            Ask:                logstore query "SELECT type, count() FROM events GROUP BY type"
            In a browser:       http://127.0.0.1:8123/
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, QueryCommand.self, IngestCommand.self, TailCommand.self, TopicsCommand.self,
            TablesCommand.self,
            CompactCommand.self, CheckCommand.self, VersionCommand.self,
        ])

    /// Runs the command line. Exit codes: 0 done, 1 the work failed, 2 wrong usage.
    static func main() async {
        prepareProcess()
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.complain(failure.message)
            Self.exit(withError: ExitCode(1))
        } catch let code as ExitCode {
            Self.exit(withError: code)
        } catch {
            let code = Self.exitCode(for: error)
            if code == .success { Self.exit(withError: error) }
            Terminal.complain(Self.fullMessage(for: error), prefix: false)
            Self.exit(withError: ExitCode(code == .validationFailure ? 2 : 1))
        }
    }
}

/// The work failed; the message says what, to what, and what to do.
struct CommandFailure: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

/// `logstore version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() throws {
        print("logstore \(Version.current)")
    }
}

import ArgumentParser
import NIOCore
import NIOHTTP1

/// `logstore tail`.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Print a topic's records as they arrive, one a line; Ctrl-C ends it.",
        discussion: """
            Examples:
              logstore tail nginx
              logstore tail --last 100 nginx | grep 500
              logstore tail --last 10 --once nginx              (print and end)
            """)

    @OptionGroup var client: ClientOptions
    @Option(name: [.short, .customLong("last")], help: "Begin this many records before the end.") var last = 10
    @Flag(help: "Begin at the oldest record there is.") var fromStart = false
    @Flag(help: "End when the last record is printed.") var once = false
    @Argument(help: "The topic.") var topic: String

    func validate() throws {
        guard last >= 0 else { throw ValidationError("--last wants a number from 0") }
    }

    func run() async throws {
        let server = try client.client()
        let from = fromStart ? "start" : "-\(last)"
        let request = server.request(.GET, "/tail/\(Client.escape(topic))?from=\(from)&follow=\(once ? 0 : 1)")
        let response = try await server.send(request, timeoutSeconds: 365 * 86_400)
        guard response.status == .ok else {
            throw CommandFailure(Client.message(try await Client.collect(response), response))
        }
        do {
            var line: [UInt8] = []
            for try await piece in response.body {
                // Empty lines only keep the connection alive.
                line.append(contentsOf: piece.readableBytesView)
                guard let end = line.lastIndex(of: 0x0A) else { continue }
                var output: [UInt8] = []
                for record in line[...end].split(separator: 0x0A) {
                    output.append(contentsOf: record)
                    output.append(0x0A)
                }
                line.removeSubrange(...end)
                if !output.isEmpty, !Terminal.write(output) { return }
            }
        } catch {
            throw CommandFailure("the stream broke off: \(Client.describe(error))")
        }
    }
}

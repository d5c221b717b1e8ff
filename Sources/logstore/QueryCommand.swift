import ArgumentParser
import AsyncHTTPClient
import Columnar
import Disk
import NIOCore
import NIOHTTP1
import QueryEngine
import Server
import Synchronization

/// `logstore query`.
struct QueryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Ask a question in SQL.",
        discussion: """
            The answer is a table on a terminal and tab-separated lines in a pipe, unless --format or a FORMAT clause says \
            otherwise. `-` reads the SQL from standard input.

            Examples:
              logstore query "SELECT count() FROM nginx"
              logstore query --format CSVWithNames "SELECT * FROM nginx LIMIT 10" > ten.csv
              logstore query --data ./data "SHOW TABLES"        (no server runs on that folder)
            """)

    @OptionGroup var client: ClientOptions
    @Option(help: "Open this data folder instead of asking a server.") var data: String?
    @Option(help: "Output format, such as PrettyCompact, TabSeparated, CSV, JSON, JSONEachRow.") var format: String?
    @Argument(help: "The SQL, or - for standard input.") var sql: String

    func run() async throws {
        let text = sql == "-" ? try StandardInput.readAll(maxBytes: 64 << 20) : Array(sql.utf8)
        let format = format ?? (Terminal.hasScreen ? "PrettyCompact" : "TabSeparated")
        if let data {
            try await ask(folder: data, text, format: format)
        } else {
            try await ask(server: try client.client(), text, format: format)
        }
    }

    private func ask(server: Client, _ text: [UInt8], format: String) async throws {
        let response = try await server.send(
            server.request(.POST, "/?default_format=\(Client.escape(format))", body: text))
        guard response.status == .ok else {
            throw CommandFailure(Client.message(try await Client.collect(response), response))
        }
        do {
            for try await piece in response.body {
                if !Terminal.write(Array(piece.readableBytesView)) { return }
            }
        } catch {
            throw CommandFailure("the answer broke off: \(Client.describe(error))")
        }
    }

    private func ask(folder: String, _ text: [UInt8], format: String) async throws {
        // The server makes a folder that is not there; a question about one is a mistake.
        guard (try? POSIXFileSystem().status(folder + "/VERSION")) != nil else {
            throw CommandFailure("\(folder) is no data folder: it holds no VERSION file")
        }
        let configuration: ServerConfiguration
        do throws(ConfigurationError) { configuration = try ServerConfiguration(flags: ["data": folder]) } catch {
            throw ValidationError(error.message)
        }
        try await FolderAccess.throwing { () throws(StoreError) in try FolderAccess.requireFolder(folder) }
        let store = try await ServeCommand.open(configuration)
        let failure: QueryError? = await withCheckedContinuation { continuation in
            _ = Thread(name: "query") {
                var options = QueryOptions()
                options.defaultFormat = format
                let result = Swift.Result { () throws(QueryError) in
                    try store.engine.run(text, options: options, sink: OutputSink())
                }
                store.close()
                if case .failure(let error) = result {
                    continuation.resume(returning: error)
                } else {
                    continuation.resume(returning: nil)
                }
            }
        }
        if let failure {
            throw CommandFailure(
                "Code: \(failure.code.number). DB::Exception: \(failure.message) (\(failure.code.name))")
        }
    }
}

/// Writes a result to standard output.
private final class OutputSink: ResultSink {
    func begin(format: ResultFormat, columns: [(name: String, type: DataType)]) throws(QueryError) {}

    func write(_ bytes: [UInt8]) throws(QueryError) {
        guard Terminal.write(bytes) else { throw QueryError(.queryWasCancelled, "standard output was closed") }
    }
}

import ArgumentParser
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
        var result = ResultReader(tag: response.headers.first(name: "X-ClickHouse-Exception-Tag"))
        do {
            for try await piece in response.body {
                if !Terminal.write(result.take(Array(piece.readableBytesView))) { return }
            }
        } catch {
            // A result that fails on the way says so at its end, and then breaks off.
            throw CommandFailure(result.exception ?? "the answer broke off: \(Client.describe(error))")
        }
        Terminal.write(result.rest)
        if let exception = result.exception { throw CommandFailure(exception) }
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

/// Tells a result from the exception that may stand at its end.
struct ResultReader {
    private let mark: [UInt8]?
    private var held: [UInt8] = []
    private var frame: [UInt8]?

    /// `tag` is what the server said would mark an exception; nil when there can be none.
    init(tag: String?) {
        mark = tag.map { Array("\r\n__exception__\r\n\($0)\r\n".utf8) }
    }

    /// Takes the next piece; returns what is result for certain.
    mutating func take(_ piece: [UInt8]) -> [UInt8] {
        guard let mark else { return piece }
        if frame != nil {
            frame?.append(contentsOf: piece)
            return []
        }
        held.append(contentsOf: piece)
        var position = 0
        while let start = held[position...].firstIndex(of: 0x0D) {
            let candidate = held[start...].prefix(mark.count)
            if candidate.elementsEqual(mark) {
                frame = Array(held[(start + mark.count)...])
                held = Array(held[..<start])
                return rest
            }
            // What may still become the mark is held back.
            if start + mark.count > held.count, mark.starts(with: candidate) { return release(start) }
            position = start + 1
        }
        return rest
    }

    private mutating func release(_ count: Int) -> [UInt8] {
        defer { held.removeSubrange(..<count) }
        return Array(held[..<count])
    }

    /// What is held back; it is result when nothing follows.
    var rest: [UInt8] {
        mutating get {
            defer { held = [] }
            return held
        }
    }

    /// The exception's text; nil when there is none.
    var exception: String? {
        guard let frame else { return nil }
        let text = String(decoding: frame, as: UTF8.self)
        // After the text stand its length and the tag.
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if let end = lines.lastIndex(where: { $0.hasPrefix("Code: ") }) { lines = Array(lines[...end]) }
        return lines.joined(separator: "\n")
    }
}

/// Writes a result to standard output.
private final class OutputSink: ResultSink {
    func begin(format: ResultFormat, columns: [(name: String, type: DataType)]) throws(QueryError) {}

    func write(_ bytes: [UInt8]) throws(QueryError) {
        guard Terminal.write(bytes) else { throw QueryError(.queryWasCancelled, "standard output was closed") }
    }
}

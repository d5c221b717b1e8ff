import ArgumentParser
import NIOHTTP1
import Server

/// `logstore topics`.
struct TopicsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "List, create, describe, change or delete topics.",
        discussion: """
            Examples:
              logstore topics list
              logstore topics create app.logs --partitions 3 --config retention.ms=86400000
              logstore topics alter app.logs --config retention.bytes=1000000000
              logstore topics describe app.logs
              logstore topics delete app.logs --yes
            """,
        subcommands: [List.self, Create.self, Alter.self, Describe.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all topics.")
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let topics = try await fetchTopics(try client.client(), .GET, "/api/topics")
            var table = TextTable(["topic", "partitions", "records", "bytes", "retention"])
            for topic in topics {
                table.add([
                    topic.name, String(topic.partitions.count), String(topic.records), Human.bytes(topic.bytes),
                    topic.config["retention.ms"].flatMap { Int64($0) }.map {
                        $0 < 0 ? "for ever" : "\($0 / 3_600_000) h"
                    } ?? "",
                ])
            }
            table.print()
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a topic.")
        @OptionGroup var client: ClientOptions
        @Option(help: "How many partitions.") var partitions = 1
        @Option(help: "A setting, name=value; may be repeated.") var config: [String] = []
        @Argument(help: "The topic's name.") var topic: String

        func run() async throws {
            let body = JSONValue.object([
                .init(name: "topic", value: .string(topic)),
                .init(name: "partitions", value: .number(String(partitions))),
                .init(name: "config", value: try parseConfig(config)),
            ])
            _ = try await fetchTopics(try client.client(), .POST, "/api/topics", body: body)
        }
    }

    struct Alter: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change a topic's settings.")
        @OptionGroup var client: ClientOptions
        @Option(help: "A setting, name=value; may be repeated.") var config: [String]
        @Argument(help: "The topic's name.") var topic: String

        func run() async throws {
            let body = JSONValue.object([.init(name: "config", value: try parseConfig(config))])
            _ = try await fetchTopics(try client.client(), .PUT, "/api/topics/\(Client.escape(topic))", body: body)
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a topic's settings and partitions.")
        @OptionGroup var client: ClientOptions
        @Argument(help: "The topic's name.") var topic: String

        func run() async throws {
            for topic in try await fetchTopics(try client.client(), .GET, "/api/topics/\(Client.escape(topic))") {
                var settings = TextTable(["setting", "value"])
                for (name, value) in topic.config.sorted(by: { $0.key < $1.key }) { settings.add([name, value]) }
                settings.print()
                var partitions = TextTable(["partition", "start_offset", "end_offset", "bytes", "segments"])
                for partition in topic.partitions { partitions.add(partition) }
                partitions.print()
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a topic and its records; the table of the same name stays.")
        @OptionGroup var client: ClientOptions
        @Flag(help: "Do it without asking (nobody is asked in a pipe).") var yes = false
        @Argument(help: "The topic's name.") var topic: String

        func run() async throws {
            if !yes, Terminal.hasScreen {
                throw ValidationError("this deletes the records of \(topic) for good; say --yes to do it")
            }
            _ = try await client.client().fetch(.DELETE, "/api/topics/\(Client.escape(topic))")
        }
    }
}

/// `logstore tables`.
struct TablesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "List all tables with their rows and bytes.")
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let sql =
            "SELECT name, total_rows AS rows, total_bytes AS bytes FROM system.tables WHERE database = 'default' ORDER BY name"
        let format = Terminal.hasScreen ? "PrettyCompact" : "TabSeparatedWithNames"
        Terminal.write(try await client.client().fetch(.POST, "/?default_format=\(format)", body: Array(sql.utf8)))
    }
}

private struct TopicListing {
    var name: String
    var config: [String: String] = [:]
    var partitions: [[String]] = []
    var records: Int64 = 0
    var bytes: UInt64 = 0

    init(_ json: JSONValue) {
        name = json["topic"]?.string ?? ""
        if case .object(let fields) = json["config"] ?? .null {
            for field in fields { config[field.name] = field.value.scalarText ?? "" }
        }
        for partition in json["partitions"]?.elements ?? [] {
            let numbers = ["partition", "start_offset", "end_offset", "bytes", "segments"].map {
                partition[$0]?.integer ?? 0
            }
            partitions.append(numbers.map { String($0) })
            records += numbers[2] - numbers[1]
            bytes += UInt64(max(0, numbers[3]))
        }
    }
}

private func fetchTopics(
    _ client: Client, _ method: HTTPMethod, _ path: String, body: JSONValue? = nil
) async throws -> [TopicListing] {
    var bytes: [UInt8]?
    if let body {
        var text: [UInt8] = []
        body.write(to: &text)
        bytes = text
    }
    let answer = try await client.fetch(method, path, body: bytes)
    do throws(JSONValue.ParseError) {
        return (try JSONValue(parsing: answer).elements ?? []).map { TopicListing($0) }
    } catch {
        throw CommandFailure("\(client.base) gave an answer that is \(error.description); is it a logstore server?")
    }
}

private func parseConfig(_ entries: [String]) throws -> JSONValue {
    .object(
        try entries.map { entry in
            guard let equals = entry.firstIndex(of: "=") else {
                throw ValidationError("--config `\(entry)` wants name=value")
            }
            return .init(name: String(entry[..<equals]), value: .string(String(entry[entry.index(after: equals)...])))
        })
}

/// Rows in columns: aligned on a terminal, tab-separated in a pipe.
struct TextTable {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: [String]) {
        self.header = header
    }

    /// Adds a row of as many cells as there are columns.
    mutating func add(_ row: [String]) { rows.append(row) }

    /// Writes the table to standard output.
    func print() {
        var text = ""
        if Terminal.hasScreen {
            let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
            for row in [header] + rows {
                let cells = zip(row, widths).map { cell, width in
                    cell + String(repeating: " ", count: width - cell.count)
                }
                text += cells.joined(separator: "  ") + "\n"
            }
        } else {
            for row in rows { text += row.joined(separator: "\t") + "\n" }
        }
        Terminal.write(Array(text.utf8))
    }
}

import ArgumentParser
import Columnar
import Disk
import NIOHTTP1
import Server

/// `logstore compact`.
struct CompactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Merge parts into fewer, better compressed ones.",
        discussion: """
            Made for cron: while a server runs it is asked to do it; on a folder that no server holds, --data does it here. \
            With --final each partition becomes one part.

            Examples:
              logstore compact
              logstore compact --table nginx --final
              logstore compact --data /var/lib/logstore --final
            """)

    @OptionGroup var client: ClientOptions
    @Option(help: "Open this data folder instead of asking a server.") var data: String?
    @Option(help: "Only this table.") var table: String?
    @Flag(help: "Merge down to one part a partition.") var final = false

    func run() async throws {
        if let data { try await compact(folder: data) } else { try await compact(server: try client.client()) }
    }

    private func compact(server: Client) async throws {
        var path = "/api/compact?final=\(final ? 1 : 0)"
        if let table { path += "&table=\(Client.escape(table))" }
        let answer = try await server.fetch(.POST, path, body: [])
        guard let reports = try? JSONValue(parsing: answer), let reports = reports.elements else {
            throw CommandFailure("\(server.base) gave an answer that is no report; is it a logstore server?")
        }
        for report in reports {
            func number(_ name: String) -> Int64 { report[name]?.integer ?? 0 }
            tell(
                report["table"]?.string ?? "", parts: (number("parts_before"), number("parts_after")),
                bytes: (UInt64(max(0, number("bytes_before"))), UInt64(max(0, number("bytes_after")))))
        }
        if reports.isEmpty { Terminal.write(Array("there are no tables\n".utf8)) }
    }

    private func tell(_ table: String, parts: (Int64, Int64), bytes: (UInt64, UInt64)) {
        let text = "\(table): \(parts.0) parts, \(Human.bytes(bytes.0)) → \(parts.1) parts, \(Human.bytes(bytes.1))\n"
        Terminal.write(Array(text.utf8))
    }

    private func compact(folder: String) async throws {
        let opened = try await FolderAccess.openCatalog(folder)
        var tables = opened.catalog.tables
        if let table {
            guard let one = opened.catalog.table(table) else {
                throw CommandFailure("there is no table \(table) in \(folder)")
            }
            tables = [one]
        }
        let isFinal = final
        for table in tables {
            let bar = ProgressBar(table.name)
            let report = try await FolderAccess.throwing { () throws(ColumnarError) in
                try table.compact(final: isFinal) { Self.shown(bar, $0) }
            }
            bar.clear()
            tell(
                table.name, parts: (Int64(report.partsBefore), Int64(report.partsAfter)),
                bytes: (report.bytesBefore, report.bytesAfter))
        }
        if tables.isEmpty { Terminal.write(Array("there are no tables\n".utf8)) }
        opened.close()
    }

    static func shown(_ bar: ProgressBar, _ progress: WorkProgress) {
        let rate = "\(Human.bytes(UInt64(Double(progress.doneBytes) / max(bar.elapsed, 0.001))))/s"
        bar.update(done: progress.doneBytes, total: progress.totalBytes, rate: rate)
    }
}

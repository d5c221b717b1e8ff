import ArgumentParser
import Columnar
import Disk
import LogStore
import Server

/// `logstore check`.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Verify every checksum of a data folder; names what is damaged.",
        discussion: """
            No server may run on the folder. Nothing is changed, save what opening it repairs (a torn last write).

            Example:
              logstore check --data /var/lib/logstore
            """)

    @Option(help: "The data folder.") var data: String

    func run() async throws {
        let opened = try await FolderAccess.openCatalog(data, withLog: true)
        var problems: [String] = []
        for table in opened.catalog.tables {
            let bar = ProgressBar(table.name)
            let found = await FolderAccess.blocking { table.check { CompactCommand.shown(bar, $0) } }
            bar.clear()
            // Opening the table sets parts aside that cannot even be opened: they are damaged like the others.
            let aside = try await FolderAccess.throwing { () throws(ColumnarError) in try table.detachedParts() }
            let damaged = (found + aside).map(\.description)
            problems += damaged
            Terminal.write(
                Array("table \(table.name): \(table.statistics.partCount) parts, \(damaged.count) damaged\n".utf8))
        }
        if let log = opened.logStore {
            let bar = ProgressBar("log")
            var found = try await FolderAccess.throwing { () throws(LogStoreError) in
                try log.verify { done, total in
                    let rate = "\(Human.bytes(UInt64(Double(done) / max(bar.elapsed, 0.001))))/s"
                    bar.update(done: UInt64(max(0, done)), total: UInt64(max(0, total)), rate: rate)
                }
            }
            bar.clear()
            for problem in log.recovery.problems where !found.contains(where: { $0.path == problem.path }) {
                found.append(problem)
            }
            problems += found.map(\.description)
            Terminal.write(Array("log: \(log.topics.count) topics, \(found.count) damaged files\n".utf8))
        }
        opened.close()
        for problem in problems { Terminal.complain(problem) }
        if !problems.isEmpty { throw ExitCode(1) }
        Terminal.write(Array("no damage found\n".utf8))
    }
}

/// A data folder opened without a server: only the tables, and the log when asked for. No background work runs.
struct FolderAccess: Sendable {
    let catalog: Catalog
    let logStore: LogStore?
    private let folder: DataFolder

    /// Opens and locks the folder, which must exist.
    static func openCatalog(_ path: String, withLog: Bool = false) async throws -> FolderAccess {
        try await throwing { () throws(StoreError) in
            try requireFolder(path)
            let fileSystem = POSIXFileSystem()
            do {
                let folder = try DataFolder.open(path, fileSystem: fileSystem)
                let log =
                    withLog
                    ? try LogStore.open(folder: path + "/log", fileSystem: fileSystem, clock: SystemClock()) : nil
                let catalog = try Catalog.open(folder: path + "/tables", fileSystem: fileSystem, clock: SystemClock())
                return FolderAccess(catalog: catalog, logStore: log, folder: folder)
            } catch {
                throw StoreError("\(error)")
            }
        }
    }

    /// Throws when there is no data folder at `path`: what only looks must not make one.
    static func requireFolder(_ path: String) throws(StoreError) {
        do throws(DiskError) {
            if try POSIXFileSystem().status(path + "/VERSION") != nil { return }
        } catch {
            throw StoreError(error.message)
        }
        throw StoreError("\(path) is no data folder: it holds no VERSION file")
    }

    /// Gives the folder back.
    func close() {
        logStore?.close()
        folder.close()
    }

    /// Runs `body` on a thread that may block.
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            _ = Thread(name: "work") { continuation.resume(returning: body()) }
        }
    }

    /// The same for what may fail; a failure ends the command.
    static func throwing<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws -> Value {
        let result = await blocking { Swift.Result { () throws(Failure) in try body() } }
        do throws(Failure) { return try result.get() } catch { throw CommandFailure("\(error)") }
    }
}

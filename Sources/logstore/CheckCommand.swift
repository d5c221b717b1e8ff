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
            var count = 0
            if case .success(let list) = found {
                problems += list.map(\.description)
                count = list.count
            }
            // Opening the table sets parts aside that cannot even be opened: they are damaged like the others.
            let aside = await FolderAccess.blocking { () throws(ColumnarError) in try table.detachedParts() }
            switch aside {
            case .success(let list):
                problems += list.map(\.description)
                count += list.count
            case .failure(let error): problems.append("table \(table.name): \(error.message)")
            }
            Terminal.write(Array("table \(table.name): \(table.statistics.partCount) parts, \(count) damaged\n".utf8))
        }
        if let log = opened.logStore {
            let found = await FolderAccess.blocking { Self.checkLog(log) }
            if case .success(let list) = found {
                problems += list
                Terminal.write(Array("log: \(log.topics.count) topics, \(list.count) damaged places\n".utf8))
            }
        }
        opened.close()
        for problem in problems { Terminal.complain(problem) }
        if !problems.isEmpty { throw ExitCode(1) }
        Terminal.write(Array("no damage found\n".utf8))
    }

    /// Reads every batch of every partition.
    private static func checkLog(_ log: LogStore) -> [String] {
        let bar = ProgressBar("log")
        defer { bar.clear() }
        let partitions = log.topics.flatMap(\.partitions)
        let total = partitions.reduce(UInt64(0)) { $0 + UInt64($1.sizeBytes) }
        var done: UInt64 = 0
        var problems: [String] = []
        for partition in partitions {
            var offset = partition.startOffset
            while offset < partition.endOffset {
                do throws(LogStoreError) {
                    let bytes = try partition.read(from: offset, maxBytes: 4 << 20)
                    done += UInt64(bytes.count)
                    var next = offset
                    try RecordBatch.forEachRecord(in: bytes, maxDecompressedBytes: 256 << 20) { record in
                        next = max(next, record.offset + 1)
                    }
                    if next == offset { break }
                    offset = next
                } catch {
                    problems.append(
                        "topic \(partition.topic), partition \(partition.partition), offset \(offset): \(error.message)"
                    )
                    guard let resume = error.resumeOffset, resume > offset else { break }
                    offset = resume
                }
                bar.update(
                    done: done, total: total, rate: "\(Human.bytes(UInt64(Double(done) / max(bar.elapsed, 0.001))))/s")
            }
        }
        return problems
    }
}

/// A data folder opened without a server: only the tables, and the log when asked for. No background work runs.
struct FolderAccess: Sendable {
    let catalog: Catalog
    let logStore: LogStore?
    private let folder: DataFolder

    /// Opens and locks the folder, which must exist.
    static func openCatalog(_ path: String, withLog: Bool = false) async throws -> FolderAccess {
        let result = await blocking { () throws(StoreError) in
            let fileSystem = POSIXFileSystem()
            do {
                guard try fileSystem.status(path + "/VERSION") != nil else {
                    throw StoreError("\(path) is no data folder: it holds no VERSION file")
                }
                let folder = try DataFolder.open(path, fileSystem: fileSystem)
                let log =
                    withLog
                    ? try LogStore.open(
                        folder: path + "/log", fileSystem: fileSystem, clock: SystemClock(), settings: LogSettings())
                    : nil
                let catalog = try Catalog.open(folder: path + "/tables", fileSystem: fileSystem, clock: SystemClock())
                return FolderAccess(catalog: catalog, logStore: log, folder: folder)
            } catch let error as StoreError {
                throw error
            } catch {
                throw StoreError("\(error)")
            }
        }
        do throws(StoreError) { return try result.get() } catch { throw CommandFailure(error.message) }
    }

    /// Gives the folder back.
    func close() {
        logStore?.close()
        folder.close()
    }

    /// Runs `body` on a thread that may block.
    static func blocking<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async -> Swift.Result<Value, Failure> {
        await withCheckedContinuation { continuation in
            _ = Thread(name: "work") {
                continuation.resume(returning: Swift.Result { () throws(Failure) in try body() })
            }
        }
    }
}

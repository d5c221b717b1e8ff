import Columnar
import Disk
import TestSupport

@testable import QueryEngine

/// A database whose tables are the column store's own, on a disk in memory, written to without a log.
final class MemoryDatabase: Database {
    let catalog: Catalog

    init() throws {
        catalog = try Catalog.open(
            folder: "/tables", fileSystem: SimulatedDisk(), clock: ManualClock(nowMs: 1_700_000_000_000))
    }

    func tableNames() -> [String] { catalog.tables.map(\.name).sorted() }

    func table(_ name: String) -> TableInfo? {
        guard let table = catalog.table(name) else { return nil }
        let definition = table.definition
        return TableInfo(
            name: name, columns: definition.visibleColumns, sortingKey: definition.visibleSortingKey, partitionBy: "",
            ttl: "", settings: definition.settings.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) },
            comment: definition.comment, rowCount: UInt64(table.statistics.rowCount), sizeBytes: 0, partCount: 0)
    }

    func snapshot(_ name: String) throws(QueryError) -> (any TableSnapshot)? {
        guard let table = catalog.table(name) else { return nil }
        do throws(ColumnarError) { return try table.currentSnapshot() } catch {
            throw QueryError(.corruptedData, error.message)
        }
    }

    func systemTable(_ name: String) throws(QueryError) -> Block? { nil }
    func systemTableNames() -> [String] { [] }

    private func table(named name: String) throws(QueryError) -> Table {
        guard let table = catalog.table(name) else { throw QueryError(.unknownTable, "no table \(name)") }
        return table
    }

    func createTable(_ statement: CreateTableStatement) throws(QueryError) {
        do throws(ColumnarError) {
            try catalog.createTable(
                TableDefinition(
                    name: statement.name.table, columns: statement.columns, sortingKey: statement.orderBy,
                    settings: Dictionary(statement.settings.map { ($0.name, $0.value) }) { $1 },
                    comment: statement.comment))
        } catch {
            throw QueryError(.badArguments, error.message)
        }
    }

    func dropTable(_ name: String) throws(QueryError) {
        do throws(ColumnarError) { try catalog.dropTable(name) } catch {
            throw QueryError(.unknownTable, error.message)
        }
    }

    func truncateTable(_ name: String) throws(QueryError) {
        let table = try table(named: name)
        do throws(ColumnarError) { try table.truncate() } catch { throw QueryError(.logicalError, error.message) }
    }

    func alterTable(_ name: String, _ actions: [AlterAction]) throws(QueryError) {
        let table = try table(named: name)
        do throws(ColumnarError) {
            for action in actions {
                switch action {
                case .addColumn(let column, _, _): try table.addColumns([column])
                case .dropColumn(let column, _): try table.dropColumn(column)
                default: break
                }
            }
        } catch {
            throw QueryError(.logicalError, error.message)
        }
    }

    func optimizeTable(_ name: String, final: Bool) throws(QueryError) { _ = try table(named: name) }

    func insert(into name: String, _ block: Block) throws(QueryError) {
        let table = try table(named: name)
        do throws(ColumnarError) {
            try table.append(block, deadLetters: nil, offsets: [:])
        } catch {
            throw QueryError(.logicalError, error.message)
        }
    }
}

/// Keeps a result.
final class MemorySink: ResultSink {
    private(set) var bytes: [UInt8] = []
    private(set) var format: ResultFormat?
    private(set) var pieces = 0

    func begin(format: ResultFormat, columns: [(name: String, type: DataType)]) throws(QueryError) {
        precondition(self.format == nil, "BUG: a result began twice")
        self.format = format
    }

    func write(_ bytes: [UInt8]) throws(QueryError) {
        precondition(format != nil, "BUG: bytes before the result began")
        self.bytes += bytes
        pieces += 1
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Gives an INSERT its data in pieces.
final class PieceData: InsertData {
    private var pieces: [[UInt8]]

    init(_ pieces: [[UInt8]]) { self.pieces = pieces.reversed() }

    /// The text cut into pieces of `size` bytes.
    convenience init(_ text: String, size: Int) {
        let bytes = Array(text.utf8)
        self.init(stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min(bytes.count, $0 + size)]) })
    }

    func next() throws(QueryError) -> [UInt8]? { pieces.popLast() }
}

/// An engine over an empty database.
struct TestEngine {
    let database: MemoryDatabase
    let engine: QueryEngine

    init() throws {
        database = try MemoryDatabase()
        var settings = EngineSettings()
        settings.queryLogSize = 10
        engine = QueryEngine(database: database, clock: ManualClock(nowMs: 1_700_000_000_000), settings: settings)
    }

    /// The statement's result as text.
    @discardableResult
    func run(_ sql: String, _ change: (inout QueryOptions) -> Void = { _ in }) throws(QueryError) -> String {
        try result(sql, change).text
    }

    func result(_ sql: String, _ change: (inout QueryOptions) -> Void = { _ in }) throws(QueryError) -> MemorySink {
        var options = QueryOptions()
        change(&options)
        let sink = MemorySink()
        _ = try engine.run(Array(sql.utf8), options: options, sink: sink)
        return sink
    }

    /// What is wrong with the statement; nil when nothing is.
    func failure(_ sql: String, _ change: (inout QueryOptions) -> Void = { _ in }) -> QueryError? {
        do throws(QueryError) {
            try run(sql, change)
            return nil
        } catch {
            return error
        }
    }
}

/// The text of a file of the repository.
func textOfFile(_ path: String) throws -> String {
    String(decoding: try POSIXFileSystem().readFile(path, maxBytes: 16 << 20), as: UTF8.self)
}

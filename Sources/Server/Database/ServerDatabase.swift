import Columnar
import Disk
import Ingest
import LogStore
import QueryEngine

/// The tables as queries see them, and the doing of statements: definitions go to the catalog, rows through the log.
final class ServerDatabase: Database {
    let catalog: Catalog
    let logStore: LogStore
    let ingestor: Ingestor
    let materializer: Materializer
    let configuration: ServerConfiguration
    let clock: any Clock

    init(
        catalog: Catalog, logStore: LogStore, ingestor: Ingestor, materializer: Materializer,
        configuration: ServerConfiguration, clock: any Clock
    ) {
        self.catalog = catalog
        self.logStore = logStore
        self.ingestor = ingestor
        self.materializer = materializer
        self.configuration = configuration
        self.clock = clock
    }

    func tableNames() -> [String] { catalog.tables.map(\.name) }

    func table(_ name: String) -> TableInfo? {
        guard let table = catalog.table(name) else { return nil }
        let definition = table.definition
        let statistics = table.statistics
        return TableInfo(
            name: name, columns: definition.visibleColumns, sortingKey: definition.visibleSortingKey,
            partitionBy: definition.partitionBy.sql, ttl: definition.ttl?.sql ?? "",
            settings: definition.settings.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) },
            comment: definition.comment, rowCount: UInt64(max(0, statistics.rowCount)), sizeBytes: statistics.sizeBytes,
            partCount: statistics.partCount)
    }

    func snapshot(_ name: String) throws(QueryError) -> (any TableSnapshot)? {
        guard let table = catalog.table(name) else { return nil }
        return try stored { () throws(ColumnarError) in try table.currentSnapshot() }
    }

    func createTable(_ statement: CreateTableStatement) throws(QueryError) {
        let definition = try TableDefinition(statement)
        do throws(ColumnarError) {
            try catalog.createTable(definition)
        } catch {
            if error.code == .tableExists, statement.ifNotExists { return }
            throw QueryError(error)
        }
        do throws(LogStoreError) {
            _ = try logStore.ensureTopic(definition.topic)
        } catch {
            throw QueryError(error)
        }
    }

    func dropTable(_ name: String) throws(QueryError) {
        let table = try existing(name)
        let ownsTopic = table.definition.topic == name && logStore.topic(name) != nil
        let readers = ownsTopic ? materializer.readers(of: name) : []
        guard readers.isEmpty else {
            throw QueryError(
                .badArguments,
                "Table \(name) goes with its topic, which other tables read: drop \(readers.joined(separator: ", ")) first"
            )
        }
        // The topic goes too: its records would make the table anew.
        try materializer.withoutFeeding(name) { () throws(QueryError) in
            if ownsTopic {
                do throws(LogStoreError) { try logStore.deleteTopic(name) } catch { throw QueryError(error) }
            }
            try stored { () throws(ColumnarError) in try catalog.dropTable(name) }
        }
    }

    func truncateTable(_ name: String) throws(QueryError) {
        let table = try existing(name)
        try materializer.withoutFeeding(name) { () throws(QueryError) in
            try stored { () throws(ColumnarError) in try table.truncate() }
        }
    }

    func insert(into name: String, _ block: Block) throws(QueryError) {
        let definition = try existing(name).definition
        guard definition.topic == name else {
            throw QueryError(
                .notImplemented, "Table \(name) takes its rows from topic \(definition.topic): send records there")
        }
        guard !definition.keepsLatest else {
            throw QueryError(.notImplemented, "Table \(name) takes changes of a source's rows, not INSERT")
        }
        let position: LogPosition?
        do throws(IngestError) { position = try ingestor.appendRows(block, table: name) } catch {
            throw QueryError(error)
        }
        guard let position else { return }
        // The rows are durable; whoever asks next should see them. When that takes too long it is no failure.
        _ = materializer.waitUntilVisible(position, timeoutMs: configuration.milliseconds("visible_timeout"))
    }

    func alterTable(_ name: String, _ actions: [AlterAction]) throws(QueryError) {
        let table = try existing(name)
        for action in actions {
            try apply(action, to: table)
        }
    }

    private func apply(_ action: AlterAction, to table: Table) throws(QueryError) {
        switch action {
        case .addColumn(let column, let ifNotExists, _):
            if ifNotExists, table.definition.column(column.name) != nil { return }
            try stored { () throws(ColumnarError) in try table.addColumns([column]) }
        case .dropColumn(let column, let ifExists):
            if ifExists, table.definition.column(column) == nil { return }
            try stored { () throws(ColumnarError) in try table.dropColumn(column) }
        case .modifyTTL(let expression):
            let ttl = try TableClauses.timeToLive(expression)
            try stored { () throws(ColumnarError) in try table.setTTL(ttl) }
        case .modifySettings(let settings):
            var all = table.definition.settings
            for setting in settings { all[setting.name] = setting.value }
            let merged = all
            if settings.contains(where: { $0.name == "max_bytes" }) {
                let maxBytes = try TableClauses.maxBytes(settings)
                try stored { () throws(ColumnarError) in try table.setMaxBytes(maxBytes) }
            }
            try stored { () throws(ColumnarError) in try table.setSettings(merged) }
        case .commentColumn(let column, _):
            guard table.definition.column(column) != nil else {
                throw QueryError(.noSuchColumn, "Table \(table.name) has no column \(column)")
            }
        }
    }

    /// Runs `body`, turning the column store's failures into a query's.
    private func stored<Value>(_ body: () throws(ColumnarError) -> Value) throws(QueryError) -> Value {
        do throws(ColumnarError) { return try body() } catch { throw QueryError(error) }
    }

    func optimizeTable(_ name: String, final: Bool) throws(QueryError) {
        let table = try existing(name)
        do throws(ColumnarError) { _ = try table.compact(final: final) } catch { throw QueryError(error) }
    }

    func existing(_ name: String) throws(QueryError) -> Table {
        guard let table = catalog.table(name) else {
            let near = nearest(to: name, in: tableNames()).map { ". Maybe you meant \($0)?" } ?? ""
            throw QueryError(.unknownTable, "Table \(name) does not exist\(near)")
        }
        return table
    }
}

extension PartitionScheme {
    /// The PARTITION BY expression; empty when there is none.
    var sql: String {
        switch self {
        case .none: ""
        case .day(let column): "toDate(\(Identifier.quoted(column)))"
        case .month(let column): "toYYYYMM(\(Identifier.quoted(column)))"
        }
    }
}

/// Names in SQL.
enum Identifier {
    /// The name as SQL writes it: in backquotes when it is no plain word.
    static func quoted(_ name: String) -> String {
        let plain = name.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                || $0 == UInt8(ascii: "_")
        }
        if plain, let first = name.utf8.first, !(0x30...0x39).contains(first) { return name }
        return "`" + name.map { $0 == "`" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "`"
    }
}

extension QueryError {
    /// The column store's failure as a query's.
    init(_ error: ColumnarError) {
        let code: Code
        switch error.code {
        case .corrupt: code = .corruptedData
        case .unknownTable: code = .unknownTable
        case .unknownColumn: code = .noSuchColumn
        case .tableExists: code = .tableAlreadyExists
        case .columnExists: code = .duplicateColumn
        case .invalidDefinition: code = .badArguments
        case .invalidValue: code = .typeMismatch
        case .newerVersion: code = .notImplemented
        case .disk:
            code = (error.cause as? DiskError)?.code == .full ? .notEnoughSpace : .logicalError
        }
        self.init(code, error.message)
    }

    /// Why rows could not be written.
    init(_ error: IngestError) {
        let code: Code
        switch error.code {
        case .invalidTopic: code = .badArguments
        case .invalidValue: code = .typeMismatch
        case .diskFull: code = .notEnoughSpace
        case .overloaded: code = .tooManyQueries
        case .unavailable: code = .aborted
        }
        self.init(code, error.message)
    }

    /// The log's failure as a query's.
    init(_ error: LogStoreError) {
        self.init(LogFailure(error).code, error.message)
    }
}

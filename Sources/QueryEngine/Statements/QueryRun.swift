import Columnar
import Disk

/// One statement being run.
struct QueryRun {
    /// Results go to the sink in pieces of about this many bytes.
    private static let pieceBytes = 64 << 10

    let engine: QueryEngine
    let sql: [UInt8]
    let options: QueryOptions
    let sink: any ResultSink
    let startNs: UInt64
    var settings = QuerySettings()
    var summary = QuerySummary()
    var context: QueryContext?

    init(engine: QueryEngine, sql: [UInt8], options: QueryOptions, sink: any ResultSink, startNs: UInt64) {
        self.engine = engine
        self.sql = sql
        self.options = options
        self.sink = sink
        self.startNs = startNs
    }

    var database: any Database { engine.database }

    /// The summary with what the context counted.
    func finished(now: UInt64) -> QuerySummary {
        var summary = summary
        summary.elapsedNs = now - min(now, startNs)
        if let context {
            summary.readRows = context.progress.rowsRead
            summary.readBytes = context.progress.bytesRead
            summary.peakMemoryBytes = UInt64(max(0, context.memory.peakBytes))
        }
        return summary
    }

    /// Parses the statement and does it.
    mutating func execute() throws(QueryError) {
        let parsed = try Parser.parse(sql, parameters: options.parameters)
        settings = try QuerySettings(options.settings, clause: parsed.settings)
        if options.isReadonly || settings.isReadonly { try refuseChange(parsed.statement) }
        let context = makeContext()
        self.context = context
        let format = parsed.format ?? options.defaultFormat
        switch parsed.statement {
        case .insert(let insert):
            try runInsert(insert, parsed, context)
        case .select(let query):
            try select(query, context, format: format)
        case .showTables, .showDatabases, .showCreateTable, .describe, .describeQuery, .exists, .existsDatabase,
            .explain:
            let block = try answer(parsed.statement, context)
            try write(block, format: format)
        default:
            try change(parsed.statement)
        }
    }

    private func makeContext() -> QueryContext {
        let engine = engine
        return QueryContext(
            database: database, databaseName: options.database, clock: engine.clock,
            limits: settings.limits(engine.settings), cancellation: options.cancellation,
            systemTables: { (name) throws(QueryError) in SystemTables(engine: engine).block(name) })
    }

    private func refuseChange(_ statement: Statement) throws(QueryError) {
        switch statement {
        case .insert, .createTable, .createDatabase, .dropTable, .truncateTable, .alterTable, .optimize:
            throw QueryError(
                .readonly,
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
                    + "Use POST for queries that modify data.")
        default: break
        }
    }

    // MARK: Results

    private mutating func select(_ query: SelectQuery, _ context: QueryContext, format: String) throws(QueryError) {
        let executor = try SelectExecutor(query, context: context)
        var result = try ResultWriter(
            format: format, columns: executor.columns, settings: settings, sink: sink, pieceBytes: Self.pieceBytes)
        do throws(QueryError) {
            try executor.run { (block) throws(QueryError) in try result.write(block) }
        } catch {
            guard result.isFull else {
                summary.resultRows = result.rowCount
                summary.resultBytes = result.byteCount
                throw error
            }
        }
        var statistics = ResultStatistics()
        statistics.rowsBeforeLimit = executor.rowsBeforeLimit
        statistics.totals = executor.totals
        try finish(&result, statistics)
    }

    /// Writes a result that is there at once.
    private mutating func write(_ block: Block, format: String) throws(QueryError) {
        let columns = zip(block.names, block.columns).map { (name: $0, type: $1.type) }
        var result = try ResultWriter(
            format: format, columns: columns, settings: settings, sink: sink, pieceBytes: Self.pieceBytes)
        if block.rowCount > 0 { try result.write(block) }
        try finish(&result, ResultStatistics())
    }

    private mutating func finish(_ result: inout ResultWriter, _ statistics: ResultStatistics) throws(QueryError) {
        var statistics = statistics
        let now = finished(now: engine.clock.steadyNs())
        statistics.elapsedSeconds = Double(now.elapsedNs) / 1e9
        statistics.rowsRead = now.readRows
        statistics.bytesRead = now.readBytes
        try result.finish(statistics)
        summary.resultRows = result.rowCount
        summary.resultBytes = result.byteCount
    }

    // MARK: Names

    /// The name under which the database knows a table: the whole dotted name first, then `default.name`.
    func resolve(_ name: TableName) throws(QueryError) -> TableInfo {
        if let info = find(name) { return info }
        if let database = name.database, !isDatabase(database), database != "system" {
            throw QueryError(
                .unknownDatabase, "Database \(database) does not exist; nor does a table \(name.whole)",
                at: name.position)
        }
        let meant = nearestName(to: name.database == "default" ? name.table : name.whole, in: database.tableNames())
        throw QueryError(
            .unknownTable, "Table \(name.qualified) does not exist" + (meant.map { ". Maybe you meant \($0)?" } ?? ""),
            at: name.position)
    }

    /// The table, if there is one.
    func find(_ name: TableName) -> TableInfo? {
        if let info = database.table(name.whole) { return info }
        guard let qualifier = name.database, qualifier == "default" || qualifier == options.database else {
            // `USE otel` or `database=otel` in the URL: the table `otel.logs` is `logs` there.
            guard name.database == nil, options.database != "default" else { return nil }
            return database.table("\(options.database).\(name.table)")
        }
        return database.table(name.table)
    }

    /// Whether something may be called a database: the one there is, or what stands before tables' dots.
    func isDatabase(_ name: String) -> Bool {
        name == "default" || name == "system" || database.tableNames().contains { $0.hasPrefix(name + ".") }
    }
}

extension TableName {
    /// Database and table with a dot between.
    var whole: String { database.map { "\($0).\(table)" } ?? table }

    /// The name as ClickHouse shows it, with its database.
    var qualified: String { "\(database ?? "default").\(table)" }
}

/// Formats blocks and hands the bytes to the sink in pieces; the sink hears of the result only when there is a piece.
private struct ResultWriter {
    private let format: ResultFormat
    private let columns: [(name: String, type: DataType)]
    private let sink: any ResultSink
    private let pieceBytes: Int
    private let maxRows: UInt64
    private let stopsQuietly: Bool
    private var output: any OutputFormat
    private var buffer: [UInt8] = []
    private var hasBegun = false
    private(set) var rowCount: UInt64 = 0
    private(set) var byteCount: UInt64 = 0
    /// Whether the limit on rows cut the result, as `result_overflow_mode = 'break'` wants.
    private(set) var isFull = false

    init(
        format: String, columns: [(name: String, type: DataType)], settings: QuerySettings, sink: any ResultSink,
        pieceBytes: Int
    ) throws(QueryError) {
        self.format = try OutputFormats.describe(format)
        self.columns = columns
        self.sink = sink
        self.pieceBytes = pieceBytes
        maxRows = settings.maxResultRows
        stopsQuietly = settings.stopsAtMaxResultRows
        output = try OutputFormats.make(format, columns: columns, settings: FormatSettings(settings.values))
        output.begin(into: &buffer)
    }

    mutating func write(_ block: Block) throws(QueryError) {
        rowCount += UInt64(block.rowCount)
        if maxRows > 0, rowCount > maxRows {
            guard stopsQuietly else {
                throw QueryError(
                    .tooManyRowsOrBytes,
                    "Limit for result exceeded: more than \(maxRows) rows (setting max_result_rows)")
            }
            output.write(block, into: &buffer)
            isFull = true
            throw QueryError(.tooManyRowsOrBytes, "The result is full")
        }
        // In pieces, so that a big block is not held as text whole.
        var start = 0
        while start < block.rowCount {
            let end = min(block.rowCount, start + granuleRows)
            let columns = block.columns.map { $0.slice(start..<end) }
            output.write(Block(names: block.names, columns: columns, rowCount: end - start), into: &buffer)
            start = end
            if buffer.count >= pieceBytes { try flush() }
        }
    }

    mutating func finish(_ statistics: ResultStatistics) throws(QueryError) {
        output.finish(statistics, into: &buffer)
        try flush()
    }

    private mutating func flush() throws(QueryError) {
        if !hasBegun {
            hasBegun = true
            try sink.begin(format: format, columns: columns)
        }
        guard !buffer.isEmpty else { return }
        byteCount += UInt64(buffer.count)
        try sink.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}

import Columnar

// INSERT: rows come as text in a format or from a SELECT, and go to the database block by block.

extension QueryRun {
    /// Rows and bytes that are gathered before they are handed on.
    private static let batch = (rows: 65_536, bytes: 16 << 20)

    mutating func runInsert(_ insert: InsertStatement, _ parsed: ParsedQuery, _ context: QueryContext)
        throws(QueryError)
    {
        let info = try resolve(changeable(insert.table))
        let columns = try insertColumns(insert, info)
        switch insert.source {
        case .select(let query):
            try insertSelect(query, info, columns, context)
        case .values:
            try insertRows("Values", parsed, info, columns, context)
        case .format(let format):
            try insertRows(format, parsed, info, columns, context)
        }
    }

    /// The columns that the statement names, or all.
    private func insertColumns(_ insert: InsertStatement, _ info: TableInfo) throws(QueryError) -> [ColumnDefinition] {
        guard let names = insert.columns, !names.isEmpty else { return info.columns }
        var columns: [ColumnDefinition] = []
        for name in names {
            guard let column = info.columns.first(where: { $0.name == name }) else {
                let meant = nearestName(to: name, in: info.columns.map(\.name)).map { ". Maybe you meant \($0)?" } ?? ""
                throw QueryError(
                    .noSuchColumn, "No such column \(name) in table \(info.name)\(meant)", at: insert.table.position)
            }
            guard !columns.contains(where: { $0.name == name }) else {
                throw QueryError(.duplicateColumn, "Column \(name) is named twice", at: insert.table.position)
            }
            columns.append(column)
        }
        return columns
    }

    // MARK: From text

    private mutating func insertRows(
        _ format: String, _ parsed: ParsedQuery, _ info: TableInfo, _ columns: [ColumnDefinition],
        _ context: QueryContext
    ) throws(QueryError) {
        let evaluator = ConstantEvaluator(context: context)
        var reader = try InputFormats.reader(format, settings: FormatSettings(settings.values)) {
            (text, type) throws(QueryError) in
            try evaluator.value(text, as: type)
        }
        var defaults: [Scalar] = []
        for column in columns { defaults.append(try evaluator.defaultValue(of: column)) }
        var rows = RowBuilder(columns: columns, defaults: defaults)
        var buffer = InsertBuffer(
            first: sql[(parsed.dataOffset ?? sql.count)...], source: options.inputData,
            maxRowBytes: engine.settings.maxInsertRowBytes)
        var isAtEnd = false
        while !isAtEnd {
            try context.checkpoint()
            isAtEnd = try readBatch(&reader, &buffer, &rows)
            if rows.rowCount > 0 { try store(rows.take(), info, columns, context) }
        }
        summary.writtenBytes = buffer.bytesTaken
    }

    /// Reads rows until a batch is full; true when the data has ended.
    private func readBatch(
        _ reader: inout any RowReader, _ buffer: inout InsertBuffer, _ rows: inout RowBuilder
    ) throws(QueryError) -> Bool {
        while true {
            let isComplete = buffer.isComplete
            var position = buffer.position
            let result: Result<RowOutcome, QueryError> = buffer.bytes.withUnsafeBytes { bytes in
                do throws(QueryError) {
                    while true {
                        let outcome = try reader.read(bytes, &position, isComplete: isComplete, into: &rows)
                        guard case .row = outcome, rows.rowCount < Self.batch.rows, rows.sizeBytes < Self.batch.bytes
                        else {
                            return .success(outcome)
                        }
                    }
                } catch {
                    return .failure(error)
                }
            }
            buffer.position = position
            switch try result.get() {
            case .row: return false
            case .end: return true
            case .incomplete: try buffer.fill(row: rows.rowNumber)
            }
        }
    }

    /// Adds columns with a DEFAULT that the statement leaves out, and hands the block on.
    private mutating func store(
        _ block: Block, _ info: TableInfo, _ columns: [ColumnDefinition], _ context: QueryContext
    ) throws(QueryError) {
        var block = block
        for column in info.columns
        where column.defaultExpression != nil && !columns.contains(where: { $0.name == column.name }) {
            let value = try ConstantEvaluator(context: context).defaultValue(of: column)
            block.names.append(column.name)
            block.columns.append(Column.constant(value, type: column.type, count: block.rowCount))
        }
        try database.insert(into: info.name, block)
        summary.writtenRows += UInt64(block.rowCount)
    }

    // MARK: From a query

    private mutating func insertSelect(
        _ query: SelectQuery, _ info: TableInfo, _ columns: [ColumnDefinition], _ context: QueryContext
    ) throws(QueryError) {
        let executor = try SelectExecutor(query, context: context)
        guard executor.columns.count == columns.count else {
            throw QueryError(
                .columnCountMismatch,
                "Number of columns doesn't match: the table takes \(columns.count), "
                    + "SELECT gives \(executor.columns.count)"
            )
        }
        var blocks: [Block] = []
        var rows = 0
        var written = self
        try executor.run { (block) throws(QueryError) in
            var cast: [Column] = []
            for (column, definition) in zip(block.columns, columns) {
                cast.append(try Cast.column(column, to: definition.type))
            }
            blocks.append(Block(names: columns.map(\.name), columns: cast, rowCount: block.rowCount))
            rows += block.rowCount
            guard rows >= Self.batch.rows else { return }
            try written.store(Self.joined(blocks, columns), info, columns, context)
            blocks = []
            rows = 0
        }
        if rows > 0 { try written.store(Self.joined(blocks, columns), info, columns, context) }
        summary.writtenRows = written.summary.writtenRows
    }

    private static func joined(_ blocks: [Block], _ columns: [ColumnDefinition]) -> Block {
        let joined = columns.enumerated().map { index, column in
            Column.concatenate(blocks.map { $0.columns[index] }, type: column.type)
        }
        return Block(names: columns.map(\.name), columns: joined, rowCount: blocks.reduce(0) { $0 + $1.rowCount })
    }
}

/// Gives expressions without columns their value.
struct ConstantEvaluator {
    let context: QueryContext

    /// The value of an expression's text, as the type.
    func value(_ text: [UInt8], as type: DataType) throws(QueryError) -> Scalar {
        let expression = try Parser.parseExpression(text)
        return try value(expression, as: type)
    }

    /// The value of an expression, as the type.
    func value(_ expression: Expression, as type: DataType) throws(QueryError) -> Scalar {
        var query = SelectQuery()
        query.projections = [expression]
        let executor = try SelectExecutor(query, context: context)
        var result: Scalar?
        try executor.run { (block) throws(QueryError) in
            guard result == nil, block.rowCount > 0 else { return }
            let wanted = block.columns[0].isNull(at: 0) ? type.madeNullable : type
            result = try Cast.column(block.columns[0].slice(0..<1), to: wanted).flattened().scalar(at: 0)
        }
        return result ?? .null
    }

    /// What a row without a value for the column gets.
    func defaultValue(of column: ColumnDefinition) throws(QueryError) -> Scalar {
        guard let text = column.defaultExpression else {
            return column.type.isNullable ? .null : column.type.defaultScalar
        }
        let expression = try Parser.parseExpression(Array(text.utf8))
        guard expression.columnNames.isEmpty else {
            throw QueryError(
                .notImplemented,
                "The DEFAULT of column \(column.name) depends on other columns, which is not supported: \(text)")
        }
        return try value(expression, as: column.type)
    }
}

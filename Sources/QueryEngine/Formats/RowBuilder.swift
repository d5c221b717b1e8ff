import Columnar

/// Rows of an INSERT gathered into columns.
struct RowBuilder {
    private enum Values {
        case strings(StringData, nulls: [UInt8]?)
        case scalars([Scalar])
    }

    let columns: [ColumnDefinition]
    /// What a row without a value gets.
    private let defaults: [Scalar]
    private let indices: [String: Int]
    private var values: [Values]
    /// Which columns the row being read has a value for.
    private var filled: [Bool]
    /// Rows of this batch.
    private(set) var rowCount = 0
    /// Rows of the batches before.
    private(set) var rowsBefore: UInt64 = 0
    /// About how much memory the batch takes.
    private(set) var sizeBytes = 0

    init(columns: [ColumnDefinition], defaults: [Scalar]) {
        self.columns = columns
        self.defaults = defaults
        indices = Dictionary(columns.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        filled = [Bool](repeating: false, count: columns.count)
        values = []
        reset()
    }

    private mutating func reset() {
        values = columns.map { $0.type.base == .string ? .strings(StringData(), nulls: nil) : .scalars([]) }
        rowCount = 0
        sizeBytes = 0
    }

    /// The number of the row being read, from 1.
    var rowNumber: UInt64 { rowsBefore + UInt64(rowCount) + 1 }

    /// The column's place; nil when there is none of that name.
    func index(of name: String) -> Int? { indices[name] }

    /// Whether the row has a value for the column already.
    func isFilled(_ column: Int) -> Bool { filled[column] }

    // MARK: Values

    /// Gives the row being read a value.
    mutating func append(_ scalar: Scalar, column: Int) {
        guard !filled[column] else { return }
        if case .null = scalar, !columns[column].type.isNullable {
            // NULL where none may be is the default, as ClickHouse's input_format_null_as_default has it.
            return appendDefault(column)
        }
        if case .string(let bytes) = scalar, case .strings = values[column] {
            return bytes.withUnsafeBytes { append(bytes: $0, column: column) }
        }
        store(scalar, column: column)
    }

    private mutating func store(_ scalar: Scalar, column: Int) {
        filled[column] = true
        switch values[column] {
        case .strings(var strings, var nulls):
            values[column] = .scalars([])
            switch scalar {
            case .string(let bytes): strings.append(bytes)
            default: strings.append([])
            }
            if scalar == .null, nulls == nil { nulls = [UInt8](repeating: 0, count: strings.count - 1) }
            nulls?.append(scalar == .null ? 1 : 0)
            values[column] = .strings(strings, nulls: nulls)
        case .scalars(var scalars):
            values[column] = .scalars([])
            scalars.append(scalar)
            values[column] = .scalars(scalars)
            sizeBytes += MemoryLayout<Scalar>.stride
            if case .array(let items) = scalar { sizeBytes += items.count * 16 }
            if case .map(let items) = scalar { sizeBytes += items.count * 32 }
        }
    }

    /// Gives the row being read a string, for columns of strings.
    mutating func append(bytes: UnsafeRawBufferPointer, column: Int) {
        guard !filled[column] else { return }
        guard case .strings(var strings, var nulls) = values[column] else { return }
        filled[column] = true
        values[column] = .scalars([])
        strings.append(bytes)
        nulls?.append(0)
        sizeBytes += bytes.count + 4
        values[column] = .strings(strings, nulls: nulls)
    }

    /// Gives the row being read the column's default.
    mutating func appendDefault(_ column: Int) {
        guard !filled[column] else { return }
        store(defaults[column], column: column)
    }

    /// Reads a value from its text. Throws with the row, the column and its type.
    mutating func append(text: UnsafeRawBufferPointer, column: Int) throws(QueryError) {
        if case .strings = values[column] { return append(bytes: text, column: column) }
        let scalar: Scalar
        do throws(ColumnarError) {
            scalar = try ValueText.parseScalar(text, type: columns[column].type)
        } catch {
            throw problem(error.message, column: column)
        }
        append(scalar, column: column)
    }

    /// What is wrong with a value: row, column, type.
    func problem(_ message: String, column: Int) -> QueryError {
        let definition = columns[column]
        return QueryError(
            .cannotParseText,
            "\(message): (at row \(rowNumber), column \(definition.name), type \(definition.type.name))")
    }

    /// What is wrong with a row.
    func problem(_ message: String) -> QueryError {
        QueryError(.cannotParseInput, "Cannot parse input: \(message): (at row \(rowNumber))")
    }

    // MARK: Rows

    /// Ends the row; columns without a value get their default.
    mutating func endRow() {
        for column in columns.indices {
            if !filled[column] { appendDefault(column) }
            filled[column] = false
        }
        rowCount += 1
    }

    /// Takes the batch out as a block.
    mutating func take() -> Block {
        var result: [Column] = []
        for (index, definition) in columns.enumerated() {
            switch values[index] {
            case .strings(let strings, let nulls):
                result.append(Column(type: definition.type, data: .string(strings), nulls: nulls))
            case .scalars(let scalars): result.append(Column(type: definition.type, scalars: scalars))
            }
        }
        let block = Block(names: columns.map(\.name), columns: result, rowCount: rowCount)
        rowsBefore += UInt64(rowCount)
        reset()
        return block
    }
}

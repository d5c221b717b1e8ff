import Columnar
import Disk

/// The tables of the `system` database that the engine makes itself. What the database keeps under the same name
/// comes first.
struct SystemTables {
    let engine: QueryEngine

    private static let own = [
        "columns", "data_type_families", "databases", "formats", "functions", "numbers", "one", "processes",
        "query_log",
        "settings", "table_engines", "tables",
    ]

    /// The names of all system tables, sorted.
    var names: [String] { Set(Self.own + engine.database.systemTableNames()).sorted() }

    /// What counts as a database: `default`, `system`, and what stands before tables' first dot.
    var databases: [String] {
        var names: Set<String> = ["default", "system"]
        for table in engine.database.tableNames() {
            if let dot = table.firstIndex(of: "."), dot > table.startIndex { names.insert(String(table[..<dot])) }
        }
        return names.sorted()
    }

    /// The table's rows; nil when the engine makes none of that name.
    func block(_ name: String) -> Block? {
        if engine.database.systemTableNames().contains(name) { return nil }
        switch name {
        case "one": return Block(names: ["dummy"], columns: [Column(type: .uint8, data: .uint8([0]))], rowCount: 1)
        case "databases": return databasesBlock()
        case "tables": return tables()
        case "columns": return columns()
        case "settings": return settings()
        case "functions": return functions()
        case "formats": return formats()
        case "table_engines": return .strings([("name", ["MergeTree"])])
        case "data_type_families": return dataTypes()
        case "processes": return processes()
        case "query_log": return engine.log.block()
        default: return nil
        }
    }

    private func texts(_ values: [String]) -> [Scalar] { values.map { .text($0) } }

    private func databasesBlock() -> Block {
        let names = databases
        var table = TableBuilder()
        table.add("name", .string, texts(names))
        table.add("engine", .string, names.map { _ in .text("Atomic") })
        table.add("data_path", .string, names.map { _ in .text("") })
        table.add("metadata_path", .string, names.map { _ in .text("") })
        table.add("uuid", .uuid, names.map { _ in .wide(0) })
        table.add("comment", .string, names.map { _ in .text("") })
        return table.block
    }

    /// User tables by their names, and the system's, whose columns nobody looks at.
    private var tableRows: [(database: String, info: TableInfo)] {
        let database = engine.database
        let user = database.tableNames().compactMap { name in database.table(name).map { ("default", $0) } }
        let system = names.map { name in
            (
                "system",
                TableInfo(
                    name: name, columns: [], sortingKey: [], partitionBy: "", ttl: "", rowCount: 0, sizeBytes: 0,
                    partCount: 0)
            )
        }
        return user + system
    }

    private func tables() -> Block {
        let rows = tableRows
        var table = TableBuilder()
        func isUser(_ row: (database: String, info: TableInfo)) -> Bool { row.database != "system" }
        table.add("database", .string, texts(rows.map(\.database)))
        table.add("name", .string, texts(rows.map(\.info.name)))
        table.add("uuid", .uuid, rows.map { _ in .wide(0) })
        table.add("engine", .string, rows.map { .text(isUser($0) ? "MergeTree" : "System") })
        table.add("is_temporary", .uint8, rows.map { _ in .uint(0) })
        table.add("create_table_query", .string, rows.map { .text(isUser($0) ? TableText.create($0.info) : "") })
        table.add(
            "engine_full", .string,
            rows.map {
                .text(isUser($0) ? String(TableText.engine($0.info, separator: " ").dropFirst("ENGINE = ".count)) : "")
            })
        table.add("partition_key", .string, texts(rows.map(\.info.partitionBy)))
        let keys = rows.map { $0.info.sortingKey.map { SQLWriter.identifier($0) }.joined(separator: ", ") }
        table.add("sorting_key", .string, texts(keys))
        table.add("primary_key", .string, texts(keys))
        table.add("sampling_key", .string, rows.map { _ in .text("") })
        let count = DataType.nullable(.uint64)
        table.add("total_rows", count, rows.map { isUser($0) ? .uint($0.info.rowCount) : .null })
        table.add("total_bytes", count, rows.map { isUser($0) ? .uint($0.info.sizeBytes) : .null })
        table.add("parts", count, rows.map { isUser($0) ? .uint(UInt64($0.info.partCount)) : .null })
        table.add("comment", .string, texts(rows.map(\.info.comment)))
        return table.block
    }

    private func columns() -> Block {
        var rows: [(database: String, info: TableInfo, position: Int, column: ColumnDefinition)] = []
        // System tables are left out: to know their columns is to make them.
        for (database, info) in tableRows {
            for (index, column) in info.columns.enumerated() { rows.append((database, info, index + 1, column)) }
        }
        var table = TableBuilder()
        table.add("database", .string, texts(rows.map(\.database)))
        table.add("table", .string, texts(rows.map(\.info.name)))
        table.add("name", .string, texts(rows.map(\.column.name)))
        table.add("type", .string, texts(rows.map(\.column.type.name)))
        table.add("position", .uint64, rows.map { .uint(UInt64($0.position)) })
        table.add("default_kind", .string, rows.map { .text($0.column.defaultExpression == nil ? "" : "DEFAULT") })
        table.add("default_expression", .string, rows.map { .text($0.column.defaultExpression ?? "") })
        table.add("data_compressed_bytes", .uint64, rows.map { _ in .uint(0) })
        table.add("data_uncompressed_bytes", .uint64, rows.map { _ in .uint(0) })
        table.add("marks_bytes", .uint64, rows.map { _ in .uint(0) })
        table.add("comment", .string, texts(rows.map(\.column.comment)))
        table.add(
            "is_in_partition_key", .uint8, rows.map { .uint($0.info.partitionBy.contains($0.column.name) ? 1 : 0) })
        let isKey = rows.map { Scalar.uint($0.info.sortingKey.contains($0.column.name) ? 1 : 0) }
        table.add("is_in_sorting_key", .uint8, isKey)
        table.add("is_in_primary_key", .uint8, isKey)
        table.add("is_in_sampling_key", .uint8, rows.map { _ in .uint(0) })
        table.add("compression_codec", .string, rows.map { _ in .text("") })
        addPrecisions(rows.map(\.column.type.base), to: &table)
        return table.block
    }

    private func addPrecisions(_ types: [DataType], to table: inout TableBuilder) {
        let number = DataType.nullable(.uint64)
        table.add("character_octet_length", number, types.map { _ in .null })
        let bits = types.map { type -> Scalar in
            guard type.isInteger || type.isFloat else { return .null }
            switch type.physical {
            case .int8, .uint8: return .uint(8)
            case .int16, .uint16: return .uint(16)
            case .int32, .uint32, .float32: return .uint(32)
            default: return .uint(64)
            }
        }
        table.add("numeric_precision", number, bits)
        table.add("numeric_precision_radix", number, bits.map { $0 == .null ? .null : .uint(2) })
        table.add("numeric_scale", number, types.map { $0.isInteger ? .uint(0) : .null })
        table.add(
            "datetime_precision", number,
            types.map { type in
                switch type {
                case .dateTime: .uint(0)
                case .dateTime64(let precision, _): .uint(UInt64(precision))
                default: .null
                }
            })
    }

    private func settings() -> Block {
        let rows = QuerySettings.known
        let text = DataType.nullable(.string)
        var table = TableBuilder()
        table.add("name", .string, texts(rows.map(\.name)))
        table.add("value", .string, texts(rows.map(\.standard)))
        table.add("changed", .uint8, rows.map { _ in .uint(0) })
        table.add("description", .string, texts(rows.map(\.description)))
        table.add("min", text, rows.map { _ in .null })
        table.add("max", text, rows.map { _ in .null })
        table.add("readonly", .uint8, rows.map { _ in .uint(0) })
        table.add("type", .string, texts(rows.map(\.kind.rawValue)))
        table.add("default", .string, texts(rows.map(\.standard)))
        table.add("is_obsolete", .uint8, rows.map { _ in .uint(0) })
        return table.block
    }

    private func functions() -> Block {
        let aggregates = AggregateRegistry.names
        let rows = FunctionRegistry.names.sorted() + aggregates
        let isAggregate = rows.indices.map { $0 >= rows.count - aggregates.count }
        let isAnyCase = zip(rows, isAggregate).map {
            $1 ? AggregateRegistry.isCaseInsensitive($0) : FunctionRegistry.isCaseInsensitive($0)
        }
        let targets = zip(rows, isAggregate).map { $1 ? AggregateRegistry.aliasTarget(of: $0) ?? "" : "" }
        var table = TableBuilder()
        table.add("name", .string, texts(rows))
        table.add("is_aggregate", .uint8, isAggregate.map { .uint($0 ? 1 : 0) })
        table.add("case_insensitive", .uint8, isAnyCase.map { .uint($0 ? 1 : 0) })
        table.add("alias_to", .string, texts(targets))
        table.add("create_query", .string, rows.map { _ in .text("") })
        table.add("origin", .string, rows.map { _ in .text("System") })
        for name in [
            "description", "syntax", "arguments", "parameters", "returned_value", "examples", "introduced_in",
            "categories",
        ] {
            table.add(name, .string, rows.map { _ in .text("") })
        }
        return table.block
    }

    private func formats() -> Block {
        let rows = Set(OutputFormats.names + InputFormats.names).sorted()
        let outputs = Set(OutputFormats.names)
        let inputs = Set(InputFormats.names)
        var table = TableBuilder()
        table.add("name", .string, texts(rows))
        table.add("is_input", .uint8, rows.map { .uint(inputs.contains($0) ? 1 : 0) })
        table.add("is_output", .uint8, rows.map { .uint(outputs.contains($0) ? 1 : 0) })
        return table.block
    }

    private func dataTypes() -> Block {
        let names = [
            "Array", "Bool", "Date", "DateTime", "DateTime64", "Enum16", "Enum8", "Float32", "Float64", "IPv4", "IPv6",
            "Int16",
            "Int32", "Int64", "Int8", "LowCardinality", "Map", "Nullable", "String", "UInt16", "UInt32", "UInt64",
            "UInt8", "UUID",
        ]
        var table = TableBuilder()
        table.add("name", .string, texts(names))
        table.add(
            "case_insensitive", .uint8,
            names.map { .uint(["Bool", "Date", "DateTime", "DateTime64"].contains($0) ? 1 : 0) })
        table.add("alias_to", .string, names.map { _ in .text("") })
        return table.block
    }

    private func processes() -> Block {
        let now = engine.clock.steadyNs()
        let rows = engine.runningQueries.sorted { $0.startNs < $1.startNs }
        var table = TableBuilder()
        table.add("query_id", .string, texts(rows.map(\.queryID)))
        table.add("user", .string, texts(rows.map(\.user)))
        table.add("elapsed", .float64, rows.map { .float(Double(now - min(now, $0.startNs)) / 1e9) })
        table.add("is_cancelled", .uint8, rows.map { .uint($0.cancellation.isCancelled ? 1 : 0) })
        table.add("query", .string, rows.map { .string($0.text) })
        return table.block
    }
}

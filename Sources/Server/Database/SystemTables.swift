import Columnar
import Disk
import Ingest
import LogStore
import QueryEngine

/// Tables of the `system` database that tell about the server: parts, topics, settings, dead letters.
extension ServerDatabase {
    func systemTableNames() -> [String] {
        ["dead_letters", "detached_parts", "parts", "server_settings", "topics"]
    }

    func systemTable(_ name: String) throws(QueryError) -> Block? {
        switch name {
        case "parts": parts()
        case "topics": topics()
        case "detached_parts": try detachedParts()
        case "server_settings": settings()
        case "dead_letters": try deadLetters()
        default: nil
        }
    }

    private func parts() -> Block {
        let rows = catalog.tables.flatMap { table in table.partInfos.map { (table.name, $0) } }
        let milliseconds = DataType.nullable(.dateTime64(precision: 3, timeZone: nil))
        var block = BlockBuilder()
        block.add("partition", .string, rows.map { Scalar(text: $0.1.partition) })
        block.add("name", .string, rows.map { Scalar(text: $0.1.name) })
        block.add("active", .uint8, rows.map { _ in .uint(1) })
        block.add("rows", .uint64, rows.map { .uint(UInt64($0.1.rowCount)) })
        block.add("bytes_on_disk", .uint64, rows.map { .uint($0.1.sizeBytes) })
        block.add("data_compressed_bytes", .uint64, rows.map { .uint($0.1.sizeBytes) })
        block.add("data_uncompressed_bytes", .uint64, rows.map { .uint($0.1.uncompressedBytes) })
        block.add("marks", .uint64, rows.map { .uint(UInt64($0.1.granuleCount)) })
        block.add("level", .uint32, rows.map { .uint(UInt64($0.1.level)) })
        block.add(
            "modification_time", .dateTime(timeZone: nil), rows.map { .uint(UInt64(max(0, $0.1.createdMs / 1000))) })
        block.add("min_time", milliseconds, rows.map { $0.1.minTimeMs.map { .int($0) } ?? .null })
        block.add("max_time", milliseconds, rows.map { $0.1.maxTimeMs.map { .int($0) } ?? .null })
        block.add("database", .string, rows.map { _ in Scalar(text: "default") })
        block.add("table", .string, rows.map { Scalar(text: $0.0) })
        block.add("path", .string, rows.map { Scalar(text: $0.1.path) })
        return block.block
    }

    private func detachedParts() throws(QueryError) -> Block {
        var parts: [(table: String, problem: CheckProblem)] = []
        for table in catalog.tables {
            do throws(ColumnarError) {
                parts += try table.detachedParts().map { (table.name, $0) }
            } catch {
                throw QueryError(error)
            }
        }
        var block = BlockBuilder()
        block.add("database", .string, parts.map { _ in Scalar(text: "default") })
        block.add("table", .string, parts.map { Scalar(text: $0.table) })
        block.add("name", .string, parts.map { Scalar(text: String($0.problem.path.split(separator: "/").last ?? "")) })
        block.add("reason", .string, parts.map { Scalar(text: $0.problem.message) })
        block.add("path", .string, parts.map { Scalar(text: $0.problem.path) })
        return block.block
    }

    private func topics() -> Block {
        let rows = logStore.topics.flatMap { topic in topic.partitions.map { (topic, $0) } }
        let stored = Dictionary(
            catalog.tables.flatMap { table in table.storedOffsets().map { ($0.key, $0.value) } },
            uniquingKeysWith: { min($0, $1) })
        var block = BlockBuilder()
        block.add("topic", .string, rows.map { Scalar(text: $0.0.name) })
        block.add("partition", .int32, rows.map { .int(Int64($0.1.partition)) })
        block.add("start_offset", .int64, rows.map { .int($0.1.startOffset) })
        block.add("end_offset", .int64, rows.map { .int($0.1.endOffset) })
        block.add(
            "stored_offset", .nullable(.int64),
            rows.map { stored[SourcePartition(topic: $0.0.name, partition: $0.1.partition)].map { .int($0) } ?? .null })
        block.add("bytes", .uint64, rows.map { .uint(UInt64(max(0, $0.1.sizeBytes))) })
        block.add("segments", .uint64, rows.map { .uint(UInt64($0.1.segments.count)) })
        block.add("retention_ms", .int64, rows.map { .int($0.0.config.retentionMs) })
        block.add("retention_bytes", .int64, rows.map { .int($0.0.config.retentionBytes) })
        return block.block
    }

    private func settings() -> Block {
        let rows = SettingDefinition.all.map { ($0, configuration.values[$0.name]) }
        var block = BlockBuilder()
        block.add("name", .string, rows.map { Scalar(text: $0.0.name) })
        block.add("value", .string, rows.map { Scalar(text: $0.0.name == "users" ? "" : $0.1?.text ?? "") })
        block.add("default", .string, rows.map { Scalar(text: $0.0.defaultText) })
        block.add("changed", .uint8, rows.map { .uint($0.1?.origin == .standard ? 0 : 1) })
        block.add("origin", .string, rows.map { Scalar(text: $0.1?.origin.rawValue ?? "") })
        block.add("description", .string, rows.map { Scalar(text: $0.0.help) })
        block.add("readonly", .uint8, rows.map { _ in .uint(1) })
        return block.block
    }

    private func deadLetters() throws(QueryError) -> Block {
        var tables: [String] = []
        var columns = TableDefinition.deadLetterColumns.map { _ in [Column]() }
        for table in catalog.tables {
            let snapshot = table.deadLetters()
            for source in snapshot.sources {
                for granule in 0..<source.granuleCount {
                    tables.append(contentsOf: repeatElement(table.name, count: source.rowCount(granule: granule)))
                    for (index, definition) in TableDefinition.deadLetterColumns.enumerated() {
                        do throws(ColumnarError) {
                            columns[index].append(try source.read(column: definition.name, granule: granule))
                        } catch {
                            throw QueryError(error)
                        }
                    }
                }
            }
        }
        let names = ["table"] + TableDefinition.deadLetterColumns.map(\.name)
        let first = Column(type: .string, scalars: tables.map { Scalar(text: $0) })
        let rest = zip(columns, TableDefinition.deadLetterColumns).map {
            Column.concatenate($0.map { $0.flattened() }, type: $1.type)
        }
        return Block(names: names, columns: [first] + rest, rowCount: tables.count)
    }
}

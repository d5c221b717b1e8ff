import Columnar

/// Records that could not become rows, until the table takes them.
struct DeadLetters {
    private var topics = StringData()
    private var partitions: [Int32] = []
    private var offsets: [Int64] = []
    private var timestamps: [Int64] = []
    private var reasons = StringData()
    private var values = StringData()

    /// How many there are.
    var count: Int { partitions.count }
    /// Bytes of the records.
    var bytes: Int { values.bytes.count }

    /// Adds one. `value` is its bytes as they came.
    mutating func append(
        source: SourcePartition, offset: Int64, timestampMs: Int64, reason: String, value: UnsafeRawBufferPointer?
    ) {
        topics.append(source.topic.utf8)
        partitions.append(source.partition)
        offsets.append(offset)
        timestamps.append(timestampMs)
        reasons.append(reason.utf8)
        if let value { values.append(value) } else { values.append([]) }
    }

    /// As a block of `TableDefinition.deadLetterColumns`; nil when there are none.
    var block: Block? {
        guard count > 0 else { return nil }
        let data: [ColumnData] = [
            .string(topics), .int32(partitions), .int64(offsets), .int64(timestamps), .string(reasons), .string(values),
        ]
        let definitions = TableDefinition.deadLetterColumns
        precondition(definitions.count == data.count, "BUG: dead letters have \(definitions.count) columns")
        return Block(
            names: definitions.map(\.name), columns: zip(definitions, data).map { Column(type: $0.type, data: $1) },
            rowCount: count)
    }
}

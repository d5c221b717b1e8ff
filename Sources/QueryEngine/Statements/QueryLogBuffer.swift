import Columnar
import Synchronization

/// The queries of late, for `system.query_log`: a ring in memory.
final class QueryLogBuffer: Sendable {
    /// How much of a query's text is kept.
    static let maxTextBytes = 4096

    fileprivate struct Entry: Sendable {
        var query: RunningQuery
        var summary: QuerySummary
        var error: QueryError?
    }

    private let capacity: Int
    private let entries = Mutex<(ring: [Entry], next: Int)>(([], 0))

    init(capacity: Int) { self.capacity = max(1, capacity) }

    func add(_ query: RunningQuery, _ summary: QuerySummary, error: QueryError?) {
        let entry = Entry(query: query, summary: summary, error: error)
        entries.withLock { entries in
            if entries.ring.count < capacity {
                entries.ring.append(entry)
            } else {
                entries.ring[entries.next] = entry
                entries.next = (entries.next + 1) % capacity
            }
        }
    }

    /// The entries, oldest first.
    func block() -> Block {
        let entries = entries.withLock { Array($0.ring[$0.next...] + $0.ring[..<$0.next]) }
        var table = TableBuilder()
        table.add("type", .string, entries.map { .text($0.error == nil ? "QueryFinish" : "ExceptionWhileProcessing") })
        table.add("event_time", .dateTime(timeZone: nil), entries.map { .uint(UInt64(max(0, $0.endMs / 1000))) })
        table.add(
            "query_start_time", .dateTime(timeZone: nil), entries.map { .uint(UInt64(max(0, $0.query.startMs / 1000))) }
        )
        table.add("query_duration_ms", .uint64, entries.map { .uint($0.summary.elapsedNs / 1_000_000) })
        table.add("read_rows", .uint64, entries.map { .uint($0.summary.readRows) })
        table.add("read_bytes", .uint64, entries.map { .uint($0.summary.readBytes) })
        table.add("written_rows", .uint64, entries.map { .uint($0.summary.writtenRows) })
        table.add("written_bytes", .uint64, entries.map { .uint($0.summary.writtenBytes) })
        table.add("result_rows", .uint64, entries.map { .uint($0.summary.resultRows) })
        table.add("result_bytes", .uint64, entries.map { .uint($0.summary.resultBytes) })
        table.add("memory_usage", .uint64, entries.map { .uint($0.summary.peakMemoryBytes) })
        table.add("query", .string, entries.map { .string($0.query.text) })
        table.add("exception_code", .int32, entries.map { .int(Int64($0.error?.code.number ?? 0)) })
        table.add("exception", .string, entries.map { .text($0.error?.message ?? "") })
        table.add("user", .string, entries.map { .text($0.query.user) })
        table.add("query_id", .string, entries.map { .text($0.query.queryID) })
        return table.block
    }
}

extension QueryLogBuffer.Entry {
    fileprivate var endMs: Int64 { query.startMs + Int64(truncatingIfNeeded: summary.elapsedNs / 1_000_000) }
}

/// Puts a small table together, column by column.
struct TableBuilder {
    private var names: [String] = []
    private var columns: [Column] = []
    private var rowCount = 0

    /// Adds a column; all have the same number of values.
    mutating func add(_ name: String, _ type: DataType, _ values: [Scalar]) {
        names.append(name)
        columns.append(Column(type: type, scalars: values))
        rowCount = values.count
    }

    var block: Block { Block(names: names, columns: columns, rowCount: rowCount) }
}

extension Scalar {
    /// A string.
    static func text(_ text: String) -> Scalar { .string(Array(text.utf8)) }
}

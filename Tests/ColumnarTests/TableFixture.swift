import Disk
import TestSupport

@testable import Columnar

/// A table of web requests, and rows for it.
enum Requests {
    static let columns: [ColumnDefinition] = [
        ColumnDefinition(name: "timestamp", type: .dateTime64(precision: 3, timeZone: nil)),
        ColumnDefinition(name: "level", type: .lowCardinality(.string)),
        ColumnDefinition(name: "service", type: .string),
        ColumnDefinition(name: "status", type: .int64),
        ColumnDefinition(name: "latency", type: .nullable(.float64)),
        ColumnDefinition(name: "trace", type: .string),
        ColumnDefinition(name: "tags", type: .array(.string)),
    ]

    static func definition(
        name: String = "requests", sortingKey: [String] = ["service", "timestamp"],
        partitionBy: PartitionScheme = .day(column: "timestamp"), ttl: TimeToLive? = nil, maxBytes: UInt64? = nil
    ) -> TableDefinition {
        TableDefinition(
            name: name, columns: columns, sortingKey: sortingKey, timeColumn: "timestamp", partitionBy: partitionBy,
            ttl: ttl, maxBytes: maxBytes)
    }

    /// 2025-10-09 08:53:20 UTC.
    static let startMs: Int64 = 1_760_000_000_000

    /// Rows `range`, the same for the same numbers: one each `stepMs` of time, not in order of service.
    static func block(_ range: Range<Int>, stepMs: Int64 = 1000) -> Block {
        let rows = Array(range)
        var random = SeededRandom(seed: 11)
        _ = random.next()
        let columns: [Column] = [
            Column(type: Self.columns[0].type, data: .int64(rows.map { startMs + Int64($0) * stepMs })),
            Column(
                type: Self.columns[1].type, data: .string(StringData(rows.map { ["INFO", "WARN", "ERROR"][$0 % 3] }))),
            Column(type: .string, data: .string(StringData(rows.map { "service-\($0 * 7 % 5)" }))),
            Column(type: .int64, data: .int64(rows.map { Int64([200, 404, 500][$0 % 3]) })),
            Column(
                type: Self.columns[4].type,
                scalars: rows.map { $0 % 10 == 0 ? .null : .float(Double($0 % 1000) / 8) }),
            Column(type: .string, data: .string(StringData(rows.map { trace($0) }))),
            Column(
                type: .array(.string),
                scalars: rows.map { row in .array((0..<(row % 3)).map { .string(Array("tag\($0)".utf8)) }) }),
        ]
        return Block(names: Self.columns.map(\.name), columns: columns, rowCount: rows.count)
    }

    static func trace(_ row: Int) -> String {
        let digits = String(Hash64.mix(UInt64(row)), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// All rows of a snapshot as text, sorted: equal for equal content in whatever order and parts.
func contents(_ snapshot: any TableSnapshot, columns: [String]? = nil) throws -> [String] {
    var rows: [String] = []
    let names = columns ?? snapshot.columns.map(\.name)
    for source in snapshot.sources {
        for granule in 0..<source.granuleCount {
            let values = try names.map { try source.read(column: $0, granule: granule) }
            for row in 0..<source.rowCount(granule: granule) {
                rows.append(values.map { String(describing: $0.scalar(at: row)) }.joined(separator: "|"))
            }
        }
    }
    return rows.sorted()
}

func rowCount(_ snapshot: any TableSnapshot) -> Int { snapshot.sources.reduce(0) { $0 + $1.rowCount } }

/// What a block's rows look like in `contents`.
func contents(_ block: Block) -> [String] {
    (0..<block.rowCount).map { row in
        block.columns.map { String(describing: $0.scalar(at: row)) }.joined(separator: "|")
    }.sorted()
}

/// A catalog on a simulated disk.
struct Fixture {
    let disk: SimulatedDisk
    let clock: ManualClock
    var settings: ColumnarSettings

    init(settings: ColumnarSettings = ColumnarSettings(), disk: SimulatedDisk = SimulatedDisk()) {
        self.disk = disk
        self.settings = settings
        clock = ManualClock(nowMs: Requests.startMs + 86_400_000)
    }

    func open() throws(ColumnarError) -> Catalog {
        try Catalog.open(folder: "/data/tables", fileSystem: disk, clock: clock, settings: settings)
    }
}

let source0 = SourcePartition(topic: "requests", partition: 0)

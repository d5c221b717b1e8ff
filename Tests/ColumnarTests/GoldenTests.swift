import Disk
import TestSupport
import Testing

@testable import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The table that the files in `Fixtures/columnar-v1` hold, by arithmetic alone: one column of every type, with
/// data for every encoding.
enum GoldenTable {
    static let rowCount = 12_000

    static let definition = TableDefinition(
        name: "golden", columns: columns.map { ColumnDefinition(name: $0.name, type: $0.type, comment: "c") },
        sortingKey: ["string_codes", "datetime64"], timeColumn: "datetime64", partitionBy: .month(column: "datetime64"),
        ttl: TimeToLive(column: "datetime64", seconds: 1 << 40, sql: "datetime64 + toIntervalSecond(1099511627776)"),
        maxBytes: 1 << 50, settings: ["index_granularity": "8192"], comment: "format 1")

    private static let enumType = DataType.enum8([EnumCase(name: "a", value: -1), EnumCase(name: "b", value: 2)])

    static let columns: [(name: String, type: DataType)] = [
        ("datetime64", .dateTime64(precision: 3, timeZone: "UTC")), ("bool", .bool), ("int8", .int8), ("int16", .int16),
        ("int32", .int32), ("int64", .int64), ("uint8", .uint8), ("uint16", .uint16), ("uint32", .uint32),
        ("uint64", .uint64), ("float32", .float32), ("float64_decimal", .float64), ("float64_bits", .float64),
        ("date", .date), ("datetime", .dateTime(timeZone: nil)), ("uuid", .uuid), ("ipv4", .ipv4), ("ipv6", .ipv6),
        ("enum8", enumType), ("enum16", .enum16([EnumCase(name: "x", value: 300)])),
        ("string_codes", .lowCardinality(.string)), ("string_hex", .string), ("string_digits", .string),
        ("string_text", .string), ("string_constant", .string), ("nullable", .nullable(.int32)),
        ("nullable_string", .nullable(.string)), ("array", .array(.nullable(.int64))), ("map", .map(.string, .string)),
    ]

    static func block(_ rows: Range<Int>) -> Block {
        Block(
            names: columns.map(\.name),
            columns: columns.map { column in
                Column(type: column.type, scalars: rows.map { value(column.name, $0) })
            }, rowCount: rows.count)
    }

    private static func text(_ text: String) -> Scalar { .string(Array(text.utf8)) }

    private static func value(_ column: String, _ row: Int) -> Scalar {
        let mixed = UInt64(row) &* 0x9E37_79B9_7F4A_7C15
        switch column {
        case "datetime64": return .int(1_760_000_000_000 + Int64(row) * 100_003)
        case "bool": return .int(Int64(row % 2))
        case "int8": return .int(Int64(row % 200) - 100)
        case "int16": return .int(Int64(row % 60_000) - 30_000)
        case "int32": return .int(Int64(row) * Int64(row))
        case "int64": return .int(row % 3 == 0 ? .min : Int64(row) << 40)
        case "uint8": return .uint(UInt64(row % 256))
        case "uint16": return .uint([80, 443, 50_000][row % 3])
        case "uint32": return .uint(UInt64(row) * 4096)
        case "uint64": return .uint(mixed)
        case "float32": return .float(Double(row % 1000) / 4)
        case "float64_decimal": return row % 1000 == 999 ? .float(-0.0) : .float(Double(row * 7) / 1000)
        case "float64_bits": return .float(Double(bitPattern: mixed >> 2 | 1))
        case "date": return .uint(UInt64(20_000 + row / 100))
        case "datetime": return .uint(1_760_000_000 + UInt64(row) * 15)
        case "uuid": return .wide(UInt128(mixed) << 64 | UInt128(mixed &* 3))
        case "ipv4": return .uint(0x0A00_0000 + UInt64(row % 5000))
        case "ipv6": return .wide(0x2001_0DB8 << 96 | UInt128(row))
        case "enum8": return .int(row % 2 == 0 ? -1 : 2)
        case "enum16": return .int(300)
        case "string_codes": return text("service-\(row * 7 % 11)")
        case "string_hex":
            let digits = String(mixed, radix: 16)
            return text(String(repeating: "0", count: 16 - digits.utf8.count) + digits)
        case "string_digits": return text(String(row * 31))
        case "string_text": return text("request \(row) took \(mixed % 997) ms")
        case "string_constant": return text("always")
        case "nullable": return row % 4 == 0 ? .null : .int(Int64(row))
        case "nullable_string": return row / 3000 == 1 ? .null : text("zone \(row % 5)")
        case "array": return .array((0..<(row % 4)).map { $0 == 2 ? .null : .int(Int64(row + $0)) })
        default: return .map((0..<(row % 3)).flatMap { [text("key \($0)"), text("value \(row % 9)")] })
        }
    }
}

/// `Fixtures/columnar-v1` of the repository this file is in.
private let goldenFolder =
    Array(#filePath.split(separator: "/").dropLast(3)).reduce("") { $0 + "/" + $1 } + "/Fixtures/columnar-v1"

@Suite("Golden files of format 1")
struct GoldenTests {
    @Test("a table written by the first version opens and reads as it was")
    func read() throws {
        let real = POSIXFileSystem()
        let fixture = Fixture()
        for name in try files(real) {
            let bytes = try real.readFile(goldenFolder + "/" + name, maxBytes: 64 << 20)
            fixture.disk.plant("/data/tables/golden/" + name, bytes)
        }
        let table = try #require(try fixture.open().table("golden"))
        #expect(table.definition == GoldenTable.definition)
        #expect(table.storedOffsets() == [source0: 12_000, SourcePartition(topic: "other", partition: 7): 5])
        #expect(try contents(table.snapshot()) == contents(GoldenTable.block(0..<GoldenTable.rowCount)))
        #expect(table.partInfos.map(\.level).sorted() == [0, 0, 1])
        #expect(Set(table.partInfos.map(\.partition)) == ["202510"])
        #expect(rowCount(table.deadLetters()) == 1)
        #expect(table.check().isEmpty)
        #expect(table.statistics.detachedParts == 0)
        for source in table.snapshot().sources {
            var found = 0
            for granule in 0..<source.granuleCount {
                let value = try source.read(column: "string_hex", granule: granule).scalar(at: 0)
                guard case .string(let bytes) = value else { continue }
                found += try source.mayContain(column: "string_hex", granule: granule, value: bytes) ? 1 : 0
            }
            #expect(found == source.granuleCount)
        }
    }

    private func files(_ real: POSIXFileSystem) throws -> [String] {
        ["MANIFEST"] + (try real.list(goldenFolder + "/parts").map { "parts/" + $0 })
    }

    /// Writes the golden files; done once a format version, by hand:
    /// `LOGSTORE_WRITE_GOLDEN=1 swift test --filter GoldenTests`.
    @Test("golden files are written on demand only", .enabled(if: getenv("LOGSTORE_WRITE_GOLDEN") != nil))
    func write() throws {
        let fixture = Fixture()
        let table = try fixture.open().createTable(GoldenTable.definition)
        for rows in [0..<5000, 5000..<9000] {
            try table.append(GoldenTable.block(rows), offsets: [source0: Int64(rows.upperBound)])
            try table.flush()
        }
        _ = try table.compact(final: true)
        for rows in [9000..<11_900, 11_900..<12_000] {
            let letters = Block(
                names: ["topic", "offset", "reason", "value"],
                columns: [
                    Column.constant(.string(Array("other".utf8)), type: .string, count: 1),
                    Column.constant(.int(4), type: .int64, count: 1),
                    Column.constant(.string(Array("no JSON object".utf8)), type: .string, count: 1),
                    Column.constant(.string([0xFF, 0]), type: .string, count: 1),
                ], rowCount: 1)
            var offsets = [source0: Int64(rows.upperBound)]
            if rows.upperBound == 12_000 { offsets[SourcePartition(topic: "other", partition: 7)] = 5 }
            try table.append(
                GoldenTable.block(rows), deadLetters: rows.upperBound == 12_000 ? letters : nil, offsets: offsets)
            try table.flush()
        }
        let real = POSIXFileSystem()
        try real.createDirectory(goldenFolder + "/parts")
        for path in fixture.disk.allFiles {
            guard let bytes = fixture.disk.contents(path) else { continue }
            let name = String(path.dropFirst("/data/tables/golden/".count))
            try real.replaceFile(goldenFolder + "/" + name, with: bytes)
        }
    }
}

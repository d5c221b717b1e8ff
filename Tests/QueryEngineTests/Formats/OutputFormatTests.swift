import Columnar
import Disk
import Testing

@testable import QueryEngine

/// The results that Tests/SQL/formats.py asks ClickHouse to write.
private enum Sample: String, CaseIterable, Sendable {
    case plain, nested, empty, single, lines, table, many, long

    private static func text(_ text: String) -> Scalar { .string(Array(text.utf8)) }

    private static func column(_ type: String, _ values: [Scalar]) -> Column {
        guard let type = try? DataType(parsing: type) else { preconditionFailure("BUG: \(type) is no type") }
        return Column(type: type, scalars: values)
    }

    var block: Block {
        let columns: [(String, Column)]
        switch self {
        case .plain: columns = Self.plainColumns
        case .nested: columns = Self.nestedColumns
        case .empty: columns = [("a", Self.column("UInt8", [])), ("b c", Self.column("String", []))]
        case .single: columns = [("n", Self.column("Int64", (0..<3).map { .int($0 * 2_000_000) }))]
        case .lines:
            columns = [
                ("a", Self.column("String", [Self.text("one\ntwo"), Self.text("x")])),
                ("n", Self.column("Int32", [.int(1), .int(22222)])),
            ]
        case .table:
            columns = [
                ("a", Column.constant(Self.text("abc"), type: .string, count: 2)),
                ("longname", Self.column("UInt8", [.uint(12), .uint(12)])),
                ("n", Column.constant(.null, type: .nullable(.nothing), count: 2)),
                ("w", Self.column("String", [Self.text("Zoë 日本"), Self.text("Zoë 日本")])),
                ("d", Self.column("Date", [.uint(19782), .uint(19782)])),
                ("b", Self.column("Bool", [.int(1), .int(1)])),
            ]
        case .many:
            columns = [
                ("n", Self.column("UInt64", (0..<60).map { .uint($0) })),
                ("s", Self.column("String", (0..<60).map { Self.text("\($0)") })),
            ]
        case .long: columns = [("n", Self.column("UInt64", (0..<2500).map { .uint($0) }))]
        }
        return Block(names: columns.map(\.0), columns: columns.map(\.1), rowCount: columns[0].1.count)
    }

    private static var plainColumns: [(String, Column)] {
        [
            ("i", column("Int32", [.int(-1), .int(2_147_483_647), .int(0)])),
            ("u", column("UInt64", [.uint(.max), .uint(0), .uint(1)])),
            ("f", column("Float64", [.float(1.5), .float(.infinity), .float(.nan)])),
            ("s", column("String", [text("it's \"q\"\t/\n\\"), text("Zoë 日本"), text("")])),
            ("n", column("Nullable(Int64)", [.null, .int(5), .int(.min)])),
            ("b", column("Bool", [.int(1), .int(0), .int(1)])),
            ("d", column("Date", [.uint(19782), .uint(0), .uint(65535)])),
            ("t", column("DateTime('UTC')", [.uint(1_709_168_523), .uint(0), .uint(4_294_967_295)])),
            ("m", column("DateTime64(3, 'UTC')", [.int(1_709_168_523_456), .int(-1), .int(7_258_118_400_000)])),
            ("l", column("LowCardinality(String)", [text("x"), text(""), text("y")])),
        ]
    }

    private static var nestedColumns: [(String, Column)] {
        let uuid: UInt128 = 0x61F0_C404_5CB3_11E7_907B_A600_6AD3_DBA0
        let address: UInt128 = 0x2001_0DB8_0000_0000_0000_0000_0000_0001
        return [
            ("a", column("Array(String)", [.array([text("a"), text("it's")]), .array([])])),
            ("b", column("Array(Nullable(Int8))", [.array([.int(1), .null]), .array([])])),
            ("m", column("Map(String, String)", [.map([text("k"), text("v\""), text("z"), text("")]), .map([])])),
            ("e", column("Enum8('one' = 1, 't\"wo' = 2)", [.int(1), .int(2)])),
            ("u", column("UUID", [.wide(uuid), .wide(0)])), ("p", column("IPv4", [.uint(0x0102_0304), .uint(0)])),
            ("q", column("IPv6", [.wide(address), .wide(0)])),
            ("t", column("Tuple(UInt8, String)", [.tuple([.uint(1), text("x\"y")]), .tuple([.uint(0), text("")])])),
            ("x", column("Array(Array(UInt8))", [.array([.array([.uint(1)]), .array([])]), .array([])])),
        ]
    }
}

private func write(_ blocks: [Block], _ format: String, _ settings: [String: String] = [:], totals: Block? = nil) throws
    -> String
{
    let columns = zip(blocks[0].names, blocks[0].columns).map { (name: $0, type: $1.type) }
    var output = try OutputFormats.make(format, columns: columns, settings: FormatSettings(settings))
    var bytes: [UInt8] = []
    output.begin(into: &bytes)
    for block in blocks where block.rowCount > 0 { output.write(block, into: &bytes) }
    var statistics = ResultStatistics()
    statistics.totals = totals
    output.finish(statistics, into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}

@Suite("Output formats")
struct OutputFormatTests {
    private static let folder: String = {
        let source = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return source.dropLast(3).joined(separator: "/") + "/SQL/formats"
    }()

    private static let expectations: [String] = ((try? POSIXFileSystem().list(folder)) ?? []).sorted()

    private static func expected(_ name: String) throws -> String {
        try textOfFile(folder + "/" + name)
    }

    @Test("Every format writes what ClickHouse writes", arguments: expectations)
    func sameAsClickHouse(name: String) throws {
        let parts = name.split(separator: ".")
        let sample = try #require(Sample(rawValue: String(parts[0])))
        let written = try write([sample.block], String(parts[1]), ["output_format_write_statistics": "0"])
        #expect(try written == Self.expected(name), "\(name)")
    }

    @Test("There is something to compare")
    func present() {
        #expect(Self.expectations.count > 100)
    }

    @Test("It does not matter how a result is cut into blocks", arguments: Sample.allCases)
    private func blocks(sample: Sample) throws {
        let block = sample.block
        let pieces = (0..<block.rowCount).map { row in
            Block(names: block.names, columns: block.columns.map { $0.slice(row..<(row + 1)) }, rowCount: 1)
        }
        guard !pieces.isEmpty else { return }
        for format in OutputFormats.names { #expect(try write(pieces, format) == write([block], format), "\(format)") }
    }

    @Test("Constants and dictionaries read like plain columns")
    func representations() throws {
        let values = Column(type: .string, data: .string(StringData(["a\tb", "c", "\"d\""])))
        let dictionary = Column(
            type: .lowCardinality(.nullable(.string)),
            data: .dictionary(DictionaryData(codes: [2, 0, 1, 0], dictionary: ValueDictionary(values: values))),
            nulls: [0, 0, 1, 0])
        let constant = Column.constant(.float(1.5), type: .float64, count: 4)
        let block = Block(names: ["d", "c"], columns: [dictionary, constant], rowCount: 4)
        let flat = Block(names: ["d", "c"], columns: [dictionary.flattened(), constant.flattened()], rowCount: 4)
        for format in OutputFormats.names { #expect(try write([block], format) == write([flat], format), "\(format)") }
        #expect(try write([block], "TSV") == "\"d\"\t1.5\na\\tb\t1.5\n\\N\t1.5\na\\tb\t1.5\n")
    }

    @Test("Totals stand where ClickHouse puts them")
    func totals() throws {
        let block = Block(
            names: ["k", "c"],
            columns: [Column(type: .uint8, data: .uint8([0])), Column(type: .uint64, data: .uint64([3]))], rowCount: 1)
        let totals = Block(
            names: ["k", "c"],
            columns: [Column(type: .uint8, data: .uint8([0])), Column(type: .uint64, data: .uint64([5]))], rowCount: 1)
        #expect(try write([block], "TSV", totals: totals) == "0\t3\n\n0\t5\n")
        #expect(try write([block], "CSVWithNames", totals: totals) == "\"k\",\"c\"\n0,3\n\n0,5\n")
        #expect(
            try write([block], "Vertical", totals: totals)
                == "Row 1:\n──────\nk: 0\nc: 3\n\n\nTotals:\n───────\nk: 0\nc: 5\n")
        #expect(
            try write([block], "PrettyCompact", totals: totals)
                == "   ┌─k─┬─c─┐\n1. │ 0 │ 3 │\n   └───┴───┘\n\nTotals:\n   ┌─k─┬─c─┐\n1. │ 0 │ 5 │\n   └───┴───┘\n")
        #expect(
            try write([block], "JSON", totals: totals).contains(
                "\t\"totals\":\n\t{\n\t\t\"k\": 0,\n\t\t\"c\": 5\n\t},\n\n\t\"rows\": 1"))
        #expect(try write([block], "JSONCompact", totals: totals).contains("\t\"totals\": [0, 5],\n\n\t\"rows\": 1"))
        #expect(try write([block], "JSONEachRow", totals: totals) == "{\"k\":0,\"c\":3}\n")
    }

    @Test("Settings change how values are written")
    func settings() throws {
        let block = Block(
            names: ["i", "f", "s", "t", "m"],
            columns: [
                Column(type: .int64, data: .int64([5])), Column(type: .float64, data: .float64([.nan])),
                Column(type: .string, data: .string(StringData(["a/b"]))),
                Column(type: .dateTime(timeZone: nil), data: .uint32([0])),
                Column(type: .dateTime64(precision: 3, timeZone: "Europe/Berlin"), data: .int64([1500])),
            ], rowCount: 1)
        func json(_ settings: [String: String]) throws -> String { try write([block], "JSONEachRow", settings) }
        #expect(
            try json([:])
                == #"{"i":5,"f":null,"s":"a\/b","t":"1970-01-01 00:00:00","m":"1970-01-01 01:00:01.500"}"# + "\n")
        #expect(try json(["output_format_json_quote_64bit_integers": "1"]).hasPrefix(#"{"i":"5","#))
        #expect(try json(["output_format_json_quote_denormals": "1"]).contains(#""f":"nan""#))
        #expect(try json(["output_format_json_escape_forward_slashes": "0"]).contains(#""s":"a/b""#))
        #expect(
            try json(["date_time_output_format": "iso"])
                .contains(#""t":"1970-01-01T00:00:00Z","m":"1970-01-01T00:00:01.500Z""#))
        #expect(try write([block], "TSV", ["date_time_output_format": "unix_timestamp"]) == "5\tnan\ta/b\t0\t1.500\n")
        #expect(try write([block], "CSV", ["format_csv_delimiter": ";"]).hasPrefix("5;nan;"))
    }

    @Test("Bytes that are not UTF-8 become U+FFFD in JSON documents, and stay in formats of rows")
    func invalidUTF8() throws {
        let bytes: [UInt8] = [0x61, 0xFF, 0xC3, 0x62, 0xE2, 0x80, 0xA8, 0x00]
        let block = Block(
            names: ["s"], columns: [Column(type: .string, scalars: [.string(bytes)])], rowCount: 1)
        #expect(try write([block], "JSONCompact").contains("[\"a\u{FFFD}\u{FFFD}b\\u2028\\u0000\"]"))
        var output = try OutputFormats.make("JSONEachRow", columns: [("s", .string)], settings: FormatSettings())
        var raw: [UInt8] = []
        output.write(block, into: &raw)
        #expect(raw.contains(0xFF))
        for format in OutputFormats.names { _ = try write([block], format) }
    }

    @Test("Names of formats count in any case, and an unknown one is answered with the nearest")
    func names() throws {
        #expect(try OutputFormats.describe("jsoneachrow").name == "JSONEachRow")
        #expect(try OutputFormats.describe("TSV").contentType == "text/tab-separated-values; charset=UTF-8")
        let error = #expect(throws: QueryError.self) { try OutputFormats.describe("JSONEachRows") }
        #expect(error?.code == .unknownFormat && error?.message.contains("JSONEachRow") == true)
    }
}

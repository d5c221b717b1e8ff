import Columnar
import Testing

@testable import Ingest

@Suite("Records into explicit tables")
struct ExplicitTableTests {
    static func definition(_ columns: [(String, String)]) throws -> TableDefinition {
        TableDefinition(
            name: "t", columns: try columns.map { ColumnDefinition(name: $0.0, type: try DataType(parsing: $0.1)) })
    }

    /// A column type, a JSON value, what the column gets, and what of it is kept as text because it does not fit.
    static let conversions: [(String, String, Scalar, String?)] = [
        ("UInt8", "255", .uint(255), nil), ("UInt8", "256", .uint(0), "256"), ("UInt8", "-1", .uint(0), "-1"),
        ("UInt8", #""7""#, .uint(7), nil), ("UInt8", #""x""#, .uint(0), "x"), ("UInt8", "1.0", .uint(1), nil),
        ("UInt8", "1.5", .uint(0), "1.5"), ("Int8", "-128", .int(-128), nil), ("Int16", "true", .int(1), nil),
        ("UInt64", "18446744073709551615", .uint(.max), nil), ("UInt64", #""18446744073709551615""#, .uint(.max), nil),
        ("Int64", "9223372036854775808", .int(0), "9223372036854775808"), ("Nullable(Int32)", "null", .null, nil),
        ("Nullable(Int32)", #""n/a""#, .null, "n/a"), ("Int32", "null", .int(0), nil),
        ("Int32", "1e3", .int(1000), nil),
        ("Float64", "1e999", .float(0), "1e999"), ("Float64", #""inf""#, .float(.infinity), nil),
        ("Float64", "7", .float(7), nil),
        ("Float32", "0.5", .float(0.5), nil), ("Float32", "1e300", .float(0), "1e300"), ("Bool", "1", .int(1), nil),
        ("Bool", "2", .int(0), "2"), ("Bool", #""true""#, .int(1), nil), ("String", "12.50", .text("12.50"), nil),
        ("String", "true", .text("true"), nil), ("String", #"{"a": 1}"#, .text(#"{"a": 1}"#), nil),
        ("String", "[1, 2]", .text("[1, 2]"), nil),
        ("LowCardinality(String)", #""x""#, .text("x"), nil), ("Date", #""2024-04-17""#, .uint(19_830), nil),
        ("Date", "19830", .uint(19_830), nil),
        ("Date", #""1969-12-31""#, .uint(0), "1969-12-31"),
        ("DateTime", #""2024-04-17T04:04:12Z""#, .uint(1_713_326_652), nil),
        ("DateTime", "1713326652", .uint(1_713_326_652), nil),
        ("DateTime", #""2024-04-17 04:04:12.5""#, .uint(1_713_326_652), "2024-04-17 04:04:12.5"),
        ("DateTime", #""9999-12-31 00:00:00""#, .uint(0), "9999-12-31 00:00:00"),
        ("DateTime('Europe/Berlin')", #""2024-04-17 06:04:12""#, .uint(1_713_326_652), nil),
        ("DateTime64(3)", "1713326652123", .int(1_713_326_652_123), nil),
        ("DateTime64(6)", "1713326652.25", .int(1_713_326_652_250_000), nil),
        ("DateTime64(3)", #""0000-00-00 00:00:00""#, .int(0), "0000-00-00 00:00:00"),
        ("DateTime64(9)", #""2290-01-01T00:00:00Z""#, .int(0), "2290-01-01T00:00:00Z"),
        ("DateTime64(3)", #""1925-01-01T00:00:00Z""#, .int(-1_420_070_400_000), nil),
        ("UUID", #""00000000-0000-0000-0000-0000000000ff""#, .wide(255), nil), ("UUID", "1", .wide(0), "1"),
        ("IPv4", #""10.0.0.1""#, .uint(167_772_161), nil), ("IPv4", #""10.0.0.256""#, .uint(0), "10.0.0.256"),
        ("IPv6", #""::1""#, .wide(1), nil), ("Enum8('a' = 1, 'b' = 2)", #""b""#, .int(2), nil),
        ("Enum8('a' = 1, 'b' = 2)", "2", .int(2), nil), ("Enum8('a' = 1, 'b' = 2)", #""c""#, .int(1), "c"),
        ("Array(UInt8)", "[1,2]", .array([.uint(1), .uint(2)]), nil),
        ("Array(UInt8)", "[1,300]", .array([]), "[1,300]"),
        ("Array(UInt8)", "7", .array([]), "7"),
        ("Array(Nullable(String))", #"["a",null,1]"#, .array([.text("a"), .null, .text("1")]), nil),
        (
            "Array(Array(Int64))", "[[1],[],[2,3]]",
            .array([.array([.int(1)]), .array([]), .array([.int(2), .int(3)])]), nil
        ),
        (
            "Map(String, String)", #"{"k":"v","n":1,"o":{"x":[]}}"#,
            .map([.text("k"), .text("v"), .text("n"), .text("1"), .text("o"), .text(#"{"x":[]}"#)]), nil
        ),
        ("Map(String, UInt8)", #"{"k":1,"l":300}"#, .map([]), #"{"k":1,"l":300}"#),
        ("Int64", #"{"a":1}"#, .int(0), nil),
    ]

    @Test(
        "values become the column's type; what does not fit is kept as text beside it", arguments: conversions.indices)
    func converts(index: Int) throws {
        let (type, value, expected, side) = Self.conversions[index]
        let definition = try Self.definition([("c", type), ("other", "UInt8")])
        let records = [#"{"other":1}"#, #"{"c":\#(value),"other":2}"#, #"{"other":3}"#]
        let (_, finished, faults) = build(records, definition: definition)
        #expect(faults.isEmpty)
        #expect(rows(finished.block, ["other"]) == [[.uint(1)], [.uint(2)], [.uint(3)]])
        let position = finished.block.names.firstIndex(of: "c")
        let found =
            position.map { finished.block.columns[$0].scalar(at: 1) } ?? definition.columns[0].type.defaultScalar
        #expect(found == expected, "\(type) from \(value)")
        let kept = rows(finished.block, ["c_string"])[1][0]
        #expect(kept == (side.map { .text($0) } ?? .null), "\(type) from \(value)")
    }

    @Test("fields the table does not name go into the map, objects match dotted columns")
    func unknownFields() throws {
        let definition = try Self.definition([("id", "UInt64"), ("geo.city", "String")])
        let (_, finished, _) = build([#"{"id":1,"geo":{"city":"Bonn","zip":53111},"tag":"x"}"#], definition: definition)
        #expect(finished.newColumns == [ColumnDefinition(name: "_rest", type: .map(.string, .string))])
        #expect(
            rows(finished.block, ["id", "geo.city", "_rest"]) == [
                [.uint(1), .text("Bonn"), .map([.text("geo.zip"), .text("53111"), .text("tag"), .text("\"x\"")])]
            ])
    }

    @Test("a time column with DEFAULT now() takes the record's time where it is missing")
    func defaultNow() throws {
        var definition = try Self.definition([("id", "UInt64"), ("at", "DateTime")])
        definition.columns[1].defaultExpression = "now()"
        let (_, finished, _) = build([#"{"id":1}"#, #"{"id":2,"at":5000}"#], definition: definition)
        #expect(rows(finished.block, ["at"]) == [[.uint(1_700_000_000)], [.uint(5000)]])
    }

    @Test("a literal after DEFAULT stands in for a missing value, not for an explicit NULL")
    func literalDefaults() throws {
        var definition = try Self.definition([
            ("id", "UInt8"), ("n", "Nullable(Int32)"), ("s", "String"), ("f", "Float32"),
        ])
        definition.columns[1].defaultExpression = "-7"
        definition.columns[2].defaultExpression = "'it\\'s'"
        definition.columns[3].defaultExpression = "1.5"
        let (_, finished, _) = build(
            [#"{"id":1}"#, #"{"id":2,"n":null,"s":null}"#, #"{"id":3,"n":3,"s":"x","f":2}"#, "{}"],
            definition: definition)
        #expect(
            rows(finished.block, ["id", "n", "s", "f"]) == [
                [.uint(1), .int(-7), .text("it's"), .float(1.5)], [.uint(2), .null, .text("it's"), .float(1.5)],
                [.uint(3), .int(3), .text("x"), .float(2)], [.uint(0), .int(-7), .text("it's"), .float(1.5)],
            ])
    }

    static let types = [
        "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
        "String",
        "LowCardinality(String)", "Date", "DateTime", "DateTime64(0)", "DateTime64(3)", "DateTime64(9)", "UUID", "IPv4",
        "IPv6",
        "Enum8('a' = -1, 'b\\'c' = 2)", "Enum16('x' = 1000)", "Nullable(Int64)", "Nullable(String)", "Array(Int64)",
        "Array(Nullable(Float64))", "Array(Array(String))", "Map(String, String)", "Map(UInt8, Array(DateTime64(3)))",
    ]

    static func values(_ type: DataType) -> [Scalar] {
        if type.isNullable { return [.null] + values(type.withoutLowCardinality.base) }
        switch type.base {
        case .bool: return [.int(0), .int(1)]
        case .int8: return [.int(-128), .int(127)]
        case .int16: return [.int(-32_768), .int(32_767)]
        case .int32: return [.int(Int64(Int32.min)), .int(Int64(Int32.max))]
        case .int64: return [.int(.min), .int(.max), .int(0)]
        case .uint8: return [.uint(0), .uint(255)]
        case .uint16, .date: return [.uint(0), .uint(65_535)]
        case .uint32, .ipv4, .dateTime: return [.uint(0), .uint(UInt64(UInt32.max))]
        case .uint64: return [.uint(0), .uint(.max)]
        case .float32: return [.float(Double(Float(0.1))), .float(.infinity), .float(-1.5)]
        case .float64:
            return [
                .float(0.1), .float(.infinity), .float(-.infinity), .float(1e300), .float(.leastNonzeroMagnitude),
                .float(-3),
            ]
        case .string: return [.text(""), .text("a\"\\\n\u{1}é𝄞\0"), .text("true"), .text("12")]
        case .dateTime64(0, _): return [.int(0), .int(-2_208_988_800), .int(10_413_791_999)]
        case .dateTime64(3, _): return [.int(0), .int(1_713_326_652_123), .int(-1), .int(-2_208_988_800_000)]
        case .dateTime64: return [.int(0), .int(1_713_326_652_123_456_789), .int(-1)]
        case .uuid, .ipv6: return [.wide(0), .wide(.max), .wide(0x1234_5678_9abc_def0_0fed_cba9_8765_4321)]
        case .enum8(let cases), .enum16(let cases): return cases.map { .int(Int64($0.value)) }
        case .array(let element):
            return [.array([]), .array(values(element)), .array(values(element) + values(element))]
        case .map(let key, let value):
            let keys = values(key)
            let values = values(value)
            return [.map([]), .map(keys.enumerated().flatMap { [$1, values[$0 % values.count]] })]
        default: return []
        }
    }

    @Test("what INSERT writes as JSON comes back as the same values", arguments: types)
    func roundTrip(type: String) throws {
        let type = try DataType(parsing: type)
        let values = Self.values(type)
        let block = Block(
            names: ["c", "n"],
            columns: [
                Column(type: type, scalars: values),
                Column(type: .uint32, scalars: values.indices.map { .uint(UInt64($0)) }),
            ],
            rowCount: values.count)
        let writer = try JSONRowWriter(block)
        let records = try values.indices.map { row in
            var bytes: [UInt8] = []
            try writer.append(row: row, to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        let definition = TableDefinition(
            name: "t", columns: [ColumnDefinition(name: "c", type: type), ColumnDefinition(name: "n", type: .uint32)])
        let (_, finished, faults) = build(records, definition: definition)
        #expect(faults.isEmpty)
        #expect(finished.newColumns.isEmpty, "\(records)")
        #expect(rows(finished.block, ["c"]) == values.map { [$0] }, "\(records)")
    }

    @Test("NaN survives the way through JSON")
    func notANumber() throws {
        let block = Block(names: ["c"], columns: [Column(type: .float64, data: .float64([.nan]))], rowCount: 1)
        var bytes: [UInt8] = []
        try JSONRowWriter(block).append(row: 0, to: &bytes)
        let (_, finished, _) = build(
            [String(decoding: bytes, as: UTF8.self)], definition: try Self.definition([("c", "Float64")]))
        guard case .float(let value) = rows(finished.block, ["c"])[0][0] else { return #expect(Bool(false)) }
        #expect(value.isNaN)
    }

    @Test("a string that is no UTF-8 is refused by column and row")
    func noUTF8() throws {
        let block = Block(
            names: ["c"], columns: [Column(type: .string, data: .string(StringData(bytes: [0xff], offsets: [0, 1])))],
            rowCount: 1)
        let writer = try JSONRowWriter(block)
        #expect(throws: IngestError.self) {
            var bytes: [UInt8] = []
            try writer.append(row: 0, to: &bytes)
        }
    }
}

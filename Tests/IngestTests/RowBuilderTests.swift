import Columnar
import Testing

@testable import Ingest

/// Rows of a builder as JSON-like text, for comparison.
func rows(_ block: Block, _ names: [String]) -> [[Scalar]] {
    (0..<block.rowCount).map { row in
        names.map { name in
            guard let index = block.names.firstIndex(of: name) else { return .null }
            return block.columns[index].scalar(at: row)
        }
    }
}

extension Scalar {
    static func text(_ string: String) -> Scalar { .string(Array(string.utf8)) }
}

/// Builds rows of JSON texts; the reason of each refused one.
func build(
    _ records: [String], definition: TableDefinition? = nil, timestampMs: Int64 = 1_700_000_000_000,
    maxColumns: Int = 1000
) -> (builder: RowBuilder, block: FinishedBlock, faults: [JSONFault.Reason]) {
    let builder = RowBuilder(tableName: "t", definition: definition, maxColumns: maxColumns)
    var faults: [JSONFault.Reason] = []
    for record in records {
        Array(record.utf8).withUnsafeBytes { bytes in
            do throws(JSONFault) { try builder.append(bytes, timestampMs: timestampMs) } catch {
                faults.append(error.reason)
            }
        }
    }
    return (builder, builder.finish(), faults)
}

@Suite("Records into inferred tables")
struct InferenceTests {
    static let click =
        #"{"type":"click","user_id":"1","session_id":"FaAa31","timestamp":"2024-04-17T04:04:12","locale":"en","#
        + #""path":"/getting-started","appVersion":"0.0.1","details":{"meta_a":"meta_a","meta_b":"meta_b"}}"#

    @Test("the first record makes the table: a time column, nested objects flattened")
    func clickEvent() {
        let (builder, finished, faults) = build([Self.click])
        #expect(faults.isEmpty)
        let definition = builder.inferredDefinition()
        let text = DataType.nullable(.string)
        #expect(
            definition.columns.map(\.name) == [
                "timestamp", "type", "user_id", "session_id", "locale", "path", "appVersion", "details.meta_a",
                "details.meta_b",
            ])
        #expect(
            definition.columns.map(\.type) == [.dateTime64(precision: 3, timeZone: nil)]
                + Array(repeating: text, count: 8))
        #expect(definition.sortingKey == ["timestamp"])
        #expect(definition.timeColumn == "timestamp")
        #expect(definition.partitionBy == .day(column: "timestamp"))
        #expect(definition.isInferred)
        #expect(
            rows(finished.block, ["timestamp", "user_id", "details.meta_b"]) == [
                [.int(1_713_326_652_000), .text("1"), .text("meta_b")]
            ])
    }

    static let times: [(String, String, Int, Int64)] = [
        (#"{"timestamp":1760000000123}"#, "timestamp", 3, 1_760_000_000_123),
        (#"{"ts":1760000000}"#, "ts", 3, 1_760_000_000_000),
        (#"{"time":1760000000123456}"#, "time", 6, 1_760_000_000_123_456),
        (#"{"@timestamp":1760000000123456789}"#, "@timestamp", 9, 1_760_000_000_123_456_789),
        (#"{"ts":1760000000.123}"#, "ts", 3, 1_760_000_000_123),
        (#"{"ts":"1760000000.123456"}"#, "ts", 6, 1_760_000_000_123_456),
        (#"{"date":"2025-10-09"}"#, "date", 3, 1_759_968_000_000),
        (#"{"time":"2025-10-09 08:53:20"}"#, "time", 3, 1_760_000_000_000),
        (#"{"time":"2025-10-09T10:53:20.5+02:00"}"#, "time", 3, 1_760_000_000_500),
        (#"{"time":"2025-10-09T08:53:20.123456Z"}"#, "time", 6, 1_760_000_000_123_456),
        (#"{"_time":"2025-10-09T08:53:20,123456789-0000"}"#, "_time", 9, 1_760_000_000_123_456_789),
        (#"{"ts":1,"date":5,"time":"noon","a":{"timestamp":1760000000}}"#, "_time", 3, 1_700_000_000_000),
        (#"{"ts":1760000000,"timestamp":"2025-10-09T08:53:21Z"}"#, "timestamp", 3, 1_760_000_001_000),
        (#"{"timestamp":"0000-01-01T00:00:00Z","ts":1760000000}"#, "ts", 3, 1_760_000_000_000),
        (#"{"a":1}"#, "_time", 3, 1_700_000_000_000),
    ]

    @Test("the time column is found by name and value", arguments: times.indices)
    func timeColumn(index: Int) {
        let (record, name, precision, ticks) = Self.times[index]
        let (builder, finished, _) = build([record])
        let definition = builder.inferredDefinition()
        #expect(definition.timeColumn == name)
        #expect(definition.column(name)?.type == .dateTime64(precision: precision, timeZone: nil))
        #expect(rows(finished.block, [name]) == [[.int(ticks)]])
    }

    @Test("a time that is none, or out of reach, keeps its text and the record's time stands in")
    func badTimes() {
        let texts = ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "2024-13-01", "2024-02-30T00:00:00"]
        let records =
            [#"{"ts":"2024-02-29T00:00:00Z"}"#] + texts.map { #"{"ts":"\#($0)"}"# } + [
                #"{"ts":99999999999999999999}"#, #"{"ts":null}"#, "{}",
            ]
        let (_, finished, faults) = build(records)
        #expect(faults.isEmpty)
        let now = Scalar.int(1_700_000_000_000)
        let expected: [[Scalar]] =
            [[.int(1_709_164_800_000), .null]] + texts.map { [now, .text($0)] }
            + [[now, .text("99999999999999999999")], [now, .null], [now, .null]]
        #expect(rows(finished.block, ["ts", "ts_string"]) == expected)
    }

    @Test("types come from the values; what only was NULL waits")
    func types() {
        let (builder, finished, _) = build([
            #"{"ts":1760000000,"b":true,"i":1,"f":1.5,"s":"x","n":null,"e":[],"o":{},"#
                + #""ai":[1,2],"af":[1,2.5],"ab":[true],"as":["a","b"],"mix":[1,"a",null,{"k":1}],"oo":[{"a":1}]}"#,
            #"{"ts":1760000001,"n":5}"#,
        ])
        let types = Dictionary(uniqueKeysWithValues: builder.inferredDefinition().columns.map { ($0.name, $0.type) })
        #expect(
            types == [
                "ts": .dateTime64(precision: 3, timeZone: nil), "b": .nullable(.bool), "i": .nullable(.int64),
                "f": .nullable(.float64), "s": .nullable(.string), "n": .nullable(.int64), "ai": .array(.int64),
                "af": .array(.float64), "ab": .array(.bool), "as": .array(.string), "mix": .array(.string),
                "oo": .array(.string),
            ])
        #expect(
            rows(finished.block, ["b", "i", "f", "s", "n", "ai", "af", "mix", "oo"]) == [
                [
                    .int(1), .int(1), .float(1.5), .text("x"), .null, .array([.int(1), .int(2)]),
                    .array([.float(1), .float(2.5)]),
                    .array([.text("1"), .text("a"), .text("null"), .text(#"{"k":1}"#)]), .array([.text(#"{"a":1}"#)]),
                ],
                [.null, .null, .null, .null, .int(5), .array([]), .array([]), .array([]), .array([])],
            ])
    }

    @Test("integers meeting floats widen; any other clash goes to <name>_<type>")
    func clashes() {
        let (builder, finished, _) = build([
            #"{"v":1,"w":1}"#, #"{"v":2.5,"w":"x"}"#, #"{"v":3,"w":true}"#, #"{"v":"four","w":[1]}"#,
            #"{"v":[1,2],"w":{"a":1}}"#,
        ])
        #expect(builder.inferredDefinition().column("v")?.type == .nullable(.float64))
        #expect(
            rows(finished.block, ["v", "v_string", "w", "w_string", "w_bool", "w_array_int64", "w.a"]) == [
                [.float(1), .null, .int(1), .null, .null, .array([]), .null],
                [.float(2.5), .null, .null, .text("x"), .null, .array([]), .null],
                [.float(3), .null, .null, .null, .int(1), .array([]), .null],
                [.null, .text("four"), .null, .null, .null, .array([.int(1)]), .null],
                [.null, .null, .null, .null, .null, .array([]), .int(1)],
            ])
        #expect(rows(finished.block, ["v_array_int64"]).last == [.array([.int(1), .int(2)])])
    }

    @Test("numbers no column can hold keep their text")
    func hugeNumbers() {
        let (_, finished, _) = build([
            #"{"i":1,"f":1.5}"#, #"{"i":18446744073709551615,"f":1e999}"#,
            #"{"i":-9223372036854775808,"f":9007199254740993}"#,
        ])
        #expect(
            rows(finished.block, ["i", "i_string", "f", "f_string"]) == [
                [.int(1), .null, .float(1.5), .null],
                [.null, .text("18446744073709551615"), .null, .text("1e999")],
                [.int(.min), .null, .float(9_007_199_254_740_992), .text("9007199254740993")],
            ])
    }

    @Test("of a name that comes twice the last value counts")
    func duplicates() {
        let (_, finished, _) = build([
            #"{"a":"x"}"#, #"{"a":"one","a":"two"}"#, #"{"a":"y","b":[1,2],"b":[3]}"#, #"{"a.b":1,"a":{"b":2}}"#,
        ])
        #expect(
            rows(finished.block, ["a", "b", "a.b"]) == [
                [.text("x"), .array([]), .null], [.text("two"), .array([]), .null],
                [.text("y"), .array([.int(3)]), .null], [.null, .array([]), .int(2)],
            ])
    }

    @Test("escapes are taken out of names and values")
    func escapes() {
        let (_, finished, _) = build([#"{"n\u00e9":"a\n\ud834\udd1e\"","q\"":1}"#, #"{"né":"b","q\"":2}"#])
        #expect(rows(finished.block, ["né", "q\""]) == [[.text("a\n𝄞\""), .int(1)], [.text("b"), .int(2)]])
    }

    @Test("past the limit of columns the rest goes into one map, as JSON text")
    func manyColumns() {
        let (builder, finished, _) = build(
            [#"{"a":1,"b":2,"c":{"d":"x","e":null},"f":[1,2]}"#, #"{"a":3,"c":{"d":"y"}}"#], maxColumns: 3)
        #expect(builder.inferredDefinition().columns.map(\.name) == ["_time", "a", "b", "_rest"])
        #expect(
            rows(finished.block, ["a", "_rest"]) == [
                [.int(1), .map([.text("c.d"), .text("\"x\""), .text("f"), .text("[1,2]")])],
                [.int(3), .map([.text("c.d"), .text("\"y\"")])],
            ])
    }

    @Test("ten thousand different names cost a bounded memory and lose nothing")
    func manyNames() {
        let records = (0..<10_000).map { #"{"k\#($0)":{"x":\#($0)},"a":\#($0)}"# }
        let (builder, finished, faults) = build(records, maxColumns: 10)
        #expect(faults.isEmpty)
        #expect(builder.paths.count <= builder.paths.limit)
        let rest = rows(finished.block, ["_rest"])
        #expect(
            rest[5000] == [.map([.text("k5000"), .text(#"{"x":5000}"#)])]
                || rest[5000] == [.map([.text("k5000.x"), .text("5000")])])
        #expect(rows(finished.block, ["a"])[9999] == [.int(9999)])
    }

    @Test("a broken record leaves no trace in its row")
    func rollback() {
        let (_, finished, faults) = build([
            #"{"a":1,"s":"x","l":[1]}"#, #"{"a":2,"s":"y","l":[2],"new":1,"bad":}"#, "[1]", #"{"a":3,"s":"z"}"#,
        ])
        #expect(faults == [.unexpectedByte, .notAnObject])
        #expect(
            rows(finished.block, ["a", "s", "l", "new"]) == [
                [.int(1), .text("x"), .array([.int(1)]), .null], [.int(3), .text("z"), .array([]), .null],
            ])
    }

    @Test("a known table goes on where it was, and grows")
    func evolution() {
        let definition = TableDefinition(
            name: "t",
            columns: [
                ColumnDefinition(name: "ts", type: .dateTime64(precision: 3, timeZone: nil)),
                ColumnDefinition(name: "n", type: .nullable(.int64)),
                ColumnDefinition(name: "s", type: .nullable(.string)),
            ], sortingKey: ["ts"], timeColumn: "ts", partitionBy: .day(column: "ts"), isInferred: true)
        let (_, finished, _) = build(
            [#"{"ts":1760000000,"n":1.5,"x":"new"}"#, #"{"ts":1760000001,"n":2,"s":3}"#], definition: definition)
        #expect(finished.newColumns.map(\.name) == ["x", "s_int64"])
        #expect(finished.widenedColumns == [ColumnDefinition(name: "n", type: .nullable(.float64))])
        #expect(
            rows(finished.block, ["n", "s", "s_int64", "x"]) == [
                [.float(1.5), .null, .null, .text("new")], [.float(2), .null, .int(3), .null],
            ])
    }

    @Test("rows start afresh after a reset, names and columns stay")
    func reset() {
        let (builder, _, _) = build([#"{"a":"x","b":[1,2]}"#])
        builder.reset()
        Array(#"{"b":[3],"c":1}"#.utf8).withUnsafeBytes { try? builder.append($0, timestampMs: 0) }
        let second = builder.finish().block
        #expect(second.rowCount == 1)
        #expect(rows(second, ["a", "b", "c"]) == [[.null, .array([.int(3)]), .int(1)]])
    }
}

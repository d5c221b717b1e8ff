import Columnar
import LogStore
import TestSupport
import Testing

@testable import Ingest

@Suite("Change events in the table of their topic")
struct ChangeLandingTests {
    @Test("Maxwell's rows are flattened, dated by ts, and every type of event is a row")
    func maxwell() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try pipeline.produce(
            "maxwell",
            [
                ChangeSamples.maxwell("insert", #"{"id":1,"amount":4.2341,"comment":null}"#, id: 1),
                ChangeSamples.maxwell(
                    "update", #"{"id":1,"amount":5.5,"comment":"I am a creature"}"#,
                    old: #"{"amount":4.2341,"comment":null}"#, id: 1),
                ChangeSamples.maxwell("delete", #"{"id":1,"amount":5.5,"comment":"I am a creature"}"#, id: 1),
                ChangeSamples.maxwellCreate,
            ])
        let names = ["ts", "type", "data.id", "data.amount", "data.comment", "old.amount"]
        let rows = try pipeline.rows("maxwell", names)
        #expect(
            rows == [
                [.int(1_477_053_217_000), .text("insert"), .int(1), .float(4.2341), .null, .null],
                [
                    .int(1_477_053_217_000), .text("update"), .int(1), .float(5.5), .text("I am a creature"),
                    .float(4.2341),
                ],
                [.int(1_477_053_217_000), .text("delete"), .int(1), .float(5.5), .text("I am a creature"), .null],
                [.int(1_477_053_126_000), .text("table-create"), .null, .null, .null, .null],
            ])
        #expect(try pipeline.deadLetters("maxwell").isEmpty)
        let definition = try #require(pipeline.catalog.table("maxwell")).definition
        #expect(definition.timeColumn == "ts")
        #expect(definition.column("data.id")?.type == .nullable(.int64))
    }

    @Test("Debezium's events lose the wrapper, tombstones make no dead letters", arguments: [true, false])
    func debezium(wrapped: Bool) throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let topic = "dbserver1.shop.orders"
        let row = #"{"id":1004,"note":"first"}"#
        let deletion = ChangeSamples.debezium("d", before: row, after: nil, id: 1004, wrapped: wrapped)
        try pipeline.produce(
            topic,
            [
                ChangeSamples.debezium("c", before: nil, after: row, id: 1004, wrapped: wrapped),
                ChangeSamples.debezium(
                    "u", before: row, after: #"{"id":1004,"note":"second"}"#, id: 1004, wrapped: wrapped),
                deletion, ChangeSamples.tombstone(after: deletion),
            ])
        let names = ["op", "before.id", "after.id", "after.note", "source.table", "ts_ms"]
        let at = Scalar.int(1_465_491_411_815)
        #expect(
            try pipeline.rows(topic, names) == [
                [.text("c"), .null, .int(1004), .text("first"), .text("orders"), at],
                [.text("u"), .int(1004), .int(1004), .text("second"), .text("orders"), at],
                [.text("d"), .int(1004), .null, .null, .text("orders"), at],
            ])
        #expect(try pipeline.deadLetters(topic).isEmpty)
        let definition = try #require(pipeline.catalog.table(topic)).definition
        #expect(definition.timeColumn == "ts_ms")
        #expect(!definition.columns.contains { $0.name.hasPrefix("schema") || $0.name.hasPrefix("payload") })
    }

    /// A row of `ChangeSamples.row`, and the same as the columns have it.
    static let typed =
        #"{"id":1,"amount":"MDk=","created":1465491411815,"seen":1465491411815123,"day":16961,"at":45296000001,"#
        + #""zoned":"2016-06-09T16:56:51.5+02:00","extra":"{\"a\": 1}","flags":"BQg=","note":null}"#
    static let typedNames = ["id", "amount", "created", "seen", "day", "at", "zoned", "extra", "flags"]
    static let typedRow: [Scalar] = [
        .int(1), .float(123.45), .int(1_465_491_411_815), .int(1_465_491_411_815_123), .uint(16961),
        .text("12:34:56.000001"), .int(1_465_484_211_500_000), .text(#"{"a": 1}"#), .int(2053),
    ]

    @Test("times, decimals and bits are what the schema says, in the raw table and in the current one")
    func logicalTypes() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let topic = "dbserver1.shop.orders"
        _ = try pipeline.logStore.ensureTopic(topic)
        try pipeline.catalog.createTable(CurrentStateTests.definition("orders", topic: topic))
        try pipeline.produce(
            topic, [ChangeSamples.debezium("c", before: nil, after: Self.typed, id: 1, wrapped: true)])
        #expect(try pipeline.rows(topic, Self.typedNames.map { "after.\($0)" }) == [Self.typedRow])
        #expect(try pipeline.rows("orders", Self.typedNames) == [Self.typedRow])
        let definition = try #require(pipeline.catalog.table("orders")).definition
        #expect(definition.column("seen")?.type == .nullable(.dateTime64(precision: 6, timeZone: nil)))
        #expect(definition.column("day")?.type == .nullable(.date))
        // What the types cannot hold, and what is not as the schema says, stays in another column.
        let odd = #"{"id":2,"amount":12,"created":253402300800000,"seen":null,"day":-800000,"at":"?","flags":"!"}"#
        try pipeline.produce(topic, [ChangeSamples.debezium("c", before: nil, after: odd, id: 2, wrapped: true)])
        let rows = try pipeline.rows("orders", ["id", "amount", "seen", "at", "flags_string"])
        #expect(rows.contains([.int(2), .float(12), .null, .text("?"), .text("!")]))
        #expect(try pipeline.deadLetters("orders").isEmpty && pipeline.deadLetters(topic).isEmpty)
    }

    @Test("values of Connect's types as text")
    func connectText() {
        #expect(ConnectText.date(days: -1) == "1969-12-31" && ConnectText.date(days: .min) == nil)
        #expect(ConnectText.moment(-1, 3) == "1969-12-31T23:59:59.999Z")
        #expect(ConnectText.moment(.max, 3) == nil && ConnectText.moment(.min, 9) != nil)
        #expect(ConnectText.time(86_400_000_000, 6) == "24:00:00.000000" && ConnectText.time(-1, 3) == nil)
        #expect(ConnectText.decimal([0x80], scale: 0) == "-128" && ConnectText.decimal([0xff], scale: 2) == "-0.01")
        #expect(ConnectText.decimal([0], scale: 2) == "0.00" && ConnectText.decimal([5], scale: -3) == "5000")
        #expect(ConnectText.decimal([], scale: 1) == nil)
        #expect(ConnectText.decimal([UInt8](repeating: 1, count: 17), scale: 1) == nil)
        #expect(ConnectText.bits([5, 8]) == "2053" && ConnectText.bits([UInt8](repeating: 255, count: 8)) == nil)
        #expect(Base64.decoded(Array("AQID".utf8)) == [1, 2, 3] && Base64.decoded(Array("AQ==".utf8)) == [1])
        #expect(Base64.decoded(Array("A===".utf8)) == nil && Base64.decoded(Array("A!".utf8)) == nil)
    }

    @Test("text that only begins like null is no tombstone")
    func nearlyNull() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        _ = try pipeline.logStore.ensureTopic("t")
        try pipeline.catalog.createTable(CurrentStateTests.definition("now", topic: "t"))
        try pipeline.produce(
            "t",
            [
                SampleRecord(key: "k", value: #"{"a":1}"#), SampleRecord(key: "k", value: "nope"),
                SampleRecord(key: "j", value: #"{"a":2}"#), SampleRecord(key: "j", value: "null"),
            ])
        #expect(try pipeline.rows("now", ["a"]) == [[.int(1)]])
        #expect(try pipeline.deadLetters("now").map { $0[2] } == [.text("nope")])
        #expect(try pipeline.deadLetters("t").map { $0[2] } == [.text("nope")])
    }

    @Test("only what is Connect's wrapper is taken off")
    func wrappers() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let schema = #"{"type":"struct","fields":[{"type":"int64","field":"a"}],"optional":false}"#
        try pipeline.produce(
            "t",
            [
                SampleRecord(value: #" { "payload" : {"a":1}, "schema":\#(schema) } "#),
                SampleRecord(value: #"{"schema":null,"payload":{"a":2}}"#),
                SampleRecord(key: "k", value: #"{"schema":\#(schema),"payload":null}"#),
                SampleRecord(value: #"{"schema":"public","payload":{"a":3}}"#),
                SampleRecord(value: #"{"schema":\#(schema),"payload":{"a":4},"more":1}"#),
                SampleRecord(value: #"{"payload":{"a":5}}"#),
                SampleRecord(value: #"{"schema":\#(schema),"payload":7}"#),
                SampleRecord(value: #"{"schema":\#(schema),"payload":{"a":"#),
            ])
        let rows = try pipeline.rows("t", ["a", "payload.a"])
        #expect(
            rows == [[.int(1), .null], [.int(2), .null], [.null, .int(3)], [.null, .int(4)], [.null, .int(5)]])
        let letters = try pipeline.deadLetters("t")
        #expect(letters.map { $0[0] } == [.int(6), .int(7)])
        #expect(letters[0][1] == .text("a JSON value that is no object at byte 1"))
    }
}

@Suite("Columns of what surrounds a record")
struct RecordColumnTests {
    @Test("key, headers, timestamp and place become columns; a key that is no text stays bytes")
    func columns() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try pipeline.catalog.createTable(
            TableDefinition(
                name: "t", columns: [ColumnDefinition(name: "a", type: .int64)],
                settings: ["record_columns": "_key, _headers,_timestamp,_topic,_partition,_offset"]))
        var first = SampleRecord(key: "k1", value: #"{"a":1,"_key":"from the value","_headers":{"x":"y"}}"#)
        first.headers = [(Array("trace".utf8), Array("7".utf8)), (Array("empty".utf8), nil)]
        try pipeline.produce("t", [first, SampleRecord(value: #"{"a":2}"#), SampleRecord(key: "gone", value: nil)])
        let topic = try #require(pipeline.logStore.topic("t"))
        var builder = RecordBatchBuilder()
        builder.append(timestampMs: 1_700_000_000_001, key: [0xff, 0], value: Array("{\"a\":3}".utf8))
        let appended = try topic.partitions[0].appendBlocking([try builder.finish()])
        #expect(pipeline.waitUntilVisible(LogPosition(topic: "t", partition: 0, offset: appended.nextOffset)))
        let names = ["a", "_key", "_headers", "_timestamp", "_topic", "_partition", "_offset"]
        let at = Scalar.int(1_700_000_000_000)
        let headers = Scalar.map([.text("trace"), .text("7"), .text("empty"), .text("")])
        #expect(
            try pipeline.rows("t", names) == [
                [.int(1), .text("k1"), headers, at, .text("t"), .uint(0), .uint(0)],
                [.int(2), .text(""), .map([]), at, .text("t"), .uint(0), .uint(1)],
                [.int(0), .text("gone"), .map([]), at, .text("t"), .uint(0), .uint(2)],
                [.int(3), .string([0xff, 0]), .map([]), .int(1_700_000_000_001), .text("t"), .uint(0), .uint(3)],
            ])
    }

    @Test("the setting can be changed later, and what it cannot mean is refused")
    func altered() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try pipeline.produce("t", [SampleRecord(key: "k0", value: #"{"a":0}"#)])
        let table = try #require(pipeline.catalog.table("t"))
        try table.setSettings(["record_columns": "_key"])
        try pipeline.produce("t", [SampleRecord(key: "k1", value: #"{"a":1}"#)])
        try table.setSettings(["record_columns": ""])
        try pipeline.produce("t", [SampleRecord(key: "k2", value: #"{"a":2}"#)])
        #expect(
            try pipeline.rows("t", ["a", "_key"]) == [
                [.int(0), .text("")], [.int(1), .text("k1")], [.int(2), .text("")],
            ])
        #expect(throws: ColumnarError.self) { try table.setSettings(["record_columns": "_key,_value"]) }
        try table.addColumns([ColumnDefinition(name: "_offset", type: .string)])
        let failure = #expect(throws: ColumnarError.self) { try table.setSettings(["record_columns": "_offset"]) }
        #expect(failure?.code == .invalidDefinition)
        #expect(table.definition.settings == ["record_columns": ""])
    }
}

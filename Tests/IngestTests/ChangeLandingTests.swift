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

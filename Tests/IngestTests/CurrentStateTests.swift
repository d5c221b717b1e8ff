import Columnar
import LogStore
import TestSupport
import Testing

@testable import Ingest

@Suite("The current state of a source's rows")
struct CurrentStateTests {
    static func definition(
        _ name: String, topic: String, _ settings: [String: String] = [:], columns: [ColumnDefinition] = [],
        key: [String] = []
    ) -> TableDefinition {
        var all = ["topic": topic, "cdc": "current"]
        all.merge(settings) { $1 }
        return TableDefinition(name: name, columns: columns, sortingKey: key, settings: all)
    }

    private static func sorted(_ rows: [[Scalar]]) -> [[Scalar]] { rows.sorted { "\($0)" < "\($1)" } }

    @Test("Maxwell: one topic, its raw table, and a table for each of the source's")
    func maxwell() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        _ = try pipeline.logStore.ensureTopic("maxwell")
        try pipeline.catalog.createTable(
            Self.definition("shop.orders", topic: "maxwell", ["cdc_source": "shop.orders"]))
        try pipeline.produce(
            "maxwell",
            [
                ChangeSamples.maxwellCreate,
                ChangeSamples.maxwell("insert", #"{"id":1,"amount":4.5,"note":null}"#, id: 1),
                ChangeSamples.maxwell("bootstrap-insert", #"{"id":2,"amount":7.25,"note":"old"}"#, id: 2),
                ChangeSamples.maxwell("insert", #"{"id":3,"amount":1.5,"note":"c"}"#, id: 3),
                ChangeSamples.maxwell("insert", #"{"id":1,"name":"Ann"}"#, table: "customers", id: 1),
                ChangeSamples.maxwell(
                    "update", #"{"id":1,"amount":5.5,"note":"paid"}"#, old: #"{"amount":4.5,"note":null}"#, id: 1),
                ChangeSamples.maxwell("delete", #"{"id":2,"amount":7.25,"note":"old"}"#, id: 2),
            ])
        // A table made later reads the topic from its beginning.
        try pipeline.catalog.createTable(
            Self.definition("shop.customers", topic: "maxwell", ["cdc_source": "shop.customers"]))
        #expect(pipeline.waitUntilCaughtUp("maxwell"))
        let expected: [[Scalar]] = [
            [.int(1), .float(5.5), .text("paid")], [.int(3), .float(1.5), .text("c")],
        ]
        #expect(Self.sorted(try pipeline.rows("shop.orders", ["id", "amount", "note"])) == expected)
        #expect(try pipeline.rows("shop.customers", ["id", "name"]) == [[.int(1), .text("Ann")]])
        #expect(try pipeline.rows("maxwell", ["type"]).count == 7)
        for table in ["maxwell", "shop.orders", "shop.customers"] {
            #expect(try pipeline.deadLetters(table).isEmpty)
        }
        // The primary key of a row changes: the row moves.
        try pipeline.produce(
            "maxwell",
            [ChangeSamples.maxwell("update", #"{"id":9,"amount":1.5,"note":"c"}"#, old: #"{"id":3}"#, id: 9)])
        #expect(
            Self.sorted(try pipeline.rows("shop.orders", ["id", "amount", "note"])) == [
                expected[0], [.int(9), .float(1.5), .text("c")],
            ])
        let snapshot = try #require(pipeline.catalog.table("shop.orders")).currentSnapshot()
        #expect(snapshot.columns.map(\.name) == ["id", "amount", "note"])
        #expect(snapshot.sources.reduce(0) { $0 + $1.rowCount } == 2)
        let names = Set(pipeline.materializer.status.map { "\($0.topic) \($0.table)" })
        #expect(names == ["maxwell maxwell", "maxwell shop.orders", "maxwell shop.customers"])
    }

    @Test("Maxwell's keys: arrays, primary_key_columns, names in another case; without one it says what to set")
    func maxwellKeys() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        _ = try pipeline.logStore.ensureTopic("m")
        try pipeline.catalog.createTable(Self.definition("t", topic: "m", ["cdc_source": "shop.orders"]))
        try pipeline.catalog.createTable(
            Self.definition("all", topic: "m"))
        func event(_ key: String?, _ type: String, _ data: String, more: String = "", table: String = "orders")
            -> SampleRecord
        {
            SampleRecord(
                key: key,
                value:
                    #"{"database":"shop","table":"\#(table)","type":"\#(type)","ts":1477053217,"data":\#(data)\#(more)}"#
            )
        }
        try pipeline.produce(
            "m",
            [
                event(#"["shop","orders",[{"id":1},{"part":"a"}]]"#, "insert", #"{"ID":1,"Part":"a","v":1}"#),
                event(nil, "update", #"{"ID":1,"Part":"a","v":2}"#, more: #","primary_key_columns":["id","part"]"#),
                event(
                    #"{"database":"shop","table":"orders","pk.id":1,"pk.part":"b"}"#, "insert",
                    #"{"ID":1,"Part":"b","v":3}"#),
                event(
                    #"["shop","other",[{"id":1},{"part":"a"}]]"#, "insert", #"{"ID":1,"Part":"a","v":4}"#,
                    table: "other"),
                event(#"{"database":"shop","table":"orders","_uuid":"6a7d"}"#, "insert", #"{"v":5}"#),
            ])
        #expect(
            Self.sorted(try pipeline.rows("t", ["ID", "Part", "v"])) == [
                [.int(1), .text("a"), .int(2)], [.int(1), .text("b"), .int(3)],
            ])
        #expect(Set(try pipeline.rows("all", ["v"])) == [[.int(2)], [.int(3)], [.int(4)]])
        let letters = try pipeline.deadLetters("t")
        #expect(letters.map { $0[0] } == [.int(4)])
        #expect(letters[0][1] == .text("neither the event nor its key says the row's primary key: set cdc_key"))
    }

    @Test("Debezium: keys from record keys, tombstones, truncation", arguments: [true, false])
    func debezium(wrapped: Bool) throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let topic = "dbserver1.shop.orders"
        _ = try pipeline.logStore.ensureTopic(topic)
        try pipeline.catalog.createTable(Self.definition("orders", topic: topic))
        func event(_ op: String, _ id: Int, _ before: String?, _ after: String?) -> SampleRecord {
            func row(_ note: String?) -> String? { note.map { #"{"id":\#(id),"note":"\#($0)"}"# } }
            return ChangeSamples.debezium(op, before: row(before), after: row(after), id: id, wrapped: wrapped)
        }
        let deletion = event("d", 3, "three", nil)
        try pipeline.produce(
            topic,
            [
                event("r", 1, nil, "one"), event("c", 2, nil, "two"), event("c", 3, nil, "three"),
                event("u", 1, "one", "uno"), deletion, ChangeSamples.tombstone(after: deletion),
                // Compaction may leave only the tombstone.
                ChangeSamples.tombstone(after: event("d", 2, "two", nil)), event("c", 4, nil, "four"),
            ])
        #expect(
            Self.sorted(try pipeline.rows("orders", ["id", "note"])) == [
                [.int(1), .text("uno")], [.int(4), .text("four")],
            ])
        try pipeline.produce(
            topic,
            [
                event("c", 5, nil, "five"),
                ChangeSamples.debezium("t", before: nil, after: nil, id: nil, wrapped: wrapped),
                event("c", 6, nil, "six"),
            ])
        #expect(try pipeline.rows("orders", ["id", "note"]) == [[.int(6), .text("six")]])
        #expect(try pipeline.deadLetters("orders").isEmpty)
        #expect(try pipeline.rows(topic, ["op"]).count == 9)
    }

    @Test("plain rows under a key replace each other; tombstones and __deleted take them away")
    func plainRows() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        _ = try pipeline.logStore.ensureTopic("users")
        try pipeline.catalog.createTable(Self.definition("current", topic: "users", ["record_columns": "_key,_offset"]))
        try pipeline.produce(
            "users",
            [
                SampleRecord(key: "u1", value: #"{"n":1}"#), SampleRecord(key: "u2", value: #"{"n":2}"#),
                SampleRecord(key: "u1", value: #"{"n":3}"#), SampleRecord(key: "u3", value: #"{"n":4}"#),
                SampleRecord(key: "u2", value: nil),
                SampleRecord(key: "u3", value: #"{"n":4,"__deleted":"true"}"#),
                SampleRecord(key: nil, value: #"{"n":5}"#), SampleRecord(key: "u4", value: "[1]"),
            ])
        #expect(try pipeline.rows("current", ["n", "_key", "_offset"]) == [[.int(3), .text("u1"), .uint(2)]])
        #expect(try pipeline.deadLetters("current").map { $0[0] } == [.int(6), .int(7)])
    }

    @Test("columns follow the source: new ones come, types widen, dropped ones become NULL; declared types hold")
    func schemaChanges() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        _ = try pipeline.logStore.ensureTopic("m")
        let at = DataType.dateTime64(precision: 3, timeZone: nil)
        try pipeline.catalog.createTable(
            Self.definition(
                "t", topic: "m",
                columns: [ColumnDefinition(name: "id", type: .uint32), ColumnDefinition(name: "at", type: at)],
                key: ["id"]))
        func row(_ type: String, _ data: String) -> SampleRecord { ChangeSamples.maxwell(type, data, id: 0) }
        try pipeline.produce(
            "m",
            [
                row("insert", #"{"id":1,"at":"2024-02-03 04:05:06","v":1,"gone":"x"}"#),
                row("insert", #"{"id":2,"at":"2024-02-03 04:05:07.5","v":2,"gone":"y"}"#),
            ])
        try #require(pipeline.catalog.table("t")).flush()
        try pipeline.produce(
            "m",
            [
                row("update", #"{"id":1,"at":"2024-02-03 04:05:06","v":1.5,"added":true}"#),
                row("insert", #"{"id":3,"at":"2024-02-03 04:05:08","v":3,"added":false}"#),
            ])
        let definition = try #require(pipeline.catalog.table("t")).definition
        #expect(definition.visibleSortingKey == ["id"])
        #expect(definition.column("id")?.type == .uint32)
        #expect(
            Self.sorted(try pipeline.rows("t", ["id", "at", "v", "gone", "added"])) == [
                [.uint(1), .int(1_706_933_106_000), .float(1.5), .null, .int(1)],
                [.uint(2), .int(1_706_933_107_500), .float(2), .text("y"), .null],
                [.uint(3), .int(1_706_933_108_000), .float(3), .null, .int(0)],
            ])
    }

    @Test("what such a table cannot be is refused")
    func refused() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let catalog = pipeline.catalog
        let time = [ColumnDefinition(name: "at", type: .dateTime(timeZone: nil))]
        var definitions = [
            Self.definition("t", topic: "x", ["cdc": "history"]), Self.definition("t", topic: ""),
            Self.definition("t", topic: "x", ["cdc_key": " , "]),
            TableDefinition(name: "t", columns: time, settings: ["cdc_source": "a.b"]),
            TableDefinition(name: "t", columns: [ColumnDefinition(name: "_cdc_key", type: .string)]),
        ]
        var kept = Self.definition("t", topic: "x", columns: time)
        kept.ttl = TimeToLive(column: "at", seconds: 1, sql: "")
        definitions.append(kept)
        kept = Self.definition("t", topic: "x")
        kept.maxBytes = 1
        definitions.append(kept)
        kept = Self.definition("t", topic: "x", columns: time)
        kept.partitionBy = .day(column: "at")
        definitions.append(kept)
        for definition in definitions {
            let failure = #expect(throws: ColumnarError.self) { try catalog.createTable(definition) }
            #expect(failure?.code == .invalidDefinition, "\(definition)")
        }
        let table = try catalog.createTable(Self.definition("t", topic: "x"))
        for change in [["topic": "x"], ["topic": "y", "cdc": "current"]] {
            #expect(throws: ColumnarError.self) { try table.setSettings(change) }
        }
        for column in ["_cdc_key", "_cdc_version", "_cdc_deleted"] {
            #expect(throws: ColumnarError.self) { try table.dropColumn(column) }
        }
        #expect(throws: ColumnarError.self) { try table.setMaxBytes(1) }
    }

    @Test("rows of every partition; a table dropped and made again begins anew while the topic and others go on")
    func partitions() throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try pipeline.logStore.createTopic("m", partitions: 3)
        let definition = Self.definition("t", topic: "m", ["cdc_source": "shop.orders"])
        try pipeline.catalog.createTable(definition)
        for round in 0..<4 {
            for id in 0..<30 {
                let type = round == 0 ? "insert" : id % 3 == round - 1 ? "delete" : "update"
                try pipeline.produce(
                    "m", [ChangeSamples.maxwell(type, #"{"id":\#(id),"v":\#(round)}"#, id: id)], partition: id % 3)
            }
            if round == 1 { try #require(pipeline.catalog.table("t")).flush() }
        }
        // What was deleted in a round came back in the next, unless that was the last.
        let expected = Set((0..<30).filter { $0 % 3 != 2 }.map { [Scalar.int(Int64($0)), .int(3)] })
        #expect(Set(try pipeline.rows("t", ["id", "v"])) == expected)
        #expect(pipeline.materializer.readers(of: "m") == ["t"])
        try pipeline.materializer.withoutFeeding("t") { try pipeline.catalog.dropTable("t") }
        #expect(pipeline.materializer.status.map(\.table) == ["m"])
        try pipeline.produce("m", [ChangeSamples.maxwell("delete", #"{"id":0,"v":3}"#, id: 0)])
        try pipeline.catalog.createTable(definition)
        #expect(pipeline.waitUntilCaughtUp("m"))
        #expect(Set(try pipeline.rows("t", ["id", "v"])) == expected.subtracting([[.int(0), .int(3)]]))
    }

    @Test("the log keeps what any table that reads it has not stored")
    func retention() throws {
        let disk = SimulatedDisk()
        let pipeline = try Pipeline(disk)
        defer { pipeline.stop() }
        var config = TopicConfig()
        config.retentionBytes = 1
        config.segmentBytes = 4096
        let topic = try pipeline.logStore.createTopic("m", partitions: 1, config: config)
        try pipeline.catalog.createTable(Self.definition("t", topic: "m", ["cdc_source": "shop.orders"]))
        for id in 0..<200 { try pipeline.produce("m", [ChangeSamples.maxwell("insert", #"{"id":\#(id)}"#, id: id)]) }
        try #require(pipeline.catalog.table("m")).flush()
        _ = try pipeline.logStore.applyRetention()
        #expect(topic.partitions[0].startOffset == 0)
        try #require(pipeline.catalog.table("t")).flush()
        _ = try pipeline.logStore.applyRetention()
        #expect(topic.partitions[0].startOffset > 0)
        // Changes of other tables move the offsets too.
        let stored = topic.partitions[0].startOffset
        for id in 0..<200 {
            try pipeline.produce("m", [ChangeSamples.maxwell("insert", #"{"id":\#(id)}"#, table: "other", id: id)])
        }
        for table in ["m", "t"] { try #require(pipeline.catalog.table(table)).flush() }
        _ = try pipeline.logStore.applyRetention()
        #expect(topic.partitions[0].startOffset > stored)
        #expect(try pipeline.rows("t", ["id"]).count == 200)
    }
}

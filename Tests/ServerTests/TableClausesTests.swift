import Columnar
import QueryEngine
import Testing

@testable import Server

@Suite("CREATE TABLE for the column store")
struct TableClausesTests {
    @Test("partition, order, time to live and cap are understood")
    func full() throws {
        let definition = try definition(
            "CREATE TABLE t (ts DateTime, a String, d Date) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (a, ts) "
                + "TTL ts + INTERVAL 30 DAY SETTINGS max_bytes = 1000000")
        #expect(definition.partitionBy == .day(column: "ts"))
        #expect(definition.sortingKey == ["a", "ts"])
        #expect(definition.ttl?.seconds == Int64(2_592_000))
        #expect(definition.ttl?.column == "ts")
        #expect(definition.maxBytes == 1_000_000)
        #expect(definition.timeColumn == "ts")
    }

    @Test("a table that follows a source's needs no columns, another does")
    func following() throws {
        let definition = try definition(
            "CREATE TABLE orders ORDER BY id SETTINGS topic = 'maxwell', cdc = 'current', cdc_source = 'shop.orders'")
        #expect(definition.columns.isEmpty && definition.sortingKey == ["id"])
        #expect(definition.topic == "maxwell" && definition.keepsLatest)
        #expect(throws: QueryError.self) { try self.definition("CREATE TABLE orders SETTINGS topic = 'maxwell'") }
    }

    @Test(
        "each spelling of a partition",
        arguments: [
            ("toYYYYMMDD(ts)", PartitionScheme.day(column: "ts")), ("toYYYYMM(ts)", .month(column: "ts")),
            ("d", .day(column: "d")),
            ("tuple()", .none), ("toStartOfMonth(ts)", .month(column: "ts")),
        ])
    func partitions(sql: String, scheme: PartitionScheme) throws {
        #expect(
            try definition("CREATE TABLE t (ts DateTime, d Date) ENGINE = MergeTree PARTITION BY \(sql) ORDER BY ts")
                .partitionBy == scheme)
    }

    @Test(
        "what cannot be done is an error that says what can",
        arguments: [
            "PARTITION BY a", "PARTITION BY (toDate(ts), a)", "TTL ts", "TTL ts + INTERVAL 1 DAY DELETE WHERE a = 1",
        ])
    func refusals(clause: String) {
        #expect(throws: QueryError.self) {
            try definition("CREATE TABLE t (ts DateTime, a String) ENGINE = MergeTree \(clause) ORDER BY ts")
        }
    }

    private func definition(_ sql: String) throws -> TableDefinition {
        let parsed = try Parser.parse(Array(sql.utf8))
        guard case .createTable(let statement) = parsed.statement else {
            throw QueryError(.syntaxError, "no CREATE TABLE")
        }
        return try TableDefinition(statement)
    }
}

@Suite("Shapes for Grafana")
struct FrameWriterTests {
    private let result =
        #"{"meta":[{"name":"t","type":"DateTime"},{"name":"h","type":"LowCardinality(String)"},"#
        + #"{"name":"n","type":"Nullable(UInt64)"}],"data":[["2024-04-17T04:04:12Z","a",1],["2024-04-17T04:04:13Z","b",null]]}"#

    @Test("frames, tables and series")
    func shapes() throws {
        let writer = FrameWriter(try JSONValue(parsing: Array(result.utf8)))
        #expect(
            text { writer.writeFrame(refID: "A", to: &$0) }
                == #"{"refId":"A","fields":[{"name":"t","type":"time","values":[1713326652000,1713326653000]},"#
                + #"{"name":"h","type":"string","values":["a","b"]},{"name":"n","type":"number","values":[1,null]}]}"#)
        #expect(
            text { writer.writeTable(refID: nil, to: &$0) }.contains(
                #""rows":[[1713326652000,"a",1],[1713326653000,"b",null]]"#))
        let series = text { json in
            json.beginArray()
            writer.writeSeries(refID: nil, to: &json)
            json.endArray()
        }
        #expect(
            series
                == #"[{"target":"a","datapoints":[[1,1713326652000]]},{"target":"b","datapoints":[[null,1713326653000]]}]"#
        )
    }

    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        body(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }
}

import Ingest
import LogStore
import Testing

/// A record as a producer makes it.
struct SampleRecord {
    var key: String?
    var value: String?
    var headers: [(key: [UInt8], value: [UInt8]?)] = []
    var timestampMs: Int64 = 1_700_000_000_000
}

func recordBatch(of records: [SampleRecord]) throws -> [UInt8] {
    var builder = RecordBatchBuilder()
    for record in records {
        builder.append(
            timestampMs: record.timestampMs, key: record.key.map { Array($0.utf8) },
            value: record.value.map { Array($0.utf8) }, headers: record.headers)
    }
    return try builder.finish()
}

extension Pipeline {
    /// Appends records to a partition of a topic, which is made when there is none, and waits until all tables of
    /// the topic have them.
    func produce(_ topic: String, _ records: [SampleRecord], partition: Int = 0) throws {
        let topic = try logStore.ensureTopic(topic)
        let appended = try topic.partitions[partition].appendBlocking([try recordBatch(of: records)])
        let end = LogPosition(topic: topic.name, partition: Int32(partition), offset: appended.nextOffset)
        #expect(waitUntilVisible(end), "\(materializer.status)")
    }
}

/// Events as Maxwell and Debezium write them.
enum ChangeSamples {
    /// Maxwell's record key in its usual form, `hash`.
    static func maxwellKey(_ id: Int, table: String = "orders") -> String {
        #"{"database":"shop","table":"\#(table)","pk.id":\#(id)}"#
    }

    static func maxwell(
        _ type: String, _ data: String, old: String? = nil, table: String = "orders", id: Int, xid: Int = 23396
    ) -> SampleRecord {
        let old = old.map { #","old":\#($0)"# } ?? ""
        return SampleRecord(
            key: maxwellKey(id, table: table),
            value: #"{"database":"shop","table":"\#(table)","type":"\#(type)","ts":1477053217,"xid":\#(xid),"#
                + #""commit":true,"data":\#(data)\#(old)}"#)
    }

    /// What Maxwell writes of a new table.
    static let maxwellCreate = SampleRecord(
        key: #"{"database":"shop","table":"orders"}"#,
        value:
            #"{"type":"table-create","database":"shop","table":"orders","def":{"database":"shop","charset":"utf8mb4","#
            + #""table":"orders","columns":[{"type":"int","name":"id","signed":true},{"type":"decimal","name":"amount"}],"#
            + #""primary-key":["id"]},"ts":1477053126000,"sql":"create table orders (id int primary key)"}"#)

    /// The schema Debezium sends with each event of a table of MySQL, cut to the columns used here.
    static let row =
        #"{"type":"int32","optional":false,"field":"id"},"#
        + #"{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"#
        + #""parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"amount"},"#
        + #"{"type":"int64","optional":true,"name":"io.debezium.time.Timestamp","version":1,"field":"created"},"#
        + #"{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,"field":"seen"},"#
        + #"{"type":"int32","optional":true,"name":"io.debezium.time.Date","version":1,"field":"day"},"#
        + #"{"type":"int64","optional":true,"name":"io.debezium.time.MicroTime","version":1,"field":"at"},"#
        + #"{"type":"string","optional":true,"name":"io.debezium.time.ZonedTimestamp","version":1,"field":"zoned"},"#
        + #"{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":"extra"},"#
        + #"{"type":"bytes","optional":true,"name":"io.debezium.data.Bits","version":1,"#
        + #""parameters":{"length":"12"},"field":"flags"},"#
        + #"{"type":"string","optional":true,"field":"note"}"#

    static let debeziumSchema =
        #"{"type":"struct","fields":[{"type":"struct","fields":[\#(row)],"optional":true,"#
        + #""name":"dbserver1.shop.orders.Value","field":"before"},{"type":"struct","fields":[\#(row)],"optional":true,"#
        + #""name":"dbserver1.shop.orders.Value","field":"after"},{"type":"struct","fields":["#
        + #"{"type":"string","optional":false,"field":"version"},{"type":"string","optional":false,"field":"connector"}],"#
        + #""optional":false,"name":"io.debezium.connector.mysql.Source","field":"source"},"#
        + #"{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"#
        + #""optional":false,"name":"dbserver1.shop.orders.Envelope","version":2}"#

    static let debeziumSource =
        #"{"version":"2.7.0.Final","connector":"mysql","name":"dbserver1","ts_ms":1465491411000,"snapshot":"false","#
        + #""db":"shop","sequence":null,"table":"orders","server_id":223344,"gtid":null,"file":"mysql-bin.000003","#
        + #""pos":484,"row":0,"thread":7,"query":null}"#

    static func debezium(
        _ op: String, before: String?, after: String?, id: Int?, wrapped: Bool
    ) -> SampleRecord {
        let payload =
            #"{"before":\#(before ?? "null"),"after":\#(after ?? "null"),"source":\#(debeziumSource),"op":"\#(op)","#
            + #""ts_ms":1465491411815,"transaction":null}"#
        let key = id.map { #"{"id":\#($0)}"# }
        guard wrapped else { return SampleRecord(key: key, value: payload) }
        let keySchema =
            #"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"#
            + #""name":"dbserver1.shop.orders.Key"}"#
        return SampleRecord(
            key: key.map { #"{"schema":\#(keySchema),"payload":\#($0)}"# },
            value: #"{"schema":\#(debeziumSchema),"payload":\#(payload)}"#)
    }

    /// What follows a deletion, so that compaction forgets the key.
    static func tombstone(after record: SampleRecord) -> SampleRecord { SampleRecord(key: record.key, value: nil) }
}

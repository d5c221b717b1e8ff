import Columnar
import Disk
import LogStore
import TestSupport
import Testing

@testable import Ingest

@Suite("From topics to tables")
struct MaterializerTests {
    @Test("what was acknowledged over HTTP is a row, in a table made of the first record")
    func ingestsClick() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let result = try await pipeline.ingest("events", InferenceTests.click)
        #expect(result.accepted == 1)
        #expect(result.rejected.count == 0)
        #expect(result.end == LogPosition(topic: "events", partition: 0, offset: 1))
        #expect(
            try pipeline.rows("events", ["timestamp", "type", "details.meta_a"]) == [
                [.int(1_713_326_652_000), .text("click"), .text("meta_a")]
            ])
        let definition = try #require(pipeline.catalog.table("events")).definition
        #expect(definition.sortingKey == ["timestamp"])
        #expect(definition.isInferred)
    }

    @Test("bad lines are told, good ones kept; topics of bad names are refused")
    func reportsLines() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let result = try await pipeline.ingest("t", "{\"a\":1}\nnope\n{\"a\":2}\n[3]\n")
        #expect(result.accepted == 2)
        #expect(result.rejected.first.map(\.line) == [2, 4])
        #expect(try pipeline.rows("t", ["a"]).count == 2)
        let nothing = try await pipeline.ingest("t", "junk")
        #expect(nothing.accepted == 0 && nothing.end == nil)
        await #expect(throws: IngestError.self) { try await pipeline.ingest("a/b", "{}") }
    }

    @Test("columns appear, widen and split as records change")
    func evolves() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try await pipeline.ingest("t", #"{"ts":1760000000,"v":1}"#)
        try await pipeline.ingest("t", #"{"ts":1760000001,"v":2.5,"new":true}"#)
        try await pipeline.ingest("t", #"{"ts":1760000002,"v":"x"}"#)
        try await pipeline.ingest("t", #"{"ts":1760000003,"v":4}"#)
        let found = try pipeline.rows("t", ["ts", "v", "new", "v_string"]).sorted { "\($0[0])" < "\($1[0])" }
        #expect(
            found == [
                [.int(1_760_000_000_000), .float(1), .null, .null],
                [.int(1_760_000_001_000), .float(2.5), .int(1), .null],
                [.int(1_760_000_002_000), .null, .null, .text("x")],
                [.int(1_760_000_003_000), .float(4), .null, .null],
            ])
    }

    @Test("records that are no JSON objects become dead letters with their bytes")
    func setsAside() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let topic = try pipeline.logStore.ensureTopic("t")
        let values: [[UInt8]?] = [Array("{\"a\":1}".utf8), Array("[1]".utf8), [0xff, 0], nil, Array("{\"a\":2}".utf8)]
        let appended = try topic.partitions[0].appendBlocking([try recordBatch(values)])
        #expect(pipeline.waitUntilVisible(LogPosition(topic: "t", partition: 0, offset: appended.nextOffset)))
        #expect(
            try pipeline.rows("t", ["a", "_time"]) == [
                [.int(1), .int(1_700_000_000_000)], [.int(2), .int(1_700_000_000_000)],
            ])
        let letters = try pipeline.deadLetters("t")
        #expect(letters.map { $0[0] } == [.int(1), .int(2), .int(3)])
        #expect(letters.map { $0[2] } == [.text("[1]"), .string([0xff, 0]), .text("")])
        #expect(letters[0][1] == .text("a JSON value that is no object at byte 1"))
        #expect(
            pipeline.materializer.status == [
                TopicStatus(topic: "t", table: "t", lag: 0, rows: 2, deadLetters: 3, error: nil)
            ])
    }

    @Test("dead letters alone make a table after a while, and good records still find their columns")
    func onlyDeadLetters() async throws {
        let settings = MaterializerSettings(threads: 1, tableWaitMs: 20)
        let pipeline = try Pipeline(SimulatedDisk(), settings: settings)
        defer { pipeline.stop() }
        let topic = try pipeline.logStore.ensureTopic("t")
        _ = try topic.partitions[0].appendBlocking([try recordBatch([Array("junk".utf8)])])
        while pipeline.catalog.table("t")?.statistics.deadLetterRows != 1 {
            try await Task.sleep(nanoseconds: 5_000_000)
        }
        try await pipeline.ingest("t", #"{"a":1}"#)
        #expect(try pipeline.rows("t", ["a"]) == [[.int(1)]])
        #expect(try pipeline.deadLetters("t").count == 1)
    }

    @Test("rows of INSERT come back from the table as they were")
    func insertsRows() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let type = DataType.dateTime64(precision: 6, timeZone: "Europe/Berlin")
        try pipeline.catalog.createTable(
            TableDefinition(
                name: "t",
                columns: [
                    ColumnDefinition(name: "at", type: type), ColumnDefinition(name: "x", type: .float64),
                    ColumnDefinition(name: "tags", type: .array(.string)),
                ], sortingKey: ["at"]))
        let columns = [
            Column(type: type, scalars: [.int(1_713_326_652_123_456), .int(0)]),
            Column(type: .float64, scalars: [.float(-.infinity), .float(0.1)]),
            Column(type: .array(.string), scalars: [.array([.text("a"), .text("")]), .array([])]),
        ]
        let block = Block(names: ["at", "x", "tags"], columns: columns, rowCount: 2)
        let end = try #require(try pipeline.ingestor.appendRows(block, table: "t"))
        #expect(pipeline.waitUntilVisible(end))
        #expect(
            try pipeline.rows("t", ["at", "x", "tags"]) == (0..<2).map { row in columns.map { $0.scalar(at: row) } })
    }

    @Test("internal topics feed nothing; every partition of the others does")
    func partitionsAndInternals() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try pipeline.logStore.createTopic("many", partitions: 3)
        for index in 0..<6 { try await pipeline.ingest("many", "{\"n\":\(index)}") }
        #expect(Set(try pipeline.rows("many", ["n"])) == Set((0..<6).map { [.int($0)] }))
        _ = try await pipeline.ingestor.ingest(topic: "__internal", body: Array("{}".utf8))
        #expect(pipeline.materializer.status.map(\.topic) == ["many"])
    }

    @Test("a large body goes through in many batches and blocks, every record once")
    func largeBody() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let count = 60_000
        let body = (0..<count).map { "{\"ts\":\(1_760_000_000_000 + $0),\"n\":\($0),\"s\":\"value \($0 % 7)\"}\n" }
            .joined()
        let result = try await pipeline.ingest("t", body)
        #expect(result.accepted == count)
        let found = try pipeline.rows("t", ["n"])
        #expect(found.count == count)
        #expect(Set(found).count == count)
    }

    @Test("a table dropped with its topic stays away; made anew it starts empty")
    func dropped() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try await pipeline.ingest("t", #"{"a":1}"#)
        try pipeline.materializer.withoutFeeding("t") {
            try pipeline.logStore.deleteTopic("t")
            try pipeline.catalog.dropTable("t")
        }
        #expect(pipeline.catalog.table("t") == nil)
        #expect(pipeline.materializer.status.isEmpty)
        try await pipeline.ingest("t", #"{"b":2}"#)
        #expect(try pipeline.rows("t", ["b"]) == [[.int(2)]])
    }

    @Test("a table changed by others meanwhile is followed")
    func alteredByOthers() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        try await pipeline.ingest("t", #"{"a":1}"#)
        try #require(pipeline.catalog.table("t")).addColumns([ColumnDefinition(name: "port", type: .uint16)])
        try await pipeline.ingest("t", #"{"a":2,"port":"443"}"#)
        #expect(Set(try pipeline.rows("t", ["a", "port"])) == [[.int(1), .uint(0)], [.int(2), .uint(443)]])
    }

    @Test("waiting for what never comes ends in time")
    func waitsInTime() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        #expect(!pipeline.materializer.waitUntilVisible(topic: "none", partition: 0, offset: 1, timeoutMs: 10))
    }
}

import Columnar
import Disk
import LogStore
import TestSupport
import Testing

@testable import Ingest

@Suite("Topics that change while tables follow them")
struct TopicChangeTests {
    private func append(_ pipeline: Pipeline, _ partition: Int, _ text: String) throws {
        let topic = try #require(pipeline.logStore.topic("t"))
        _ = try topic.partitions[partition].appendBlocking([try recordBatch([Array(text.utf8)])])
    }

    private func values(_ pipeline: Pipeline) throws -> [String] {
        try pipeline.rows("t", ["a"]).map { "\($0[0])" }.sorted()
    }

    @Test("records of partitions added later become rows, also after a restart")
    func growth() throws {
        let disk = SimulatedDisk()
        var pipeline = try Pipeline(disk)
        _ = try pipeline.logStore.createTopic("t", partitions: 1)
        try append(pipeline, 0, #"{"a":1}"#)
        #expect(pipeline.waitUntilCaughtUp("t"))
        try pipeline.logStore.addPartitions(topic: "t", total: 3)
        try append(pipeline, 2, #"{"a":2}"#)
        try append(pipeline, 1, #"{"a":3}"#)
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try values(pipeline) == ["1", "2", "3"].map { "\(Scalar.int(Int64($0) ?? 0))" })
        pipeline.stop()
        disk.crash(.none)
        pipeline = try Pipeline(disk)
        defer { pipeline.stop() }
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try values(pipeline).count == 3)
    }

    @Test("records deleted before their table had stored them are its rows all the same, also after a crash")
    func deletedEarly() throws {
        let disk = SimulatedDisk()
        var pipeline = try Pipeline(disk)
        let topic = try pipeline.logStore.createTopic("t", partitions: 1)
        try append(pipeline, 0, #"{"a":1}"#)
        #expect(pipeline.waitUntilCaughtUp("t"))
        // One is in the table's memory, one has not been looked at.
        try pipeline.materializer.withoutFeeding("t") {
            try append(pipeline, 0, #"{"a":2}"#)
            #expect(try topic.partitions[0].deleteRecords(before: -1) == 2)
        }
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try values(pipeline).count == 2)
        pipeline.stop()
        disk.crash(.none)
        pipeline = try Pipeline(disk)
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try values(pipeline).count == 2)
        // Once they are stored, their files go.
        try #require(pipeline.catalog.table("t")).flush()
        let log = try #require(pipeline.logStore.topic("t")?.partitions[0])
        try pipeline.logStore.applyRetention()
        #expect(log.sizeBytes == 0 && log.startOffset == 2)
        try append(pipeline, 0, #"{"a":3}"#)
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try values(pipeline).count == 3)
        #expect(try pipeline.deadLetters("t").isEmpty)
        pipeline.stop()
    }
}

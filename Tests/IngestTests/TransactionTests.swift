import Disk
import LogStore
import TestSupport
import Testing

@testable import Ingest

/// A batch as a producer in a transaction numbers it, one record for each number.
private func numbered(_ numbers: [Int], producer: Int64, sequence: Int32) throws -> [UInt8] {
    var bytes = try recordBatch(numbers.map { Array("{\"n\":\($0)}".utf8) })
    var fields = ByteWriter()
    fields.int64BigEndian(producer)
    fields.int16BigEndian(0)
    fields.int32BigEndian(sequence)
    bytes.replaceSubrange(43..<57, with: fields.bytes)
    bytes[22] |= 0x10
    var checksum = ByteWriter()
    checksum.uint32BigEndian(CRC32C.checksum(Array(bytes[21...])))
    bytes.replaceSubrange(17..<21, with: checksum.bytes)
    return bytes
}

extension PartitionLog {
    fileprivate func end(_ producer: Int64, commit: Bool) throws(LogStoreError) {
        _ = try appendMarkerBlocking(
            commit: commit, producerID: producer, producerEpoch: 0, coordinatorEpoch: 0)
    }
}

@Suite("From transactions to tables")
struct TransactionTests {
    @Test("rows show once their transaction is committed, and never when it is aborted")
    func visibility() async throws {
        let pipeline = try Pipeline(SimulatedDisk())
        defer { pipeline.stop() }
        let log = try pipeline.logStore.ensureTopic("t").partitions[0]
        func rows() throws -> [Int64] {
            try pipeline.rows("t", ["n"]).map { if case .int(let number) = $0[0] { number } else { -1 } }.sorted()
        }
        try await pipeline.ingest("t", #"{"n":0}"#)
        _ = try log.appendBlocking([numbered([1, 2], producer: 1, sequence: 0)])
        _ = try log.appendBlocking([numbered([3, 4], producer: 2, sequence: 0)])
        // What comes behind an open transaction waits with it.
        let behind = try await pipeline.ingestor.ingest(topic: "t", body: Array(#"{"n":5}"#.utf8))
        let end = try #require(behind.end)
        #expect(!pipeline.materializer.waitUntilVisible(end, timeoutMs: 30))
        #expect(try rows() == [0])
        try log.end(2, commit: true)
        #expect(!pipeline.materializer.waitUntilVisible(end, timeoutMs: 30))
        try log.end(1, commit: false)
        #expect(pipeline.waitUntilVisible(end))
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try rows() == [0, 3, 4, 5])
        _ = try log.appendBlocking([numbered([6], producer: 1, sequence: 2)])
        try log.end(1, commit: true)
        _ = try log.appendBlocking([numbered([7], producer: 1, sequence: 3)])
        try log.end(1, commit: false)
        #expect(pipeline.waitUntilCaughtUp("t"))
        #expect(try rows() == [0, 3, 4, 5, 6])
        #expect(pipeline.materializer.status == [TopicStatus(topic: "t", table: "t", lag: 0, rows: 5, deadLetters: 0)])
    }

    /// Transactions in several sizes; the even ones are committed.
    private static func work(_ disk: SimulatedDisk, _ committed: inout Set<Int>, _ aborted: inout Set<Int>) {
        guard let pipeline = try? Pipeline(disk) else { return }
        defer { pipeline.stop() }
        guard let log = try? pipeline.logStore.ensureTopic("t").partitions[0] else { return }
        var sequences: [Int64: Int32] = [:]
        for round in 0..<12 {
            let producer = Int64(round % 3)
            let numbers = (0...round % 3).map { round * 10 + $0 }
            let isCommitted = round % 2 == 0
            do {
                let batch = try numbered(numbers, producer: producer, sequence: sequences[producer] ?? 0)
                sequences[producer, default: 0] += Int32(numbers.count)
                // Whatever happens now, an odd one never shows.
                if !isCommitted { aborted.formUnion(numbers) }
                _ = try log.appendBlocking([batch])
                try log.end(producer, commit: isCommitted)
                if isCommitted { committed.formUnion(numbers) }
            } catch {}
            if round % 4 == 3 {
                _ = pipeline.materializer.waitUntilVisible(
                    topic: "t", partition: 0, offset: log.lastStableOffset, timeoutMs: 50)
                try? pipeline.catalog.table("t")?.flush()
            }
        }
    }

    @Test("the power cut at any operation: committed rows show exactly once, aborted ones never")
    func powerCuts() throws {
        var isDone = false
        var cut = 1
        while !isDone {
            let disk = SimulatedDisk()
            var committed: Set<Int> = []
            var aborted: Set<Int> = []
            disk.cutPower(atOperation: cut)
            Self.work(disk, &committed, &aborted)
            isDone = !disk.isPowerCut
            disk.crash(cut % 2 == 0 ? .none : .random, seed: UInt64(cut))
            for restart in 0..<2 {
                let pipeline = try Pipeline(disk)
                let log = try pipeline.logStore.ensureTopic("t").partitions[0]
                // As the coordinator does with what a crash left open.
                for transaction in try log.openTransactions() { try log.end(transaction.producerID, commit: false) }
                let context = "cut at \(cut), restart \(restart)"
                #expect(pipeline.waitUntilCaughtUp("t"), "\(context): \(pipeline.materializer.status)")
                var found: [Int] = []
                if pipeline.catalog.table("t") != nil {
                    found = try pipeline.rows("t", ["n"]).map { row in
                        if case .int(let number) = row[0] { Int(number) } else { -1 }
                    }
                }
                #expect(found.count == Set(found).count, "\(context): doubled")
                #expect(committed.isSubset(of: found), "\(context): lost")
                #expect(aborted.isDisjoint(with: found), "\(context): aborted ones show")
                pipeline.stop()
            }
            cut += 1
        }
        #expect(cut > 60)
    }
}

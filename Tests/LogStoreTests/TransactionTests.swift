import Compression
import Disk
import LogStore
import TestSupport
import Testing

@Suite("Transactions")
struct TransactionTests {
    private func send(
        _ log: PartitionLog, _ text: String, _ producer: Int64, _ sequence: Int32, epoch: Int16 = 0,
        inTransaction: Bool = true
    ) throws(LogStoreError) {
        _ = try log.appendBlocking([
            numbered([text], producer: producer, epoch: epoch, sequence: sequence, inTransaction: inTransaction)
        ])
    }

    private func end(
        _ log: PartitionLog, _ producer: Int64, commit: Bool, epoch: Int16 = 0, coordinator: Int32 = 0
    ) throws(LogStoreError) -> Int64 {
        try log.appendMarkerBlocking(
            commit: commit, producerID: producer, producerEpoch: epoch, coordinatorEpoch: coordinator
        ).baseOffset
    }

    private func aborted(
        _ producer: Int64, _ first: Int64, _ last: Int64, stable: Int64
    ) -> AbortedTransaction {
        AbortedTransaction(producerID: producer, firstOffset: first, lastOffset: last, lastStableOffset: stable)
    }

    @Test("readers of committed records see neither what is open nor what was aborted")
    func visibility() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        #expect(log.lastStableOffset == 0)
        _ = try log.appendBlocking([batch(["plain 0"])])
        try send(log, "one 1", 1, 0)
        #expect(log.lastStableOffset == 1)
        try send(log, "two 2", 2, 0)
        _ = try log.appendBlocking([batch(["plain 3"])])
        try send(log, "one 4", 1, 1)
        #expect(log.lastStableOffset == 1)
        #expect(try log.committed().map(\.text) == ["plain 0"])
        #expect(try log.openTransactions().map(\.firstOffset) == [1, 2])
        #expect(try end(log, 1, commit: false) == 5)
        #expect(log.lastStableOffset == 2)
        #expect(try log.committed().map(\.text) == ["plain 0"])
        #expect(try end(log, 2, commit: true) == 6)
        #expect(log.lastStableOffset == 7)
        #expect(log.endOffset == 7)
        #expect(try log.committed().map(\.text) == ["plain 0", "two 2", "plain 3"])
        try send(log, "one 7", 1, 2)
        #expect(try end(log, 1, commit: true) == 8)
        #expect(try log.committed().map(\.text) == ["plain 0", "two 2", "plain 3", "one 7"])
        #expect(try log.abortedTransactions(from: 0, upTo: 9) == [aborted(1, 1, 5, stable: 2)])
        #expect(try log.abortedTransactions(from: 5, upTo: 6) == [aborted(1, 1, 5, stable: 2)])
        #expect(try log.abortedTransactions(from: 0, upTo: 1) == [])
        #expect(try log.abortedTransactions(from: 6, upTo: 9) == [])
    }

    @Test("a marker has Kafka's format, and offsets of its own")
    func markerFormat() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        try send(log, "a", 77, 0, epoch: 3)
        for isCommit in [true, false] {
            let offset = try end(log, 77, commit: isCommit, epoch: 3, coordinator: 9)
            let bytes = try log.read(from: offset, maxBytes: 1)
            try bytes.withUnsafeBytes { bytes in
                let batch = try RecordBatch(parsing: bytes)
                #expect(batch.isControl && batch.isTransactional && batch.codec == Codec.none)
                #expect(batch.producerID == 77 && batch.producerEpoch == 3 && batch.baseSequence == -1)
                #expect(batch.baseOffset == offset && batch.recordCount == 1)
                #expect(
                    TransactionMarker(parsing: batch, bytes)?.isCommit == isCommit
                        && TransactionMarker(parsing: batch, bytes)?.coordinatorEpoch == 9)
                try RecordBatch.forEachRecord(in: bytes, maxDecompressedBytes: 1000) { record in
                    #expect(record.key.map(Array.init) == [0, 0, 0, isCommit ? 1 : 0])
                    #expect(record.value.map(Array.init) == [0, 0, 0, 0, 0, 9])
                    #expect(record.timestampMs == fixture.clock.nowMs())
                }
            }
        }
    }

    @Test("producers cannot write markers, nor step out of their transaction")
    func refusals() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        var marker = try numbered(["x"], producer: 1, sequence: 0, inTransaction: true)
        marker[22] |= 0x20
        resetChecksum(&marker)
        let sent = marker
        #expect(logCode { () throws(LogStoreError) in _ = try log.appendBlocking([sent]) } == .invalidRecord)
        try send(log, "a", 1, 0)
        #expect(
            logCode { () throws(LogStoreError) in try send(log, "b", 1, 1, inTransaction: false) }
                == .invalidTransactionState)
        let mixed = [
            try numbered(["b"], producer: 1, sequence: 1, inTransaction: true),
            try numbered(["c"], producer: 1, sequence: 2),
        ]
        #expect(
            logCode { () throws(LogStoreError) in _ = try log.appendBlocking(mixed) } == .invalidTransactionState)
        #expect(log.endOffset == 1)
        _ = try end(log, 1, commit: true)
        try send(log, "b", 1, 1, inTransaction: false)
        #expect(log.lastStableOffset == 3)
    }

    @Test("markers shut out earlier epochs of producers and coordinators")
    func fencing() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        try send(log, "a", 1, 0, epoch: 4)
        #expect(
            logCode { () throws(LogStoreError) in _ = try end(log, 1, commit: true, epoch: 3) }
                == .invalidProducerEpoch)
        #expect(log.lastStableOffset == 0)
        // The next instance takes over: its epoch aborts what the one before left open.
        _ = try end(log, 1, commit: false, epoch: 5, coordinator: 7)
        #expect(log.lastStableOffset == 2)
        #expect(try log.committed() == [])
        #expect(logCode { () throws(LogStoreError) in try send(log, "b", 1, 1, epoch: 4) } == .invalidProducerEpoch)
        #expect(logCode { () throws(LogStoreError) in try send(log, "b", 1, 1, epoch: 5) } == .outOfOrderSequence)
        try send(log, "c", 1, 0, epoch: 5)
        #expect(
            logCode { () throws(LogStoreError) in _ = try end(log, 1, commit: true, epoch: 5, coordinator: 6) }
                == .coordinatorFenced)
        _ = try end(log, 1, commit: true, epoch: 5, coordinator: 7)
        // A marker sent again, and one of a producer unknown here, do no harm.
        _ = try end(log, 1, commit: true, epoch: 5, coordinator: 7)
        _ = try end(log, 2, commit: false)
        #expect(log.lastStableOffset == log.endOffset)
        #expect(try log.committed().map(\.text) == ["c"])
        #expect(
            logCode { () throws(LogStoreError) in _ = try end(log, -1, commit: true) } == .invalidRecord)
    }

    @Test("reads stop at the last stable offset, and go on when the transaction ends")
    func readCommitted() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        try send(log, "b", 1, 0)
        _ = try log.appendBlocking([batch(["c"])])
        #expect(try log.readCommitted(from: 0, maxBytes: 1 << 20).nextOffset == 1)
        for offset in 1...3 as ClosedRange<Int64> {
            let found = try log.readCommitted(from: offset, maxBytes: 1 << 20)
            #expect(found.bytes.isEmpty && found.nextOffset == offset)
        }
        #expect(
            logCode { () throws(LogStoreError) in _ = try log.readCommitted(from: 4, maxBytes: 1) }
                == .offsetOutOfRange)
        #expect(
            logCode { () throws(LogStoreError) in _ = try log.readCommitted(from: -1, maxBytes: 1) }
                == .offsetOutOfRange)
        let seen = Monitor<[Int64]>([])
        let observation = log.onAppend { end in seen.update { $0.append(end) } }
        _ = try end(log, 1, commit: true)
        // The append is answered before those who observe are told.
        #expect(seen.wait(timeoutMs: 10_000) { $0.isEmpty ? nil : $0 } == [4], "the marker wakes readers")
        observation.cancel()
        #expect(try log.readCommitted(from: 1, maxBytes: 1 << 20).nextOffset == 4)
    }

    @Test("a gap before an open transaction is passed over")
    func gaps() throws {
        let store = try LogFixture().open()
        defer { store.close() }
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        try log.ensureEndOffset(atLeast: 10)
        try send(log, "b", 1, 0)
        #expect(log.lastStableOffset == 10)
        let found = try log.readCommitted(from: 1, maxBytes: 1000)
        #expect(found.bytes.isEmpty && found.nextOffset == 10)
        _ = try end(log, 1, commit: true)
        #expect(try log.readCommitted(from: 10, maxBytes: 1000).nextOffset == 12)
    }

    @Test("deleting records of an open transaction does not commit it for who keeps them")
    func deleted() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        log.holdRetention(name: "table", storedOffset: 0)
        _ = try log.appendBlocking([batch(["a"])])
        try send(log, "b", 1, 0)
        try send(log, "c", 2, 0)
        _ = try end(log, 2, commit: false)
        _ = try log.appendBlocking([batch(["d"])])
        #expect(try log.deleteRecords(before: 4) == 4)
        #expect(log.lastStableOffset == 4, "readers have no business with what is before")
        #expect(log.keptStableOffset == 1)
        #expect(try log.readCommitted(from: 0, maxBytes: 1000, includingDeleted: true).nextOffset == 1)
        #expect(try log.readCommitted(from: 1, maxBytes: 1000, includingDeleted: true).nextOffset == 1)
        store.close()
        let again = try fixture.open()
        defer { again.close() }
        let reopened = try #require(again.topic("t")?.partitions[0])
        #expect(reopened.lastStableOffset == 4 && reopened.keptStableOffset == 1)
        _ = try end(reopened, 1, commit: true)
        var texts: [String] = []
        try reopened.readCommitted(from: 0, maxBytes: 1000, includingDeleted: true).forEachBatch {
            (_, bytes) throws(LogStoreError) in texts += try records(Array(bytes)).map(\.text)
        }
        #expect(texts == ["a", "b", "d"])
    }

    @Test("a marker is on the disk when it is answered, whatever the topic asks for")
    func markersAreSynced() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        var config = TopicConfig()
        config.durability = .os
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        try send(log, "a", 1, 0)
        _ = try end(log, 1, commit: true)
        try send(log, "b", 1, 1)
        fixture.disk.crash(.none)
        let again = try fixture.open()
        defer { again.close() }
        let reopened = try #require(again.topic("t")?.partitions[0])
        #expect(reopened.lastStableOffset == 2 && reopened.endOffset == 2)
        #expect(try reopened.committed().map(\.text) == ["a"])
    }
}

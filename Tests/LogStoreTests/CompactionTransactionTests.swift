import Disk
import LogStore
import TestSupport
import Testing

/// A batch with a producer's numbers.
private func batch(
    _ records: [KeyedRecord], producer: Int64, sequence: Int32, inTransaction: Bool
) throws -> [UInt8] {
    var bytes = try keyedBatch(records)
    var fields = ByteWriter()
    fields.int64BigEndian(producer)
    fields.int16BigEndian(0)
    fields.int32BigEndian(sequence)
    bytes.replaceSubrange(43..<57, with: fields.bytes)
    if inTransaction { bytes[22] |= 0x10 }
    resetChecksum(&bytes)
    return bytes
}

/// Producers with and without transactions on one compacted partition.
private final class TransactionWorkload {
    enum Outcome { case committed, aborted, open }

    /// By offset; nil for a marker.
    private(set) var records: [(record: KeyedRecord, producer: Int64)?] = []
    /// By offset.
    private(set) var outcomes: [Outcome] = []
    private(set) var sequences: [Int64: Int32] = [:]
    /// The last batch each producer sent: bytes and offset.
    private(set) var last: [Int64: (bytes: [UInt8], offset: Int64)] = [:]
    private var open: [Int64: [Int]] = [:]
    private var random: SeededRandom
    private let fixture: LogFixture

    init(_ fixture: LogFixture, seed: UInt64) {
        self.fixture = fixture
        random = SeededRandom(seed: seed)
    }

    var openProducers: [Int64] { open.keys.sorted() }

    func step(_ log: PartitionLog) throws {
        fixture.clock.advance(milliseconds: Int64.random(in: 0...30, using: &random))
        let producer = Int64.random(in: 0..<5, using: &random)
        // 0 has no numbers, 4 has numbers and no transactions.
        if open[producer] != nil, Int.random(in: 0..<3, using: &random) == 0 {
            try end(log, producer, commit: Bool.random(using: &random))
        } else {
            try send(log, producer)
        }
    }

    func send(_ log: PartitionLog, _ producer: Int64) throws {
        let records = (0..<Int.random(in: 1...3, using: &random)).map { index in
            KeyedRecord(
                key: "key \(Int.random(in: 0..<9, using: &random))",
                value: Int.random(in: 0..<6, using: &random) == 0
                    ? nil : "\(self.records.count + index) of \(producer)",
                timestampMs: fixture.clock.nowMs())
        }
        let isTransaction = (1...3).contains(producer)
        let sequence = sequences[producer] ?? 0
        let bytes =
            producer == 0
            ? try keyedBatch(records)
            : try batch(records, producer: producer, sequence: sequence, inTransaction: isTransaction)
        let offset = try log.appendBlocking([bytes]).baseOffset
        #expect(Int(offset) == self.records.count)
        if isTransaction { open[producer, default: []] += self.records.count..<self.records.count + records.count }
        self.records += records.map { ($0, producer) }
        outcomes += records.map { _ in isTransaction ? .open : .committed }
        if producer > 0 {
            sequences[producer] = sequence + Int32(records.count)
            last[producer] = (bytes, offset)
        }
    }

    func end(_ log: PartitionLog, _ producer: Int64, commit: Bool) throws {
        let offset = try log.appendMarkerBlocking(
            commit: commit, producerID: producer, producerEpoch: 0, coordinatorEpoch: 0
        ).baseOffset
        #expect(Int(offset) == records.count)
        records.append(nil)
        outcomes.append(.committed)
        for offset in open[producer] ?? [] { outcomes[offset] = commit ? .committed : .aborted }
        open[producer] = nil
    }

    /// Checks what readers of committed records see, and what is there at all.
    func check(_ log: PartitionLog, _ label: String) throws {
        let firstOpen = open.values.compactMap(\.first).min() ?? records.count
        #expect(Int(log.lastStableOffset) == firstOpen, "\(label)")
        #expect(Int(log.endOffset) == records.count, "\(label)")
        let visible = try log.committed().map { Int($0.offset) }
        #expect(visible.allSatisfy { outcomes[$0] == .committed && records[$0] != nil }, "\(label): aborted are seen")
        let known = Dictionary(
            uniqueKeysWithValues: try log.keyedRecords().filter { records[Int($0.offset)] != nil }.map {
                (Int($0.offset), $0.record)
            })
        for (offset, record) in known { #expect(records[offset]?.record == record, "\(label): \(offset)") }
        var last: [String: Int] = [:]
        for (offset, entry) in records.prefix(firstOpen).enumerated() {
            if let entry, outcomes[offset] == .committed { last[entry.record.key ?? ""] = offset }
        }
        var seen: [String: Int] = [:]
        for offset in visible { seen[known[offset]?.key ?? "?"] = offset }
        for (key, offset) in last where seen[key] != offset {
            #expect(
                seen[key] == nil && records[offset]?.record.value == nil,
                "\(label): \(key) is at \(seen[key] ?? -1), should be at \(offset)")
        }
        for offset in firstOpen..<records.count where records[offset] != nil {
            #expect(known[offset] != nil, "\(label): \(offset) may yet be committed")
        }
    }

    /// Checks that producers go on where they were, and that their last batch again is not stored twice.
    func checkProducers(_ log: PartitionLog, _ label: String) throws {
        for (producer, (bytes, offset)) in last {
            #expect(try log.appendBlocking([bytes]).baseOffset == offset, "\(label): producer \(producer)")
        }
        for producer in 1...4 as ClosedRange<Int64> { try send(log, producer) }
    }
}

@Suite("Compaction of transactions")
struct CompactionTransactionTests {
    @Test(
        "aborted records go, committed ones stay as readers see them, producers and transactions go on",
        arguments: 1...8)
    func random(seed: UInt64) throws {
        let fixture = LogFixture()
        let workload = TransactionWorkload(fixture, seed: seed)
        var store = try fixture.open()
        var log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 900)).partitions[0]
        for round in 0..<25 {
            for _ in 0..<12 { try workload.step(log) }
            try store.compact()
            let label = "seed \(seed), round \(round)"
            try workload.check(log, label)
            if round % 6 == 5 {
                store.close()
                // Without its snapshots the log itself says what there is to know.
                if round % 12 == 5 {
                    for path in fixture.disk.allFiles
                    where path.hasSuffix(".producers") || path.hasSuffix(".aborted") {
                        try fixture.disk.remove(path)
                    }
                    try fixture.disk.remove("/data/log/topics/t/0/recovery-point")
                }
                store = try fixture.open()
                #expect(store.recovery.problems == [], "\(label)")
                log = try #require(store.topic("t")?.partitions[0])
                try workload.check(log, "\(label), restarted")
                try workload.checkProducers(log, label)
                try workload.check(log, "\(label), after the producers")
            }
        }
        #expect(try store.verify() == [])
        store.close()
    }

    @Test("of a committed transaction that left nothing the marker goes, too, delete.retention.ms later")
    func markers() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 600)).partitions[0]
        func fill() throws {
            for number in 0..<20 {
                _ = try log.appendBlocking([
                    keyedBatch([KeyedRecord(key: "f\(number % 2)", value: "\(number)", timestampMs: 1)])
                ])
            }
        }
        func markers() throws -> [Int64] {
            var found: [Int64] = []
            var next = log.startOffset
            while next < log.endOffset {
                for batch in try headers(try log.read(from: next, maxBytes: 500)) {
                    if batch.isControl { found.append(batch.baseOffset) }
                    next = batch.nextOffset
                }
            }
            return found
        }
        for (producer, commits) in [(1, false), (2, true), (3, true)] as [(Int64, Bool)] {
            _ = try log.appendBlocking([
                batch(
                    [KeyedRecord(key: producer == 3 ? "stays" : "a", value: "\(producer)", timestampMs: 1)],
                    producer: producer, sequence: 0,
                    inTransaction: true)
            ])
            _ = try log.appendMarkerBlocking(
                commit: commits, producerID: producer, producerEpoch: 0, coordinatorEpoch: 0)
        }
        // Another record of the key, and later ones of the producers, make all of it superfluous.
        _ = try log.appendBlocking([keyedBatch([KeyedRecord(key: "a", value: "3", timestampMs: 1)])])
        for producer in [1, 2, 3] as [Int64] {
            _ = try log.appendBlocking([
                batch(
                    [KeyedRecord(key: "b", value: "x", timestampMs: 1)], producer: producer, sequence: 1,
                    inTransaction: false)
            ])
        }
        try fill()
        try store.compact()
        #expect(try !log.keyedRecords().contains { $0.record.key == "a" && $0.offset < 4 })
        #expect(try markers() == [1, 3, 5], "their records were still there when this pass began")
        try fill()
        try store.compact()
        #expect(try markers() == [1, 3, 5], "their time begins")
        fixture.clock.advance(milliseconds: 1001)
        try fill()
        try store.compact()
        #expect(try markers() == [1, 5], "one ends an aborted transaction, the other has a record that stays")
        #expect(try log.committed().contains { $0.text == "3" })
        store.close()
        for path in fixture.disk.allFiles where path.hasSuffix(".producers") { try fixture.disk.remove(path) }
        try fixture.disk.remove("/data/log/topics/t/0/recovery-point")
        let again = try #require(try fixture.open().topic("t")?.partitions[0])
        #expect(again.lastStableOffset == again.endOffset, "every transaction that is left has its end")
    }

    @Test("an open transaction stops compaction at its first record")
    func open() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: compacted(segmentBytes: 300)).partitions[0]
        _ = try log.appendBlocking([
            batch(
                [KeyedRecord(key: "a", value: "1", timestampMs: 1)], producer: 1, sequence: 0, inTransaction: true)
        ])
        for number in 0..<30 {
            _ = try log.appendBlocking([
                keyedBatch([KeyedRecord(key: "a", value: "\(number)", timestampMs: 1)])
            ])
        }
        #expect(try store.compact() == 0)
        #expect(try log.keyedRecords().count == 31)
        _ = try log.appendMarkerBlocking(commit: true, producerID: 1, producerEpoch: 0, coordinatorEpoch: 0)
        #expect(try store.compact() > 0)
        #expect(try log.keyedRecords().filter { $0.record.key == "a" }.count < 6)
    }
}

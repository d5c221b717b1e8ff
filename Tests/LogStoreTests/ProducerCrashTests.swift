import Disk
import LogStore
import TestSupport
import Testing

/// What a log's batches say of producers, found by reading them all: what the log must know after any crash.
private struct Truth: Equatable {
    var open: [Int64: Int64] = [:]
    var aborted: [AbortedTransaction] = []
    /// Base offsets of stored batches, by producer and first sequence number.
    var stored: [Int64: [Int32: [Int64]]] = [:]
    var visible: [String] = []
    var stable: Int64 = 0

    init(_ log: PartitionLog) throws {
        var texts: [(offset: Int64, producer: Int64, isTransactional: Bool, text: String)] = []
        var next = log.startOffset
        while next < log.endOffset {
            let bytes = try log.read(from: next, maxBytes: 1)
            try bytes.withUnsafeBytes { bytes in
                let batch = try RecordBatch(parsing: bytes)
                next = batch.nextOffset
                if let marker = TransactionMarker(parsing: batch, bytes) {
                    let start = open.removeValue(forKey: marker.producerID)
                    if let start, !marker.isCommit {
                        aborted.append(
                            AbortedTransaction(
                                producerID: marker.producerID, firstOffset: start, lastOffset: batch.baseOffset,
                                lastStableOffset: open.values.min() ?? batch.nextOffset))
                    }
                    return
                }
                if batch.hasProducer {
                    stored[batch.producerID, default: [:]][batch.baseSequence, default: []].append(batch.baseOffset)
                    if batch.isTransactional, open[batch.producerID] == nil {
                        open[batch.producerID] = batch.baseOffset
                    }
                }
                for record in try records(Array(bytes)) {
                    texts.append((record.offset, batch.producerID, batch.isTransactional, record.text))
                }
            }
        }
        let end = open.values.min() ?? log.endOffset
        stable = end
        visible = texts.filter { text in
            text.offset < end
                && !(text.isTransactional
                    && aborted.contains {
                        $0.producerID == text.producer && $0.firstOffset <= text.offset && text.offset <= $0.lastOffset
                    })
        }.map(\.text)
    }

    /// Compares with what the log says.
    func verify(_ log: PartitionLog, _ label: String) throws {
        #expect(log.lastStableOffset == stable, "\(label)")
        #expect(
            try log.openTransactions().map { [$0.producerID, $0.firstOffset] }
                == open.map { [$0.key, $0.value] }.sorted { $0[1] < $1[1] }, "\(label)")
        let all = try log.abortedTransactions(from: log.startOffset, upTo: log.endOffset)
        #expect(all == aborted.sorted { $0.firstOffset < $1.firstOffset }, "\(label)")
        #expect(try log.committed().map(\.text) == visible, "\(label)")
        for batches in stored.values {
            for offsets in batches.values { #expect(offsets.count == 1, "\(label): stored twice") }
        }
    }
}

/// Producers at work: one that only numbers, two with short transactions, one whose transactions cross segments.
private final class Producers {
    private struct Producer {
        var sequence: Int32 = 0
        /// Sent without an answer: to be sent again before anything else.
        var pending: [UInt8]?
        /// The base offset of the last acknowledged batch.
        var last: (bytes: [UInt8], offset: Int64)?
    }

    private var producers = [Producer](repeating: Producer(), count: 4)
    private(set) var acknowledged = 0

    private func send(_ log: PartitionLog, _ id: Int, _ round: Int) {
        let texts = (0...round % 3).map { "producer \(id) round \(round) text \($0)" }
        let fresh = try? numbered(
            texts, producer: Int64(id), sequence: producers[id].sequence, inTransaction: id > 0)
        guard let bytes = producers[id].pending ?? fresh else { return }
        producers[id].pending = bytes
        guard let result = try? log.appendBlocking([bytes]) else { return }
        acknowledged += 1
        producers[id].pending = nil
        producers[id].last = (bytes, result.baseOffset)
        producers[id].sequence += Int32(result.nextOffset - result.baseOffset)
    }

    func run(_ store: LogStore, config: TopicConfig, rounds: Int = 9) {
        guard let topic = try? store.topic("t") ?? store.createTopic("t", partitions: 1, config: config) else { return }
        let log = topic.partitions[0]
        for round in 0..<rounds {
            _ = try? log.appendBlocking([batch(["plain \(round)"])])
            for id in 0..<4 { send(log, id, round) }
            for id in 1..<4 where round % (id == 3 ? 7 : id) == 0 {
                _ = try? log.appendMarkerBlocking(
                    commit: (round / id) % 3 == 0, producerID: Int64(id), producerEpoch: 0, coordinatorEpoch: 0)
            }
        }
    }

    /// What clients do after a crash: they send what was not answered, and sometimes what was.
    func sendAgain(_ log: PartitionLog, _ label: String) throws {
        for id in producers.indices {
            if let last = producers[id].last {
                #expect(try log.appendBlocking([last.bytes]).baseOffset == last.offset, "\(label): acknowledged before")
            }
            guard let pending = producers[id].pending else { continue }
            let first = try log.appendBlocking([pending])
            #expect(try log.appendBlocking([pending]).baseOffset == first.baseOffset, "\(label): twice")
        }
    }
}

private func config(_ durability: Durability = .fsync) -> TopicConfig {
    var config = TopicConfig()
    config.segmentBytes = 1500
    config.durability = durability
    return config
}

private func newFixture() -> LogFixture {
    var fixture = LogFixture()
    fixture.settings.maxAbortedInMemory = 3
    return fixture
}

@Suite("Producers through crashes")
struct ProducerCrashTests {
    private func operationCount() throws -> Int {
        let fixture = newFixture()
        let store = try fixture.open()
        Producers().run(store, config: config())
        let log = try #require(store.topic("t")?.partitions[0])
        #expect(log.segments.count > 3)
        try Truth(log).verify(log, "no crash")
        store.close()
        #expect(fixture.disk.allFiles.contains { $0.hasSuffix(".aborted") })
        #expect(fixture.disk.allFiles.count { $0.hasSuffix(".producers") } == 2)
        return fixture.disk.operationCount()
    }

    private func verify(_ fixture: LogFixture, _ producers: Producers, _ label: String) throws {
        let store = try fixture.open()
        defer { store.close() }
        #expect(store.recovery.problems == [], "\(label)")
        let log = try store.ensureTopic("t").partitions[0]
        try Truth(log).verify(log, label)
        try producers.sendAgain(log, label)
        try Truth(log).verify(log, "\(label), sent again")
    }

    @Test("power lost at any operation: nothing is stored twice, nothing aborted shows, nothing committed is lost")
    func powerCuts() throws {
        let count = try operationCount()
        for operation in 1...count {
            let survival = operation % 2 == 0 ? SimulatedDisk.Survival.none : .random
            let fixture = newFixture()
            fixture.disk.cutPower(atOperation: operation)
            let producers = Producers()
            if let store = try? fixture.open() {
                producers.run(store, config: config())
                store.close()
            }
            fixture.disk.crash(survival, seed: UInt64(operation))
            let label = "operation \(operation), \(survival)"
            try verify(fixture, producers, label)
            // The log goes on, and another crash finds it right.
            guard operation % 4 < 2 else { continue }
            if let store = try? fixture.open() { producers.run(store, config: config(), rounds: 3) }
            fixture.disk.crash(.none)
            try verify(fixture, producers, "\(label), then again")
        }
    }

    @Test("a killed process loses nothing that was answered, at any operation and with any durability")
    func kills() throws {
        for durability in [Durability.os, .interval(ms: 1)] {
            for operation in stride(from: 3, to: 140, by: 7) {
                let fixture = newFixture()
                fixture.disk.cutPower(atOperation: operation)
                let producers = Producers()
                if let store = try? fixture.open() {
                    producers.run(store, config: config(durability))
                    store.close()
                }
                fixture.disk.crash(.all)
                try verify(fixture, producers, "\(durability), operation \(operation)")
            }
        }
    }

    @Test("any operation that finds the disk full takes back what its append noted")
    func fullAtAnyOperation() throws {
        let count = try operationCount()
        for operation in 1...count {
            let fixture = newFixture()
            fixture.disk.failOperation(
                number: operation, of: SimulatedDisk.Operation.changing.subtracting([.sync, .syncDirectory]),
                with: .full)
            let producers = Producers()
            guard let store = try? fixture.open() else { continue }
            producers.run(store, config: config())
            let label = "operation \(operation)"
            if let log = store.topic("t")?.partitions[0] {
                try Truth(log).verify(log, label)
                try producers.sendAgain(log, label)
            }
            store.close()
            fixture.disk.crash(.none)
            try verify(fixture, producers, label)
        }
    }

    @Test("after any failed sync the log knows what readers see, and a restart what is stored")
    func failedSyncs() throws {
        let fixture = newFixture()
        let store = try fixture.open()
        Producers().run(store, config: config())
        store.close()
        for number in 1...fixture.disk.operationCount([.sync, .syncDirectory]) {
            for survival in SimulatedDisk.Survival.allCases {
                let fixture = newFixture()
                fixture.disk.failOperation(number: number, of: [.sync, .syncDirectory])
                let producers = Producers()
                let label = "sync \(number), \(survival)"
                if let store = try? fixture.open() {
                    producers.run(store, config: config())
                    if let log = store.topic("t")?.partitions[0] {
                        let truth = try Truth(log)
                        #expect(try log.committed().map(\.text) == truth.visible, "\(label)")
                    }
                    store.close()
                }
                fixture.disk.crash(survival, seed: UInt64(number))
                try verify(fixture, producers, label)
            }
        }
    }
}

@Suite("Producers' files")
struct ProducerFileTests {
    /// A closed log, with its files.
    private func written() throws -> (LogFixture, Producers, [String]) {
        let fixture = newFixture()
        let store = try fixture.open()
        let producers = Producers()
        producers.run(store, config: config(), rounds: 30)
        store.close()
        let files = fixture.disk.allFiles.filter { $0.hasSuffix(".aborted") || $0.hasSuffix(".producers") }
        #expect(files.count >= 4)
        return (fixture, producers, files)
    }

    @Test("after a shutdown in order nothing of the segments is read")
    func cleanStart() throws {
        let (fixture, producers, _) = try written()
        let reads = fixture.disk.operationCount([.read])
        let store = try fixture.open()
        defer { store.close() }
        let log = try #require(store.topic("t")?.partitions[0])
        #expect(fixture.disk.operationCount([.read]) - reads < 3 * log.segments.count + 8)
        #expect(store.recovery.scannedBytes == 0)
        try Truth(log).verify(log, "clean")
        try producers.sendAgain(log, "clean")
    }

    @Test("any flipped bit, and any missing file, is made good from the segments")
    func damage() throws {
        let fixture = newFixture()
        let store = try fixture.open()
        Producers().run(store, config: config(), rounds: 5)
        store.close()
        let files = fixture.disk.allFiles
        let contents = files.map { fixture.disk.contents($0) ?? [] }
        let derived = files.indices.filter { files[$0].hasSuffix(".aborted") || files[$0].hasSuffix(".producers") }
        #expect(derived.count >= 3)
        for damaged in derived {
            // One bit of each byte, another one each time; and last the file is missing.
            for byte in 0...contents[damaged].count {
                let fixture = newFixture()
                for index in files.indices where index != damaged || byte < contents[damaged].count {
                    fixture.disk.plant(files[index], contents[index])
                }
                if byte < contents[damaged].count {
                    fixture.disk.flipBit(files[damaged], byte * 8 + byte % 8)
                }
                let store = try fixture.open()
                let log = try #require(store.topic("t")?.partitions[0])
                let label = "\(files[damaged]), byte \(byte)"
                #expect(store.recovery.problems == [], "\(label)")
                try Truth(log).verify(log, label)
                store.close()
            }
        }
    }

    @Test("without any of the files all is found in the segments")
    func allGone() throws {
        let (fixture, producers, files) = try written()
        for file in files { try fixture.disk.remove(file) }
        let store = try fixture.open()
        defer { store.close() }
        let log = try #require(store.topic("t")?.partitions[0])
        try Truth(log).verify(log, "gone")
        try producers.sendAgain(log, "gone")
    }

    @Test("a chunk damaged while the log is open is read from the segments")
    func damagedLater() throws {
        let (fixture, _, files) = try written()
        let store = try fixture.open()
        defer { store.close() }
        for file in files where file.hasSuffix(".aborted") { fixture.disk.flipBit(file, 99) }
        let log = try #require(store.topic("t")?.partitions[0])
        try Truth(log).verify(log, "damaged")
    }

    @Test("a snapshot of records that are gone is not believed")
    func snapshotBeyondEnd() throws {
        let fixture = newFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([numbered(["a"], producer: 1, sequence: 0)])
        let kept = Int(log.sizeBytes)
        for sequence in 1..<4 as Range<Int32> {
            _ = try log.appendBlocking([numbered(["b"], producer: 1, sequence: sequence, inTransaction: true)])
        }
        store.close()
        // Somebody cut the file and took the recovery point away.
        let segment = Array((fixture.disk.contents(LogFixture.segmentPath()) ?? []).prefix(kept))
        fixture.disk.plant(LogFixture.segmentPath(), segment)
        try fixture.disk.remove("/data/log/topics/t/0/recovery-point")
        let again = try fixture.open()
        defer { again.close() }
        let reopened = try #require(again.topic("t")?.partitions[0])
        #expect(reopened.endOffset == 1)
        try Truth(reopened).verify(reopened, "cut")
        #expect(try reopened.appendBlocking([numbered(["c"], producer: 1, sequence: 1)]).baseOffset == 1)
    }

    @Test("behind a damaged batch markers are still found")
    func damagedSegment() throws {
        var fixture = newFixture()
        fixture.settings.indexIntervalBytes = 1
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([numbered(["a"], producer: 1, sequence: 0, inTransaction: true)])
        let position = Int(log.sizeBytes)
        _ = try log.appendBlocking([batch(["damaged"])])
        _ = try log.appendMarkerBlocking(commit: false, producerID: 1, producerEpoch: 0, coordinatorEpoch: 0)
        _ = try log.appendBlocking([numbered(["b"], producer: 2, sequence: 7)])
        store.close()
        fixture.disk.flipBit(LogFixture.segmentPath(), (position + 70) * 8)
        for name in fixture.disk.allFiles where name.hasSuffix(".producers") { try fixture.disk.remove(name) }
        let again = try fixture.open()
        defer { again.close() }
        let reopened = try #require(again.topic("t")?.partitions[0])
        #expect(reopened.lastStableOffset == 4)
        #expect(try reopened.abortedTransactions(from: 0, upTo: 4).map(\.lastOffset) == [2])
        #expect(reopened.producerCount == 2)
    }

    @Test("files go with the records they are about; logs without producers have none")
    func retention() throws {
        let fixture = newFixture()
        let store = try fixture.open()
        var settings = config()
        settings.retentionBytes = 3000
        let plain = try store.createTopic("plain", partitions: 1, config: settings).partitions[0]
        for number in 0..<60 { _ = try plain.appendBlocking([batch(["plain \(number)"])]) }
        let producers = Producers()
        var seen: Set<String> = []
        for _ in 0..<12 {
            producers.run(store, config: settings, rounds: 8)
            try store.applyRetention()
            seen.formUnion(fixture.disk.allFiles.filter { $0.hasSuffix(".aborted") })
            let log = try #require(store.topic("t")?.partitions[0])
            let open = try log.openTransactions()
            #expect(log.lastStableOffset == min(log.endOffset, max(log.startOffset, open.first?.firstOffset ?? .max)))
        }
        store.close()
        let left = fixture.disk.allFiles.filter { $0.hasSuffix(".aborted") }
        #expect(left.count < seen.count)
        #expect(!fixture.disk.allFiles.contains { $0.contains("/plain/") && $0.hasSuffix(".producers") })
        let again = try fixture.open()
        defer { again.close() }
        let log = try #require(again.topic("t")?.partitions[0])
        #expect(try log.abortedTransactions(from: log.startOffset, upTo: log.endOffset).count > 0)
        try producers.sendAgain(log, "after retention")
    }
}

import Disk
import LogStore
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `Fixtures/log-v1/producers` holds a log with producers and transactions as the first version that knew them wrote
/// it.
@Suite("Golden files of producers, format 1")
struct ProducerGoldenTests {
    private let golden = GoldenTests()
    private static let fixtures = GoldenTests.fixtures + "/producers"

    /// Writes the log that the fixture holds.
    private func written() throws -> LogFixture {
        var fixture = LogFixture()
        fixture.settings.maxAbortedInMemory = 1
        let store = try fixture.open()
        let id = try store.allocateProducerID()
        var config = TopicConfig()
        config.segmentBytes = 1024
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for number in 0..<7 as Range<Int32> {
            _ = try log.appendBlocking([
                numbered(["one \(number)", "two \(number)"], producer: id, epoch: 3, sequence: number * 2)
            ])
            _ = try log.appendBlocking([
                numbered(["in transaction \(number)"], producer: 7, sequence: number, inTransaction: true)
            ])
            if number < 6 {
                _ = try log.appendMarkerBlocking(
                    commit: number % 2 == 0, producerID: 7, producerEpoch: 0, coordinatorEpoch: 5)
            }
        }
        store.close()
        return fixture
    }

    private func opened() throws -> LogStore {
        if getenv("LOGSTORE_WRITE_FIXTURES") != nil { try golden.writeFixtures(try written(), Self.fixtures) }
        let fixture = LogFixture()
        for (path, bytes) in try golden.readTree(Self.fixtures) {
            fixture.disk.plant(GoldenTests.folder + "/" + path, bytes)
        }
        return try fixture.open()
    }

    @Test("the first version's files are read, and go on where they ended")
    func read() throws {
        let store = try opened()
        defer { store.close() }
        #expect(store.recovery.problems == [])
        let log = try #require(store.topic("t")?.partitions[0])
        #expect(log.endOffset == 27)
        #expect(log.lastStableOffset == 26)
        #expect(log.producerCount == 2)
        #expect(try log.openTransactions().map(\.firstOffset) == [26])
        #expect(try log.abortedTransactions(from: 0, upTo: 26).map(\.firstOffset) == [6, 14, 22])
        let sent = try numbered(["x", "y"], producer: 0, epoch: 3, sequence: 10)
        #expect(try log.appendBlocking([sent]).baseOffset == 20, "a duplicate")
        #expect(
            logCode { () throws(LogStoreError) in
                _ = try log.appendBlocking([numbered(["x"], producer: 0, epoch: 3, sequence: 15)])
            } == .outOfOrderSequence)
        #expect(try store.allocateProducerID() == 1000)
    }

    @Test("the same log is written as the same bytes")
    func write() throws {
        _ = try opened()
        let disk = try written().disk
        var kinds: Set<Substring> = []
        for (path, bytes) in try golden.readTree(Self.fixtures) {
            guard let kind = [".producers", ".aborted", "producer-ids"].first(where: path.hasSuffix) else { continue }
            kinds.insert(kind[...])
            #expect(disk.contents(GoldenTests.folder + "/" + path) == bytes, "\(path)")
        }
        #expect(kinds.count == 3)
    }
}

import Compression
import Disk
import LogStore
import TestSupport
import Testing

@Suite("Log store")
struct LogStoreTests {
    @Test("appended records are read back, also after a restart")
    func appendAndRead() async throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        let topic = try store.createTopic("t", partitions: 2)
        let log = topic.partitions[0]
        let first = try await log.append([batch(["a", "b"])])
        #expect(first.baseOffset == 0 && first.nextOffset == 2 && first.appendTimeMs == 1_700_000_000_000)
        let second = try log.appendBlocking([batch(["c"]), batch(["d", "e"])])
        #expect(second.baseOffset == 2)
        #expect(log.endOffset == 5)
        let expected = ["a", "b", "c", "d", "e"].enumerated().map { SeenRecord(offset: Int64($0), text: $1) }
        #expect(try log.everything() == expected)
        #expect(try topic.partitions[1].read(from: 0, maxBytes: 100) == [])
        store.close()

        store = try fixture.open()
        #expect(store.recovery.problems == [])
        #expect(store.recovery.scannedBytes == 0)
        let again = try #require(store.topic("t")?.partitions[0])
        #expect(try again.everything() == expected)
        #expect(try again.appendBlocking([batch(["f"])]).baseOffset == 5)
    }

    @Test("a read at an offset inside a batch returns the whole batch, and the first batch whatever its size")
    func boundedReads() throws {
        let store = try LogFixture().open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        let one = try batch((0..<100).map { "value \($0)" })
        let two = try batch(["x"])
        _ = try log.appendBlocking([one, two])
        #expect(try records(try log.read(from: 50, maxBytes: 1)).map(\.offset) == Array(0..<100))
        #expect(try log.read(from: 99, maxBytes: one.count + two.count - 1).count == one.count)
        #expect(try log.read(from: 0, maxBytes: one.count + two.count).count == one.count + two.count)
        #expect(try log.read(from: 100, maxBytes: 0).count == two.count)
        #expect(try log.read(from: 101, maxBytes: 100) == [])
        #expect(logCode { () throws(LogStoreError) in _ = try log.read(from: 102, maxBytes: 1) } == .offsetOutOfRange)
        #expect(logCode { () throws(LogStoreError) in _ = try log.read(from: -1, maxBytes: 1) } == .offsetOutOfRange)
    }

    @Test("segments roll by size; reads and restarts cross them")
    func rollBySize() throws {
        let fixture = LogFixture()
        var config = TopicConfig()
        config.segmentBytes = 2000
        var store = try fixture.open()
        var log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for number in 0..<100 { _ = try log.appendBlocking([batch(["record \(number)", "and another"])]) }
        #expect(log.segments.count > 4)
        #expect(log.segments.dropLast().allSatisfy { $0.sizeBytes <= 2000 && !$0.isActive })
        let all = try log.everything()
        #expect(all.map(\.offset) == Array(0..<200))
        store.close()
        store = try fixture.open()
        #expect(store.recovery.problems == [])
        log = try #require(store.topic("t")?.partitions[0])
        #expect(try log.everything() == all)
        for offset in 0..<200 as Range<Int64> {
            #expect(try records(try log.read(from: offset, maxBytes: 1)).contains { $0.offset == offset })
        }
    }

    @Test("segments roll by age")
    func rollByAge() throws {
        let fixture = LogFixture()
        var config = TopicConfig()
        config.segmentMs = 1000
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for _ in 0..<3 {
            _ = try log.appendBlocking([batch(["a"])])
            fixture.clock.advance(milliseconds: 500)
        }
        #expect(log.segments.map(\.baseOffset) == [0, 2])
    }

    @Test("records are found by time")
    func byTime() throws {
        let fixture = LogFixture()
        var config = TopicConfig()
        config.segmentBytes = 2000
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for number in 0..<100 as Range<Int64> {
            _ = try log.appendBlocking([batch(["a", "b"], timestampMs: 1000 + number * 10, stepMs: 5)])
        }
        #expect(log.segments.count > 2)
        for (time, offset) in [(0, 0), (1000, 0), (1001, 1), (1005, 1), (1006, 2), (1500, 100), (1995, 199)] {
            #expect(try log.offset(atOrAfterMs: Int64(time)) == Int64(offset), "\(time)")
        }
        #expect(try log.offset(atOrAfterMs: 1996) == nil)
        // Late records do not confuse the index.
        _ = try log.appendBlocking([batch(["late"], timestampMs: 5)])
        _ = try log.appendBlocking([batch(["new"], timestampMs: 3000)])
        #expect(try log.offset(atOrAfterMs: 1996) == 201)
        #expect(try log.offset(atOrAfterMs: 1) == 0)
    }

    @Test("compressed batches are stored as they came and can be read", arguments: Codec.allCases)
    func compressed(codec: Codec) throws {
        let store = try LogFixture().open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        let texts = (0..<500).map { "a text like all others, number \($0)" }
        let sent = try batch(texts, codec: codec)
        _ = try log.appendBlocking([batch(["first"]), sent])
        let stored = try log.read(from: 1, maxBytes: 1)
        // All but the offset and the leader epoch.
        #expect(Array(stored[16...]) == Array(sent[16...]))
        #expect(try records(stored) == texts.enumerated().map { SeenRecord(offset: Int64($0) + 1, text: $1) })
    }

    @Test("an observer hears of each append once it can be read")
    func observers() throws {
        let store = try LogFixture().open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        let heard = Monitor<[Int64]>([])
        let observation = log.onAppend { end in heard.update { $0.append(end) } }
        _ = try log.appendBlocking([batch(["a"])])
        _ = try log.appendBlocking([batch(["b", "c"])])
        #expect(heard.wait(timeoutMs: 10_000) { $0 == [1, 3] ? true : nil } == true)
        observation.cancel()
        _ = try log.appendBlocking([batch(["d"])])
        try store.commitOffsets(group: "sync with the writer", [:])
        #expect(heard.withLock { $0 } == [1, 3])
    }

    @Test("appends that wait together share one sync")
    func groupCommit() async throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        fixture.disk.holdSyncs()
        let done = Monitor(0)
        let sent = try batch(["x"])
        log.append([sent]) { _ in done.update { $0 += 1 } }
        #expect(fixture.disk.waitForHeldSyncs(1))
        let before = fixture.disk.operationCount([.sync])
        for _ in 0..<100 { log.append([sent]) { _ in done.update { $0 += 1 } } }
        #expect(log.endOffset == 0, "nothing is readable before it is durable")
        #expect(done.withLock { $0 } == 0)
        fixture.disk.releaseSyncs()
        #expect(done.wait(timeoutMs: 10_000) { $0 == 101 ? true : nil } == true)
        #expect(log.endOffset == 101)
        #expect(fixture.disk.operationCount([.sync]) - before == 2)
    }

    @Test("many producers at once get distinct, gapless offsets")
    func concurrency() async throws {
        let store = try LogFixture().open()
        let topic = try store.createTopic("t", partitions: 3)
        let offsets = try await withThrowingTaskGroup(of: (Int, Int64).self) { group in
            for producer in 0..<30 {
                group.addTask {
                    let log = topic.partitions[producer % 3]
                    return (producer % 3, try await log.append([batch(["p\(producer)", "q"])]).baseOffset)
                }
            }
            return try await group.reduce(into: [[Int64]](repeating: [], count: 3)) { $0[$1.0].append($1.1) }
        }
        for partition in offsets { #expect(partition.sorted() == (0..<10).map { Int64($0) * 2 }) }
    }

    @Test("more than may wait in memory is refused, and can be tried again")
    func overload() async throws {
        var fixture = LogFixture()
        fixture.settings.maxWaitingBytes = 1000
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        fixture.disk.holdSyncs()
        let sent = try batch([String(repeating: "x", count: 600)])
        let outcomes = Monitor<[Bool]>([])
        let note: @Sendable (Result<AppendResult, LogStoreError>) -> Void = { result in
            outcomes.update { $0.append((try? result.get()) != nil) }
        }
        log.append([sent], completion: note)
        #expect(fixture.disk.waitForHeldSyncs(1))
        log.append([sent], completion: note)
        #expect(logCode { () throws(LogStoreError) in _ = try log.appendBlocking([sent]) } == .overloaded)
        fixture.disk.releaseSyncs()
        #expect(outcomes.wait(timeoutMs: 10_000) { $0 == [true, true] ? true : nil } == true)
        _ = try log.appendBlocking([sent])
    }

    @Test("a closed log refuses appends and keeps what it has")
    func closed() async throws {
        let store = try LogFixture().open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        store.close()
        store.close()
        #expect(logCode { () throws(LogStoreError) in _ = try log.appendBlocking([batch(["b"])]) } == .closed)
        #expect(logCode { () throws(LogStoreError) in try store.commitOffsets(group: "g", [:]) } == .closed)
        #expect(try log.everything().count == 1)
    }

    @Test("the end offset can be moved on; what is between is a gap that readers pass over")
    func gap() throws {
        let fixture = LogFixture()
        var store = try fixture.open()
        var log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        try log.ensureEndOffset(atLeast: 1)
        try log.ensureEndOffset(atLeast: 10)
        #expect(log.endOffset == 10)
        #expect(try log.appendBlocking([batch(["b"])]).baseOffset == 10)
        let expected = [SeenRecord(offset: 0, text: "a"), SeenRecord(offset: 10, text: "b")]
        #expect(try log.everything() == expected)
        #expect(try records(try log.read(from: 5, maxBytes: 1)) == [expected[1]])
        store.close()
        store = try fixture.open()
        log = try #require(store.topic("t")?.partitions[0])
        #expect(try log.everything() == expected)
        #expect(store.recovery.problems.map(\.message) == ["offsets 1..<10 are missing behind it"])
    }

    @Test("a log that is made to go on at a later offset before it holds anything begins there")
    func gapAtTheStart() throws {
        let fixture = LogFixture()
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        try log.ensureEndOffset(atLeast: 100)
        #expect(log.startOffset == 100)
        _ = try log.appendBlocking([batch(["a"])])
        #expect(log.startOffset == 100)
        #expect(try log.everything() == [SeenRecord(offset: 100, text: "a")])
    }

    @Test(
        "durability os and interval acknowledge before the sync; interval syncs soon after", arguments: [true, false])
    func relaxedDurability(isInterval: Bool) throws {
        let fixture = LogFixture()
        var config = TopicConfig()
        config.durability = isInterval ? .interval(ms: 5) : .os
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        fixture.disk.holdSyncs()
        _ = try log.appendBlocking([batch(["a"])])
        #expect(try log.everything().count == 1)
        if isInterval { #expect(fixture.disk.waitForHeldSyncs(1)) }
        fixture.disk.releaseSyncs()
        store.close()
        fixture.disk.crash(.none)
        #expect(try fixture.open().topic("t")?.partitions[0].everything().count == 1)
    }
}

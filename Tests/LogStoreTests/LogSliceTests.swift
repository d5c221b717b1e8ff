import Disk
import LogStore
import TestSupport
import Testing

@Suite("Slices of the log")
struct LogSliceTests {
    /// A log of `count` batches of two records each, in segments of `segmentBytes`, with an index entry for about
    /// every other batch.
    private func filled(
        _ fixture: LogFixture, count: Int = 40, segmentBytes: Int64 = 1500
    ) throws -> (LogStore, PartitionLog) {
        var fixture = fixture
        fixture.settings.indexIntervalBytes = 200
        var config = TopicConfig()
        config.segmentBytes = segmentBytes
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for number in 0..<count {
            _ = try log.appendBlocking([batch(["\(number)", String(repeating: "x", count: number % 7 * 20)])])
        }
        return (store, log)
    }

    private func offsets(_ slice: LogSlice) throws -> [Int64] { try records(try slice.read()).map(\.offset) }

    @Test("slices hold the bytes that reads return, of every offset and size", arguments: [0, 1, 100, 300, 700, 5000])
    func sameAsRead(maxBytes: Int) throws {
        let (store, log) = try filled(LogFixture())
        for offset in 0..<80 as Range<Int64> {
            let slice = try #require(try log.slice(from: offset, maxBytes: maxBytes))
            let whole = try log.read(from: offset, maxBytes: 1 << 20)
            let bytes = try slice.read()
            #expect(bytes == Array(whole.prefix(bytes.count)), "from \(offset)")
            #expect(slice.sizeBytes == bytes.count)
            let seen = try records(bytes)
            #expect(seen.first?.offset == offset / 2 * 2 && slice.firstOffset == offset / 2 * 2, "from \(offset)")
            #expect(seen.last.map { $0.offset + 1 } == slice.endOffset, "from \(offset)")
            // The first batch is whole whatever its size; what follows stays within the limit.
            #expect(bytes.count <= max(maxBytes, 300), "from \(offset)")
            #expect(slice.descriptor == nil, "a simulated disk has none")
        }
        store.close()
    }

    @Test("reading on by slices sees every record once, also after a restart")
    func readingOn() throws {
        var fixture = LogFixture()
        fixture.settings.indexIntervalBytes = 200
        let (store, log) = try filled(fixture)
        func everything(_ log: PartitionLog) throws -> [Int64] {
            var seen: [Int64] = []
            while let slice = try log.slice(from: (seen.last ?? -1) + 1, maxBytes: 400) { seen += try offsets(slice) }
            return seen
        }
        #expect(try everything(log) == Array(0..<80))
        store.close()
        let again = try #require(try fixture.open().topic("t")?.partitions[0])
        #expect(try everything(again) == Array(0..<80))
    }

    @Test("at the end there is nothing, and the disk is not asked")
    func end() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        let before = fixture.disk.operationCount(Set(SimulatedDisk.Operation.allCases))
        #expect(try log.slice(from: 80, maxBytes: 1000) == nil)
        #expect(try log.slice(from: 30, maxBytes: 1000, upTo: 30) == nil)
        #expect(try log.slice(from: 31, maxBytes: 1000, upTo: 30) == nil)
        #expect(fixture.disk.operationCount(Set(SimulatedDisk.Operation.allCases)) == before)
        for offset in [-1, 81, Int64.max, .min] {
            #expect(
                logCode { () throws(LogStoreError) in _ = try log.slice(from: offset, maxBytes: 1) }
                    == .offsetOutOfRange)
            #expect(
                logCode { () throws(LogStoreError) in _ = try log.slice(from: offset, maxBytes: 1, upTo: -5) }
                    == .offsetOutOfRange)
        }
        #expect(try log.slice(from: 0, maxBytes: .max)?.firstOffset == 0)
        store.close()
    }

    @Test("who reads on costs one look at a header")
    func hints() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture, segmentBytes: 1 << 20)
        var next: Int64 = 0
        var turns = 0
        while let slice = try log.slice(from: next, maxBytes: 500) {
            next = try #require(try offsets(slice).last) + 1
            let before = fixture.disk.operationCount([.read])
            _ = try log.slice(from: next, maxBytes: 500)
            #expect(fixture.disk.operationCount([.read]) - before <= 1)
            turns += 1
        }
        #expect(next == 80 && turns > 5)
        // Also the one who waits at the end for what comes.
        _ = try log.appendBlocking([batch(["more"])])
        let before = fixture.disk.operationCount([.read])
        #expect(try log.slice(from: 80, maxBytes: 500)?.firstOffset == 80)
        #expect(fixture.disk.operationCount([.read]) - before == 1)
        store.close()
    }

    @Test("readers that are behind at different places do not make each other open files")
    func manyPlaces() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        let places = log.segments.dropLast().map(\.baseOffset)
        #expect(places.count > 2)
        for place in places { _ = try log.slice(from: place, maxBytes: 1) }
        let before = fixture.disk.operationCount([.open, .read])
        for place in places + places { #expect(try log.slice(from: place, maxBytes: 1)?.firstOffset == place) }
        #expect(fixture.disk.operationCount([.open, .read]) - before <= 4 * places.count, "headers, no indexes")
        store.close()
    }

    @Test("more segments than are kept open are read all the same, and a new topic of an old name is read as new")
    func manySegments() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture, count: 300, segmentBytes: 200)
        #expect(log.segments.count > 100)
        for _ in 0..<2 {
            for segment in log.segments where segment.endOffset > segment.baseOffset {
                let slice = try #require(try log.slice(from: segment.baseOffset, maxBytes: 1))
                #expect(try offsets(slice).first == segment.baseOffset)
            }
        }
        try store.deleteTopic("t")
        var config = TopicConfig()
        config.segmentBytes = 200
        let again = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        for text in ["x", "y", "z"] { _ = try again.appendBlocking([batch([text])]) }
        #expect(try again.everything().map(\.text) == ["x", "y", "z"])
        store.close()
    }

    @Test("a limit cuts exactly at the batch that begins there", arguments: [1, 500, 1 << 20])
    func limits(maxBytes: Int) throws {
        for segmentBytes in [1500, 1 << 20] as [Int64] {
            let (store, log) = try filled(LogFixture(), segmentBytes: segmentBytes)
            for limit in stride(from: 0, through: 80, by: 2) as StrideThrough<Int64> {
                var next: Int64 = 0
                while let slice = try log.slice(from: next, maxBytes: maxBytes, upTo: limit) {
                    let seen = try offsets(slice)
                    #expect(seen.first == next)
                    next = try #require(seen.last) + 1
                }
                #expect(next == limit)
            }
            store.close()
        }
    }

    @Test("a slice stays readable when retention takes its segment")
    func retention() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture)
        let slice = try #require(try log.slice(from: 0, maxBytes: 300))
        let bytes = try slice.read()
        var config = try #require(store.topic("t")?.config)
        config.retentionBytes = 1
        try store.topic("t")?.alter(config)
        try store.applyRetention()
        #expect(log.startOffset > 10)
        #expect(try slice.read() == bytes)
        store.close()
        #expect(try slice.read() == bytes)
    }

    @Test("a damaged first batch is an error that says where to go on; a damaged later one is not looked at")
    func damage() throws {
        let fixture = LogFixture()
        let (store, log) = try filled(fixture, segmentBytes: 1 << 20)
        let first = try #require(try log.slice(from: 0, maxBytes: 1))
        // The base offset of the second batch.
        fixture.disk.flipBit(LogFixture.segmentPath(), first.sizeBytes * 8 + 3)
        #expect(try log.slice(from: 0, maxBytes: 1000)?.firstOffset == 0)
        do throws(LogStoreError) {
            _ = try log.slice(from: 2, maxBytes: 1000)
            Issue.record("not noticed")
        } catch {
            #expect(error.code == .corruptBatch)
            let resume = try #require(error.resumeOffset)
            #expect(resume > 2 && resume < 10)
            #expect(try log.slice(from: resume, maxBytes: 1)?.firstOffset == resume)
        }
        store.close()
    }

    @Test("on a real disk a slice has a descriptor")
    func descriptor() throws {
        let folder = TemporaryFolder()
        let store = try LogStore.open(
            folder: folder.path + "/log", fileSystem: POSIXFileSystem(), clock: ManualClock(nowMs: 1_700_000_000_000))
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        _ = try log.appendBlocking([batch(["a"])])
        let slice = try #require(try log.slice(from: 0, maxBytes: 100))
        #expect(try #require(slice.descriptor) >= 0)
        #expect(try records(try slice.read()).map(\.text) == ["a"])
        store.close()
        #expect(try records(try slice.read()).map(\.text) == ["a"])
    }
}

@Suite("Finding records by time")
struct TimeLookupTests {
    @Test("the first record at or after a time comes with its own timestamp; the latest with its offset")
    func lookups() throws {
        let fixture = LogFixture()
        var config = TopicConfig()
        config.segmentBytes = 1024
        let store = try fixture.open()
        let log = try store.createTopic("t", partitions: 1, config: config).partitions[0]
        #expect(try log.maxTimestampAndOffset() == nil)
        #expect(try log.timestampAndOffset(atOrAfterMs: 0) == nil)
        for number in 0..<10 as Range<Int64> {
            let text = String(repeating: "a", count: 300)
            _ = try log.appendBlocking([batch([text, "b"], timestampMs: 1000 * number, stepMs: 10)])
        }
        #expect(log.segments.count > 3)
        #expect(try log.timestampAndOffset(atOrAfterMs: -5) == TimedOffset(timestampMs: 0, offset: 0))
        #expect(try log.timestampAndOffset(atOrAfterMs: 3005) == TimedOffset(timestampMs: 3010, offset: 7))
        #expect(try log.offset(atOrAfterMs: 3011) == 8)
        #expect(try log.timestampAndOffset(atOrAfterMs: 9011) == nil)
        #expect(try log.maxTimestampAndOffset() == TimedOffset(timestampMs: 9010, offset: 19))
        // The largest need not be the last; of equals the first counts.
        _ = try log.appendBlocking([batch(["x", "y", "z"], timestampMs: 50_000, stepMs: 0)])
        _ = try log.appendBlocking([batch(["late"], timestampMs: 7)])
        #expect(try log.maxTimestampAndOffset() == TimedOffset(timestampMs: 50_000, offset: 20))
        store.close()
        let again = try #require(try fixture.open().topic("t")?.partitions[0])
        #expect(try again.maxTimestampAndOffset() == TimedOffset(timestampMs: 50_000, offset: 20))
    }

    @Test("a damaged batch is passed over")
    func damage() throws {
        let fixture = LogFixture()
        var settings = fixture
        settings.settings.indexIntervalBytes = 1
        let store = try settings.open()
        let log = try store.createTopic("t", partitions: 1).partitions[0]
        for number in 0..<5 as Range<Int64> { _ = try log.appendBlocking([batch(["a"], timestampMs: 1000 * number)]) }
        let size = try #require(try log.slice(from: 0, maxBytes: 1)).sizeBytes
        fixture.disk.flipBit(LogFixture.segmentPath(), (size * 2 + 65) * 8)
        #expect(try log.timestampAndOffset(atOrAfterMs: 1500) == TimedOffset(timestampMs: 3000, offset: 3))
        fixture.disk.flipBit(LogFixture.segmentPath(), (size * 4 + 65) * 8)
        #expect(try log.maxTimestampAndOffset() == TimedOffset(timestampMs: 3000, offset: 3))
        store.close()
    }
}

import Compression
import Disk
import LogStore
import TestSupport
import Testing

/// A record as it was appended, and as it must be found again.
struct KeyedRecord: Equatable, CustomStringConvertible {
    var key: String?
    var value: String?
    var timestampMs: Int64
    var headers: [String] = []
    var description: String { "\(key ?? "–")=\(value ?? "gone")@\(timestampMs)" }
}

/// What was appended to a partition, by offset.
struct CompactionModel {
    var records: [KeyedRecord] = []
    /// How many of them were acknowledged.
    var acknowledged = 0

    /// The offset of each key's last record among the first `count`.
    func lastOffsets(among count: Int) -> [String: Int] {
        var last: [String: Int] = [:]
        for (offset, record) in records.prefix(count).enumerated() {
            if let key = record.key { last[key] = offset }
        }
        return last
    }

    /// Checks that `log` holds of each key what it must, and nothing that was not appended.
    func check(_ log: PartitionLog, _ label: String = "", readBytes: Int = 700) throws {
        let found = try log.keyedRecords(readBytes: readBytes)
        let count = Int(log.endOffset)
        #expect(count >= acknowledged && count <= records.count, "\(label): ends at \(count)")
        for (offset, record) in found {
            #expect(records[Int(offset)] == record, "\(label): offset \(offset)")
        }
        #expect(found.map(\.offset) == found.map(\.offset).sorted(), "\(label): order")
        #expect(Set(found.map(\.offset)).count == found.count, "\(label): twice")
        var present: [String: Int] = [:]
        for (offset, record) in found { if let key = record.key { present[key] = Int(offset) } }
        for (key, last) in lastOffsets(among: count) where present[key] != last {
            // Only a tombstone may be gone, and then nothing may be left of its key.
            #expect(
                present[key] == nil && records[last].value == nil,
                "\(label): \(key) is at \(present[key] ?? -1), should be at \(last)")
        }
    }

    /// Checks that below `cleaned` nothing is left that has a later record there.
    func checkCompacted(_ log: PartitionLog, upTo cleaned: Int64, _ label: String = "") throws {
        let last = lastOffsets(among: Int(cleaned))
        for (offset, record) in try log.keyedRecords() where offset < cleaned {
            #expect(record.key.flatMap { last[$0] } == Int(offset), "\(label): \(record) is left at \(offset)")
        }
    }
}

extension PartitionLog {
    /// Every record, going on behind each read as consumers do: after the last batch's last offset.
    func keyedRecords(readBytes: Int = 700) throws -> [(offset: Int64, record: KeyedRecord)] {
        var found: [(offset: Int64, record: KeyedRecord)] = []
        var next = startOffset
        while next < endOffset {
            let bytes = try read(from: next, maxBytes: readBytes)
            let from = next
            found += try keyedRecordsOf(bytes).filter { $0.offset >= from }
            next = try #require(try lastOffset(bytes)) + 1
            try #require(next > from)
        }
        return found
    }
}

/// The records of the batches.
func keyedRecordsOf(_ bytes: [UInt8]) throws -> [(offset: Int64, record: KeyedRecord)] {
    var found: [(offset: Int64, record: KeyedRecord)] = []
    try RecordBatch.forEachRecord(in: bytes, maxDecompressedBytes: 1 << 24) { record in
        var headers: [String] = []
        record.forEachHeader { key, value in
            let text = value.map { String(decoding: $0, as: UTF8.self) } ?? "–"
            headers.append(String(decoding: key, as: UTF8.self) + ":" + text)
        }
        let keyed = KeyedRecord(
            key: record.key.map { String(decoding: $0, as: UTF8.self) },
            value: record.value.map { String(decoding: $0, as: UTF8.self) },
            timestampMs: record.timestampMs, headers: headers)
        found.append((record.offset, keyed))
    }
    return found
}

/// The last offset that the batches reach.
func lastOffset(_ batches: [UInt8]) throws -> Int64? {
    var last: Int64?
    for batch in try headers(batches) { last = batch.lastOffset }
    return last
}

/// The batches' headers; they must follow each other without a gap.
func headers(_ batches: [UInt8]) throws -> [RecordBatch] {
    var headers: [RecordBatch] = []
    var position = 0
    while position < batches.count {
        let batch = try batches.withUnsafeBytes { bytes in
            try RecordBatch(parsing: UnsafeRawBufferPointer(rebasing: bytes[position...]))
        }
        if let last = headers.last { #expect(batch.baseOffset == last.nextOffset) }
        headers.append(batch)
        position += batch.sizeBytes
    }
    return headers
}

/// One batch of the records.
func keyedBatch(_ records: [KeyedRecord], codec: Codec = .none) throws(LogStoreError) -> [UInt8] {
    var builder = RecordBatchBuilder(codec: codec)
    for record in records {
        builder.append(
            timestampMs: record.timestampMs, key: record.key.map { Array($0.utf8) },
            value: record.value.map { Array($0.utf8) },
            headers: record.headers.map { header in
                let parts = header.split(separator: ":", maxSplits: 1).map { Array($0.utf8) }
                return (parts[0], parts[1] == Array("–".utf8) ? nil : parts[1])
            })
    }
    return try builder.finish()
}

/// Settings of a compacted topic with small segments.
func compacted(segmentBytes: Int64 = 1000, ratio: Double = 0, deleteRetentionMs: Int64 = 1000) -> TopicConfig {
    var config = TopicConfig()
    config.cleanupPolicy = .compact
    config.segmentBytes = segmentBytes
    config.minCleanableDirtyRatio = ratio
    config.deleteRetentionMs = deleteRetentionMs
    return config
}

/// A random life of one compacted partition: appends, compactions, restarts, time.
final class CompactionWorkload {
    private(set) var model = CompactionModel()
    private var random: SeededRandom
    private let fixture: LogFixture
    private let keyCount: Int
    private let codecs: [Codec]
    private(set) var compactions = 0

    init(_ fixture: LogFixture, seed: UInt64, keyCount: Int = 12, codecs: [Codec] = [.none]) {
        self.fixture = fixture
        self.keyCount = keyCount
        self.codecs = codecs
        random = SeededRandom(seed: seed)
    }

    func randomRecords() -> [KeyedRecord] {
        (0..<Int.random(in: 1...5, using: &random)).map { _ in
            let number = Int.random(in: 0..<keyCount, using: &random)
            let isTombstone = Int.random(in: 0..<5, using: &random) == 0
            let size = Int.random(in: 0..<60, using: &random)
            return KeyedRecord(
                key: "key \(number)",
                value: isTombstone ? nil : "value \(model.records.count) " + String(repeating: "x", count: size),
                timestampMs: fixture.clock.nowMs() - Int64.random(in: 0..<500, using: &random),
                headers: Int.random(in: 0..<4, using: &random) == 0 ? ["h:v", "n:–"] : [])
        }
    }

    /// Notes records that someone else appends.
    func note(_ records: [KeyedRecord]) {
        model.records += records
        model.acknowledged += records.count
    }

    /// Appends some records; false when that fails.
    @discardableResult
    func append(_ log: PartitionLog) throws -> Bool {
        let records = randomRecords()
        // Refused appends leave no trace; one that ends the log may.
        let before = model.records
        model.records += records
        do throws(LogStoreError) {
            let result = try log.appendBlocking([
                keyedBatch(records, codec: codecs.randomElement(using: &random) ?? .none)
            ])
            #expect(Int(result.baseOffset) == before.count)
            model.acknowledged = model.records.count
            return true
        } catch {
            if log.failure == nil { model.records = before }
            return false
        }
    }

    /// Runs until `steps` are done or the disk fails for good; returns the store for the caller to close.
    func run(_ store: LogStore, config: TopicConfig, steps: Int = 40, restarts: Bool = false) throws -> LogStore {
        var store = store
        for _ in 0..<steps {
            guard let topic = try? store.topic("t") ?? store.createTopic("t", partitions: 1, config: config) else {
                return store
            }
            let log = topic.partitions[0]
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<7: if try !append(log), fixture.disk.isPowerCut { return store }
            case 7..<9:
                compactions += 1
                _ = try? log.compact(try #require(topic.config.compaction))
            default:
                fixture.clock.advance(milliseconds: 700)
                if restarts {
                    store.close()
                    store = try fixture.open()
                }
            }
        }
        return store
    }
}

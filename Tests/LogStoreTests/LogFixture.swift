import Compression
import Disk
import LogStore
import TestSupport
import Testing

/// A log on a simulated disk, with helpers that speak in texts.
struct LogFixture {
    let disk: SimulatedDisk
    let clock = ManualClock(nowMs: 1_700_000_000_000)
    var settings = LogSettings()

    init(disk: SimulatedDisk = SimulatedDisk()) {
        self.disk = disk
        settings.makeTopicID = { 7 }
    }

    func open() throws(LogStoreError) -> LogStore {
        try LogStore.open(folder: "/data/log", fileSystem: disk, clock: clock, settings: settings)
    }

    /// Where the segment of topic t, partition 0 that starts at `base` is.
    static func segmentPath(_ base: Int64 = 0, _ suffix: String = ".log", topic: String = "t") -> String {
        let digits = String(base)
        return "/data/log/topics/\(topic)/0/" + String(repeating: "0", count: 20 - digits.count) + digits + suffix
    }
}

/// One batch with the texts as values.
func batch(
    _ texts: [String], timestampMs: Int64 = 1_700_000_000_000, stepMs: Int64 = 1, codec: Codec = .none
) throws(LogStoreError) -> [UInt8] {
    var builder = RecordBatchBuilder(codec: codec)
    for (index, text) in texts.enumerated() {
        builder.append(timestampMs: timestampMs + Int64(index) * stepMs, value: Array(text.utf8))
    }
    return try builder.finish()
}

/// A record as a test wants to see it.
struct SeenRecord: Equatable, CustomStringConvertible {
    let offset: Int64
    let text: String
    var description: String { "\(offset):\(text)" }
}

/// All records of the batches.
func records(_ batches: [UInt8]) throws(LogStoreError) -> [SeenRecord] {
    var seen: [SeenRecord] = []
    try RecordBatch.forEachRecord(in: batches, maxDecompressedBytes: 1 << 24) { record in
        seen.append(
            SeenRecord(offset: record.offset, text: String(decoding: record.value.map(Array.init) ?? [], as: UTF8.self))
        )
    }
    return seen
}

extension PartitionLog {
    /// Everything from `offset` to the end.
    func everything(from offset: Int64? = nil, maxBytes: Int = 1000) throws(LogStoreError) -> [SeenRecord] {
        var seen: [SeenRecord] = []
        var next = offset ?? startOffset
        while next < endOffset {
            let found = try records(try read(from: next, maxBytes: maxBytes)).filter { $0.offset >= next }
            guard let last = found.last else { break }
            seen += found
            next = last.offset + 1
        }
        return seen
    }
}

func logCode(_ body: () throws(LogStoreError) -> Void) -> LogStoreError.Code? {
    do throws(LogStoreError) {
        try body()
        return nil
    } catch {
        return error.code
    }
}

/// One batch as a producer numbers it.
func numbered(
    _ texts: [String], producer: Int64, epoch: Int16 = 0, sequence: Int32, inTransaction: Bool = false,
    timestampMs: Int64 = 1_700_000_000_000
) throws(LogStoreError) -> [UInt8] {
    var bytes = try batch(texts, timestampMs: timestampMs)
    var fields = ByteWriter()
    fields.int64BigEndian(producer)
    fields.int16BigEndian(epoch)
    fields.int32BigEndian(sequence)
    bytes.replaceSubrange(43..<57, with: fields.bytes)
    if inTransaction { bytes[22] |= 0x10 }
    resetChecksum(&bytes)
    return bytes
}

/// Makes the checksum of a changed batch right.
func resetChecksum(_ bytes: inout [UInt8]) {
    var checksum = ByteWriter()
    checksum.uint32BigEndian(CRC32C.checksum(Array(bytes[21...])))
    bytes.replaceSubrange(17..<21, with: checksum.bytes)
}

extension PartitionLog {
    /// What a reader of committed records sees, from the start to the last stable offset.
    func committed(maxBytes: Int = 1000) throws(LogStoreError) -> [SeenRecord] {
        var seen: [SeenRecord] = []
        var next = startOffset
        while next < lastStableOffset {
            let found = try readCommitted(from: next, maxBytes: maxBytes)
            guard found.nextOffset > next else { break }
            try found.forEachBatch { batch, bytes throws(LogStoreError) in
                seen += try records(Array(bytes)).filter { $0.offset >= next }
            }
            next = found.nextOffset
        }
        return seen
    }
}

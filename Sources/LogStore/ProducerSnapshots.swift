import Disk
import Synchronization

/// Everything a partition knows of producers and transactions at one offset, for the next start. Derived from the
/// segments: what is missing or damaged is computed again from them.
struct ProducerSnapshot {
    /// "LSPS" and the version.
    private static let magic: UInt32 = 0x5350_534C
    private static let version: UInt32 = 1
    /// The most bytes that are read of a file.
    static let maxBytes = 1 << 30

    /// The state is that before this offset.
    var offset: Int64
    var producers: [(id: Int64, entry: ProducerTable.Entry)]
    var chunks: [AbortedIndex.Chunk]
    /// Those in no chunk.
    var aborted: [AbortedTransaction]

    var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 64 + producers.count * 200)
        writer.uint32(Self.magic)
        writer.uint32(Self.version)
        writer.int64(offset)
        writer.count(producers.count)
        for (id, entry) in producers {
            writer.int64(id)
            writer.int16(entry.epoch)
            writer.int32(entry.coordinatorEpoch)
            writer.int64(entry.transactionStart ?? -1)
            writer.int64(entry.lastSeenMs)
            writer.int64(entry.earlierRecords)
            writer.count(entry.batches.count)
            for batch in entry.batches {
                writer.int32(batch.firstSequence)
                writer.int32(batch.lastSequence)
                writer.int64(batch.baseOffset)
                writer.int64(batch.nextOffset)
                writer.int64(batch.appendTimeMs)
            }
        }
        writer.count(chunks.count)
        for chunk in chunks {
            writer.int64(chunk.number)
            writer.int64(chunk.lastOffset)
            writer.count(chunk.count)
        }
        AbortedChunk.encode(aborted, &writer)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    init(
        offset: Int64, producers: [(id: Int64, entry: ProducerTable.Entry)], chunks: [AbortedIndex.Chunk],
        aborted: [AbortedTransaction]
    ) {
        self.offset = offset
        self.producers = producers
        self.chunks = chunks
        self.aborted = aborted
    }

    /// Nil when the bytes are not a snapshot written whole.
    init?(_ bytes: [UInt8]) {
        guard let parsed = try? Self(parsing: bytes) else { return nil }
        self = parsed
    }

    private init(parsing bytes: [UInt8]) throws(DiskError) {
        var reader = try AbortedChunk.checked(bytes, Self.magic, Self.version)
        offset = try reader.int64()
        producers = []
        for _ in 0..<(try reader.count(max: reader.remaining)) {
            let id = try reader.int64()
            var entry = ProducerTable.Entry(epoch: try reader.int16(), lastSeenMs: 0)
            entry.coordinatorEpoch = try reader.int32()
            let start = try reader.int64()
            entry.transactionStart = start >= 0 ? start : nil
            entry.lastSeenMs = try reader.int64()
            entry.earlierRecords = try reader.int64()
            for _ in 0..<(try reader.count(max: ProducerTable.keptBatches)) {
                entry.batches.append(
                    ProducerTable.StoredBatch(
                        firstSequence: try reader.int32(), lastSequence: try reader.int32(),
                        baseOffset: try reader.int64(), nextOffset: try reader.int64(),
                        appendTimeMs: try reader.int64()))
            }
            producers.append((id, entry))
        }
        chunks = []
        for _ in 0..<(try reader.count(max: reader.remaining)) {
            chunks.append(
                AbortedIndex.Chunk(
                    number: try reader.int64(), lastOffset: try reader.int64(),
                    count: try reader.count(max: Int(Int32.max))))
        }
        aborted = try AbortedChunk.decode(&reader)
    }
}

/// A file of aborted transactions, by the offset of their marker.
enum AbortedChunk {
    /// "LSAT" and the version.
    private static let magic: UInt32 = 0x5441_534C
    private static let version: UInt32 = 1
    /// Four numbers of eight bytes each.
    private static let transactionBytes = 32

    static func encoded(_ transactions: [AbortedTransaction]) -> [UInt8] {
        var writer = ByteWriter(capacity: 32 + transactions.count * transactionBytes)
        writer.uint32(magic)
        writer.uint32(version)
        encode(transactions, &writer)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// Nil when the bytes are not the chunk as it was written.
    static func decode(_ bytes: [UInt8], _ chunk: AbortedIndex.Chunk) -> [AbortedTransaction]? {
        guard var reader = try? checked(bytes, magic, version), let transactions = try? decode(&reader),
            transactions.count == chunk.count, transactions.first?.lastOffset == chunk.number,
            transactions.last?.lastOffset == chunk.lastOffset
        else { return nil }
        return transactions
    }

    static func encode(_ transactions: [AbortedTransaction], _ writer: inout ByteWriter) {
        writer.count(transactions.count)
        for transaction in transactions {
            writer.int64(transaction.producerID)
            writer.int64(transaction.firstOffset)
            writer.int64(transaction.lastOffset)
            writer.int64(transaction.lastStableOffset)
        }
    }

    /// Throws when the bytes end early or are too many.
    static func decode(_ reader: inout ByteReader) throws(DiskError) -> [AbortedTransaction] {
        var transactions: [AbortedTransaction] = []
        let count = try reader.count(max: reader.remaining / transactionBytes)
        transactions.reserveCapacity(count)
        for _ in 0..<count {
            transactions.append(
                AbortedTransaction(
                    producerID: try reader.int64(), firstOffset: try reader.int64(), lastOffset: try reader.int64(),
                    lastStableOffset: try reader.int64()))
        }
        guard reader.isAtEnd else { throw reader.corrupt("bytes follow") }
        return transactions
    }

    /// A reader of what stands between the version and the checksum.
    static func checked(_ bytes: [UInt8], _ magic: UInt32, _ version: UInt32) throws(DiskError) -> ByteReader {
        var tail = ByteReader(Array(bytes.suffix(4)))
        var reader = ByteReader(Array(bytes.dropLast(4)))
        guard try tail.uint32() == CRC32C.checksum(Array(bytes.dropLast(4))), try reader.uint32() == magic,
            try reader.uint32() == version
        else { throw reader.corrupt("not written whole") }
        return reader
    }
}

/// The files of snapshots and aborted transactions in a partition's folder. A failure to write them is no failure of
/// the log. Used on the committer's thread, and by recovery.
final class ProducerSnapshots {
    private let folder: String
    private let fileSystem: any FileSystem
    private let maxRecent: Int
    /// The offsets of the snapshots on disk, oldest first.
    var offsets: [Int64] = []
    /// Whether the log holds aborted transactions.
    var hasAborted = false

    /// The newest may be damaged; then the one before spares reading the whole log.
    private static let keptSnapshots = 2

    init(folder: String, environment: LogEnvironment) {
        self.folder = folder
        fileSystem = environment.fileSystem
        maxRecent = environment.settings.maxAbortedInMemory
    }

    func load(_ offset: Int64) -> ProducerSnapshot? {
        let path = SegmentFormat.path(folder, offset, SegmentFormat.producersSuffix)
        guard let bytes = try? fileSystem.readFile(path, maxBytes: ProducerSnapshot.maxBytes),
            let snapshot = ProducerSnapshot(bytes), snapshot.offset == offset
        else { return nil }
        return snapshot
    }

    /// Writes a snapshot, and the recent aborted transactions to a chunk when they are many. Removes files that are no
    /// longer of use. `offset` is the log's end, all before it synced.
    func save(_ producers: ProducerTable, at offset: Int64, _ log: PartitionLog) {
        let startOffset = log.keptOffset
        var index = log.state.withLock { $0.aborted }
        let gone = index.chunks.filter { $0.lastOffset < startOffset }
        index.chunks.removeFirst(gone.count)
        index.recent.removeFirst(index.recent.partitionPoint { $0.lastOffset >= startOffset })
        hasAborted = !index.isEmpty
        if offsets.last != offset, hasAborted || !producers.isEmpty || !offsets.isEmpty {
            guard write(producers, at: offset, &index) else { return }
        }
        let trimmed = index
        log.state.withLock { state in
            state.aborted.chunks = trimmed.chunks
            state.aborted.recent = trimmed.recent
        }
        for chunk in gone {
            try? fileSystem.remove(SegmentFormat.path(folder, chunk.number, SegmentFormat.abortedSuffix))
        }
    }

    private func write(_ producers: ProducerTable, at offset: Int64, _ index: inout AbortedIndex) -> Bool {
        do throws(DiskError) {
            if index.recent.count > maxRecent, let first = index.recent.first, let last = index.recent.last {
                let path = SegmentFormat.path(folder, first.lastOffset, SegmentFormat.abortedSuffix)
                try fileSystem.replaceFile(path, with: AbortedChunk.encoded(index.recent))
                index.chunks.append(
                    AbortedIndex.Chunk(
                        number: first.lastOffset, lastOffset: last.lastOffset, count: index.recent.count))
                index.recent = []
            }
            let snapshot = ProducerSnapshot(
                offset: offset,
                producers: producers.entries.map { (id: $0.key, entry: $0.value) }.sorted { $0.id < $1.id },
                chunks: index.chunks, aborted: index.recent)
            let path = SegmentFormat.path(folder, offset, SegmentFormat.producersSuffix)
            try fileSystem.replaceFile(path, with: snapshot.encoded)
        } catch {
            return false
        }
        offsets.append(offset)
        while offsets.count > Self.keptSnapshots {
            remove(offsets.removeFirst())
        }
        return true
    }

    /// Removes a snapshot.
    func remove(_ offset: Int64) {
        try? fileSystem.remove(SegmentFormat.path(folder, offset, SegmentFormat.producersSuffix))
    }
}

import Disk
import Synchronization

/// Gives producers their ids: each once, whatever crashes. Ids come from blocks that are reserved durably before the
/// first of them is given away; what is left of a block is lost with the process.
///
/// The file `producer-ids`: "LSPI", a version (4 bytes), the first id that is not reserved (8), a checksum (4).
final class ProducerIDs: Sendable {
    static let fileName = "producer-ids"
    private static let magic: UInt32 = 0x4950_534C
    private static let version: UInt32 = 1
    private static let fileBytes = 20
    /// How many ids are reserved at once.
    private static let blockSize: Int64 = 1000

    private struct Block {
        var next: Int64
        var end: Int64
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let block: Mutex<Block>

    /// Reads the file. When it is damaged, that is reported, and ids go on where none can have been given yet.
    init(folder: String, environment: LogEnvironment, report: inout RecoveryReport) throws(LogStoreError) {
        path = folder + "/" + Self.fileName
        fileSystem = environment.fileSystem
        var reserved: Int64?
        do throws(DiskError) {
            reserved = Self.decode(try fileSystem.readFile(path, maxBytes: Self.fileBytes))
        } catch {
            switch error.code {
            case .notFound: reserved = 0
            case .corrupt, .truncated: reserved = nil
            default: throw LogStoreError(error)
            }
        }
        // Nobody gives a million ids a millisecond, so all given before are below the time.
        let start = reserved ?? (environment.clock.nowMs() & (1 << 42 - 1)) << 20
        if reserved == nil {
            report.problems.append(LogProblem(path: path, message: "is damaged; producers' ids go on at \(start)"))
        }
        block = Mutex(Block(next: start, end: start))
    }

    /// An id that was never given before. Blocks once a block. Throws `.diskFull` or `.storage`.
    func allocate() throws(LogStoreError) -> Int64 {
        try block.withLock { block throws(LogStoreError) in
            if block.next == block.end {
                let (end, overflow) = block.end.addingReportingOverflow(Self.blockSize)
                guard !overflow else { throw LogStoreError(.storage, "\(path): there are no producer ids left") }
                try translating { () throws(DiskError) in
                    try fileSystem.replaceFile(path, with: Self.encode(end))
                }
                block.end = end
            }
            defer { block.next += 1 }
            return block.next
        }
    }

    private static func encode(_ reserved: Int64) -> [UInt8] {
        var writer = ByteWriter(capacity: fileBytes)
        writer.uint32(magic)
        writer.uint32(version)
        writer.int64(reserved)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// Nil when the bytes are not the file as it was written.
    private static func decode(_ bytes: [UInt8]) -> Int64? {
        var reader = ByteReader(bytes)
        guard bytes.count == fileBytes, (try? reader.uint32()) == magic, (try? reader.uint32()) == version,
            let reserved = try? reader.int64(), let checksum = try? reader.uint32(),
            checksum == CRC32C.checksum(Array(bytes.dropLast(4))), reserved >= 0
        else { return nil }
        return reserved
    }
}

import Disk
import Synchronization

/// Passes everything on to another file system and counts what syncs take and what is written: the disk's health, as
/// `/metrics` tells it.
final class MeteredFileSystem: FileSystem {
    /// How long syncs of files took.
    let syncDuration = DurationHistogram()
    /// Bytes written to files.
    let bytesWritten = Atomic<UInt64>(0)
    /// Bytes read from files.
    let bytesRead = Atomic<UInt64>(0)

    private let base: any FileSystem
    private let clock: any Disk.Clock

    init(_ base: any FileSystem, clock: any Disk.Clock) {
        self.base = base
        self.clock = clock
    }

    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any File {
        MeteredFile(try base.open(path, mode), self)
    }

    func rename(_ source: String, to target: String) throws(DiskError) { try base.rename(source, to: target) }
    func remove(_ path: String) throws(DiskError) { try base.remove(path) }
    func removeDirectory(_ path: String) throws(DiskError) { try base.removeDirectory(path) }
    func createDirectory(_ path: String) throws(DiskError) { try base.createDirectory(path) }
    func syncDirectory(_ path: String) throws(DiskError) { try base.syncDirectory(path) }
    func list(_ path: String) throws(DiskError) -> [String] { try base.list(path) }
    func status(_ path: String) throws(DiskError) -> FileStatus? { try base.status(path) }
    func lock(_ path: String) throws(DiskError) -> any FileLock { try base.lock(path) }
    func freeSpace(_ path: String) throws(DiskError) -> UInt64 { try base.freeSpace(path) }

    /// One open file.
    private final class MeteredFile: File {
        private let base: any File
        private let meter: MeteredFileSystem

        init(_ base: any File, _ meter: MeteredFileSystem) {
            self.base = base
            self.meter = meter
        }

        var path: String { base.path }
        /// What is sent by it is not counted as read.
        var descriptor: Int32? { base.descriptor }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
            let count = try base.read(at: offset, into: buffer)
            meter.bytesRead.add(count)
            return count
        }

        func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
            try base.write(bytes, at: offset)
            meter.bytesWritten.add(bytes.count)
        }

        func sync() throws(DiskError) {
            let start = meter.clock.steadyNs()
            try base.sync()
            meter.syncDuration.record(nanoseconds: meter.clock.steadyNs() - start)
        }

        func truncate(to sizeBytes: UInt64) throws(DiskError) { try base.truncate(to: sizeBytes) }
        func size() throws(DiskError) -> UInt64 { try base.size() }
        func close() { base.close() }
    }
}

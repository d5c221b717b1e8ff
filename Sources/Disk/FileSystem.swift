/// What the store needs of a file system, and nothing more.
///
/// Every file operation of every layer goes through this protocol, so that tests can run the whole store on a disk
/// that crashes, tears its last writes, fills up, or fails any one operation. `POSIXFileSystem` is the real one.
/// Paths are UTF-8 strings as the operating system takes them. All calls block; none may be made on a thread of
/// Swift's cooperative pool or of an event loop.
public protocol FileSystem: Sendable {
    /// Opens the file at `path`. Throws `DiskError` (`.notFound`, `.exists`, `.accessDenied`, `.io`).
    func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any File
    /// Renames `source` to `target`, replacing it atomically. Durable only after `syncDirectory` of the folder.
    func rename(_ source: String, to target: String) throws(DiskError)
    /// Removes one file. Throws `.notFound` when there is none.
    func remove(_ path: String) throws(DiskError)
    /// Removes one empty folder.
    func removeDirectory(_ path: String) throws(DiskError)
    /// Creates the folder and those above it; an existing one is no error.
    func createDirectory(_ path: String) throws(DiskError)
    /// Makes creations, renames and removals inside `path` durable.
    func syncDirectory(_ path: String) throws(DiskError)
    /// The names (not paths) inside the folder, sorted bytewise, without `.` and `..`.
    func list(_ path: String) throws(DiskError) -> [String]
    /// What is at `path`; nil when nothing is.
    func status(_ path: String) throws(DiskError) -> FileStatus?
    /// Takes an exclusive lock on the file at `path` (created when absent), held until the returned object is
    /// released or the process ends. Throws `.locked` when another process holds it.
    func lock(_ path: String) throws(DiskError) -> any FileLock
    /// Bytes an unprivileged process may still write on the file system holding `path`.
    func freeSpace(_ path: String) throws(DiskError) -> UInt64
}

/// How a file is opened.
public enum OpenMode: Sendable, Hashable {
    /// For reading; the file must exist.
    case read
    /// For reading and writing; the file must exist.
    case readWrite
    /// For reading and writing; created when absent, kept as it is when present.
    case create
    /// For reading and writing; the file must not exist.
    case createNew
}

/// What `FileSystem.status` tells of a path.
public struct FileStatus: Sendable, Hashable {
    /// The length in bytes.
    public var sizeBytes: UInt64
    /// Bytes the file occupies on disk (its allocated blocks).
    public var allocatedBytes: UInt64
    /// Whether it is a folder.
    public var isDirectory: Bool
    /// Last change of the content, in milliseconds since 1970-01-01 UTC.
    public var modifiedMs: Int64

    /// Creates a status from its parts.
    public init(sizeBytes: UInt64, allocatedBytes: UInt64, isDirectory: Bool, modifiedMs: Int64) {
        self.sizeBytes = sizeBytes
        self.allocatedBytes = allocatedBytes
        self.isDirectory = isDirectory
        self.modifiedMs = modifiedMs
    }
}

/// An open file. Reads may run on several threads at once; writes need one writer at a time.
public protocol File: AnyObject, Sendable {
    /// The path it was opened at, for messages.
    var path: String { get }
    /// The operating system's number for the open file, for sending it without a copy; nil where there is none. It is
    /// valid only as long as this object is held: duplicate it to keep it longer, never close it.
    var descriptor: Int32? { get }
    /// Reads at most `buffer.count` bytes from `offset`; returns how many came, less only at the end of the file.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int
    /// Writes all of `bytes` at `offset`, extending the file where needed. Not durable before `sync`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError)
    /// Makes every byte written so far durable (fdatasync). After a failure the file's content is unknown: the
    /// caller stops using it and never calls `sync` again hoping for better.
    func sync() throws(DiskError)
    /// Cuts or extends (with zeroes) the file to `sizeBytes`.
    func truncate(to sizeBytes: UInt64) throws(DiskError)
    /// The current length in bytes.
    func size() throws(DiskError) -> UInt64
    /// Closes the file; further calls throw. Called by deinit when forgotten.
    func close()
}

/// A held lock; released by `unlock` or with the object.
public protocol FileLock: AnyObject, Sendable {
    /// Gives the lock back.
    func unlock()
}

extension File {
    /// None, unless the file system has them.
    public var descriptor: Int32? { nil }

    /// Reads exactly `count` bytes at `offset`. Throws `.truncated` when the file ends before.
    /// `count` must have been bounded by the caller: it is allocated at once.
    public func readExactly(at offset: UInt64, count: Int) throws(DiskError) -> [UInt8] {
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DiskError) {
                filled = try read(
                    at: offset,
                    into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard bytes.count == count else {
            throw DiskError(
                .truncated, "\(path): wanted \(count) bytes at offset \(offset), the file has \(bytes.count) there")
        }
        return bytes
    }

    /// Writes all of `bytes` at `offset`.
    public func write(_ bytes: [UInt8], at offset: UInt64) throws(DiskError) {
        var failure: DiskError?
        bytes.withUnsafeBytes { buffer in
            do throws(DiskError) { try write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

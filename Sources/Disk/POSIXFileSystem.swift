import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The machine's file system, through system calls alone.
///
/// Interrupted calls are repeated, short reads and writes continued. A write that meets a full disk, a quota or the
/// process's file size limit fails with `.full`.
public final class POSIXFileSystem: FileSystem {
    /// Creates the file system. Ignores SIGXFSZ, so that a file size limit is an error and not the process's end.
    public init() {
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Opens the file; see `FileSystem`.
    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any File {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            }
        let descriptor = retrying { openDescriptor(path, flags | O_CLOEXEC) }
        guard descriptor >= 0 else { throw failure("open", path) }
        return POSIXFile(path: path, descriptor: descriptor)
    }

    /// Renames atomically; see `FileSystem`.
    public func rename(_ source: String, to target: String) throws(DiskError) {
        guard renamePath(source, target) == 0 else { throw failure("rename to \(target)", source) }
    }

    /// Removes one file.
    public func remove(_ path: String) throws(DiskError) {
        guard unlink(path) == 0 else { throw failure("remove", path) }
    }

    /// Removes one empty folder.
    public func removeDirectory(_ path: String) throws(DiskError) {
        guard rmdir(path) == 0 else { throw failure("remove folder", path) }
    }

    /// Creates the folder and those above it.
    public func createDirectory(_ path: String) throws(DiskError) {
        if mkdir(path, 0o755) == 0 { return }
        let code = errno
        if code == EEXIST {
            guard try status(path)?.isDirectory == true else { throw failure("create folder", path, code) }
            return
        }
        guard code == ENOENT, let parent = parentDirectory(of: path), parent != path else {
            throw failure("create folder", path, code)
        }
        try createDirectory(parent)
        if mkdir(path, 0o755) != 0, errno != EEXIST { throw failure("create folder", path) }
    }

    /// Makes changes of names inside the folder durable.
    public func syncDirectory(_ path: String) throws(DiskError) {
        let descriptor = retrying { openDescriptor(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw failure("open folder", path) }
        defer { _ = closeDescriptor(descriptor) }
        // Never repeated: after a failed sync the kernel may have dropped what it could not write.
        guard fsync(descriptor) == 0 else { throw failure("sync folder", path) }
    }

    /// The names inside the folder, sorted bytewise.
    public func list(_ path: String) throws(DiskError) -> [String] {
        guard let folder = opendir(path) else { throw failure("list", path) }
        defer { closedir(folder) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                if errno != 0 { throw failure("list", path) }
                break
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                Array(bytes.prefix { $0 != 0 })
            }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
        return names.map { String(decoding: $0, as: UTF8.self) }
    }

    /// What is at the path; nil when nothing is.
    public func status(_ path: String) throws(DiskError) -> FileStatus? {
        var information = stat()
        guard stat(path, &information) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("look at", path)
        }
        return FileStatus(
            sizeBytes: UInt64(max(0, information.st_size)),
            allocatedBytes: UInt64(max(0, information.st_blocks)) * 512,
            isDirectory: information.st_mode & S_IFMT == S_IFDIR,
            modifiedMs: Int64(information.st_mtim.tv_sec) * 1000 + Int64(information.st_mtim.tv_nsec) / 1_000_000
        )
    }

    /// Takes an exclusive lock; throws `.locked` when another has it.
    public func lock(_ path: String) throws(DiskError) -> any FileLock {
        let descriptor = retrying { openDescriptor(path, O_RDWR | O_CREAT | O_CLOEXEC) }
        guard descriptor >= 0 else { throw failure("open", path) }
        guard retrying({ flock(descriptor, LOCK_EX | LOCK_NB) }) == 0 else {
            let code = errno
            _ = closeDescriptor(descriptor)
            if code == EWOULDBLOCK { throw DiskError(.locked, "\(path): another process holds the lock") }
            throw failure("lock", path, code)
        }
        return POSIXFileLock(descriptor: descriptor)
    }

    /// Bytes that may still be written.
    public func freeSpace(_ path: String) throws(DiskError) -> UInt64 {
        var information = statvfs()
        guard retrying({ statvfs(path, &information) }) == 0 else { throw failure("ask for free space", path) }
        return UInt64(information.f_bavail) * UInt64(information.f_frsize)
    }
}

/// An open file descriptor.
private final class POSIXFile: File {
    let path: String
    /// -1 once closed.
    private let opened: Atomic<Int32>

    init(path: String, descriptor: Int32) {
        self.path = path
        opened = Atomic(descriptor)
    }

    var descriptor: Int32? {
        let descriptor = opened.load(ordering: .acquiring)
        return descriptor < 0 ? nil : descriptor
    }

    deinit { close() }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
        let descriptor = try openedDescriptor()
        guard let position = Int(exactly: offset) else { return 0 }
        var done = 0
        while done < buffer.count {
            let (next, overflow) = position.addingReportingOverflow(done)
            if overflow { break }
            let count = retrying { pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, next) }
            guard count >= 0 else { throw failure("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
        let descriptor = try openedDescriptor()
        guard let position = Int(exactly: offset), !position.addingReportingOverflow(bytes.count).overflow else {
            throw DiskError(.full, "\(path): offset \(offset) is past what a file can hold")
        }
        var done = 0
        while done < bytes.count {
            let count = retrying {
                pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, position + done)
            }
            guard count >= 0 else { throw failure("write", path) }
            done += count
        }
    }

    func sync() throws(DiskError) {
        // Never repeated, not even when interrupted: the next call could report success for pages already dropped.
        guard fdatasync(try openedDescriptor()) == 0 else { throw failure("sync", path) }
    }

    func truncate(to sizeBytes: UInt64) throws(DiskError) {
        let descriptor = try openedDescriptor()
        guard let size = Int(exactly: sizeBytes) else {
            throw DiskError(.full, "\(path): \(sizeBytes) bytes are more than a file can hold")
        }
        guard retrying({ ftruncate(descriptor, size) }) == 0 else { throw failure("truncate", path) }
    }

    func size() throws(DiskError) -> UInt64 {
        var information = stat()
        guard fstat(try openedDescriptor(), &information) == 0 else { throw failure("look at", path) }
        return UInt64(max(0, information.st_size))
    }

    func close() {
        let open = opened.exchange(-1, ordering: .acquiringAndReleasing)
        if open >= 0 { _ = closeDescriptor(open) }
    }

    private func openedDescriptor() throws(DiskError) -> Int32 {
        guard let descriptor else { throw DiskError(.io, "\(path): the file is closed") }
        return descriptor
    }
}

/// A lock of the kind `flock` gives: bound to the open descriptor, gone with the process.
private final class POSIXFileLock: FileLock {
    private let descriptor: Atomic<Int32>

    init(descriptor: Int32) { self.descriptor = Atomic(descriptor) }

    deinit { unlock() }

    func unlock() {
        let open = descriptor.exchange(-1, ordering: .acquiringAndReleasing)
        if open >= 0 { _ = closeDescriptor(open) }
    }
}

/// Repeats `call` while a signal interrupts it.
private func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result == -1, errno == EINTR { continue }
        return result
    }
}

/// The error of the system call that just failed.
private func failure(_ operation: String, _ path: String, _ code: Int32 = errno) -> DiskError {
    let kind: DiskError.Code =
        switch code {
        case ENOENT, ENOTDIR: .notFound
        case EEXIST, ENOTEMPTY: .exists
        case EACCES, EPERM, EROFS: .accessDenied
        case ENOSPC, EDQUOT, EFBIG: .full
        default: .io
        }
    return DiskError(kind, "\(path): cannot \(operation): \(String(cString: strerror(code)))")
}

// The methods above hide the system calls of the same names.
private func openDescriptor(_ path: String, _ flags: Int32) -> Int32 { open(path, flags, 0o644) }
private func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func renamePath(_ source: String, _ target: String) -> Int32 { rename(source, target) }

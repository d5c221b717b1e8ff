import Disk
import TestSupport
import Testing

@Suite("POSIX file system")
struct POSIXFileSystemTests {
    let folder = TemporaryFolder()
    let disk = POSIXFileSystem()

    private func code(_ body: () throws(DiskError) -> Void) -> DiskError.Code? {
        do throws(DiskError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test("what is written is read back, also past a gap, also after reopening")
    func writeAndRead() throws {
        let path = folder.path + "/a"
        let file = try disk.open(path, .createNew)
        try file.write([1, 2, 3], at: 0)
        try file.write([9], at: 10)
        try file.sync()
        #expect(try file.size() == 11)
        file.close()
        let again = try disk.open(path, .read)
        #expect(try again.readExactly(at: 0, count: 11) == [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 9])
        #expect(code { () throws(DiskError) in _ = try again.readExactly(at: 10, count: 2) } == .truncated)
        #expect(code { () throws(DiskError) in _ = try again.readExactly(at: 1 << 63, count: 1) } == .truncated)
        #expect(code { () throws(DiskError) in try again.write([1], at: 0) } == .io)
    }

    @Test("open modes tell missing and existing files apart")
    func openModes() throws {
        let path = folder.path + "/a"
        #expect(code { () throws(DiskError) in _ = try disk.open(path, .read) } == .notFound)
        #expect(code { () throws(DiskError) in _ = try disk.open(path, .readWrite) } == .notFound)
        try disk.open(path, .create).write([7], at: 0)
        #expect(code { () throws(DiskError) in _ = try disk.open(path, .createNew) } == .exists)
        #expect(try disk.open(path, .create).size() == 1)
    }

    @Test("a closed file refuses everything")
    func closed() throws {
        let file = try disk.open(folder.path + "/a", .create)
        file.close()
        file.close()
        #expect(code { () throws(DiskError) in try file.write([1], at: 0) } == .io)
        #expect(code { () throws(DiskError) in try file.sync() } == .io)
        #expect(code { () throws(DiskError) in _ = try file.size() } == .io)
    }

    @Test("folders are created with those above, listed sorted, renamed and removed")
    func folders() throws {
        let deep = folder.path + "/x/y/z"
        try disk.createDirectory(deep)
        try disk.createDirectory(deep)
        for name in ["b", "a", "B", "ä"] { try disk.open(deep + "/" + name, .create).close() }
        #expect(try disk.list(deep) == ["B", "a", "b", "ä"])
        try disk.rename(deep + "/a", to: deep + "/b")
        try disk.syncDirectory(deep)
        #expect(try disk.list(deep) == ["B", "b", "ä"])
        #expect(code { () throws(DiskError) in try disk.removeDirectory(deep) } == .exists)
        for name in try disk.list(deep) { try disk.remove(deep + "/" + name) }
        try disk.removeDirectory(deep)
        #expect(try disk.status(deep) == nil)
        #expect(code { () throws(DiskError) in try disk.remove(deep + "/a") } == .notFound)
    }

    @Test("status tells length, kind and occupied blocks")
    func status() throws {
        let path = folder.path + "/a"
        let file = try disk.open(path, .create)
        try file.write([UInt8](repeating: 1, count: 10_000), at: 0)
        try file.sync()
        let status = try #require(try disk.status(path))
        #expect(status.sizeBytes == 10_000)
        #expect(status.allocatedBytes >= 10_000)
        #expect(!status.isDirectory)
        #expect(status.modifiedMs > 1_500_000_000_000)
        try file.truncate(to: 5)
        #expect(try file.size() == 5)
        #expect(try disk.status(folder.path)?.isDirectory == true)
        #expect(try disk.freeSpace(folder.path) > 0)
    }

    @Test("a file cannot be made longer than any file can be")
    func tooLong() throws {
        let file = try disk.open(folder.path + "/a", .create)
        #expect(code { () throws(DiskError) in try file.write([1], at: .max) } == .full)
        #expect(code { () throws(DiskError) in try file.write([1], at: UInt64(Int64.max)) } == .full)
        #expect(code { () throws(DiskError) in try file.truncate(to: .max) } == .full)
    }

    @Test("a lock is exclusive and freed by unlock and by the object's end")
    func locks() throws {
        let path = folder.path + "/LOCK"
        var first: (any FileLock)? = try disk.lock(path)
        #expect(code { () throws(DiskError) in _ = try disk.lock(path) } == .locked)
        first?.unlock()
        first = try disk.lock(path)
        #expect(first != nil)
        first = nil
        _ = try disk.lock(path)
    }

    @Test("replacing a file leaves the new content and no temporary file")
    func replaceFile() throws {
        let path = folder.path + "/meta"
        try disk.replaceFile(path, with: [1, 2, 3])
        try disk.replaceFile(path, with: [4])
        #expect(try disk.readFile(path, maxBytes: 10) == [4])
        #expect(try disk.list(folder.path) == ["meta"])
        #expect(code { () throws(DiskError) in _ = try disk.readFile(path, maxBytes: 0) } == .corrupt)
    }

    @Test("path parts")
    func paths() {
        #expect(parentDirectory(of: "/a/b") == "/a")
        #expect(parentDirectory(of: "/a/b/") == "/a")
        #expect(parentDirectory(of: "/a") == "/")
        #expect(parentDirectory(of: "/") == nil)
        #expect(parentDirectory(of: "a") == nil)
        #expect(lastComponent(of: "/a/b") == "b")
        #expect(lastComponent(of: "b") == "b")
    }
}

import Disk
import TestSupport
import Testing

@Suite("Simulated disk")
struct SimulatedDiskTests {
    private func failing(_ body: () throws(DiskError) -> Void) -> DiskError.Code? {
        do throws(DiskError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    /// A disk with a durable file /f holding `bytes`.
    private func diskWithFile(_ bytes: [UInt8]) throws -> (SimulatedDisk, any File) {
        let disk = SimulatedDisk()
        let file = try disk.open("/f", .createNew)
        try file.write(bytes, at: 0)
        try file.sync()
        try disk.syncDirectory("/")
        return (disk, file)
    }

    @Test("synced content survives a crash, unsynced content does not")
    func unsyncedContent() throws {
        let (disk, file) = try diskWithFile([1, 2, 3])
        try file.write([9, 9, 9, 9], at: 0)
        #expect(disk.contents("/f") == [9, 9, 9, 9])
        disk.crash(.none)
        #expect(disk.contents("/f") == [1, 2, 3])
        #expect(failing { () throws(DiskError) in _ = try file.size() } == .io)
    }

    @Test("everything survives when only the process ends")
    func processEnd() throws {
        let (disk, file) = try diskWithFile([1, 2, 3])
        try file.write([9, 9, 9, 9], at: 0)
        try disk.rename("/f", to: "/g")
        disk.crash(.all)
        #expect(disk.contents("/g") == [9, 9, 9, 9])
        #expect(disk.contents("/f") == nil)
    }

    @Test("a torn write keeps some sectors, each wholly old or wholly new")
    func tornWrite() throws {
        var sawTorn = false
        for seed in 0..<40 as Range<UInt64> {
            let (disk, file) = try diskWithFile([UInt8](repeating: 1, count: 4096))
            try file.write([UInt8](repeating: 2, count: 4096), at: 0)
            disk.crash(.random, seed: seed)
            let bytes = try #require(disk.contents("/f"))
            #expect(bytes.count == 4096)
            for start in stride(from: 0, to: 4096, by: 512) {
                #expect(Set(bytes[start..<start + 512]).count == 1)
            }
            if Set(bytes).count == 2 { sawTorn = true }
        }
        #expect(sawTorn)
    }

    @Test("an unsynced extension survives in part, with zeroes where sectors were lost")
    func tornExtension() throws {
        var lengths: Set<Int> = []
        var sawHole = false
        for seed in 0..<60 as Range<UInt64> {
            let (disk, file) = try diskWithFile([1])
            try file.write([UInt8](repeating: 2, count: 3000), at: 1)
            disk.crash(.random, seed: seed)
            let bytes = try #require(disk.contents("/f"))
            #expect(bytes[0] == 1)
            lengths.insert(bytes.count)
            sawHole = sawHole || bytes.dropFirst().contains(0)
        }
        #expect(lengths.contains(1) && lengths.contains(3001) && lengths.count > 5)
        #expect(sawHole)
    }

    @Test("names not synced are undone")
    func names() throws {
        let (disk, _) = try diskWithFile([1])
        try disk.open("/new", .create).sync()
        try disk.rename("/f", to: "/g")
        disk.crash(.none)
        #expect(disk.allFiles == ["/f"])
        try disk.rename("/f", to: "/g")
        try disk.syncDirectory("/")
        disk.crash(.none)
        #expect(disk.allFiles == ["/g"])
        try disk.remove("/g")
        disk.crash(.none)
        #expect(disk.allFiles == ["/g"])
    }

    @Test("a folder not synced takes its files along")
    func unsyncedFolder() throws {
        let disk = SimulatedDisk()
        try disk.createDirectory("/a")
        try disk.open("/a/f", .create).sync()
        try disk.syncDirectory("/a")
        disk.crash(.none)
        #expect(disk.allFiles == [])
        #expect(try disk.status("/a") == nil)
    }

    @Test("replacing a file gives the old or the new content at every power cut")
    func replaceFile() throws {
        for operation in 1...6 {
            for seed in 0..<20 as Range<UInt64> {
                let (disk, _) = try diskWithFile([1, 1, 1])
                disk.cutPower(atOperation: operation)
                let isAcknowledged =
                    failing { () throws(DiskError) in try disk.replaceFile("/f", with: [2, 2]) } == nil
                disk.crash(.random, seed: seed)
                let content = disk.contents("/f")
                #expect(content == [2, 2] || !isAcknowledged && content == [1, 1, 1])
            }
        }
    }

    @Test("any operation can be made to fail, once or from then on")
    func failures() throws {
        let (disk, file) = try diskWithFile([1])
        disk.failOperation(number: 2, of: [.write], with: .full)
        try file.write([1], at: 0)
        #expect(failing { () throws(DiskError) in try file.write([1], at: 0) } == .full)
        try file.write([1], at: 0)
        disk.failOperation(number: 1, of: [.read], isSticky: true)
        #expect(failing { () throws(DiskError) in _ = try file.readExactly(at: 0, count: 1) } == .io)
        #expect(failing { () throws(DiskError) in _ = try file.readExactly(at: 0, count: 1) } == .io)
        disk.clearFailures()
        _ = try file.readExactly(at: 0, count: 1)
        #expect(disk.operationCount([.write]) == 4)
    }

    @Test("what a failed sync should have written is never written by a later one")
    func failedSync() throws {
        let (disk, file) = try diskWithFile([1])
        try file.write([2], at: 0)
        disk.failOperation(number: 1, of: [.sync])
        #expect(failing { () throws(DiskError) in try file.sync() } == .io)
        #expect(disk.contents("/f") == [2])
        try file.sync()
        disk.crash(.all)
        #expect(disk.contents("/f") == [1])
    }

    @Test("a full disk takes what fits, and more once there is room")
    func full() throws {
        let (disk, file) = try diskWithFile([1])
        disk.capacityBytes = 5
        #expect(failing { () throws(DiskError) in try file.write([UInt8](repeating: 7, count: 10), at: 1) } == .full)
        #expect(try file.size() == 5)
        #expect(try disk.freeSpace("/") == 0)
        try file.truncate(to: 1)
        try file.write([1, 2, 3, 4], at: 1)
        disk.capacityBytes = 100
        try file.write([1], at: 50)
        #expect(disk.usedBytes == 51)
    }

    @Test("a flipped bit is flipped for good")
    func flip() throws {
        let (disk, _) = try diskWithFile([0, 0])
        disk.flipBit("/f", 9)
        #expect(disk.contents("/f") == [0, 2])
        disk.crash(.none)
        #expect(disk.contents("/f") == [0, 2])
    }

    @Test("locks end with a crash")
    func locks() throws {
        let disk = SimulatedDisk()
        let lock = try disk.lock("/LOCK")
        #expect(failing { () throws(DiskError) in _ = try disk.lock("/LOCK") } == .locked)
        disk.crash(.all)
        let other = try disk.lock("/LOCK")
        lock.unlock()
        #expect(failing { () throws(DiskError) in _ = try disk.lock("/LOCK") } == .locked)
        other.unlock()
    }
}

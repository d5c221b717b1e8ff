import Disk
import TestSupport
import Testing

@Suite("Data folder")
struct DataFolderTests {
    private func failure(_ path: String, _ disk: any FileSystem) -> DiskError? {
        do throws(DiskError) {
            _ = try DataFolder.open(path, fileSystem: disk)
            return nil
        } catch {
            return error
        }
    }

    @Test("a new folder is created and found again")
    func createAndReopen() throws {
        let temporary = TemporaryFolder()
        let path = temporary.path + "/deep/data"
        let disk = POSIXFileSystem()
        let folder = try DataFolder.open(path, fileSystem: disk)
        #expect(folder.version == 1)
        #expect(try disk.readFile(path + "/VERSION", maxBytes: 100) == Array("logstore 1\n".utf8))
        folder.close()
        _ = try DataFolder.open(path, fileSystem: disk)
    }

    @Test("a second process is told that the folder is in use")
    func locked() throws {
        let temporary = TemporaryFolder()
        let disk = POSIXFileSystem()
        let folder = try DataFolder.open(temporary.path, fileSystem: disk)
        let error = try #require(failure(temporary.path, disk))
        #expect(error.code == .locked)
        #expect(error.message.contains("in use by another logstore process"))
        folder.close()
        #expect(failure(temporary.path, disk) == nil)
    }

    @Test("a folder of a newer version is refused")
    func newer() throws {
        let disk = SimulatedDisk()
        disk.plant("/data/VERSION", Array("logstore 2\n".utf8))
        let error = try #require(failure("/data", disk))
        #expect(error.code == .incompatible)
        #expect(error.message.contains("newer"))
    }

    @Test(
        "a damaged version file is refused", arguments: ["", "logstore", "logstore x\n", "logstore 0\n", "other 1\n"])
    func damaged(content: String) throws {
        let disk = SimulatedDisk()
        disk.plant("/data/VERSION", Array(content.utf8))
        #expect(try #require(failure("/data", disk)).code == .corrupt)
    }

    @Test("a folder with other things in it is no data folder, and stays untouched")
    func foreign() throws {
        let disk = SimulatedDisk()
        disk.plant("/home/letter.txt", [1])
        let error = try #require(failure("/home", disk))
        #expect(error.code == .incompatible)
        #expect(error.message.contains("letter.txt"))
        #expect(disk.allFiles == ["/home/letter.txt"])
    }

    @Test("a file where the folder should be is an error")
    func fileInTheWay() throws {
        let disk = SimulatedDisk()
        disk.plant("/data", [1])
        #expect(try #require(failure("/data", disk)).message.contains("not a folder"))
    }

    @Test("an unwritable folder is an error that says so", arguments: [1, 2, 3, 4, 5, 6])
    func unwritable(operation: Int) throws {
        let disk = SimulatedDisk()
        disk.failOperation(number: operation, with: .accessDenied, isSticky: true)
        #expect(try #require(failure("/data", disk)).code == .accessDenied)
    }

    @Test("a crash at any moment of the first start leaves a folder that opens")
    func crashes() throws {
        for operation in 1...12 {
            for survival in SimulatedDisk.Survival.allCases {
                for seed in 0..<4 as Range<UInt64> {
                    let disk = SimulatedDisk()
                    disk.cutPower(atOperation: operation)
                    _ = failure("/data", disk)
                    disk.crash(survival, seed: seed)
                    let error = failure("/data", disk)
                    #expect(error == nil, "operation \(operation), \(survival), seed \(seed): \(error?.message ?? "")")
                }
            }
        }
    }
}

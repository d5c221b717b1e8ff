/// The store's folder, held by this process alone.
///
/// Two files at its top make it one: `LOCK`, locked as long as a process uses the folder, and `VERSION`, one line
/// `logstore N` with the version of the whole layout. A program refuses a folder of a newer version than it knows.
public final class DataFolder: Sendable {
    /// The layout's version that this program reads and writes.
    public static let currentVersion = 1

    /// Where it is.
    public let path: String
    /// The version its `VERSION` file names.
    public let version: Int
    private let lock: any FileLock

    private init(path: String, version: Int, lock: any FileLock) {
        self.path = path
        self.version = version
        self.lock = lock
    }

    /// Opens the data folder at `path`, creating it when absent, and holds its lock until `close`.
    ///
    /// Throws `.locked` when another process uses it, `.accessDenied` when it cannot be written, `.incompatible`
    /// when it is of a newer version or a folder with other things in it, `.corrupt` when its version file is damaged.
    public static func open(_ path: String, fileSystem: any FileSystem) throws(DiskError) -> DataFolder {
        do throws(DiskError) {
            try fileSystem.createDurableDirectory(path)
        } catch {
            throw DiskError(error.code, "data folder \(path) cannot be created: \(error.message)")
        }
        let versionPath = path + "/VERSION"
        let names = try fileSystem.list(path)
        let isNew = !names.contains("VERSION")
        // Without a version file only what an interrupted first start leaves may be there.
        let own: Set<String> = ["LOCK", "VERSION.tmp", "lost+found"]
        if isNew, let stranger = names.first(where: { !own.contains($0) }) {
            throw DiskError(
                .incompatible,
                "\(path) is no data folder: it holds \"\(stranger)\" but no VERSION file. Name an empty or a new folder."
            )
        }
        let lock: any FileLock
        do throws(DiskError) {
            lock = try fileSystem.lock(path + "/LOCK")
        } catch {
            switch error.code {
            case .locked:
                throw DiskError(.locked, "data folder \(path) is in use by another logstore process")
            case .accessDenied:
                throw DiskError(.accessDenied, "data folder \(path) cannot be written: \(error.message)")
            default:
                throw error
            }
        }
        if isNew {
            try fileSystem.replaceFile(versionPath, with: Array("logstore \(currentVersion)\n".utf8))
            return DataFolder(path: path, version: currentVersion, lock: lock)
        }
        let version = try parseVersion(try fileSystem.readFile(versionPath, maxBytes: 4096), path: versionPath)
        guard version <= currentVersion else {
            throw DiskError(
                .incompatible,
                "data folder \(path) was written by a newer logstore (layout \(version); this one knows up to "
                    + "\(currentVersion)). Use the newer program."
            )
        }
        return DataFolder(path: path, version: version, lock: lock)
    }

    /// Gives the folder back to other processes.
    public func close() { lock.unlock() }

    private static func parseVersion(_ bytes: [UInt8], path: String) throws(DiskError) -> Int {
        let line = String(decoding: bytes, as: UTF8.self)
        let prefix = "logstore "
        guard line.hasPrefix(prefix), line.hasSuffix("\n"),
            let version = Int(line.dropFirst(prefix.count).dropLast()), version >= 1
        else {
            throw DiskError(
                .corrupt, "\(path): does not say \"logstore 1\"; the folder is damaged or not a data folder")
        }
        return version
    }
}

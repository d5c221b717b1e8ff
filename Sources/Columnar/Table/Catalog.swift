import Disk
import Synchronization

/// All tables of a data folder.
///
/// Thread rule as for `Table`: calls that change something block on the disk.
public final class Catalog: Sendable {
    /// The folder with one folder a table.
    public let folder: String
    let environment: TableEnvironment
    private let byName: Mutex<[String: Table]>
    private let changes = Mutex(())
    private let maintenance = Mutex<Maintenance?>(nil)
    private let listeners = Mutex<[@Sendable (TableDefinition) -> Void]>([])

    private init(folder: String, environment: TableEnvironment) {
        self.folder = folder
        self.environment = environment
        byName = Mutex([:])
    }

    var fileSystem: any FileSystem { environment.fileSystem }
    var clock: any Clock { environment.clock }
    var settings: ColumnarSettings { environment.settings }
    var budget: MemoryBudget { environment.budget }

    /// Opens every table in `folder`, which is created when absent, and finishes drops that were under way. No
    /// background work runs before `startMaintenance`. Throws `.corrupt` and `.newerVersion` for a manifest that
    /// cannot be read, `.disk`.
    public static func open(
        folder: String, fileSystem: any FileSystem, clock: any Clock, settings: ColumnarSettings = ColumnarSettings()
    ) throws(ColumnarError) -> Catalog {
        let environment = TableEnvironment(
            fileSystem: fileSystem, clock: clock, settings: settings,
            budget: MemoryBudget(limitBytes: settings.memoryBytes), openFiles: OpenFiles())
        let catalog = Catalog(folder: folder, environment: environment)
        let names = try onDisk { () throws(DiskError) -> [String] in
            try fileSystem.createDurableDirectory(folder)
            return try fileSystem.list(folder).filter { (name) in
                (try? fileSystem.status(folder + "/" + name))?.isDirectory == true
            }
        }
        for name in names { try catalog.openTable(folder + "/" + name) }
        return catalog
    }

    private func openTable(_ path: String) throws(ColumnarError) {
        let (isDropped, hasManifest) = try onDisk { () throws(DiskError) in
            (
                try fileSystem.status(path + "/" + Table.dropMarker) != nil,
                try fileSystem.status(path + "/" + ManifestFormat.fileName) != nil
            )
        }
        if isDropped || !hasManifest {
            try removeFolder(path, mayHoldParts: isDropped)
            return
        }
        let table = try Table.open(folder: path, environment: environment)
        try byName.withLock { tables throws(ColumnarError) in
            if let other = tables[table.name] {
                throw ColumnarError(.corrupt, "\(path) and \(other.folder) both hold table \(table.name)")
            }
            tables[table.name] = table
        }
    }

    /// Removes what is left of a table that was dropped, or whose creation did not end.
    private func removeFolder(_ path: String, mayHoldParts: Bool) throws(ColumnarError) {
        try onDisk { () throws(DiskError) in
            for inner in ["parts", "detached"] {
                let folder = path + "/" + inner
                guard try fileSystem.status(folder) != nil else { continue }
                let files = try fileSystem.list(folder)
                guard mayHoldParts || files.isEmpty else {
                    throw DiskError(.corrupt, "\(path) has parts but no manifest: restore it, or move the folder away")
                }
                for file in files { try fileSystem.remove(folder + "/" + file) }
                try fileSystem.removeDirectory(folder)
            }
            // The marker goes last: until then the folder says what it is.
            for file in try fileSystem.list(path) where file != Table.dropMarker {
                try fileSystem.remove(path + "/" + file)
            }
            for file in try fileSystem.list(path) { try fileSystem.remove(path + "/" + file) }
            try fileSystem.removeDirectory(path)
            try fileSystem.syncDirectory(folder)
        }
    }

    /// Creates a table, durably, with the columns that its settings ask for. Throws `.tableExists`,
    /// `.invalidDefinition`, `.unknownColumn`, `.columnExists`, `.disk`.
    @discardableResult
    public func createTable(_ definition: TableDefinition) throws(ColumnarError) -> Table {
        let definition = try definition.completed()
        try definition.validate()
        let created = try changes.withLock { _ throws(ColumnarError) -> Table in
            guard table(definition.name) == nil else {
                throw ColumnarError(.tableExists, "table \(definition.name) already exists")
            }
            let table = try Table.create(
                folder: try freeFolder(for: definition.name), definition: definition, environment: environment)
            byName.withLock { $0[definition.name] = table }
            return table
        }
        notify(created.definition)
        return created
    }

    /// Calls `call` after each creation or removal of a table, with its definition, on the thread that did it.
    public func onTablesChanged(_ call: @escaping @Sendable (TableDefinition) -> Void) {
        listeners.withLock { $0.append(call) }
    }

    private func notify(_ definition: TableDefinition) {
        for call in listeners.withLock({ $0 }) { call(definition) }
    }

    /// A folder for a new table: its escaped name, with a number while readers still hold a dropped one of the name.
    private func freeFolder(for name: String) throws(ColumnarError) -> String {
        let base = folder + "/" + Self.escaped(name)
        return try onDisk { () throws(DiskError) -> String in
            var path = base
            var attempt = 1
            while try fileSystem.status(path) != nil {
                if try fileSystem.status(path + "/" + Table.dropMarker) == nil,
                    try fileSystem.status(path + "/" + ManifestFormat.fileName) == nil
                {
                    // A creation that failed half-way.
                    return path
                }
                attempt += 1
                path = base + "~" + String(attempt)
            }
            return path
        }
    }

    /// A table's name as a folder's: bytes other than letters, digits, `_`, `-` and inner dots as %XX.
    static func escaped(_ name: String) -> String {
        var result: [UInt8] = []
        for (index, byte) in name.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                result.append(byte)
            case UInt8(ascii: ".") where index > 0: result.append(byte)
            default: result += [UInt8(ascii: "%"), hex(byte >> 4), hex(byte & 15)]
            }
            if result.count > 180 { break }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hex(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }

    /// Removes a table and its rows, durably; snapshots taken before stay readable. Throws `.unknownTable`, `.disk`.
    public func dropTable(_ name: String) throws(ColumnarError) {
        let definition = try changes.withLock { _ throws(ColumnarError) in
            guard let table = table(name) else { throw ColumnarError(.unknownTable, "there is no table \(name)") }
            try table.drop()
            _ = byName.withLock { $0.removeValue(forKey: name) }
            return table.definition
        }
        notify(definition)
    }

    /// The table called `name`; nil when there is none.
    public func table(_ name: String) -> Table? { byName.withLock { $0[name] } }

    /// All tables, by name.
    public var tables: [Table] {
        byName.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// Bytes that the memory parts of all tables hold.
    public var memoryBytes: Int { budget.usedBytes }

    /// Starts the background threads: one flushes by rows, bytes and age; one merges, expires and caps.
    public func startMaintenance() {
        maintenance.withLock { if $0 == nil { $0 = Maintenance(self) } }
    }

    /// Stops the background threads; returns when they have ended.
    public func stopMaintenance() {
        maintenance.withLock { running in
            running?.stop()
            running = nil
        }
    }

    /// Stops background work and flushes every table. Throws the first failure; rows that could not be flushed come
    /// back from the log at the next start.
    public func close() throws(ColumnarError) {
        stopMaintenance()
        var failure: ColumnarError?
        for table in tables {
            do throws(ColumnarError) { try table.flush() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }
}

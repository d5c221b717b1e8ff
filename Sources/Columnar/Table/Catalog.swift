import Disk
import Synchronization

/// All tables of a data folder.
///
/// Thread rule as for `Table`: calls that change something block on the disk.
public final class Catalog: Sendable {
    /// The folder with one folder a table.
    public let folder: String
    let fileSystem: any FileSystem
    let clock: any Clock
    let settings: ColumnarSettings
    let budget: MemoryBudget
    private let byName: Mutex<[String: Table]>
    private let changes = Mutex(())

    private init(folder: String, fileSystem: any FileSystem, clock: any Clock, settings: ColumnarSettings) {
        self.folder = folder
        self.fileSystem = fileSystem
        self.clock = clock
        self.settings = settings
        budget = MemoryBudget(limitBytes: settings.memoryBytes)
        byName = Mutex([:])
    }

    /// Opens every table in `folder`, which is created when absent. No background work runs before
    /// `startMaintenance`.
    public static func open(
        folder: String, fileSystem: any FileSystem, clock: any Clock, settings: ColumnarSettings = ColumnarSettings()
    ) throws(ColumnarError) -> Catalog {
        Catalog(folder: folder, fileSystem: fileSystem, clock: clock, settings: settings)
    }

    /// Creates a table, durably. Throws `.tableExists`, `.invalidDefinition`, `.unknownColumn`, `.columnExists`,
    /// `.disk`.
    @discardableResult
    public func createTable(_ definition: TableDefinition) throws(ColumnarError) -> Table {
        try definition.validate()
        return try changes.withLock { _ throws(ColumnarError) -> Table in
            guard table(definition.name) == nil else {
                throw ColumnarError(.tableExists, "table \(definition.name) already exists")
            }
            let table = Table(
                folder: folder + "/" + definition.name, stored: StoredDefinition(definition), fileSystem: fileSystem,
                clock: clock, settings: settings, budget: budget)
            byName.withLock { $0[definition.name] = table }
            return table
        }
    }

    /// Removes a table and its rows, durably. Throws `.unknownTable`, `.disk`.
    public func dropTable(_ name: String) throws(ColumnarError) {
        try changes.withLock { _ throws(ColumnarError) in
            guard let table = byName.withLock({ $0.removeValue(forKey: name) }) else {
                throw ColumnarError(.unknownTable, "there is no table \(name)")
            }
            table.state.withLock { $0.isDropped = true }
        }
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
    public func startMaintenance() {}

    /// Stops the background threads; returns when they have ended.
    public func stopMaintenance() {}

    /// Stops background work and flushes every table. Throws the first failure; rows that could not be flushed come
    /// back from the log at the next start.
    public func close() throws(ColumnarError) {
        stopMaintenance()
        for table in tables { try table.flush() }
    }
}

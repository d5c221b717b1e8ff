import Disk
import Synchronization

/// What all tables of a catalog share.
struct TableEnvironment: Sendable {
    let fileSystem: any FileSystem
    let clock: any Clock
    let settings: ColumnarSettings
    let budget: MemoryBudget
    let openFiles: OpenFiles
}

/// Keeps part files open for the next read, but no more than a fixed number: a table may have more parts than a
/// process may have files.
final class OpenFiles: Sendable {
    private struct State {
        var files: [UInt64: any File] = [:]
        /// Keys in the order they were opened.
        var order: [UInt64] = []
        var nextKey: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// Keeps at most `limit` files open.
    init(limit: Int = 256) {
        self.limit = limit
    }

    /// A key that no other has.
    func newKey() -> UInt64 {
        state.withLock { state in
            state.nextKey += 1
            return state.nextKey
        }
    }

    /// The file of `key`, opened at `path` when it is not open. One that gives way is closed when its last reader
    /// lets go of it.
    func file(_ key: UInt64, path: String, fileSystem: any FileSystem) throws(DiskError) -> any File {
        if let file = state.withLock({ $0.files[key] }) { return file }
        let file = try fileSystem.open(path, .read)
        let released = state.withLock { state -> (any File)? in
            if state.files.updateValue(file, forKey: key) == nil { state.order.append(key) }
            guard state.order.count > limit else { return nil }
            return state.files.removeValue(forKey: state.order.removeFirst())
        }
        _ = released
        return file
    }

    /// Forgets the file of `key`.
    func forget(_ key: UInt64) {
        let released = state.withLock { state -> (any File)? in
            guard let file = state.files.removeValue(forKey: key) else { return nil }
            state.order.removeAll { $0 == key }
            return file
        }
        _ = released
    }
}

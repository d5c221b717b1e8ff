import Disk

/// A disk in memory that loses power, tears its last writes, fills up, fails any one operation and flips bits.
///
/// It keeps apart what programs see and what would survive a loss of power:
/// - A write becomes durable with `sync` of its file. At `crash` each 512-byte sector written since the last sync
///   is kept or lost on its own, and the length may be any between the synced one and the last one.
/// - A creation, rename or removal becomes durable with `syncDirectory` of its folder (a rename between folders
///   with that of the target's). At `crash` each one not synced is kept or undone on its own.
/// - After a failed `sync` the sectors it should have written count as clean: readable until the crash, never
///   written by a later `sync`, as Linux does it.
/// Paths must be absolute; `/` exists. All of it is safe to use from several threads.
public final class SimulatedDisk: FileSystem {
    /// The kinds of operation that can be counted, failed and stopped at.
    public enum Operation: Sendable, Hashable, CaseIterable {
        case open, read, write, sync, truncate, rename, remove, removeDirectory, createDirectory, syncDirectory
        case list, status, lock

        /// Those that change something on the disk. (`open` belongs to them only when it creates the file.)
        public static let changing: Set<Operation> = [
            .open, .write, .sync, .truncate, .rename, .remove, .removeDirectory, .createDirectory, .syncDirectory,
        ]
    }

    /// How much of what was not synced survives a crash.
    public enum Survival: Sendable, Hashable, CaseIterable {
        /// Nothing.
        case none
        /// Everything, as when only the process ends.
        case all
        /// Sector by sector and entry by entry, by the seed.
        case random
    }

    let state: Monitor<SimulatedState>

    /// An empty disk that holds at most `capacityBytes` of file content.
    public init(capacityBytes: UInt64 = 1 << 40) {
        state = Monitor(SimulatedState(capacityBytes: capacityBytes))
    }

    // MARK: Mischief

    /// How many operations of `kinds` were begun since the disk was created.
    public func operationCount(_ kinds: Set<Operation> = Operation.changing) -> Int {
        state.withLock { state in kinds.reduce(0) { $0 + (state.counts[$1] ?? 0) } }
    }

    /// Lets the operation number `number` (1 = the next) among those of `kinds` fail with `code`; a write that
    /// fails may have written a part. With `isSticky` all those that follow it fail too.
    public func failOperation(
        number: Int, of kinds: Set<Operation> = Operation.changing, with code: DiskError.Code = .io,
        isSticky: Bool = false
    ) {
        state.withLock { state in
            state.failures.append(
                SimulatedFailure(kinds: kinds, remaining: number, code: code, isSticky: isSticky, isPowerCut: false))
        }
    }

    /// Cuts the power in operation number `number` (1 = the next) among those of `kinds`: it and all after it fail
    /// until `crash` is called. A write may have written a part.
    public func cutPower(atOperation number: Int, of kinds: Set<Operation> = Operation.changing) {
        state.withLock { state in
            state.failures.append(
                SimulatedFailure(kinds: kinds, remaining: number, code: .io, isSticky: true, isPowerCut: true))
        }
    }

    /// Whether the power was cut since the last `crash`.
    public var isPowerCut: Bool { state.withLock { $0.isPowerOff } }

    /// Forgets all failures asked for.
    public func clearFailures() { state.withLock { $0.failures = [] } }

    /// Ends the machine and starts it again: unsynced content and entries survive as `survival` says, every open
    /// handle is dead, every lock free, every failure asked for forgotten.
    public func crash(_ survival: Survival, seed: UInt64 = 0) {
        state.update { $0.crash(survival, seed: seed) }
    }

    /// The bytes of content the disk holds at most; may be changed at any time.
    public var capacityBytes: UInt64 {
        get { state.withLock { $0.capacityBytes } }
        set { state.withLock { $0.capacityBytes = newValue } }
    }

    /// Bytes of content on the disk, as programs see it.
    public var usedBytes: UInt64 { state.withLock { $0.usedBytes } }

    /// Flips bit `bit` (counted from the first byte's lowest) of the file, durably, as a failing medium does.
    public func flipBit(_ path: String, _ bit: Int) {
        state.withLock { state in
            guard let file = state.file(path), bit >= 0, bit / 8 < file.content.count else {
                preconditionFailure("BUG: no bit \(bit) in \(path)")
            }
            file.content[bit / 8] ^= 1 << UInt8(bit % 8)
            if bit / 8 < file.durable.count { file.durable[bit / 8] ^= 1 << UInt8(bit % 8) }
        }
    }

    /// Lets every `sync` wait until `releaseSyncs`; for tests of what happens meanwhile.
    public func holdSyncs() { state.withLock { $0.isHoldingSyncs = true } }

    /// Lets held syncs go on.
    public func releaseSyncs() { state.update { $0.isHoldingSyncs = false } }

    /// Waits until `count` syncs are held; false when `timeoutMs` pass before.
    public func waitForHeldSyncs(_ count: Int, timeoutMs: Int64 = 10_000) -> Bool {
        state.wait(timeoutMs: timeoutMs) { $0.heldSyncs >= count ? true : nil } ?? false
    }

    /// The time that changed files show, in milliseconds since 1970.
    public var nowMs: Int64 {
        get { state.withLock { $0.nowMs } }
        set { state.withLock { $0.nowMs = newValue } }
    }

    /// The content of the file as programs see it; nil when there is none. Not counted as an operation.
    public func contents(_ path: String) -> [UInt8]? {
        state.withLock { $0.file(path)?.content }
    }

    /// Puts a file there, durably, creating its folders. Not counted as an operation.
    public func plant(_ path: String, _ bytes: [UInt8]) {
        state.withLock { $0.plant(path, bytes) }
    }

    /// The paths of all files, sorted. Not counted as an operation.
    public var allFiles: [String] {
        state.withLock { state in
            state.entries.compactMap { if case .file = $0.value { $0.key } else { nil } }.sorted()
        }
    }

    // MARK: FileSystem

    /// Opens the file; see `FileSystem`.
    public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any File {
        try state.withLock { state throws(DiskError) in
            let isThere = state.entries[path] != nil
            let creates = !isThere && (mode == .create || mode == .createNew)
            if creates || mode == .read || mode == .readWrite || mode == .create {
                try state.begin(.open, path, counts: creates)
            }
            let file = try state.open(path, mode)
            return SimulatedFile(path: path, disk: self, content: file, generation: state.generation)
        }
    }

    /// Renames atomically; see `FileSystem`.
    public func rename(_ source: String, to target: String) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            try state.begin(.rename, source)
            try state.rename(source, to: target)
        }
    }

    /// Removes one file.
    public func remove(_ path: String) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            try state.begin(.remove, path)
            try state.remove(path, wantsDirectory: false)
        }
    }

    /// Removes one empty folder.
    public func removeDirectory(_ path: String) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            try state.begin(.removeDirectory, path)
            try state.remove(path, wantsDirectory: true)
        }
    }

    /// Creates the folder and those above it.
    public func createDirectory(_ path: String) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            if case .directory = state.entries[path] { return }
            try state.begin(.createDirectory, path)
            try state.createDirectory(path)
        }
    }

    /// Makes changes of names inside the folder durable.
    public func syncDirectory(_ path: String) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            try state.begin(.syncDirectory, path)
            try state.syncDirectory(path)
        }
    }

    /// The names inside the folder, sorted bytewise.
    public func list(_ path: String) throws(DiskError) -> [String] {
        try state.withLock { state throws(DiskError) in
            try state.begin(.list, path)
            return try state.list(path)
        }
    }

    /// What is at the path; nil when nothing is.
    public func status(_ path: String) throws(DiskError) -> FileStatus? {
        try state.withLock { state throws(DiskError) in
            try state.begin(.status, path)
            return state.status(path)
        }
    }

    /// Takes an exclusive lock; throws `.locked` when another has it.
    public func lock(_ path: String) throws(DiskError) -> any FileLock {
        try state.withLock { state throws(DiskError) in
            try state.begin(.lock, path)
            if state.entries[path] == nil { _ = try state.open(path, .create) }
            guard state.locks.insert(path).inserted else {
                throw DiskError(.locked, "\(path): another process holds the lock")
            }
            return SimulatedLock(path: path, disk: self, generation: state.generation)
        }
    }

    /// Bytes that may still be written.
    public func freeSpace(_ path: String) throws(DiskError) -> UInt64 {
        state.withLock { state in state.capacityBytes > state.usedBytes ? state.capacityBytes - state.usedBytes : 0 }
    }
}

/// A handle; dead once the disk has crashed.
private final class SimulatedFile: File, @unchecked Sendable {
    let path: String
    private let disk: SimulatedDisk
    private let content: SimulatedContent
    private let generation: Int
    /// Guarded by the disk's lock.
    private var isClosed = false

    init(path: String, disk: SimulatedDisk, content: SimulatedContent, generation: Int) {
        self.path = path
        self.disk = disk
        self.content = content
        self.generation = generation
    }

    deinit { close() }

    private func begin(_ operation: SimulatedDisk.Operation, _ state: inout SimulatedState) throws(DiskError) {
        guard !isClosed else { throw DiskError(.io, "\(path): the file is closed") }
        guard generation == state.generation else { throw DiskError(.io, "\(path): the machine was restarted") }
        try state.begin(operation, path)
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
        try disk.state.withLock { state throws(DiskError) in
            try begin(.read, &state)
            guard offset < UInt64(content.content.count) else { return 0 }
            let count = min(buffer.count, content.content.count - Int(offset))
            content.content.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[Int(offset)..<Int(offset) + count])
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).copyMemory(from: part)
            }
            return count
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
        try disk.state.withLock { state throws(DiskError) in
            do throws(DiskError) {
                try begin(.write, &state)
            } catch {
                if !isClosed, generation == state.generation {
                    let part = Int(state.random.next() % UInt64(bytes.count + 1))
                    try? state.write(
                        UnsafeRawBufferPointer(rebasing: bytes[..<part]), to: content, at: Int(offset), path)
                }
                throw error
            }
            try state.write(bytes, to: content, at: Int(offset), path)
        }
    }

    func sync() throws(DiskError) {
        disk.waitWhileHeld()
        try disk.state.withLock { state throws(DiskError) in
            do throws(DiskError) {
                try begin(.sync, &state)
            } catch {
                // The kernel marks the pages clean all the same. (After a power cut nothing is marked any more.)
                if generation == state.generation, !state.isPowerOff { content.forgetDirtySectors() }
                throw error
            }
            content.makeDurable()
        }
    }

    func truncate(to sizeBytes: UInt64) throws(DiskError) {
        try disk.state.withLock { state throws(DiskError) in
            try begin(.truncate, &state)
            try state.truncate(content, to: Int(sizeBytes), path)
        }
    }

    func size() throws(DiskError) -> UInt64 {
        try disk.state.withLock { state throws(DiskError) in
            try begin(.status, &state)
            return UInt64(content.content.count)
        }
    }

    func close() { disk.state.withLock { _ in isClosed = true } }
}

extension SimulatedDisk {
    fileprivate func waitWhileHeld() {
        let isHeld = state.update { state in
            if state.isHoldingSyncs { state.heldSyncs += 1 }
            return state.isHoldingSyncs
        }
        guard isHeld else { return }
        state.wait { $0.isHoldingSyncs ? nil : () }
        state.update { $0.heldSyncs -= 1 }
    }
}

private final class SimulatedLock: FileLock {
    private let path: String
    private let disk: SimulatedDisk
    private let generation: Int

    init(path: String, disk: SimulatedDisk, generation: Int) {
        self.path = path
        self.disk = disk
        self.generation = generation
    }

    deinit { unlock() }

    func unlock() {
        disk.state.withLock { state in
            if generation == state.generation { state.locks.remove(path) }
        }
    }
}

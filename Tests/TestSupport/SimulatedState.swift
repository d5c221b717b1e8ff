import Disk

/// What a path names.
enum SimulatedEntry {
    case file(SimulatedContent)
    case directory
}

/// A change of names not made durable yet.
struct PendingChange {
    enum Kind {
        case add(path: String, SimulatedEntry)
        case remove(path: String)
        case move(source: String, target: String, SimulatedEntry)
    }
    let kind: Kind
    /// The folder whose sync makes it durable.
    let folder: String
}

struct SimulatedFailure {
    let kinds: Set<SimulatedDisk.Operation>
    /// 1: the next operation of the kinds fails.
    var remaining: Int
    let code: DiskError.Code
    let isSticky: Bool
    let isPowerCut: Bool
}

/// A file's bytes: what programs see, what a loss of power leaves, and which sectors differ by writes not synced.
final class SimulatedContent {
    static let sectorBytes = 512

    var content: [UInt8] = []
    var durable: [UInt8] = []
    /// Sectors written since the last sync.
    var dirty: Set<Int> = []
    var modifiedMs: Int64 = 0

    func makeDurable() {
        if durable.count > content.count {
            durable.removeLast(durable.count - content.count)
        } else if durable.count < content.count {
            durable.append(contentsOf: repeatElement(0, count: content.count - durable.count))
        }
        for sector in dirty {
            // A sector past the end was cut since.
            let end = min((sector + 1) * Self.sectorBytes, content.count)
            guard sector * Self.sectorBytes < end else { continue }
            let range = sector * Self.sectorBytes..<end
            durable.replaceSubrange(range, with: content[range])
        }
        dirty = []
    }

    func forgetDirtySectors() { dirty = [] }

    func markDirty(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        for sector in range.lowerBound / Self.sectorBytes...(range.upperBound - 1) / Self.sectorBytes {
            dirty.insert(sector)
        }
    }

    func crash(_ survival: SimulatedDisk.Survival, _ random: inout SeededRandom) {
        switch survival {
        case .all:
            makeDurable()
        case .none:
            break
        case .random:
            let lengths = [min(content.count, durable.count), max(content.count, durable.count)]
            let kept =
                switch random.next() % 4 {
                case 0: durable.count
                case 1: Int(random.next() % UInt64(lengths[1] - lengths[0] + 1)) + lengths[0]
                default: content.count
                }
            var survivor = durable
            if survivor.count < kept {
                survivor.append(contentsOf: repeatElement(0, count: kept - survivor.count))
            } else {
                survivor.removeLast(survivor.count - kept)
            }
            // Half the crashes keep all sectors or none; the others tear.
            let mode = random.next() % 4
            for sector in dirty.sorted() {
                let survives = mode == 0 ? true : mode == 1 ? false : random.next() % 2 == 0
                let end = min((sector + 1) * Self.sectorBytes, content.count, kept)
                if survives, sector * Self.sectorBytes < end {
                    let range = sector * Self.sectorBytes..<end
                    survivor.replaceSubrange(range, with: content[range])
                }
            }
            durable = survivor
        }
        content = durable
        dirty = []
    }
}

/// The disk's state; used under its lock only.
struct SimulatedState {
    var entries: [String: SimulatedEntry] = ["/": .directory]
    var durableEntries: [String: SimulatedEntry] = ["/": .directory]
    var pending: [PendingChange] = []
    var counts: [SimulatedDisk.Operation: Int] = [:]
    var failures: [SimulatedFailure] = []
    var isPowerOff = false
    var generation = 0
    var locks: Set<String> = []
    var capacityBytes: UInt64
    var usedBytes: UInt64 = 0
    var isHoldingSyncs = false
    var heldSyncs = 0
    var nowMs: Int64 = 1_700_000_000_000
    var random = SeededRandom(seed: 1)

    init(capacityBytes: UInt64) { self.capacityBytes = capacityBytes }

    /// Counts the operation; throws when it is to fail.
    mutating func begin(
        _ operation: SimulatedDisk.Operation, _ path: String, counts isCounted: Bool = true
    ) throws(DiskError) {
        guard !isPowerOff else { throw DiskError(.io, "\(path): the power is off") }
        guard isCounted else { return }
        counts[operation, default: 0] += 1
        for index in failures.indices where failures[index].kinds.contains(operation) {
            failures[index].remaining -= 1
            let failure = failures[index]
            guard failure.remaining == 0 || failure.isSticky && failure.remaining < 0 else { continue }
            if failure.isPowerCut { isPowerOff = true }
            throw DiskError(failure.code, "\(path): \(operation) was made to fail")
        }
    }

    func file(_ path: String) -> SimulatedContent? {
        if case .file(let content) = entries[path] { content } else { nil }
    }

    private func requireParent(_ path: String) throws(DiskError) -> String {
        guard let parent = parentDirectory(of: path), case .directory = entries[parent] else {
            throw DiskError(.notFound, "\(path): no such folder")
        }
        return parent
    }

    mutating func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> SimulatedContent {
        switch entries[path] {
        case .file(let content):
            if mode == .createNew { throw DiskError(.exists, "\(path): exists") }
            return content
        case .directory:
            throw DiskError(.io, "\(path): is a folder")
        case nil:
            guard mode == .create || mode == .createNew else { throw DiskError(.notFound, "\(path): no such file") }
            let parent = try requireParent(path)
            let content = SimulatedContent()
            content.modifiedMs = nowMs
            entries[path] = .file(content)
            pending.append(PendingChange(kind: .add(path: path, .file(content)), folder: parent))
            return content
        }
    }

    mutating func rename(_ source: String, to target: String) throws(DiskError) {
        guard let entry = entries[source] else { throw DiskError(.notFound, "\(source): no such file") }
        _ = try requireParent(source)
        let parent = try requireParent(target)
        if case .directory = entry {
            guard entries[target] == nil else { throw DiskError(.exists, "\(target): exists") }
            // Everything below moves along; it was made durable, or not, at its own path.
            for (path, below) in entries where path.hasPrefix(source + "/") {
                entries[path] = nil
                entries[target + path.dropFirst(source.count)] = below
            }
        } else if let replaced = file(target) {
            usedBytes -= UInt64(replaced.content.count)
        }
        entries[source] = nil
        entries[target] = entry
        pending.append(PendingChange(kind: .move(source: source, target: target, entry), folder: parent))
    }

    mutating func remove(_ path: String, wantsDirectory: Bool) throws(DiskError) {
        guard let entry = entries[path] else { throw DiskError(.notFound, "\(path): no such file") }
        switch entry {
        case .file(let content):
            guard !wantsDirectory else { throw DiskError(.notFound, "\(path): is a file") }
            usedBytes -= UInt64(content.content.count)
        case .directory:
            guard wantsDirectory else { throw DiskError(.io, "\(path): is a folder") }
            guard !entries.keys.contains(where: { $0.hasPrefix(path + "/") }) else {
                throw DiskError(.exists, "\(path): is not empty")
            }
        }
        entries[path] = nil
        pending.append(PendingChange(kind: .remove(path: path), folder: try requireParent(path)))
    }

    mutating func createDirectory(_ path: String) throws(DiskError) {
        if case .directory = entries[path] { return }
        guard entries[path] == nil else { throw DiskError(.exists, "\(path): is a file") }
        guard let parent = parentDirectory(of: path) else { throw DiskError(.io, "\(path): is not absolute") }
        try createDirectory(parent)
        entries[path] = .directory
        pending.append(PendingChange(kind: .add(path: path, .directory), folder: parent))
    }

    mutating func syncDirectory(_ path: String) throws(DiskError) {
        guard case .directory = entries[path] else { throw DiskError(.notFound, "\(path): no such folder") }
        var later: [PendingChange] = []
        for change in pending {
            if change.folder == path { Self.apply(change, to: &durableEntries) } else { later.append(change) }
        }
        pending = later
    }

    func list(_ path: String) throws(DiskError) -> [String] {
        guard case .directory = entries[path] else { throw DiskError(.notFound, "\(path): no such folder") }
        let prefix = path == "/" ? "/" : path + "/"
        let names = entries.keys.compactMap { key -> String? in
            guard key.hasPrefix(prefix), key.utf8.count > prefix.utf8.count else { return nil }
            let name = key.dropFirst(prefix.count)
            return name.utf8.contains(UInt8(ascii: "/")) ? nil : String(name)
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    func status(_ path: String) -> FileStatus? {
        switch entries[path] {
        case nil: nil
        case .directory: FileStatus(sizeBytes: 0, allocatedBytes: 0, isDirectory: true, modifiedMs: nowMs)
        case .file(let file):
            FileStatus(
                sizeBytes: UInt64(file.content.count), allocatedBytes: UInt64((file.content.count + 511) / 512 * 512),
                isDirectory: false, modifiedMs: file.modifiedMs)
        }
    }

    /// Writes as much as fits; throws `.full` when that is not all.
    mutating func write(
        _ bytes: UnsafeRawBufferPointer, to file: SimulatedContent, at offset: Int, _ path: String
    ) throws(DiskError) {
        let wanted = offset + bytes.count
        let growth = max(0, wanted - file.content.count)
        let free = capacityBytes > usedBytes ? Int(clamping: capacityBytes - usedBytes) : 0
        let written = growth <= free ? bytes.count : max(0, bytes.count - (growth - free))
        let end = offset + written
        if written > 0 || bytes.isEmpty {
            if end > file.content.count {
                usedBytes += UInt64(end - file.content.count)
                file.markDirty(file.content.count..<end)
                file.content.append(contentsOf: repeatElement(0, count: end - file.content.count))
            }
            file.content.replaceSubrange(offset..<end, with: bytes[..<written])
            file.markDirty(offset..<end)
            file.modifiedMs = nowMs
        }
        if written < bytes.count { throw DiskError(.full, "\(path): cannot write: no space left on the disk") }
    }

    mutating func truncate(_ file: SimulatedContent, to size: Int, _ path: String) throws(DiskError) {
        if size < file.content.count {
            usedBytes -= UInt64(file.content.count - size)
            file.content.removeLast(file.content.count - size)
            // The sector's rest is zeroed, as the kernel does it.
            if size % SimulatedContent.sectorBytes != 0 { file.dirty.insert(size / SimulatedContent.sectorBytes) }
        } else {
            let growth = size - file.content.count
            guard usedBytes + UInt64(growth) <= capacityBytes else {
                throw DiskError(.full, "\(path): cannot extend: no space left on the disk")
            }
            usedBytes += UInt64(growth)
            file.markDirty(file.content.count..<size)
            file.content.append(contentsOf: repeatElement(0, count: growth))
        }
        file.modifiedMs = nowMs
    }

    mutating func plant(_ path: String, _ bytes: [UInt8]) {
        var folder = parentDirectory(of: path)
        while let next = folder, next != "/" {
            entries[next] = .directory
            durableEntries[next] = .directory
            folder = parentDirectory(of: next)
        }
        if let old = file(path) { usedBytes -= UInt64(old.content.count) }
        let content = SimulatedContent()
        content.content = bytes
        content.durable = bytes
        content.modifiedMs = nowMs
        entries[path] = .file(content)
        durableEntries[path] = .file(content)
        usedBytes += UInt64(bytes.count)
    }

    static func apply(_ change: PendingChange, to entries: inout [String: SimulatedEntry]) {
        switch change.kind {
        case .add(let path, let entry):
            entries[path] = entry
        case .remove(let path):
            entries[path] = nil
        case .move(let source, let target, let entry):
            if case .directory = entry {
                for (path, below) in entries where path.hasPrefix(source + "/") {
                    entries[path] = nil
                    entries[target + path.dropFirst(source.count)] = below
                }
            }
            entries[source] = nil
            entries[target] = entry
        }
    }

    mutating func crash(_ survival: SimulatedDisk.Survival, seed: UInt64) {
        var random = SeededRandom(seed: seed &* 0x9E37_79B9 &+ 7)
        for change in pending {
            let survives =
                switch survival {
                case .none: false
                case .all: true
                case .random: random.next() % 2 == 0
                }
            if survives { Self.apply(change, to: &durableEntries) }
        }
        pending = []
        // What lies in a folder that did not survive is gone with it.
        durableEntries = durableEntries.filter { path, _ in
            var parent = parentDirectory(of: path)
            while let next = parent {
                guard case .directory = durableEntries[next] else { return false }
                parent = parentDirectory(of: next)
            }
            return true
        }
        usedBytes = 0
        for path in durableEntries.keys.sorted() {
            guard case .file(let content) = durableEntries[path] else { continue }
            content.crash(survival, &random)
            usedBytes += UInt64(content.content.count)
        }
        entries = durableEntries
        generation += 1
        locks = []
        failures = []
        isPowerOff = false
        isHoldingSyncs = false
    }
}

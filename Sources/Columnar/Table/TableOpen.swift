import Disk
import Synchronization

extension Table {
    /// Creates a table in `folder`, durably. Throws `.disk`.
    static func create(
        folder: String, definition: TableDefinition, environment: TableEnvironment
    ) throws(ColumnarError) -> Table {
        try onDisk { () throws(DiskError) in try environment.fileSystem.createDurableDirectory(folder + "/parts") }
        // The table exists once its manifest does.
        let manifest = try Manifest.create(
            folder + "/" + ManifestFormat.fileName, content: ManifestContent(StoredDefinition(definition)),
            fileSystem: environment.fileSystem)
        return Table(folder: folder, manifest: manifest, environment: environment)
    }

    /// Opens the table in `folder`: reads the manifest, removes part files it does not name, opens the others and
    /// sets damaged ones aside. Throws `.corrupt` or `.newerVersion` for the manifest, `.disk`.
    static func open(
        folder: String, environment: TableEnvironment
    ) throws(ColumnarError) -> Table {
        let manifest = try Manifest.open(
            folder + "/" + ManifestFormat.fileName, fileSystem: environment.fileSystem)
        let entries = manifest.content.parts.values.sorted { $0.number < $1.number }
        let table = Table(folder: folder, manifest: manifest, environment: environment)
        try table.removeUnnamed(Set(entries.map { lastComponent(of: table.partPath($0.number)) }))
        for entry in entries {
            do throws(ColumnarError) {
                let part = try table.openPart(entry.number)
                guard part.rowCount == entry.rowCount else {
                    throw ColumnarError(
                        .corrupt, "\(part.path) has \(part.rowCount) rows, the manifest says \(entry.rowCount)")
                }
                table.state.withLock { $0[entry.shelf].parts.append(part) }
            } catch {
                guard error.code == .corrupt else { throw error }
                table.noteDamage(entry.number, error)
            }
        }
        try table.detachDamaged()
        let nextVersion = table.versionAfterParts()
        table.state.withLock { $0.nextVersion = nextVersion }
        return table
    }

    /// Part files that no manifest names: of a flush or merge that did not commit, or replaced by one that did.
    private func removeUnnamed(_ named: Set<String>) throws(ColumnarError) {
        let folder = partsFolder
        try onDisk { () throws(DiskError) in
            try fileSystem.createDurableDirectory(folder)
            for name in try fileSystem.list(folder) where name.hasSuffix(PartFormat.fileSuffix) && !named.contains(name)
            {
                try fileSystem.remove(folder + "/" + name)
            }
        }
    }

    /// Remembers that a part is damaged; the background sets it aside.
    func noteDamage(_ number: UInt64, _ error: ColumnarError) {
        state.withLock { $0.damaged[number] = error.message }
        budget.ring()
    }

    /// Moves damaged parts to `detached/`, each beside a file that says why, and takes them out of the manifest.
    /// Throws `.disk`.
    func detachDamaged() throws(ColumnarError) {
        let damaged = state.withLock { $0.damaged }
        guard !damaged.isEmpty else { return }
        for (number, reason) in damaged.sorted(by: { $0.key < $1.key }) {
            try moveToDetached(number, reason)
        }
        let numbers = Set(damaged.keys)
        let known = commits.withLock { manifest in numbers.filter { manifest.content.parts[$0] != nil } }
        if !known.isEmpty {
            try commit(known.sorted().map { .removePart($0) }) { state in
                _ = state.removeParts(numbers)
                state.detachedParts += known.count
            }
        }
        state.withLock { state in for number in numbers { state.damaged[number] = nil } }
    }

    /// Parts that were set aside, now or earlier, with their reasons. Throws `.disk`.
    public func detachedParts() throws(ColumnarError) -> [CheckProblem] {
        let detached = folder + "/detached"
        return try onDisk { () throws(DiskError) in
            guard try fileSystem.status(detached) != nil else { return [] }
            var found: [CheckProblem] = []
            for name in try fileSystem.list(detached).sorted() where name.hasSuffix(".reason") {
                let reason = try fileSystem.readFile(detached + "/" + name, maxBytes: 1 << 16)
                let text = String(decoding: reason.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
                found.append(
                    CheckProblem(path: detached + "/" + name.dropLast(".reason".count), message: "set aside: " + text))
            }
            return found
        }
    }

    private func moveToDetached(_ number: UInt64, _ reason: String) throws(ColumnarError) {
        let source = partPath(number)
        let detached = folder + "/detached"
        let target = detached + "/" + lastComponent(of: source)
        let parts = partsFolder
        try onDisk { () throws(DiskError) in
            try fileSystem.createDurableDirectory(detached)
            try fileSystem.replaceFile(target + ".reason", with: Array((reason + "\n").utf8))
            guard try fileSystem.status(source) != nil else { return }
            try fileSystem.rename(source, to: target)
            try fileSystem.syncDirectory(detached)
            try fileSystem.syncDirectory(parts)
        }
    }

    /// Verifies every checksum of the table's files and that every block decodes. Parts are found as the table
    /// knows them; those set aside before are not looked at again.
    public func check(progress: @Sendable (WorkProgress) -> Void = { _ in }) -> [CheckProblem] {
        var problems: [CheckProblem] = []
        let manifest = folder + "/" + ManifestFormat.fileName
        do throws(ColumnarError) {
            // A torn end is what a crash leaves of a commit that was never acknowledged: no damage.
            _ = try Manifest.open(manifest, fileSystem: fileSystem).tornBytes
        } catch {
            problems.append(CheckProblem(path: manifest, message: error.message))
        }
        let parts = state.withLock { $0.allParts }
        let total = parts.reduce(0) { $0 + $1.sizeBytes }
        var done: UInt64 = 0
        for part in parts {
            progress(WorkProgress(doneBytes: done, totalBytes: total, item: part.name))
            problems += part.check()
            done += part.sizeBytes
        }
        progress(WorkProgress(doneBytes: total, totalBytes: total, item: ""))
        return problems
    }

    /// Takes the table out of use: nothing is appended or committed any more; files go as readers let go.
    func drop() throws(ColumnarError) {
        // The marker is what makes the drop durable: an open that finds it removes what is left.
        let marker = folder + "/" + Self.dropMarker
        try onDisk { () throws(DiskError) in try fileSystem.replaceFile(marker, with: []) }
        let (parts, freed) = appending.withLock { _ in
            commits.withLock { _ in
                state.withLock { state -> ([Part], Int) in
                    state.isDropped = true
                    let parts = state.allParts
                    let freed = state.rows.memory.bytes + state.deadLetters.memory.bytes
                    state.rows.parts = []
                    state.deadLetters.parts = []
                    state.rows.memory = MemoryPart()
                    state.deadLetters.memory = MemoryPart()
                    state.pendingOffsets = [:]
                    return (parts, freed)
                }
            }
        }
        budget.add(-freed)
        for part in parts { part.retire() }
    }

    /// The file whose presence says that the table in the folder was dropped.
    static let dropMarker = "DROPPED"
}

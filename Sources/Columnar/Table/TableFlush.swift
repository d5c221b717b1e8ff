import Disk
import Synchronization

extension Table {
    /// The folder with the table's parts.
    var partsFolder: String { folder + "/parts" }

    func partPath(_ number: UInt64) -> String {
        partsFolder + "/" + PartFormat.name(number) + PartFormat.fileSuffix
    }

    /// Makes `edits` durable as one record and then, under the same lock, changes what is visible by `install`.
    /// Throws `.disk`, `.unknownTable` when the table was dropped; nothing is visible then.
    func commit(
        _ edits: [ManifestEdit], _ install: @Sendable (inout TableState) -> Void
    ) throws(ColumnarError) {
        let orphans = try commits.withLock { manifest throws(ColumnarError) -> [String] in
            let (name, isDropped) = state.withLock { ($0.stored.definition.name, $0.isDropped) }
            if isDropped { throw ColumnarError(.unknownTable, "table \(name) was dropped") }
            try manifest.commit(edits)
            return state.withLock { state in
                install(&state)
                defer { state.orphans = [] }
                return state.orphans
            }
        }
        // The manifest is known to be as it should: nothing names these.
        for path in orphans { try? fileSystem.remove(path) }
    }

    /// Writes what is in memory into parts and commits them with their offsets. Throws `.disk` when the disk says
    /// no: the rows stay in memory, and the next flush tries again.
    public func flush() throws(ColumnarError) {
        let (freed, movedOffsets) = try flushing.withLock { _ throws(ColumnarError) -> (Int, Bool) in
            guard let work = beginFlush() else { return (0, false) }
            do throws(ColumnarError) {
                try write(work)
            } catch {
                failFlush(work, error)
                throw error
            }
            return (work.rows.bytes + work.deadLetters.bytes, !work.offsets.isEmpty)
        }
        if freed > 0 { budget.add(-freed) }
        if movedOffsets { notifyStored() }
    }

    /// What one flush writes.
    private struct FlushWork {
        var rows: MemoryPart
        var deadLetters: MemoryPart
        var stored: StoredDefinition
        var offsets: [SourcePartition: Int64]
        var origins: [PartOrigin]
        var oldestMs: Int64?
    }

    /// Moves what is in memory aside: visible still, but no longer appended to.
    private func beginFlush() -> FlushWork? {
        appending.withLock { _ in
            state.withLock { state -> FlushWork? in
                guard state.hasPending, !state.isDropped else { return nil }
                let origins = state.pendingOffsets.sorted { $0.key < $1.key }.map {
                    PartOrigin(source: $0.key, first: state.storedOffsets[$0.key] ?? 0, end: $0.value)
                }
                let work = FlushWork(
                    rows: state.rows.memory, deadLetters: state.deadLetters.memory, stored: state.stored,
                    offsets: state.pendingOffsets, origins: origins, oldestMs: state.oldestPendingMs)
                state.rows.flushing = state.rows.memory
                state.rows.memory = MemoryPart()
                state.deadLetters.flushing = state.deadLetters.memory
                state.deadLetters.memory = MemoryPart()
                state.pendingOffsets = [:]
                state.oldestPendingMs = nil
                return work
            }
        }
    }

    private func write(_ work: FlushWork) throws(ColumnarError) {
        let rows = try write(work.rows, work.stored, work)
        var written = rows
        let opened: (rows: [Part], letters: [Part])
        var edits: [ManifestEdit] = []
        do throws(ColumnarError) {
            let letters = try write(work.deadLetters, .deadLetters, work)
            written += letters
            let folder = partsFolder
            if !written.isEmpty { try onDisk { () throws(DiskError) in try fileSystem.syncDirectory(folder) } }
            opened = (try open(rows), try open(letters))
            edits = rows.map { .addPart($0.entry(.rows)) } + letters.map { .addPart($0.entry(.deadLetters)) }
        } catch {
            for part in written { try? fileSystem.remove(part.path) }
            throw error
        }
        edits += work.offsets.map { .offset($0.key, $0.value) }
        do throws(ColumnarError) {
            try commit(edits) { state in
                state.epoch += 1
                state.rows.flushing = nil
                state.rows.parts += opened.rows
                state.deadLetters.flushing = nil
                state.deadLetters.parts += opened.letters
                state.storedOffsets.merge(work.offsets) { $1 }
                state.flushError = nil
                state.flushFailures = 0
                state.nextFlushMs = 0
            }
        } catch {
            // The manifest may name them after a crash: they stay until it is known not to.
            let paths = written.map(\.path)
            state.withLock { $0.orphans += paths }
            throw error
        }
    }

    private func write(
        _ memory: MemoryPart, _ stored: StoredDefinition, _ work: FlushWork
    ) throws(ColumnarError) -> [FlushWriter.Written] {
        guard !memory.isEmpty else { return [] }
        let writer = FlushWriter(
            memory: memory, stored: stored, sources: work.origins, nowMs: clock.nowMs(), fileSystem: fileSystem,
            newPart: newPart)
        return try writer.write()
    }

    /// Path and number of a new part.
    func newPart() -> (path: String, number: UInt64) {
        let number = state.withLock { state -> UInt64 in
            defer { state.nextPart += 1 }
            return state.nextPart
        }
        return (partPath(number), number)
    }

    private func open(_ written: [FlushWriter.Written]) throws(ColumnarError) -> [Part] {
        var parts: [Part] = []
        for part in written { parts.append(try openPart(part.number)) }
        return parts
    }

    func openPart(_ number: UInt64) throws(ColumnarError) -> Part {
        try Part.open(
            partPath(number), number: number, fileSystem: fileSystem, openFiles: environment.openFiles
        ) { [weak self] number, error in
            self?.noteDamage(number, error)
        }
    }

    private func failFlush(_ work: FlushWork, _ error: ColumnarError) {
        let nowMs = clock.nowMs()
        appending.withLock { _ in
            state.withLock { state in
                state.restoreFlushing(offsets: work.offsets, oldestMs: work.oldestMs)
                state.flushError = error
                state.flushFailures += 1
                // One second, then twice as long each time, at most a minute.
                state.nextFlushMs = nowMs + min(60_000, 1000 << min(6, Int64(state.flushFailures - 1)))
            }
        }
        budget.noteFailure()
    }

    /// Whether the background should flush now. `isLargest`: memory is short and this table holds most of it.
    func wantsFlush(nowMs: Int64, isLargest: Bool) -> Bool {
        state.withLock { state in
            guard state.hasPending, nowMs >= state.nextFlushMs, !state.isDropped else { return false }
            if isLargest && state.memoryRows > 0 { return true }
            if state.memoryRows >= settings.flushRows { return true }
            return state.oldestPendingMs.map { nowMs - $0 >= settings.flushAgeMs } ?? false
        }
    }

    /// Removes all rows and dead letters; offsets stay where they are.
    public func truncate() throws(ColumnarError) {
        let (removed, freed) = try flushing.withLock { _ throws(ColumnarError) -> ([Part], Int) in
            try appending.withLock { _ throws(ColumnarError) -> ([Part], Int) in
                let (parts, freed, offsets) = state.withLock { ($0.allParts, $0.memoryBytes, $0.pendingOffsets) }
                let numbers = Set(parts.map(\.number))
                let edits: [ManifestEdit] =
                    parts.map { .removePart($0.number) } + offsets.map { .offset($0.key, $0.value) }
                try commit(edits) { state in
                    _ = state.removeParts(numbers)
                    state.rows = Shelf()
                    state.deadLetters = Shelf()
                    state.storedOffsets.merge(offsets) { $1 }
                    state.pendingOffsets = [:]
                    state.oldestPendingMs = nil
                }
                return (parts, freed)
            }
        }
        for part in removed { part.retire() }
        budget.add(-freed)
        notifyStored()
    }
}

extension FlushWriter.Written {
    func entry(_ shelf: ShelfKind) -> PartEntry {
        PartEntry(number: number, shelf: shelf, rowCount: rowCount, sizeBytes: sizeBytes)
    }
}

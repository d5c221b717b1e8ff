import Disk
import Synchronization

extension Table {
    /// Merges `parts` of one partition and shelf into one, committed atomically. Returns false when one of them was
    /// gone by then. Throws `.corrupt`, `.disk`; nothing has changed then.
    func merge(
        _ parts: [Part], shelf: ShelfKind, isCancelled: () -> Bool = { false }
    ) throws(ColumnarError) -> Bool {
        let stored = shelf == .rows ? state.withLock { $0.stored } : .deadLetters
        let nowMs = clock.nowMs()
        var sources: [MergeSource] = []
        for part in parts { sources.append(try MergeSource(part: part, stored: stored, nowMs: nowMs)) }
        if stored.definition.keepsLatest { try leaveOutReplaced(&sources, stored, isCancelled) }
        var result: FlushWriter.Written?
        var opened: Part?
        do throws(ColumnarError) {
            if sources.contains(where: { $0.rowCount > 0 }) {
                let written = try write(sources, stored, nowMs: nowMs, isCancelled: isCancelled)
                result = written
                let folder = partsFolder
                try onDisk { () throws(DiskError) in try fileSystem.syncDirectory(folder) }
                opened = try openPart(written.number)
            }
        } catch {
            if let result { try? fileSystem.remove(result.path) }
            throw error
        }
        return try commitMerge(parts, shelf, result, opened)
    }

    /// Leaves out versions of rows that another one of the same merge replaces. That a row is gone must be kept as
    /// long as another part may hold an older version of it; parts that come while this works hold newer ones.
    private func leaveOutReplaced(
        _ sources: inout [MergeSource], _ stored: StoredDefinition, _ isCancelled: () -> Bool
    ) throws(ColumnarError) {
        let merged = Set(sources.map(\.part.number))
        let isAll = state.withLock { $0.rows.parts.allSatisfy { merged.contains($0.number) } }
        let masks = try LatestRows.masks(sources, stored: stored, keepsDeleted: !isAll, isCancelled: isCancelled)
        for index in sources.indices { sources[index].keepOnly(masks[index]) }
    }

    private func commitMerge(
        _ parts: [Part], _ shelf: ShelfKind, _ result: FlushWriter.Written?, _ opened: Part?
    ) throws(ColumnarError) -> Bool {
        let numbers = Set(parts.map(\.number))
        var edits: [ManifestEdit] = parts.map { .removePart($0.number) }
        if let result { edits.append(.addPart(result.entry(shelf))) }
        do throws(ColumnarError) {
            // A part dropped meanwhile must not come back with the result.
            let isDone = try commit(edits, ifPresent: numbers) { state in
                _ = state.removeParts(numbers)
                if let opened { state[shelf].parts.append(opened) }
                state.mergeError = nil
            }
            guard isDone else {
                opened?.retire()
                return false
            }
        } catch {
            if let path = result?.path { state.withLock { $0.orphans.append(path) } }
            throw error
        }
        for part in parts { part.retire() }
        return true
    }

    private func write(
        _ sources: [MergeSource], _ stored: StoredDefinition, nowMs: Int64, isCancelled: () -> Bool
    ) throws(ColumnarError) -> FlushWriter.Written {
        let key = stored.sortingIndices
        let ids = key.map { stored.ids[$0] }
        // Rows of a part written under another key stay together, and the result is not called sorted.
        let isSorted = sources.allSatisfy { $0.part.footer.sortingKey.starts(with: ids) }
        let order = try MergeOrderer.order(sources, keyIndices: isSorted ? key : [], isCancelled: isCancelled)
        var footer = PartFooter()
        footer.level = (sources.map(\.part.footer.level).max() ?? 0) + 1
        footer.createdMs = nowMs
        footer.partition = sources.first?.part.footer.partition
        footer.sources = Self.union(sources.flatMap(\.part.footer.sources))
        footer.granules = order.granules
        footer.rowCount = order.granules.reduce(0) { $0 + Int($1) }
        footer.sortingKey = isSorted ? ids : []
        let (path, number) = newPart()
        let writer = try PartWriter(
            path: path, footer: footer, compression: .zstd(level: 1), fileSystem: fileSystem)
        do throws(ColumnarError) {
            for index in stored.definition.columns.indices {
                try write(index, sources, order, stored, to: writer, isCancelled)
            }
            let timeColumn = stored.definition.timeColumn.flatMap { stored.index(of: $0) }.map { stored.ids[$0] }
            let size = try writer.finish(timeColumn: timeColumn)
            return FlushWriter.Written(number: number, path: path, rowCount: footer.rowCount, sizeBytes: size)
        } catch {
            writer.abandon()
            throw error
        }
    }

    private func write(
        _ index: Int, _ sources: [MergeSource], _ order: MergeOrder, _ stored: StoredDefinition,
        to writer: PartWriter, _ isCancelled: () -> Bool
    ) throws(ColumnarError) {
        let definition = stored.definition.columns[index]
        var column = try MergedColumn(sources, index: index)
        try writer.beginColumn(
            id: stored.ids[index], name: definition.name, type: definition.type, dictionary: column.dictionary,
            averageBytes: Self.averageBytes(sources, id: stored.ids[index]))
        for granule in order.granules.indices {
            if isCancelled() { throw ColumnarError.cancelled }
            try writer.append(try column.granule(order.runs[order.starts[granule]..<order.starts[granule + 1]]))
        }
        try writer.endColumn()
    }

    private static func averageBytes(_ sources: [MergeSource], id: UInt32) -> UInt64 {
        var bytes: UInt64 = 0
        var rows: UInt64 = 1
        for source in sources {
            guard let column = source.part.column(id) else { continue }
            for granule in column.memoryBytes { bytes &+= granule }
            rows += UInt64(source.part.rowCount)
        }
        return bytes / rows
    }

    /// Offsets of all origins, one range a source partition.
    private static func union(_ origins: [PartOrigin]) -> [PartOrigin] {
        var result: [SourcePartition: PartOrigin] = [:]
        for origin in origins {
            var whole = result[origin.source] ?? origin
            whole.first = min(whole.first, origin.first)
            whole.end = max(whole.end, origin.end)
            result[origin.source] = whole
        }
        return result.values.sorted { $0.source < $1.source }
    }

    /// As `commit`, but does nothing and returns false when the manifest no longer names all of `numbers`.
    func commit(
        _ edits: [ManifestEdit], ifPresent numbers: Set<UInt64>, _ install: @Sendable (inout TableState) -> Void
    ) throws(ColumnarError) -> Bool {
        let orphans = try commits.withLock { manifest throws(ColumnarError) -> [String]? in
            let isDropped = state.withLock { $0.isDropped }
            guard !isDropped, numbers.allSatisfy({ manifest.content.parts[$0] != nil }) else { return nil }
            try manifest.commit(edits)
            return state.withLock { state in
                install(&state)
                defer { state.orphans = [] }
                return state.orphans
            }
        }
        guard let orphans else { return false }
        for path in orphans { try? fileSystem.remove(path) }
        return true
    }

    /// Drops parts durably. Returns how many were still there.
    @discardableResult
    func dropParts(_ parts: [Part]) throws(ColumnarError) -> Bool {
        guard !parts.isEmpty else { return false }
        let numbers = Set(parts.map(\.number))
        let isDone = try commit(parts.map { .removePart($0.number) }, ifPresent: numbers) { state in
            _ = state.removeParts(numbers)
        }
        if isDone { for part in parts { part.retire() } }
        return isDone
    }
}

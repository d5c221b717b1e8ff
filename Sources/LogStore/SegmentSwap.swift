import Disk
import Synchronization

/// Puts one compacted segment in the place of those it was made from, so that a loss of power at any moment leaves
/// the old ones or the new one, each whole:
///
/// 1. `<base>.cleaned` is written and synced. Without its new name it is worth nothing, and is removed at a start.
/// 2. It is renamed to `<base>-<end>.swap`: from now on it counts, and readers are shown it. The folder is synced.
/// 3. The old segments whose base offsets are between the two in the name are removed, and their indexes, which would
///    lie. The folder is synced: none of them may come back once the name does not tell of them any more.
/// 4. The file is renamed to `<base>.log`, in the place of the first of them. The folder is synced.
///
/// Opening the log, and the next compaction, go on from step 3 where one was interrupted.
enum SegmentSwap {
    /// Finishes in `folder`, which holds `names`, what a crash interrupted. True when it changed anything.
    static func recover(_ folder: String, _ names: [String], _ fileSystem: any FileSystem) throws(DiskError) -> Bool {
        var hasChanged = false
        for name in names {
            if name.hasSuffix(SegmentFormat.cleanedSuffix) {
                try fileSystem.remove(folder + "/" + name)
                hasChanged = true
            } else if let range = SegmentFormat.range(ofSwap: name) {
                try removeReplaced(range, folder, fileSystem)
                try arrive(range, folder, fileSystem)
                try fileSystem.syncDirectory(folder)
                hasChanged = true
            }
        }
        return hasChanged
    }

    /// Step 3.
    static func removeReplaced(
        _ range: Range<Int64>, _ folder: String, _ fileSystem: any FileSystem
    ) throws(DiskError) {
        try fileSystem.syncDirectory(folder)
        for name in try fileSystem.list(folder) {
            guard let base = SegmentFormat.baseOffset(of: name), range.contains(base) else { continue }
            // The first one is replaced by the rename itself.
            if name.hasSuffix(SegmentFormat.logSuffix), base == range.lowerBound { continue }
            try fileSystem.remove(folder + "/" + name)
        }
        try fileSystem.syncDirectory(folder)
    }

    /// Step 4, without the sync.
    static func arrive(_ range: Range<Int64>, _ folder: String, _ fileSystem: any FileSystem) throws(DiskError) {
        try fileSystem.rename(
            SegmentFormat.swapPath(folder, range),
            to: SegmentFormat.path(folder, range.lowerBound, SegmentFormat.logSuffix))
    }
}

extension PartitionLog {
    /// Replaces `sources`, which follow each other, by the segment in the synced file `<base>.cleaned`. False when
    /// they are not all there any more; the file stays then. Throws when the disk fails; whatever has happened by then,
    /// readers find every record, and the next compaction or start goes on from there.
    func replace(
        _ sources: [SegmentState], sizeBytes: Int64, indexes: SegmentIndexes
    ) throws(LogStoreError) -> Bool {
        guard let first = sources.first, let last = sources.last else { return false }
        let fileSystem = environment.fileSystem
        return try fileChanges.withLock { _ throws(LogStoreError) in
            guard failure == nil, areShown(sources) else { return false }
            try translating { () throws(DiskError) in
                try fileSystem.rename(
                    SegmentFormat.path(folder, first.baseOffset, SegmentFormat.cleanedSuffix),
                    to: SegmentFormat.swapPath(folder, first.baseOffset..<last.endOffset))
            }
            state.withLock { state in
                guard let start = state.segments.firstIndex(where: { $0.isSame(as: first) }) else { return }
                state.generation += 1
                let new = SegmentState(
                    baseOffset: first.baseOffset, endOffset: last.endOffset, sizeBytes: sizeBytes,
                    maxTimestampMs: indexes.maxTimestampMs, generation: state.generation, isInSwap: true)
                state.segments.replaceSubrange(start..<start + sources.count, with: [new])
                environment.sealedSegments.forget(number, first.baseOffset..<last.endOffset)
                state.hints.removeAll { (first.baseOffset..<last.endOffset).contains($0.segmentBaseOffset) }
            }
            try finishSwap(first.baseOffset..<last.endOffset)
            var indexes = indexes
            indexes.seal(segmentBase: first.baseOffset, nextOffset: last.endOffset)
            SegmentIndexFiles.replace(
                indexes, folder: folder, baseOffset: first.baseOffset, fileSystem: fileSystem)
            return true
        }
    }

    /// Goes on with what an earlier compaction could not finish.
    func finishSwaps() throws(LogStoreError) {
        let ranges = state.withLock { state in
            state.segments.compactMap { $0.isInSwap ? $0.baseOffset..<$0.endOffset : nil }
        }
        for range in ranges {
            try fileChanges.withLock { _ throws(LogStoreError) in
                if failure == nil { try finishSwap(range) }
            }
        }
    }

    private func finishSwap(_ range: Range<Int64>) throws(LogStoreError) {
        let fileSystem = environment.fileSystem
        try translating { () throws(DiskError) in
            try SegmentSwap.removeReplaced(range, folder, fileSystem)
            try SegmentSwap.arrive(range, folder, fileSystem)
        }
        state.withLock { state in
            guard let index = state.segments.firstIndex(where: { $0.baseOffset == range.lowerBound }) else { return }
            state.segments[index].isInSwap = false
        }
        try translating { () throws(DiskError) in try fileSystem.syncDirectory(folder) }
    }

    /// Whether readers are shown all these segments, one after the other, and another behind them that is written.
    private func areShown(_ sources: [SegmentState]) -> Bool {
        state.withLock { state in
            guard let first = sources.first, let start = state.segments.firstIndex(where: { $0.isSame(as: first) }),
                start + sources.count < state.segments.count
            else { return false }
            return zip(sources, state.segments[start...]).allSatisfy { $0.isSame(as: $1) }
        }
    }
}

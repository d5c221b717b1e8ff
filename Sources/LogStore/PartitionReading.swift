import Disk
import Synchronization

extension PartitionLog {
    /// Everything a read needs of the state, taken at one moment. The files stay readable when retention removes them.
    struct Source {
        let segment: SegmentState
        let file: any File
        /// Where to start looking, and which offset is there.
        var position: Int64
        var offset: Int64
    }

    /// Whole record batches from the one that holds `offset` on, back to back as stored, about `maxBytes` of them but
    /// the first one always whole. Empty when `offset` is the end. Never reaches past what is durable.
    ///
    /// The checksum of every batch returned was verified. Throws `.offsetOutOfRange`, or `.corruptBatch` at a damaged
    /// place, with `resumeOffset`. Blocks.
    public func read(from offset: Int64, maxBytes: Int) throws(LogStoreError) -> [UInt8] {
        try read(from: offset, maxBytes: maxBytes, includingDeleted: false)
    }

    func read(from offset: Int64, maxBytes: Int, includingDeleted: Bool) throws(LogStoreError) -> [UInt8] {
        try withBatch(at: offset, includingDeleted: includingDeleted) {
            (source, position, batch) throws(LogStoreError) in
            try readBatches(source, from: position, at: batch.baseOffset, requested: offset, maxBytes: maxBytes)
        } ?? []
    }

    /// Looks for the batch that holds `offset` and gives its place and header to `body`, which returns nil when it
    /// finds the batch damaged. Nil when `offset` is the end.
    func withBatch<Result>(
        at offset: Int64, includingDeleted: Bool = false,
        _ body: (Source, Int64, RecordBatch) throws(LogStoreError) -> Result?
    ) throws(LogStoreError) -> Result? {
        guard var source = try source(for: offset, includingDeleted) else { return nil }
        let wanted = max(offset, source.segment.baseOffset)
        while true {
            let damagedPosition: Int64
            switch try locate(wanted, source) {
            case .found(let position, let batch):
                if let result = try body(source, position, batch) { return result }
                damagedPosition = position
            case .damaged(let position):
                damagedPosition = position
            }
            // The place may lie before what is wanted: then the index leads past it. Each turn starts further on.
            let resume = resumePoint(source, pastPosition: max(damagedPosition, source.position))
            guard let resume, resume.offset <= wanted else {
                throw damaged(source, at: damagedPosition, wanted, resume?.offset)
            }
            (source.position, source.offset) = (resume.position, resume.offset)
        }
    }

    /// What the state says about an offset.
    private struct Place {
        let segment: SegmentState
        let hint: ReadHint?
        /// For the segment being written: its file and the index entry to start from.
        let activeFile: (any File)?
        let activeEntry: OffsetIndex.Entry?
    }

    private func place(of offset: Int64, _ includingDeleted: Bool) throws(LogStoreError) -> Place? {
        try state.withLock { state throws(LogStoreError) in
            let start = includingDeleted ? state.keptOffset : state.startOffset
            let end = state.segments[state.segments.count - 1].endOffset
            guard offset >= start, offset <= end else { throw outOfRange(offset, start, end) }
            // The first that ends after the offset; one in a gap is followed by the next segment's first.
            let index = state.segments.partitionPoint { $0.endOffset > offset }
            guard index < state.segments.count else { return nil }
            let segment = state.segments[index]
            let hint = state.hints.first { $0.offset == offset && $0.isIn(segment) }
            guard index == state.segments.count - 1 else {
                return Place(segment: segment, hint: hint, activeFile: nil, activeEntry: nil)
            }
            let relative = UInt32(clamping: max(0, offset - segment.baseOffset))
            return Place(
                segment: segment, hint: hint, activeFile: state.activeFile,
                activeEntry: state.activeIndexes.offsets.floor(relative))
        }
    }

    private func outOfRange(_ offset: Int64, _ start: Int64? = nil, _ end: Int64? = nil) -> LogStoreError {
        LogStoreError(
            .offsetOutOfRange,
            "\(topic)-\(partition) has no offset \(offset); it holds \(start ?? startOffset) to \(end ?? endOffset)")
    }

    private func source(for offset: Int64, _ includingDeleted: Bool) throws(LogStoreError) -> Source? {
        guard let place = try place(of: offset, includingDeleted) else { return nil }
        let segment = place.segment
        var entry = place.activeEntry
        let file: any File
        if let active = place.activeFile {
            file = active
        } else {
            // Deleted or replaced meanwhile: then the state says something else now.
            guard let sealed = try sealedSegment(segment) else { return try source(for: offset, includingDeleted) }
            file = sealed.file
            entry = sealed.indexes.offsets.floor(UInt32(clamping: max(0, offset - segment.baseOffset)))
        }
        if let hint = place.hint {
            return Source(segment: segment, file: file, position: hint.position, offset: offset)
        }
        return Source(
            segment: segment, file: file, position: Int64(entry?.position ?? 0),
            offset: segment.baseOffset + Int64(entry?.relativeOffset ?? 0))
    }

    /// A sealed segment with its file and indexes: one of those read last, or opened now. Nil when readers are shown
    /// another one in its place by now, or none.
    func sealedSegment(_ segment: SegmentState) throws(LogStoreError) -> SealedSegment? {
        if let known = environment.sealedSegments.find(number, segment) { return known }
        let sealed: SealedSegment
        do throws(LogStoreError) {
            let file = try openSealed(segment)
            let loaded = segment.isInSwap ? nil : try loadedIndexes(segment, file)
            let indexes = if let loaded { loaded } else { try rebuiltIndexes(segment, file) }
            sealed = SealedSegment(
                baseOffset: segment.baseOffset, generation: segment.generation, file: file, indexes: indexes)
        } catch {
            if isShown(segment) { throw error }
            return nil
        }
        // What was opened by its name may be what has replaced the segment.
        return state.withLock { state in
            guard state.segments.contains(where: { $0.isSame(as: segment) }) else { return nil }
            environment.sealedSegments.keep(number, sealed)
            return sealed
        }
    }

    /// Opens a sealed segment's file; whether it is still that segment's, the caller asks afterwards.
    func openSealed(_ segment: SegmentState) throws(LogStoreError) -> any File {
        let fileSystem = environment.fileSystem
        return try translating { () throws(DiskError) in
            do throws(DiskError) {
                return try fileSystem.open(segment.path(folder), .read)
            } catch {
                guard error.code == .notFound, segment.isInSwap else { throw error }
                // It has arrived meanwhile.
                return try fileSystem.open(
                    SegmentFormat.path(folder, segment.baseOffset, SegmentFormat.logSuffix), .read)
            }
        }
    }

    /// Whether readers are shown this very segment.
    func isShown(_ segment: SegmentState) -> Bool {
        state.withLock { state in state.segments.contains { $0.isSame(as: segment) } }
    }

    /// The indexes on disk, when every entry of the offset index points at the batch it names.
    private func loadedIndexes(_ segment: SegmentState, _ file: any File) throws(LogStoreError) -> SegmentIndexes? {
        guard
            let indexes = SegmentIndexFiles.load(
                folder: folder, baseOffset: segment.baseOffset, segmentBytes: segment.sizeBytes,
                maxNextOffset: segment.endOffset, fileSystem: environment.fileSystem)
        else { return nil }
        // Positions and offsets that fit each other at both ends and in the middle; the others are checked when used.
        let entries = indexes.offsets.entries
        for index in Set([0, entries.count / 2, entries.count - 1]) where entries.indices.contains(index) {
            let entry = entries[index]
            guard let header = try? header(file, at: Int64(entry.position), segment),
                header.baseOffset == segment.baseOffset + Int64(entry.relativeOffset)
            else { return nil }
        }
        return indexes
    }

    private func rebuiltIndexes(_ segment: SegmentState, _ file: any File) throws(LogStoreError) -> SegmentIndexes {
        let scan = try SegmentScan.run(
            file, segmentBase: segment.baseOffset, from: 0, nextOffset: segment.baseOffset,
            indexes: SegmentIndexes(), limit: segment.sizeBytes, maxBatchBytes: Int(clamping: segment.sizeBytes),
            intervalBytes: environment.settings.indexIntervalBytes)
        var indexes = scan.indexes
        // Of a damaged segment the indexes reach as far as the damage; they stay in memory.
        guard scan.problem == nil, scan.nextOffset == segment.endOffset else { return indexes }
        indexes.seal(segmentBase: segment.baseOffset, nextOffset: segment.endOffset)
        fileChanges.withLock { _ in
            guard !segment.isInSwap, isShown(segment) else { return }
            SegmentIndexFiles.replace(
                indexes, folder: folder, baseOffset: segment.baseOffset, fileSystem: environment.fileSystem)
        }
        return indexes
    }

    /// The header at `position`, not verified further.
    func header(
        _ file: any File, at position: Int64, _ segment: SegmentState
    ) throws(LogStoreError) -> RecordBatch {
        guard position >= 0, position + Int64(RecordBatch.headerBytes) <= segment.sizeBytes else {
            throw LogStoreError(.corruptBatch, "no batch fits at byte \(position)")
        }
        let bytes = try translating { () throws(DiskError) in
            try file.readExactly(at: UInt64(position), count: RecordBatch.headerBytes)
        }
        return try bytes.withBytes { bytes throws(LogStoreError) in try RecordBatch(parsing: bytes) }
    }

    /// What came of looking for a batch.
    enum Location {
        /// The batch starts there.
        case found(position: Int64, RecordBatch)
        /// What starts there is not the batch that should.
        case damaged(position: Int64)
    }

    /// Looks for the batch that holds `offset`.
    private func locate(_ offset: Int64, _ source: Source) throws(LogStoreError) -> Location {
        let location = try walk(offset, source, from: source.position, at: source.offset)
        // When not even the first step fits, the index or hint was wrong: look from the segment's start.
        if case .damaged(source.position) = location, source.position > 0 {
            return try walk(offset, source, from: 0, at: source.segment.baseOffset)
        }
        return location
    }

    /// Goes from batch to batch by their headers.
    func walk(
        _ offset: Int64, _ source: Source, from start: Int64, at startOffset: Int64
    ) throws(LogStoreError) -> Location {
        var position = start
        var expected = startOffset
        // Where the header that leads to `position` lies: should nothing fit there, it may be that one which is wrong.
        var previous = start
        while position < source.segment.sizeBytes, expected <= offset {
            let batch: RecordBatch
            do throws(LogStoreError) {
                batch = try header(source.file, at: position, source.segment)
            } catch {
                if error.code == .corruptBatch { return .damaged(position: previous) }
                throw error
            }
            guard batch.baseOffset == expected, batch.lastOffsetDelta >= 0 else { return .damaged(position: previous) }
            if batch.nextOffset > offset { return .found(position: position, batch) }
            previous = position
            position += Int64(batch.sizeBytes)
            expected = batch.nextOffset
        }
        return .damaged(position: previous)
    }

    /// Reads whole batches from `position` on, where the batch with base offset `base` starts; nil when it is damaged.
    private func readBatches(
        _ source: Source, from position: Int64, at base: Int64, requested: Int64, maxBytes: Int
    ) throws(LogStoreError) -> [UInt8]? {
        let left = source.segment.sizeBytes - position
        let first = try header(source.file, at: position, source.segment)
        guard Int64(first.sizeBytes) <= left else { return nil }
        let count = Int(min(left, Int64(max(first.sizeBytes, maxBytes))))
        var bytes = try translating { () throws(DiskError) in
            try source.file.readExactly(at: UInt64(position), count: count)
        }
        var used = 0
        var expected = base
        bytes.withBytes { bytes in
            while bytes.count - used >= RecordBatch.headerBytes {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
                // What comes before damage is given; the damage itself is met by the next read.
                guard let batch = try? RecordBatch(parsing: rest), batch.baseOffset == expected,
                    batch.lastOffsetDelta >= 0, batch.hasRightChecksum(rest)
                else { return }
                used += batch.sizeBytes
                expected = batch.nextOffset
            }
        }
        guard used > 0 else { return nil }
        bytes.removeLast(bytes.count - used)
        let hint = ReadHint(
            offset: expected, segmentBaseOffset: source.segment.baseOffset,
            segmentGeneration: source.segment.generation, position: position + Int64(used))
        state.withLock { $0.remember(hint, insteadOf: requested) }
        return bytes
    }

    /// The error of a damaged place at `position`, with the next offset that can be read.
    private func damaged(_ source: Source, at position: Int64, _ offset: Int64, _ resume: Int64?) -> LogStoreError {
        let segment = source.segment
        let path = segment.path(folder)
        let next = state.withLock { state in
            state.segments.first { $0.baseOffset > segment.baseOffset }?.baseOffset
        }
        let resume = resume ?? next ?? segment.endOffset
        return LogStoreError(
            .corruptBatch,
            "\(path) is damaged near byte \(position): offsets \(offset)..<\(resume) cannot be read",
            resumeOffset: resume)
    }

    /// The first place past `pastPosition` in the segment where the index knows a whole, right batch.
    private func resumePoint(_ source: Source, pastPosition: Int64) -> (position: Int64, offset: Int64)? {
        let segment = source.segment
        let active = state.withLock { state in
            state.segments[state.segments.count - 1].baseOffset == segment.baseOffset
                ? state.activeIndexes.offsets : nil
        }
        // Indexes of a damaged segment rebuilt from it end at the damage; those on disk know what lies behind.
        let index =
            active
            ?? SegmentIndexFiles.guesses(
                folder: folder, baseOffset: segment.baseOffset, segmentBytes: segment.sizeBytes,
                maxNextOffset: segment.endOffset, fileSystem: environment.fileSystem)
        var position = pastPosition
        while let entry = index.firstEntry(pastPosition: position) {
            position = Int64(entry.position)
            let offset = segment.baseOffset + Int64(entry.relativeOffset)
            if isWholeBatch(source, at: position, offset: offset) { return (position, offset) }
        }
        return nil
    }

    private func isWholeBatch(_ source: Source, at position: Int64, offset: Int64) -> Bool {
        guard let batch = try? header(source.file, at: position, source.segment), batch.baseOffset == offset,
            position + Int64(batch.sizeBytes) <= source.segment.sizeBytes,
            let bytes = try? source.file.readExactly(at: UInt64(position), count: batch.sizeBytes)
        else { return false }
        return bytes.withBytes { batch.hasRightChecksum($0) }
    }
}

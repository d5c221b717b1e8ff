import Disk
import Synchronization

extension PartitionLog {
    /// Deletes the oldest segments that retention no longer keeps, none that a hold keeps and never the one being
    /// written (which is closed first when all its records are too old). Returns how many bytes went. Blocks.
    @discardableResult
    public func applyRetention() throws(LogStoreError) -> Int64 {
        let nowMs = environment.clock.nowMs()
        if producerCount > 0 {
            _ = environment.committer.enqueue { [self] in writer.expireProducers(self) }
        }
        try rollExpired(nowMs)
        let config = configuration.value
        return try deleteSegments { [self] oldest in
            if oldest.isDeleted || oldest.segment.sizeBytes == 0 { return true }
            guard config.cleanupPolicy.deletes else { return false }
            let isTooMuch = config.retentionBytes >= 0 && oldest.bytesAfter >= config.retentionBytes
            return isTooMuch || isExpired(oldest.segment, config, nowMs)
        }
    }

    /// What decides whether the oldest segment is to go.
    struct Oldest {
        let segment: SegmentState
        /// The bytes of all segments after it.
        let bytesAfter: Int64
        /// Whether all its records were deleted one by one.
        let isDeleted: Bool
    }

    /// Deletes the oldest segments for as long as `isGone` holds for them, none that a hold keeps and never the one
    /// being written. Returns how many bytes went. `isGone` may ask the file system.
    func deleteSegments(_ isGone: (Oldest) -> Bool) throws(LogStoreError) -> Int64 {
        // One after the other: a crash must not bring an old segment back while a younger one stays gone.
        try fileChanges.withLock { _ throws(LogStoreError) in
            // A deleted topic's folder may be that of a new one of the same name by now.
            if failure?.code == .unknownTopicOrPartition { return 0 }
            var deletedBytes: Int64 = 0
            while true {
                // The first segment changes under `fileChanges` only; the file system is not asked under the lock.
                let found: Oldest? = state.withLock { state in
                    // One on its way to the place of others arrives first.
                    guard state.segments.count > 1, !state.segments[0].isInSwap else { return nil }
                    return Oldest(
                        segment: state.segments[0],
                        bytesAfter: state.segments.dropFirst().reduce(0) { $0 + $1.sizeBytes },
                        isDeleted: state.segments[0].endOffset <= state.logStart.offset)
                }
                guard let found, isGone(found) else { return deletedBytes }
                let isTaken = state.withLock { state in
                    guard found.segment.endOffset <= state.holds.values.min() ?? .max else { return false }
                    state.segments.removeFirst()
                    let base = found.segment.baseOffset
                    environment.sealedSegments.forget(number, base..<base + 1)
                    return true
                }
                guard isTaken else { return deletedBytes }
                try delete(found.segment)
                deletedBytes += found.segment.sizeBytes
            }
        }
    }

    private func isExpired(_ segment: SegmentState, _ config: TopicConfig, _ nowMs: Int64) -> Bool {
        guard config.cleanupPolicy.deletes, config.retentionMs >= 0, segment.maxTimestampMs != .min else {
            return false
        }
        var newest = segment.maxTimestampMs
        if newest > nowMs {
            // A timestamp from the future must not keep the segment for ever: then the file's own time counts.
            let path = SegmentFormat.path(folder, segment.baseOffset, SegmentFormat.logSuffix)
            newest = min(newest, (try? environment.fileSystem.status(path))??.modifiedMs ?? nowMs)
        }
        let (age, overflow) = nowMs.subtractingReportingOverflow(newest)
        return overflow ? newest < 0 : age > config.retentionMs
    }

    /// Closes the segment being written when time alone says that all of it goes.
    private func rollExpired(_ nowMs: Int64) throws(LogStoreError) {
        let config = configuration.value
        let (active, hold) = state.withLock { state in
            (state.segments[state.segments.count - 1], state.holds.values.min() ?? .max)
        }
        guard active.sizeBytes > 0, active.endOffset <= hold, isExpired(active, config, nowMs), failure == nil else {
            return
        }
        try environment.committer.run { [self] () -> LogStoreError? in
            do throws(LogStoreError) {
                try writer.rollIfNeeded(self)
                return nil
            } catch {
                return error
            }
        }
    }

    private func delete(_ segment: SegmentState) throws(LogStoreError) {
        let fileSystem = environment.fileSystem
        try translating { () throws(DiskError) in
            try fileSystem.remove(SegmentFormat.path(folder, segment.baseOffset, SegmentFormat.logSuffix))
            try fileSystem.syncDirectory(folder)
        }
        for suffix in [SegmentFormat.offsetIndexSuffix, SegmentFormat.timeIndexSuffix] {
            try? fileSystem.remove(SegmentFormat.path(folder, segment.baseOffset, suffix))
        }
    }
}

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
        var deletedBytes: Int64 = 0
        while let segment = takeExpired(nowMs) {
            try delete(segment)
            deletedBytes += segment.sizeBytes
        }
        return deletedBytes
    }

    private func isExpired(_ segment: SegmentState, _ config: TopicConfig, _ nowMs: Int64) -> Bool {
        guard config.retentionMs >= 0, segment.maxTimestampMs != .min else { return false }
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

    /// Takes the oldest segment out of what readers see when it is to go.
    private func takeExpired(_ nowMs: Int64) -> SegmentState? {
        let config = configuration.value
        let oldest = state.withLock { $0.segments[0] }
        // Asks the file system, so not under the lock.
        let isTooOld = isExpired(oldest, config, nowMs)
        return state.withLock { state in
            guard state.segments.count > 1, state.segments[0].baseOffset == oldest.baseOffset else { return nil }
            let hold = state.holds.values.min() ?? .max
            guard oldest.endOffset <= hold else { return nil }
            let total = state.segments.reduce(Int64(0)) { $0 + $1.sizeBytes }
            let isTooMuch = config.retentionBytes >= 0 && total - oldest.sizeBytes >= config.retentionBytes
            guard isTooOld || isTooMuch || oldest.sizeBytes == 0 else { return nil }
            state.segments.removeFirst()
            if state.cached?.baseOffset == oldest.baseOffset { state.cached = nil }
            return oldest
        }
    }

    private func delete(_ segment: SegmentState) throws(LogStoreError) {
        let fileSystem = environment.fileSystem
        try translating { () throws(DiskError) in
            try fileSystem.remove(SegmentFormat.path(folder, segment.baseOffset, SegmentFormat.logSuffix))
            // One after the other: a crash must not bring an old segment back while a younger one stays gone.
            try fileSystem.syncDirectory(folder)
        }
        for suffix in [SegmentFormat.offsetIndexSuffix, SegmentFormat.timeIndexSuffix] {
            try? fileSystem.remove(SegmentFormat.path(folder, segment.baseOffset, suffix))
        }
    }
}

import Disk
import Synchronization

extension LogStore {
    /// Reads every segment and verifies every batch, for `logstore check`. Calls `progress` with the bytes verified and
    /// the bytes there are, now and then; returns what is damaged. Appends may go on meanwhile. Blocks.
    public func verify(
        progress: (_ doneBytes: Int64, _ totalBytes: Int64) -> Void = { _, _ in }
    ) throws(LogStoreError) -> [LogProblem] {
        let partitions = topics.flatMap(\.partitions)
        let total = partitions.reduce(Int64(0)) { $0 + $1.sizeBytes }
        var done: Int64 = 0
        var problems: [LogProblem] = []
        for partition in partitions {
            for segment in partition.state.withLock({ $0.segments }) {
                if let problem = try partition.verify(segment) { problems.append(problem) }
                done += segment.sizeBytes
                progress(min(done, total), total)
            }
        }
        return problems
    }
}

extension PartitionLog {
    /// What is wrong with the segment; nil when nothing is, or when retention or compaction has
    /// taken it meanwhile.
    func verify(_ segment: SegmentState) throws(LogStoreError) -> LogProblem? {
        let problem = try damage(segment)
        // What has replaced it was read through when it was written.
        return isShown(segment) ? problem : nil
    }

    private func damage(_ segment: SegmentState) throws(LogStoreError) -> LogProblem? {
        let path = segment.path(folder)
        let file: any File
        do throws(LogStoreError) {
            file = try openSealed(segment)
        } catch {
            return LogProblem(path: path, message: error.message)
        }
        let scan = try SegmentScan.run(
            file, segmentBase: segment.baseOffset, from: 0, nextOffset: segment.baseOffset,
            indexes: SegmentIndexes(), limit: segment.sizeBytes, maxBatchBytes: Int(clamping: segment.sizeBytes),
            intervalBytes: environment.settings.indexIntervalBytes)
        if let problem = scan.problem {
            return LogProblem(
                path: path,
                message: "damaged at byte \(scan.endPosition) of \(segment.sizeBytes): \(problem); offsets "
                    + "\(scan.nextOffset)..<\(segment.endOffset) may be unreadable")
        }
        guard scan.nextOffset >= segment.endOffset else {
            return LogProblem(
                path: path, message: "offsets \(scan.nextOffset)..<\(segment.endOffset) are missing at its end")
        }
        return nil
    }
}

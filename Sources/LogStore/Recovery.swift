import Disk

/// Opens a partition's folder, whatever a crash left there.
///
/// - The last segment of a log not closed in order is read through. A tail that is not whole and right, past the
///   recovery point, is what a crash left of appends nobody had acknowledged: it is cut, and counted.
/// - Damage before the recovery point, or in any segment but the last (those were synced before their successor was
///   begun), is of acknowledged records: nothing is cut; it is reported, the good records around it stay readable,
///   and appends go on behind it, in a new segment where need be.
struct Recovery {
    let topic: String
    let partition: Int32
    let folder: String
    let environment: LogEnvironment
    let configuration: ConfigurationBox
    var report = RecoveryReport()

    private var fileSystem: any FileSystem { environment.fileSystem }
    private var interval: Int { environment.settings.indexIntervalBytes }

    init(
        topic: String, partition: Int32, folder: String, environment: LogEnvironment, configuration: ConfigurationBox
    ) {
        self.topic = topic
        self.partition = partition
        self.folder = folder
        self.environment = environment
        self.configuration = configuration
    }

    /// The last segment, ready to be written.
    private struct Active {
        var segment: SegmentState
        var file: any File
        var indexes: SegmentIndexes
        var firstRecordMs: Int64?
    }

    /// Opens the partition. Throws when the disk fails.
    mutating func open() throws(LogStoreError) -> PartitionLog {
        try translating { () throws(DiskError) in try fileSystem.createDurableDirectory(folder) }
        let names = try translating { () throws(DiskError) in
            let names = try fileSystem.list(folder)
            return try SegmentSwap.recover(folder, names, fileSystem) ? try fileSystem.list(folder) : names
        }
        let bases = names.compactMap { SegmentFormat.baseOffset(ofLog: $0) }.sorted()
        let point = readRecoveryPoint()
        let logStart = try readLogStart()
        var segments: [SegmentState] = []
        for (index, base) in bases.dropLast().enumerated() {
            segments.append(try openSealed(base, next: bases[index + 1], point))
        }
        var active = try openActive(bases.last, point, &segments)
        segments.append(active.segment)
        if active.segment.endOffset < logStart.offset {
            problem(
                active.segment.endOffset,
                "the log ends before offset \(logStart.offset), at which it begins; it goes on there")
            active = try create(logStart.offset)
            segments.append(active.segment)
        }

        let recoveryFile = try? fileSystem.open(folder + "/" + SegmentFormat.recoveryPointName, .create)
        let indexFiles = SegmentIndexFiles(
            folder: folder, baseOffset: active.segment.baseOffset, fileSystem: fileSystem)
        indexFiles.write(offsets: active.indexes.offsets.entries[...], times: active.indexes.times.entries[...])
        let writer = PartitionWriter(
            file: active.file, baseOffset: active.segment.baseOffset, indexFiles: indexFiles,
            recoveryFile: recoveryFile,
            cursor: PartitionWriter.Cursor(
                position: active.segment.sizeBytes, nextOffset: active.segment.endOffset,
                maxTimestampMs: active.segment.maxTimestampMs),
            firstRecordMs: active.firstRecordMs,
            producers: ProducerTable(
                maxCount: environment.settings.maxProducers, expiryMs: environment.settings.producerExpiryMs),
            snapshots: ProducerSnapshots(folder: folder, environment: environment))
        let log = PartitionLog(
            topic: topic, partition: partition, folder: folder, environment: environment,
            configuration: configuration,
            state: PartitionState(
                segments: segments, activeFile: active.file, activeIndexes: active.indexes, logStart: logStart),
            writer: writer)
        try ProducerRecovery(log: log).run(names, point)
        writer.noteRecovered()
        return log
    }

    private func readRecoveryPoint() -> RecoveryPoint? {
        let path = folder + "/" + SegmentFormat.recoveryPointName
        guard let bytes = try? fileSystem.readFile(path, maxBytes: RecoveryPoint.sizeBytes) else { return nil }
        return RecoveryPoint(bytes)
    }

    private mutating func readLogStart() throws(LogStoreError) -> LogStart {
        let path = folder + "/" + LogStart.fileName
        do throws(DiskError) {
            return try LogStart(try fileSystem.readFile(path, maxBytes: LogStart.sizeBytes), path: path)
        } catch {
            switch error.code {
            case .notFound: return LogStart()
            case .corrupt, .truncated:
                report.problems.append(
                    LogProblem(
                        path: path, message: "\(error.message); records deleted from a segment that is left are back"))
                return LogStart()
            default: throw LogStoreError(error)
            }
        }
    }

    private mutating func problem(_ base: Int64, _ message: String) {
        let path = SegmentFormat.path(folder, base, SegmentFormat.logSuffix)
        report.problems.append(LogProblem(path: path, message: message))
    }

    private mutating func scan(
        _ file: any File, _ base: Int64, limit: Int64
    ) throws(LogStoreError) -> SegmentScan {
        let scan = try SegmentScan.run(
            file, segmentBase: base, from: 0, nextOffset: base, indexes: SegmentIndexes(), limit: limit,
            maxBatchBytes: Int(clamping: limit), intervalBytes: interval)
        report.scannedBytes += scan.endPosition
        return scan
    }

    // MARK: Sealed segments

    /// A segment that has a successor: believed when the recovery point lies past it, its indexes have right
    /// checksums and reach to the successor; else read through.
    private mutating func openSealed(
        _ base: Int64, next: Int64, _ point: RecoveryPoint?
    ) throws(LogStoreError) -> SegmentState {
        let path = SegmentFormat.path(folder, base, SegmentFormat.logSuffix)
        let file = try translating { () throws(DiskError) in try fileSystem.open(path, .read) }
        let size = Int64(clamping: try translating { () throws(DiskError) in try file.size() })
        if let point, base < point.segmentBaseOffset,
            let indexes = SegmentIndexFiles.load(
                folder: folder, baseOffset: base, segmentBytes: size, maxNextOffset: next, fileSystem: fileSystem),
            let closing = indexes.times.entries.last, base + Int64(closing.relativeOffset) == next
        {
            return SegmentState(
                baseOffset: base, endOffset: next, sizeBytes: size, maxTimestampMs: closing.maxTimestampMs)
        }
        let scan = try scan(file, base, limit: size)
        report.rebuiltIndexes += 1
        guard scan.problem == nil, scan.nextOffset <= next else {
            problem(
                base,
                "damaged at byte \(scan.endPosition) of \(size) (\(scan.problem ?? "it overlaps the next segment")): "
                    + "of offsets \(base)..<\(next) those from \(scan.nextOffset) on may be unreadable; nothing was cut"
            )
            return SegmentState(
                baseOffset: base, endOffset: next, sizeBytes: size,
                maxTimestampMs: max(scan.indexes.maxTimestampMs, environment.clock.nowMs()))
        }
        if scan.nextOffset < next { problem(base, "offsets \(scan.nextOffset)..<\(next) are missing behind it") }
        var indexes = scan.indexes
        indexes.seal(segmentBase: base, nextOffset: scan.nextOffset)
        SegmentIndexFiles.replace(indexes, folder: folder, baseOffset: base, fileSystem: fileSystem)
        return SegmentState(
            baseOffset: base, endOffset: scan.nextOffset, sizeBytes: size,
            maxTimestampMs: scan.indexes.maxTimestampMs)
    }

    // MARK: The last segment

    private mutating func openActive(
        _ base: Int64?, _ point: RecoveryPoint?, _ segments: inout [SegmentState]
    ) throws(LogStoreError) -> Active {
        guard let base else {
            let next = point?.nextOffset ?? 0
            if next > 0 { problem(next, "the log's segments are gone; offsets below \(next) cannot be read") }
            return try create(next)
        }
        let path = SegmentFormat.path(folder, base, SegmentFormat.logSuffix)
        let file = try translating { () throws(DiskError) in try fileSystem.open(path, .readWrite) }
        let size = Int64(clamping: try translating { () throws(DiskError) in try file.size() })
        if let point, point.isClean, point.segmentBaseOffset == base, point.positionBytes == size,
            let indexes = loadClean(point, size)
        {
            let segment = SegmentState(
                baseOffset: base, endOffset: point.nextOffset, sizeBytes: size, maxTimestampMs: point.maxTimestampMs)
            return Active(
                segment: segment, file: file, indexes: indexes, firstRecordMs: size > 0 ? modifiedMs(path) : nil)
        }
        let scan = try scan(file, base, limit: size)
        if size > 0 { report.rebuiltIndexes += 1 }
        if let point, point.nextOffset > scan.nextOffset {
            return try goOn(behind: scan, file, base, size, point, &segments)
        }
        if scan.endPosition < size { try cut(file, base, scan, size) }
        // What was handed to the system before a crash of the process alone may not be on the disk yet.
        try translating { () throws(DiskError) in try file.sync() }
        let segment = SegmentState(
            baseOffset: base, endOffset: scan.nextOffset, sizeBytes: scan.endPosition,
            maxTimestampMs: scan.indexes.maxTimestampMs)
        return Active(
            segment: segment, file: file, indexes: scan.indexes,
            firstRecordMs: scan.endPosition > 0 ? modifiedMs(path) : nil)
    }

    private func loadClean(_ point: RecoveryPoint, _ size: Int64) -> SegmentIndexes? {
        var indexes = SegmentIndexFiles.load(
            folder: folder, baseOffset: point.segmentBaseOffset, segmentBytes: size,
            maxNextOffset: point.nextOffset, fileSystem: fileSystem)
        indexes?.resume(maxTimestampMs: point.maxTimestampMs)
        return indexes
    }

    private func modifiedMs(_ path: String) -> Int64 {
        let now = environment.clock.nowMs()
        return min(now, (try? fileSystem.status(path))??.modifiedMs ?? now)
    }

    private mutating func cut(
        _ file: any File, _ base: Int64, _ scan: SegmentScan, _ size: Int64
    ) throws(LogStoreError) {
        report.cutBytes += size - scan.endPosition
        report.cutSegments += 1
        try translating { () throws(DiskError) in try file.truncate(to: UInt64(scan.endPosition)) }
    }

    /// Acknowledged records are missing or damaged at the end: leaves the segment as it is, begins another behind it.
    private mutating func goOn(
        behind scan: SegmentScan, _ file: any File, _ base: Int64, _ size: Int64, _ point: RecoveryPoint,
        _ segments: inout [SegmentState]
    ) throws(LogStoreError) -> Active {
        problem(
            base,
            "damaged at byte \(scan.endPosition) of \(size) (\(scan.problem ?? "the file ends there")): offsets "
                + "\(scan.nextOffset)..<\(point.nextOffset) were acknowledged and may be unreadable; nothing was cut, "
                + "the log goes on at \(point.nextOffset)")
        let readable = point.segmentBaseOffset == base ? min(size, point.positionBytes) : size
        segments.append(
            SegmentState(
                baseOffset: base, endOffset: point.nextOffset, sizeBytes: readable,
                maxTimestampMs: max(scan.indexes.maxTimestampMs, point.maxTimestampMs)))
        // The index on disk may know batches behind the damage; it stays.
        return try create(point.nextOffset)
    }

    private func create(_ base: Int64) throws(LogStoreError) -> Active {
        let path = SegmentFormat.path(folder, base, SegmentFormat.logSuffix)
        let file = try translating { () throws(DiskError) in
            let file = try fileSystem.open(path, .create)
            try fileSystem.syncDirectory(folder)
            return file
        }
        let segment = SegmentState(baseOffset: base, endOffset: base, sizeBytes: 0, maxTimestampMs: .min)
        return Active(segment: segment, file: file, indexes: SegmentIndexes(), firstRecordMs: nil)
    }
}

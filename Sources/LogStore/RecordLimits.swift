import Disk

/// What a topic's settings ask of each record that is appended to it.
struct RecordLimits {
    /// How many wrong records an error names.
    private static let maxErrors = 1000
    /// The timestamp of a record that has none.
    private static let noTimestamp: Int64 = -1

    /// Compaction goes by keys.
    private let needsKeys: Bool
    private let nowMs: Int64
    private let beforeMaxMs: Int64
    private let afterMaxMs: Int64

    init(_ config: TopicConfig, nowMs: Int64) {
        needsKeys = config.cleanupPolicy.compacts
        self.nowMs = nowMs
        let isCreateTime = config.timestampType == .createTime
        beforeMaxMs = isCreateTime ? config.effectiveTimestampBeforeMaxMs : .max
        afterMaxMs = isCreateTime ? config.effectiveTimestampAfterMaxMs : .max
    }

    /// Whether there is nothing to look at.
    var isEmpty: Bool { !needsKeys && beforeMaxMs == .max && afterMaxMs == .max }

    /// Looks at every record of the verified batches `headers` stand for. Throws `.invalidTimestamp` or
    /// `.invalidRecord` with the wrong records' numbers, and what `forEachRecord` does.
    func check(
        _ batches: [ArraySlice<UInt8>], _ headers: [RecordBatch], maxDecompressedBytes: Int
    ) throws(LogStoreError) {
        if isEmpty { return }
        var findings = Findings()
        for (bytes, header) in zip(batches, headers) {
            try bytes.withBytes { bytes throws(LogStoreError) in
                try header.forEachRecord(in: bytes, maxDecompressedBytes: maxDecompressedBytes) { record in
                    look(at: record, &findings)
                }
            }
        }
        if let error = findings.error { throw error }
    }

    private func look(at record: RecordView, _ findings: inout Findings) {
        defer { findings.count += 1 }
        if needsKeys, record.key == nil {
            findings.note("a record without a key, which a compacted topic cannot have", isTime: false)
        } else if record.timestampMs != Self.noTimestamp, let distance = distanceTooFar(record.timestampMs) {
            findings.note(
                "the timestamp \(record.timestampMs) is \(distance) ms from now, more than the topic allows",
                isTime: true)
        }
    }

    /// How far the timestamp is from now when that is too far.
    private func distanceTooFar(_ timestampMs: Int64) -> Int64? {
        let (past, overflow) = nowMs.subtractingReportingOverflow(timestampMs)
        if overflow { return timestampMs < 0 ? (beforeMaxMs == .max ? nil : .max) : (afterMaxMs == .max ? nil : .max) }
        if past >= 0 { return past > beforeMaxMs ? past : nil }
        let future = past == .min ? Int64.max : -past
        return future > afterMaxMs ? future : nil
    }

    /// The wrong records found so far.
    private struct Findings {
        /// Records looked at.
        var count = 0
        var wrong = 0
        var hasWrongTime = false
        var errors: [RecordError] = []

        mutating func note(_ message: String, isTime: Bool) {
            wrong += 1
            if isTime { hasWrongTime = true }
            if errors.count < RecordLimits.maxErrors { errors.append(RecordError(index: count, message: message)) }
        }

        var error: LogStoreError? {
            guard let first = errors.first else { return nil }
            return LogStoreError(
                hasWrongTime ? .invalidTimestamp : .invalidRecord,
                "\(wrong) of \(count) records are refused, the first (number \(first.index)): \(first.message)",
                recordErrors: errors)
        }
    }
}

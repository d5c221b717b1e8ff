/// A part as `system.parts` shows it.
public struct PartInfo: Sendable, Hashable {
    /// The part's name, unique within the table.
    public var name: String
    /// The partition; empty when the table has none.
    public var partition: String
    /// The number of rows.
    public var rowCount: Int
    /// Bytes of the file.
    public var sizeBytes: UInt64
    /// Bytes the rows took in memory when they were written.
    public var uncompressedBytes: UInt64
    /// The number of granules.
    public var granuleCount: Int
    /// How often the rows were merged; 0 for a part fresh from memory.
    public var level: Int
    /// The smallest and largest time, milliseconds since 1970; nil without a time column.
    public var minTimeMs: Int64?
    /// See `minTimeMs`.
    public var maxTimeMs: Int64?
    /// When the part was written, milliseconds since 1970.
    public var createdMs: Int64
    /// The file.
    public var path: String

    /// Creates a description.
    public init(
        name: String, partition: String, rowCount: Int, sizeBytes: UInt64, uncompressedBytes: UInt64,
        granuleCount: Int, level: Int, minTimeMs: Int64?, maxTimeMs: Int64?, createdMs: Int64, path: String
    ) {
        self.name = name
        self.partition = partition
        self.rowCount = rowCount
        self.sizeBytes = sizeBytes
        self.uncompressedBytes = uncompressedBytes
        self.granuleCount = granuleCount
        self.level = level
        self.minTimeMs = minTimeMs
        self.maxTimeMs = maxTimeMs
        self.createdMs = createdMs
        self.path = path
    }
}

/// Sizes and troubles of a table at one moment.
public struct TableStatistics: Sendable, Hashable {
    /// Rows in parts and in memory.
    public var rowCount = 0
    /// Bytes of all part files.
    public var sizeBytes: UInt64 = 0
    /// Bytes the rows in parts took in memory when they were written.
    public var uncompressedBytes: UInt64 = 0
    /// The number of parts.
    public var partCount = 0
    /// Rows not yet in a part.
    public var memoryRows = 0
    /// Bytes those take.
    public var memoryBytes = 0
    /// Records set aside as dead letters.
    public var deadLetterRows = 0
    /// Parts set aside as damaged since the table was opened.
    public var detachedParts = 0
    /// The last flush's failure, until one succeeds.
    public var flushError: String?
    /// The last merge's failure, until one succeeds.
    public var mergeError: String?

    /// Creates statistics of nothing.
    public init() {}
}

/// What a compaction did.
public struct CompactionReport: Sendable, Hashable {
    /// Parts before.
    public var partsBefore = 0
    /// Parts after.
    public var partsAfter = 0
    /// Bytes of part files before.
    public var bytesBefore: UInt64 = 0
    /// Bytes of part files after.
    public var bytesAfter: UInt64 = 0
    /// Rows read by merges.
    public var rowsMerged = 0
    /// How many merges ran.
    public var merges = 0

    /// Creates a report of nothing done.
    public init() {}
}

/// How far a long work has come.
public struct WorkProgress: Sendable, Hashable {
    /// Bytes done.
    public var doneBytes: UInt64
    /// Bytes in all.
    public var totalBytes: UInt64
    /// What is being worked on: a part's name.
    public var item: String

    /// Creates a progress report.
    public init(doneBytes: UInt64, totalBytes: UInt64, item: String) {
        self.doneBytes = doneBytes
        self.totalBytes = totalBytes
        self.item = item
    }
}

/// Something `check` found wrong.
public struct CheckProblem: Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public var path: String
    /// What is wrong with it.
    public var message: String

    /// Creates a problem.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    /// Path and message in one line.
    public var description: String { "\(path): \(message)" }
}

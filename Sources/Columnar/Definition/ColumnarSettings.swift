/// How the column store spends memory, disk and time.
public struct ColumnarSettings: Sendable, Hashable {
    /// Bytes all memory parts of all tables may hold together; past it the largest is flushed, and past twice it
    /// appends wait.
    public var memoryBytes: Int
    /// Rows at which a table's memory part is flushed.
    public var flushRows: Int
    /// Age of the oldest unflushed row, in milliseconds, at which a memory part is flushed.
    public var flushAgeMs: Int64
    /// The most bytes a background merge may write into one part.
    public var mergeMaxBytes: UInt64
    /// The most rows a background merge may write into one part.
    public var mergeMaxRows: Int
    /// The most parts a single merge may read.
    public var mergeMaxParts: Int
    /// How often the background threads look for work, in milliseconds.
    public var maintenanceIntervalMs: Int64
    /// How long an append waits for memory before it gives up, in milliseconds.
    public var appendTimeoutMs: Int64

    /// Creates settings; the defaults suit a machine of 2 cores and 1 GB.
    public init(
        memoryBytes: Int = 64 << 20, flushRows: Int = 1 << 20, flushAgeMs: Int64 = 300_000,
        mergeMaxBytes: UInt64 = 4 << 30, mergeMaxRows: Int = 16 << 20, mergeMaxParts: Int = 16,
        maintenanceIntervalMs: Int64 = 500, appendTimeoutMs: Int64 = 30_000
    ) {
        self.memoryBytes = memoryBytes
        self.flushRows = flushRows
        self.flushAgeMs = flushAgeMs
        self.mergeMaxBytes = mergeMaxBytes
        self.mergeMaxRows = mergeMaxRows
        self.mergeMaxParts = mergeMaxParts
        self.maintenanceIntervalMs = maintenanceIntervalMs
        self.appendTimeoutMs = appendTimeoutMs
    }
}

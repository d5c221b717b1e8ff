import Synchronization

extension Table {
    /// Sizes and troubles at this moment. O(parts × columns).
    public var statistics: TableStatistics {
        state.withLock { state in
            var result = TableStatistics()
            result.memoryRows = state.rows.memoryRows
            result.memoryBytes = state.memoryBytes
            result.rowCount = result.memoryRows
            result.partCount = state.rows.parts.count
            for part in state.rows.parts {
                result.rowCount += part.rowCount
                result.sizeBytes += part.sizeBytes
                result.uncompressedBytes &+= part.uncompressedBytes
            }
            result.deadLetterRows =
                state.deadLetters.memoryRows + state.deadLetters.parts.reduce(0) { $0 + $1.rowCount }
            result.detachedParts = state.detachedParts
            result.flushError = state.flushError?.message
            result.mergeError = state.mergeError?.message
            return result
        }
    }

    /// The parts that hold rows, for `system.parts`.
    public var partInfos: [PartInfo] {
        state.withLock { $0.rows.parts }.map { part in
            PartInfo(
                name: part.name, partition: part.footer.partition ?? "", rowCount: part.rowCount,
                sizeBytes: part.sizeBytes, uncompressedBytes: part.uncompressedBytes,
                granuleCount: part.granuleCount, level: part.footer.level, minTimeMs: part.footer.times?.lowerBound,
                maxTimeMs: part.footer.times?.upperBound, createdMs: part.footer.createdMs, path: part.path)
        }
    }

    /// Whether a record brought the table's columns, or CREATE TABLE did.
    public var isInferred: Bool { state.withLock { $0.stored.definition.isInferred } }
}

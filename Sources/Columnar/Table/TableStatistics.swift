import Synchronization

extension Table {
    /// Sizes and troubles at this moment. O(parts).
    public var statistics: TableStatistics {
        state.withLock { state in
            var result = TableStatistics()
            result.memoryRows = state.rows.memoryRows
            result.memoryBytes = state.memoryBytes
            result.rowCount = result.memoryRows
            result.deadLetterRows = state.deadLetters.memoryRows
            result.detachedParts = state.detachedParts
            result.flushError = state.flushError?.message
            result.mergeError = state.mergeError?.message
            return result
        }
    }

    /// The parts that hold rows, for `system.parts`.
    public var partInfos: [PartInfo] { [] }
}

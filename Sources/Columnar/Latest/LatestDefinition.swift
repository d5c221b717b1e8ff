// Tables that show only the latest version of each row: what `cdc = 'current'` makes of a definition.
//
// Every version of a row is stored as it came, with three columns that no query sees: which row it is a version of,
// its number in the order of arrival, and whether it says that the row is gone. Parts are sorted by the first two, so
// versions of a row lie side by side wherever parts are read or merged in order.

/// The columns that such tables have besides their own.
public enum LatestColumns {
    /// Which row this is a version of: bytes that order as the source's primary key does.
    public static let key = "_cdc_key"
    /// The number of the version; a greater one replaces a smaller one of the same key. The table gives it.
    public static let version = "_cdc_version"
    /// 1 when the version says that the row is gone.
    public static let deleted = "_cdc_deleted"

    static let definitions = [
        ColumnDefinition(name: key, type: .string), ColumnDefinition(name: version, type: .uint64),
        ColumnDefinition(name: deleted, type: .uint8),
    ]

    static func contains(_ name: String) -> Bool { name == key || name == version || name == deleted }
}

extension TableDefinition {
    /// The settings that decide what a table is made of; they are given once.
    static let fixedSettings = ["topic", "cdc", "cdc_key", "cdc_source"]

    /// Whether queries see only the latest version of each row.
    public var keepsLatest: Bool { settings["cdc"] == "current" }

    /// The columns that queries see.
    public var visibleColumns: [ColumnDefinition] {
        keepsLatest ? columns.filter { !LatestColumns.contains($0.name) } : columns
    }

    /// The key by which users know the rows to be sorted: of a table that keeps the latest version of each row, the
    /// columns of the primary key as far as they were named.
    public var visibleSortingKey: [String] { keepsLatest ? keyColumns.filter { column($0) != nil } : sortingKey }

    /// The columns of the primary key, from the setting `cdc_key`; empty when each change says its own.
    public var keyColumns: [String] {
        (settings["cdc_key"] ?? "").split(separator: ",").map { name in
            let start = name.drop { $0 == " " }
            return String(start.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// Turns what the user defined into what is stored. ORDER BY names the primary key.
    mutating func completeLatest() {
        guard keepsLatest, !columns.contains(where: { LatestColumns.contains($0.name) }) else { return }
        if settings["cdc_key"] == nil, !sortingKey.isEmpty { settings["cdc_key"] = sortingKey.joined(separator: ",") }
        columns += LatestColumns.definitions
        sortingKey = [LatestColumns.key, LatestColumns.version]
        timeColumn = nil
        // The source's table changes, and this one with it.
        isInferred = true
    }

    /// Checks what the settings about changes say. Throws `.invalidDefinition`.
    func validateLatest() throws(ColumnarError) {
        func fail(_ what: String) -> ColumnarError { ColumnarError(.invalidDefinition, "table \(name): \(what)") }
        if let topic = settings["topic"], topic.isEmpty { throw fail("the setting topic is empty") }
        guard let kind = settings["cdc"] else {
            for setting in ["cdc_key", "cdc_source"] where settings[setting] != nil {
                throw fail("the setting \(setting) has a meaning only beside cdc = 'current'")
            }
            for column in columns where LatestColumns.contains(column.name) {
                throw fail("the name \(column.name) is kept for tables of cdc = 'current'")
            }
            return
        }
        guard kind == "current" else { throw fail("the setting cdc is '\(kind)'; there is only 'current'") }
        // Rows that go by age or size would bring older versions back to light.
        if ttl != nil { throw fail("a table of cdc = 'current' has no TTL: rows go when the source deletes them") }
        if maxBytes != nil { throw fail("a table of cdc = 'current' has no max_bytes") }
        if partitionBy != .none { throw fail("a table of cdc = 'current' has no PARTITION BY") }
        guard sortingKey == [LatestColumns.key, LatestColumns.version],
            LatestColumns.definitions.allSatisfy({ column($0.name)?.type == $0.type })
        else { throw fail("the columns of cdc = 'current' are not as they must be") }
        if settings["cdc_key"] != nil, keyColumns.isEmpty || keyColumns.contains("") {
            throw fail("the setting cdc_key names no column")
        }
    }
}

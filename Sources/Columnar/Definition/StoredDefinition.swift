/// A definition with what identifies its columns over time.
///
/// Parts name columns by number, not by name: a column dropped and added again is another column, and values of the
/// old one never come back.
struct StoredDefinition: Sendable, Hashable {
    /// What the user sees.
    private(set) var definition: TableDefinition
    /// One number a column, in the order of `definition.columns`.
    private(set) var ids: [UInt32]
    /// The number the next new column gets.
    private(set) var nextID: UInt32
    private var indices: [String: Int]

    /// Numbers the columns of a new table from 0.
    init(_ definition: TableDefinition) {
        self.init(
            definition, ids: (0..<definition.columns.count).map { UInt32($0) }, nextID: UInt32(definition.columns.count)
        )
    }

    /// Puts together what was read from a manifest; `ids` has one number a column.
    init(_ definition: TableDefinition, ids: [UInt32], nextID: UInt32) {
        precondition(
            ids.count == definition.columns.count, "BUG: \(ids.count) numbers for \(definition.columns.count) columns")
        self.definition = definition
        self.ids = ids
        self.nextID = nextID
        indices = Dictionary(
            definition.columns.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The position of the column called `name`.
    func index(of name: String) -> Int? { indices[name] }

    /// The columns that sort, as positions.
    var sortingIndices: [Int] { definition.sortingKey.compactMap { indices[$0] } }

    /// The same table with `columns` added.
    func adding(_ columns: [ColumnDefinition]) -> StoredDefinition {
        var changed = definition
        changed.columns += columns
        let added = (0..<columns.count).map { nextID + UInt32($0) }
        return StoredDefinition(changed, ids: ids + added, nextID: nextID + UInt32(columns.count))
    }

    /// The same table without the column at `index`.
    func removing(at index: Int) -> StoredDefinition {
        var changed = definition
        changed.columns.remove(at: index)
        var kept = ids
        kept.remove(at: index)
        return StoredDefinition(changed, ids: kept, nextID: nextID)
    }

    /// The same columns under a changed definition; columns must be the same in number and order.
    func replacing(_ definition: TableDefinition) -> StoredDefinition {
        StoredDefinition(definition, ids: ids, nextID: nextID)
    }
}

extension TableDefinition {
    /// Checks that the definition can be a table. Throws `.invalidDefinition` saying what cannot be.
    func validate() throws(ColumnarError) {
        guard !name.isEmpty, !name.utf8.contains(0), name.utf8.count <= 200 else {
            throw ColumnarError(.invalidDefinition, "a table's name must have 1 to 200 bytes and no NUL")
        }
        guard !columns.isEmpty else { throw ColumnarError(.invalidDefinition, "table \(name) has no columns") }
        var seen: Set<String> = []
        for column in columns {
            guard seen.insert(column.name).inserted else {
                throw ColumnarError(.columnExists, "table \(name) names column \(column.name) twice")
            }
            try column.validate()
        }
        for key in sortingKey {
            guard let column = column(key) else {
                throw ColumnarError(.unknownColumn, "table \(name) sorts by \(key), which is none of its columns")
            }
            guard column.type.isSortable else {
                throw ColumnarError(
                    .invalidDefinition, "table \(name) cannot sort by \(key): an array or map has no order")
            }
        }
        try requireTemporal(partitionBy.column, for: "PARTITION BY")
        try requireTemporal(ttl?.column, for: "TTL")
        try requireTemporal(timeColumn, for: "the time column")
        try validateLatest()
    }

    private func requireTemporal(_ name: String?, for purpose: String) throws(ColumnarError) {
        guard let name else { return }
        guard let column = column(name) else {
            throw ColumnarError(
                .unknownColumn, "table \(self.name): \(purpose) names \(name), which is none of its columns")
        }
        guard column.type.isTemporal else {
            throw ColumnarError(
                .invalidDefinition,
                "table \(self.name): \(purpose) needs a Date, DateTime or DateTime64, \(name) is none")
        }
    }
}

extension ColumnDefinition {
    /// Checks that a column of this type can be stored.
    func validate() throws(ColumnarError) {
        guard !name.isEmpty, name.utf8.count <= 1024 else {
            throw ColumnarError(.invalidDefinition, "a column's name must have 1 to 1024 bytes")
        }
        guard type.isStorable(depth: 0) else {
            throw ColumnarError(.invalidDefinition, "column \(name): values of type \(type) cannot be stored")
        }
    }
}

extension DataType {
    /// How deep types may nest in storage.
    static let maxDepth = 16

    /// Whether columns of the type can be stored: everything but the types of expressions.
    func isStorable(depth: Int) -> Bool {
        guard depth <= Self.maxDepth else { return false }
        switch self {
        case .nothing, .interval, .tuple: return false
        case .nullable(let inner):
            switch inner {
            case .nullable, .lowCardinality, .array, .map: return false
            default: return inner.isStorable(depth: depth + 1)
            }
        case .lowCardinality(let inner):
            switch inner.base {
            case .array, .map, .lowCardinality: return false
            default: return inner.isStorable(depth: depth + 1)
            }
        case .array(let element): return element.isStorable(depth: depth + 1)
        case .map(let key, let value): return key.isStorable(depth: depth + 1) && value.isStorable(depth: depth + 1)
        case .dateTime64(let precision, _): return (0...9).contains(precision)
        case .enum8(let cases), .enum16(let cases): return !cases.isEmpty
        default: return true
        }
    }

    /// Whether values have an order.
    var isSortable: Bool {
        switch physical {
        case .array, .map, .tuple: false
        default: true
        }
    }
}

import Columnar

/// Puts a block together column by column.
struct BlockBuilder {
    private var names: [String] = []
    private var columns: [Column] = []
    private var rowCount = 0

    /// Adds a column; all have the same number of values.
    mutating func add(_ name: String, _ type: DataType, _ values: [Scalar]) {
        names.append(name)
        columns.append(Column(type: type, scalars: values))
        rowCount = values.count
    }

    /// The block.
    var block: Block { Block(names: names, columns: columns, rowCount: rowCount) }
}

extension Scalar {
    /// A string value.
    init(text: String) { self = .string(Array(text.utf8)) }
}

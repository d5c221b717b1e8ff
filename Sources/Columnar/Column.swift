/// Values of one type, one a row: what is read from parts, what flows through queries.
///
/// A column is a value: cheap to copy (its arrays are shared), never changed in place by those who share it. Code
/// that works on columns switches on `data` once per block and then runs a tight loop over plain arrays.
public struct Column: Sendable {
    /// The logical type. It says how the values read; `data` says how they lie in memory.
    public var type: DataType
    /// The values. At rows where `nulls` is 1 there is a default value (0, empty) that means nothing.
    public var data: ColumnData
    /// One byte a row, 1 where the value is NULL; nil when no row is.
    public var nulls: [UInt8]?

    /// Creates a column. `nulls`, when given, has one byte a row.
    public init(type: DataType, data: ColumnData, nulls: [UInt8]? = nil) {
        precondition(
            nulls == nil || nulls?.count == data.count, "BUG: \(nulls?.count ?? 0) null flags for \(data.count) rows")
        self.type = type
        self.data = data
        self.nulls = nulls
    }

    /// The number of rows.
    public var count: Int { data.count }
}

/// How the values of a column lie in memory.
public enum ColumnData: Sendable {
    case int8([Int8])
    case int16([Int16])
    case int32([Int32])
    case int64([Int64])
    case uint8([UInt8])
    case uint16([UInt16])
    case uint32([UInt32])
    case uint64([UInt64])
    /// UUID (high half first, as it reads) and IPv6 (network byte order read as one big-endian number).
    case uint128([UInt128])
    case float32([Float])
    case float64([Double])
    case string(StringData)
    case array(ArrayData)
    case map(MapData)
    /// Fields of equal length.
    case tuple([Column])
    /// Codes into a dictionary of distinct values, shared by all granules of a part.
    case dictionary(DictionaryData)
    /// One value (possibly NULL, by the value column's `nulls`) for all rows. `value` has exactly one row and is
    /// itself neither constant nor dictionary.
    indirect case constant(value: Column, count: Int)

    /// The number of rows.
    public var count: Int {
        switch self {
        case .int8(let values): values.count
        case .int16(let values): values.count
        case .int32(let values): values.count
        case .int64(let values): values.count
        case .uint8(let values): values.count
        case .uint16(let values): values.count
        case .uint32(let values): values.count
        case .uint64(let values): values.count
        case .uint128(let values): values.count
        case .float32(let values): values.count
        case .float64(let values): values.count
        case .string(let values): values.count
        case .array(let values): values.count
        case .map(let values): values.count
        case .tuple(let fields): fields.first?.count ?? 0
        case .dictionary(let values): values.codes.count
        case .constant(_, let count): count
        }
    }
}

/// Strings end to end in one byte array: row `i` is `bytes[offsets[i] ..< offsets[i + 1]]`. Bytes are what came in,
/// UTF-8 as a rule, not checked.
public struct StringData: Sendable, Hashable {
    /// All rows' bytes.
    public var bytes: [UInt8]
    /// One more than there are rows; the first is 0, none is less than the one before.
    public var offsets: [UInt32]

    /// Creates an empty column of strings.
    public init() {
        bytes = []
        offsets = [0]
    }

    /// Creates a column of strings from its parts.
    public init(bytes: [UInt8], offsets: [UInt32]) {
        precondition(
            offsets.first == 0 && Int(offsets[offsets.count - 1]) <= bytes.count, "BUG: string offsets past the bytes")
        self.bytes = bytes
        self.offsets = offsets
    }

    /// Creates a column of strings, for tests and small results.
    public init(_ strings: some Sequence<String>) {
        self.init()
        for string in strings { append(string.utf8) }
    }

    /// The number of rows.
    public var count: Int { offsets.count - 1 }

    /// The bytes of row `index`.
    public subscript(index: Int) -> ArraySlice<UInt8> { bytes[Int(offsets[index])..<Int(offsets[index + 1])] }

    /// Adds a row.
    public mutating func append(_ value: some Collection<UInt8>) {
        bytes.append(contentsOf: value)
        offsets.append(UInt32(bytes.count))
    }
}

/// Arrays end to end: row `i` is `elements` rows `offsets[i] ..< offsets[i + 1]`.
public struct ArrayData: Sendable {
    /// One more than there are rows; the first is 0.
    public var offsets: [UInt32]
    /// All rows' elements, end to end.
    public var elements: Column {
        get { box.column }
        set { box = Box(newValue) }
    }
    private var box: Box

    private final class Box: Sendable {
        let column: Column
        init(_ column: Column) { self.column = column }
    }

    /// Creates a column of arrays.
    public init(offsets: [UInt32], elements: Column) {
        precondition(
            offsets.first == 0 && Int(offsets[offsets.count - 1]) <= elements.count,
            "BUG: array offsets past the elements")
        self.offsets = offsets
        box = Box(elements)
    }

    /// The number of rows.
    public var count: Int { offsets.count - 1 }
}

/// Maps end to end: row `i` has the keys and values at rows `offsets[i] ..< offsets[i + 1]`.
public struct MapData: Sendable {
    private var entries: ArrayData
    private var valueEntries: ArrayData

    /// Creates a column of maps.
    public init(offsets: [UInt32], keys: Column, values: Column) {
        entries = ArrayData(offsets: offsets, elements: keys)
        valueEntries = ArrayData(offsets: offsets, elements: values)
    }

    /// One more than there are rows; the first is 0.
    public var offsets: [UInt32] { entries.offsets }
    /// All rows' keys, end to end.
    public var keys: Column { entries.elements }
    /// All rows' values, end to end.
    public var values: Column { valueEntries.elements }
    /// The number of rows.
    public var count: Int { entries.count }
}

/// A column of codes into a dictionary.
public struct DictionaryData: Sendable {
    /// One code a row, each less than the dictionary's count. NULL rows carry any valid code and are marked in the
    /// column's `nulls`.
    public var codes: [UInt16]
    /// The distinct values.
    public var dictionary: ValueDictionary

    /// Creates dictionary data. The codes were checked by whoever decoded or made them.
    public init(codes: [UInt16], dictionary: ValueDictionary) {
        self.codes = codes
        self.dictionary = dictionary
    }
}

/// Distinct values shared by many columns; its identity (`===`) lets work on the values be done once and reused.
public final class ValueDictionary: Sendable {
    /// The most values a dictionary may have: a code is 16 bits.
    public static let limit = 65_536
    /// The distinct values, never null, flat (neither constant nor dictionary).
    public let values: Column

    /// Creates a dictionary of at most `limit` values.
    public init(values: Column) {
        precondition(values.count <= Self.limit && values.nulls == nil, "BUG: a dictionary of \(values.count) values")
        self.values = values
    }
}

/// Columns of equal length with their names: the unit of work.
public struct Block: Sendable {
    /// The names, in order; may repeat in query results.
    public var names: [String]
    /// The columns, each of `rowCount` rows.
    public var columns: [Column]
    /// The number of rows, also when there are no columns.
    public var rowCount: Int

    /// Creates a block.
    public init(names: [String], columns: [Column], rowCount: Int) {
        precondition(names.count == columns.count && columns.allSatisfy { $0.count == rowCount }, "BUG: ragged block")
        self.names = names
        self.columns = columns
        self.rowCount = rowCount
    }
}

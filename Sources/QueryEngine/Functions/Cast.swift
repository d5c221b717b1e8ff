import Columnar

/// Conversion of whole columns between types, by ClickHouse's rules: integers wrap, floats lose their fraction, text
/// must be a value of the type as a whole.
public enum Cast {
    /// `column` as `type`. Constants and dictionaries are converted once a value. Text that is no value becomes NULL
    /// when `type` is Nullable. Throws CANNOT_CONVERT_TYPE for a NULL where none may be, CANNOT_PARSE_… for text that
    /// is no value of the type, NOT_IMPLEMENTED for types that do not convert.
    public static func column(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        try Cast.column(column, to: type, onFailure: type.isNullable ? .null : .error)
    }

    /// What text that is no value of the type becomes.
    enum OnFailure: Sendable {
        case error, null, zero
    }

    static func column(_ column: Column, to type: DataType, onFailure: OnFailure) throws(QueryError) -> Column {
        if column.type == type { return column }
        if case .nothing = column.type.base { return try nulls(to: type, count: column.count) }
        switch column.data {
        case .constant(let value, let count):
            let converted = try Cast.column(value.withType(column.type), to: type, onFailure: onFailure).flattened()
            return Column(type: type, data: .constant(value: converted, count: count))
        case .dictionary(let encoded):
            if column.type.base == type.base, type.isNullable || column.nulls == nil { return column.withType(type) }
            if let shared = dictionary(encoded, column, type, onFailure) { return shared }
            return try Cast.column(column.flattened(), to: type, onFailure: onFailure)
        default: break
        }
        if !type.isNullable, let nulls = column.nulls, nulls.contains(1) { throw nullInOrdinary(type) }
        if column.type.base == type.base { return column.withType(type) }
        return try converted(column, to: type, onFailure: onFailure)
    }

    private static func nulls(to type: DataType, count: Int) throws(QueryError) -> Column {
        guard type.isNullable || count == 0 else { throw nullInOrdinary(type) }
        return Column.constant(type.isNullable ? .null : type.defaultScalar, type: type, count: count)
    }

    static func nullInOrdinary(_ type: DataType) -> QueryError {
        QueryError(.cannotConvertType, "Cannot convert NULL value to non-Nullable type \(type.name)")
    }

    /// A dictionary converted once a value; nil when some value, perhaps of no row, does not convert.
    private static func dictionary(
        _ encoded: DictionaryData, _ column: Column, _ type: DataType, _ onFailure: OnFailure
    ) -> Column? {
        guard encoded.dictionary.values.count <= column.count else { return nil }
        if !type.isNullable && column.nulls != nil { return nil }
        do {
            let source = encoded.dictionary.values.withType(column.type.base)
            let values = try Cast.column(source, to: type, onFailure: onFailure).flattened()
            return MappedDictionary(values.withType(type.base)).column(
                codes: encoded.codes, nulls: column.nulls, type: type)
        } catch {
            return nil
        }
    }

    /// Flat columns of different base types. What stands at NULLs is not looked at.
    private static func converted(
        _ column: Column, to type: DataType, onFailure: OnFailure
    ) throws(QueryError) -> Column {
        let target = type.base
        let result: Column
        switch (column.type.base, target) {
        case (.string, _): result = try parsed(column, to: target, onFailure: onFailure)
        case (_, .string): result = Column(type: target, data: .string(ValueText.strings(column)))
        case (.array, _), (.map, _), (.tuple, _), (_, .array), (_, .map), (_, .tuple):
            result = try nested(column, to: target)
        case (.enum8(let cases), .enum8(let others)), (.enum8(let cases), .enum16(let others)),
            (.enum16(let cases), .enum8(let others)), (.enum16(let cases), .enum16(let others)):
            result = try enumToEnum(column, cases, others, to: target)
        case (_, .enum8(let cases)), (_, .enum16(let cases)): result = try numberToEnum(column, cases, to: target)
        case (.uuid, _), (_, .uuid), (.ipv4, _), (_, .ipv4), (.ipv6, _), (_, .ipv6):
            result = try address(column, to: target)
        case (_, .date), (_, .dateTime), (_, .dateTime64): result = try toTime(column, to: target, zone: nil)
        case (.dateTime64, _): result = try ticksToNumber(column, to: target)
        default: result = try number(column, to: target)
        }
        let nulls = joinedNulls(column.nulls, result.nulls)
        return Column(type: type, data: result.data, nulls: nulls)
    }

    /// Whether values of one plain type convert to another at all.
    static func converts(_ source: DataType, to target: DataType) -> Bool {
        if source == target || source == .string || target == .string { return true }
        switch (source, target) {
        case (.uuid, _), (_, .uuid): return false
        case (.ipv4, .ipv6), (.ipv6, .ipv4), (.ipv4, .uint32), (.ipv4, .uint64): return true
        case (.uint8, .ipv4), (.uint16, .ipv4), (.uint32, .ipv4), (.uint64, .ipv4): return true
        case (.ipv4, _), (_, .ipv4), (.ipv6, _), (_, .ipv6): return false
        case (.array, .array), (.map, .map), (.tuple, .tuple), (.array, .map): return true
        case (.array, _), (_, .array), (.map, _), (_, .map), (.tuple, _), (_, .tuple): return false
        default: break
        }
        if case .interval = target { return source.isNumeric }
        if target.isTemporal { return source.isTemporal || source.isNumeric }
        if target.isEnum { return source.isInteger || source.isEnum || source == .bool }
        return true
    }

    static func notConvertible(_ source: DataType, _ target: DataType) -> QueryError {
        QueryError(.notImplemented, "Conversion from \(source.name) to \(target.name) is not supported")
    }

    // MARK: Enums and addresses

    private static func enumToEnum(
        _ column: Column, _ cases: [EnumCase], _ others: [EnumCase], to type: DataType
    ) throws(QueryError) -> Column {
        for item in cases {
            if let other = others.first(where: { $0.name == item.name }), other.value != item.value {
                throw QueryError(
                    .cannotConvertType,
                    "Enum conversion changes value for element '\(item.name)' from \(item.value) to \(other.value)")
            }
        }
        return try numberToEnum(column, others, to: type)
    }

    private static func numberToEnum(
        _ column: Column, _ cases: [EnumCase], to type: DataType
    ) throws(QueryError) -> Column {
        guard column.type.isInteger || column.type.isEnum || column.type.base == .bool else {
            throw notConvertible(column.type, type)
        }
        let values = column.integerRows(as: Int64.self)
        let known = Set(cases.map { Int64($0.value) })
        let fallback = Int64(cases.first?.value ?? 0)
        var rows = values
        for row in 0..<values.count where !known.contains(values[row]) {
            guard column.nulls?[row] == 1 else {
                throw QueryError(.unknownElementOfEnum, "Unexpected value \(values[row]) in enum")
            }
            rows[row] = fallback
        }
        return Column(type: type, data: ColumnData(integers: .rows(rows), count: rows.count, type: type))
    }

    private static func address(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        switch (column.type.base, type) {
        case (.ipv4, .ipv6):
            let values = mapValues(column.integerRows(as: UInt32.self)) { 0xFFFF_0000_0000 | UInt128($0) }
            return Column(type: type, data: .uint128(values))
        case (.ipv6, .ipv4):
            let values = column.integerRows(as: UInt128.self)
            if let row = values.firstIndex(where: { $0 >> 32 != 0xFFFF }), column.nulls?[row] != 1 {
                throw QueryError(.cannotConvertType, "An IPv6 address is not in the range that maps IPv4")
            }
            return Column(type: type, data: .uint32(mapValues(values) { UInt32(truncatingIfNeeded: $0) }))
        case (.ipv4, .uint32), (.ipv4, .uint64), (.uint8, .ipv4), (.uint16, .ipv4), (.uint32, .ipv4), (.uint64, .ipv4):
            return try number(column, to: type)
        default: throw notConvertible(column.type, type)
        }
    }
}

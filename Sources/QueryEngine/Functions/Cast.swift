import Columnar

/// Conversion of whole columns between types, by ClickHouse's rules.
public enum Cast {
    /// `column` as `type`. Throws CANNOT_CONVERT_TYPE for a NULL where none may be, CANNOT_PARSE_… for text that is
    /// no value of the type, NO_COMMON_TYPE-like errors for types that do not convert.
    public static func column(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        if column.type == type { return column }
        throw QueryError(.notImplemented, "Conversion from \(column.type.name) to \(type.name) is not supported")
    }
}

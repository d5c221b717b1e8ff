import Columnar

// Arrays, maps and tuples, element by element.

extension QueryError.Code {
    static let nullInOrdinaryColumn = QueryError.Code(349, "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN")
}

extension Cast {
    static func nested(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        switch (column.data, type) {
        case (.array(let values), .array(let element)):
            let elements = try elements(values.elements, to: element)
            return Column(type: type, data: .array(ArrayData(offsets: values.offsets, elements: elements)))
        case (.map(let values), .map(let key, let value)):
            let keys = try elements(values.keys, to: key)
            let entries = try elements(values.values, to: value)
            return Column(type: type, data: .map(MapData(offsets: values.offsets, keys: keys, values: entries)))
        case (.array(let values), .map(let key, let value)):
            if values.elements.type == .nothing {
                let none = MapData(
                    offsets: values.offsets, keys: Column(type: key, scalars: []),
                    values: Column(type: value, scalars: []))
                return Column(type: type, data: .map(none))
            }
            guard case .tuple(let fields) = values.elements.flattened().data, fields.count == 2 else {
                throw notConvertible(column.type, type)
            }
            let keys = try elements(fields[0], to: key)
            let entries = try elements(fields[1], to: value)
            return Column(type: type, data: .map(MapData(offsets: values.offsets, keys: keys, values: entries)))
        case (.tuple(let fields), .tuple(let types)) where fields.count == types.count:
            var converted: [Column] = []
            for (field, type) in zip(fields, types) { converted.append(try elements(field, to: type)) }
            return Column(type: type, data: .tuple(converted))
        case (_, .array):
            throw QueryError(
                .typeMismatch, "CAST AS Array can only be performed between same-dimensional Array, Map or String types"
            )
        case (.array, _), (.map, _), (.tuple, _):
            throw QueryError(.illegalArgumentType, "\(column.type.name) cannot be converted to \(type.name)")
        default: throw notConvertible(column.type, type)
        }
    }

    private static func elements(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        if column.type.base == .nothing, column.count == 0 { return Column(type: type, scalars: []) }
        if !type.isNullable, column.flattenedNulls?.contains(1) == true {
            throw QueryError(.nullInOrdinaryColumn, "Cannot convert NULL value to non-Nullable type \(type.name)")
        }
        return try Cast.column(column, to: type).flattened()
    }
}

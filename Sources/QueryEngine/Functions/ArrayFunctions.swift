import Columnar

// Building arrays, tuples and maps, and taking them apart.

extension QueryError.Code {
    static let sizesOfArraysDontMatch = QueryError.Code(190, "SIZES_OF_ARRAYS_DONT_MATCH")
    static let emptyElement = QueryError.Code(135, "ZERO_ARRAY_OR_TUPLE_INDEX")
}

extension Column {
    /// The arrays of a column, whatever its representation.
    var arrays: ArrayData {
        guard case .array(let values) = flattened().data else { preconditionFailure("BUG: \(type) is no array") }
        return values
    }

    /// The maps of a column, whatever its representation.
    var maps: MapData {
        guard case .map(let values) = flattened().data else { preconditionFailure("BUG: \(type) is no map") }
        return values
    }
}

extension ArrayData {
    /// The row of each element.
    var parents: [UInt32] { rowsOfElements(offsets) }

    /// The number of elements in use.
    var elementCount: Int { Int(offsets[offsets.count - 1]) }
}

/// The row that each element of arrays with these offsets belongs to.
func rowsOfElements(_ offsets: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(Int(offsets[offsets.count - 1]))
    for row in 0..<(offsets.count - 1) {
        for _ in offsets[row]..<offsets[row + 1] { result.append(UInt32(row)) }
    }
    return result
}

enum ArrayFunctions {
    static let all: [any ScalarFunction] = [
        array, tuple, tupleElement, map, arrayElement, mapKeys, mapValues, mapContains, mapFromArrays,
    ]

    /// The element type of array argument `index`. Throws when it is none.
    static func elementType(_ name: String, _ arguments: [FunctionArgument], _ index: Int = 0) throws(QueryError)
        -> DataType
    {
        guard case .array(let element) = arguments[index].type.base else {
            throw illegalArgument(name, index, arguments[index].type, expected: "Array")
        }
        return element
    }

    private static let array = PlainFunction(
        "array", 0...100_000,
        type: { (arguments) throws(QueryError) in
            guard !arguments.isEmpty else { return .array(.nothing) }
            let types = arguments.map(\.type)
            if types.allSatisfy({ $0.base == .nothing }) { return .array(.nullable(.nothing)) }
            return .array(try CommonType.of(types))
        },
        body: { (columns, type, count, _) throws(QueryError) in
            guard case .array(let element) = type, !columns.isEmpty else {
                let none = ArrayData(
                    offsets: [UInt32](repeating: 0, count: count + 1),
                    elements: Column(type: .nothing, data: .uint8([])))
                return Column(type: type, data: .array(none))
            }
            var parts: [Column] = []
            for column in columns { parts.append(try Cast.column(column, to: element).flattened()) }
            let all = Column.concatenate(parts, type: element)
            var order: [UInt32] = []
            order.reserveCapacity(count * parts.count)
            for row in 0..<count {
                for index in 0..<parts.count { order.append(UInt32(index * count + row)) }
            }
            let offsets = (0...count).map { UInt32($0 * parts.count) }
            return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: all.gather(order))))
        }
    ).nullAware.flattening

    private static let tuple = PlainFunction(
        "tuple", 0...1000,
        type: { (arguments) throws(QueryError) in .tuple(arguments.map(\.type)) },
        body: { (columns, type, _, _) throws(QueryError) in
            Column(type: type, data: .tuple(columns.map { $0.flattened() }))
        }
    ).nullAware.flattening

    private static let tupleElement = PlainFunction(
        "tupleElement", 2...2,
        type: { (arguments) throws(QueryError) in
            guard case .tuple(let types) = arguments[0].type.base else {
                throw illegalArgument("tupleElement", 0, arguments[0].type)
            }
            guard let index = arguments[1].constantInteger, index >= 1, index <= Int64(types.count) else {
                throw QueryError(.illegalArgumentType, "A tuple of \(types.count) has no such element")
            }
            return types[Int(index) - 1]
        },
        body: { (columns, type, _, _) throws(QueryError) in
            guard case .tuple(let fields) = columns[0].flattened().data,
                let index = columns[1].constantScalar?.asInteger
            else {
                preconditionFailure("BUG: the tuple was checked")
            }
            return fields[Int(index) - 1]
        }
    ).nullAware.flattening

    private static let map = PlainFunction(
        "map", 0...1000,
        type: { (arguments) throws(QueryError) in
            guard arguments.count % 2 == 0 else {
                throw QueryError(
                    .wrongArgumentCount, "Function map needs an even number of arguments, not \(arguments.count)")
            }
            let indices = arguments.indices
            let key = try CommonType.of(indices.filter { $0 % 2 == 0 }.map { arguments[$0].type })
            let value = try CommonType.of(indices.filter { $0 % 2 == 1 }.map { arguments[$0].type })
            guard !key.isNullable || arguments.isEmpty else {
                throw QueryError(.badArguments, "Map cannot have a key of type \(key.name)")
            }
            return .map(key, value)
        },
        body: { (columns, type, count, context) throws(QueryError) in
            guard case .map(let key, let value) = type else { preconditionFailure("BUG: map gives maps") }
            let indices = columns.indices
            let keys = try array.body(indices.filter { $0 % 2 == 0 }.map { columns[$0] }, .array(key), count, context)
                .arrays
            let values = try array.body(
                indices.filter { $0 % 2 == 1 }.map { columns[$0] }, .array(value), count, context
            ).arrays
            return Column(
                type: type, data: .map(MapData(offsets: keys.offsets, keys: keys.elements, values: values.elements)))
        }
    ).nullAware.flattening

    // MARK: Elements

    private static let arrayElement = PlainFunction(
        "arrayElement", 2...2,
        type: { (arguments) throws(QueryError) in
            switch arguments[0].type.base {
            case .array(let element):
                guard arguments[1].type.isInteger else {
                    throw illegalArgument("arrayElement", 1, arguments[1].type, expected: "an integer")
                }
                return element
            case .map(let key, let value):
                _ = try ComparisonFunction(operation: .equals).resultType([FunctionArgument(type: key), arguments[1]])
                return value
            case .tuple(let types):
                guard let index = arguments[1].constantInteger, index >= 1, index <= Int64(types.count) else {
                    throw QueryError(.illegalArgumentType, "A tuple of \(types.count) has no such element")
                }
                return types[Int(index) - 1]
            default: throw illegalArgument("arrayElement", 0, arguments[0].type, expected: "Array or Map")
            }
        },
        body: { (columns, type, count, context) throws(QueryError) in
            switch columns[0].type.base {
            case .map: return try mapElement(columns[0].maps, columns[1], type, count)
            case .tuple: return try tupleElement.body(columns, type, count, context)
            default: break
            }
            let values = columns[0].arrays
            let indices = columns[1].wholeNumbers
            // A place that is not there is the default, which stands behind the elements.
            let elements = Column.concatenate(
                [values.elements.flattened(), Column.defaults(type: type, count: 1).flattened()], type: type)
            let none = UInt32(values.elements.count)
            let rows = (0..<count).map { row -> UInt32 in
                let (start, end) = (Int64(values.offsets[row]), Int64(values.offsets[row + 1]))
                let index = indices[row]
                let place = index > 0 ? start &+ index &- 1 : index < 0 ? end &+ index : -1
                return place >= start && place < end ? UInt32(place) : none
            }
            return elements.gather(rows)
        })

    private static func mapElement(_ maps: MapData, _ key: Column, _ type: DataType, _ count: Int) throws(QueryError)
        -> Column
    {
        let rows = rowsOfElements(maps.offsets)
        let same = try matches(maps.keys, key, rows)
        let none = UInt32(maps.values.count)
        var places = [UInt32](repeating: none, count: count)
        for element in stride(from: rows.count - 1, through: 0, by: -1) where same[element] == 1 {
            places[Int(rows[element])] = UInt32(element)
        }
        let values = Column.concatenate(
            [maps.values.flattened(), Column.defaults(type: type, count: 1).flattened()], type: type)
        return values.gather(places)
    }

    /// One byte an element: whether it equals its row's `value`; NULL equals NULL.
    static func matches(_ elements: Column, _ value: Column, _ rows: [UInt32]) throws(QueryError) -> [UInt8] {
        let elements = elements.count == rows.count ? elements.flattened() : elements.slice(0..<rows.count).flattened()
        let wanted: Column
        if let constant = value.constantScalar, constant != .null, value.type.base == .string,
            elements.type.base != .string
        {
            guard let converted = ConstantSet.convert(constant, .string, to: elements.type.base) else {
                return [UInt8](repeating: 0, count: rows.count)
            }
            wanted = Column.constant(converted, type: elements.type.base, count: rows.count)
        } else if value.isConstant {
            wanted = value.resized(to: rows.count)
        } else {
            wanted = value.gather(rows)
        }
        let (left, right) = (elements.flattenedNulls, wanted.flattenedNulls)
        if value.type.base == .nothing { return left ?? [UInt8](repeating: 0, count: rows.count) }
        if elements.type.base == .nothing { return right ?? [UInt8](repeating: 0, count: rows.count) }
        var same = try compareColumns(.equals, elements.withoutNulls, wanted.withoutNulls, count: rows.count)
        if left != nil || right != nil {
            for index in 0..<rows.count {
                let (first, second) = (left?[index] ?? 0, right?[index] ?? 0)
                if first | second == 1 { same[index] = first & second }
            }
        }
        return same
    }

    // MARK: Maps

    private static func mapTypes(_ name: String, _ arguments: [FunctionArgument]) throws(QueryError) -> (
        DataType, DataType
    ) {
        guard case .map(let key, let value) = arguments[0].type.base else {
            throw illegalArgument(name, 0, arguments[0].type, expected: "Map")
        }
        return (key, value)
    }

    private static let mapKeys = PlainFunction(
        "mapKeys", 1...1, type: { (arguments) throws(QueryError) in .array(try mapTypes("mapKeys", arguments).0) },
        body: { (columns, type, _, _) throws(QueryError) in
            let maps = columns[0].maps
            return Column(type: type, data: .array(ArrayData(offsets: maps.offsets, elements: maps.keys)))
        })

    private static let mapValues = PlainFunction(
        "mapValues", 1...1, type: { (arguments) throws(QueryError) in .array(try mapTypes("mapValues", arguments).1) },
        body: { (columns, type, _, _) throws(QueryError) in
            let maps = columns[0].maps
            return Column(type: type, data: .array(ArrayData(offsets: maps.offsets, elements: maps.values)))
        })

    private static let mapContains = PlainFunction(
        "mapContainsKey", 2...2,
        type: { (arguments) throws(QueryError) in
            let (key, _) = try mapTypes("mapContains", arguments)
            _ = try ComparisonFunction(operation: .equals).resultType([FunctionArgument(type: key), arguments[1]])
            return .uint8
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let maps = columns[0].maps
            let rows = rowsOfElements(maps.offsets)
            var mask = [UInt8](repeating: 0, count: count)
            for (element, same) in try matches(maps.keys, columns[1], rows).enumerated() {
                mask[Int(rows[element])] |= same
            }
            return Column(type: type, data: .uint8(mask))
        })

    private static let mapFromArrays = PlainFunction(
        "mapFromArrays", 2...2, canFail: true,
        type: { (arguments) throws(QueryError) in
            .map(try elementType("mapFromArrays", arguments), try elementType("mapFromArrays", arguments, 1))
        },
        body: { (columns, type, _, _) throws(QueryError) in
            let (keys, values) = (columns[0].arrays, columns[1].arrays)
            guard keys.offsets == values.offsets else {
                throw QueryError(.sizesOfArraysDontMatch, "The arrays of mapFromArrays must have equal sizes")
            }
            return Column(
                type: type, data: .map(MapData(offsets: keys.offsets, keys: keys.elements, values: values.elements)))
        })
}

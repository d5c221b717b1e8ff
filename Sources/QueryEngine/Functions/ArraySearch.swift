import Columnar

// Asking arrays for elements, and reducing them to one value.

enum ArraySearchFunctions {
    static let all: [any ScalarFunction] = [
        search("has", .uint8) { mask, range in range.contains { mask[$0] == 1 } ? 1 : 0 },
        search("indexOf", .uint64) { mask, range in
            UInt64((range.first { mask[$0] == 1 }).map { $0 - range.lowerBound + 1 } ?? 0)
        },
        search("countEqual", .uint64) { mask, range in range.reduce(0) { $0 + UInt64(mask[$1]) } },
        overlap("hasAny", isAll: false), overlap("hasAll", isAll: true), arrayStringConcat,
    ]

    private static func search(
        _ name: String, _ type: DataType, _ body: @escaping @Sendable ([UInt8], Range<Int>) -> UInt64
    ) -> any ScalarFunction {
        PlainFunction(
            name, 2...2,
            type: { (arguments) throws(QueryError) in
                let element: DataType
                if name == "has", case .map(let key, _) = arguments[0].type.base {
                    element = key
                } else {
                    element = try ArrayFunctions.elementType(name, arguments)
                }
                if element.base != .nothing, arguments[1].type.base != .nothing {
                    _ = try ComparisonFunction(operation: .equals).resultType(
                        [
                            FunctionArgument(type: element.base),
                            FunctionArgument(type: arguments[1].type.base, constant: arguments[1].constant),
                        ])
                }
                return type
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let offsets: [UInt32]
                let elements: Column
                if case .map = columns[0].type.base {
                    (offsets, elements) = (columns[0].maps.offsets, columns[0].maps.keys)
                } else {
                    (offsets, elements) = (columns[0].arrays.offsets, columns[0].arrays.elements)
                }
                let mask = try ArrayFunctions.matches(elements, columns[1], rowsOfElements(offsets))
                let values = (0..<count).map { body(mask, Int(offsets[$0])..<Int(offsets[$0 + 1])) }
                if type == .uint8 { return Column(type: type, data: .uint8(values.map { UInt8($0) })) }
                return Column(type: type, data: .uint64(values))
            }
        ).nullAware
    }

    private static func overlap(_ name: String, isAll: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 2...2,
            type: { (arguments) throws(QueryError) in
                _ = try ArrayFunctions.elementType(name, arguments)
                _ = try ArrayFunctions.elementType(name, arguments, 1)
                _ = try CommonType.of(arguments.map(\.type))
                return .uint8
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let common = try CommonType.of(columns.map(\.type))
                let left = try Cast.column(columns[0], to: common)
                let right = try Cast.column(columns[1], to: common)
                return Column(
                    type: type,
                    data: .uint8(
                        (0..<count).map { row in
                            guard case .array(let own) = left.scalar(at: row),
                                case .array(let wanted) = right.scalar(at: row)
                            else { return 0 }
                            let set = Set(own)
                            return byte(
                                isAll ? wanted.allSatisfy { set.contains($0) } : wanted.contains { set.contains($0) })
                        }))
            })
    }

    private static let arrayStringConcat = PlainFunction(
        "arrayStringConcat", 1...2,
        type: { (arguments) throws(QueryError) in
            _ = try ArrayFunctions.elementType("arrayStringConcat", arguments)
            if arguments.count > 1, arguments[1].type.base != .string {
                throw illegalArgument("arrayStringConcat", 1, arguments[1].type)
            }
            return .string
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let values = columns[0].arrays
            let elements = values.elements.flattened()
            let texts = ValueText.strings(elements)
            let separators = columns.count > 1 ? columns[1].strings : StringData([String](repeating: "", count: count))
            var bytes: [UInt8] = []
            var offsets: [UInt32] = [0]
            for row in 0..<count {
                var isFirst = true
                for index in Int(values.offsets[row])..<Int(values.offsets[row + 1]) where elements.nulls?[index] != 1 {
                    if !isFirst { bytes += separators[row] }
                    bytes += texts[index]
                    isFirst = false
                }
                try StringFunctions.checkSize(bytes.count)
                offsets.append(UInt32(bytes.count))
            }
            return Column(type: type, data: .string(StringData(bytes: bytes, offsets: offsets)))
        })
}

import Columnar

// Arrays into other arrays.

enum ArrayShapingFunctions {
    static let all: [any ScalarFunction] =
        [
            reverseOfArrays, arrayDistinct, arrayUniq, arrayCompact, arrayConcat, range, arrayEnumerate, arraySlice,
            arrayFlatten, arrayZip,
        ]
        + [
            push("arrayPushBack", atEnd: true), push("arrayPushFront", atEnd: false),
            pop("arrayPopBack") { $0.dropLast() },
            pop("arrayPopFront") { $0.dropFirst() }, arrayIntersect, arrayResize, arrayWithConstant, arrayCumSum,
            arrayDifference,
        ]

    /// Elements picked by their index, row by row.
    static func picked(
        _ name: String, _ arity: ClosedRange<Int> = 1...1,
        _ body: @escaping @Sendable (Range<UInt32>, Column) -> [UInt32]
    ) -> PlainFunction {
        PlainFunction(
            name, arity,
            type: { (arguments) throws(QueryError) in .array(try ArrayFunctions.elementType(name, arguments)) },
            body: { (columns, type, count, _) throws(QueryError) in
                let values = columns[0].arrays
                let elements = values.elements.flattened()
                var order: [UInt32] = []
                var offsets: [UInt32] = [0]
                for row in 0..<count {
                    order += body(values.offsets[row]..<values.offsets[row + 1], elements)
                    offsets.append(UInt32(order.count))
                }
                return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: elements.gather(order))))
            })
    }

    static let reverseOfArrays = picked("arrayReverse") { range, _ in range.reversed() }

    private static func pop(_ name: String, _ body: @escaping @Sendable (Range<UInt32>) -> Range<UInt32>.SubSequence)
        -> any ScalarFunction
    {
        picked(name) { range, _ in Array(body(range)) }
    }

    private static let arrayDistinct = picked("arrayDistinct") { range, elements in
        var seen: Set<Scalar> = []
        return range.filter { index in
            let value = elements.scalar(at: Int(index))
            return value != .null && seen.insert(value).inserted
        }
    }

    private static let arrayCompact = picked("arrayCompact") { range, elements in
        range.filter { $0 == range.lowerBound || elements.scalar(at: Int($0)) != elements.scalar(at: Int($0) - 1) }
    }

    private static let arrayUniq = PlainFunction(
        "arrayUniq", 1...1,
        type: { (arguments) throws(QueryError) in
            _ = try ArrayFunctions.elementType("arrayUniq", arguments)
            return .uint32
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let values = columns[0].arrays
            let elements = values.elements.flattened()
            return Column(
                type: type,
                data: .uint32(
                    (0..<count).map { row in
                        let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
                        return UInt32(Set(range.map { elements.scalar(at: $0) }).count)
                    }))
        })

    private static let arrayConcat = PlainFunction(
        "arrayConcat", 1...1000,
        type: { (arguments) throws(QueryError) in
            for index in arguments.indices { _ = try ArrayFunctions.elementType("arrayConcat", arguments, index) }
            return try CommonType.of(arguments.map(\.type))
        },
        body: { (columns, type, count, _) throws(QueryError) in
            guard case .array(let element) = type else { preconditionFailure("BUG: arrayConcat gives arrays") }
            var parts: [ArrayData] = []
            for column in columns { parts.append(try Cast.column(column, to: type).arrays) }
            var starts: [UInt32] = []
            var total: UInt32 = 0
            for part in parts {
                starts.append(total)
                total += UInt32(part.elements.count)
            }
            let all = Column.concatenate(parts.map { $0.elements.flattened() }, type: element)
            var order: [UInt32] = []
            var offsets: [UInt32] = [0]
            for row in 0..<count {
                for (part, start) in zip(parts, starts) {
                    for index in part.offsets[row]..<part.offsets[row + 1] { order.append(start + index) }
                }
                offsets.append(UInt32(order.count))
            }
            return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: all.gather(order))))
        })

    private static let range = PlainFunction(
        "range", 1...3, canFail: true,
        type: { (arguments) throws(QueryError) in
            for (index, argument) in arguments.enumerated() where !argument.type.isInteger {
                throw illegalArgument("range", index, argument.type)
            }
            return .array(try CommonType.of(arguments.map(\.type.base)))
        },
        body: { (columns, type, count, context) throws(QueryError) in
            guard case .array(let element) = type else { preconditionFailure("BUG: range gives arrays") }
            let numbers = columns.map(\.wholeNumbers)
            var values: [Int64] = []
            var offsets: [UInt32] = [0]
            for row in 0..<count {
                let start = numbers.count > 1 ? numbers[0][row] : 0
                let end = numbers.count > 1 ? numbers[1][row] : numbers[0][row]
                let step = numbers.count > 2 ? numbers[2][row] : 1
                guard step != 0 else { throw QueryError(.badArguments, "The step of range must not be 0") }
                let isUp = step > 0
                let distance = isUp ? UInt64(bitPattern: end &- start) : UInt64(bitPattern: start &- end)
                let length = (isUp ? end > start : start > end) ? (distance - 1) / step.magnitude + 1 : 0
                guard length <= UInt64(100_000_000 - values.count) else {
                    throw QueryError(.badArguments, "range would make more than 100000000 elements")
                }
                for index in 0..<Int64(length) { values.append(start &+ index &* step) }
                offsets.append(UInt32(values.count))
                try context.checkpoint()
            }
            let elements = Column(
                type: element, data: ColumnData(integers: .rows(values), count: values.count, type: element))
            return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: elements)))
        })

    private static let arrayEnumerate = PlainFunction(
        "arrayEnumerate", 1...1,
        type: { (arguments) throws(QueryError) in
            _ = try ArrayFunctions.elementType("arrayEnumerate", arguments)
            return .array(.uint32)
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let offsets = columns[0].arrays.offsets
            var values: [UInt32] = []
            for row in 0..<count { for index in 0..<(offsets[row + 1] - offsets[row]) { values.append(index + 1) } }
            return Column(
                type: type,
                data: .array(ArrayData(offsets: offsets, elements: Column(type: .uint32, data: .uint32(values)))))
        })

    private static let arraySlice = PlainFunction(
        "arraySlice", 2...3,
        type: { (arguments) throws(QueryError) in
            for index in 1..<arguments.count where !arguments[index].type.isInteger {
                throw illegalArgument("arraySlice", index, arguments[index].type)
            }
            return .array(try ArrayFunctions.elementType("arraySlice", arguments))
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let values = columns[0].arrays
            let starts = columns[1].wholeNumbers
            let lengths = columns.count > 2 ? columns[2].wholeNumbers : nil
            var order: [UInt32] = []
            var offsets: [UInt32] = [0]
            for row in 0..<count {
                let (begin, total) = (Int64(values.offsets[row]), Int64(values.offsets[row + 1] - values.offsets[row]))
                let start =
                    starts[row] > 0
                    ? min(starts[row] - 1, total) : starts[row] < 0 ? total + max(starts[row], -total - 1 << 32) : total
                var end = total
                if let length = lengths?[row] {
                    end = length < 0 ? total + max(length, -total) : min(total, start + min(length, total + 1 << 32))
                }
                for index in max(0, start)..<max(max(0, start), end) { order.append(UInt32(begin + index)) }
                offsets.append(UInt32(order.count))
            }
            return Column(
                type: type,
                data: .array(ArrayData(offsets: offsets, elements: values.elements.flattened().gather(order))))
        })

    private static let arrayFlatten = PlainFunction(
        "arrayFlatten", 1...1,
        type: { (arguments) throws(QueryError) in
            var element = try ArrayFunctions.elementType("arrayFlatten", arguments)
            while case .array(let inner) = element { element = inner }
            return .array(element)
        },
        body: { (columns, type, _, _) throws(QueryError) in
            var values = columns[0].arrays
            while case .array(let inner) = values.elements.flattened().data {
                values = ArrayData(offsets: values.offsets.map { inner.offsets[Int($0)] }, elements: inner.elements)
            }
            return Column(type: type, data: .array(values))
        })

    private static let arrayZip = PlainFunction(
        "arrayZip", 1...100, canFail: true,
        type: { (arguments) throws(QueryError) in
            var types: [DataType] = []
            for index in arguments.indices {
                types.append(try ArrayFunctions.elementType("arrayZip", arguments, index))
            }
            return .array(.tuple(types))
        },
        body: { (columns, type, _, _) throws(QueryError) in
            guard case .array(let element) = type else { preconditionFailure("BUG: arrayZip gives arrays") }
            let arrays = columns.map(\.arrays)
            for other in arrays.dropFirst() where other.offsets != arrays[0].offsets {
                throw QueryError(.sizesOfArraysDontMatch, "The arrays of arrayZip must have equal sizes")
            }
            let fields = arrays.map { $0.elements.slice(0..<$0.elementCount).flattened() }
            return Column(
                type: type,
                data: .array(
                    ArrayData(offsets: arrays[0].offsets, elements: Column(type: element, data: .tuple(fields)))))
        })

    private static func push(_ name: String, atEnd: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 2...2,
            type: { (arguments) throws(QueryError) in
                .array(try CommonType.of([try ArrayFunctions.elementType(name, arguments), arguments[1].type]))
            },
            body: { (columns, type, count, context) throws(QueryError) in
                guard case .array(let element) = type else { preconditionFailure("BUG: \(name) gives arrays") }
                let single = try Cast.column(columns[1], to: element).flattened()
                let one = Column(
                    type: type, data: .array(ArrayData(offsets: (0...count).map { UInt32($0) }, elements: single)))
                return try arrayConcat.body(atEnd ? [columns[0], one] : [one, columns[0]], type, count, context)
            }
        ).nullAware
    }

    private static let arrayIntersect = PlainFunction(
        "arrayIntersect", 1...100,
        type: { (arguments) throws(QueryError) in
            for index in arguments.indices { _ = try ArrayFunctions.elementType("arrayIntersect", arguments, index) }
            return try CommonType.of(arguments.map(\.type))
        },
        body: { (columns, type, count, _) throws(QueryError) in
            var parts: [Column] = []
            for column in columns { parts.append(try Cast.column(column, to: type)) }
            return Column(
                type: type,
                scalars: (0..<count).map { row in
                    guard case .array(let first) = parts[0].scalar(at: row) else { return .array([]) }
                    var kept = first
                    for part in parts.dropFirst() {
                        guard case .array(let other) = part.scalar(at: row) else { continue }
                        let set = Set(other)
                        kept = kept.filter { set.contains($0) }
                    }
                    var seen: Set<Scalar> = []
                    return .array(kept.filter { seen.insert($0).inserted })
                })
        })

    private static let arrayResize = PlainFunction(
        "arrayResize", 2...3, canFail: true,
        type: { (arguments) throws(QueryError) in
            guard arguments[1].type.isInteger else { throw illegalArgument("arrayResize", 1, arguments[1].type) }
            let element = try ArrayFunctions.elementType("arrayResize", arguments)
            return .array(arguments.count > 2 ? try CommonType.of([element, arguments[2].type]) : element)
        },
        body: { (columns, type, count, _) throws(QueryError) in
            guard case .array(let element) = type else { preconditionFailure("BUG: arrayResize gives arrays") }
            let values = try Cast.column(columns[0], to: type)
            let sizes = columns[1].wholeNumbers
            let filler =
                columns.count > 2
                ? try Cast.column(columns[2], to: element) : Column.defaults(type: element, count: count)
            var rows: [Scalar] = []
            for row in 0..<count {
                guard case .array(var list) = values.scalar(at: row) else { continue }
                guard sizes[row].magnitude <= 1_000_000 else {
                    throw QueryError(.badArguments, "Too large an array: \(sizes[row])")
                }
                let size = Int(sizes[row].magnitude)
                let missing = [Scalar](repeating: filler.scalar(at: row), count: max(0, size - list.count))
                list = sizes[row] >= 0 ? list.prefix(size) + missing : missing + list.suffix(size)
                rows.append(.array(list))
            }
            return Column(type: type, scalars: rows)
        })

    private static let arrayWithConstant = PlainFunction(
        "arrayWithConstant", 2...2, canFail: true,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isInteger else { throw illegalArgument("arrayWithConstant", 0, arguments[0].type) }
            return .array(arguments[1].type)
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let sizes = columns[0].wholeNumbers
            var order: [UInt32] = []
            var offsets: [UInt32] = [0]
            for row in 0..<count {
                guard sizes[row] >= 0, sizes[row] <= 1_000_000 else {
                    throw QueryError(.badArguments, "Impossible array size \(sizes[row])")
                }
                order += [UInt32](repeating: UInt32(row), count: Int(sizes[row]))
                offsets.append(UInt32(order.count))
            }
            return Column(
                type: type, data: .array(ArrayData(offsets: offsets, elements: columns[1].flattened().gather(order))))
        })

    // MARK: Running numbers

    private static func running(
        _ name: String, _ result: @escaping @Sendable (DataType) -> DataType?,
        _ body: @escaping @Sendable ([Double]) -> [Double],
        _ integers: @escaping @Sendable ([Int64]) -> [Int64]
    ) -> any ScalarFunction {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                let element = try ArrayFunctions.elementType(name, arguments)
                guard element.isNumeric, !element.isNullable, let type = result(element) else {
                    throw illegalArgument(name, 0, arguments[0].type)
                }
                return .array(type)
            },
            body: { (columns, type, count, _) throws(QueryError) in
                guard case .array(let element) = type else { preconditionFailure("BUG: \(name) gives arrays") }
                let values = columns[0].arrays
                let flat = values.elements.flattened().data
                let ranges = (0..<count).map { Int(values.offsets[$0])..<Int(values.offsets[$0 + 1]) }
                let data: ColumnData
                if element == .float64 {
                    let numbers = flat.doubles()
                    data = .float64(ranges.flatMap { body(Array(numbers[$0])) })
                } else {
                    let numbers = flat.integers(as: Int64.self)
                    let all = ranges.flatMap { integers(Array(numbers[$0])) }
                    data = ColumnData(integers: .rows(all), count: all.count, type: element)
                }
                return Column(
                    type: type,
                    data: .array(ArrayData(offsets: values.offsets, elements: Column(type: element, data: data))))
            })
    }

    private static let arrayCumSum = running(
        "arrayCumSum", { $0.isFloat ? .float64 : $0.isSignedInteger ? .int64 : .uint64 },
        { values in
            var sum = 0.0
            return values.map { value in
                sum += value
                return sum
            }
        },
        { values in
            var sum: Int64 = 0
            return values.map { value in
                sum &+= value
                return sum
            }
        })

    private static let arrayDifference = running(
        "arrayDifference", { $0.isFloat ? .float64 : .signedInteger(bits: min(64, $0.bitWidth * 2)) },
        { values in values.indices.map { $0 == 0 ? 0 : values[$0] - values[$0 - 1] } },
        { values in values.indices.map { $0 == 0 ? 0 : values[$0] &- values[$0 - 1] } })
}

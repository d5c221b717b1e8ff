import Columnar

/// `arrayMap(x -> …, a)`, `arrayFilter`, `arrayExists`, `arraySum` …: with a lambda, or on the elements.
struct ArrayReduction: RowChoosingFunction {
    enum Kind: String, CaseIterable, Sendable {
        case arrayMap, arrayFilter, arrayExists, arrayAll, arrayCount, arraySum, arrayAvg, arrayMin, arrayMax,
            arrayProduct
        case arraySort, arrayReverseSort, arrayFirst, arrayLast, arrayFirstIndex, arrayLastIndex

        /// Whether it makes no sense without a lambda.
        var needsLambda: Bool {
            switch self {
            case .arrayMap, .arrayFilter, .arrayFirst, .arrayLast, .arrayFirstIndex, .arrayLastIndex: true
            default: false
            }
        }

        /// Whether the lambda, or the elements, must be truth values.
        var asksTruth: Bool {
            switch self {
            case .arrayFilter, .arrayExists, .arrayAll, .arrayCount, .arrayFirst, .arrayLast, .arrayFirstIndex,
                .arrayLastIndex:
                true
            default: false
            }
        }
    }

    let kind: Kind
    var hasLambda = false

    static let all: [any ScalarFunction] = Kind.allCases.map { ArrayReduction(kind: $0) }

    var name: String { kind.rawValue }
    var handlesNulls: Bool { true }
    var keepsDictionary: Bool { false }

    func rewritten(
        _ arguments: [BoundExpression]
    ) throws(QueryError) -> (function: any ScalarFunction, arguments: [BoundExpression])? {
        guard !hasLambda, case .lambda? = arguments.first else { return nil }
        return (ArrayReduction(kind: kind, hasLambda: true), arguments)
    }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        guard hasLambda || !kind.needsLambda else {
            throw QueryError(.illegalArgumentType, "First argument for function \(name) must be a function")
        }
        try checkArity(name, arguments.count, hasLambda ? 2...100 : 1...1)
        for index in (hasLambda ? 1 : 0)..<arguments.count {
            _ = try ArrayFunctions.elementType(name, arguments, index)
        }
        let element = try ArrayFunctions.elementType(name, arguments, hasLambda ? 1 : 0)
        // What is reduced: what the lambda gives, or the elements.
        let value = hasLambda ? arguments[0].type.withoutLowCardinality : element
        if kind.asksTruth, !value.isNumeric, value.base != .nothing {
            throw QueryError(.illegalArgumentType, "\(name) takes a condition, UInt8, not \(value.name)")
        }
        switch kind {
        case .arrayMap: return .array(value)
        case .arrayFilter, .arraySort, .arrayReverseSort: return .array(element)
        case .arrayExists, .arrayAll: return .uint8
        case .arrayCount, .arrayFirstIndex, .arrayLastIndex: return .uint32
        case .arrayFirst, .arrayLast: return element
        case .arraySum, .arrayAvg, .arrayProduct:
            guard value.isNumeric, !value.isNullable else {
                throw illegalArgument(name, hasLambda ? 1 : 0, .array(value))
            }
            if kind != .arraySum || value.isFloat { return .float64 }
            return value.isSignedInteger ? .int64 : .uint64
        case .arrayMin, .arrayMax:
            guard value.base != .nothing else { throw illegalArgument(name, hasLambda ? 1 : 0, .array(value)) }
            return value
        }
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let values = arguments[0].arrays
        let elements = values.elements.slice(0..<values.elementCount).flattened()
        return try reduce(values.offsets, elements, elements, type)
    }

    func evaluate(
        _ call: FunctionCall, _ inputs: [Column], rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        var arrays: [ArrayData] = []
        for argument in call.arguments {
            if case .lambda = argument { continue }
            arrays.append(try argument.evaluate(inputs, rowCount: rowCount, context: context).arrays)
        }
        let offsets = arrays[0].offsets
        for other in arrays.dropFirst() where other.offsets != offsets {
            throw QueryError(.sizesOfArraysDontMatch, "The arrays of \(name) must have equal sizes")
        }
        let elements = arrays.map { $0.elements.slice(0..<$0.elementCount).flattened() }
        var values = elements[0]
        if case .lambda(let lambda)? = call.arguments.first {
            values = try lambda.evaluate(inputs, elements, rows: rowsOfElements(offsets), context: context).flattened()
        }
        return try reduce(offsets, values, elements[0], call.type).withType(call.type)
    }

    private func reduce(_ offsets: [UInt32], _ values: Column, _ elements: Column, _ type: DataType) throws(QueryError)
        -> Column
    {
        let count = offsets.count - 1
        func range(_ row: Int) -> Range<Int> { Int(offsets[row])..<Int(offsets[row + 1]) }
        switch kind {
        case .arrayMap: return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: values)))
        case .arraySum, .arrayAvg, .arrayProduct: return sums(values, count, range, type)
        case .arraySort, .arrayReverseSort: return sorted(values, elements, count, range, offsets, type)
        case .arrayMin, .arrayMax: return extremes(values, count, range, type)
        default: break
        }
        let mask = conditions(values)
        switch kind {
        case .arrayFilter:
            var order: [UInt32] = []
            var ends: [UInt32] = [0]
            for row in 0..<count {
                for index in range(row) where mask[index] == 1 { order.append(UInt32(index)) }
                ends.append(UInt32(order.count))
            }
            return Column(type: type, data: .array(ArrayData(offsets: ends, elements: elements.gather(order))))
        case .arrayExists:
            return Column(type: type, data: .uint8((0..<count).map { byte(range($0).contains { mask[$0] == 1 }) }))
        case .arrayAll:
            return Column(type: type, data: .uint8((0..<count).map { byte(range($0).allSatisfy { mask[$0] == 1 }) }))
        case .arrayCount:
            return Column(type: type, data: .uint32((0..<count).map { range($0).reduce(0) { $0 + UInt32(mask[$1]) } }))
        default: break
        }
        let places = (0..<count).map { row in
            kind == .arrayFirst || kind == .arrayFirstIndex
                ? range(row).first { mask[$0] == 1 } : range(row).last { mask[$0] == 1 }
        }
        if kind == .arrayFirstIndex || kind == .arrayLastIndex {
            let indices = places.enumerated().map { row, place in
                place.map { UInt32($0 - range(row).lowerBound + 1) } ?? 0
            }
            return Column(type: type, data: .uint32(indices))
        }
        let padded = Column.concatenate(
            [elements, Column.defaults(type: elements.type, count: 1).flattened()], type: elements.type)
        return padded.gather(places.map { UInt32($0 ?? elements.count) })
    }

    private func conditions(_ values: Column) -> [UInt8] {
        if values.type.base == .nothing { return [UInt8](repeating: 0, count: values.count) }
        let mask = truth(values, count: values.count)
        guard let nulls = values.flattenedNulls else { return mask }
        return mapPairs(.rows(mask), .rows(nulls), count: values.count) { $0 & ($1 ^ 1) }
    }

    private func sums(_ values: Column, _ count: Int, _ range: (Int) -> Range<Int>, _ type: DataType) -> Column {
        if type == .float64 {
            let numbers = values.flattened().data.doubles()
            return Column(
                type: type,
                data: .float64(
                    (0..<count).map { row in
                        let span = range(row)
                        if kind == .arrayProduct { return span.reduce(1) { $0 * numbers[$1] } }
                        let sum = span.reduce(0) { $0 + numbers[$1] }
                        return kind == .arrayAvg ? sum / Double(span.count) : sum
                    }))
        }
        let numbers = values.integerRows(as: Int64.self)
        let sums = (0..<count).map { row in range(row).reduce(0) { $0 &+ numbers[$1] } }
        return Column(type: type, data: ColumnData(integers: .rows(sums), count: count, type: type))
    }

    private func extremes(_ values: Column, _ count: Int, _ range: (Int) -> Range<Int>, _ type: DataType) -> Column {
        let order = ElementOrder(values)
        let places = (0..<count).map { row -> UInt32 in
            let known = range(row).filter { !values.isNull(at: $0) }
            let best = kind == .arrayMin ? known.min { order($0, $1) < 0 } : known.max { order($0, $1) < 0 }
            return UInt32(best ?? values.count)
        }
        let padded = Column.concatenate([values, Column.defaults(type: type, count: 1).flattened()], type: type)
        return padded.gather(places)
    }

    private func sorted(
        _ keys: Column, _ elements: Column, _ count: Int, _ range: (Int) -> Range<Int>, _ offsets: [UInt32],
        _ type: DataType
    ) -> Column {
        let order = ElementOrder(keys)
        var places: [UInt32] = []
        places.reserveCapacity(elements.count)
        for row in 0..<count {
            // Equal keys keep their order; NULLs stay last both ways.
            let sorted = range(row).sorted { left, right in
                let isNull = (keys.isNull(at: left), keys.isNull(at: right))
                if isNull.0 || isNull.1 { return isNull.0 == isNull.1 ? left < right : isNull.1 }
                let comparison = order(left, right)
                if comparison == 0 { return left < right }
                return kind == .arraySort ? comparison < 0 : comparison > 0
            }
            for place in sorted { places.append(UInt32(place)) }
        }
        return Column(type: type, data: .array(ArrayData(offsets: offsets, elements: elements.gather(places))))
    }
}

extension BoundLambda {
    /// The body over elements: `rows` says to which of the outer rows each belongs.
    func evaluate(
        _ inputs: [Column], _ elements: [Column], rows: [UInt32], context: EvaluationContext
    ) throws(QueryError) -> Column {
        var used: Set<Int> = []
        body.forEachColumn { used.insert($0) }
        let none = Column.constant(.uint(0), type: .uint8, count: rows.count)
        var columns = [Column](repeating: none, count: inputCount)
        // Only the outer columns that the body reads are spread over the elements.
        for index in used where index < min(inputCount, inputs.count) { columns[index] = inputs[index].gather(rows) }
        columns += elements.prefix(parameters.count)
        return try body.evaluate(columns, rowCount: rows.count, context: context)
    }
}

/// The order of two elements of one column.
struct ElementOrder {
    private let compare: (Int, Int) -> Int

    init(_ column: Column) {
        func numbers<Value: Comparable>(_ values: [Value]) -> (Int, Int) -> Int {
            { values[$0] < values[$1] ? -1 : values[$0] == values[$1] ? 0 : 1 }
        }
        let flat = column.flattened()
        switch flat.data {
        case .int64(let values): compare = numbers(values)
        case .uint64(let values): compare = numbers(values)
        case .string(let values):
            compare = { left, right in values.withRows { orderOfBytes($0[left], $0[right]) } }
        case .int8, .int16, .int32, .uint8, .uint16, .uint32: compare = numbers(flat.data.integers(as: Int64.self))
        default: compare = { flat.scalar(at: $0).order(flat.scalar(at: $1)) }
        }
    }

    func callAsFunction(_ left: Int, _ right: Int) -> Int { compare(left, right) }
}

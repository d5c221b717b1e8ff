import Columnar

/// The six comparisons.
enum ComparisonOperator: String, Sendable, CaseIterable {
    case equals, notEquals, less, greater, lessOrEquals, greaterOrEquals

    /// The operator with its sides exchanged.
    var flipped: ComparisonOperator {
        switch self {
        case .equals, .notEquals: self
        case .less: .greater
        case .greater: .less
        case .lessOrEquals: .greaterOrEquals
        case .greaterOrEquals: .lessOrEquals
        }
    }

    /// What it says of an order: negative, zero, positive.
    @inline(__always)
    func holds(_ order: Int) -> Bool {
        switch self {
        case .equals: order == 0
        case .notEquals: order != 0
        case .less: order < 0
        case .greater: order > 0
        case .lessOrEquals: order <= 0
        case .greaterOrEquals: order >= 0
        }
    }
}

enum ComparisonFunctions {
    static let all: [any ScalarFunction] = ComparisonOperator.allCases.map { ComparisonFunction(operation: $0) }
}

/// `a < b` and the like, for all types that can be compared.
struct ComparisonFunction: ScalarFunction {
    let operation: ComparisonOperator

    var name: String { operation.rawValue }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 2...2)
        guard Self.isComparable(arguments[0], arguments[1]) else {
            throw QueryError(
                .illegalArgumentType,
                "Illegal types of arguments (\(arguments[0].type.name), \(arguments[1].type.name)) of function \(name)")
        }
        return .uint8
    }

    private static func isComparable(_ left: FunctionArgument, _ right: FunctionArgument) -> Bool {
        let (first, second) = (left.type.base, right.type.base)
        if first.isNumeric && second.isNumeric || first.isTemporal && second.isTemporal { return true }
        if first == .string && second == .string { return true }
        if first == .string { return left.constantBytes != nil || second.isEnum }
        if second == .string { return right.constantBytes != nil || first.isEnum }
        if first.isNumeric || second.isNumeric {
            let other = first.isNumeric ? second : first
            switch other {
            case .dateTime, .dateTime64, .enum8, .enum16: return true
            case .ipv4: return (first.isNumeric ? first : second).isInteger
            default: return false
            }
        }
        switch (first, second) {
        case (.ipv4, .ipv6), (.ipv6, .ipv4), (.interval, .interval): return true
        case (.array, .array), (.map, .map), (.tuple, .tuple):
            do { return try CommonType.of([first, second]) != .nothing } catch { return false }
        default: return first == second
        }
    }

    func rewritten(
        _ arguments: [BoundExpression]
    ) throws(QueryError) -> (function: any ScalarFunction, arguments: [BoundExpression])? {
        guard arguments.count == 2 else { return nil }
        for index in 0..<2 where arguments[index].type.base == .string {
            let other = arguments[1 - index].type.base
            guard other != .string, other != .nothing, case .string(let bytes)? = arguments[index].constantValue,
                let value = try value(bytes, of: other)
            else { continue }
            var converted = arguments
            converted[index] = .constant(value, other)
            return (self, converted)
        }
        return nil
    }

    /// The string as a value of `type`; nil for an enum that has no such name, which equals nothing.
    private func value(_ bytes: [UInt8], of type: DataType) throws(QueryError) -> Scalar? {
        let text = String(decoding: bytes, as: UTF8.self)
        if case .enum8(let cases) = type { return try caseValue(text, cases) }
        if case .enum16(let cases) = type { return try caseValue(text, cases) }
        do {
            if type == .date {
                // A date with a time is no date: comparing would silently drop the time.
                let days = bytes.withUnsafeBytes { ValueText.parseDate($0) }
                if let days { return .uint(UInt64(min(max(days, 0), 65_535))) }
                if bytes.withUnsafeBytes({ ValueText.parseDateTime($0, zone: .utc) }) != nil {
                    throw QueryError(.typeMismatch, "Cannot convert string '\(text)' to type Date")
                }
                throw QueryError(.cannotParseDate, "Cannot parse date '\(text)': expected YYYY-MM-DD")
            }
            return try ValueText.parseScalar(bytes, type: type)
        } catch let error as QueryError {
            throw error
        } catch {
            let code: QueryError.Code = type.isTemporal ? .cannotParseDateTime : .typeMismatch
            throw QueryError(code, "Cannot convert string '\(text)' to type \(type.name)")
        }
    }

    private func caseValue(_ text: String, _ cases: [EnumCase]) throws(QueryError) -> Scalar? {
        if let found = cases.first(where: { $0.name == text }) { return .int(Int64(found.value)) }
        if operation == .equals || operation == .notEquals { return nil }
        throw unknownEnumElement(text, cases)
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let mask = try compareColumns(operation, arguments[0], arguments[1], count: rowCount)
        return Column(type: .uint8, data: .uint8(mask))
    }
}

extension QueryError.Code {
    static let unknownElementOfEnum = QueryError.Code(691, "UNKNOWN_ELEMENT_OF_ENUM")
}

func unknownEnumElement(_ text: String, _ cases: [EnumCase]) -> QueryError {
    let meant = nearestName(to: text, in: cases.map(\.name))
    return QueryError(
        .unknownElementOfEnum,
        "Unknown element '\(text)' for enum" + (meant.map { ", maybe you meant: ['\($0)']" } ?? ""))
}

extension DataType {
    var isEnum: Bool {
        switch base {
        case .enum8, .enum16: true
        default: false
        }
    }
}

func repeated(_ value: Bool, _ count: Int) -> [UInt8] { [UInt8](repeating: value ? 1 : 0, count: count) }

/// One byte a row: whether `left operation right` holds. Types were checked to be comparable.
func compareColumns(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) throws(QueryError) -> [UInt8] {
    let (first, second) = (left.type.base, right.type.base)
    switch (first, second) {
    case (.string, .string): return compareStrings(operation, left, right, count: count)
    case (.float32, _), (.float64, _), (_, .float32), (_, .float64):
        return compareFloats(operation, secondsIfTicks(left), secondsIfTicks(right), count: count)
    case (.date, .date), (.dateTime, .dateTime): break
    case _ where first.isTemporal && second.isTemporal: return compareTimes(operation, left, right, count: count)
    case (.dateTime64, _), (_, .dateTime64): return compareTimes(operation, left, right, count: count)
    case (.ipv4, .ipv6), (.ipv6, .ipv4):
        return compareColumns128(operation, mappedAddress(left), mappedAddress(right), count: count)
    case (.uuid, .uuid), (.ipv6, .ipv6): return compareColumns128(operation, left, right, count: count)
    case (.string, _), (_, .string):
        // An enum beside strings that differ row by row: by name.
        return compareStrings(operation, asNames(left), asNames(right), count: count)
    case (.interval(let unit), .interval(let other)) where unit != other:
        return compareIntervals(operation, left, right, unit, other, count: count)
    case (.array, _), (.map, _), (.tuple, _):
        let order = try orderOfRows(left, right, count: count)
        return mapValues(order) { byte(operation.holds(Int($0))) }
    default: break
    }
    return compareIntegers(operation, left, right, count: count)
}

private func asNames(_ column: Column) -> Column {
    guard column.type.isEnum else { return column }
    return Column(type: .string, data: .string(ValueText.strings(column)))
}

private func mappedAddress(_ column: Column) -> Column {
    guard column.type.base == .ipv4 else { return column }
    let values = column.integerRows(as: UInt32.self)
    return Column(type: .ipv6, data: .uint128(mapValues(values) { 0xFFFF_0000_0000 | UInt128($0) }))
}

private func compareColumns128(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, count: Int
) -> [UInt8] {
    compareValues(operation, left.integers(as: UInt128.self), right.integers(as: UInt128.self), count: count)
}

private func compareIntervals(
    _ operation: ComparisonOperator, _ left: Column, _ right: Column, _ unit: IntervalUnit, _ other: IntervalUnit,
    count: Int
) -> [UInt8] {
    func approximate(_ column: Column, _ unit: IntervalUnit) -> Operand<Double> {
        .rows(mapValues(column.integerRows(as: Int64.self)) { Double($0) * unit.approximateSeconds })
    }
    return compareValues(operation, approximate(left, unit), approximate(right, other), count: count)
}

extension IntervalUnit {
    var approximateSeconds: Double {
        switch self {
        case .nanosecond: 1e-9
        case .microsecond: 1e-6
        case .millisecond: 1e-3
        case .second: 1
        case .minute: 60
        case .hour: 3600
        case .day: 86_400
        case .week: 604_800
        case .month: 2_629_746
        case .quarter: 7_889_238
        case .year: 31_556_952
        }
    }
}

// MARK: Kernels

/// Compares values of one type.
func compareValues<Value: Comparable & Sendable>(
    _ operation: ComparisonOperator, _ left: Operand<Value>, _ right: Operand<Value>, count: Int
) -> [UInt8] {
    switch operation {
    case .equals: mapPairs(left, right, count: count) { byte($0 == $1) }
    case .notEquals: mapPairs(left, right, count: count) { byte($0 != $1) }
    case .less: mapPairs(left, right, count: count) { byte($0 < $1) }
    case .greater: mapPairs(left, right, count: count) { byte($0 > $1) }
    case .lessOrEquals: mapPairs(left, right, count: count) { byte($0 <= $1) }
    case .greaterOrEquals: mapPairs(left, right, count: count) { byte($0 >= $1) }
    }
}

import Columnar

/// What is known of a condition over all rows of a granule before any is read.
enum Verdict {
    /// No row satisfies it.
    static let never: UInt8 = 0
    static let maybe: UInt8 = 1
    /// Every row satisfies it.
    static let always: UInt8 = 2
}

/// A condition as far as ranges of values can decide it.
///
/// Tests are the query's own comparisons, evaluated on the smallest and the largest value of each granule: types and
/// their conversions are then the same as for rows.
indirect enum PruneCondition: Sendable {
    case all([PruneCondition])
    case any([PruneCondition])
    case not(PruneCondition)
    case range(RangeTest)
    case isNull(column: Int)
    case isNotNull(column: Int)
    case unknown

    /// A comparison of an expression that grows with one column.
    struct RangeTest: Sendable {
        enum Kind: Sendable {
            /// Once true for a value, true for all larger ones.
            case growing(BoundExpression)
            /// Once true for a value, true for all smaller ones.
            case shrinking(BoundExpression)
            /// `below` and `above` compare the same sides by `<` and `>`.
            case equal(BoundExpression, below: BoundExpression, above: BoundExpression)
        }
        var column: Int
        var kind: Kind
        /// Whether rows of a value inside the bounds surely satisfy the condition when the test says so; false for
        /// tests that are only necessary, such as the prefix of a LIKE.
        var isSufficient = true
    }

    /// What `expression` lets be known.
    init(_ expression: BoundExpression) {
        guard case .call(let call) = expression else {
            self = .unknown
            return
        }
        self = Self.condition(call, expression) ?? .unknown
    }

    /// Whether nothing can be known.
    var isUnknown: Bool {
        switch self {
        case .unknown: true
        case .all(let parts): parts.allSatisfy { $0.isUnknown }
        case .any(let parts): parts.contains { $0.isUnknown }
        case .not(let inner): inner.isUnknown
        case .range, .isNull, .isNotNull: false
        }
    }

    /// The columns whose ranges are asked.
    func forEachColumn(_ visit: (Int) -> Void) {
        switch self {
        case .unknown: break
        case .all(let parts), .any(let parts): for part in parts { part.forEachColumn(visit) }
        case .not(let inner): inner.forEachColumn(visit)
        case .range(let test): visit(test.column)
        case .isNull(let column), .isNotNull(let column): visit(column)
        }
    }

    private static func condition(_ call: FunctionCall, _ expression: BoundExpression) -> PruneCondition? {
        let arguments = call.arguments
        switch call.function.name {
        case "and": return .all(arguments.map { PruneCondition($0) })
        case "or": return .any(arguments.map { PruneCondition($0) })
        case "not": return .not(PruneCondition(arguments[0]))
        case "isNull": return plainColumn(arguments[0]).map { .isNull(column: $0) }
        case "isNotNull": return plainColumn(arguments[0]).map { .isNotNull(column: $0) }
        case "less", "lessOrEquals", "greater", "greaterOrEquals":
            return ordering(call.function.name, arguments, expression)
        case "equals": return equality(arguments)
        case "notEquals": return equality(arguments).map { .not($0) }
        case "in": return membership(call)
        case "notIn": return membership(call).map { .not($0) }
        case "startsWith": return prefix(arguments) { $0 }
        case "like": return prefix(arguments) { likePrefix($0) }
        default: return nil
        }
    }

    private static func plainColumn(_ expression: BoundExpression) -> Int? {
        if case .column(let index, _) = expression { return index }
        return nil
    }

    private static func ordering(
        _ name: String, _ arguments: [BoundExpression], _ expression: BoundExpression
    ) -> PruneCondition? {
        let isGreater = name.hasPrefix("greater")
        if let column = growingColumn(arguments[0]), arguments[1].constantValue != nil {
            return .range(RangeTest(column: column, kind: isGreater ? .growing(expression) : .shrinking(expression)))
        }
        if let column = growingColumn(arguments[1]), arguments[0].constantValue != nil {
            return .range(RangeTest(column: column, kind: isGreater ? .shrinking(expression) : .growing(expression)))
        }
        return nil
    }

    private static func equality(_ arguments: [BoundExpression]) -> PruneCondition? {
        var (left, right) = (arguments[0], arguments[1])
        if left.constantValue != nil { (left, right) = (right, left) }
        guard let column = growingColumn(left), right.constantValue != nil else { return nil }
        do throws(QueryError) {
            let sides = [left, right]
            let kind = RangeTest.Kind.equal(
                try FunctionCall.make("equals", arguments: sides),
                below: try FunctionCall.make("less", arguments: sides),
                above: try FunctionCall.make("greater", arguments: sides))
            return .range(RangeTest(column: column, kind: kind))
        } catch {
            return nil
        }
    }

    /// More values than this in IN are not compared one by one with every granule.
    private static let setLimit = 256

    private static func membership(_ call: FunctionCall) -> PruneCondition? {
        guard let values = setMembers(call), values.count <= setLimit, let left = call.arguments.first else {
            return nil
        }
        var parts: [PruneCondition] = []
        for value in values {
            guard let part = equality([left, .constant(value, left.type.base)]) else { return nil }
            parts.append(part)
        }
        return parts.isEmpty ? nil : .any(parts)
    }

    /// The values on the right of IN, as of the left side's type; nil when they are not known.
    static func setMembers(_ call: FunctionCall) -> [Scalar]? { (call.function as? InFunction)?.values?.members }

    private static func prefix(
        _ arguments: [BoundExpression], _ prefix: ([UInt8]) -> [UInt8]?
    ) -> PruneCondition? {
        guard case .column(let column, let type) = arguments[0], type.base == .string,
            case .string(let pattern)? = arguments[1].constantValue, let start = prefix(pattern), !start.isEmpty
        else { return nil }
        // The first string behind all that begin so; there is none behind bytes of 255.
        var end = start
        while let last = end.last, last == 255 { end.removeLast() }
        guard let last = end.popLast() else { return nil }
        end.append(last + 1)
        do throws(QueryError) {
            let from = try FunctionCall.make(
                "greaterOrEquals", arguments: [arguments[0], .constant(.string(start), .string)])
            let below = try FunctionCall.make("less", arguments: [arguments[0], .constant(.string(end), .string)])
            return .all([
                .range(RangeTest(column: column, kind: .growing(from), isSufficient: false)),
                .range(RangeTest(column: column, kind: .shrinking(below), isSufficient: false)),
            ])
        } catch {
            return nil
        }
    }

    /// The literal text before the first wildcard.
    private static func likePrefix(_ pattern: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var index = 0
        while index < pattern.count {
            switch pattern[index] {
            case UInt8(ascii: "%"), UInt8(ascii: "_"): return result
            case UInt8(ascii: "\\"):
                guard index + 1 < pattern.count else { return nil }
                index += 1
                result.append(pattern[index])
            default: result.append(pattern[index])
            }
            index += 1
        }
        return result
    }

    // MARK: What grows with a column

    /// Functions of a time that never fall when it rises.
    private static let growingTimeFunctions: Set<String> = [
        "toDate", "toDateTime", "toDateTime64", "toStartOfSecond", "toStartOfMinute", "toStartOfFiveMinutes",
        "toStartOfTenMinutes", "toStartOfFifteenMinutes", "toStartOfHour", "toStartOfDay", "toStartOfWeek",
        "toStartOfMonth", "toStartOfQuarter", "toStartOfYear", "toStartOfInterval", "toMonday", "toYear", "toYYYYMM",
        "toYYYYMMDD", "toUnixTimestamp", "toUnixTimestamp64Milli", "toUnixTimestamp64Micro", "toUnixTimestamp64Nano",
        "toTimeZone",
    ]

    /// The one column with which the expression grows; nil when that is not known.
    static func growingColumn(_ expression: BoundExpression) -> Int? {
        switch expression {
        case .column(let index, let type): return type.physical.isComparable ? index : nil
        case .call(let call):
            guard growingTimeFunctions.contains(call.function.name), let first = call.arguments.first,
                first.type.isTemporal, call.arguments.dropFirst().allSatisfy({ $0.constantValue != nil })
            else { return nil }
            return growingColumn(first)
        case .constant, .lambda: return nil
        }
    }
}

extension PhysicalType {
    /// Whether values have an order that ranges can be kept of.
    var isComparable: Bool {
        switch self {
        case .array, .map, .tuple: false
        default: true
        }
    }
}

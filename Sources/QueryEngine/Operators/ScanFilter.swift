import Columnar
import Synchronization

/// One part of WHERE, with what helps to decide it cheaply.
final class ScanFilter: Sendable {
    let expression: BoundExpression
    /// As it reads in the query, for EXPLAIN.
    let text: String
    /// The input columns it reads.
    let columns: [Int]
    let condition: PruneCondition
    /// Where it stands among the others: cheap ones first.
    let cost: Int
    /// A string column and the values one of which it must have: asked of Bloom filters and dictionaries.
    let wanted: (column: Int, values: [[UInt8]])?
    /// The column it reads alone: then it is decided once a dictionary value.
    let onlyColumn: Int?
    private let evaluation: EvaluationContext
    private let masks = Mutex<[Mask]>([])

    /// Which codes of a dictionary satisfy the filter.
    final class Mask: Sendable {
        let dictionary: ValueDictionary
        /// 1 a code that does.
        let codes: [UInt8]
        /// Whether NULL does.
        let takesNull: Bool
        let isEmpty: Bool

        init(dictionary: ValueDictionary, codes: [UInt8], takesNull: Bool) {
            self.dictionary = dictionary
            self.codes = codes
            self.takesNull = takesNull
            isEmpty = !takesNull && !codes.contains(1)
        }
    }

    init(_ expression: BoundExpression, text: String, evaluation: EvaluationContext) {
        self.expression = expression
        self.text = text
        self.evaluation = evaluation
        var found: Set<Int> = []
        expression.forEachColumn { found.insert($0) }
        columns = found.sorted()
        condition = PruneCondition(expression)
        cost = ScanFilter.cost(expression) + (expression.canFail ? 1_000_000 : 0)
        wanted = ScanFilter.wantedValues(expression)
        onlyColumn = columns.count == 1 && expression.isDeterministic ? columns.first : nil
    }

    /// The filter decided for each value of a dictionary; computed once a query.
    func mask(_ dictionary: ValueDictionary, type: DataType) throws(QueryError) -> Mask? {
        guard let onlyColumn else { return nil }
        if let known = masks.withLock({ $0.first { $0.dictionary === dictionary } }) { return known }
        var inputs = [Column](repeating: emptyColumn, count: onlyColumn)
        inputs.append(dictionary.values)
        let count = dictionary.values.count
        let codes: [UInt8]
        do throws(QueryError) {
            codes = truthMask(try expression.evaluate(inputs, rowCount: count, context: evaluation))
        } catch {
            // A value that no row has may be what fails; the rows themselves will tell.
            return nil
        }
        var takesNull = false
        if type.isNullable {
            inputs[onlyColumn] = Column.constant(.null, type: type, count: 1)
            takesNull = truthMask(try expression.evaluate(inputs, rowCount: 1, context: evaluation)).first == 1
        }
        let mask = Mask(dictionary: dictionary, codes: codes, takesNull: takesNull)
        masks.withLock { $0.append(mask) }
        return mask
    }

    // MARK: Estimates

    private static let textSearches: Set<String> = [
        "like", "ilike", "notLike", "notILike", "match", "position", "positionCaseInsensitive", "extract",
        "multiSearchAny", "hasToken", "replaceRegexpAll", "replaceRegexpOne", "splitByChar", "splitByString",
    ]

    /// Roughly nanoseconds a row.
    private static func cost(_ expression: BoundExpression) -> Int {
        switch expression {
        case .constant: return 0
        case .column(_, let type):
            if case .lowCardinality = type { return 1 }
            return type.physical.isWord ? 2 : 10
        case .call(let call):
            let own = textSearches.contains(call.function.name) ? 40 : 2
            return call.arguments.reduce(own) { $0 + cost($1) }
        case .lambda(let lambda): return 20 + cost(lambda.body)
        }
    }

    private static func wantedValues(_ expression: BoundExpression) -> (column: Int, values: [[UInt8]])? {
        guard case .call(let call) = expression, let first = call.arguments.first else { return nil }
        switch call.function.name {
        case "equals":
            guard call.arguments.count == 2 else { return nil }
            let (left, right) = first.constantValue == nil ? (first, call.arguments[1]) : (call.arguments[1], first)
            guard let column = stringColumn(left), case .string(let value)? = right.constantValue else { return nil }
            return (column, [value])
        case "in":
            guard let column = stringColumn(first), let set = PruneCondition.setMembers(call), set.count <= 64 else {
                return nil
            }
            var values: [[UInt8]] = []
            for case .string(let value) in set { values.append(value) }
            return values.count == set.count ? (column, values) : nil
        default: return nil
        }
    }

    private static func stringColumn(_ expression: BoundExpression) -> Int? {
        guard case .column(let column, let type) = expression, type.base == .string else { return nil }
        return column
    }
}

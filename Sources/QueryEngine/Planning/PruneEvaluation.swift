import Columnar

/// Ranges of the columns of one source: of all its granules, or of the source as a whole.
struct SourceRanges {
    struct Bounds {
        /// One row a granule.
        var minimum: Column
        var maximum: Column
        /// 1 where the range is known and some value is not NULL.
        var isKnown: [UInt8]
        /// 1 where all rows are NULL.
        var isAllNull: [UInt8]
        /// 1 where it is known that no row is NULL.
        var hasNoNulls: [UInt8]
        /// Floats: NaN lies in no range.
        var mayHoldNaN: Bool
    }

    let count: Int
    private let bounds: [Int: Bounds]

    /// The ranges of these columns over each granule, or over the whole source.
    init(_ source: any GranuleSource, columns: [ColumnDefinition], indices: Set<Int>, wholeSource: Bool) {
        count = wholeSource ? 1 : source.granuleCount
        var bounds: [Int: Bounds] = [:]
        for index in indices {
            let column = columns[index]
            let ranges = (0..<count).map { granule in
                wholeSource ? source.range(column: column.name) : source.range(column: column.name, granule: granule)
            }
            let rows = (0..<count).map { wholeSource ? source.rowCount : source.rowCount(granule: $0) }
            bounds[index] = Self.bounds(ranges, rows, column.type)
        }
        self.bounds = bounds
    }

    private static func bounds(_ ranges: [ValueRange?], _ rows: [Int], _ type: DataType) -> Bounds {
        let spare = type.base.defaultScalar
        func value(_ scalar: Scalar?) -> Scalar { scalar == nil || scalar == .null ? spare : scalar ?? spare }
        let bare = type.base
        return Bounds(
            minimum: Column(type: bare, scalars: ranges.map { value($0?.minimum) }),
            maximum: Column(type: bare, scalars: ranges.map { value($0?.maximum) }),
            isKnown: ranges.map { $0 != nil && $0?.minimum != .null && $0?.maximum != .null ? 1 : 0 },
            isAllNull: zip(ranges, rows).map { range, rows in
                guard let range else { return 0 }
                return range.nullCount == rows ? 1 : 0
            },
            hasNoNulls: ranges.map { $0?.nullCount == 0 ? 1 : 0 }, mayHoldNaN: type.isFloat)
    }

    subscript(column: Int) -> Bounds? { bounds[column] }
}

extension PruneCondition {
    /// The verdict for each granule (or for the source).
    func verdicts(_ ranges: SourceRanges, context: EvaluationContext) -> [UInt8] {
        let unknown = [UInt8](repeating: Verdict.maybe, count: ranges.count)
        switch self {
        case .unknown: return unknown
        case .all(let parts):
            return parts.reduce([UInt8](repeating: Verdict.always, count: ranges.count)) { result, part in
                zip(result, part.verdicts(ranges, context: context)).map { min($0, $1) }
            }
        case .any(let parts):
            return parts.reduce([UInt8](repeating: Verdict.never, count: ranges.count)) { result, part in
                zip(result, part.verdicts(ranges, context: context)).map { max($0, $1) }
            }
        case .not(let inner): return negated(inner, ranges, context)
        case .isNull(let column):
            guard let bounds = ranges[column] else { return unknown }
            return (0..<ranges.count).map {
                bounds.isAllNull[$0] != 0 ? Verdict.always : bounds.hasNoNulls[$0] != 0 ? Verdict.never : Verdict.maybe
            }
        case .isNotNull(let column):
            return PruneCondition.isNull(column: column).verdicts(ranges, context: context).map { 2 - $0 }
        case .range(let test):
            guard let bounds = ranges[test.column] else { return unknown }
            // Whatever goes wrong at the bounds goes wrong, or not, with the rows.
            do throws(QueryError) {
                return try test.verdicts(bounds, count: ranges.count, context: context)
            } catch {
                return unknown
            }
        }
    }

    /// NOT turns "no row" into "every row" only where no row is NULL or NaN, and the reverse always.
    private func negated(_ inner: PruneCondition, _ ranges: SourceRanges, _ context: EvaluationContext) -> [UInt8] {
        var columns: [Int] = []
        var hasSetTest = false
        inner.forEachColumn { columns.append($0) }
        inner.forEachRangeTest { if !$0.isSufficient { hasSetTest = true } }
        let verdicts = inner.verdicts(ranges, context: context)
        return verdicts.indices.map { granule in
            switch verdicts[granule] {
            case Verdict.always: return Verdict.never
            case Verdict.never:
                let isCertain =
                    !hasSetTest
                    && columns.allSatisfy { column in
                        guard let bounds = ranges[column] else { return false }
                        return bounds.hasNoNulls[granule] != 0 && !bounds.mayHoldNaN
                    }
                return isCertain ? Verdict.always : Verdict.maybe
            default: return Verdict.maybe
            }
        }
    }

    private func forEachRangeTest(_ visit: (RangeTest) -> Void) {
        switch self {
        case .range(let test): visit(test)
        case .all(let parts), .any(let parts): for part in parts { part.forEachRangeTest(visit) }
        case .not(let inner): inner.forEachRangeTest(visit)
        case .isNull, .isNotNull, .unknown: break
        }
    }
}

extension PruneCondition.RangeTest {
    func verdicts(
        _ bounds: SourceRanges.Bounds, count: Int, context: EvaluationContext
    ) throws(QueryError) -> [UInt8] {
        // true at the end where it must be true for any row / at both ends.
        let canHold: [UInt8]
        let mustHold: [UInt8]
        switch kind {
        case .growing(let test):
            canHold = try holds(test, bounds.maximum, context)
            mustHold = try holds(test, bounds.minimum, context)
        case .shrinking(let test):
            canHold = try holds(test, bounds.minimum, context)
            mustHold = try holds(test, bounds.maximum, context)
        case .equal(let test, let below, let above):
            let allBelow = try holds(below, bounds.maximum, context)
            let allAbove = try holds(above, bounds.minimum, context)
            canHold = zip(allBelow, allAbove).map { ($0 | $1) ^ 1 }
            let atMinimum = try holds(test, bounds.minimum, context)
            mustHold = zip(atMinimum, try holds(test, bounds.maximum, context)).map { $0 & $1 }
        }
        return (0..<count).map { granule in
            if bounds.isAllNull[granule] != 0 { return Verdict.never }
            if bounds.isKnown[granule] == 0 { return Verdict.maybe }
            if canHold[granule] == 0 { return Verdict.never }
            let isCertain = isSufficient && !bounds.mayHoldNaN && bounds.hasNoNulls[granule] != 0
            return mustHold[granule] != 0 && isCertain ? Verdict.always : Verdict.maybe
        }
    }

    private func holds(
        _ test: BoundExpression, _ values: Column, _ context: EvaluationContext
    ) throws(QueryError) -> [UInt8] {
        // The other inputs are never looked at.
        var inputs = [Column](repeating: emptyColumn, count: column)
        inputs.append(values)
        return truthMask(try test.evaluate(inputs, rowCount: values.count, context: context))
    }
}

/// Stands where an input is not read.
let emptyColumn = Column(type: .nothing, data: .uint8([]))

import Columnar

/// Computes what leaves a SELECT: the projections, then the columns of LIMIT BY, then sort keys that are no
/// projections.
struct Projector: Sendable {
    private let having: BoundExpression?
    private let expressions: [BoundExpression]
    private let types: [DataType]
    private let evaluation: EvaluationContext
    /// Where each ORDER BY item's values lie.
    let sortColumns: [Int]

    init(_ plan: SelectPlan, context: QueryContext) {
        having = plan.having
        evaluation = context.evaluation
        var expressions = plan.projections.map(\.expression) + (plan.limitBy?.columns ?? [])
        var sortColumns: [Int] = []
        for item in plan.orderBy {
            if let projection = item.projection {
                sortColumns.append(projection)
            } else {
                sortColumns.append(expressions.count)
                expressions.append(item.expression)
            }
        }
        self.expressions = expressions
        self.sortColumns = sortColumns
        types = expressions.map(\.type)
    }

    /// The columns for the rows that pass HAVING; nil when none does.
    func project(_ frame: Frame) throws(QueryError) -> Frame? {
        var frame = frame
        if let having {
            frame = frame.filter(
                truthMask(try having.evaluate(frame.columns, rowCount: frame.rowCount, context: evaluation)))
        }
        return frame.rowCount == 0 ? nil : try columns(frame)
    }

    /// Which rows pass HAVING.
    func havingMask(_ frame: Frame) throws(QueryError) -> [UInt8] {
        guard let having else { return [UInt8](repeating: 1, count: frame.rowCount) }
        return truthMask(try having.evaluate(frame.columns, rowCount: frame.rowCount, context: evaluation))
    }

    /// The columns for all rows.
    func columns(_ frame: Frame) throws(QueryError) -> Frame {
        var result: [Column] = []
        result.reserveCapacity(expressions.count)
        for (index, expression) in expressions.enumerated() {
            var column = try expression.evaluate(frame.columns, rowCount: frame.rowCount, context: evaluation)
            column.type = types[index]
            result.append(column)
        }
        return Frame(columns: result, rowCount: frame.rowCount)
    }
}

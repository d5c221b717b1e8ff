import Columnar

/// Turns a parsed SELECT into a plan.
struct SelectBinder {
    private let context: QueryContext
    private let query: SelectQuery
    private let named: [String: SelectQuery]
    private let depth: Int

    /// Queries within queries; each level costs stack.
    private static let maximumDepth = 40

    init(_ query: SelectQuery, context: QueryContext, named: [String: SelectQuery], depth: Int) {
        self.query = query
        self.context = context
        self.depth = depth
        var all = named
        for expression in query.with {
            if case .subquery(let inner) = expression.kind, let name = expression.alias { all[name] = inner }
        }
        self.named = all
    }

    /// The plan. Subqueries that stand for values run meanwhile.
    func plan() throws(QueryError) -> SelectPlan {
        if depth > Self.maximumDepth {
            throw QueryError(.badArguments, "Queries are nested deeper than \(Self.maximumDepth) levels")
        }
        let lookup = TableLookup(context: context, named: named, depth: depth)
        let (source, qualifiers) = try lookup.source(query.from)
        var resolver = NameResolver(columns: source.columns.map(\.name), qualifiers: qualifiers)
        for expression in query.with { try resolver.collectAliases(expression) }
        let selected = try expandAsterisks(source, resolver)
        for expression in selected { try resolver.collectAliases(expression) }
        for expression in query.groupBy + query.orderBy.map(\.expression) { try resolver.collectAliases(expression) }
        for expression in [query.prewhere, query.whereClause, query.having] {
            if let expression { try resolver.collectAliases(expression) }
        }

        let binder = ExpressionBinder(context: context, inputs: source.columns, named: named, depth: depth)
        var work = Work(plan: SelectPlan(source: source), resolver: resolver, input: binder, output: binder)
        work.selected = try selected.map { (expression) throws(QueryError) in try resolver.resolve(expression) }
        work.names = selected.map(\.columnName)
        try bindArrayJoins(&work)
        try bindFilters(&work)
        try bindGrouping(&work)
        try bindOutput(&work)
        try bindLimits(&work)
        return work.plan
    }

    private struct Work {
        var plan: SelectPlan
        var resolver: NameResolver
        /// Binds over the source's columns.
        var input: ExpressionBinder
        /// Binds over what the projections read.
        var output: ExpressionBinder
        /// The projections with names resolved, and what they are called.
        var selected: [Expression] = []
        var names: [String] = []
    }

    // MARK: SELECT list

    private func expandAsterisks(
        _ source: PlanSource, _ resolver: NameResolver
    ) throws(QueryError) -> [Expression] {
        var result: [Expression] = []
        for expression in query.projections {
            guard case .asterisk(let qualifier) = expression.kind else {
                result.append(expression)
                continue
            }
            if let qualifier, !resolver.qualifiers.contains(qualifier) {
                throw QueryError(
                    .unknownIdentifier, "Unknown table '\(qualifier)' before .*", at: expression.start)
            }
            if source.columns.isEmpty {
                throw QueryError(.badArguments, "SELECT * needs columns: there is no FROM", at: expression.start)
            }
            for column in source.columns {
                result.append(Expression(.identifier([column.name]), start: expression.start, end: expression.end))
            }
        }
        return result
    }

    // MARK: arrayJoin

    private func bindArrayJoins(_ work: inout Work) throws(QueryError) {
        var found: [Expression] = []
        for expression in work.selected { Self.collectArrayJoins(expression, into: &found) }
        for expression in [query.prewhere, query.whereClause] + query.groupBy.map({ $0 }) {
            if let expression { Self.collectArrayJoins(try work.resolver.resolve(expression), into: &found) }
        }
        var columns: [String: (index: Int, type: DataType)] = [:]
        for expression in found where columns[expression.key] == nil {
            guard case .function(_, _, let arguments, _) = expression.kind, arguments.count == 1 else {
                throw QueryError(.wrongArgumentCount, "arrayJoin takes exactly 1 argument", at: expression.start)
            }
            let array = try work.input.bind(arguments[0])
            guard case .array(let element) = array.type.base else {
                throw QueryError(
                    .illegalArgumentType, "Argument of function arrayJoin must be an array, not \(array.type.name)",
                    at: expression.start)
            }
            columns[expression.key] = (work.input.inputs.count + work.plan.arrayJoins.count, element)
            work.plan.arrayJoins.append(array)
        }
        work.input.arrayJoinColumns = columns
    }

    private static func collectArrayJoins(_ expression: Expression, into found: inout [Expression]) {
        guard case .function(let name, _, let arguments, _) = expression.kind else { return }
        if name == "arrayJoin" {
            found.append(expression)
            return
        }
        for argument in arguments { collectArrayJoins(argument, into: &found) }
    }

    // MARK: WHERE

    private func bindFilters(_ work: inout Work) throws(QueryError) {
        let sourceCount = work.input.inputs.count
        for (clause, written) in [("PREWHERE", query.prewhere), ("WHERE", query.whereClause)] {
            guard let written else { continue }
            work.input.clause = clause
            for part in Self.conjuncts(try work.resolver.resolve(written)) {
                let bound = try work.input.bind(part)
                try Self.checkCondition(bound.type, clause, at: part.start)
                var readsElements = false
                bound.forEachColumn { if $0 >= sourceCount { readsElements = true } }
                if readsElements {
                    work.plan.lateFilters.append(bound)
                } else {
                    work.plan.filters.append(bound)
                    work.plan.filterTexts.append(part.columnName)
                }
            }
        }
    }

    /// The parts of nested ANDs.
    private static func conjuncts(_ expression: Expression) -> [Expression] {
        guard case .function("and", _, let arguments, _) = expression.kind else { return [expression] }
        return arguments.flatMap { conjuncts($0) }
    }

    private static func checkCondition(_ type: DataType, _ clause: String, at position: Int) throws(QueryError) {
        guard type.isNumeric || type.base == .nothing else {
            throw QueryError(
                QueryError.Code(59, "ILLEGAL_TYPE_OF_COLUMN_FOR_FILTER"),
                "Illegal type \(type.name) of expression for \(clause): must be a number or Bool", at: position)
        }
    }

    // MARK: GROUP BY

    private func bindGrouping(_ work: inout Work) throws(QueryError) {
        var hasAggregates = !query.groupBy.isEmpty || query.withTotals
        var searched = work.selected
        if let having = query.having { searched.append(try work.resolver.resolve(having)) }
        for item in query.orderBy {
            if positional(item.expression) == nil { searched.append(try work.resolver.resolve(item.expression)) }
        }
        if searched.contains(where: { Self.containsAggregate($0) }) { hasAggregates = true }
        guard hasAggregates else {
            if let having = query.having, query.groupBy.isEmpty {
                // HAVING without aggregation filters like WHERE, as in ClickHouse.
                work.plan.having = try work.output.bind(try work.resolver.resolve(having))
            }
            return
        }
        let grouping = ExpressionBinder.Grouping(input: work.input)
        work.input.clause = "GROUP BY"
        var keys: [BoundExpression] = []
        var texts: [String] = []
        for written in query.groupBy {
            var expression = try work.resolver.resolve(written)
            if let place = positional(written) {
                guard place >= 1, place <= work.selected.count else {
                    throw outOfBounds(place, work.selected.count, at: written.start)
                }
                expression = work.selected[place - 1]
                if Self.containsAggregate(expression) {
                    throw QueryError(
                        .illegalAggregation, "GROUP BY \(place) names the aggregate \(expression.columnName)",
                        at: written.start)
                }
            }
            let key = expression.key
            if grouping.keys[key] != nil { continue }
            let bound = try work.input.bind(expression)
            grouping.keys[key] = (keys.count, bound.type)
            keys.append(bound)
            texts.append(expression.columnName)
        }
        grouping.keyCount = keys.count
        let output = ExpressionBinder(context: context, inputs: work.input.inputs, named: named, depth: depth)
        output.grouping = grouping
        work.output = output
        work.plan.aggregation = SelectPlan.Aggregation(
            keys: keys, keyTexts: texts, aggregates: [], withTotals: query.withTotals)
    }

    private static func containsAggregate(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .function(let name, _, let arguments, let isDistinct):
            if AggregateRegistry.isAggregate(name), isDistinct || FunctionRegistry.lookup(name) == nil { return true }
            return arguments.contains { containsAggregate($0) }
        case .lambda(_, let body): return containsAggregate(body)
        default: return false
        }
    }

    private func positional(_ expression: Expression) -> Int? {
        guard case .literal(.unsigned(let value)) = expression.kind else { return nil }
        return Int(clamping: value)
    }

    private func outOfBounds(_ place: Int, _ count: Int, at position: Int) -> QueryError {
        QueryError(
            .badArguments,
            "Positional argument number \(place) is out of bounds. Expected in range [1, \(count)]", at: position)
    }

    // MARK: What comes after

    private func bindOutput(_ work: inout Work) throws(QueryError) {
        for (index, expression) in work.selected.enumerated() {
            work.plan.projections.append(
                SelectPlan.Projection(name: work.names[index], expression: try work.output.bind(expression)))
        }
        if work.plan.aggregation != nil, let having = query.having {
            let resolved = try work.resolver.resolve(having)
            let bound = try work.output.bind(resolved)
            try Self.checkCondition(bound.type, "HAVING", at: having.start)
            work.plan.having = bound
        }
        work.plan.isDistinct = query.isDistinct
        for item in query.orderBy { try bindOrder(item, &work) }
        if let limitBy = query.limitBy {
            var columns: [BoundExpression] = []
            for column in limitBy.columns {
                columns.append(try work.output.bind(try outputExpression(column, work)))
            }
            work.plan.limitBy = SelectPlan.LimitByPlan(
                limit: try limit(limitBy.limit, "LIMIT"), offset: try limitBy.offset.map(offset) ?? 0,
                columns: columns)
        }
        // All aggregates are known only now.
        if let grouping = work.output.grouping { work.plan.aggregation?.aggregates = grouping.aggregates }
    }

    private func outputExpression(_ expression: Expression, _ work: Work) throws(QueryError) -> Expression {
        guard let place = positional(expression) else { return try work.resolver.resolve(expression) }
        guard place >= 1, place <= work.selected.count else {
            throw outOfBounds(place, work.selected.count, at: expression.start)
        }
        return work.selected[place - 1]
    }

    private func bindOrder(_ item: OrderByItem, _ work: inout Work) throws(QueryError) {
        if case .identifier(let parts) = item.expression.kind, parts.count == 1, parts[0].lowercased() == "all",
            work.resolver.columnName(parts) == nil, work.resolver.aliases[parts[0]] == nil
        {
            for (index, projection) in work.plan.projections.enumerated() {
                work.plan.orderBy.append(
                    SelectPlan.SortItem(
                        expression: projection.expression, descending: item.descending, nullsFirst: item.nullsFirst,
                        text: work.names[index], projection: index))
            }
            return
        }
        let expression = try outputExpression(item.expression, work)
        let bound = try work.output.bind(expression)
        if bound.constantValue != nil { return }
        work.plan.orderBy.append(
            SelectPlan.SortItem(
                expression: bound, descending: item.descending, nullsFirst: item.nullsFirst,
                text: expression.columnName,
                projection: work.selected.firstIndex { $0.key == expression.key }))
    }

    private func bindLimits(_ work: inout Work) throws(QueryError) {
        if let written = query.limit { work.plan.limit = try limit(written, "LIMIT") }
        if let written = query.offset { work.plan.offset = try offset(written) }
    }

    private func limit(_ expression: Expression, _ clause: String) throws(QueryError) -> Int {
        Int(clamping: min(try constantUnsigned(expression, what: "\(clause) expression", context: context), 1 << 60))
    }

    private func offset(_ expression: Expression) throws(QueryError) -> Int { try limit(expression, "OFFSET") }
}

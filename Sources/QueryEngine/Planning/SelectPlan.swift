import Columnar

/// A SELECT with all names and types resolved: what the operators need to run it.
///
/// Expressions before the aggregation read input columns: the source's columns by their place there, then one column
/// for each arrayJoin. Expressions after it read the group keys and then the aggregates; without aggregation they
/// read input columns too.
struct SelectPlan {
    /// Where rows come from.
    var source: PlanSource
    /// Parts of WHERE that must all hold.
    var filters: [BoundExpression] = []
    /// Arrays whose elements become rows of their own.
    var arrayJoins: [BoundExpression] = []
    /// Parts of WHERE that read elements of arrayJoins.
    var lateFilters: [BoundExpression] = []
    /// nil when the query does not aggregate.
    var aggregation: Aggregation?
    /// HAVING.
    var having: BoundExpression?
    /// The result's columns.
    var projections: [Projection] = []
    var isDistinct = false
    var orderBy: [SortItem] = []
    var limitBy: LimitByPlan?
    var limit: Int?
    var offset = 0
    /// What the source's columns mean to EXPLAIN: the text of each filter.
    var filterTexts: [String] = []

    struct Projection {
        var name: String
        var expression: BoundExpression
    }

    struct SortItem {
        var expression: BoundExpression
        var descending: Bool
        var nullsFirst: Bool
        var text: String
        /// The projection that is the same expression, if one is.
        var projection: Int?
    }

    struct LimitByPlan {
        var limit: Int
        var offset: Int
        var columns: [BoundExpression]
    }

    struct Aggregation {
        var keys: [BoundExpression]
        var keyTexts: [String]
        var aggregates: [AggregateCall]
        var withTotals: Bool
    }

    struct AggregateCall {
        var function: AggregateFunction
        var arguments: [BoundExpression]
        var text: String
        /// Another call, before this one, whose state holds this one's result too.
        var sharedWith: Int?
    }
}

/// Where the rows of a SELECT come from.
enum PlanSource {
    case table(name: String, snapshot: any TableSnapshot)
    case subquery(SelectExecutor)

    /// The columns, in order.
    var columns: [(name: String, type: DataType)] {
        switch self {
        case .table(_, let snapshot): snapshot.columns.map { ($0.name, $0.type) }
        case .subquery(let executor): executor.columns
        }
    }
}

import Columnar

/// A parsed statement.
public indirect enum Statement: Sendable {
    case select(SelectQuery)
    case insert(InsertStatement)
    case createTable(CreateTableStatement)
    case createDatabase(name: String, ifNotExists: Bool)
    case dropTable(TableName, ifExists: Bool)
    case truncateTable(TableName, ifExists: Bool)
    case alterTable(TableName, [AlterAction])
    case showTables(database: String?, like: String?)
    case showDatabases
    case showCreateTable(TableName)
    case describe(TableName)
    /// DESCRIBE (SELECT …): the columns of a result.
    case describeQuery(SelectQuery)
    case exists(TableName)
    case existsDatabase(String)
    case explain(ExplainKind, SelectQuery)
    case optimize(TableName, final: Bool)
    case use(String)
    case set([Setting])
}

/// A statement with what follows it: `FORMAT x`, `SETTINGS …`.
public struct ParsedQuery: Sendable {
    /// What is to be done.
    public var statement: Statement
    /// The name after FORMAT, as written; for INSERT the format of the data.
    public var format: String?
    /// The SETTINGS clause.
    public var settings: [Setting]
    /// For INSERT: byte offset in the text where inline data begins; nil for others.
    public var dataOffset: Int?

    /// Creates a parsed query.
    public init(statement: Statement, format: String? = nil, settings: [Setting] = [], dataOffset: Int? = nil) {
        self.statement = statement
        self.format = format
        self.settings = settings
        self.dataOffset = dataOffset
    }
}

/// `name = value` of SETTINGS or SET; the value as text.
public struct Setting: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The value as text.
    public var value: String
    /// Byte offset in the SQL text.
    public var position: Int
}

/// `database.table`. Topic names have dots, so `app.logs` may be a table of its own: whoever resolves it tries the
/// whole dotted name as a table first, then database and table.
public struct TableName: Sendable, Hashable {
    /// The part before the dot, if written.
    public var database: String?
    /// The table's own name.
    public var table: String
    /// Byte offset in the SQL text.
    public var position: Int
}

/// What EXPLAIN shows.
public enum ExplainKind: Sendable, Hashable {
    /// EXPLAIN, EXPLAIN PLAN [indexes = 1]: operators, granules read and skipped, and why.
    case plan
    /// EXPLAIN SYNTAX: the query written back.
    case syntax
    /// EXPLAIN AST.
    case ast
}

/// SELECT.
public struct SelectQuery: Sendable {
    /// WITH expr AS name: named expressions.
    public var with: [Expression] = []
    /// SELECT DISTINCT.
    public var isDistinct = false
    /// What is selected.
    public var projections: [Expression] = []
    /// The FROM clause; nil selects one row of nothing.
    public var from: FromClause?
    /// The PREWHERE condition.
    public var prewhere: Expression?
    /// The WHERE condition.
    public var whereClause: Expression?
    /// The GROUP BY expressions.
    public var groupBy: [Expression] = []
    /// GROUP BY … WITH TOTALS.
    public var withTotals = false
    /// The HAVING condition.
    public var having: Expression?
    /// The ORDER BY items.
    public var orderBy: [OrderByItem] = []
    /// LIMIT n [OFFSET m] BY columns.
    public var limitBy: LimitBy?
    /// How many rows at most.
    public var limit: Expression?
    /// How many rows are left out first.
    public var offset: Expression?
    /// The SETTINGS clause.
    public var settings: [Setting] = []
    /// Further SELECTs joined by UNION ALL.
    public var unionAll: [SelectQuery] = []
    /// How deep the tree is; set and bounded by the parser.
    var depth = 1

    /// Creates an empty query, filled by the parser.
    public init() {}
}

/// LIMIT n BY columns.
public struct LimitBy: Sendable {
    /// How many rows at most.
    public var limit: Expression
    /// How many rows are left out first.
    public var offset: Expression?
    /// The columns.
    public var columns: [Expression]
}

/// Where rows come from.
public indirect enum FromClause: Sendable {
    case table(TableName, alias: String?)
    case subquery(SelectQuery, alias: String?)
    /// A table function such as `numbers(10)`.
    case function(name: String, arguments: [Expression], alias: String?, position: Int)
}

/// One item of ORDER BY.
public struct OrderByItem: Sendable {
    /// What is sorted by.
    public var expression: Expression
    /// DESC.
    public var descending = false
    /// NULLS FIRST; ClickHouse puts NULLs (and NaN) last by default, in both directions.
    public var nullsFirst = false
}

/// An expression with the place it came from.
public struct Expression: Sendable {
    /// What the expression is.
    public var kind: Kind
    /// `AS name`.
    public var alias: String?
    /// Byte offsets in the SQL text: [start, end). `columnName` names a column without alias.
    public var start: Int
    /// Byte offset just past the expression.
    public var end: Int
    /// How deep the tree is; set and bounded by the parser, so that code that walks it may recurse.
    var depth = 1

    /// The forms of an expression.
    public indirect enum Kind: Sendable {
        case literal(Literal)
        /// `a`, `t.a`, `details.meta_a`: the parts between the dots, unquoted.
        case identifier([String])
        /// `*`; with a qualifier `t.*`.
        case asterisk(qualifier: String?)
        /// Functions and, under their ClickHouse function names, all operators: `a + b` is `plus(a, b)`, `NOT a`
        /// `not(a)`, `a IN (…)` `in(a, tuple(…))`, `a ? b : c` and CASE WHEN `if`/`multiIf`, `a[1]` `arrayElement`,
        /// `a BETWEEN b AND c` `and(greaterOrEquals(a, b), lessOrEquals(a, c))`, `a IS NULL` `isNull(a)`,
        /// `a::T` and `CAST(a AS T)` `CAST(a, 'T')`, `INTERVAL 5 MINUTE` `toIntervalMinute(5)`, `[1, 2]` `array(1, 2)`,
        /// `(a, b)` `tuple(a, b)`, `a LIKE b` `like`, ILIKE `ilike`, NOT LIKE `notLike`, `-a` `negate(a)`, `||`
        /// `concat`.
        /// `parameters` are those of `quantile(0.5)(x)`. `isDistinct` for `count(DISTINCT x)`.
        case function(name: String, parameters: [Expression], arguments: [Expression], isDistinct: Bool)
        /// `x -> expr`, `(x, y) -> expr`.
        case lambda(parameters: [String], body: Expression)
        /// `(SELECT …)` as a value, or at the right of IN.
        case subquery(SelectQuery)
        /// `{name:Type}`; replaced by a literal before planning.
        case parameter(name: String, type: String)
    }

    /// A constant as written.
    public enum Literal: Sendable, Hashable {
        case null
        case bool(Bool)
        case unsigned(UInt64)
        /// Negative integers (`-5` is folded by the parser).
        case signed(Int64)
        case float(Double)
        case string([UInt8])
    }

    /// Creates an expression.
    public init(_ kind: Kind, alias: String? = nil, start: Int, end: Int) {
        self.kind = kind
        self.alias = alias
        self.start = start
        self.end = end
    }
}

/// INSERT INTO table (columns) VALUES … | FORMAT … | SELECT ….
public struct InsertStatement: Sendable {
    /// The table's own name.
    public var table: TableName
    /// The columns named, in order; nil for all.
    public var columns: [String]?
    /// Where the rows come from.
    public var source: Source

    /// Where inserted rows come from.
    public enum Source: Sendable {
        /// VALUES (…), (…): the data is the text from `ParsedQuery.dataOffset` on.
        case values
        /// FORMAT name: likewise.
        case format(String)
        case select(SelectQuery)
    }
}

/// CREATE TABLE in ClickHouse's syntax.
public struct CreateTableStatement: Sendable {
    /// The name.
    public var name: TableName
    /// IF NOT EXISTS.
    public var ifNotExists = false
    /// The columns.
    public var columns: [ColumnDefinition] = []
    /// ENGINE as written, empty when absent.
    public var engine = ""
    /// ORDER BY (PRIMARY KEY when that alone is given): column names only.
    public var orderBy: [String] = []
    /// PARTITION BY, nil when absent.
    public var partitionBy: Expression?
    /// TTL, nil when absent.
    public var ttl: Expression?
    /// The SETTINGS clause.
    public var settings: [Setting] = []
    /// The COMMENT clause.
    public var comment = ""
    /// What was read and has no meaning here (CODEC, INDEX, …), said to the user.
    public var ignored: [String] = []
}

/// One action of ALTER TABLE.
public enum AlterAction: Sendable {
    case addColumn(ColumnDefinition, ifNotExists: Bool, after: String?)
    case dropColumn(String, ifExists: Bool)
    case modifyTTL(Expression)
    case modifySettings([Setting])
    case commentColumn(String, String)
}

/// Why a query failed: ClickHouse's code and name for it, a sentence, and where in the text.
public struct QueryError: Error, Sendable, CustomStringConvertible {
    /// ClickHouse's error codes, as its clients know them. Numbers are ClickHouse's own and never change.
    public struct Code: Sendable, Hashable {
        /// ClickHouse's number of the error.
        public let number: Int
        /// ClickHouse's name of the error.
        public let name: String

        /// Creates a code.
        public init(_ number: Int, _ name: String) {
            self.number = number
            self.name = name
        }

        /// The HTTP method or operation does not exist here.
        public static let unsupportedMethod = Code(1, "UNSUPPORTED_METHOD")
        /// ALTER names a column that the table lacks.
        public static let columnNotFound = Code(10, "NOT_FOUND_COLUMN_IN_BLOCK")
        /// SELECT gives more or fewer columns than INSERT takes.
        public static let columnCountMismatch = Code(20, "NUMBER_OF_COLUMNS_DOESNT_MATCH")
        /// The database exists already.
        public static let databaseAlreadyExists = Code(82, "DATABASE_ALREADY_EXISTS")
        /// A text value does not read as its type.
        public static let cannotParseText = Code(6, "CANNOT_PARSE_TEXT")
        /// The table has no such column (ALTER, INSERT).
        public static let thereIsNoColumn = Code(8, "NO_SUCH_COLUMN_IN_TABLE")
        /// A column is named twice.
        public static let duplicateColumn = Code(15, "DUPLICATE_COLUMN")
        /// The table has no column of that name.
        public static let noSuchColumn = Code(16, "NO_SUCH_COLUMN_IN_TABLE")
        /// Two types do not fit together.
        public static let typeMismatch = Code(53, "TYPE_MISMATCH")
        /// Inserted data does not follow its format.
        public static let cannotParseInput = Code(27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED")
        /// A column of the wrong kind where another is needed.
        public static let illegalColumn = Code(44, "ILLEGAL_COLUMN")
        /// Too many or too few arguments.
        public static let wrongArgumentCount = Code(42, "NUMBER_OF_ARGUMENTS_DOESNT_MATCH")
        /// An argument of a type the function does not take.
        public static let illegalArgumentType = Code(43, "ILLEGAL_TYPE_OF_ARGUMENT")
        /// An argument's value makes no sense.
        public static let badArguments = Code(36, "BAD_ARGUMENTS")
        /// A text is no time.
        public static let cannotParseDateTime = Code(41, "CANNOT_PARSE_DATETIME")
        /// A text is no date.
        public static let cannotParseDate = Code(38, "CANNOT_PARSE_DATE")
        /// No function has that name.
        public static let unknownFunction = Code(46, "UNKNOWN_FUNCTION")
        /// No column or alias has that name.
        public static let unknownIdentifier = Code(47, "UNKNOWN_IDENTIFIER")
        /// Valid in ClickHouse's dialect, not supported here.
        public static let notImplemented = Code(48, "NOT_IMPLEMENTED")
        /// A bug in the engine, reported instead of a wrong answer.
        public static let logicalError = Code(49, "LOGICAL_ERROR")
        /// No type has that name.
        public static let unknownType = Code(50, "UNKNOWN_TYPE")
        /// CREATE of a table that exists.
        public static let tableAlreadyExists = Code(57, "TABLE_ALREADY_EXISTS")
        /// No table has that name.
        public static let unknownTable = Code(60, "UNKNOWN_TABLE")
        /// The text is not SQL.
        public static let syntaxError = Code(62, "SYNTAX_ERROR")
        /// No aggregate function has that name.
        public static let unknownAggregate = Code(63, "UNKNOWN_AGGREGATE_FUNCTION")
        /// An argument outside its allowed range.
        public static let argumentOutOfBound = Code(69, "ARGUMENT_OUT_OF_BOUND")
        /// No conversion between the two types.
        public static let cannotConvertType = Code(70, "CANNOT_CONVERT_TYPE")
        /// A text is no number.
        public static let cannotParseNumber = Code(72, "CANNOT_PARSE_NUMBER")
        /// No format has that name.
        public static let unknownFormat = Code(73, "UNKNOWN_FORMAT")
        /// No database has that name.
        public static let unknownDatabase = Code(81, "UNKNOWN_DATABASE")
        /// No setting has that name.
        public static let unknownSetting = Code(115, "UNKNOWN_SETTING")
        /// Data contradicts what it says about itself.
        public static let incorrectData = Code(117, "INCORRECT_DATA")
        /// Integer division by zero.
        public static let illegalDivision = Code(153, "ILLEGAL_DIVISION")
        /// The limit on rows read was reached.
        public static let tooManyRows = Code(158, "TOO_MANY_ROWS")
        /// The limit on time was reached.
        public static let timeoutExceeded = Code(159, "TIMEOUT_EXCEEDED")
        /// A change asked for in read-only mode.
        public static let readonly = Code(164, "READONLY")
        /// An aggregate where none may stand.
        public static let illegalAggregation = Code(184, "ILLEGAL_AGGREGATION")
        /// A column neither aggregated nor grouped by.
        public static let notAnAggregate = Code(215, "NOT_AN_AGGREGATE")
        /// The disk is full.
        public static let notEnoughSpace = Code(243, "NOT_ENOUGH_SPACE")
        /// The query's memory budget is used up.
        public static let memoryLimitExceeded = Code(241, "MEMORY_LIMIT_EXCEEDED")
        /// The limit on result rows or bytes was reached.
        public static let tooManyRowsOrBytes = Code(396, "TOO_MANY_ROWS_OR_BYTES")
        /// Input ended too early.
        public static let cannotReadAllData = Code(33, "CANNOT_READ_ALL_DATA")
        /// A checksum or a stored length is wrong.
        public static let corruptedData = Code(246, "CORRUPTED_DATA")
        /// A number outside its type's range.
        public static let decimalOverflow = Code(407, "DECIMAL_OVERFLOW")
        /// The regular expression is not one.
        public static let cannotCompileRegexp = Code(427, "CANNOT_COMPILE_REGEXP")
        /// The client went away or cancelled.
        public static let queryWasCancelled = Code(394, "QUERY_WAS_CANCELLED")
        /// A `{name:Type}` placeholder without a value.
        public static let unknownQueryParameter = Code(456, "UNKNOWN_QUERY_PARAMETER")
        /// A parameter's value does not read as its type.
        public static let badQueryParameter = Code(457, "BAD_QUERY_PARAMETER")
        /// Aliases that refer to one another in a circle.
        public static let cyclicAliases = Code(174, "CYCLIC_ALIASES")
        /// A value on the right of IN does not fit the left.
        public static let typeMismatchInSet = Code(53, "TYPE_MISMATCH")
        /// LIMIT or OFFSET is no unsigned integer constant.
        public static let invalidLimit = Code(440, "INVALID_LIMIT_EXPRESSION")
        /// A value outside its type's range.
        public static let valueIsOutOfRange = Code(321, "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE")
    }

    /// What kind of failure.
    public let code: Code
    /// A sentence: what happened, to what, what to do.
    public let message: String
    /// Byte offset into the SQL text; nil when no place is to blame.
    public var position: Int?

    /// Creates an error.
    public init(_ code: Code, _ message: String, at position: Int? = nil) {
        self.code = code
        self.message = message
        self.position = position
    }

    /// The message alone.
    public var description: String { message }
}

/// Why a query failed: ClickHouse's code and name for it, a sentence, and where in the text.
public struct QueryError: Error, Sendable, CustomStringConvertible {
    /// ClickHouse's error codes, as its clients know them. Numbers are ClickHouse's own and never change.
    public struct Code: Sendable, Hashable {
        public let number: Int
        public let name: String

        /// Creates a code.
        public init(_ number: Int, _ name: String) {
            self.number = number
            self.name = name
        }

        public static let unsupportedMethod = Code(1, "UNSUPPORTED_METHOD")
        public static let cannotParseText = Code(6, "CANNOT_PARSE_TEXT")
        public static let thereIsNoColumn = Code(8, "NO_SUCH_COLUMN_IN_TABLE")
        public static let duplicateColumn = Code(15, "DUPLICATE_COLUMN")
        public static let noSuchColumn = Code(16, "NO_SUCH_COLUMN_IN_TABLE")
        public static let typeMismatch = Code(53, "TYPE_MISMATCH")
        public static let cannotParseInput = Code(27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED")
        public static let illegalColumn = Code(44, "ILLEGAL_COLUMN")
        public static let wrongArgumentCount = Code(42, "NUMBER_OF_ARGUMENTS_DOESNT_MATCH")
        public static let illegalArgumentType = Code(43, "ILLEGAL_TYPE_OF_ARGUMENT")
        public static let badArguments = Code(36, "BAD_ARGUMENTS")
        public static let cannotParseDateTime = Code(41, "CANNOT_PARSE_DATETIME")
        public static let cannotParseDate = Code(38, "CANNOT_PARSE_DATE")
        public static let unknownFunction = Code(46, "UNKNOWN_FUNCTION")
        public static let unknownIdentifier = Code(47, "UNKNOWN_IDENTIFIER")
        public static let notImplemented = Code(48, "NOT_IMPLEMENTED")
        public static let logicalError = Code(49, "LOGICAL_ERROR")
        public static let unknownType = Code(50, "UNKNOWN_TYPE")
        public static let tableAlreadyExists = Code(57, "TABLE_ALREADY_EXISTS")
        public static let unknownTable = Code(60, "UNKNOWN_TABLE")
        public static let syntaxError = Code(62, "SYNTAX_ERROR")
        public static let unknownAggregate = Code(63, "UNKNOWN_AGGREGATE_FUNCTION")
        public static let argumentOutOfBound = Code(69, "ARGUMENT_OUT_OF_BOUND")
        public static let cannotConvertType = Code(70, "CANNOT_CONVERT_TYPE")
        public static let cannotParseNumber = Code(72, "CANNOT_PARSE_NUMBER")
        public static let unknownFormat = Code(73, "UNKNOWN_FORMAT")
        public static let unknownDatabase = Code(81, "UNKNOWN_DATABASE")
        public static let unknownSetting = Code(115, "UNKNOWN_SETTING")
        public static let incorrectData = Code(117, "INCORRECT_DATA")
        public static let illegalDivision = Code(153, "ILLEGAL_DIVISION")
        public static let tooManyRows = Code(158, "TOO_MANY_ROWS")
        public static let timeoutExceeded = Code(159, "TIMEOUT_EXCEEDED")
        public static let readonly = Code(164, "READONLY")
        public static let illegalAggregation = Code(184, "ILLEGAL_AGGREGATION")
        public static let notAnAggregate = Code(215, "NOT_AN_AGGREGATE")
        public static let notEnoughSpace = Code(243, "NOT_ENOUGH_SPACE")
        public static let memoryLimitExceeded = Code(241, "MEMORY_LIMIT_EXCEEDED")
        public static let tooManyRowsOrBytes = Code(396, "TOO_MANY_ROWS_OR_BYTES")
        public static let cannotReadAllData = Code(33, "CANNOT_READ_ALL_DATA")
        public static let corruptedData = Code(246, "CORRUPTED_DATA")
        public static let decimalOverflow = Code(407, "DECIMAL_OVERFLOW")
        public static let cannotCompileRegexp = Code(427, "CANNOT_COMPILE_REGEXP")
        public static let queryWasCancelled = Code(394, "QUERY_WAS_CANCELLED")
        public static let unknownQueryParameter = Code(456, "UNKNOWN_QUERY_PARAMETER")
        public static let badQueryParameter = Code(457, "BAD_QUERY_PARAMETER")
        public static let cyclicAliases = Code(174, "CYCLIC_ALIASES")
        public static let typeMismatchInSet = Code(53, "TYPE_MISMATCH")
        public static let invalidLimit = Code(440, "INVALID_LIMIT_EXPRESSION")
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

    public var description: String { message }
}

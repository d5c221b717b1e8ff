import Columnar

/// Every scalar function by name.
public enum FunctionRegistry {
    /// The function of that name; ClickHouse's names are case-sensitive but for those that come from standard SQL.
    public static func lookup(_ name: String) -> (any ScalarFunction)? {
        if let exact = functions[name] { return exact }
        if let alias = aliases[name] { return functions[alias] }
        let lower = name.lowercased()
        if let canonical = caseInsensitive[lower] { return functions[canonical] }
        return nil
    }

    /// Whether there is a function of that name.
    public static func contains(_ name: String) -> Bool { lookup(name) != nil }

    /// The canonical names, sorted.
    public static let names: [String] = functions.keys.sorted()

    /// Other names, with the canonical one.
    public static var aliasNames: [(name: String, canonical: String)] {
        FunctionAliases.all.map { ($0.name, $0.canonical) }
    }

    /// Whether the name is taken in any case.
    public static func isCaseInsensitive(_ name: String) -> Bool { caseInsensitive[name.lowercased()] != nil }

    private static let groups: [[any ScalarFunction]] = [
        ComparisonFunctions.all, DistinctFromFunction.all, ConversionFunctions.all, ArithmeticFunctions.all,
        MathFunctions.all, RoundingFunction.all,
        LogicFunctions.all, ConditionalFunctions.all, InFunction.all, TimeBucketFunctions.all, TimePartFunctions.all,
        TimeFunctions.all, FormatDateTime.all, MatchFunction.all, RegexFunctions.all, StringFunctions.all,
        SplitFunctions.all, MiscFunctions.all, ArrayFunctions.all, ArraySearchFunctions.all, ArrayShapingFunctions.all,
        ArrayReduction.all, EncodingFunctions.all, URLFunctions.all, JSONFunctions.all,
    ]

    private static let functions: [String: any ScalarFunction] = {
        var result: [String: any ScalarFunction] = [:]
        for function in groups.joined() {
            precondition(result[function.name] == nil, "BUG: two functions named \(function.name)")
            result[function.name] = function
        }
        return result
    }()

    private static let aliases: [String: String] = {
        var result: [String: String] = [:]
        for alias in FunctionAliases.all { result[alias.name] = alias.canonical }
        return result
    }()

    private static let caseInsensitive: [String: String] = {
        var result: [String: String] = [:]
        for name in FunctionAliases.caseInsensitiveNames where functions[name] != nil {
            result[name.lowercased()] = name
        }
        for alias in FunctionAliases.all where alias.anyCase { result[alias.name.lowercased()] = alias.canonical }
        return result
    }()
}

/// The names under which ClickHouse also knows its functions.
enum FunctionAliases {
    /// Canonical names that are taken in any case.
    static let caseInsensitiveNames: [String] =
        """
        CAST UTCTimestamp abs acos addDate age ascii asin atan atan2 byteSwap ceil char coalesce concat \
        cos countSubstrings dateDiff dateName degrees exp factorial floor greatest hasSubsequence \
        hasTokenCaseInsensitive hex hypot if ifNull initcap isNull least left length locate log log10 \
        log2 lower makeDate makeDateTime max2 min2 monthName not now now64 nullIf pi position \
        positiveModulo pow radians rand repeat reverse revision right round sign sin soundex sqrt subDate \
        substring tan tanh timezone today trunc unhex upper version and or xor
        """.split(separator: " ").map(String.init)

    /// Other names; `anyCase` says whether their case does not matter.
    static let all: [(name: String, canonical: String, anyCase: Bool)] =
        anyCase.map { ($0.0, $0.1, true) }
        + exact.map { ($0.0, $0.1, false) }

    private static let anyCase: [(String, String)] = pairs(
        """
        CARDINALITY=length CHARACTER_LENGTH=lengthUTF8 CHAR_LENGTH=lengthUTF8 DATABASE=currentDatabase \
        DATE_FORMAT=formatDateTime DATE_TRUNC=dateTrunc DAY=toDayOfMonth DAYOFMONTH=toDayOfMonth \
        DAYOFWEEK=toDayOfWeek DAYOFYEAR=toDayOfYear FORMAT_BYTES=formatReadableSize \
        FROM_BASE64=base64Decode FROM_UNIXTIME=fromUnixTimestamp HOUR=toHour INET6_NTOA=IPv6NumToString \
        INET_ATON=IPv4StringToNum INET_NTOA=IPv4NumToString LAST_DAY=toLastDayOfMonth \
        MILLISECOND=toMillisecond MINUTE=toMinute MONTH=toMonth OCTET_LENGTH=length QUARTER=toQuarter \
        REGEXP_EXTRACT=regexpExtract REGEXP_MATCHES=match REGEXP_REPLACE=replaceRegexpAll \
        REGEXP_SUBSTR=regexpExtract SCHEMA=currentDatabase SECOND=toSecond SUBSTRING_INDEX=substringIndex \
        TO_BASE64=base64Encode YEAR=toYear array_to_string=arrayStringConcat byteSlice=substring \
        ceiling=ceil concat_ws=concatWithSeparator curdate=today current_database=currentDatabase \
        current_date=today current_timestamp=now current_user=currentUser date_bin=toStartOfInterval \
        flatten=arrayFlatten instr=positionCaseInsensitive lcase=lower ln=log localtimestamp=now \
        lpad=leftPad mapContains=mapContainsKey mid=substring mod=modulo pmod=positiveModulo \
        positive_modulo=positiveModulo power=pow replace=replaceAll rpad=rightPad \
        session_user=currentUser substr=substring time_bucket=toStartOfInterval truncate=trunc \
        ucase=upper user=currentUser week=toWeek yearweek=toYearWeek
        """)

    private static let exact: [(String, String)] = pairs(
        """
        DATE_DIFF=dateDiff MAP_FROM_ARRAYS=mapFromArrays TIMESTAMP_DIFF=dateDiff caseWithoutExpr=multiIf \
        caseWithoutExpression=multiIf date_diff=dateDiff hostname=hostName ltrim=trimLeft rand32=rand \
        rtrim=trimRight splitByAlpha=alphaTokens timeZone=timezone timeZoneOf=timezoneOf \
        timeZoneOffset=timezoneOffset timestampDiff=dateDiff timestamp_diff=dateDiff \
        toStartOfFiveMinute=toStartOfFiveMinutes toTimeZone=toTimezone trim=trimBoth \
        visitParamExtractBool=simpleJSONExtractBool visitParamExtractFloat=simpleJSONExtractFloat \
        visitParamExtractInt=simpleJSONExtractInt visitParamExtractRaw=simpleJSONExtractRaw \
        visitParamExtractString=simpleJSONExtractString visitParamExtractUInt=simpleJSONExtractUInt \
        visitParamHas=simpleJSONHas
        """)

    private static func pairs(_ text: String) -> [(String, String)] {
        text.split(separator: " ").map { pair in
            let parts = pair.split(separator: "=")
            return (String(parts[0]), String(parts[1]))
        }
    }
}

import Columnar

/// The name of a format and what HTTP calls it.
public struct ResultFormat: Sendable, Hashable {
    /// ClickHouse's name, in its spelling.
    public let name: String
    /// The Content-Type header.
    public let contentType: String

    /// Creates a format's description.
    public init(name: String, contentType: String) {
        self.name = name
        self.contentType = contentType
    }
}

/// What a format says at its end about the whole result.
public struct ResultStatistics: Sendable {
    /// Seconds the query took.
    public var elapsedSeconds = 0.0
    /// Rows read from tables.
    public var rowsRead: UInt64 = 0
    /// Bytes read from tables.
    public var bytesRead: UInt64 = 0
    /// Rows there would be without LIMIT; nil when there was none.
    public var rowsBeforeLimit: UInt64?
    /// The row of WITH TOTALS.
    public var totals: Block?

    /// Creates statistics of nothing.
    public init() {}
}

/// Turns blocks of a result into bytes.
protocol OutputFormat {
    /// What stands before the first row.
    mutating func begin(into bytes: inout [UInt8])
    /// The block's rows.
    mutating func write(_ block: Block, into bytes: inout [UInt8])
    /// What stands behind the last row.
    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8])
}

/// The formats results come in.
public enum OutputFormats {
    private enum Kind {
        case json, jsonCompact, jsonStrings, jsonEachRow, jsonCompactEachRow, tsv, tsvRaw, csv, values, markdown, null
        case pretty(PrettyStyle), vertical
    }

    private enum Header {
        case none, names, namesAndTypes
    }

    private static let formats: [(name: String, aliases: [String], kind: Kind, header: Header, content: String)] = [
        ("TabSeparated", ["TSV"], .tsv, .none, "text/tab-separated-values; charset=UTF-8"),
        ("TabSeparatedWithNames", ["TSVWithNames"], .tsv, .names, "text/tab-separated-values; charset=UTF-8"),
        (
            "TabSeparatedWithNamesAndTypes", ["TSVWithNamesAndTypes"], .tsv, .namesAndTypes,
            "text/tab-separated-values; charset=UTF-8"
        ),
        ("TabSeparatedRaw", ["TSVRaw", "Raw"], .tsvRaw, .none, "text/tab-separated-values; charset=UTF-8"),
        (
            "TabSeparatedRawWithNames", ["TSVRawWithNames", "RawWithNames"], .tsvRaw, .names,
            "text/tab-separated-values; charset=UTF-8"
        ),
        ("CSV", [], .csv, .none, "text/csv; charset=UTF-8; header=absent"),
        ("CSVWithNames", [], .csv, .names, "text/csv; charset=UTF-8; header=present"),
        ("CSVWithNamesAndTypes", [], .csv, .namesAndTypes, "text/csv; charset=UTF-8; header=present"),
        ("JSON", [], .json, .none, "application/json; charset=UTF-8"),
        ("JSONCompact", [], .jsonCompact, .none, "application/json; charset=UTF-8"),
        ("JSONStrings", [], .jsonStrings, .none, "application/json; charset=UTF-8"),
        ("JSONEachRow", ["JSONLines", "NDJSON"], .jsonEachRow, .none, "application/x-ndjson; charset=UTF-8"),
        ("JSONCompactEachRow", [], .jsonCompactEachRow, .none, "application/x-ndjson; charset=UTF-8"),
        ("JSONCompactEachRowWithNames", [], .jsonCompactEachRow, .names, "application/x-ndjson; charset=UTF-8"),
        (
            "JSONCompactEachRowWithNamesAndTypes", [], .jsonCompactEachRow, .namesAndTypes,
            "application/x-ndjson; charset=UTF-8"
        ),
        ("Values", [], .values, .none, "text/plain; charset=UTF-8"),
        ("Vertical", [], .vertical, .none, "text/plain; charset=UTF-8"),
        ("Markdown", [], .markdown, .none, "text/markdown; charset=UTF-8"),
        ("Null", [], .null, .none, "text/plain; charset=UTF-8"),
        (
            "Pretty", ["PrettyNoEscapes", "PrettyMonoBlock", "PrettyNoEscapesMonoBlock"], .pretty(.full), .none,
            "text/plain; charset=UTF-8"
        ),
        (
            "PrettyCompact",
            ["PrettyCompactNoEscapes", "PrettyCompactMonoBlock", "PrettyCompactNoEscapesMonoBlock"], .pretty(.compact),
            .none,
            "text/plain; charset=UTF-8"
        ),
        (
            "PrettySpace", ["PrettySpaceNoEscapes", "PrettySpaceMonoBlock", "PrettySpaceNoEscapesMonoBlock"],
            .pretty(.space),
            .none, "text/plain; charset=UTF-8"
        ),
    ]

    /// All names by which a format may be asked for.
    public static var names: [String] { formats.flatMap { [$0.name] + $0.aliases } }

    private static func index(_ name: String) throws(QueryError) -> Int {
        let wanted = name.lowercased()
        let found = formats.firstIndex {
            $0.name.lowercased() == wanted || $0.aliases.contains { $0.lowercased() == wanted }
        }
        if let found { return found }
        let hint = nearestName(to: name, in: names).map { ". Maybe you meant: \($0)" } ?? ""
        throw QueryError(.unknownFormat, "Unknown format \(name)\(hint)")
    }

    /// What is known of a format; names count in any case. Throws `.unknownFormat`.
    public static func describe(_ name: String) throws(QueryError) -> ResultFormat {
        let format = formats[try index(name)]
        // An alias is answered as it was asked for.
        let spelled = ([format.name] + format.aliases).first { $0.lowercased() == name.lowercased() } ?? format.name
        return ResultFormat(name: spelled, contentType: format.content)
    }

    /// A writer for a result with these columns.
    static func make(
        _ name: String, columns: [(name: String, type: DataType)], settings: FormatSettings
    ) throws(QueryError) -> any OutputFormat {
        let format = formats[try index(name)]
        switch format.kind {
        case .json: return JSONDocument(columns: columns, isCompact: false, isStrings: false, settings: settings)
        case .jsonCompact: return JSONDocument(columns: columns, isCompact: true, isStrings: false, settings: settings)
        case .jsonStrings: return JSONDocument(columns: columns, isCompact: false, isStrings: true, settings: settings)
        case .jsonEachRow: return RowFormats.jsonEachRow(columns, settings)
        case .jsonCompactEachRow:
            return RowFormats.jsonCompactEachRow(columns, settings, header: headerRows(format.header, columns))
        case .tsv:
            return RowFormats.tabSeparated(columns, settings, raw: false, header: headerRows(format.header, columns))
        case .tsvRaw:
            return RowFormats.tabSeparated(columns, settings, raw: true, header: headerRows(format.header, columns))
        case .csv: return RowFormats.csv(columns, settings, header: headerRows(format.header, columns))
        case .values: return RowFormats.values(columns, settings)
        case .markdown: return RowFormats.markdown(columns, settings)
        case .null: return NullFormat()
        case .vertical: return VerticalFormat(columns: columns, settings: settings)
        case .pretty(let style): return PrettyFormat(columns: columns, style: style, settings: settings)
        }
    }

    /// Which of names and types stand above the rows.
    private static func headerRows(_ header: Header, _ columns: [(name: String, type: DataType)]) -> [HeaderRow] {
        switch header {
        case .none: []
        case .names: [.names]
        case .namesAndTypes: [.names, .types]
        }
    }
}

/// A row above the rows.
enum HeaderRow: Sendable {
    case names, types
}

/// Writes nothing.
struct NullFormat: OutputFormat {
    mutating func begin(into bytes: inout [UInt8]) {}
    mutating func write(_ block: Block, into bytes: inout [UInt8]) {}
    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8]) {}
}

import Columnar

/// The bytes of an INSERT's data: what stood in the SQL text, then the pieces that come beside it. Holds what is not
/// yet read, and never more than one row may take plus a piece.
struct InsertBuffer {
    private(set) var bytes: [UInt8]
    /// Where the next row begins.
    var position = 0
    /// Whether no more comes behind `bytes`.
    private(set) var isComplete: Bool
    private let source: (any InsertData)?
    private let maxRowBytes: Int
    private(set) var bytesTaken: UInt64

    init(first: ArraySlice<UInt8>, source: (any InsertData)?, maxRowBytes: Int) {
        bytes = Array(first)
        self.source = source
        self.maxRowBytes = maxRowBytes
        isComplete = source == nil
        bytesTaken = UInt64(first.count)
    }

    /// Takes another piece, because the row at `position` goes on past the end. Throws when the row is too long.
    mutating func fill(row: UInt64) throws(QueryError) {
        guard !isComplete, let source else { return }
        if position > 0 {
            bytes.removeSubrange(..<position)
            position = 0
        }
        guard bytes.count <= maxRowBytes else {
            throw QueryError(.incorrectData, "Row \(row) of the data is longer than \(maxRowBytes) bytes")
        }
        // At least as much again: each look at the row starts at its beginning.
        let wanted = max(1, bytes.count)
        var taken = 0
        while taken < wanted {
            guard let piece = try source.next() else {
                isComplete = true
                return
            }
            taken += piece.count
            bytes += piece
        }
        bytesTaken += UInt64(taken)
    }
}

/// What a reader found where the next row should be.
enum RowOutcome {
    case row
    /// The row goes on past what is there.
    case incomplete
    /// No rows are left.
    case end
}

/// Reads rows of one format into columns.
protocol RowReader {
    /// Reads the row at `index` of `bytes` into `row` and moves past it. `isComplete` says that nothing follows.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, isComplete: Bool, into row: inout RowBuilder
    ) throws(QueryError) -> RowOutcome
}

/// The formats in which rows may come.
enum InputFormats {
    /// All names by which a format may be asked for.
    static let names = [
        "CSV", "CSVWithNames", "CSVWithNamesAndTypes", "JSONEachRow", "JSONLines", "NDJSON", "TSV", "TSVWithNames",
        "TSVWithNamesAndTypes", "TabSeparated", "TabSeparatedWithNames", "TabSeparatedWithNamesAndTypes", "Values",
    ]

    /// A reader for rows of these columns.
    static func reader(
        _ name: String, settings: FormatSettings, evaluate: @escaping ValuesReader.Evaluate
    ) throws(QueryError) -> any RowReader {
        switch name.lowercased() {
        case "values": return ValuesReader(evaluate: evaluate)
        case "jsoneachrow", "jsonlines", "ndjson": return JSONRowReader(settings: settings)
        case "csv": return SeparatedReader(.csv(settings.csvDelimiter), headerRows: 0)
        case "csvwithnames": return SeparatedReader(.csv(settings.csvDelimiter), headerRows: 1)
        case "csvwithnamesandtypes": return SeparatedReader(.csv(settings.csvDelimiter), headerRows: 2)
        case "tsv", "tabseparated": return SeparatedReader(.tsv, headerRows: 0)
        case "tsvwithnames", "tabseparatedwithnames": return SeparatedReader(.tsv, headerRows: 1)
        case "tsvwithnamesandtypes", "tabseparatedwithnamesandtypes": return SeparatedReader(.tsv, headerRows: 2)
        default:
            if OutputFormats.names.contains(where: { $0.lowercased() == name.lowercased() }) {
                throw QueryError(.notImplemented, "Format \(name) is not supported for input")
            }
            let hint = nearestName(to: name, in: names).map { ". Maybe you meant: \($0)" } ?? ""
            throw QueryError(.unknownFormat, "Unknown format \(name)\(hint)")
        }
    }
}

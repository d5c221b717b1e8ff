import Columnar

/// Reads rows as JSON objects, one after another or in one array. A nested object whose fields are columns with
/// dotted names is taken apart; fields without a column are passed over.
struct JSONRowReader: RowReader {
    private let settings: FormatSettings

    init(settings: FormatSettings) {
        self.settings = settings
    }

    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, isComplete: Bool, into row: inout RowBuilder
    ) throws(QueryError) -> RowOutcome {
        var start = index
        // Brackets and commas of an array around the rows mean nothing more than line ends.
        while start < bytes.count, bytes[start] <= 0x20 || [0x2C, 0x5B, 0x5D, 0x3B].contains(bytes[start]) {
            start += 1
        }
        guard start < bytes.count else { return isComplete ? .end : .incomplete }
        guard bytes[start] == UInt8(ascii: "{") else {
            throw row.problem(
                "found '\(String(decoding: bytes[start..<min(bytes.count, start + 20)], as: UTF8.self))', expected '{'")
        }
        guard let end = JSONCursor.objectEnd(bytes, start) else {
            if isComplete { throw row.problem("a JSON object without its closing '}'") }
            return .incomplete
        }
        var cursor = JSONCursor(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        try object(&cursor, prefix: "", depth: 0, into: &row)
        row.endRow()
        index = end
        return .row
    }

    private func object(
        _ cursor: inout JSONCursor, prefix: String, depth: Int, into row: inout RowBuilder
    ) throws(QueryError) {
        guard depth < JSONCursor.maxDepth else {
            throw row.problem("JSON nested deeper than \(JSONCursor.maxDepth) levels")
        }
        try cursor.expect("{", row)
        if cursor.accept("}") { return }
        repeat {
            let name = prefix + String(decoding: try cursor.string(row), as: UTF8.self)
            try cursor.expect(":", row)
            if let column = row.index(of: name) {
                try value(&cursor, column: column, into: &row)
            } else if cursor.peek == UInt8(ascii: "{") {
                try object(&cursor, prefix: name + ".", depth: depth + 1, into: &row)
            } else if settings.skipsUnknownFields {
                try cursor.skipValue(row)
            } else {
                throw QueryError(
                    .incorrectData,
                    "Unknown field found while parsing JSONEachRow format: \(name): (at row \(row.rowNumber))")
            }
        } while cursor.accept(",")
        try cursor.expect("}", row)
    }

    private func value(_ cursor: inout JSONCursor, column: Int, into row: inout RowBuilder) throws(QueryError) {
        let type = row.columns[column].type
        do throws(JSONCursor.Unreadable) {
            row.append(try cursor.scalar(type, depth: 0), column: column)
        } catch {
            throw row.problem(error.message, column: column)
        }
    }
}

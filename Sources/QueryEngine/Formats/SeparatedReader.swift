import Columnar

/// Reads CSV and TabSeparated rows.
struct SeparatedReader: RowReader {
    enum Style {
        case tsv
        case csv(UInt8)
    }

    private let style: Style
    /// Rows of names and types that stand above the data and are still to come.
    private var headerRows: Int
    /// Which column each field is for; nil for fields without a column.
    private var order: [Int?]?

    init(_ style: Style, headerRows: Int) {
        self.style = style
        self.headerRows = headerRows
    }

    private var delimiter: UInt8 {
        switch style {
        case .tsv: 0x09
        case .csv(let delimiter): delimiter
        }
    }

    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, isComplete: Bool, into row: inout RowBuilder
    ) throws(QueryError) -> RowOutcome {
        while true {
            guard let end = lineEnd(bytes, index, isComplete: isComplete) else { return .incomplete }
            if index >= bytes.count { return isComplete ? .end : .incomplete }
            var lineEnd = end
            if lineEnd > index, bytes[lineEnd - 1] == 0x0D { lineEnd -= 1 }
            // A blank line at the very end is no row; elsewhere it is one of a single empty field.
            if lineEnd == index, end + 1 >= bytes.count, isComplete {
                index = bytes.count
                return .end
            }
            let line = UnsafeRawBufferPointer(rebasing: bytes[index..<lineEnd])
            index = min(bytes.count, end + 1)
            if headerRows > 0 {
                if order == nil { order = try names(line, row) }
                headerRows -= 1
                continue
            }
            try fields(line, into: &row)
            return .row
        }
    }

    /// Where the row ends: the line end outside quotes, or the end of complete data; nil when it is not there yet.
    private func lineEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int, isComplete: Bool) -> Int? {
        var index = start
        var isQuoted = false
        var isFieldStart = true
        while index < bytes.count {
            let byte = bytes[index]
            switch style {
            case .tsv:
                if byte == 0x0A { return index }
                if byte == 0x5C { index += 1 }
            case .csv(let delimiter):
                if isQuoted {
                    if byte == 0x22 { isQuoted = false }
                } else if byte == 0x22, isFieldStart || bytes[index - 1] == 0x22 {
                    // A doubled quote opens again at once.
                    isQuoted = true
                } else if byte == 0x0A {
                    return index
                }
                isFieldStart = byte == delimiter || (isFieldStart && byte == 0x20)
            }
            index += 1
        }
        return isComplete ? bytes.count : nil
    }

    /// The columns that the header names.
    private func names(_ line: UnsafeRawBufferPointer, _ row: RowBuilder) throws(QueryError) -> [Int?] {
        var order: [Int?] = []
        var index = 0
        repeat {
            let field = try field(line, &index, row)
            let name = String(decoding: field.text, as: UTF8.self)
            order.append(row.index(of: name))
        } while index <= line.count
        return order
    }

    private struct Field {
        var text: [UInt8]
        var isNull: Bool
        var isQuoted: Bool
    }

    private func fields(_ line: UnsafeRawBufferPointer, into row: inout RowBuilder) throws(QueryError) {
        let expected = order?.count ?? row.columns.count
        var index = 0
        var number = 0
        repeat {
            guard number < expected else {
                throw row.problem("more than \(expected) fields")
            }
            let field = try field(line, &index, row)
            if let column = order.map({ $0[number] }) ?? number { try append(field, column: column, into: &row) }
            number += 1
        } while index <= line.count
        guard number == expected else { throw row.problem("\(number) fields, expected \(expected)") }
        row.endRow()
    }

    private func append(_ field: Field, column: Int, into row: inout RowBuilder) throws(QueryError) {
        if field.isNull { return row.append(.null, column: column) }
        // An empty field of CSV is no value, unless it has quotes.
        if field.text.isEmpty, !field.isQuoted, case .csv = style, row.columns[column].type.base != .string {
            return row.appendDefault(column)
        }
        let result = field.text.withUnsafeBytes { text -> QueryError? in
            do throws(QueryError) {
                try row.append(text: text, column: column)
                return nil
            } catch {
                return error
            }
        }
        if let result { throw result }
    }

    /// The field at `index`, which is then behind its delimiter; past the end by one after the last.
    private func field(_ line: UnsafeRawBufferPointer, _ index: inout Int, _ row: RowBuilder) throws(QueryError)
        -> Field
    {
        switch style {
        case .tsv: return tsvField(line, &index)
        case .csv: return try csvField(line, &index, row)
        }
    }

    private func tsvField(_ line: UnsafeRawBufferPointer, _ index: inout Int) -> Field {
        let start = index
        var text: [UInt8] = []
        while index < line.count, line[index] != 0x09 {
            if line[index] == 0x5C, index + 1 < line.count {
                if line[index + 1] == UInt8(ascii: "N"), index == start,
                    index + 2 == line.count || line[index + 2] == 0x09
                {
                    index += 3
                    return Field(text: [], isNull: true, isQuoted: false)
                }
                index += 1
                QuotedText.unescape(line, &index, to: &text)
            } else {
                text.append(line[index])
                index += 1
            }
        }
        index += 1
        return Field(text: text, isNull: false, isQuoted: false)
    }

    private func csvField(
        _ line: UnsafeRawBufferPointer, _ index: inout Int, _ row: RowBuilder
    ) throws(QueryError) -> Field {
        while index < line.count, line[index] == 0x20 { index += 1 }
        guard index < line.count, line[index] == 0x22 else {
            let start = index
            while index < line.count, line[index] != delimiter { index += 1 }
            var end = index
            while end > start, line[end - 1] == 0x20 { end -= 1 }
            index += 1
            let text = Array(line[start..<end])
            return Field(text: text, isNull: text == [0x5C, 0x4E], isQuoted: false)
        }
        index += 1
        var text: [UInt8] = []
        while true {
            guard index < line.count else { throw row.problem("a field without its closing quote") }
            if line[index] == 0x22 {
                index += 1
                guard index < line.count, line[index] == 0x22 else { break }
            }
            text.append(line[index])
            index += 1
        }
        while index < line.count, line[index] == 0x20 { index += 1 }
        guard index >= line.count || line[index] == delimiter else {
            throw row.problem("something between a closing quote and the delimiter")
        }
        index += 1
        return Field(text: text, isNull: false, isQuoted: true)
    }
}

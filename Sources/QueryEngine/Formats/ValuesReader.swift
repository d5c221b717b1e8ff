import Columnar

/// Reads `(1, 'a', now()), (…)`: literals at once, anything else as an expression.
struct ValuesReader: RowReader {
    /// Gives the value of an expression's text as the type.
    typealias Evaluate = (_ text: [UInt8], _ type: DataType) throws(QueryError) -> Scalar

    private let evaluate: Evaluate

    init(evaluate: @escaping Evaluate) {
        self.evaluate = evaluate
    }

    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, isComplete: Bool, into row: inout RowBuilder
    ) throws(QueryError) -> RowOutcome {
        var start = index
        skipSeparators(bytes, &start)
        guard start < bytes.count else { return isComplete ? .end : .incomplete }
        if bytes[start] == UInt8(ascii: ";") {
            var rest = start + 1
            skipSeparators(bytes, &rest)
            guard rest >= bytes.count else { throw row.problem("something behind ';'") }
            index = rest
            return isComplete ? .end : .incomplete
        }
        guard bytes[start] == UInt8(ascii: "(") else {
            throw row.problem("found '\(shown(bytes, start))', expected '('")
        }
        var end = start
        guard let fields = try split(bytes, &end, row) else {
            if isComplete { throw row.problem("a row without its closing ')'") }
            return .incomplete
        }
        guard fields.count == row.columns.count else {
            throw QueryError(
                .syntaxError,
                "Cannot parse input: \(fields.count) values for \(row.columns.count) columns: (at row \(row.rowNumber))"
            )
        }
        for (column, range) in fields.enumerated() {
            try append(UnsafeRawBufferPointer(rebasing: bytes[range]), column: column, into: &row)
        }
        row.endRow()
        index = end
        return .row
    }

    private func shown(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> String {
        String(decoding: bytes[start..<min(bytes.count, start + 20)], as: UTF8.self)
    }

    private func skipSeparators(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09...0x0D, UInt8(ascii: ","): index += 1
            default: return
            }
        }
    }

    /// The ranges of the values in the row that begins at `index`, which is then behind it; nil when the row does not
    /// end.
    private func split(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ row: RowBuilder
    ) throws(QueryError) -> [Range<Int>]? {
        index += 1
        var fields: [Range<Int>] = []
        var start = index
        var open = 0
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
                guard skipQuoted(bytes, &index, byte) else { return nil }
                continue
            case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"):
                open += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                open -= 1
            case UInt8(ascii: ","):
                if open == 0 {
                    fields.append(start..<index)
                    start = index + 1
                }
            case UInt8(ascii: ")"):
                if open == 0 {
                    let isEmpty = bytes[start..<index].allSatisfy { $0 <= 0x20 }
                    // `(1, 2,)` is forgiven, as is `()` for no columns.
                    if !isEmpty { fields.append(start..<index) }
                    index += 1
                    return fields
                }
                open -= 1
            default: break
            }
            guard open >= 0 else { throw row.problem("a bracket that was not opened") }
            index += 1
        }
        return nil
    }

    private func skipQuoted(_ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ quote: UInt8) -> Bool {
        index += 1
        while index < bytes.count {
            if bytes[index] == 0x5C {
                index += 2
            } else if bytes[index] == quote {
                index += 1
                return true
            } else {
                index += 1
            }
        }
        return false
    }

    // MARK: Values

    private func append(_ text: UnsafeRawBufferPointer, column: Int, into row: inout RowBuilder) throws(QueryError) {
        var first = 0
        var last = text.count
        while first < last, text[first] <= 0x20 { first += 1 }
        while last > first, text[last - 1] <= 0x20 { last -= 1 }
        let value = UnsafeRawBufferPointer(rebasing: text[first..<last])
        let type = row.columns[column].type
        if isWord(value, "NULL") { return row.append(.null, column: column) }
        if isWord(value, "DEFAULT") { return row.appendDefault(column) }
        var index = 0
        if let string = QuotedText.parse(value, &index), index == value.count {
            let problem = string.withUnsafeBytes { bytes -> QueryError? in
                do throws(QueryError) {
                    try row.append(text: bytes, column: column)
                    return nil
                } catch {
                    return error
                }
            }
            if let problem { throw problem }
            return
        }
        if type.base != .string, let scalar = Self.literal(value, type) { return row.append(scalar, column: column) }
        do throws(QueryError) {
            row.append(try evaluate(Array(value), type), column: column)
        } catch {
            throw row.problem(error.message, column: column)
        }
    }

    private func isWord(_ value: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard value.count == word.utf8CodeUnitCount else { return false }
        let expected = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return value.indices.allSatisfy { value[$0] & 0xDF == expected[$0] }
    }

    /// A number, array or map whose text is the value's own text.
    private static func literal(_ value: UnsafeRawBufferPointer, _ type: DataType) -> Scalar? {
        // Dates and the like as bare numbers, and arithmetic, are the evaluator's.
        guard type.isNumeric || [.array, .map, .tuple].contains(type.physical) else { return nil }
        do throws(ColumnarError) { return try ValueText.parseScalar(value, type: type) } catch { return nil }
    }
}

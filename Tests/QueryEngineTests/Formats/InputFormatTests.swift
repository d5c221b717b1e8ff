import Columnar
import Testing

@testable import QueryEngine

/// Reads text into rows of `columns` and writes them as TSV, so that a test can be read.
private func read(
    _ text: String, _ format: String,
    _ columns: [(String, String)] = [("a", "Int32"), ("b", "String"), ("c", "Nullable(Float64)")],
    settings: [String: String] = [:], piece: Int = .max
) throws -> String {
    let definitions = try columns.map { ColumnDefinition(name: $0.0, type: try DataType(parsing: $0.1)) }
    var reader = try InputFormats.reader(format, settings: FormatSettings(settings)) { (text, _) throws(QueryError) in
        throw QueryError(.notImplemented, "expression \(String(decoding: text, as: UTF8.self))")
    }
    var rows = RowBuilder(
        columns: definitions, defaults: definitions.map { $0.type.isNullable ? .null : $0.type.defaultScalar })
    let source = piece == .max ? nil : PieceData(text, size: piece)
    var buffer = InsertBuffer(first: piece == .max ? Array(text.utf8)[...] : [], source: source, maxRowBytes: 10_000)
    var isAtEnd = false
    while !isAtEnd {
        var position = buffer.position
        let isComplete = buffer.isComplete
        let outcome: Result<RowOutcome, QueryError> = buffer.bytes.withUnsafeBytes { bytes in
            Result { () throws(QueryError) in try reader.read(bytes, &position, isComplete: isComplete, into: &rows) }
        }
        buffer.position = position
        switch try outcome.get() {
        case .row: break
        case .incomplete: try buffer.fill(row: rows.rowNumber)
        case .end: isAtEnd = true
        }
    }
    let block = rows.take()
    var output = try OutputFormats.make(
        "TSV", columns: definitions.map { ($0.name, $0.type) }, settings: FormatSettings())
    var bytes: [UInt8] = []
    output.write(block, into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}

private func failure(_ text: String, _ format: String) -> String {
    do {
        return "no error: \(try read(text, format))"
    } catch let error as QueryError {
        return error.message
    } catch {
        return "\(error)"
    }
}

@Suite("Input formats")
struct InputFormatTests {
    @Test("Values: literals, NULL, DEFAULT, quotes, nested values, blanks")
    func values() throws {
        #expect(
            try read("(1, 'x', 1.5), (-2,'it''s \\n',NULL)\n,( 3 , '(a,b)' , -1e3 );", "Values")
                == "1\tx\t1.5\n-2\tit\\'s \\n\t\\N\n3\t(a,b)\t-1000\n")
        #expect(try read("(DEFAULT, default, NULL)", "Values") == "0\t\t\\N\n")
        #expect(try read("(NULL, NULL, '5')", "Values") == "0\t\t5\n")
        let nested = [("a", "Array(UInt8)"), ("m", "Map(String, String)"), ("d", "DateTime64(3)"), ("u", "UUID")]
        #expect(
            try read(
                "([1, 2], {'k':'v,)'}, '2024-01-01 00:00:00.5', '61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "Values",
                nested)
                == "[1,2]\t{'k':'v,)'}\t2024-01-01 00:00:00.500\t61f0c404-5cb3-11e7-907b-a6006ad3dba0\n")
        #expect(try read("", "Values") == "")
    }

    @Test("JSON rows: any order, nested objects, unknown fields, missing fields, an array around them")
    func json() throws {
        #expect(
            try read(#"{"b":"x","a":1}{"a":2,"c":null,"zzz":{"q":[1,{"}":"{"}]}}"#, "JSONEachRow")
                == "1\tx\t\\N\n2\t\t\\N\n")
        #expect(try read("[{\"a\":1},\n {\"a\":\"2\"}]\n", "JSONEachRow") == "1\t\t\\N\n2\t\t\\N\n")
        #expect(try read(#"{"a":1,"b":"\u00e9\ud83d\ude00\n\"\/"}"#, "JSONEachRow") == "1\té😀\\n\"/\t\\N\n")
        #expect(try read(#"{"a":1,"b":5,"c":"2.5"}"#, "JSONEachRow") == "1\t5\t2.5\n")
        #expect(try read(#"{"a":1,"b":{"x":[1, 2]},"c":1}"#, "JSONEachRow") == "1\t{\"x\":[1, 2]}\t1\n")
        #expect(try read(#"{"a":1,"a":2}"#, "JSONEachRow") == "1\t\t\\N\n")
        let dotted = [("d.x", "Int8"), ("d.y.z", "String"), ("m", "Map(String, String)"), ("t", "Array(Array(Int8))")]
        #expect(
            try read(#"{"d":{"x":1,"y":{"z":"deep"}},"m":{"a":"b","n":5},"t":[[1],[],[2,3]]}"#, "JSONEachRow", dotted)
                == "1\tdeep\t{'a':'b','n':'5'}\t[[1],[],[2,3]]\n")
    }

    @Test("CSV: quotes, doubled quotes, line ends inside, empty fields, NULL, CRLF, headers")
    func csv() throws {
        #expect(
            try read("1,\"a \"\"q\"\", b\",1.5\r\n2,plain ,\n3,\"two\nlines\",\\N", "CSV")
                == "1\ta \"q\", b\t1.5\n2\tplain\t\\N\n3\ttwo\\nlines\t\\N\n")
        #expect(try read("b,zzz,a\nx,ignored,7\n", "CSVWithNames") == "7\tx\t\\N\n")
        #expect(try read("1;x;2\n", "CSV", settings: ["format_csv_delimiter": ";"]) == "1\tx\t2\n")
        #expect(try read(",,\n", "CSV") == "0\t\t\\N\n")
    }

    @Test("TSV: escapes, NULL, headers")
    func tsv() throws {
        #expect(try read("1\ta\\tb\\n\\\\\t1.5\n2\t\\N\t\\N\n", "TSV") == "1\ta\\tb\\n\\\\\t1.5\n2\t\t\\N\n")
        #expect(try read("b\ta\nString\tInt32\nx\t7\n", "TSVWithNamesAndTypes") == "7\tx\t\\N\n")
    }

    @Test("Data in pieces of any size reads the same", arguments: [1, 2, 3, 7, 64])
    func pieces(size: Int) throws {
        let values = "(1, 'x)', 1.5), (-2,'it''s',NULL);"
        #expect(try read(values, "Values", piece: size) == read(values, "Values"))
        let json = "{\"a\": 1, \"b\": \"}\\\"\"}\n{\"a\": 22}\n"
        #expect(try read(json, "JSONEachRow", piece: size) == read(json, "JSONEachRow"))
        let csv = "1,\"a \"\"q\n\"\", b\",1.5\r\n22,x,\n"
        #expect(try read(csv, "CSV", piece: size) == read(csv, "CSV"))
        let tsv = "1\ta\\tb\t1.5\n2\tx\t\\N\n"
        #expect(try read(tsv, "TSV", piece: size) == read(tsv, "TSV"))
    }

    @Test("What is wrong names row and column")
    func errors() {
        #expect(failure("(1, 'x', 2), ('q', 'x', 2)", "Values").contains("at row 2, column a, type Int32"))
        #expect(failure("(1, 'x')", "Values").contains("2 values for 3 columns"))
        #expect(failure("(1, 'x', 2", "Values").contains("without its closing ')'"))
        #expect(failure("1, 2", "Values").contains("expected '('"))
        #expect(failure("{\"a\": 1}\n{\"a\": \"x\"}", "JSONEachRow").contains("at row 2, column a"))
        #expect(failure("{\"a\": 1", "JSONEachRow").contains("without its closing '}'"))
        #expect(failure("{\"a\" 1}", "JSONEachRow").contains("expected ':'"))
        #expect(failure("nonsense", "JSONEachRow").contains("expected '{'"))
        #expect(failure("1,2\n", "CSV").contains("2 fields, expected 3"))
        #expect(failure("1,2,3,4\n", "CSV").contains("more than 3 fields"))
        #expect(failure("1,\"x,3\n", "CSV").contains("without its closing quote"))
        #expect(failure("x\ty\t3\n", "TSV").contains("at row 1, column a"))
        let deep = String(repeating: "{\"d\":", count: 200) + "1" + String(repeating: "}", count: 200)
        #expect(failure(deep, "JSONEachRow").contains("nested deeper"))
    }

    @Test("A row longer than the limit is an error, not memory")
    func longRow() {
        let error = #expect(throws: QueryError.self) {
            try read("{\"b\":\"" + String(repeating: "x", count: 100_000), "JSONEachRow", piece: 1000)
        }
        #expect(error?.message.contains("longer than 10000 bytes") == true)
    }

    @Test("Unknown fields are an error when a setting says so")
    func unknownFields() {
        let error = #expect(throws: QueryError.self) {
            try read(#"{"zzz":1}"#, "JSONEachRow", settings: ["input_format_skip_unknown_fields": "0"])
        }
        #expect(error?.code == .incorrectData)
    }

    @Test("Random bytes never trap")
    func fuzz() {
        var state: UInt64 = 7
        let pieces = [
            "(", ")", "'", "\"", "\\", "{", "}", "[", "]", ",", ":", "\n", "\t", "1", "null", "\\u", "\\N", "é",
            "\u{0}",
        ]
        for _ in 0..<3000 {
            var text = ""
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int((state >> 33) % UInt64(pieces.count))]
            }
            for format in ["Values", "JSONEachRow", "CSV", "TSV", "CSVWithNames"] {
                for start in ["", "(1,", "{\"a\":"] { _ = failure(start + text, format) }
            }
        }
    }
}

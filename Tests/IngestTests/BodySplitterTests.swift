import Testing

@testable import Ingest

@Suite("Cutting bodies into records")
struct BodySplitterTests {
    struct Outcome: Equatable {
        var records: [String] = []
        var rejections: [Rejection] = []
    }

    /// Cuts `body`, given in pieces of `size` bytes.
    static func split(_ body: [UInt8], pieces size: Int, maxRecordBytes: Int = 1 << 20) -> Outcome {
        var splitter = BodySplitter(maxRecordBytes: maxRecordBytes)
        var outcome = Outcome()
        let keep: (UnsafeRawBufferPointer) -> Void = { outcome.records.append(String(decoding: $0, as: UTF8.self)) }
        var start = 0
        while start < body.count {
            let end = min(start + size, body.count)
            // A copy of its own, so that reading past a piece would read something else.
            Array(body[start..<end]).withUnsafeBytes { splitter.feed($0, keep) }
            start = end
        }
        splitter.finish(keep)
        #expect(splitter.accepted == outcome.records.count)
        outcome.rejections = splitter.rejections.first
        #expect(splitter.rejections.count == outcome.rejections.count)
        return outcome
    }

    /// A body, the records in it, and the lines refused.
    struct Case: Sendable {
        var body: String
        var records: [String]
        var refused: [Int] = []
    }

    static let cases: [Case] = [
        Case(body: "", records: []),
        Case(body: "\n\r\n  \n", records: []),
        Case(body: #"{"a":1}"#, records: [#"{"a":1}"#]),
        Case(body: "{\"a\":1}\n{\"b\":2}\n", records: [#"{"a":1}"#, #"{"b":2}"#]),
        Case(body: "{\"a\":1}\r\n\r\n{\"b\":\"é\"}\r\n", records: [#"{"a":1}"#, #"{"b":"é"}"#]),
        Case(body: "\u{FEFF}{\"a\":1}\n", records: [#"{"a":1}"#]),
        Case(body: "\u{FEFF}[{\"a\":1}]", records: [#"{"a":1}"#]),
        Case(body: #"{"a":1}{"b":2} {"c":3}"#, records: [#"{"a":1}"#, #"{"b":2}"#, #"{"c":3}"#]),
        Case(
            body: "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n{\"c\":3}",
            records: ["{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}", #"{"c":3}"#]),
        Case(body: #"[{"a":1},{"b":[1,2]} , {}]"#, records: [#"{"a":1}"#, #"{"b":[1,2]}"#, "{}"]),
        Case(body: "[\n  {\"a\": 1},\n  {\"b\": 2}\n]\n", records: [#"{"a": 1}"#, #"{"b": 2}"#]),
        Case(body: "[]", records: []),
        Case(body: "[{\"a\":1}]\n[{\"b\":2}]", records: [#"{"a":1}"#, #"{"b":2}"#]),
        // Bad lines, good ones around them.
        Case(body: "{\"a\":1}\n{\"b\":}\n{\"c\":3}", records: [#"{"a":1}"#, #"{"c":3}"#], refused: [2]),
        Case(
            body: "{\"a\":1}\n{\"b\":2\n{\"c\":3}\n{\"d\":4}", records: [#"{"a":1}"#, #"{"c":3}"#, #"{"d":4}"#],
            refused: [2]),
        Case(body: "{\"a\":\"x\n{\"b\":2}", records: [#"{"b":2}"#], refused: [1]),
        Case(body: "{\"a\":1},\n{\"b\":2}", records: [#"{"b":2}"#], refused: [1]),
        Case(body: "{\"a\":1} junk {\n{\"b\":2}", records: [#"{"b":2}"#], refused: [1]),
        Case(body: "junk\n{\"b\":2}\n}\n", records: [#"{"b":2}"#], refused: [1, 3]),
        Case(
            body: "1\n\"s\"\nnull\n{}\ntrue\n{\"a\":1}\n[1]\n", records: ["{}", #"{"a":1}"#], refused: [1, 2, 3, 5, 7]),
        Case(body: "{\"a\":1}\n{\"b\":2", records: [#"{"a":1}"#], refused: [2]),
        Case(body: "{\n  \"a\": 1,\n  \"b\": {\"x\": 1},\n}\n{\"c\":3}\n", records: [#"{"c":3}"#], refused: [1]),
        Case(body: "{\n  \"a\": 1,\n}\njunk\n{\"c\":3}\n", records: [#"{"c":3}"#], refused: [1, 4]),
        Case(body: "{\"a\":\"\0\"}\n{\"b\":1}", records: [#"{"b":1}"#], refused: [1]),
        Case(body: #"[{"a":1},{"b":},{"c":3}]"#, records: [#"{"a":1}"#, #"{"c":3}"#], refused: [1]),
        Case(body: "[{\"a\":1},\n2,\n{\"c\":3}\n,\"x\"]", records: [#"{"a":1}"#, #"{"c":3}"#], refused: [2, 4]),
        Case(body: #"[{"a":1} {"b":2},{"c":3}]"#, records: [#"{"a":1}"#, #"{"c":3}"#], refused: [1]),
        Case(body: #"[{"a":1},tru,{"c":3}]{"d":4}"#, records: [#"{"a":1}"#, #"{"c":3}"#, #"{"d":4}"#], refused: [1]),
        Case(body: #"[{"a":1},"#, records: [#"{"a":1}"#], refused: [1]),
        Case(body: "[{\"a\":1},\n{\"b\":", records: [#"{"a":1}"#], refused: [2, 2]),
        Case(body: "[{\"a\":1},]", records: [#"{"a":1}"#], refused: [1]),
        Case(body: "[1", records: [], refused: [1, 1]),
    ]

    @Test("every body gives the same records in pieces of any size", arguments: cases.indices)
    func everyPieceSize(index: Int) {
        let one = Self.cases[index]
        let body = Array(one.body.utf8)
        let whole = Self.split(body, pieces: max(body.count, 1))
        #expect(whole.records == one.records, "\(one.body)")
        #expect(whole.rejections.map(\.line) == one.refused, "\(one.body): \(whole.rejections)")
        for size in 1..<max(body.count, 2) {
            #expect(Self.split(body, pieces: size) == whole, "\(one.body) in pieces of \(size)")
        }
    }

    @Test("a record too long is refused by its line and the rest goes on", arguments: [1, 7, 100, 1000, 100_000])
    func tooLong(size: Int) {
        let long = "{\"a\":\"" + String(repeating: "x", count: 5000) + "\"}"
        for body in [
            "{\"n\":1}\n\(long)\n{\"n\":2}\n", "[{\"n\":1},\n\(long),\n{\"n\":2}]", "{\"n\":1}\n\(long){\"n\":2}",
        ] {
            let outcome = Self.split(Array(body.utf8), pieces: size, maxRecordBytes: 1000)
            #expect(outcome.records == ["{\"n\":1}", "{\"n\":2}"])
            #expect(outcome.rejections == [Rejection(line: 2, reason: "the record is longer than 1000 bytes")])
        }
    }

    @Test("a line too long that is no JSON either is refused at once", arguments: [1, 100, 100_000])
    func tooLongAndBroken(size: Int) {
        let body =
            "{\"n\":1}\n{\"a\":[\(String(repeating: "1,", count: 3000))\n"
            + "\(String(repeating: "y", count: 3000))\n{\"n\":2}\n"
        let outcome = Self.split(Array(body.utf8), pieces: size, maxRecordBytes: 1000)
        #expect(outcome.records == ["{\"n\":1}", "{\"n\":2}"])
        #expect(outcome.rejections.map(\.line) == [2, 3])
    }

    @Test("a long record over many lines is skipped as one")
    func tooLongOverLines() {
        let body = "{\n" + (0..<500).map { "\"k\($0)\": {\"x\": 1},\n" }.joined() + "\"z\": 0\n}\n{\"n\":2}\n"
        for size in [1, 64, 100_000] {
            let outcome = Self.split(Array(body.utf8), pieces: size, maxRecordBytes: 1000)
            #expect(outcome.records == ["{\"n\":2}"])
            #expect(outcome.rejections == [Rejection(line: 1, reason: "the record is longer than 1000 bytes")])
        }
    }

    @Test("every refused line is counted, the first thousand are told")
    func manyRejections() {
        var splitter = BodySplitter()
        Array(String(repeating: "x\n", count: 5000).utf8).withUnsafeBytes { splitter.feed($0) { _ in } }
        splitter.finish { _ in }
        #expect(splitter.rejections.count == 5000)
        #expect(splitter.rejections.first.count == Rejections.told)
        #expect(splitter.rejections.first.last?.line == Rejections.told)
    }
}

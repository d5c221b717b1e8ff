import Testing

@testable import QueryEngine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Expressions with the types and values that ClickHouse gives them, in `Expressions/*.txt`:
/// `expression<TAB>type<TAB>value`, or `expression<TAB>ERROR<TAB>code`.
@Suite("Functions give ClickHouse's results")
struct FunctionsExpressionTests {
    static let files = [
        "conversion", "comparison", "arithmetic", "logic", "datetime", "strings", "arrays", "sampled",
    ]

    @Test("expressions of constants", arguments: files)
    func constants(file: String) throws {
        for line in try lines(file) {
            let result = evaluated(line.expression, asColumns: false)
            #expect(result == line.expected, "\(line.expression)")
        }
    }

    @Test("the same expressions over rows", arguments: files)
    func rows(file: String) throws {
        for line in try lines(file) where line.expected.type != "ERROR" {
            // What needs a constant argument says so when it gets none.
            let result = evaluated(line.expression, asColumns: true)
            if result.type == "ERROR" { continue }
            #expect(result.value == line.expected.value, "\(line.expression)")
        }
    }

    private func evaluated(_ sql: String, asColumns: Bool) -> ExpressionResult {
        do throws(QueryError) {
            return try ExpressionResult.evaluate(sql, asColumns: asColumns)
        } catch {
            return ExpressionResult(type: "ERROR", value: "\(error.code.number)")
        }
    }

    private func lines(_ file: String) throws -> [(expression: String, expected: ExpressionResult)] {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/Expressions/\(file).txt"
        let handle = try #require(fopen(path, "r"), "\(path) is missing")
        defer { fclose(handle) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, handle), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3, !line.hasPrefix("#") else { return nil }
            return (fields[0], ExpressionResult(type: fields[1], value: fields[2]))
        }
    }
}

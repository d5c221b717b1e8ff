import Disk
import Testing

@testable import QueryEngine

/// A case of a `.test` file; see Tests/SQL/README.md.
private struct SQLCase {
    var name: String
    var line: Int
    var statements: [String] = []
    var expected: [String] = []

    /// The cases of a file.
    static func read(_ path: String) throws -> [SQLCase] {
        let text = try textOfFile(path)
        var cases: [SQLCase] = []
        var sql: [Substring] = []
        var isSQL = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line == "-- oracle" || (isSQL && line == "-- ours") { continue }
            if !isSQL, line.hasPrefix("-- ") {
                cases.append(SQLCase(name: String(line.dropFirst(3)), line: index + 1))
                isSQL = true
                sql = []
            } else if isSQL, line == "----" {
                cases[cases.count - 1].statements = split(sql)
                isSQL = false
            } else if isSQL {
                sql.append(line)
            } else if !cases.isEmpty {
                cases[cases.count - 1].expected.append(String(line))
            }
        }
        for index in cases.indices {
            while cases[index].expected.last == "" { cases[index].expected.removeLast() }
        }
        return cases
    }

    /// A `;` at the end of a line ends a statement.
    private static func split(_ lines: [Substring]) -> [String] {
        var statements: [String] = []
        var current: [Substring] = []
        for line in lines {
            if line.hasSuffix(";") {
                statements.append((current + [line.dropLast()]).joined(separator: "\n"))
                current = []
            } else {
                current.append(line)
            }
        }
        if current.contains(where: { !$0.isEmpty }) { statements.append(current.joined(separator: "\n")) }
        return statements
    }
}

@Suite("SQL files")
struct SQLFileTests {
    private static let folder: String = {
        let source = #filePath
        let tests = source.range(of: "/Tests/QueryEngineTests/").map { String(source[..<$0.lowerBound]) } ?? "."
        return tests + "/Tests/SQL"
    }()

    private static let files: [String] = {
        let names = (try? POSIXFileSystem().list(folder)) ?? []
        return names.filter { $0.hasSuffix(".test") }.sorted()
    }()

    @Test("There are files to run")
    func present() {
        #expect(Self.files.count >= 10)
    }

    @Test("Every case answers as the file says", arguments: files)
    func cases(file: String) throws {
        let engine = try TestEngine()
        for test in try SQLCase.read(Self.folder + "/" + file) {
            let outcome = outcome(test, engine)
            let isEqual = Self.isEqual(outcome, test.expected)
            #expect(
                isEqual,
                "\(file):\(test.line) \(test.name)\n  expected \(test.expected.prefix(9))\n  got      \(outcome.prefix(9))"
            )
        }
    }

    private func outcome(_ test: SQLCase, _ engine: TestEngine) -> [String] {
        var text = ""
        for statement in test.statements {
            do throws(QueryError) {
                text = try engine.run(statement)
            } catch {
                return ["error \(error.code.number) \(error.message)"]
            }
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    private static func isEqual(_ outcome: [String], _ expected: [String]) -> Bool {
        if let wanted = expected.first, wanted.hasPrefix("error ") {
            guard let got = outcome.first, got.hasPrefix("error ") else { return false }
            let parts = wanted.split(separator: " ", maxSplits: 2)
            guard got.split(separator: " ").dropFirst().first == parts.dropFirst().first else { return false }
            return parts.count < 3 || got.contains(parts[2])
        }
        guard outcome.count == expected.count else { return false }
        return zip(outcome, expected).allSatisfy { isEqual(line: $0, $1) }
    }

    /// Equal fields; floats may differ in the last digits.
    private static func isEqual(line: String, _ expected: String) -> Bool {
        if line == expected { return true }
        let left = line.split(separator: "\t", omittingEmptySubsequences: false)
        let right = expected.split(separator: "\t", omittingEmptySubsequences: false)
        guard left.count == right.count else { return false }
        return zip(left, right).allSatisfy { a, b in
            if a == b { return true }
            guard b.contains("."), let x = Double(a), let y = Double(b) else { return false }
            return abs(x - y) <= 1e-9 * max(abs(x), abs(y))
        }
    }
}

extension String {
    /// Where the text stands first.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

import Foundation
import Testing

/// Rules of the house that neither compiler nor formatter checks. A failure lists every offending place.
@Suite("Source rules")
struct SourceRuleTests {
    private let tree = SourceTree.here
    private let code = [".swift", ".c", ".h", ".cpp", ".sh", ".py"]

    @Test("the tree is found and has files in it")
    func treeIsFound() {
        #expect(tree.exists("Package.swift"))
        #expect(tree.files(under: "Sources", suffixes: [".swift"]).count > 20)
    }

    @Test("no file is longer than 800 lines")
    func fileLength() throws {
        let long = try tree.files(suffixes: code).compactMap { path -> String? in
            let count = try tree.lines(path).count
            return count > 801 ? "\(path): \(count) lines" : nil
        }
        #expect(long.isEmpty, "\(long.joined(separator: "\n"))")
    }

    @Test("no line is too long, has a tab or ends in a space; every file ends with a line end")
    func lineShape() throws {
        var wrong: [String] = []
        for path in tree.files(suffixes: code) {
            let lines = try tree.lines(path)
            let stripped = path.hasSuffix(".swift") ? codeLines(of: lines) : lines
            for (number, line) in lines.enumerated() {
                // A long literal is no reason to cut it; a comment or code is.
                if line.utf8.count > 120, line.count > 120 {
                    let isLiteral = line.contains("\"") || line.contains("'") || stripped[number].isEmpty
                    let isComment = line.drop(while: { $0 == " " }).hasPrefix("//")
                    if isComment || !isLiteral { wrong.append("\(path):\(number + 1): \(line.count) characters") }
                }
                if line.utf8.contains(9) { wrong.append("\(path):\(number + 1): a tab") }
                if line.utf8.last == 32 { wrong.append("\(path):\(number + 1): a space at the end") }
            }
            if lines.last != "" { wrong.append("\(path): no line end at the end") }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("sources never trap on purpose except for bugs, and leave nothing to do")
    func forbiddenConstructs() throws {
        // The pieces are put together here so that this file does not trip over itself.
        let everywhere = ["FIX" + "ME", "TO" + "DO", "XX" + "X"]
        let inCode = ["try!", "as!", "fatalError(", "assert(", "assertionFailure("]
        var wrong: [String] = []
        for path in tree.files(under: "Sources", suffixes: [".swift"]) {
            let lines = try tree.lines(path)
            for (number, pair) in zip(lines, codeLines(of: lines)).enumerated() {
                for word in everywhere where containsWord(word, in: pair.0) {
                    wrong.append("\(path):\(number + 1): \(word)")
                }
                for word in inCode where pair.1.contains(word) {
                    let isOtherName = word == "assert(" && pair.1.contains("static_assert(")
                    if !isOtherName { wrong.append("\(path):\(number + 1): \(word)") }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("a precondition says that it is a bug")
    func preconditionsAreBugs() throws {
        var wrong: [String] = []
        for path in tree.files(under: "Sources", suffixes: [".swift"]) {
            let lines = try tree.lines(path)
            let stripped = codeLines(of: lines)
            for number in lines.indices where stripped[number].contains("precondition") {
                let call =
                    stripped[number].contains("precondition(") || stripped[number].contains("preconditionFailure(")
                // The message may stand on one of the next lines.
                let reach = lines[number..<min(number + 6, lines.count)]
                if call && !reach.contains(where: { $0.contains("BUG: ") }) { wrong.append("\(path):\(number + 1)") }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("no path of somebody's own machine is in the tree")
    func noForeignPaths() throws {
        let foreign = ["/wo" + "rk/", "/Use" + "rs/", "/tmp/te" + "am", "/tmp/li" + "ght"]
        var wrong: [String] = []
        let kinds = code + [".md", ".yaml", ".yml", ".json", ".sql", ".txt", "Makefile", "run", ".service"]
        for path in tree.files(suffixes: kinds) {
            for (number, line) in try tree.lines(path).enumerated() {
                for word in foreign where line.contains(word) { wrong.append("\(path):\(number + 1): \(word)") }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("every shell script stops at the first error")
    func shellScripts() throws {
        let careless = try tree.files(suffixes: [".sh"]).filter {
            let text = try tree.text($0)
            return !text.contains("set -euo pipefail") || !text.hasPrefix("#!/bin/bash\n")
        }
        #expect(careless.isEmpty, "\(careless)")
    }

    private func containsWord(_ word: String, in line: String) -> Bool {
        line.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_") }).contains { $0 == word }
    }
}

@Suite("Blanking comments and strings")
struct CodeLinesTests {
    @Test(
        "comments and the insides of strings vanish, code stays",
        arguments: [
            ("let a = b // try!", "let a = b "),
            ("call(\"try!\") + try! x", "call() + try! x"),
            ("\"a\\\"b\" as! C", " as! C"),
            ("a /* x */ b", "a  b"),
        ])
    func oneLine(source: String, expected: String) {
        #expect(codeLines(of: [source]) == [expected])
    }

    @Test("a multi-line string hides what is inside it")
    func multiLine() {
        let quotes = "\"\"\""
        #expect(codeLines(of: ["let a = \(quotes)", "try! x", "\(quotes) + b"]) == ["let a = ", "", " + b"])
    }
}

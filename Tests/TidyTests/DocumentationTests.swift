import Foundation
import Testing

/// The documentation keeps its promises that a machine can check.
@Suite("Documentation")
struct DocumentationTests {
    private let tree = SourceTree.here

    /// Every Markdown link `[text](target)` outside code, with where it stands.
    private func links() throws -> [(file: String, line: Int, target: String)] {
        var found: [(file: String, line: Int, target: String)] = []
        for path in tree.files(suffixes: [".md"]) {
            var inCode = false
            for (number, line) in try tree.lines(path).enumerated() {
                if line.trimmingCharacters(in: .whitespaces).hasPrefix("```") { inCode.toggle() }
                if inCode { continue }
                for match in line.matches(of: /\]\(([^)\s]+)\)/) {
                    found.append((path, number + 1, String(match.1)))
                }
            }
        }
        return found
    }

    @Test("every link to a file of the tree, and to a heading in it, leads somewhere")
    func linksResolve() throws {
        var wrong: [String] = []
        for link in try links() where !link.target.contains("://") && !link.target.hasPrefix("mailto:") {
            let pieces = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let folder = link.file.split(separator: "/").dropLast().joined(separator: "/")
            let joined = folder.isEmpty ? String(pieces[0]) : folder + "/" + pieces[0]
            let path = pieces[0].isEmpty ? link.file : normalized(joined)
            guard tree.exists(path) else {
                wrong.append("\(link.file):\(link.line): no \(link.target)")
                continue
            }
            if pieces.count == 2, path.hasSuffix(".md"), try !headings(path).contains(String(pieces[1])) {
                wrong.append("\(link.file):\(link.line): no heading \(link.target)")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("every page of docs is reachable from the README")
    func pagesAreReachable() throws {
        let all = try links()
        var reached: Set<String> = ["README.md"]
        var waiting = ["README.md"]
        while let page = waiting.popLast() {
            let folder = page.split(separator: "/").dropLast().joined(separator: "/")
            for link in all where link.file == page && !link.target.contains("://") {
                let name = String(link.target.split(separator: "#", omittingEmptySubsequences: false)[0])
                if name.isEmpty { continue }
                let path = normalized(folder.isEmpty ? name : folder + "/" + name)
                if path.hasSuffix(".md"), reached.insert(path).inserted { waiting.append(path) }
                // A link to a folder stands for the pages in it.
                if tree.exists(path + "/README.md"), reached.insert(path + "/README.md").inserted {
                    waiting.append(path + "/README.md")
                }
            }
        }
        let lonely = tree.files(under: "docs", suffixes: [".md"]).filter { !reached.contains($0) }
        #expect(lonely.isEmpty, "\(lonely)")
    }

    @Test("code fences are closed, and what is marked to run is shell")
    func fences() throws {
        var wrong: [String] = []
        for path in tree.files(suffixes: [".md"]) {
            let lines = try tree.lines(path)
            if lines.filter({ $0.hasPrefix("```") }).count % 2 != 0 { wrong.append("\(path): an open fence") }
            for (number, line) in lines.enumerated() where line.hasPrefix("<!-- run") {
                if number + 1 >= lines.count || lines[number + 1] != "```sh" {
                    wrong.append("\(path):\(number + 1): marked to run, but no ```sh follows")
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("decisions are numbered without a gap")
    func decisionsAreNumbered() {
        let numbers = tree.files(under: "docs/decisions", suffixes: [".md"])
            .compactMap { Int($0.split(separator: "/")[2].prefix(4)) }
        #expect(!numbers.isEmpty)
        #expect(numbers == numbers.indices.map { $0 + 1 })
    }

    @Test("what a newcomer and a contributor look for is there")
    func standardFiles() {
        let wanted = [
            "README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/format.md",
            "docs/benchmarks.md", ".ci/run", "Makefile",
        ]
        let missing = wanted.filter { !tree.exists($0) }
        #expect(missing.isEmpty, "\(missing)")
    }

    @Test("every JSON file of Grafana's provisioning parses")
    func provisioningJSON() throws {
        let files = tree.files(under: "grafana", suffixes: [".json"])
        #expect(!files.isEmpty)
        for path in files {
            let data = try Data(contentsOf: URL(fileURLWithPath: tree.absolute(path)))
            let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            #expect(dashboard["title"] is String, "\(path)")
            #expect((dashboard["panels"] as? [Any])?.isEmpty == false, "\(path)")
        }
    }

    @Test("every YAML file of Grafana's provisioning is plain, indented by two, and names its version")
    func provisioningYAML() throws {
        let files = tree.files(under: "grafana", suffixes: [".yaml", ".yml"])
        #expect(!files.isEmpty)
        for path in files {
            let lines = try tree.lines(path)
            #expect(lines.contains("apiVersion: 1"), "\(path)")
            for (number, line) in lines.enumerated() {
                let body = line.drop(while: { $0 == " " })
                if body.isEmpty || body.hasPrefix("#") { continue }
                #expect((line.count - body.count) % 2 == 0, "\(path):\(number + 1): odd indentation")
                let isEntry = body.contains(": ") || body.hasSuffix(":") || body.hasPrefix("- ")
                #expect(isEntry, "\(path):\(number + 1): neither a key nor an item")
            }
        }
    }

    private func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// The anchors of a page's headings, as GitHub makes them.
    private func headings(_ path: String) throws -> Set<String> {
        var result: Set<String> = []
        var inCode = false
        for line in try tree.lines(path) {
            if line.hasPrefix("```") { inCode.toggle() }
            guard !inCode, line.hasPrefix("#") else { continue }
            let title = line.drop(while: { $0 == "#" }).trimmingCharacters(in: .whitespaces).lowercased()
            let kept = title.filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
            result.insert(kept.replacingOccurrences(of: " ", with: "-"))
        }
        return result
    }
}

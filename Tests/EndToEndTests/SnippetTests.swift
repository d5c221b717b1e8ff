import Foundation
import Testing

/// The commands in README and docs: those marked with `<!-- run -->` are run as they stand, block after block of a
/// page in one shell, against a server on a free port instead of 8123.
@Suite("Snippets of the documentation")
struct SnippetTests {
    /// A marked block and what its output must contain.
    struct Snippet {
        var line: Int
        var text: String
        var prints: String?
    }

    static let pages: [String] = {
        let root = Program.root
        let docs = (try? FileManager.default.contentsOfDirectory(atPath: root + "/docs")) ?? []
        let all = ["README.md"] + docs.filter { $0.hasSuffix(".md") }.sorted().map { "docs/" + $0 }
        return all.filter { !((try? snippets(of: $0)) ?? []).isEmpty }
    }()

    static func snippets(of page: String) throws -> [Snippet] {
        let text = try String(contentsOfFile: Program.root + "/" + page, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var found: [Snippet] = []
        for (number, line) in lines.enumerated() where line.hasPrefix("<!-- run") {
            let prints = line.range(of: "prints: ").map {
                line[$0.upperBound...].replacingOccurrences(of: " -->", with: "")
            }
            let body = lines[(number + 2)...].prefix { !$0.hasPrefix("```") }
            found.append(Snippet(line: number + 1, text: body.joined(separator: "\n"), prints: prints))
        }
        return found
    }

    @Test("there are pages with commands to run")
    func thereAreSome() {
        #expect(SnippetTests.pages.contains("README.md"))
    }

    @Test("docs/sql.md lists the functions, formats and system tables that there are")
    func reference() throws {
        let outcome = try run(["python3", Program.root + "/Tools/sql-reference.py", try Program.binary(), "--check"])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }

    @Test("every marked command of the page works", arguments: pages)
    func page(_ page: String) throws {
        let space = try TemporaryFolder()
        let server = try Server(data: space.file("data"))
        let tools = space.file("bin")
        try FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: tools + "/logstore", withDestinationPath: Program.binary())
        for snippet in try SnippetTests.snippets(of: page) {
            let text = snippet.text
                .replacingOccurrences(of: "localhost:8123", with: "127.0.0.1:\(server.port)")
                .replacingOccurrences(of: "127.0.0.1:8123", with: "127.0.0.1:\(server.port)")
                .replacingOccurrences(of: "localhost:9092", with: server.bootstrap)
                .replacingOccurrences(of: "127.0.0.1:9092", with: server.bootstrap)
            // What was just posted may take a moment to show; a page does not wait, so the test tries again.
            var outcome = Outcome(status: -1, output: "", errors: "")
            let worked = try eventually {
                outcome = try run(
                    ["bash", "-euo", "pipefail", "-c", text], folder: space.path,
                    environment: [
                        "PATH": tools + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? ""),
                        "LOGSTORE_URL": server.url,
                    ])
                return outcome.status == 0 && (snippet.prints.map(outcome.output.contains) ?? true)
            }
            #expect(worked, "\(page):\(snippet.line): exit \(outcome.status)\n\(outcome.output)\n\(outcome.errors)")
        }
        #expect(try server.stop() == 0)
    }
}

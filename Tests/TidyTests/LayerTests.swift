import Foundation
import Testing

/// Dependencies point down only, and the lower layers stay free of what they must not know.
@Suite("Layers")
struct LayerTests {
    private let tree = SourceTree.here

    /// Each target with its height; an import must go to a lower one.
    private static let height = [
        "Disk": 0, "Compression": 0, "LogStore": 1, "Columnar": 1, "KafkaProtocol": 1, "QueryEngine": 2, "Ingest": 2,
        "KafkaBroker": 2, "Server": 3, "logstore": 4,
    ]

    /// Modules that talk to the network or to a terminal; only the two upper layers may.
    private static let outer: Set<String> = [
        "NIOCore", "NIOPosix", "NIOHTTP1", "NIOFoundationCompat", "NIOConcurrencyHelpers", "NIOSSL", "Hummingbird",
        "HummingbirdCore", "HTTPTypes", "ServiceLifecycle", "Logging", "ArgumentParser",
    ]

    private struct Import {
        var place: String
        var target: String
        var module: String
    }

    private func imports() throws -> [Import] {
        var found: [Import] = []
        for path in tree.files(under: "Sources", suffixes: [".swift"]) {
            let target = String(path.split(separator: "/")[1])
            for (number, line) in codeLines(of: try tree.lines(path)).enumerated() {
                let words = line.split(separator: " ").map(String.init)
                guard let at = words.firstIndex(of: "import"), at + 1 < words.count else { continue }
                guard words[..<at].allSatisfy({ $0.hasPrefix("@") || modifiers.contains($0) }) else { continue }
                let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "typealias"]
                var name = words[at + 1]
                if kinds.contains(name), at + 2 < words.count { name = words[at + 2] }
                let module = String(name.split(separator: ".")[0])
                found.append(Import(place: "\(path):\(number + 1)", target: target, module: module))
            }
        }
        return found
    }

    private let modifiers: Set<String> = ["public", "package", "internal", "fileprivate", "private"]

    @Test("every import of our own goes down")
    func importsGoDown() throws {
        let wrong = try imports().compactMap { item -> String? in
            guard let from = LayerTests.height[item.target], let to = LayerTests.height[item.module] else { return nil }
            return to < from ? nil : "\(item.place): \(item.target) imports \(item.module)"
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("every Swift target under Sources has its height")
    func everyTargetIsKnown() {
        let targets = Set(
            tree.files(under: "Sources", suffixes: [".swift"]).map { String($0.split(separator: "/")[1]) })
        #expect(targets == Set(LayerTests.height.keys))
    }

    @Test("full Foundation is imported nowhere")
    func noFoundation() throws {
        let full: Set<String> = ["Foundation", "FoundationNetworking", "FoundationXML", "Dispatch"]
        let wrong = try imports().filter { full.contains($0.module) }.map { "\($0.place): \($0.module)" }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("the layers below the server know neither sockets nor terminals")
    func lowerLayersAreSilent() throws {
        let wrong = try imports().filter {
            LayerTests.outer.contains($0.module) && (LayerTests.height[$0.target] ?? 0) < 3
        }
        #expect(wrong.isEmpty, "\(wrong.map { "\($0.place): \($0.module)" }.joined(separator: "\n"))")
    }

    @Test("only Disk touches files: the store above it runs on a simulated disk too")
    func filesGoThroughDisk() throws {
        let calls = [
            "open", "openat", "creat", "fopen", "unlink", "fsync", "fdatasync", "pwrite", "pread", "mmap", "rename",
        ]
        var wrong: [String] = []
        for target in ["LogStore", "Columnar", "QueryEngine", "Ingest", "Compression", "KafkaProtocol", "KafkaBroker"] {
            for path in tree.files(under: "Sources/" + target, suffixes: [".swift"]) {
                for (number, line) in codeLines(of: try tree.lines(path)).enumerated() {
                    for call in calls where callsFree(call, in: line) {
                        wrong.append("\(path):\(number + 1): \(call)")
                    }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    /// Whether the line calls the C function: `name(`, neither a method nor a declaration.
    private func callsFree(_ name: String, in line: String) -> Bool {
        if line.contains("Glibc.\(name)(") { return true }
        guard line.contains("Glibc") || !line.contains("func \(name)(") else { return false }
        // A call to a method of the same name in its own type has labels: `open(path: …)`; the C one has none.
        var rest = line[...]
        while let hit = rest.range(of: name + "(") {
            let before = rest[..<hit.lowerBound].last
            let after = rest[hit.upperBound...]
            let isFree = before.map { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") } ?? true
            let first = after.prefix(while: { $0.isLetter || $0.isNumber || $0 == "_" })
            let isLabelled = after.dropFirst(first.count).hasPrefix(":")
            if isFree && !isLabelled && !after.hasPrefix(")") && !line.contains("try ") { return true }
            rest = after
        }
        return false
    }

    @Test("tests mirror the sources: each target has its test target")
    func testsMirrorSources() {
        let missing = LayerTests.height.keys.filter { $0 != "logstore" && !tree.exists("Tests/\($0)Tests") }
        #expect(missing.isEmpty, "\(missing)")
    }
}

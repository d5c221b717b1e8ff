import Foundation

/// The checkout these tests look at: lists its files, without what builds and tools leave behind.
struct SourceTree {
    /// Absolute path of the top folder.
    let root: String

    /// The tree this file is part of.
    static let here = SourceTree(
        root: URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path)

    /// Folders that hold no source: build products, data, tools.
    private static let skipped: Set<String> = [".build", ".git", ".venv", ".demo", ".bench", "data", "__pycache__"]

    /// Paths relative to the top, sorted, of files under `folder` whose name ends in one of `suffixes`.
    func files(under folder: String = "", suffixes: [String]) -> [String] {
        var found: [String] = []
        collect(folder, suffixes, into: &found)
        return found.sorted()
    }

    private func collect(_ folder: String, _ suffixes: [String], into found: inout [String]) {
        let manager = FileManager.default
        let names = (try? manager.contentsOfDirectory(atPath: absolute(folder))) ?? []
        for name in names where !SourceTree.skipped.contains(name) && !name.hasPrefix(".build") {
            let path = folder.isEmpty ? name : folder + "/" + name
            var isFolder: ObjCBool = false
            guard manager.fileExists(atPath: absolute(path), isDirectory: &isFolder) else { continue }
            if isFolder.boolValue {
                collect(path, suffixes, into: &found)
            } else if suffixes.contains(where: name.hasSuffix) {
                found.append(path)
            }
        }
    }

    /// The whole text of a file; bytes that are no UTF-8 become U+FFFD.
    func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: absolute(path))), as: UTF8.self)
    }

    /// The lines of a file, without their ends.
    func lines(_ path: String) throws -> [String] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Whether a file or folder exists.
    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: absolute(path)) }

    /// The absolute form of a path in the tree.
    func absolute(_ path: String) -> String { path.isEmpty ? root : root + "/" + path }
}

/// Swift source with comments and the insides of string literals blanked out, line by line, so that a rule about
/// code does not trip over words.
func codeLines(of lines: [String]) -> [String] {
    var result: [String] = []
    var inBlockString = false
    var commentDepth = 0
    for line in lines {
        let characters = Array(line.unicodeScalars)
        var kept = String.UnicodeScalarView()
        var inString = false
        var index = 0
        func at(_ text: String) -> Bool {
            let wanted = Array(text.unicodeScalars)
            return index + wanted.count <= characters.count
                && Array(characters[index..<index + wanted.count]) == wanted
        }
        while index < characters.count {
            if commentDepth > 0 {
                if at("*/") { commentDepth -= 1 }
                index += at("*/") ? 2 : 1
            } else if at("\"\"\"") {
                inBlockString.toggle()
                index += 3
            } else if inBlockString {
                index += 1
            } else if inString {
                if characters[index] == "\\" { index += 1 } else if characters[index] == "\"" { inString = false }
                index += 1
            } else if characters[index] == "\"" {
                inString = true
                index += 1
            } else if at("//") {
                break
            } else if at("/*") {
                commentDepth += 1
                index += 2
            } else {
                kept.append(characters[index])
                index += 1
            }
        }
        result.append(String(kept))
    }
    return result
}

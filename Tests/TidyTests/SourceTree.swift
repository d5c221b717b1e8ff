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
    let quote = UInt8(ascii: "\""), slash = UInt8(ascii: "/"), star = UInt8(ascii: "*"), escape = UInt8(ascii: "\\")
    var result: [String] = []
    var inBlockString = false
    var commentDepth = 0
    for line in lines {
        let bytes = Array(line.utf8)
        var kept: [UInt8] = []
        var inString = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            let isTriple = byte == quote && next == quote && index + 2 < bytes.count && bytes[index + 2] == quote
            var step = 1
            if commentDepth > 0 {
                if byte == star && next == slash {
                    commentDepth -= 1
                    step = 2
                }
            } else if isTriple && !inString {
                inBlockString.toggle()
                step = 3
            } else if inBlockString {
                // Nothing of it is code.
            } else if inString {
                if byte == escape { step = 2 } else if byte == quote { inString = false }
            } else if byte == quote {
                inString = true
            } else if byte == slash && next == slash {
                break
            } else if byte == slash && next == star {
                commentDepth += 1
                step = 2
            } else {
                kept.append(byte)
            }
            index += step
        }
        result.append(String(decoding: kept, as: UTF8.self))
    }
    return result
}

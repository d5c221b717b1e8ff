/// The folder holding `path`; nil for a path without a slash and for the root.
public func parentDirectory(of path: String) -> String? {
    let trimmed = path.utf8.last == UInt8(ascii: "/") ? path.dropLast() : path[...]
    guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    if slash == trimmed.startIndex { return trimmed.utf8.count > 1 ? "/" : nil }
    return String(trimmed[..<slash])
}

/// The last component of `path`.
public func lastComponent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
}

extension FileSystem {
    /// Creates the folder and those above it, and makes each new one durable in its parent.
    public func createDurableDirectory(_ path: String) throws(DiskError) {
        if let status = try status(path) {
            guard status.isDirectory else { throw DiskError(.exists, "\(path): is a file, not a folder") }
            return
        }
        let parent = parentDirectory(of: path) ?? "."
        if parent != path { try createDurableDirectory(parent) }
        try createDirectory(path)
        try syncDirectory(parent)
    }

    /// Replaces the file at `path` (or creates it) by one holding `bytes`, atomically and durably: after a crash
    /// the old content or the new is there, whole. Writes `path` + `.tmp` on the way.
    public func replaceFile(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        let temporary = path + ".tmp"
        let file = try open(temporary, .create)
        do throws(DiskError) {
            defer { file.close() }
            try file.truncate(to: 0)
            try file.write(bytes, at: 0)
            try file.sync()
        } catch {
            // Nothing refers to it; it would only hold space on what may be a full disk.
            try? remove(temporary)
            throw error
        }
        try rename(temporary, to: path)
        try syncDirectory(parentDirectory(of: path) ?? ".")
    }

    /// The whole content of the file at `path`. Throws `.corrupt` when it is longer than `maxBytes`.
    public func readFile(_ path: String, maxBytes: Int) throws(DiskError) -> [UInt8] {
        let file = try open(path, .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= UInt64(max(0, maxBytes)) else {
            throw DiskError(.corrupt, "\(path): has \(size) bytes, at most \(maxBytes) make sense")
        }
        return try file.readExactly(at: 0, count: Int(size))
    }
}

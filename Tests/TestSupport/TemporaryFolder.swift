import Disk

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A new folder on the real disk, removed with the object.
public final class TemporaryFolder: Sendable {
    /// Where it is.
    public let path: String

    /// Creates the folder under /tmp.
    public init() {
        var template = Array("/tmp/logstore-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "BUG: cannot create a temporary folder")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.removeTree(path, POSIXFileSystem()) }

    private static func removeTree(_ path: String, _ fileSystem: POSIXFileSystem) {
        for name in (try? fileSystem.list(path)) ?? [] {
            let child = path + "/" + name
            if (try? fileSystem.status(child))??.isDirectory == true {
                removeTree(child, fileSystem)
            } else {
                try? fileSystem.remove(child)
            }
        }
        try? fileSystem.removeDirectory(path)
    }
}

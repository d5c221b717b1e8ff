#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reading of standard input and of files that may be pipes. Blocks.
enum StandardInput {
    /// All of standard input, at most `maxBytes`.
    static func readAll(maxBytes: Int) throws -> [UInt8] {
        let source = ByteSource(descriptor: STDIN_FILENO, name: "standard input")
        var bytes: [UInt8] = []
        while let piece = try source.next() {
            bytes.append(contentsOf: piece)
            guard bytes.count <= maxBytes else {
                throw CommandFailure("standard input is longer than \(maxBytes) bytes")
            }
        }
        return bytes
    }
}

/// Bytes of a file, a pipe or standard input, piece by piece. Used by one task at a time.
final class ByteSource: @unchecked Sendable {
    /// For messages.
    let name: String
    /// The length in bytes; 0 when nobody knows.
    let sizeBytes: UInt64
    private let descriptor: Int32

    init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
        var status = stat()
        sizeBytes =
            fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? UInt64(max(0, status.st_size)) : 0
    }

    /// Opens a file; `-` is standard input.
    static func open(_ path: String) throws -> ByteSource {
        if path == "-" { return ByteSource(descriptor: STDIN_FILENO, name: "standard input") }
        let descriptor = openForReading(path)
        guard descriptor >= 0 else { throw CommandFailure("\(path): \(String(cString: strerror(errno)))") }
        return ByteSource(descriptor: descriptor, name: path)
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// The next bytes, up to 256 KB; nil at the end.
    func next() throws -> [UInt8]? {
        let size = 256 * 1024
        while true {
            var result = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                result = read(descriptor, buffer.baseAddress, size)
                count = max(0, result)
            }
            if result > 0 { return bytes }
            if result == 0 { return nil }
            if errno != EINTR { throw CommandFailure("\(name): \(String(cString: strerror(errno)))") }
        }
    }
}

private func openForReading(_ path: String) -> Int32 { open(path, O_RDONLY | O_CLOEXEC) }

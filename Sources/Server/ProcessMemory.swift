#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the operating system says of this process's memory.
struct ProcessMemory {
    /// Bytes held now.
    var residentBytes: UInt64 = 0
    /// The most bytes ever held.
    var peakBytes: UInt64 = 0

    /// Reads `/proc/self/status`; zeroes where there is none.
    static func read() -> ProcessMemory {
        var memory = ProcessMemory()
        let descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return memory }
        defer { _ = close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let size = buffer.count
        let count = buffer.withUnsafeMutableBytes { readBytes(descriptor, $0.baseAddress, size) }
        guard count > 0 else { return memory }
        for line in String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2, let kilobytes = UInt64(words[1]) else { continue }
            if words[0] == "VmRSS:" { memory.residentBytes = kilobytes * 1024 }
            if words[0] == "VmHWM:" { memory.peakBytes = kilobytes * 1024 }
        }
        return memory
    }
}

/// `read`, whose name `ProcessMemory.read` hides.
private func readBytes(_ descriptor: Int32, _ pointer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, pointer, count)
}

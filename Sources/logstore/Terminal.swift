import CKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The terminal, or the pipe or file that stands in for it.
enum Terminal {
    /// Whether standard output goes to a person.
    static var hasScreen: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Whether standard error goes to a person who wants to see things move.
    static var showsProgress: Bool { isatty(STDERR_FILENO) == 1 && Environment.value("TERM") != "dumb" }

    /// Whether colours are wanted on standard error.
    static var hasColor: Bool { showsProgress && Environment.value("NO_COLOR").map(\.isEmpty) ?? true }

    /// How many characters fit on a line.
    static var width: Int {
        var size = winsize()
        if ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return 80
    }

    /// Writes to standard error.
    static func complain(_ message: String, prefix: Bool = true) {
        let start = prefix ? (hasColor ? "\u{1B}[31mlogstore:\u{1B}[0m " : "logstore: ") : ""
        writeAll(STDERR_FILENO, Array("\(start)\(message)\n".utf8))
    }

    /// Writes to standard error as it is.
    static func note(_ text: String) { writeAll(STDERR_FILENO, Array(text.utf8)) }

    /// Writes to standard output. False when nobody reads it any more.
    @discardableResult
    static func write(_ bytes: [UInt8]) -> Bool { writeAll(STDOUT_FILENO, bytes) }

    @discardableResult
    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                writeBytes(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }
}

/// Environment variables.
enum Environment {
    /// The variable's value; nil when it is not set.
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// All variables.
    static var all: [String: String] {
        var variables: [String: String] = [:]
        guard var next = logstore_environment() else { return variables }
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }
}

/// Sets the process up: a closed pipe is an error, not a death; the allocator keeps few arenas; files are as many
/// as the system allows.
func prepareProcess() {
    signal(SIGPIPE, SIG_IGN)
    logstore_tune_allocator()
    logstore_raise_file_limit()
}

/// Numbers for people.
enum Human {
    /// `12.3 MB`.
    static func bytes(_ count: UInt64) -> String {
        var value = Double(count)
        var unit = 0
        let units = ["B", "KB", "MB", "GB", "TB"]
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(tenths(value)) \(units[unit])"
    }

    /// `1,234,567`.
    static func count(_ number: some BinaryInteger) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return number < 0 ? "-" + text : text
    }

    /// `1:05` or `2:03:10`.
    static func span(seconds: Double) -> String {
        guard seconds.isFinite, seconds < 360_000 else { return "--:--" }
        let whole = Int(seconds.rounded(.up))
        let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        return whole >= 3600
            ? "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))" : "\(whole / 60):\(two(whole % 60))"
    }

    /// One digit after the point.
    static func tenths(_ value: Double) -> String {
        let scaled = Int((value * 10).rounded())
        return "\(scaled / 10).\(scaled % 10)"
    }
}

private func writeBytes(_ descriptor: Int32, _ pointer: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, pointer, count)
}

import Glibc

// generate ROWS FILE: a deterministic log table of ROWS rows, one JSON object a line, in time order, about 295 bytes
// a row: the shape of a log-analytics service. Prints the trace id of one row, for the query that looks one up.

/// The values that rows are drawn from.
struct Vocabulary {
    let services = [
        "payment-service", "auth-service", "cart-service", "search-service", "user-service", "email-worker",
        "inventory", "gateway", "recommender", "billing", "shipping", "notifications",
    ]
    let serviceWeights: [Double] = [12, 14, 9, 16, 8, 3, 6, 20, 5, 3, 2, 2]
    let hosts = (0..<24).map { "vps-\($0 < 10 ? "0" : "")\($0).example.net" }
    let levels = ["INFO", "DEBUG", "WARN", "ERROR", "FATAL"]
    let levelWeights: [Double] = [70, 15, 10, 4.8, 0.2]
    let paths = ["users", "orders", "cart", "search", "items", "pay", "login", "reports"].flatMap { area in
        ["list", "get", "update", "create", "delete", "export", "stats"].map { "/api/v1/\(area)/\($0)" }
    }
    let methods = ["GET", "POST", "PUT", "DELETE"]
    let methodWeights: [Double] = [70, 22, 5, 3]
    let words = [
        "request", "handled", "cache", "miss", "retry", "upstream", "connection", "pool", "exhausted", "user",
        "session", "token", "expired", "payload", "parsed", "queue", "depth", "worker", "started", "stopped", "flush",
        "segment",
    ]
    let errors = [
        "connection timeout to upstream", "deadlock found when trying to get lock", "payment declined by issuer",
        "upstream returned 502", "out of memory in worker", "TLS handshake failed",
        "constraint violation on orders_pkey",
    ]
}

/// Lines on their way into a file.
struct LineWriter {
    private var buffer: [UInt8] = []
    private let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        buffer.reserveCapacity(1 << 20 + 4096)
    }

    mutating func text(_ text: StaticString) {
        buffer.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func bytes(_ bytes: [UInt8]) { buffer.append(contentsOf: bytes) }

    mutating func number(_ value: UInt64) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { space in
            var at = space.count
            var rest = value
            repeat {
                at -= 1
                space[at] = UInt8(48 + rest % 10)
                rest /= 10
            } while rest > 0
            buffer.append(contentsOf: space[at...])
        }
    }

    /// `value` with `places` digits after the point.
    mutating func decimal(_ value: Double, places: Int) {
        let scale: UInt64 = places == 3 ? 1000 : 10
        let scaled = UInt64((value * Double(scale)).rounded())
        number(scaled / scale)
        buffer.append(46)
        let fraction = scaled % scale
        if places == 3 {
            if fraction < 100 { buffer.append(48) }
            if fraction < 10 { buffer.append(48) }
        }
        number(fraction)
    }

    mutating func hex(_ value: UInt64) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8((value >> UInt64(shift)) & 15)
            buffer.append(digit < 10 ? 48 + digit : 87 + digit)
        }
    }

    /// Writes out what is buffered, when it is enough or `force` says so.
    mutating func drain(force: Bool) {
        guard force || buffer.count >= 1 << 20 else { return }
        buffer.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let wrote = write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
                if wrote <= 0 { complain("cannot write: \(String(cString: strerror(errno)))") }
                done += wrote
            }
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

func complain(_ message: String) -> Never {
    let line = Array("generate: \(message)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}

/// Draws rows and writes them.
func generate(rows: Int, into descriptor: Int32) -> String {
    let vocabulary = Vocabulary()
    var random = Random(seed: 7)
    let pathWeights = vocabulary.paths.indices.map { 1 / Double($0 + 1) }
    func encoded(_ names: [String]) -> [[UInt8]] { names.map { Array($0.utf8) } }
    let services = encoded(vocabulary.services), hosts = encoded(vocabulary.hosts), levels = encoded(vocabulary.levels)
    let paths = encoded(vocabulary.paths), methods = encoded(vocabulary.methods), words = encoded(vocabulary.words)
    let errors = encoded(vocabulary.errors)
    let serviceOf = random.choices(vocabulary.serviceWeights, count: 4096)
    let pathOf = random.choices(pathWeights, count: 4096)
    let levelOf = random.choices(vocabulary.levelWeights, count: 65536)
    let methodOf = random.choices(vocabulary.methodWeights, count: 4096)

    var out = LineWriter(descriptor)
    let start = 1_760_000_000_000.0  // 2025-10-09 08:53:20 UTC
    let step = 7 * 86_400_000.0 / Double(rows)
    var sample: UInt64 = 0
    for row in 0..<rows {
        let time = UInt64(start + (Double(row) + random.unit()) * step)
        let x = random.bits()
        let level = levelOf[Int((x >> 12) & 65535)]
        let failed = level >= 3
        let user = UInt64(random.pareto(1.1).truncatingRemainder(dividingBy: 200_000))
        let latency = random.logNormal(mean: 3.2, deviation: 0.9)
        let top = x >> 60
        let status: UInt64 = failed && top < 12 ? 500 : top == 1 ? 404 : top == 2 ? 302 : 200

        out.text("{\"timestamp\":")
        out.number(time)
        out.text(",\"level\":\"")
        out.bytes(levels[level])
        out.text("\",\"service\":\"")
        out.bytes(services[serviceOf[Int(x & 4095)]])
        out.text("\",\"host\":\"")
        out.bytes(hosts[Int((x >> 45) % 24)])
        out.text("\",\"method\":\"")
        out.bytes(methods[methodOf[Int((x >> 40) & 4095)]])
        out.text("\",\"path\":\"")
        out.bytes(paths[pathOf[Int((x >> 28) & 4095)]])
        out.text("\",\"status\":")
        out.number(status)
        out.text(",\"response_time_ms\":")
        out.decimal(latency, places: 3)
        out.text(",\"user_id\":\"")
        out.number(user)
        out.text("\",\"trace_id\":\"")
        out.hex(x)
        out.hex(x &* 2_654_435_761)
        out.text("\",\"message\":\"")
        if failed {
            out.bytes(errors[Int((x >> 50) % 7)])
            out.text(": order=")
            out.number(x & 0xFFFFF)
            out.text(" attempt=")
            out.number((x >> 20) & 3)
            out.text(" after ")
            out.decimal(latency, places: 1)
            out.text("ms")
        } else {
            let first = (x >> 8) % 22
            out.bytes(words[Int(first)])
            out.text(" ")
            out.bytes(words[Int((first + (x >> 30)) % 22)])
            out.text(" ")
            out.bytes(words[Int((x >> 35) % 22)])
            out.text(" id=")
            out.number(x & 0xFFFFFF)
            out.text(" size=")
            out.number((x >> 25) & 0xFFFF)
        }
        out.text("\"}\n")
        out.drain(force: false)
        if row == rows / 5 * 3 { sample = x }
    }
    out.drain(force: true)

    func sixteenDigits(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
    return sixteenDigits(sample) + sixteenDigits(sample &* 2_654_435_761)
}

let arguments = CommandLine.arguments
guard arguments.count == 3, let rows = Int(arguments[1]), rows > 0 else { complain("usage: generate ROWS FILE") }
let descriptor = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC, 0o644)
guard descriptor >= 0 else { complain("cannot create \(arguments[2]): \(String(cString: strerror(errno)))") }
print(generate(rows: rows, into: descriptor))
guard close(descriptor) == 0 else { complain("cannot close \(arguments[2])") }

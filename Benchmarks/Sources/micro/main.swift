import Columnar
import Compression
import Disk
import Glibc
import Ingest

// micro [--smoke]: the inner loops by themselves. One line each: what, the best of several runs, per byte or per item.
// --smoke runs everything once on little data, so that the tests notice when this no longer builds or works.
// The hash tables are no public API; their files are linked into this folder.

let isSmoke = CommandLine.arguments.contains("--smoke")
let runs = isSmoke ? 1 : 7
let scale = isSmoke ? 1 : 64

/// Prints the best of several runs of `body`: bytes per second, or nanoseconds an item.
func measure(_ name: String, bytes: Int = 0, items: Int = 0, _ body: () throws -> Int) {
    var best = Double.infinity
    var kept = 0
    do {
        for _ in 0..<runs {
            var before = timespec()
            var after = timespec()
            clock_gettime(CLOCK_MONOTONIC, &before)
            kept &+= try body()
            clock_gettime(CLOCK_MONOTONIC, &after)
            let seconds = Double(after.tv_sec - before.tv_sec) + Double(after.tv_nsec - before.tv_nsec) * 1e-9
            best = min(best, seconds)
        }
    } catch {
        print("\(name): failed: \(error)")
        exit(1)
    }
    // The result is looked at, so that the work cannot be left out.
    precondition(kept != Int.min, "BUG: \(name) gave nothing")
    let padded = name + String(repeating: " ", count: max(1, 44 - name.utf8.count))
    if bytes > 0 { print("\(padded)\(Int(Double(bytes) / best / 1e6)) MB/s") }
    if items > 0 { print("\(padded)\(tenths(best / Double(items) * 1e9)) ns") }
}

/// A number with one digit after the point.
func tenths(_ value: Double) -> String {
    let scaled = Int((value * 10).rounded())
    return "\(scaled / 10).\(scaled % 10)"
}

/// A deterministic sequence of 64-bit numbers.
struct Sequence64 {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Lines of log records, as ingest sees them.
func logLines(_ count: Int) -> [UInt8] {
    var random = Sequence64()
    let levels = ["INFO", "DEBUG", "WARN", "ERROR"]
    var lines: [UInt8] = []
    for row in 0..<count {
        let x = random.next()
        let line =
            "{\"timestamp\":\(1_760_000_000_000 + row * 37),\"level\":\"\(levels[Int(x & 3)])\",\"service\":\"gate\","
            + "\"host\":\"vps-7.example.net\",\"path\":\"/api/v1/users/list\",\"status\":\(200 + Int(x >> 8 & 3)),"
            + "\"response_time_ms\":\(x >> 20 & 1023).\(x >> 30 & 511),\"user_id\":\"\(x >> 12 & 0xFFFF)\","
            + "\"trace_id\":\"\(String(x, radix: 16))\",\"message\":\"request handled id=\(x >> 40)\"}\n"
        lines += Array(line.utf8)
    }
    return lines
}

func scanner() {
    let lines = logLines(1000 * scale)
    let records = lines.split(separator: 10).map { Array($0) }
    let bytes = records.reduce(0) { $0 + $1.count }
    measure("JSON: validate records", bytes: bytes) {
        var count = 0
        for record in records {
            try JSON.validate(record)
            count += 1
        }
        return count
    }
    measure("JSON: split a body into records", bytes: lines.count) {
        var splitter = BodySplitter()
        var count = 0
        lines.withUnsafeBytes { body in
            splitter.feed(body) { count &+= $0.count }
            splitter.finish { count &+= $0.count }
        }
        return count
    }
}

func checksums() {
    let bytes = [UInt8](repeating: 0x5A, count: 65_536 * scale)
    measure("CRC32C: the processor's instruction", bytes: bytes.count) { Int(CRC32C.checksum(bytes)) }
    measure("CRC32C: tables", bytes: bytes.count) { bytes.withUnsafeBytes { Int(CRC32C.portableChecksum($0)) } }
}

func codecs() {
    let lines = logLines(200 * scale)
    for (name, codec) in [("gzip", Codec.gzip), ("snappy", .snappy), ("lz4", .lz4), ("zstd", .zstd)] {
        measure("\(name): compress log lines", bytes: lines.count) {
            try Compression.compress(lines, codec: codec).count
        }
        guard let packed = try? Compression.compress(lines, codec: codec) else { continue }
        measure("\(name): decompress log lines", bytes: lines.count) {
            try Compression.decompress(packed, codec: codec, maxBytes: lines.count).count
        }
        let ratio = tenths(Double(lines.count) / Double(packed.count))
        print("\(name): \(ratio) times smaller")
    }
}

func hashTables() {
    for groups in [1000, 200_000] {
        var random = Sequence64()
        let rows = 20_000 * scale
        let keys = (0..<rows).map { _ in UInt64(random.next() % UInt64(groups)) }
        measure("hash table: numbers, \(groups) groups", items: rows) {
            let table = KeyTable<UInt64>()
            var sum = 0
            for key in keys { sum &+= Int(table.number(key)) }
            return sum
        }
        let strings = keys.map { Array("user-\($0)".utf8) }
        measure("hash table: strings, \(groups) groups", items: rows) {
            let table = StringTable()
            var sum = 0
            for string in strings {
                string.withUnsafeBytes { bytes in
                    guard let start = bytes.baseAddress else { return }
                    sum &+= Int(table.number(start, bytes.count))
                }
            }
            return sum
        }
    }
}

scanner()
checksums()
codecs()
hashTables()

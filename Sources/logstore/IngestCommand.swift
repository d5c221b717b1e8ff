import ArgumentParser
import Compression
import Disk
import NIOCore
import NIOHTTP1
import Server

/// `logstore ingest`.
struct IngestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest",
        abstract: "Send JSON records, one a line, to a topic.",
        discussion: """
            Files may be compressed (.gz, .zst, .lz4). `-`, or no file at all, reads standard input. A line that is refused \
            is reported by file and number, and the others are kept; the exit code is then 1.

            Examples:
              logstore ingest --topic nginx access.log.json
              logstore ingest --topic nginx access.log.*.gz
              tail -F access.log.json | logstore ingest --topic nginx
            """)

    @OptionGroup var client: ClientOptions
    @Option(help: "The topic, which feeds the table of the same name.") var topic: String
    @Option(help: "Requests under way at once.") var connections = 2
    @Option(help: "Bytes of one request.") var batchBytes = 2_000_000
    @Option(help: "How often a request is tried again when the server cannot be reached or is busy.") var retries = 8
    @Argument(help: "Files; - or none for standard input.") var files: [String] = []

    func validate() throws {
        guard (1...64).contains(connections) else { throw ValidationError("--connections wants a number from 1 to 64") }
        guard (1000...500_000_000).contains(batchBytes) else {
            throw ValidationError("--batch-bytes wants 1000 to 500000000")
        }
        guard retries >= 0 else { throw ValidationError("--retries wants a number from 0") }
    }

    func run() async throws {
        let sender = Sender(client: try client.client(), topic: topic, retries: retries)
        let sources = try (files.isEmpty ? ["-"] : files).map { try ByteSource.open($0) }
        let total = sources.allSatisfy { $0.sizeBytes > 0 } ? sources.reduce(0) { $0 + $1.sizeBytes } : 0
        let bar = ProgressBar("ingest")
        var tally = Tally()
        defer { bar.clear() }
        for source in sources {
            let lines = try LineBatches(source, batchBytes: batchBytes)
            try await send(lines, through: sender, tally: &tally) { tally in
                let rate = "\(Human.count(Int(Double(tally.accepted) / max(bar.elapsed, 0.001)))) records/s"
                bar.update(done: tally.doneBytes + lines.consumedBytes, total: total, rate: rate)
            }
            tally.doneBytes += lines.consumedBytes
        }
        if tally.accepted > 0 { await sender.waitUntilVisible() }
        bar.clear()
        let seconds = max(bar.elapsed, 0.001)
        Terminal.note(
            "\(Human.count(tally.accepted)) records accepted, \(Human.count(tally.rejected)) refused in \(Human.tenths(seconds)) s "
                + "(\(Human.count(Int(Double(tally.accepted) / seconds))) records/s)\n")
        if tally.rejected > 0 { throw ExitCode(1) }
    }

    /// Sends all of a source, a few batches at once.
    private func send(
        _ lines: LineBatches, through sender: Sender, tally: inout Tally, shown: (Tally) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Sender.Answer.self) { group in
            var running = 0
            while let batch = try lines.next() {
                if running >= connections, let answer = try await group.next() {
                    running -= 1
                    tally.take(answer, source: lines.name)
                }
                group.addTask { try await sender.send(batch) }
                running += 1
                shown(tally)
            }
            while let answer = try await group.next() {
                tally.take(answer, source: lines.name)
                shown(tally)
            }
        }
    }
}

/// What came of it so far.
private struct Tally {
    var accepted = 0
    var rejected = 0
    var doneBytes: UInt64 = 0
    private var told = 0

    mutating func take(_ answer: Sender.Answer, source: String) {
        accepted += answer.accepted
        rejected += answer.rejected
        for error in answer.errors where told < 100 {
            told += 1
            Terminal.complain("\(source), line \(error.line): \(error.reason)")
            if told == 100 { Terminal.complain("more refused lines are not listed") }
        }
    }
}

/// Lines of a source in batches that end at line ends. Used by one task at a time.
private final class LineBatches {
    /// Lines in one piece of bytes.
    struct Batch: Sendable {
        var bytes: [UInt8]
        /// The number of the first line, from 1.
        var firstLine: Int
    }

    let name: String
    /// Bytes taken from the source, before decompression.
    private(set) var consumedBytes: UInt64 = 0
    private let source: ByteSource
    private let batchBytes: Int
    private let decompressor: StreamDecompressor?
    private var rest: [UInt8] = []
    private var line = 1
    private var isAtEnd = false

    init(_ source: ByteSource, batchBytes: Int) throws {
        self.source = source
        self.batchBytes = batchBytes
        name = source.name
        let format: StreamFormat? =
            name.hasSuffix(".gz") ? .gzip : name.hasSuffix(".zst") ? .zstd : name.hasSuffix(".lz4") ? .lz4 : nil
        do throws(CompressionError) {
            decompressor = if let format { try StreamDecompressor(format, maxBytes: Int.max) } else { nil }
        } catch {
            throw CommandFailure("\(name): \(error.message)")
        }
    }

    /// The next batch; nil at the end.
    func next() throws -> Batch? {
        while !isAtEnd, rest.count < batchBytes || rest.lastIndex(of: 0x0A) == nil {
            try fill()
            // What comes slowly, line by line, is not held back.
            if source.sizeBytes == 0, rest.last == 0x0A { break }
        }
        if rest.isEmpty { return nil }
        let end = isAtEnd ? rest.count : (rest.lastIndex(of: 0x0A) ?? rest.count - 1) + 1
        let bytes = Array(rest[..<end])
        rest.removeSubrange(..<end)
        let batch = Batch(bytes: bytes, firstLine: line)
        line += bytes.reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
        return batch
    }

    private func fill() throws {
        guard let piece = try source.next() else {
            isAtEnd = true
            do throws(CompressionError) { try decompressor?.finish() } catch {
                throw CommandFailure("\(name): \(error.message)")
            }
            return
        }
        consumedBytes += UInt64(piece.count)
        guard let decompressor else {
            rest.append(contentsOf: piece)
            return
        }
        do throws(CompressionError) { try decompressor.append(piece, to: &rest) } catch {
            throw CommandFailure("\(name): \(error.message)")
        }
    }
}

/// Sends batches and understands the answers.
private struct Sender: Sendable {
    let client: Client
    let topic: String
    let retries: Int

    struct Answer: Sendable {
        var accepted = 0
        var rejected = 0
        var errors: [(line: Int, reason: String)] = []
    }

    func send(_ batch: LineBatches.Batch) async throws -> Answer {
        var attempt = 0
        while true {
            do {
                let response = try await client.send(
                    client.request(.POST, "/ingest/\(Client.escape(topic))", body: batch.bytes), timeoutSeconds: 300)
                let body = try await Client.collect(response)
                let status = response.status.code
                if status == 200 || status == 400, let answer = answer(body, firstLine: batch.firstLine) {
                    return answer
                }
                let failure = CommandFailure(Client.message(body, response))
                guard status == 429 || status == 503 || status == 502 || status == 504, attempt < retries else {
                    throw Permanent(failure)
                }
            } catch let failure as Permanent {
                throw failure.failure
            } catch {
                if attempt >= retries { throw error }
            }
            attempt += 1
            try await Task.sleep(for: .milliseconds(min(10_000, 100 << min(attempt, 10))))
        }
    }

    /// Waits, if the server knows how, until queries see what was sent.
    func waitUntilVisible() async {
        _ = try? await client.fetch(.POST, "/ingest/\(Client.escape(topic))?wait=1", body: [])
    }

    private struct Permanent: Error {
        let failure: CommandFailure
        init(_ failure: CommandFailure) { self.failure = failure }
    }

    private func answer(_ body: [UInt8], firstLine: Int) -> Answer? {
        guard let json = try? JSONValue(parsing: body), let accepted = json["accepted"]?.integer else { return nil }
        var answer = Answer(accepted: Int(accepted), rejected: Int(json["rejected"]?.integer ?? 0))
        for error in json["errors"]?.elements ?? [] {
            let line = Int(error["line"]?.integer ?? 1)
            answer.errors.append((line: line + firstLine - 1, reason: error["reason"]?.string ?? ""))
        }
        return answer
    }
}

import Columnar
import Compression
import Disk
import Hummingbird
import NIOCore
import QueryEngine
import Synchronization

/// How a response's body is compressed.
enum ResponseEncoding: Sendable, Hashable {
    case identity, gzip, zstd

    /// The best of what the client accepts: zstd, then gzip.
    static func choose(_ accepted: String?) -> ResponseEncoding {
        var best = ResponseEncoding.identity
        for item in (accepted ?? "").lowercased().split(separator: ",") {
            let parts = item.split(separator: ";").map(\.trimmedSpaces)
            if parts.dropFirst().contains(where: {
                $0.hasPrefix("q=0") && !$0.contains(where: { "123456789".contains($0) })
            }) {
                continue
            }
            switch parts.first {
            case "zstd": best = .zstd
            case "gzip", "x-gzip": if best == .identity { best = .gzip }
            default: break
            }
        }
        return best
    }

    /// The name for Content-Encoding; nil for none.
    var name: String? {
        switch self {
        case .identity: nil
        case .gzip: "gzip"
        case .zstd: "zstd"
        }
    }
}

/// Takes a result's bytes on the query's thread, compresses them when asked to, and puts them into the pipe.
final class PipeSink: ResultSink, Sendable {
    /// Marks an exception within a result, announced by a header. Sixteen bytes, as ClickHouse's.
    static let tag = String(RandomID.make().prefix(16))

    private let pipe: ResponsePipe
    // Only the query's thread touches it.
    private let state: Mutex<Compressor>

    private struct Compressor: ~Copyable {
        var stream: StreamCompressor?
        var hasWritten = false
    }

    init(pipe: ResponsePipe, encoding: ResponseEncoding) {
        self.pipe = pipe
        let stream: StreamCompressor?
        switch encoding {
        case .identity: stream = nil
        case .gzip: stream = try? StreamCompressor(.gzip)
        case .zstd: stream = try? StreamCompressor(.zstd)
        }
        state = Mutex(Compressor(stream: stream))
    }

    /// Whether any byte was handed on.
    var hasWritten: Bool { state.withLock { $0.hasWritten } }

    func begin(format: ResultFormat, columns: [(name: String, type: DataType)]) throws(QueryError) {
        pipe.describe(contentType: format.contentType, headers: [("X-ClickHouse-Format", format.name)])
    }

    func write(_ bytes: [UInt8]) throws(QueryError) {
        let output = state.withLock { state in
            state.hasWritten = true
            return Self.compress(bytes, state.stream)
        }
        guard let output else { throw QueryError(.logicalError, "The result cannot be compressed") }
        guard pipe.write(output) else {
            throw QueryError(.queryWasCancelled, "Query was cancelled: the client has gone away")
        }
    }

    private static func compress(_ bytes: [UInt8], _ stream: StreamCompressor?) -> [UInt8]? {
        guard let stream else { return bytes }
        var output: [UInt8] = []
        do throws(CompressionError) {
            try stream.append(bytes, to: &output)
            return output
        } catch {
            return nil
        }
    }

    /// Hands on what the compressor still holds. Returns what went wrong.
    func finish() -> QueryError? {
        let output = state.withLock { state -> [UInt8]? in
            guard state.hasWritten, let stream = state.stream else { return [] }
            var output: [UInt8] = []
            do throws(CompressionError) {
                try stream.finish(into: &output)
                return output
            } catch {
                return nil
            }
        }
        guard let output else { return QueryError(.logicalError, "The result cannot be compressed") }
        _ = pipe.write(output)
        return nil
    }

    /// Puts a failure into a result that is under way, in the frame that ClickHouse's clients look for.
    func writeException(_ text: String) {
        let message = text + "\n"
        let frame =
            "\r\n__exception__\r\n\(Self.tag)\r\n\(message)\(message.utf8.count) \(Self.tag)\r\n__exception__\r\n"
        do throws(QueryError) { try write(Array(frame.utf8)) } catch { return }
        _ = finish()
    }
}

/// Random identifiers in the form of UUIDs.
enum RandomID {
    static func make() -> String {
        let hex = Array("0123456789abcdef")
        var text = ""
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(index == 12 ? "4" : index == 16 ? hex[Int.random(in: 8..<12)] : hex[Int.random(in: 0..<16)])
        }
        return text
    }
}

/// Cancels a query when its client closes the connection.
final class ClientWatch: Sendable {
    private let channel: any Channel
    private let token: CancellationToken

    init(channel: any Channel, token: CancellationToken) {
        self.channel = channel
        self.token = token
    }

    /// Begins to watch.
    func begin() async {
        let token = token
        let channel = channel
        _ = try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ConnectionHandler.self)
                .watch(ObjectIdentifier(token)) { token.cancel() }
        }.get()
    }

    /// Stops watching. The connection may serve its next request.
    func end() {
        let channel = channel
        let id = ObjectIdentifier(token)
        channel.eventLoop.execute {
            try? channel.pipeline.syncOperations.handler(type: ConnectionHandler.self).unwatch(id)
        }
    }
}

/// Looks at SQL text without parsing it.
enum SQLText {
    /// Whether the statement is an INSERT: its first word after spaces and comments says so.
    static func isInsert(_ sql: [UInt8]) -> Bool {
        firstWord(sql) == "insert"
    }

    /// The first word in lower case; empty when there is none yet.
    static func firstWord(_ sql: [UInt8]) -> String {
        var position = 0
        while position < sql.count {
            let byte = sql[position]
            if byte == 0x20 || (0x09...0x0D).contains(byte) || byte == UInt8(ascii: "(") {
                position += 1
            } else if sql[position...].starts(with: "--".utf8) || byte == UInt8(ascii: "#") {
                guard let end = sql[position...].firstIndex(of: 0x0A) else { return "" }
                position = end + 1
            } else if sql[position...].starts(with: "/*".utf8) {
                var end = position + 2
                while end + 1 < sql.count, !(sql[end] == UInt8(ascii: "*") && sql[end + 1] == UInt8(ascii: "/")) {
                    end += 1
                }
                position = end + 2
            } else {
                break
            }
        }
        guard position < sql.count else { return "" }
        let word = sql[position...].prefix { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
        return String(decoding: word, as: UTF8.self).lowercased()
    }
}

import Disk
import HTTPTypes
import Hummingbird
import LogStore
import NIOCore
import QueryEngine
import ServiceLifecycle
import Synchronization

/// `GET /tail/{topic}`: records as they become durable, one JSON value a line, or as server-sent events when the
/// client accepts those. `from=start` or `from=-100` (records back from the end) begins earlier.
struct TailEndpoint: Sendable {
    let logStore: LogStore
    let pool: BlockingPool

    /// Bytes of log read at once.
    private static let readBytes = 1 << 20
    /// A silent stream says something this often, so that both sides notice a dead connection.
    private static let keepAlive = Duration.seconds(15)

    func respond(to request: Request, target: RequestTarget, topic name: String) async throws(HTTPFailure) -> Response {
        guard request.method == .get else { throw HTTPFailure(405, "/tail/{topic} wants GET") }
        guard let topic = logStore.topic(name) else {
            let near = nearest(to: name, in: logStore.topics.map(\.name)).map { "; did you mean \($0)?" } ?? ""
            throw HTTPFailure(404, "There is no topic \(name)\(near)", code: .unknownTable)
        }
        let back = try Self.back(target.text("from"))
        let limit = target.text("limit").flatMap { Int($0) } ?? Int.max
        let follows = target.text("follow") != "0"
        let isEventStream = request.headers[.accept]?.contains("text/event-stream") ?? false
        var headers = HTTPFields()
        headers[.contentType] = isEventStream ? "text/event-stream" : "application/x-ndjson"
        headers[.cacheControl] = "no-cache"
        let pool = pool
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                let tail = Tail(
                    topic: topic, back: back, isEventStream: isEventStream, limit: limit, follows: follows, pool: pool)
                try await tail.stream(to: &writer)
            })
    }

    /// How many records before the end to begin; nil from the start.
    private static func back(_ text: String?) throws(HTTPFailure) -> Int64? {
        switch text {
        case nil, "", "end": return 0
        case "start": return nil
        case .some(let text):
            guard text.hasPrefix("-"), let count = Int64(text.dropFirst()), count >= 0 else {
                throw HTTPFailure(
                    400, "from wants `start`, `end`, or `-100` for the last hundred records of each partition")
            }
            return count
        }
    }

    /// One client's stream over all partitions of a topic.
    private struct Tail {
        let topic: Topic
        let back: Int64?
        let isEventStream: Bool
        let limit: Int
        let follows: Bool
        let pool: BlockingPool

        func stream(to writer: inout any ResponseBodyWriter) async throws {
            let (wakes, waker) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            let partitions = topic.partitions
            var next = partitions.map { partition in
                guard let back else { return partition.startOffset }
                return max(partition.startOffset, partition.endOffset - min(back, partition.endOffset))
            }
            let observations = partitions.map { $0.onAppend { _ in waker.yield() } }
            defer { for observation in observations { observation.cancel() } }
            let alarm = Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: TailEndpoint.keepAlive)
                    waker.yield()
                }
            }
            defer { alarm.cancel() }
            var remaining = limit
            // The head goes out at once: a client that waits for records has its connection confirmed.
            try await writer.write(ByteBuffer(string: isEventStream ? ": tail\n\n" : ""))
            waker.yield()
            try await withGracefulShutdownHandler {
                try await follow(wakes, partitions, &next, &remaining, &writer)
            } onGracefulShutdown: {
                waker.finish()
            }
            try await writer.finish(nil)
        }

        /// Writes what there is at each wake, until the client has enough.
        private func follow(
            _ wakes: AsyncStream<Void>, _ partitions: [PartitionLog], _ next: inout [Int64], _ remaining: inout Int,
            _ writer: inout any ResponseBodyWriter
        ) async throws {
            for await _ in wakes {
                var hasWritten = false
                for index in partitions.indices {
                    while remaining > 0 {
                        let (bytes, count, after) = try await read(
                            partitions[index], from: next[index], atMost: remaining)
                        next[index] = after
                        if bytes.isEmpty { break }
                        remaining -= count
                        hasWritten = true
                        try await writer.write(ByteBuffer(bytes: bytes))
                    }
                }
                if remaining == 0 || !follows { break }
                if !hasWritten { try await writer.write(ByteBuffer(string: isEventStream ? ": \n\n" : "\n")) }
            }
        }

        /// Reads on a thread that may block. Returns the text, how many records it has, and the offset to go on at.
        private func read(_ partition: PartitionLog, from: Int64, atMost: Int) async throws -> ([UInt8], Int, Int64) {
            let isEventStream = isEventStream
            return try await pool.run {
                if from >= partition.endOffset { return ([], 0, from) }
                let committed: CommittedBatches
                do throws(LogStoreError) {
                    committed = try partition.readCommitted(from: from, maxBytes: TailEndpoint.readBytes)
                } catch {
                    // Retention may have taken what we were about to read.
                    guard error.code == .offsetOutOfRange, partition.startOffset > from else { throw error }
                    return ([0x0A], 0, partition.startOffset)
                }
                var text: [UInt8] = []
                var count = 0
                var next = from
                try committed.forEachBatch { (_, bytes) throws(LogStoreError) in
                    try RecordBatch.forEachRecord(in: bytes, maxDecompressedBytes: 256 << 20) { record in
                        guard record.offset >= from, count < atMost else { return }
                        next = record.offset + 1
                        count += 1
                        if isEventStream { text.append(contentsOf: "id: \(record.offset)\ndata: ".utf8) }
                        // A record may span lines; in a line-by-line stream it must not.
                        if let value = record.value {
                            text.append(contentsOf: value.lazy.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
                        }
                        text.append(0x0A)
                        if isEventStream { text.append(0x0A) }
                    }
                }
                // Behind the last record offsets may be gone or hidden; no text at all would say that this is the end.
                if count < atMost { next = max(next, committed.nextOffset) }
                return (text.isEmpty && next > from ? [0x0A] : text, count, next)
            }
        }
    }
}

import Disk
import HTTPTypes
import Hummingbird
import Ingest
import LogStore

/// `POST /ingest/{topic}`: JSON records, one a line, in an array, or a single object. Answers once they are durable.
struct IngestEndpoint: Sendable {
    let ingestor: Ingestor
    let materializer: Materializer
    let logStore: LogStore
    let pool: BlockingPool
    let configuration: ServerConfiguration
    let metrics: ServerMetrics
    let clock: any Clock
    /// Lets so many large bodies in at once.
    let gate: AsyncGate

    /// How many refused lines the answer names.
    private static let told = 100
    /// Bytes that a body may have without waiting for a place among the large ones, of which each holds megabytes.
    private static let smallBody = 128 << 10

    func respond(to request: Request, target: RequestTarget, topic: String) async throws(HTTPFailure) -> Response {
        guard request.method == .post || request.method == .put else {
            throw HTTPFailure(405, "Records go to /ingest/{topic} by POST or PUT, not \(request.method.rawValue)")
        }
        guard !topic.isEmpty else { throw HTTPFailure(404, "Name a topic: POST /ingest/{topic}") }
        metrics.ingestRequests.add(1)
        let start = clock.steadyNs()
        do throws(HTTPFailure) {
            let response = try await take(request, topic: topic)
            if target.text("wait") == "1" { await waitUntilVisible(topic) }
            metrics.ingestDuration.record(nanoseconds: clock.steadyNs() - start)
            return response
        } catch {
            metrics.ingestFailures.add(1)
            throw error
        }
    }

    private func take(_ request: Request, topic: String) async throws(HTTPFailure) -> Response {
        let reader = try BodyReader(request, maxBytes: Int(configuration.bytes("max_body")))
        var session = try await begin(topic)
        var received = 0
        var hasPlace = false
        defer { if hasPlace { gate.leave() } }
        do throws(HTTPFailure) {
            try await reader.forEachPiece { (piece) throws(HTTPFailure) in
                received += piece.count
                if !hasPlace, received > Self.smallBody {
                    await gate.enter()
                    hasPlace = true
                }
                metrics.ingestBytes.add(piece.count)
                piece.withUnsafeBytes { session.feed($0) }
                do throws(IngestError) { try await session.flush() } catch { throw HTTPFailure(error) }
                return true
            }
        } catch {
            // What came whole before the failure is kept, and the sender is told how much that is.
            throw await partly(error, &session)
        }
        do throws(IngestError) {
            let result = try await session.finish()
            count(result)
            let isAllBad = result.accepted == 0 && result.rejected.count > 0
            return .json(answer(result), status: isAllBad ? .badRequest : .ok)
        } catch {
            throw HTTPFailure(error)
        }
    }

    /// Waits until queries see everything the topic holds now, or for as long as `visible_timeout` says.
    private func waitUntilVisible(_ name: String) async {
        guard let topic = logStore.topic(name) else { return }
        let positions = topic.partitions.map {
            LogPosition(topic: name, partition: $0.partition, offset: $0.endOffset)
        }.filter { $0.offset > 0 }
        let deadline = clock.steadyNs() + UInt64(max(0, configuration.milliseconds("visible_timeout"))) * 1_000_000
        for position in positions {
            // Asking costs nothing; a thread that blocks for it would.
            while !materializer.waitUntilVisible(position, timeoutMs: 0), clock.steadyNs() < deadline {
                do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
            }
        }
    }

    /// A topic that must be created blocks on the disk; one that is there does not.
    private func begin(_ topic: String) async throws(HTTPFailure) -> IngestSession {
        let ingestor = ingestor
        do {
            if logStore.topic(topic) != nil { return try ingestor.begin(topic: topic) }
            return try await pool.run { try ingestor.begin(topic: topic) }
        } catch let error as IngestError {
            throw HTTPFailure(error)
        } catch {
            throw HTTPFailure(429, "Too much work is waiting; try again in a moment")
        }
    }

    private func count(_ result: IngestResult) {
        metrics.ingestAccepted.add(result.accepted)
        metrics.ingestRejected.add(result.rejected.count)
    }

    private func partly(_ failure: HTTPFailure, _ session: inout IngestSession) async -> HTTPFailure {
        guard failure.status == 413 || failure.status == 400 else { return failure }
        var failure = failure
        do throws(IngestError) {
            let result = try await session.finish()
            count(result)
            if result.accepted > 0 { failure.message += " (\(result.accepted) records before that were accepted)" }
        } catch {
            if error.durable > 0 { failure.message += " (\(error.durable) records before that were accepted)" }
        }
        return failure
    }

    private func answer(_ result: IngestResult) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("accepted")
        json.value(result.accepted)
        json.key("rejected")
        json.value(result.rejected.count)
        json.key("errors")
        json.beginArray()
        for rejection in result.rejected.first.prefix(Self.told) {
            json.beginObject()
            json.key("line")
            json.value(rejection.line)
            json.key("reason")
            json.value(rejection.reason)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.bytes + [0x0A]
    }
}

extension HTTPFailure {
    /// Why records could not be taken: 507 for a full disk, 503 for a log that takes nothing more.
    init(_ error: IngestError) {
        let status: Int
        switch error.code {
        case .invalidTopic, .invalidValue: status = 400
        case .diskFull: status = 507
        case .overloaded: status = 429
        case .unavailable: status = 503
        }
        let kept = error.durable > 0 ? " (\(error.durable) records before that were accepted)" : ""
        self.init(status, error.message + kept)
    }
}

/// Runs `body`, turning the log's failures into answers.
func logged<Value>(_ body: () throws(LogStoreError) -> Value) throws(HTTPFailure) -> Value {
    do throws(LogStoreError) { return try body() } catch { throw LogFailure(error).failure }
}

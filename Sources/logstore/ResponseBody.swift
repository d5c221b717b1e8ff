import NIOCore
import Synchronization

/// The body of an answer, piece by piece as it comes; it can be gone through once.
final class ResponseBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// nil once all was read.
    private let connection: Mutex<HTTPConnection?>
    private let deadline: Scheduled<Void>
    private let isKeptAlive: Bool
    private let idle: IdleConnections

    init(connection: HTTPConnection, deadline: Scheduled<Void>, isKeptAlive: Bool, idle: IdleConnections) {
        self.connection = Mutex(connection)
        self.deadline = deadline
        self.isKeptAlive = isKeptAlive
        self.idle = idle
    }

    deinit { deadline.cancel() }

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let body: ResponseBody

        func next() async throws -> ByteBuffer? { try await body.next() }
    }

    private func next() async throws -> ByteBuffer? {
        guard let connection = connection.withLock({ $0 }) else { return nil }
        do {
            if let piece = try await connection.nextPiece() { return piece }
        } catch {
            finish()
            throw error
        }
        finish()
        if isKeptAlive, connection.hasSentRequest { idle.put(connection) }
        return nil
    }

    private func finish() {
        deadline.cancel()
        connection.withLock { $0 = nil }
    }
}

/// Connections whose last answer was read whole, for the next request.
final class IdleConnections: Sendable {
    private let connections = Mutex<[(connection: HTTPConnection, since: NIODeadline)]>([])
    /// Less than a server is patient.
    private static let maxIdle = TimeAmount.seconds(30)

    /// The one that was used last; nil when there is none that is good for anything.
    func take() -> HTTPConnection? {
        connections.withLock { connections in
            connections.removeAll { !$0.connection.isOpen || NIODeadline.now() - $0.since > Self.maxIdle }
            return connections.popLast()?.connection
        }
    }

    func put(_ connection: HTTPConnection) {
        connections.withLock { $0.append((connection, .now())) }
    }
}

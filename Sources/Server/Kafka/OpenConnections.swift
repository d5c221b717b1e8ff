import NIOCore
import Synchronization

/// Tells a connection to take no more requests, and to close once those it has are answered.
struct KafkaDrain: Sendable {}

/// The connections of Kafka's listener, so that a stop can let each finish what it promised.
final class OpenConnections: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { [self] _ in channels.withLock { $0[id] = nil } }
    }

    /// Lets all connections end, and waits until they have, `timeoutMs` at the longest.
    func drain(timeoutMs: Int64) async {
        for channel in channels.withLock({ Array($0.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(KafkaDrain())
        }
        let deadline = ContinuousClock.now + .milliseconds(timeoutMs)
        while !channels.withLock({ $0.isEmpty }), ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}

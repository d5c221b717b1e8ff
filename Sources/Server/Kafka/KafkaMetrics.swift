import Synchronization

/// Counts what Kafka's listener does, for `/metrics`.
final class KafkaMetrics: Sendable {
    let connections = Atomic<Int>(0)
    let connectionsTotal = Atomic<UInt64>(0)
    let connectionsRefused = Atomic<UInt64>(0)
    let requests = Atomic<UInt64>(0)
    let bytesReceived = Atomic<UInt64>(0)
    let bytesSent = Atomic<UInt64>(0)

    func connectionOpened() {
        connections.add(1, ordering: .relaxed)
        connectionsTotal.add(1, ordering: .relaxed)
    }

    func connectionClosed() { connections.subtract(1, ordering: .relaxed) }
    func connectionRefused() { connectionsRefused.add(1, ordering: .relaxed) }
    func requested() { requests.add(1, ordering: .relaxed) }
    func received(_ bytes: Int) { bytesReceived.add(UInt64(bytes), ordering: .relaxed) }
    func sent(_ bytes: Int) { bytesSent.add(UInt64(bytes), ordering: .relaxed) }
}

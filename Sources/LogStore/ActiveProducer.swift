import Disk

/// A producer that numbers its batches, as a partition knows it.
public struct ActiveProducer: Sendable, Hashable {
    /// The producer's id.
    public let producerID: Int64
    /// Its epoch.
    public let producerEpoch: Int16
    /// The number of its last record; -1 when none of this epoch is known.
    public let lastSequence: Int32
    /// When it last wrote, in milliseconds since 1970.
    public let lastSeenMs: Int64
    /// The epoch of the coordinator that wrote its last transaction marker; -1 when there was none.
    public let coordinatorEpoch: Int32
    /// The offset of the first record of its open transaction; nil when none is open.
    public let transactionStart: Int64?
}

extension PartitionWriter {
    /// The producers that are remembered, by id.
    func activeProducers(nowMs: Int64) -> [ActiveProducer] {
        producers.entries.filter { !producers.isExpired($0.value, nowMs) }.map { id, entry in
            ActiveProducer(
                producerID: id, producerEpoch: entry.epoch, lastSequence: entry.batches.last?.lastSequence ?? -1,
                lastSeenMs: entry.lastSeenMs, coordinatorEpoch: entry.coordinatorEpoch,
                transactionStart: entry.transactionStart)
        }.sorted { $0.producerID < $1.producerID }
    }
}

extension PartitionLog {
    /// The producers that the partition remembers, by id. Blocks.
    public func activeProducers() throws(LogStoreError) -> [ActiveProducer] {
        let found = Monitor<[ActiveProducer]>([])
        try environment.committer.run { [self] () -> LogStoreError? in
            let active = writer.activeProducers(nowMs: environment.clock.nowMs())
            found.update { $0 = active }
            return nil
        }
        return found.update { $0 }
    }
}

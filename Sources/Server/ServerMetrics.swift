import Synchronization

/// Counters since the start, for `/metrics`.
final class ServerMetrics: Sendable {
    let httpRequests = Atomic<UInt64>(0)
    let ingestRequests = Atomic<UInt64>(0)
    let ingestBytes = Atomic<UInt64>(0)
    let ingestAccepted = Atomic<UInt64>(0)
    let ingestRejected = Atomic<UInt64>(0)
    let ingestFailures = Atomic<UInt64>(0)
    let queries = Atomic<UInt64>(0)
    let queryFailures = Atomic<UInt64>(0)
    let queriesCancelled = Atomic<UInt64>(0)
    let queryRowsRead = Atomic<UInt64>(0)
    let queryBytesRead = Atomic<UInt64>(0)
    let queryRowsReturned = Atomic<UInt64>(0)
    let rowsInserted = Atomic<UInt64>(0)
    /// Time from a query's start on its thread to its end.
    let queryDuration = DurationHistogram()
    /// Time an ingest request took from its first byte to its answer.
    let ingestDuration = DurationHistogram()
}

/// Counts durations by size, as Prometheus histograms do.
final class DurationHistogram: Sendable {
    /// Upper bounds in seconds; a last bucket takes the rest.
    static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

    private let state = Mutex((counts: [UInt64](repeating: 0, count: DurationHistogram.bounds.count + 1), sum: 0.0))

    /// Counts one duration.
    func record(nanoseconds: UInt64) {
        let seconds = Double(nanoseconds) / 1e9
        let index = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        state.withLock { state in
            state.counts[index] += 1
            state.sum += seconds
        }
    }

    /// Counts by bucket, not cumulated, and the sum of all in seconds.
    var snapshot: (counts: [UInt64], sum: Double) { state.withLock { $0 } }
}

extension Atomic where Value == UInt64 {
    func add(_ count: UInt64) { _ = wrappingAdd(count, ordering: .relaxed) }
    func add(_ count: Int) { add(UInt64(Swift.max(0, count))) }
    var value: UInt64 { load(ordering: .relaxed) }
}

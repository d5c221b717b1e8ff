import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where time comes from; injected so that tests can say what time it is.
public protocol Clock: Sendable {
    /// Wall-clock time in milliseconds since 1970-01-01 UTC.
    func nowMs() -> Int64
    /// A steady count of nanoseconds, for measuring spans.
    func steadyNs() -> UInt64
}

/// The machine's clocks.
public struct SystemClock: Clock {
    /// Creates the clock.
    public init() {}

    /// Milliseconds since 1970.
    public func nowMs() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Nanoseconds of a clock that never goes back.
    public func steadyNs() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}

/// A clock that stands still until told otherwise.
public final class ManualClock: Clock {
    private let now: Mutex<Int64>

    /// Creates a clock that shows `nowMs` milliseconds since 1970-01-01 UTC.
    public init(nowMs: Int64) {
        now = Mutex(nowMs)
    }

    /// Milliseconds since 1970.
    public func nowMs() -> Int64 { now.withLock { $0 } }

    /// Nanoseconds of a clock that never goes back.
    public func steadyNs() -> UInt64 { UInt64(now.withLock { $0 }) * 1_000_000 }

    /// Moves the clock on by `milliseconds`.
    public func advance(milliseconds: Int64) { now.withLock { $0 += milliseconds } }
}

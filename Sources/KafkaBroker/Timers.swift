import Disk
import Synchronization

/// Calls that are to be made later: one thread and a heap of deadlines. The thread sleeps until the next deadline, and
/// for ever when there is none.
///
/// A call is made on the timers' thread, outside of any lock, so it may schedule and cancel; it must be short and must
/// not block, for all others wait behind it.
public final class Timers: Sendable {
    /// A scheduled call.
    public final class Token: Sendable {
        // `slot` and `body` are guarded by the monitor of the timers that made the token.
        fileprivate nonisolated(unsafe) var slot: Int?
        fileprivate nonisolated(unsafe) var body: (@Sendable () -> Void)?
        fileprivate let dueNs: UInt64
        fileprivate let number: UInt64
        private let timers: Timers

        fileprivate init(_ timers: Timers, dueNs: UInt64, number: UInt64, body: @escaping @Sendable () -> Void) {
            self.timers = timers
            self.dueNs = dueNs
            self.number = number
            self.body = body
        }

        /// Takes the call back. False when it was made, is being made or was cancelled before.
        @discardableResult
        public func cancel() -> Bool { timers.cancel(self) }

        /// Whether this one is due before `other`; of two with the same deadline the one scheduled first.
        fileprivate func isBefore(_ other: Token) -> Bool {
            dueNs == other.dueNs ? number < other.number : dueNs < other.dueNs
        }
    }

    private struct State {
        var heap = TimerHeap()
        var scheduled: UInt64 = 0
        var isStopped = false
    }

    /// What the thread woke up for.
    private enum Wake {
        case call(@Sendable () -> Void)
        case otherDeadline
        case stop
    }

    private let clock: any Clock
    private let monitor = Monitor(State())
    private let thread = Mutex<Thread?>(nil)

    /// Timers by the steady time of `clock`. With `startsThread` false nothing happens by itself: a test that moves
    /// the clock by hand calls `runDue`.
    public init(clock: any Clock, startsThread: Bool = true) {
        self.clock = clock
        if startsThread { thread.withLock { $0 = Thread(name: "kafka-timers") { [weak self] in self?.run() } } }
    }

    /// Makes the call once `afterMs` milliseconds have passed; after `stop`, never.
    @discardableResult
    public func schedule(afterMs: Int64, _ body: @escaping @Sendable () -> Void) -> Token {
        // A century is as good as for ever.
        let delayNs = UInt64(min(max(afterMs, 0), 100 * 365 * 86_400_000)) * 1_000_000
        let dueNs = clock.steadyNs() &+ delayNs
        let (token, isNext) = monitor.withLock { state -> (Token, Bool) in
            state.scheduled += 1
            let token = Token(self, dueNs: dueNs, number: state.scheduled, body: body)
            if state.isStopped {
                token.body = nil
                return (token, false)
            }
            state.heap.insert(token)
            return (token, state.heap.first === token)
        }
        // The thread need only be woken when it would sleep too long.
        if isNext { monitor.update { _ in } }
        return token
    }

    private func cancel(_ token: Token) -> Bool {
        // What the body holds is let go outside of the lock.
        let body = monitor.withLock { state -> (@Sendable () -> Void)? in
            guard token.slot != nil else { return nil }
            state.heap.remove(token)
            return token.body.take()
        }
        return body != nil
    }

    /// Makes all calls that are due, those included that they schedule; says how many. For tests with a clock that is
    /// moved by hand.
    @discardableResult
    public func runDue() -> Int {
        var calls = 0
        while let body = monitor.withLock({ Self.takeDue(&$0, clock.steadyNs()) }) {
            body()
            calls += 1
        }
        return calls
    }

    /// In how many milliseconds the next call is due, rounded up; nil when none is scheduled.
    public var nextDueMs: Int64? {
        monitor.withLock { state in state.heap.first.map { Self.milliseconds(until: $0.dueNs, clock.steadyNs()) } }
    }

    /// How many calls are scheduled.
    public var count: Int { monitor.withLock { $0.heap.count } }

    /// Makes no more calls, and waits for the one that is being made. Not to be called from a scheduled call.
    public func stop() {
        monitor.update { state in
            state.isStopped = true
            state.heap = TimerHeap()
        }
        thread.withLock { $0.take() }?.join()
    }

    private static func takeDue(_ state: inout State, _ nowNs: UInt64) -> (@Sendable () -> Void)? {
        guard let first = state.heap.first, first.dueNs <= nowNs else { return nil }
        state.heap.remove(first)
        return first.body.take()
    }

    private static func milliseconds(until dueNs: UInt64, _ nowNs: UInt64) -> Int64 {
        dueNs <= nowNs ? 0 : Int64((dueNs - nowNs + 999_999) / 1_000_000)
    }

    private func run() {
        while true {
            let awaited = monitor.withLock { $0.heap.first?.dueNs }
            let timeoutMs = awaited.map { Self.milliseconds(until: $0, clock.steadyNs()) }
            let wake = monitor.wait(timeoutMs: timeoutMs) { state -> Wake? in
                if state.isStopped { return .stop }
                if let body = Self.takeDue(&state, clock.steadyNs()) { return .call(body) }
                return state.heap.first?.dueNs == awaited ? nil : .otherDeadline
            }
            switch wake {
            case .call(let body): body()
            case .stop: return
            case .otherDeadline, nil: continue
            }
        }
    }
}

/// A binary heap of tokens, each of which knows its place, so that a cancelled one leaves at once.
private struct TimerHeap {
    private var tokens: [Timers.Token] = []

    var first: Timers.Token? { tokens.first }
    var count: Int { tokens.count }

    mutating func insert(_ token: Timers.Token) {
        tokens.append(token)
        token.slot = tokens.count - 1
        siftUp(tokens.count - 1)
    }

    mutating func remove(_ token: Timers.Token) {
        guard let slot = token.slot, slot < tokens.count, tokens[slot] === token else { return }
        let last = tokens.count - 1
        if slot != last { swap(slot, last) }
        tokens.removeLast()
        token.slot = nil
        if slot < tokens.count {
            siftUp(slot)
            siftDown(slot)
        }
    }

    private mutating func siftUp(_ start: Int) {
        var slot = start
        while slot > 0, tokens[slot].isBefore(tokens[(slot - 1) / 2]) {
            swap(slot, (slot - 1) / 2)
            slot = (slot - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var slot = start
        while true {
            var least = slot
            for child in [2 * slot + 1, 2 * slot + 2] where child < tokens.count {
                if tokens[child].isBefore(tokens[least]) { least = child }
            }
            if least == slot { return }
            swap(slot, least)
            slot = least
        }
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        tokens.swapAt(left, right)
        tokens[left].slot = left
        tokens[right].slot = right
    }
}

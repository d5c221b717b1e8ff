import Disk
import Synchronization

/// Threads for work that blocks (queries, disk reads), so that none of it runs on an event loop or on Swift's
/// cooperative pool. At most `limit` pieces of work run at once and at most `queueLimit` wait; threads are started
/// as they are needed and kept.
final class BlockingPool: Sendable {
    /// Why work was refused.
    enum Refusal: Error {
        case full
        case stopped
    }

    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var firstWaiting = 0
        var running = 0
        var threads: [Thread] = []
        var isStopped = false

        var waitingCount: Int { waiting.count - firstWaiting }

        mutating func take() -> (@Sendable () -> Void)? {
            guard firstWaiting < waiting.count else { return nil }
            let work = waiting[firstWaiting]
            firstWaiting += 1
            if firstWaiting == waiting.count {
                waiting.removeAll(keepingCapacity: true)
                firstWaiting = 0
            }
            return work
        }
    }

    private let name: String
    private let limit: Int
    private let queueLimit: Int
    private let monitor: Monitor<State>

    /// Creates a pool; no thread runs yet.
    init(name: String, limit: Int, queueLimit: Int) {
        self.name = name
        self.limit = limit
        self.queueLimit = queueLimit
        monitor = Monitor(State())
    }

    /// How many pieces of work run and wait now.
    var load: (running: Int, waiting: Int) { monitor.withLock { ($0.running, $0.waitingCount) } }

    /// Runs `work` on a thread of the pool, now or when one is free.
    func submit(_ work: @escaping @Sendable () -> Void) throws(Refusal) {
        try monitor.update { (state) throws(Refusal) in
            if state.isStopped { throw .stopped }
            let idle = state.threads.count - state.running
            // What idle threads are about to take does not wait.
            if state.threads.count == limit, state.waitingCount - idle >= queueLimit { throw .full }
            state.waiting.append(work)
            if idle < state.waitingCount, state.threads.count < limit {
                state.threads.append(Thread(name: name) { [self] in loop() })
            }
        }
    }

    /// Runs `body` on a thread of the pool and gives back what it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do throws(Refusal) {
                try submit { continuation.resume(with: Swift.Result { try body() }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Takes no more work, waits for what runs and waits, and ends the threads. Blocks.
    func stop() {
        let threads = monitor.update { state in
            state.isStopped = true
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    private func loop() {
        while true {
            let work = monitor.wait { state -> (@Sendable () -> Void)?? in
                if let work = state.take() {
                    state.running += 1
                    return .some(work)
                }
                return state.isStopped ? .some(nil) : nil
            }
            guard let work = work ?? nil else { return }
            work()
            monitor.withLock { $0.running -= 1 }
        }
    }
}

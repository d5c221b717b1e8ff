import Disk
import Synchronization

/// Threads that queries share. The thread that runs a query always works on it too, so that a query gets on even
/// when all helpers are busy with others.
final class WorkerPool: Sendable {
    /// The process's pool. Threads start when first needed and then sleep between queries.
    static let shared = WorkerPool()

    /// The most helper threads, whatever is asked for.
    private static let limit = 128

    private struct State: Sendable {
        var waiting: [Job] = []
        var threads = 0
    }

    private let state = Monitor(State())

    /// One call of `run`: helpers that come in time take part; none starts once it is closed.
    private final class Job: Sendable {
        struct State: Sendable {
            var next = 1
            var running = 0
            var isClosed = false
        }
        let body: @Sendable (Int) -> Void
        let state = Monitor(State())

        init(_ body: @escaping @Sendable (Int) -> Void) { self.body = body }

        func help() {
            let worker = state.withLock { state -> Int? in
                if state.isClosed { return nil }
                state.running += 1
                state.next += 1
                return state.next - 1
            }
            guard let worker else { return }
            body(worker)
            state.update { $0.running -= 1 }
        }

        func closeAndWait() {
            state.withLock { $0.isClosed = true }
            _ = state.wait { $0.running == 0 ? true : nil }
        }
    }

    /// Calls `body` with worker numbers 0 ..< `threads`, 0 in the calling thread, and returns when all calls have.
    /// Numbers other than 0 may never be called: the bodies share the work by taking it piece by piece.
    func run(threads: Int, _ body: @escaping @Sendable (_ worker: Int) -> Void) {
        guard threads > 1 else {
            body(0)
            return
        }
        let job = Job(body)
        let helpers = min(threads - 1, Self.limit)
        let missing = state.update { state -> Int in
            for _ in 0..<helpers { state.waiting.append(job) }
            let missing = max(0, helpers - state.threads)
            state.threads += missing
            return missing
        }
        for _ in 0..<missing { _ = Thread(name: "query") { [self] in work() } }
        body(0)
        job.closeAndWait()
        state.withLock { $0.waiting.removeAll { $0 === job } }
    }

    private func work() {
        while true {
            let job = state.wait { state -> Job? in
                state.waiting.isEmpty ? nil : state.waiting.removeFirst()
            }
            job?.help()
        }
    }
}

/// The first error of several threads.
final class FirstError: Sendable {
    private let error = Mutex<QueryError?>(nil)
    private let isSet = Atomic<Bool>(false)

    /// Whether some thread failed: the others stop.
    var hasFailed: Bool { isSet.load(ordering: .relaxed) }

    func set(_ failure: QueryError) {
        error.withLock { if $0 == nil { $0 = failure } }
        isSet.store(true, ordering: .relaxed)
    }

    func rethrow() throws(QueryError) {
        if let failure = error.withLock({ $0 }) { throw failure }
    }
}

/// Shares out `count` pieces of work among `threads`: `make` gives each worker its state in that worker's thread,
/// `body` works on one piece with it. Returns the states of the workers that took part, by worker number.
func forEachPiece<State>(
    count: Int, threads: Int, make: @escaping @Sendable () -> State,
    body: @escaping @Sendable (inout State, _ piece: Int) throws(QueryError) -> Void
) throws(QueryError) -> [State] {
    if threads <= 1 || count <= 1 {
        var state = make()
        for piece in 0..<count { try body(&state, piece) }
        return [state]
    }
    let shares = PieceShares(count: count)
    let failure = FirstError()
    let slots = StateSlots<State>(count: threads)
    WorkerPool.shared.run(threads: min(threads, count)) { worker in
        guard var piece = shares.next() else { return }
        var state = make()
        do throws(QueryError) {
            while !failure.hasFailed {
                try body(&state, piece)
                guard let following = shares.next() else { break }
                piece = following
            }
        } catch {
            failure.set(error)
        }
        slots.set(worker, state)
    }
    try failure.rethrow()
    return slots.taken
}

/// Hands out the numbers of pieces, each once.
private final class PieceShares: Sendable {
    private let given = Atomic<Int>(0)
    private let count: Int

    init(count: Int) { self.count = count }

    func next() -> Int? {
        let piece = given.wrappingAdd(1, ordering: .relaxed).oldValue
        return piece < count ? piece : nil
    }
}

/// A place for each worker's state. Each worker writes its own place only, and they are read after all are done.
private final class StateSlots<State>: @unchecked Sendable {
    private let lock = Mutex<Void>(())
    private var states: [State?]

    init(count: Int) { states = Array(repeating: nil, count: count) }

    func set(_ worker: Int, _ state: State) { lock.withLock { _ in states[worker] = state } }

    var taken: [State] { lock.withLock { _ in states.compactMap { $0 } } }
}

import CKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An operating-system thread for work that blocks: disk writers, merges, query workers. Such work never runs on
/// Swift's cooperative pool, which has only as many threads as the machine has cores.
public final class Thread: @unchecked Sendable {
    private final class Body {
        let name: String
        let niceness: Int32
        let run: @Sendable () -> Void
        init(name: String, niceness: Int32, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.run = run
        }
    }

    private var handle = pthread_t()
    private var isJoined = false

    /// Starts a thread that runs `body` to its end. `name` is shown by `top -H` (15 bytes of it).
    /// With `niceness` above 0 (up to 19) it stands back when there is more to do than the cores can.
    public init(name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Body(name: name, niceness: niceness, run: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        // A parser may nest; the default of a static executable is the soft limit of the shell.
        pthread_attr_setstacksize(&attributes, 4 << 20)
        let status = pthread_create(
            &handle, &attributes,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                logstore_name_thread(body.name)
                if body.niceness > 0 { logstore_lower_thread_priority(body.niceness) }
                body.run()
                return nil
            }, box.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(status == 0, "BUG: cannot start thread \(name): error \(status)")
    }

    // A thread that nobody joins keeps its stack after its end, unless it is let go.
    deinit { if !isJoined { pthread_detach(handle) } }

    /// Waits until the thread's body has returned. Call at most once.
    public func join() {
        isJoined = true
        pthread_join(handle, nil)
    }
}

/// A mutex with a condition: threads wait for a state that other threads bring about.
public final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    /// Creates the monitor around `state`.
    public init(_ state: sending State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        condition.deallocate()
    }

    /// Runs `body` alone on the state and then wakes every waiting thread.
    public func update<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Runs `body` alone on the state without waking anyone.
    public func withLock<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Waits until `take` returns a value, asking it again after each `update`, for at most `timeoutMs`
    /// milliseconds (nil: for ever). Returns nil when the time ran out.
    public func wait<Result>(timeoutMs: Int64? = nil, until take: (inout State) -> Result?) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = timespec()
        if let timeoutMs {
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            let total = Int64(deadline.tv_nsec) + (timeoutMs % 1000) * 1_000_000
            deadline.tv_sec += Int(timeoutMs / 1000 + total / 1_000_000_000)
            deadline.tv_nsec = Int(total % 1_000_000_000)
        }
        while true {
            if let result = take(&state) { return result }
            if timeoutMs != nil {
                if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return take(&state) }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
    }
}

import Disk
import KafkaProtocol
import LogStore
import Synchronization

/// A Kafka broker without its sockets: takes requests as frames and answers them.
///
/// There is one node and one leader of everything; a log with a file of its own needs no replicas. What an answer
/// promises has happened before it is given.
public final class Broker: Sendable {
    /// The durable log.
    public let logStore: LogStore
    let clock: any Clock
    let settings: BrokerSettings
    private let offload: Offload
    private let timers: Timers
    let groups: GroupCoordinator
    let transactions: TransactionCoordinator
    private let sasl: SASLHandlers
    private let handlers: [Int16: Handler]

    /// Runs work that blocks on another thread; false when there is no room for it.
    public typealias Offload = @Sendable (@escaping @Sendable () -> Void) -> Bool

    /// Puts a broker in front of the log. `offload` takes work that reads or writes files. `timers`: nil for some of
    /// its own; a test with a clock that is moved by hand brings them. Blocks, to end transactions that a crash left.
    public init(
        logStore: LogStore, clock: any Clock, settings: BrokerSettings, timers: Timers? = nil,
        offload: @escaping Offload
    ) {
        self.logStore = logStore
        self.clock = clock
        self.settings = settings
        self.offload = offload
        let timers = timers ?? Timers(clock: clock)
        self.timers = timers
        groups = GroupCoordinator(logStore: logStore, clock: clock, timers: timers, settings: settings.groups)
        transactions = TransactionCoordinator(
            logStore: logStore, clock: clock, timers: timers, settings: settings.transactions)
        var table = HandlerTable()
        MetadataHandlers(logStore: logStore, settings: settings, offload: offload).register(in: &table)
        ProduceHandlers(logStore: logStore, transactions: transactions).register(in: &table)
        FetchHandlers(logStore: logStore, settings: settings, timers: timers, offload: offload).register(in: &table)
        OffsetHandlers(logStore: logStore, offload: offload).register(in: &table)
        TopicHandlers(logStore: logStore, settings: settings, offload: offload).register(in: &table)
        ConfigHandlers(logStore: logStore, settings: settings, offload: offload).register(in: &table)
        RecordDeletionHandlers(logStore: logStore, offload: offload).register(in: &table)
        ProducerIDHandlers(logStore: logStore, transactions: transactions, offload: offload).register(in: &table)
        TransactionHandlers(logStore: logStore, transactions: transactions, groups: groups).register(in: &table)
        TransactionAdministrationHandlers(logStore: logStore, transactions: transactions, offload: offload)
            .register(in: &table)
        GroupHandlers(coordinator: groups, settings: settings).register(in: &table)
        sasl = SASLHandlers(
            credentials: settings.users.isEmpty ? nil : Credentials(settings.users), timers: timers)
        sasl.register(in: &table)
        handlers = table.complete()
        groups.expireOffsetsRegularly()
        transactions.start()
    }

    /// Ends what runs by itself; requests under way may stay without an answer. Blocks.
    public func stop() { timers.stop() }

    /// The APIs that are spoken, by number.
    public var apis: [API] { handlers.values.map(\.api).sorted { $0.key < $1.key } }

    /// Begins to answer one request, which `frame` holds without its length; never blocks. `reply` is called once, from
    /// any thread. Requests of one connection must be handed over in the order they came, from one thread at a time.
    public func handle(_ frame: ArraySlice<UInt8>, from session: Session, reply: @escaping @Sendable (Answer) -> Void) {
        if !session.isAuthenticated {
            switch session.sasl.withLock({ $0 }) {
            case .exchange(_, isRaw: true):
                sasl.takeRaw(frame, session, reply: reply)
                return
            case .failed:
                reply(.close("a request after a failed authentication"))
                return
            case .none, .exchange: break
            }
        }
        let header: RequestHeader
        let body: ArraySlice<UInt8>
        do throws(WireError) {
            (header, body) = try RequestHeader.read(frame) { handlers[$0]?.api }
        } catch {
            reply(.close("an unreadable request header: \(error)"))
            return
        }
        guard let handler = handlers[header.key] else {
            reply(.close("API \(header.key), which is not spoken here"))
            return
        }
        guard session.isAuthenticated || handler.access == .anyone else {
            reply(.close("a \(handler.api.name) request before authentication"))
            return
        }
        guard handler.api.versions.contains(header.version) else {
            reply(unsupportedVersion(handler.api, header))
            return
        }
        do throws(WireError) {
            try handler.run(header, body, session, reply)
        } catch {
            reply(.close("an unreadable \(handler.api.name) request of version \(header.version): \(error)"))
        }
    }

    /// A version that is not spoken closes the connection, as Kafka does; but a client that asks what is spoken is
    /// told, in the version that every client can read.
    private func unsupportedVersion(_ api: API, _ header: RequestHeader) -> Answer {
        guard api.key == APIVersionsRequest.api.key, header.version >= 0 else {
            return .close("version \(header.version) of \(api.name), which is not spoken here")
        }
        var response = APIVersionsResponse()
        response.error = .unsupportedVersion
        var entry = APIVersionsResponse.Entry()
        entry.key = api.key
        entry.minVersion = api.versions.lowerBound
        entry.maxVersion = api.versions.upperBound
        response.entries = [entry]
        do throws(WireError) {
            return .response(
                try APIVersionsRequest.encode(response, version: 0, correlationID: header.correlationID))
        } catch {
            return .close("\(error)")
        }
    }
}

/// What comes of a request.
public enum Answer: Sendable {
    /// A response, to be sent with its length in front.
    case response(WireOutput)
    /// A response, after which the connection is closed, for this reason.
    case lastResponse(WireOutput, String)
    /// Nothing is sent, and the next request is answered.
    case silence
    /// Bytes that are no Kafka response, to be sent with their length in front.
    case raw([UInt8])
    /// The connection is closed, for this reason.
    case close(String)
}

import Disk

/// What is kept of a transactional id: its producer, and the transaction under way.
public struct StoredTransaction: Sendable, Hashable {
    /// How far a transaction is.
    public enum State: UInt8, Sendable, Hashable, CaseIterable {
        /// The producer has begun none.
        case empty = 0
        case ongoing = 1
        /// It is decided that it counts; what it touched is being told.
        case prepareCommit = 2
        /// It is decided that it does not count; what it touched is being told.
        case prepareAbort = 3
        /// It counts, and all is told.
        case completeCommit = 4
        /// It does not count, and all is told.
        case completeAbort = 5
    }

    /// The name the producers gave it.
    public var transactionalID: String
    /// The producer's id.
    public var producerID: Int64
    /// The producer id it had before its epochs ran out; -1 for none.
    public var previousProducerID: Int64 = -1
    /// The producer's epoch; -1 before the first.
    public var producerEpoch: Int16 = -1
    /// The epoch before, when the producer itself asked for the present one; else -1.
    public var lastProducerEpoch: Int16 = -1
    /// How long a transaction may take, in milliseconds.
    public var timeoutMs: Int32
    /// How far it is.
    public var state = State.empty
    /// When the transaction began, in milliseconds since 1970; -1 when there was none yet.
    public var startedMs: Int64 = -1
    /// When this was changed, in milliseconds since 1970.
    public var changedMs: Int64
    /// The partitions with records of the transaction.
    public var partitions: Set<TopicPartition> = []
    /// The consumer groups with offsets of the transaction.
    public var groups: Set<String> = []

    /// Creates what is kept of an id that is new.
    public init(transactionalID: String, producerID: Int64, timeoutMs: Int32, changedMs: Int64) {
        self.transactionalID = transactionalID
        self.producerID = producerID
        self.timeoutMs = timeoutMs
        self.changedMs = changedMs
    }
}

/// A change to what is kept of transactional ids.
public enum TransactionChange: Sendable, Hashable {
    /// The transaction is like this now.
    case set(StoredTransaction)
    /// The transactional id is forgotten.
    case delete(String)
}

extension LogStore {
    /// What is kept of all transactional ids, in no order.
    public var storedTransactions: [StoredTransaction] { transactionFile.withTable { Array($0.entries.values) } }

    /// Makes the change durable, then visible, then calls `completion` on the writer's thread, where it must not
    /// block. Changes take effect in the order they are given, several with one sync. Throws `.closed` and
    /// `.overloaded`, and does not call then; `completion` gets `.diskFull`, `.messageTooLarge`, `.poisoned`. Never
    /// blocks.
    public func changeTransactions(
        _ change: TransactionChange, completion: @escaping @Sendable (LogStoreError?) -> Void
    ) throws(LogStoreError) {
        try transactionFile.submit(change, completion: completion)
    }
}

/// All transactional ids, by name.
struct TransactionTable: ChangeTable {
    static let fileName = "transactions"
    static let subject = "transactions"

    /// A record's kinds.
    private enum Kind: UInt8 {
        case set = 1
        case delete = 2
    }

    private(set) var entries: [String: StoredTransaction] = [:]
    private(set) var liveBytes = 0

    var changes: [TransactionChange] { entries.values.map { .set($0) } }

    mutating func perform(_ change: TransactionChange) {
        switch change {
        case .set(let transaction):
            if let old = entries.updateValue(transaction, forKey: transaction.transactionalID) {
                liveBytes -= Self.size(old)
            }
            liveBytes += Self.size(transaction)
        case .delete(let name):
            if let old = entries.removeValue(forKey: name) { liveBytes -= Self.size(old) }
        }
    }

    static func maxBytes(_ settings: LogSettings) -> Int { settings.maxTransactionBytes }

    /// What is decided must be told whatever the size.
    static func mayGrow(_ change: TransactionChange) -> Bool {
        guard case .set(let transaction) = change else { return false }
        return transaction.state == .empty || transaction.state == .ongoing
    }

    static func append(_ change: TransactionChange, _ payload: inout ByteWriter) {
        switch change {
        case .set(let transaction):
            payload.uint8(Kind.set.rawValue)
            payload.string(transaction.transactionalID)
            payload.uint8(transaction.state.rawValue)
            payload.int64(transaction.producerID)
            payload.int64(transaction.previousProducerID)
            payload.int16(transaction.producerEpoch)
            payload.int16(transaction.lastProducerEpoch)
            payload.int32(transaction.timeoutMs)
            payload.int64(transaction.startedMs)
            payload.int64(transaction.changedMs)
            payload.count(transaction.partitions.count)
            for partition in transaction.partitions {
                payload.string(partition.topic)
                payload.int32(partition.partition)
            }
            payload.count(transaction.groups.count)
            for group in transaction.groups { payload.string(group) }
        case .delete(let name):
            payload.uint8(Kind.delete.rawValue)
            payload.string(name)
        }
    }

    static func parse(_ payload: inout ByteReader) throws(DiskError) -> TransactionChange {
        let kind = try payload.uint8()
        let name = try payload.string()
        switch Kind(rawValue: kind) {
        case .set: return .set(try transaction(name, &payload))
        case .delete: return .delete(name)
        case nil: throw payload.corrupt("a record of unknown kind \(kind)")
        }
    }

    private static func transaction(
        _ name: String, _ payload: inout ByteReader
    ) throws(DiskError) -> StoredTransaction {
        let stateNumber = try payload.uint8()
        guard let state = StoredTransaction.State(rawValue: stateNumber) else {
            throw payload.corrupt("a transaction in unknown state \(stateNumber)")
        }
        var transaction = StoredTransaction(
            transactionalID: name, producerID: try payload.int64(), timeoutMs: 0, changedMs: 0)
        transaction.state = state
        transaction.previousProducerID = try payload.int64()
        transaction.producerEpoch = try payload.int16()
        transaction.lastProducerEpoch = try payload.int16()
        transaction.timeoutMs = try payload.int32()
        transaction.startedMs = try payload.int64()
        transaction.changedMs = try payload.int64()
        for _ in 0..<(try payload.count(max: payload.remaining)) {
            transaction.partitions.insert(
                TopicPartition(topic: try payload.string(), partition: try payload.int32()))
        }
        for _ in 0..<(try payload.count(max: payload.remaining)) { transaction.groups.insert(try payload.string()) }
        return transaction
    }

    private static func size(_ transaction: StoredTransaction) -> Int {
        transaction.partitions.reduce(56 + transaction.transactionalID.utf8.count) { $0 + 6 + $1.topic.utf8.count }
            + transaction.groups.reduce(0) { $0 + 2 + $1.utf8.count }
    }
}

import Disk

/// What went wrong in the log, for programs (`code`) and for people (`message`).
public struct LogStoreError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    public enum Code: Sendable, Hashable {
        case offsetOutOfRange
        /// A batch's checksum, magic number, length or place is wrong.
        case corruptBatch
        /// A batch's checksum is right and what it holds contradicts itself.
        case invalidRecord
        /// A record's timestamp is further from now than the topic allows, or of a kind that producers may not send.
        case invalidTimestamp
        case messageTooLarge
        case unknownTopicOrPartition
        case topicExists
        case invalidTopicName
        case invalidPartitions
        case invalidConfig
        /// What was asked for contradicts the topic's settings.
        case policyViolation
        case unsupportedCompression
        /// A producer's batch does not follow its last one.
        case outOfOrderSequence
        /// A producer's batch was stored so long ago that its offset is no longer known.
        case duplicateSequence
        /// Another instance of the producer, of a later epoch, has taken over.
        case invalidProducerEpoch
        /// A producer's batch does not fit its transaction.
        case invalidTransactionState
        /// A transaction marker comes from a coordinator that another has replaced.
        case coordinatorFenced
        /// No space left; the append left no trace and may be tried again once there is room.
        case diskFull
        /// The partition takes no more appends until the store is opened again: a sync failed.
        case poisoned
        /// More appends are waiting than the store may hold in memory; try again.
        case overloaded
        /// The store is closed.
        case closed
        /// Any other failure of the disk.
        case storage
    }

    /// The kind of failure.
    public let code: Code
    /// A sentence for the operator.
    public let message: String
    /// For a damaged place met while reading: the next offset that can be read.
    public let resumeOffset: Int64?

    /// For an append that was refused because of single records: which ones, the first thousand at most.
    public let recordErrors: [RecordError]

    /// Creates an error.
    public init(
        _ code: Code, _ message: String, resumeOffset: Int64? = nil, recordErrors: [RecordError] = []
    ) {
        self.code = code
        self.message = message
        self.resumeOffset = resumeOffset
        self.recordErrors = recordErrors
    }

    /// The error of a file operation.
    public init(_ error: DiskError) {
        let code: Code =
            switch error.code {
            case .full: .diskFull
            // A segment that ends where a batch should go on.
            case .truncated: .corruptBatch
            default: .storage
            }
        self.init(code, error.message)
    }

    /// The message.
    public var description: String { message }

    /// The number the Kafka protocol has for it.
    public var kafkaCode: Int16 {
        switch code {
        case .offsetOutOfRange: 1
        case .corruptBatch: 2
        case .unknownTopicOrPartition: 3
        case .overloaded: 7
        case .messageTooLarge: 10
        case .invalidTopicName: 17
        case .invalidTimestamp: 32
        case .topicExists: 36
        case .invalidPartitions: 37
        case .invalidConfig: 40
        case .policyViolation: 44
        case .outOfOrderSequence: 45
        case .duplicateSequence: 46
        case .invalidProducerEpoch: 47
        case .invalidTransactionState: 48
        case .coordinatorFenced: 52
        case .diskFull, .poisoned, .storage, .closed: 56
        case .unsupportedCompression: 76
        case .invalidRecord: 87
        }
    }
}

/// What is wrong with one record of an append.
public struct RecordError: Error, Sendable, Hashable {
    /// The record's number in the append, from 0.
    public let index: Int
    /// A sentence.
    public let message: String

    /// Creates an error.
    public init(index: Int, message: String) {
        self.index = index
        self.message = message
    }
}

/// Runs `body`, turning the disk's errors into the log's.
func translating<Result>(_ body: () throws(DiskError) -> Result) throws(LogStoreError) -> Result {
    do throws(DiskError) {
        return try body()
    } catch {
        throw LogStoreError(error)
    }
}

extension ArraySlice<UInt8> {
    /// `withUnsafeBytes` that keeps the type of what `body` throws.
    @inline(__always)
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBufferPointer { bytes throws(Failure) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the type of what `body` throws.
    @inline(__always)
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBufferPointer { bytes throws(Failure) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}

import LogStore
import QueryEngine

/// The log's failures in HTTP's and ClickHouse's terms.
struct LogFailure {
    let error: LogStoreError

    init(_ error: LogStoreError) {
        self.error = error
    }

    /// 507 tells a full disk, 503 a log that takes nothing more until someone looks, 429 to slow down.
    var status: Int {
        switch error.code {
        case .diskFull: 507
        case .poisoned, .storage, .closed: 503
        case .overloaded: 429
        case .messageTooLarge: 413
        case .unknownTopicOrPartition: 404
        case .topicExists, .outOfOrderSequence, .duplicateSequence, .invalidProducerEpoch, .invalidTransactionState,
            .coordinatorFenced:
            409
        case .invalidTopicName, .invalidPartitions, .invalidConfig, .offsetOutOfRange, .invalidRecord,
            .invalidTimestamp, .policyViolation, .unsupportedCompression:
            400
        case .corruptBatch: 500
        }
    }

    /// ClickHouse's code for it.
    var code: QueryError.Code {
        switch error.code {
        case .diskFull: .notEnoughSpace
        case .corruptBatch: .corruptedData
        case .overloaded: .tooManyQueries
        case .invalidTopicName, .invalidPartitions, .invalidConfig, .invalidRecord, .unsupportedCompression,
            .invalidTimestamp, .policyViolation, .offsetOutOfRange, .outOfOrderSequence, .duplicateSequence,
            .invalidProducerEpoch, .invalidTransactionState, .coordinatorFenced:
            .badArguments
        case .unknownTopicOrPartition: .unknownTable
        case .topicExists: .tableAlreadyExists
        case .messageTooLarge: .tooManyRowsOrBytes
        case .poisoned, .storage, .closed: .aborted
        }
    }

    /// The answer.
    var failure: HTTPFailure { HTTPFailure(status, error.message, code: code) }
}

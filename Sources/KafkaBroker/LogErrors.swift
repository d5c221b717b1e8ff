import KafkaProtocol
import LogStore

extension ErrorCode {
    /// The code for what went wrong in the log.
    init(_ error: LogStoreError) { self.init(rawValue: error.kafkaCode) }
}

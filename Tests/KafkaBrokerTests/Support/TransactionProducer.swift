import Disk
import KafkaBroker
import KafkaProtocol
import LogStore
import Testing

/// A producer with a transactional id, as a client library drives one.
final class TransactionProducer {
    let client: BrokerClient
    let name: String
    var id: Int64 = -1
    var epoch: Int16 = -1
    private var sequences: [TopicPartition: Int32] = [:]

    init(_ client: BrokerClient, _ name: String = "tx") {
        self.client = client
        self.name = name
    }

    /// Asks for an id; a second time when the transaction before has to be aborted first.
    @discardableResult
    func begin(
        timeoutMs: Int32 = 60_000, as identity: (id: Int64, epoch: Int16)? = nil, version: Int16? = nil,
        isPatient: Bool = true
    ) throws -> ErrorCode {
        var request = InitProducerIDRequest()
        request.transactionalID = name
        request.transactionTimeoutMs = timeoutMs
        request.producerID = identity?.id ?? -1
        request.producerEpoch = identity?.epoch ?? -1
        var answer = try client.send(request, version: version)
        if isPatient, answer.error == .concurrentTransactions { answer = try client.send(request, version: version) }
        if answer.error == .none {
            (id, epoch) = (answer.producerID, answer.producerEpoch)
            sequences = [:]
        }
        return answer.error
    }

    func add(_ partitions: [TopicPartition], version: Int16? = nil) throws -> ErrorCode {
        try #require(addEach(partitions, version: version).first)
    }

    func addEach(_ partitions: [TopicPartition], version: Int16? = nil) throws -> [ErrorCode] {
        var request = AddPartitionsToTxnRequest()
        request.transactionalID = name
        request.producerID = id
        request.producerEpoch = epoch
        request.topics = partitions.map { partition in
            var topic = AddPartitionsToTxnRequest.Topic()
            topic.name = partition.topic
            topic.partitions = [partition.partition]
            return topic
        }
        return try client.send(request, version: version).topics.flatMap { $0.partitions.map(\.error) }
    }

    func send(_ text: String, to place: TopicPartition, isTransactional: Bool = true) throws -> ErrorCode {
        var partition = ProduceRequest.Partition()
        partition.index = place.partition
        let sequence = sequences[place] ?? 0
        partition.records = RecordData(
            try numberedBatch(text, id, epoch, sequence, isTransactional: isTransactional)[...])
        var topic = ProduceRequest.Topic()
        topic.name = place.topic
        topic.partitions = [partition]
        var request = ProduceRequest()
        request.transactionalID = isTransactional ? name : nil
        request.acks = -1
        request.topics = [topic]
        let code = try #require(try client.send(request).topics.first?.partitions.first?.error)
        if code == .none { sequences[place] = sequence + 1 }
        return code
    }

    func addOffsets(_ group: String, version: Int16? = nil) throws -> ErrorCode {
        var request = AddOffsetsToTxnRequest()
        request.transactionalID = name
        request.producerID = id
        request.producerEpoch = epoch
        request.groupID = group
        return try client.send(request, version: version).error
    }

    func commitOffset(
        _ offset: Int64, _ place: TopicPartition, _ group: String, version: Int16? = nil,
        member: (id: String, generation: Int32, instance: String?) = ("", -1, nil)
    ) throws -> ErrorCode {
        var partition = TxnOffsetCommitRequest.Partition()
        partition.index = place.partition
        partition.committedOffset = offset
        var topic = TxnOffsetCommitRequest.Topic()
        topic.name = place.topic
        topic.partitions = [partition]
        var request = TxnOffsetCommitRequest()
        request.transactionalID = name
        request.groupID = group
        request.producerID = id
        request.producerEpoch = epoch
        (request.memberID, request.generationID, request.groupInstanceID) = member
        request.topics = [topic]
        return try #require(try client.send(request, version: version).topics.first?.partitions.first?.error)
    }

    func end(commit: Bool, version: Int16? = nil) throws -> ErrorCode {
        var request = EndTxnRequest()
        request.transactionalID = name
        request.producerID = id
        request.producerEpoch = epoch
        request.isCommit = commit
        return try client.send(request, version: version).error
    }
}

/// A batch of one record, numbered by its producer.
func numberedBatch(
    _ text: String, _ producer: Int64, _ epoch: Int16, _ sequence: Int32, isTransactional: Bool = true
) throws -> [UInt8] {
    var builder = RecordBatchBuilder()
    builder.append(timestampMs: BrokerFixture.startMs, value: Array(text.utf8))
    var bytes = try builder.finish()
    var fields = ByteWriter()
    fields.int64BigEndian(producer)
    fields.int16BigEndian(epoch)
    fields.int32BigEndian(sequence)
    bytes.replaceSubrange(43..<57, with: fields.bytes)
    if isTransactional { bytes[22] |= 0x10 }
    var checksum = ByteWriter()
    checksum.uint32BigEndian(CRC32C.checksum(Array(bytes[21...])))
    bytes.replaceSubrange(17..<21, with: checksum.bytes)
    return bytes
}

extension BrokerFixture {
    /// Waits until what is under way in the log, and what comes of it, is done.
    func settle() {
        for _ in 0..<6 { try? logStore.changeGroups(.deleteGroup("nobody")) }
    }

    /// Fetches the partition from its start as a reader of committed records does, and says what that reader shows.
    func committed(_ place: TopicPartition) throws -> [String] {
        let answer = try #require(
            try client().send(Self.fetch(place, isCommittedOnly: true)).topics.first?.partitions.first)
        #expect(answer.error == .none)
        var aborted = answer.abortedTransactions ?? []
        var open: Set<Int64> = []
        var shown: [String] = []
        let bytes = Array(answer.records?.bytes ?? [])
        try bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while rest.count >= RecordBatch.headerBytes {
                let batch = try RecordBatch(parsing: rest)
                let whole = UnsafeRawBufferPointer(rebasing: rest[..<batch.sizeBytes])
                rest = UnsafeRawBufferPointer(rebasing: rest[batch.sizeBytes...])
                // What Java's consumer does.
                aborted.removeAll { transaction in
                    guard transaction.firstOffset <= batch.lastOffset else { return false }
                    open.insert(transaction.producerID)
                    return true
                }
                if batch.isControl {
                    if TransactionMarker(parsing: batch, whole)?.isCommit == false { open.remove(batch.producerID) }
                    continue
                }
                if batch.isTransactional, open.contains(batch.producerID) { continue }
                try RecordBatch.forEachRecord(in: whole, maxDecompressedBytes: 1 << 20) { record in
                    shown.append(String(decoding: record.value.map(Array.init) ?? [], as: UTF8.self))
                }
            }
        }
        return shown
    }

    static func fetch(
        _ place: TopicPartition, from offset: Int64 = 0, isCommittedOnly: Bool, maxWaitMs: Int32 = 0
    ) -> FetchRequest {
        var partition = FetchRequest.Partition()
        partition.index = place.partition
        partition.fetchOffset = offset
        partition.maxBytes = 1 << 20
        var topic = FetchRequest.Topic()
        topic.name = place.topic
        topic.partitions = [partition]
        var request = FetchRequest()
        request.isolationLevel = isCommittedOnly ? 1 : 0
        request.maxWaitMs = maxWaitMs
        request.minBytes = 1
        request.topics = [topic]
        return request
    }
}

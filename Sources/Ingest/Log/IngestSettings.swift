import Compression

/// How records are taken in and written to the log.
public struct IngestSettings: Sendable, Hashable {
    /// The longest record taken over HTTP, in bytes.
    public var maxRecordBytes: Int
    /// Bytes of records, before compression, at which a record batch is closed.
    public var batchBytes: Int
    /// The codec of record batches worth compressing.
    public var codec: Codec
    /// Bytes below which a request's records are not compressed.
    public var compressFromBytes: Int
    /// Appends of one request that may wait for the disk at the same time; more make the request wait.
    public var maxWaitingAppends: Int

    /// Creates settings.
    public init(
        maxRecordBytes: Int = 1 << 20, batchBytes: Int = 1 << 20, codec: Codec = .lz4, compressFromBytes: Int = 1024,
        maxWaitingAppends: Int = 2
    ) {
        self.maxRecordBytes = maxRecordBytes
        self.batchBytes = batchBytes
        self.codec = codec
        self.compressFromBytes = compressFromBytes
        self.maxWaitingAppends = maxWaitingAppends
    }
}

/// What became of a request's records. Those accepted are durable.
public struct IngestResult: Sendable, Hashable {
    /// Records in the log.
    public var accepted: Int
    /// Lines refused.
    public var rejected: Rejections
    /// Where the records are: the topic and partition, and the offset after the last one; nil when none was accepted.
    public var end: LogPosition?
}

/// A place in the log.
public struct LogPosition: Sendable, Hashable {
    /// The topic's name.
    public var topic: String
    /// The partition's number.
    public var partition: Int32
    /// The offset.
    public var offset: Int64

    /// Names a place.
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}

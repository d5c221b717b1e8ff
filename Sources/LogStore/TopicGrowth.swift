import Disk

extension LogStore {
    /// Throws what `createTopic` would, without creating anything.
    public func checkCreation(of name: String, partitions: Int, config: TopicConfig? = nil) throws(LogStoreError) {
        try Topic.validate(name: name)
        try (config ?? defaultConfig).validate()
        guard (1...environment.settings.maxPartitions).contains(partitions) else {
            throw LogStoreError(
                .invalidPartitions,
                "a topic has 1 to \(environment.settings.maxPartitions) partitions, not \(partitions)")
        }
        guard topic(name) == nil else { throw LogStoreError(.topicExists, "topic \"\(name)\" exists") }
        if let other = collision(with: name) {
            throw LogStoreError(
                .invalidTopicName,
                "\"\(name)\" differs from the topic \"\(other)\" only in . and _, which names of metrics cannot tell apart"
            )
        }
    }

    /// Another topic's name that differs in `.` and `_` alone.
    private func collision(with name: String) -> String? {
        guard name.utf8.contains(where: { $0 == 0x2E || $0 == 0x5F }) else { return nil }
        func folded(_ name: String) -> [UInt8] { name.utf8.map { $0 == 0x2E ? 0x5F : $0 } }
        let wanted = folded(name)
        return topics.first { $0.name != name && $0.name.utf8.count == wanted.count && folded($0.name) == wanted }?.name
    }

    /// Throws what `addPartitions` would, without adding any.
    public func checkGrowth(of name: String, total: Int) throws(LogStoreError) {
        guard let topic = topic(name) else {
            throw LogStoreError(.unknownTopicOrPartition, "there is no topic \"\(name)\"")
        }
        let count = topic.partitions.count
        guard total > count else {
            throw LogStoreError(
                .invalidPartitions, "topic \"\(name)\" has \(count) partitions; it can get more, not \(total)")
        }
        guard total <= environment.settings.maxPartitions else {
            throw LogStoreError(
                .invalidPartitions,
                "a topic has 1 to \(environment.settings.maxPartitions) partitions, not \(total)")
        }
    }

    /// Lets the topic have `total` partitions, durably: all the new ones, or none and an error. Throws
    /// `.unknownTopicOrPartition`, `.invalidPartitions` unless they become more, `.diskFull`, `.storage`. Blocks.
    public func addPartitions(topic name: String, total: Int) throws(LogStoreError) {
        /// Keeps what comes into a new partition until those who follow topics have their own hold on it.
        let hold = "growth"
        var added: [PartitionLog] = []
        defer { for partition in added { partition.releaseRetention(name: hold) } }
        try changing { () throws(LogStoreError) in
            try checkGrowth(of: name, total: total)
            guard let topic = topic(name) else { return }
            // Folders of a growth that a crash interrupted are empty partitions, and are taken as they are.
            for number in topic.partitions.count..<total {
                var recovery = Recovery(
                    topic: name, partition: Int32(number), folder: topic.folder + "/\(number)",
                    environment: environment, configuration: topic.configuration)
                let partition = try recovery.open()
                partition.holdRetention(name: hold, storedOffset: 0)
                added.append(partition)
            }
            try topic.add(added)
        }
    }
}

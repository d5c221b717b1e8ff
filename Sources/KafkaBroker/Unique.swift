extension Sequence {
    /// The elements without those whose key came before. What a request names twice is answered once, as by Kafka:
    /// else a small request could ask for an answer without bound.
    func unique<Key: Hashable>(by key: (Element) -> Key) -> [Element] {
        var seen: Set<Key> = []
        return filter { seen.insert(key($0)).inserted }
    }
}

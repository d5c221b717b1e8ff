import Disk

/// The topics in what a consumer says of itself when it joins: version, then topics, in every version alike.
///
///     i16 version │ i32 topics │ per topic: i16 length, name │ what later versions add
enum ConsumerSubscription {
    /// The protocol type of clients that say it this way.
    static let protocolType = "consumer"

    /// The topics; nil when it is not such metadata.
    static func topics(_ metadata: [UInt8]) -> [String]? {
        var reader = ByteReader(metadata, name: "a subscription")
        do throws(DiskError) {
            guard try reader.int16BigEndian() >= 0 else { return nil }
            let count = try reader.int32BigEndian()
            // Every topic takes two bytes at least.
            guard count >= 0, Int(count) <= reader.remaining / 2 else { return nil }
            var topics: [String] = []
            for _ in 0..<count {
                let length = try reader.int16BigEndian()
                guard length >= 0 else { return nil }
                topics.append(String(decoding: try reader.bytes(Int(length)), as: UTF8.self))
            }
            return topics
        } catch {
            return nil
        }
    }
}

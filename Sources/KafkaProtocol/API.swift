/// One API of the protocol: its number, and which versions are spoken here.
public struct API: Sendable, Hashable {
    /// The number, as in a request's header.
    public let key: Int16
    /// The name, as in Kafka's documentation.
    public let name: String
    /// The versions that are read and answered.
    public let versions: ClosedRange<Int16>
    /// The first version with varint lengths and tagged fields; nil when none has them.
    public let flexibleFrom: Int16?
    /// The lowest version told to clients, when lower than what is answered: some clients conclude from it what else
    /// a broker can do.
    public let advertisedFrom: Int16

    /// Describes an API.
    public init(
        _ key: Int16, _ name: String, _ versions: ClosedRange<Int16>, flexibleFrom: Int16?, advertisedFrom: Int16? = nil
    ) {
        self.key = key
        self.name = name
        self.versions = versions
        self.flexibleFrom = flexibleFrom
        self.advertisedFrom = advertisedFrom ?? versions.lowerBound
    }

    /// Whether this version of the messages is flexible.
    public func isFlexible(_ version: Int16) -> Bool { flexibleFrom.map { version >= $0 } ?? false }
}

/// The body of a request.
public protocol KafkaRequest: WireStruct {
    /// The body of the answer.
    associatedtype Response: WireStruct
    /// What it belongs to.
    static var api: API { get }
}

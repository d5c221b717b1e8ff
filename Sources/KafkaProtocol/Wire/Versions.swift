/// The versions of a message in which a field is there, or may be null.
public struct Versions: Sendable, Hashable {
    /// The first.
    public let first: Int16
    /// The last.
    public let last: Int16

    private init(_ first: Int16, _ last: Int16) {
        self.first = first
        self.last = last
    }

    /// Every version.
    public static let all = Versions(0, .max)
    /// No version.
    public static let none = Versions(1, 0)
    /// `version` and all later ones.
    public static func from(_ version: Int16) -> Versions { Versions(version, .max) }
    /// Version 0 to `version`.
    public static func upTo(_ version: Int16) -> Versions { Versions(0, version) }
    /// The versions of the range.
    public static func range(_ range: ClosedRange<Int16>) -> Versions { Versions(range.lowerBound, range.upperBound) }

    /// Whether `version` is among them.
    @inline(__always)
    public func contains(_ version: Int16) -> Bool { version >= first && version <= last }
}

/// A line of a body that was refused, and why.
public struct Rejection: Sendable, Hashable {
    /// The line the record begins in, counted from 1.
    public var line: Int
    /// A sentence for the sender.
    public var reason: String

    /// Creates a rejection.
    public init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }
}

/// The refused lines of one body: all counted, the first ones told in full.
public struct Rejections: Sendable, Hashable {
    /// The most that are told in full; a body of nothing but bad lines must not fill the memory.
    public static let told = 1000
    /// How many there were.
    public private(set) var count = 0
    /// The first of them, at most `told`.
    public private(set) var first: [Rejection] = []

    /// Creates an empty list.
    public init() {}

    /// Adds one.
    public mutating func append(line: Int, reason: String) {
        count += 1
        if first.count < Self.told { first.append(Rejection(line: line, reason: reason)) }
    }
}

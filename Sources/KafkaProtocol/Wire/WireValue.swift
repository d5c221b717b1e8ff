/// What can stand in an array of a message.
public protocol WireValue {
    /// The value before anything is read.
    init()
    /// Reads or writes the value, as the coder is asked to.
    mutating func code(_ coder: inout WireCoder) throws(WireError)
}

/// A message, or a structure inside one. Its fields are listed once, in the order of Kafka's schema; reading, writing
/// and what a version has all follow from the list.
public protocol WireStruct: WireValue, Sendable {
    /// Names every field to the coder, in order, with the versions that have it.
    mutating func fields(_ coder: inout WireCoder) throws(WireError)
}

extension WireStruct {
    /// The fields, and in flexible versions the tagged fields after them.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) {
        let outer = coder.beginStructure()
        try fields(&coder)
        try coder.endStructure(outer)
    }
}

extension Int8: WireValue {
    /// As a field.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) { try coder.field(&self) }
}
extension Int16: WireValue {
    /// As a field.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) { try coder.field(&self) }
}
extension Int32: WireValue {
    /// As a field.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) { try coder.field(&self) }
}
extension Int64: WireValue {
    /// As a field.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) { try coder.field(&self) }
}
extension String: WireValue {
    /// As a field.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) { try coder.field(&self) }
}
extension ErrorCode: WireValue {
    /// Success.
    public init() { self = .none }
    /// As a field.
    public mutating func code(_ coder: inout WireCoder) throws(WireError) { try coder.field(&self) }
}

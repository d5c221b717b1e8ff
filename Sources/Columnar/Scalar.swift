/// One value outside a column: a literal, a minimum, a default. Its type is known from where it stands.
public enum Scalar: Sendable, Hashable {
    case null
    /// Bool, signed integers, DateTime64, Enum, Interval.
    case int(Int64)
    /// Unsigned integers, Date, DateTime, IPv4.
    case uint(UInt64)
    /// UUID, IPv6.
    case wide(UInt128)
    case float(Double)
    case string([UInt8])
    case array([Scalar])
    /// Keys and values in turn.
    case map([Scalar])
    case tuple([Scalar])
}

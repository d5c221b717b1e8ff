/// Division by a number that is the same for a whole block, as a multiplication; rounds towards minus infinity.
struct FastDivider: Sendable {
    private let divisor: Int64
    private let multiplier: UInt64
    private let shift: UInt64

    /// Creates a divider by `divisor`, at least 1.
    init(_ divisor: Int64) {
        precondition(divisor > 0, "BUG: division by \(divisor)")
        self.divisor = divisor
        // With l = ⌈log2 d⌉, ⌊2^(63+l) / d⌋ + 1 times x, cut by 63 + l bits, is ⌊x / d⌋ for all 0 ≤ x < 2^63.
        let bits = divisor == 1 ? 0 : UInt64(64 - (divisor - 1).leadingZeroBitCount)
        shift = bits
        multiplier =
            bits == 0 ? 0 : UInt64(truncatingIfNeeded: (UInt128(1) << UInt128(63 + bits)) / UInt128(divisor) + 1)
    }

    @inline(__always)
    func callAsFunction(_ value: Int64) -> Int64 {
        if shift == 0 { return value }
        if value >= 0 {
            let high = multiplier.multipliedFullWidth(by: UInt64(bitPattern: value)).high
            return Int64(bitPattern: high >> (shift &- 1))
        }
        let quotient = value / divisor
        return quotient &* divisor == value ? quotient : quotient &- 1
    }
}

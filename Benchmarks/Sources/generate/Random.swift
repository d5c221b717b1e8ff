import Glibc

/// A small deterministic generator (xoshiro256**, seeded by SplitMix64): the same seed gives the same data everywhere.
struct Random {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64

    init(seed: UInt64) {
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        s0 = next()
        s1 = next()
        s2 = next()
        s3 = next()
    }

    /// 64 random bits.
    mutating func bits() -> UInt64 {
        let product = s1 &* 5
        let result = ((product << 7) | (product >> 57)) &* 9
        let t = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = (s3 << 45) | (s3 >> 19)
        return result
    }

    /// A number from 0 up to but not including 1.
    mutating func unit() -> Double { Double(bits() >> 11) * 0x1p-53 }

    /// Pareto distributed, at least 1.
    mutating func pareto(_ shape: Double) -> Double { pow(1 - unit(), -1 / shape) }

    /// Log-normally distributed.
    mutating func logNormal(mean: Double, deviation: Double) -> Double {
        let radius = sqrt(-2 * log(1 - unit()))
        return exp(mean + deviation * radius * cos(2 * .pi * unit()))
    }

    /// `count` choices among the indices of `weights`.
    mutating func choices(_ weights: [Double], count: Int) -> [Int] {
        let total = weights.reduce(0, +)
        return (0..<count).map { _ in
            var left = unit() * total
            for (index, weight) in weights.enumerated() {
                left -= weight
                if left < 0 { return index }
            }
            return weights.count - 1
        }
    }
}

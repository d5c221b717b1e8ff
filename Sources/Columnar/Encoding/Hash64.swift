/// The 64-bit hash of byte strings that Bloom filters are built on. Part of the format: it never changes.
///
///     h = seed ^ length × k1
///     for each 8 bytes w (the last padded with zeroes): h = fold((h ^ w) × k2)
///     h = fold((h ^ h >> 32) × k3)           fold(x) = high half ^ low half of the 128-bit product
enum Hash64 {
    private static let seed: UInt64 = 0x9E37_79B9_7F4A_7C15
    private static let k1: UInt64 = 0xA076_1D64_78BD_642F
    private static let k2: UInt64 = 0xE703_7ED1_A0B4_28DB
    private static let k3: UInt64 = 0x8EBC_6AF0_9C88_C6E3

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// The hash of `bytes`. O(n).
    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ (UInt64(truncatingIfNeeded: bytes.count) &* k1)
        if let start = bytes.baseAddress {
            var offset = 0
            while offset &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                hash = fold(hash ^ word, k2)
                offset &+= 8
            }
            if offset < bytes.count {
                var word: UInt64 = 0
                var shift: UInt64 = 0
                while offset < bytes.count {
                    word |= UInt64(start.load(fromByteOffset: offset, as: UInt8.self)) << shift
                    shift &+= 8
                    offset &+= 1
                }
                hash = fold(hash ^ word, k2)
            }
        }
        return fold(hash ^ (hash >> 32), k3)
    }

    /// The hash of `bytes`. O(n).
    static func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { hash($0) } }

    /// A well-mixed hash of one number, for tables in memory.
    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 { fold(value ^ seed, k2) }
}

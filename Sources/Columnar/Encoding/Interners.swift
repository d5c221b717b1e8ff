#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Numbers distinct strings in the order they come, up to a limit: how dictionaries are made.
struct StringInterner {
    /// The distinct strings; a string's code is its index.
    private(set) var values = StringData()
    private var slots: [UInt32]
    private var hashes: [UInt64] = []
    private let maxCount: Int

    /// At most `maxCount` distinct strings.
    init(maxCount: Int) {
        self.maxCount = maxCount
        slots = [UInt32](repeating: 0, count: 64)
    }

    var count: Int { hashes.count }

    /// The code of `bytes`, new when it was not there; nil when that would be one too many.
    @inline(__always)
    mutating func intern(_ bytes: UnsafeRawBufferPointer) -> UInt32? {
        let hash = Hash64.hash(bytes)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { break }
            let code = Int(entry) - 1
            if hashes[code] == hash && equals(code, bytes) { return UInt32(truncatingIfNeeded: code) }
            slot = (slot + 1) & mask
        }
        return add(bytes, hash: hash, slot: slot)
    }

    /// The code of `bytes` if it is there.
    func find(_ bytes: UnsafeRawBufferPointer) -> UInt32? {
        let hash = Hash64.hash(bytes)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { return nil }
            let code = Int(entry) - 1
            if hashes[code] == hash && equals(code, bytes) { return UInt32(truncatingIfNeeded: code) }
            slot = (slot + 1) & mask
        }
    }

    private func equals(_ code: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let start = Int(values.offsets[code])
        guard Int(values.offsets[code + 1]) - start == bytes.count else { return false }
        guard let other = bytes.baseAddress, !bytes.isEmpty else { return true }
        return values.bytes.withUnsafeBytes { own in
            guard let base = own.baseAddress else { return false }
            return memcmp(base + start, other, bytes.count) == 0
        }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer, hash: UInt64, slot: Int) -> UInt32? {
        guard hashes.count < maxCount else { return nil }
        let code = hashes.count
        hashes.append(hash)
        values.bytes.append(contentsOf: bytes)
        values.offsets.append(UInt32(values.bytes.count))
        slots[slot] = UInt32(code + 1)
        if 2 * hashes.count > slots.count { grow() }
        return UInt32(code)
    }

    private mutating func grow() {
        var larger = [UInt32](repeating: 0, count: 4 * slots.count)
        let mask = larger.count - 1
        for (code, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & mask
            while larger[slot] != 0 { slot = (slot + 1) & mask }
            larger[slot] = UInt32(code + 1)
        }
        slots = larger
    }
}

/// Numbers distinct integers in the order they come, up to a limit.
struct IntegerInterner {
    private(set) var values: [UInt64] = []
    private var slots: [UInt16]
    private let maxCount: Int

    /// At most `maxCount` distinct values, itself at most 32,767.
    init(maxCount: Int) {
        self.maxCount = maxCount
        var capacity = 64
        while capacity < 2 * maxCount { capacity *= 2 }
        slots = [UInt16](repeating: 0, count: capacity)
    }

    /// The code of `value`, new when it was not there; nil when that would be one too many.
    mutating func intern(_ value: UInt64) -> UInt16? {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: Hash64.mix(value)) & mask
        while slots[slot] != 0 {
            let code = slots[slot] - 1
            if values[Int(code)] == value { return code }
            slot = (slot + 1) & mask
        }
        guard values.count < maxCount else { return nil }
        values.append(value)
        slots[slot] = UInt16(values.count)
        return UInt16(values.count - 1)
    }
}

/// The last offset of each key, by a hash of the key: what a compaction knows of the section it compacts.
///
/// A key is known by 128 bits of keyed hash (two of SipHash's, with the process's random key), so that nobody can
/// choose two keys that are taken for one. Grows up to the room it was given and then refuses new keys.
struct KeyOffsetMap {
    private struct Slot {
        var high: UInt64
        var low: UInt64
        /// Negative for an empty slot.
        var offset: Int64
    }

    private static let empty = Slot(high: 0, low: 0, offset: -1)
    private static let minSlots = 1 << 8

    /// Open addressing; their number is a power of two.
    private var slots: [Slot]
    private var maxSlots: Int
    /// How many keys it holds.
    private(set) var count = 0

    /// An empty map of at most `maxBytes`, but room for a few keys in any case.
    init(maxBytes: Int) {
        maxSlots = Self.minSlots
        while maxSlots < 1 << 40, maxSlots * 2 * MemoryLayout<Slot>.stride <= maxBytes { maxSlots *= 2 }
        slots = [Slot](repeating: Self.empty, count: Self.minSlots)
    }

    /// Makes room for `factor` (a power of two) times as many keys.
    mutating func widen(by factor: Int) { maxSlots *= factor }

    /// Notes that `key` was last seen at `offset`. False when there is no room for another key.
    mutating func put(_ key: UnsafeRawBufferPointer, _ offset: Int64) -> Bool {
        let (high, low) = Self.hash(key)
        var index = find(high, low)
        if slots[index].offset >= 0 {
            slots[index].offset = max(offset, slots[index].offset)
            return true
        }
        // At most three quarters full, or looking up becomes slow.
        if (count + 1) * 4 > slots.count * 3 {
            guard slots.count < maxSlots else { return false }
            grow()
            index = find(high, low)
        }
        slots[index] = Slot(high: high, low: low, offset: offset)
        count += 1
        return true
    }

    /// The last offset noted for `key`; nil when none was.
    func offset(of key: UnsafeRawBufferPointer) -> Int64? {
        let (high, low) = Self.hash(key)
        let offset = slots[find(high, low)].offset
        return offset < 0 ? nil : offset
    }

    /// The slot that holds the hash, or the empty one where it belongs.
    private func find(_ high: UInt64, _ low: UInt64) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: low) & mask
        while slots[index].offset >= 0, slots[index].high != high || slots[index].low != low {
            index = (index + 1) & mask
        }
        return index
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Self.empty, count: old.count * 2)
        for slot in old where slot.offset >= 0 { slots[find(slot.high, slot.low)] = slot }
    }

    private static func hash(_ key: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64) {
        var first = Hasher()
        first.combine(bytes: key)
        var second = Hasher()
        second.combine(0xC0 as UInt8)
        second.combine(bytes: key)
        return (UInt64(bitPattern: Int64(first.finalize())), UInt64(bitPattern: Int64(second.finalize())))
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Numbers distinct fixed-width keys 0, 1, 2 … in the order they first come: open addressing in raw memory.
///
/// Keys lie in the slots, so a look-up that hits touches one cache line.
final class KeyTable<Key: FixedWidthInteger & UnsignedInteger & BitwiseCopyable> {
    private struct Slot: BitwiseCopyable {
        var key: Key
        /// The key's number plus one; 0 is an empty slot.
        var number: UInt32
    }

    private var slots: UnsafeMutablePointer<Slot>
    private var mask: Int
    /// The keys by number.
    private(set) var keys: [Key] = []

    init() {
        mask = 255
        slots = Self.allocate(256)
    }

    deinit { free(slots) }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Slot> {
        // calloc's pages are zero without being touched.
        guard let memory = calloc(capacity, MemoryLayout<Slot>.stride) else {
            preconditionFailure("BUG: out of memory below the query's own limit")
        }
        return memory.bindMemory(to: Slot.self, capacity: capacity)
    }

    var count: Int { keys.count }
    var memoryBytes: Int { (mask + 1) * MemoryLayout<Slot>.stride + keys.capacity * MemoryLayout<Key>.stride }

    @inline(__always)
    private static func hash(_ key: Key) -> Int {
        if Key.bitWidth <= 64 { return Int(truncatingIfNeeded: hashWord(UInt64(truncatingIfNeeded: key))) }
        let high = UInt64(truncatingIfNeeded: key &>> 64)
        return Int(truncatingIfNeeded: hashWord(UInt64(truncatingIfNeeded: key) ^ hashWord(high)))
    }

    /// The number of `key`, a new one if it was not there.
    @inline(__always)
    func number(_ key: Key) -> UInt32 {
        var position = Self.hash(key) & mask
        while true {
            let slot = slots[position]
            if slot.number == 0 { return insert(key, at: position) }
            if slot.key == key { return slot.number &- 1 }
            position = (position &+ 1) & mask
        }
    }

    @inline(never)
    private func insert(_ key: Key, at position: Int) -> UInt32 {
        keys.append(key)
        precondition(keys.count < Int(UInt32.max), "BUG: more groups than 32 bits number")
        slots[position] = Slot(key: key, number: UInt32(keys.count))
        let number = UInt32(keys.count - 1)
        if keys.count &* 2 > mask { grow() }
        return number
    }

    private func grow() {
        let capacity = (mask + 1) * (mask < 1 << 20 ? 4 : 2)
        free(slots)
        slots = Self.allocate(capacity)
        mask = capacity - 1
        for (number, key) in keys.enumerated() {
            var position = Self.hash(key) & mask
            while slots[position].number != 0 { position = (position &+ 1) & mask }
            slots[position] = Slot(key: key, number: UInt32(number + 1))
        }
    }
}

/// Numbers distinct byte strings 0, 1, 2 … in the order they first come. The bytes lie in one arena.
final class StringTable {
    private struct Slot: BitwiseCopyable {
        var hash: UInt32
        /// The string's number plus one; 0 is an empty slot.
        var number: UInt32
    }

    private var slots: UnsafeMutablePointer<Slot>
    private var mask: Int
    private var arena: UnsafeMutableRawPointer
    private var arenaCapacity: Int
    private var arenaCount = 0
    /// Where string `i` begins; one more than there are strings.
    private var offsets: [Int] = [0]
    private var hashes: [UInt64] = []

    init() {
        mask = 255
        slots = Self.allocate(256)
        arenaCapacity = 4096
        arena = .allocate(byteCount: arenaCapacity, alignment: 16)
    }

    deinit {
        free(slots)
        arena.deallocate()
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Slot> {
        guard let memory = calloc(capacity, MemoryLayout<Slot>.stride) else {
            preconditionFailure("BUG: out of memory below the query's own limit")
        }
        return memory.bindMemory(to: Slot.self, capacity: capacity)
    }

    var count: Int { hashes.count }
    var memoryBytes: Int { (mask + 1) * 8 + arenaCapacity + offsets.capacity * 8 + hashes.capacity * 8 }
    /// The sum of the strings' lengths.
    var byteCount: Int { arenaCount }

    /// The bytes of string `number`, valid until the next insertion.
    @inline(__always)
    func string(_ number: Int) -> UnsafeRawBufferPointer {
        let start = offsets[number]
        return UnsafeRawBufferPointer(start: arena + start, count: offsets[number + 1] - start)
    }

    /// The number of the string, a new one if it was not there.
    @inline(__always)
    func number(_ bytes: UnsafeRawPointer, _ length: Int) -> UInt32 {
        number(bytes, length, hash: hashBytes(bytes, length))
    }

    @inline(__always)
    func number(_ bytes: UnsafeRawPointer, _ length: Int, hash: UInt64) -> UInt32 {
        var position = Int(truncatingIfNeeded: hash) & mask
        let tag = UInt32(truncatingIfNeeded: hash &>> 32)
        while true {
            let slot = slots[position]
            if slot.number == 0 { return insert(bytes, length, hash, at: position) }
            if slot.hash == tag {
                let number = Int(slot.number &- 1)
                let start = offsets[number]
                if offsets[number &+ 1] &- start == length && memcmp(arena + start, bytes, length) == 0 {
                    return slot.number &- 1
                }
            }
            position = (position &+ 1) & mask
        }
    }

    @inline(never)
    private func insert(_ bytes: UnsafeRawPointer, _ length: Int, _ hash: UInt64, at position: Int) -> UInt32 {
        if arenaCount + length > arenaCapacity {
            let capacity = max(arenaCapacity * 2, arenaCount + length)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: arena, byteCount: arenaCount)
            arena.deallocate()
            arena = larger
            arenaCapacity = capacity
        }
        (arena + arenaCount).copyMemory(from: bytes, byteCount: length)
        arenaCount += length
        offsets.append(arenaCount)
        hashes.append(hash)
        precondition(hashes.count < Int(UInt32.max), "BUG: more strings than 32 bits number")
        let number = UInt32(hashes.count - 1)
        slots[position] = Slot(hash: UInt32(truncatingIfNeeded: hash &>> 32), number: number + 1)
        if hashes.count &* 2 > mask { grow() }
        return number
    }

    private func grow() {
        let capacity = (mask + 1) * (mask < 1 << 20 ? 4 : 2)
        free(slots)
        slots = Self.allocate(capacity)
        mask = capacity - 1
        for (number, hash) in hashes.enumerated() {
            var position = Int(truncatingIfNeeded: hash) & mask
            while slots[position].number != 0 { position = (position &+ 1) & mask }
            slots[position] = Slot(hash: UInt32(truncatingIfNeeded: hash &>> 32), number: UInt32(number + 1))
        }
    }

    /// Maps the numbers of `other`'s strings to this table's, adding those it lacks.
    func absorb(_ other: StringTable) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: other.count) { target, filled in
            for index in 0..<other.count {
                let string = other.string(index)
                guard let base = string.baseAddress else { continue }
                target.initializeElement(at: index, to: number(base, string.count, hash: other.hashes[index]))
            }
            filled = other.count
        }
    }
}

/// A word that a set can hold: its bits say where.
protocol SetWord: BitwiseCopyable, Equatable {
    static var zero: Self { get }
    /// Evenly spread bits.
    var place: Int { get }
}

/// A number that is not evenly spread.
struct PlainWord: SetWord {
    var bits: UInt64
    static var zero: PlainWord { PlainWord(bits: 0) }
    @inline(__always) var place: Int { Int(truncatingIfNeeded: hashWord(bits)) }
}

/// A hash of 64 bits.
struct HashedWord: SetWord {
    var bits: UInt64
    static var zero: HashedWord { HashedWord(bits: 0) }
    @inline(__always) var place: Int { Int(truncatingIfNeeded: bits) }
}

/// A hash of 128 bits.
struct HashedPair: SetWord {
    var low: UInt64
    var high: UInt64
    static var zero: HashedPair { HashedPair(low: 0, high: 0) }
    @inline(__always) var place: Int { Int(truncatingIfNeeded: low) }
}

/// A set of words for one group: nothing until the first, then open addressing that doubles. Zero is kept apart.
struct WordSet<Word: SetWord> {
    private var slots: UnsafeMutablePointer<Word>?
    private var mask = 0
    private var used = 0
    private var hasZero = false

    @inline(__always) var count: Int { used &+ (hasZero ? 1 : 0) }
    var memoryBytes: Int { slots == nil ? 0 : (mask + 1) * MemoryLayout<Word>.stride }

    func release() { free(slots) }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Word> {
        guard let memory = calloc(capacity, MemoryLayout<Word>.stride) else {
            preconditionFailure("BUG: out of memory below the query's own limit")
        }
        return memory.bindMemory(to: Word.self, capacity: capacity)
    }

    /// Adds a word.
    @inline(__always)
    mutating func insert(_ word: Word) {
        if word == .zero {
            hasZero = true
            return
        }
        if slots == nil { grow() }
        guard let slots else { return }
        var position = word.place & mask
        while true {
            let there = slots[position]
            if there == word { return }
            if there == .zero { break }
            position = (position &+ 1) & mask
        }
        slots[position] = word
        used &+= 1
        if used &* 2 > mask { grow() }
    }

    @inline(never)
    private mutating func grow() {
        let old = slots
        let oldCapacity = old == nil ? 0 : mask + 1
        let capacity = old == nil ? 8 : (mask + 1) * (mask < 1 << 20 ? 4 : 2)
        let fresh = Self.allocate(capacity)
        mask = capacity - 1
        for index in 0..<oldCapacity {
            guard let word = old?[index], word != .zero else { continue }
            var position = word.place & mask
            while fresh[position] != .zero { position = (position &+ 1) & mask }
            fresh[position] = word
        }
        slots = fresh
        free(old)
    }

    /// Makes room for so many words in all.
    mutating func reserve(_ words: Int) { while words &* 2 > mask { grow() } }

    /// Adds all words of `other`.
    mutating func formUnion(_ other: WordSet) {
        if other.hasZero { hasZero = true }
        guard let words = other.slots else { return }
        for index in 0...other.mask where words[index] != .zero { insert(words[index]) }
    }

    /// Calls `body` with the words, in no particular order.
    func visit(_ body: (Word) -> Void) {
        if hasZero { body(.zero) }
        guard let slots else { return }
        for index in 0...mask where slots[index] != .zero { body(slots[index]) }
    }

    mutating func removeAll() {
        free(slots)
        self = WordSet()
    }
}

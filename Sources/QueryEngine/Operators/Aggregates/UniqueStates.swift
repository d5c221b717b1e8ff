import Columnar

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `uniq`: exact for few values, then HyperLogLog with 2^15 registers (standard error 0.6 %).
final class UniqueState: AggregateState {
    /// Up to so many distinct values the hashes themselves are kept.
    private static let exactLimit = 4096

    /// One group: the hashes, or the registers once they are many.
    private struct Sketch {
        var hashes = WordSet<HashedWord>()
        var registers: UnsafeMutablePointer<UInt8>?

        @inline(__always)
        mutating func add(_ hash: UInt64) {
            if let registers {
                HyperLogLog.add(hash, registers)
                return
            }
            hashes.insert(HashedWord(bits: hash))
            if hashes.count > UniqueState.exactLimit { convert() }
        }

        @inline(never)
        mutating func convert() {
            let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: HyperLogLog.size)
            fresh.initialize(repeating: 0, count: HyperLogLog.size)
            hashes.visit { HyperLogLog.add($0.bits, fresh) }
            hashes.removeAll()
            registers = fresh
        }

        mutating func merge(_ other: Sketch) {
            guard let theirs = other.registers else {
                var mine = self
                other.hashes.visit { mine.add($0.bits) }
                self = mine
                return
            }
            if registers == nil { convert() }
            guard let registers else { return }
            for index in 0..<HyperLogLog.size { registers[index] = max(registers[index], theirs[index]) }
        }

        var estimate: UInt64 {
            registers.map { HyperLogLog.estimate(UnsafeBufferPointer(start: $0, count: HyperLogLog.size)) }
                ?? UInt64(hashes.count)
        }

        var memoryBytes: Int { registers == nil ? hashes.memoryBytes : HyperLogLog.size }

        func release() {
            hashes.release()
            registers?.deallocate()
        }
    }

    private var sketches: [Sketch] = []
    private let hasher = ValueHasher()

    deinit { for sketch in sketches { sketch.release() } }

    var memoryBytes: Int { sketches.reduce(0) { $0 + $1.memoryBytes + MemoryLayout<Sketch>.stride } }
    func grow(to groups: Int) { growArray(&sketches, to: groups, Sketch()) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        guard let groups else {
            _ = updateRuns(arguments, runs: [GroupRun(group: 0, start: 0, end: rowCount)], rowCount: rowCount)
            return
        }
        let hashes = hasher.hashes(arguments, rowCount: rowCount)
        sketches.withUnsafeMutableBufferPointer { sketches in
            hashes.withUnsafeBufferPointer { hashes in
                for row in 0..<rowCount { sketches[Int(groups[row])].add(hashes[row]) }
            }
        }
    }

    func updateRuns(_ arguments: [Column], runs: [GroupRun], rowCount: Int) -> Bool {
        let hashes = hasher.hashes(arguments, rowCount: rowCount)
        hashes.withUnsafeBufferPointer { hashes in
            for run in runs {
                var sketch = sketches[run.group]
                for row in run.start..<run.end { sketch.add(hashes[row]) }
                sketches[run.group] = sketch
            }
        }
        return true
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? UniqueState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() { sketches[Int(target)].merge(other.sketches[group]) }
    }

    func finish() -> Column { Column(type: .uint64, data: .uint64(sketches.map(\.estimate))) }
}

/// Hashes arguments; those of a dictionary's values are kept from granule to granule.
final class ValueHasher {
    private let salt: UInt64
    private var known: [(dictionary: ValueDictionary, hashes: [UInt64])] = []

    init(salt: UInt64 = 0x5895_89fb_c9e5_73a1) { self.salt = salt }

    func hashes(_ arguments: [Column], rowCount: Int) -> [UInt64] {
        guard let first = arguments.first else { return [UInt64](repeating: 0, count: rowCount) }
        var result = hashes(first)
        for argument in arguments.dropFirst() {
            let own = hashes(argument)
            for row in 0..<rowCount { result[row] = mixWords(result[row] ^ 0x8ebc_6af0_9c88_c6e3, own[row] | 1) }
        }
        return result
    }

    private func hashes(_ column: Column) -> [UInt64] {
        guard case .dictionary(let encoded) = column.data else { return hashValues(column, salt: salt) }
        if let entry = known.last(where: { $0.dictionary === encoded.dictionary }) {
            return gatherWords(entry.hashes, encoded.codes)
        }
        let hashes = hashValues(encoded.dictionary.values, salt: salt)
        if known.count >= 16 { known.removeFirst() }
        known.append((encoded.dictionary, hashes))
        return gatherWords(hashes, encoded.codes)
    }
}

/// The HyperLogLog sketch: 2^15 registers of one byte.
enum HyperLogLog {
    static let bits = 15
    static let size = 1 << bits

    @inline(__always)
    static func add(_ hash: UInt64, _ registers: UnsafeMutablePointer<UInt8>) {
        let index = Int(hash &>> UInt64(64 - bits))
        // A one behind the used bits bounds the rank.
        let rest = hash &<< UInt64(bits) | 1 &<< UInt64(bits - 1)
        let rank = UInt8(truncatingIfNeeded: rest.leadingZeroBitCount + 1)
        if rank > registers[index] { registers[index] = rank }
    }

    /// Ertl's estimator (2017), which needs no bias tables: good from few values to very many.
    static func estimate(_ registers: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let ranks = 64 - bits
        var counts = [Double](repeating: 0, count: ranks + 2)
        for register in registers { counts[Int(register)] += 1 }
        let m = Double(size)
        var z = m * tau(1 - counts[ranks + 1] / m)
        for rank in stride(from: ranks, through: 1, by: -1) { z = 0.5 * (z + counts[rank]) }
        z += m * sigma(counts[0] / m)
        return UInt64((m * m / (2 * log(2.0)) / z).rounded())
    }

    private static func sigma(_ start: Double) -> Double {
        if start == 1 { return .infinity }
        var x = start
        var y = 1.0
        var z = x
        while true {
            x *= x
            let before = z
            z += x * y
            y += y
            if z == before { return z }
        }
    }

    private static func tau(_ start: Double) -> Double {
        if start == 0 || start == 1 { return 0 }
        var x = start
        var y = 1.0
        var z = 1 - x
        while true {
            x = x.squareRoot()
            let before = z
            y *= 0.5
            z -= (1 - x) * (1 - x) * y
            if z == before { return z / 3 }
        }
    }
}

/// The sets of `uniqExact`, one a group.
private struct GroupSets<Word: SetWord> {
    private var sets: [WordSet<Word>] = []

    var memoryBytes: Int { sets.reduce(0) { $0 + $1.memoryBytes + MemoryLayout<WordSet<Word>>.stride } }
    var counts: [UInt64] { sets.map { UInt64($0.count) } }
    mutating func grow(to groups: Int) { growArray(&sets, to: groups, WordSet()) }
    func release() { for set in sets { set.release() } }

    @inline(__always)
    mutating func add(_ groups: UnsafePointer<UInt32>?, _ rowCount: Int, _ word: (Int) -> Word) {
        guard let groups else {
            var set = sets[0]
            for row in 0..<rowCount { set.insert(word(row)) }
            sets[0] = set
            return
        }
        sets.withUnsafeMutableBufferPointer { sets in
            for row in 0..<rowCount { sets[Int(groups[row])].insert(word(row)) }
        }
    }

    /// Takes over the other's sets; a smaller one goes into a larger.
    mutating func merge(_ other: inout GroupSets, _ mapping: [UInt32]) {
        for (group, target) in mapping.enumerated() {
            let target = Int(target)
            if sets[target].count < other.sets[group].count { swap(&sets[target], &other.sets[group]) }
            sets[target].formUnion(other.sets[group])
        }
    }
}

/// `uniqExact` of numbers: the numbers themselves.
private final class UniqueNumbersState: AggregateState {
    private var sets = GroupSets<PlainWord>()

    deinit { sets.release() }
    var memoryBytes: Int { sets.memoryBytes }
    func grow(to groups: Int) { sets.grow(to: groups) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        exactWords(arguments[0]).withUnsafeBufferPointer { words in
            sets.add(groups, rowCount) { PlainWord(bits: words[$0]) }
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? UniqueNumbersState else {
            preconditionFailure("BUG: states of two functions merged")
        }
        sets.merge(&other.sets, mapping)
    }

    func finish() -> Column { Column(type: .uint64, data: .uint64(sets.counts)) }
}

/// `uniqExact` of all else: 128 bits of hash, as ClickHouse does.
private final class UniqueHashesState: AggregateState {
    private var sets = GroupSets<HashedPair>()
    private let low = ValueHasher()
    private let high = ValueHasher(salt: 0x1d8e_4e27_c47d_124f)

    deinit { sets.release() }
    var memoryBytes: Int { sets.memoryBytes }
    func grow(to groups: Int) { sets.grow(to: groups) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let lows = low.hashes(arguments, rowCount: rowCount)
        let highs = high.hashes(arguments, rowCount: rowCount)
        lows.withUnsafeBufferPointer { lows in
            highs.withUnsafeBufferPointer { highs in
                sets.add(groups, rowCount) { HashedPair(low: lows[$0], high: highs[$0]) }
            }
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? UniqueHashesState else {
            preconditionFailure("BUG: states of two functions merged")
        }
        sets.merge(&other.sets, mapping)
    }

    func finish() -> Column { Column(type: .uint64, data: .uint64(sets.counts)) }
}

/// `uniqExact` for these argument types.
func makeUniqueExactState(_ types: [DataType]) -> any AggregateState {
    types.count == 1 && types[0].physical.isWord ? UniqueNumbersState() : UniqueHashesState()
}

extension PhysicalType {
    /// Whether a value is a number of at most 64 bits.
    var isWord: Bool {
        switch self {
        case .uint128, .string, .array, .map, .tuple: false
        default: true
        }
    }
}

private func exactWords(_ column: Column) -> [UInt64] {
    struct Words: NumberVisitor {
        func visit<Value: AggregateNumber>(_ values: [Value]) -> [UInt64] { values.map(\.asWord) }
    }
    let flat = column.flattened()
    switch flat.data {
    case .float32(let values): return values.map { UInt64($0.bitPattern) }
    case .float64(let values): return values.map(\.bitPattern)
    default:
        var visitor = Words()
        guard let words = flat.visitNumbers(&visitor) else { preconditionFailure("BUG: a number expected") }
        return words
    }
}

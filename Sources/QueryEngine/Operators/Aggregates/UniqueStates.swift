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

    private var sets: [WordSet<UInt64>] = []
    private var registers: [[UInt8]] = []
    private var registerBytes = 0
    private let hasher: ValueHasher

    init() { hasher = ValueHasher() }
    deinit { for set in sets { set.release() } }

    var memoryBytes: Int { sets.reduce(0) { $0 + $1.memoryBytes + 40 } + registerBytes }

    func grow(to groups: Int) {
        growArray(&sets, to: groups, WordSet())
        growArray(&registers, to: groups, [])
    }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let hashes = hasher.hashes(arguments, rowCount: rowCount)
        if groups == nil && !registers[0].isEmpty {
            registers[0].withUnsafeMutableBufferPointer { registers in
                for hash in hashes { HyperLogLog.add(hash, registers) }
            }
            return
        }
        for row in 0..<rowCount { add(hashes[row], group: groups.map { Int($0[row]) } ?? 0) }
    }

    @inline(__always)
    private func add(_ hash: UInt64, group: Int) {
        if registers[group].isEmpty {
            sets[group].insert(hash, isHashed: true)
            if sets[group].count > Self.exactLimit { convert(group) }
        } else {
            registers[group].withUnsafeMutableBufferPointer { HyperLogLog.add(hash, $0) }
        }
    }

    private func convert(_ group: Int) {
        var fresh = [UInt8](repeating: 0, count: HyperLogLog.size)
        fresh.withUnsafeMutableBufferPointer { buffer in sets[group].visit { HyperLogLog.add($0, buffer) } }
        registers[group] = fresh
        registerBytes += fresh.count
        sets[group].removeAll()
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? UniqueState else { preconditionFailure("BUG: states of two functions merged") }
        for (group, target) in mapping.enumerated() {
            let target = Int(target)
            if other.registers[group].isEmpty {
                other.sets[group].visit { add($0, group: target) }
                continue
            }
            if registers[target].isEmpty { convert(target) }
            for index in 0..<HyperLogLog.size {
                registers[target][index] = max(registers[target][index], other.registers[group][index])
            }
        }
    }

    func finish() -> Column {
        let counts = registers.indices.map { group in
            registers[group].isEmpty ? UInt64(sets[group].count) : HyperLogLog.estimate(registers[group])
        }
        return Column(type: .uint64, data: .uint64(counts))
    }
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
    static func add(_ hash: UInt64, _ registers: UnsafeMutableBufferPointer<UInt8>) {
        let index = Int(hash &>> UInt64(64 - bits))
        // A one behind the used bits bounds the rank.
        let rest = hash &<< UInt64(bits) | 1 &<< UInt64(bits - 1)
        let rank = UInt8(truncatingIfNeeded: rest.leadingZeroBitCount + 1)
        if rank > registers[index] { registers[index] = rank }
    }

    /// Ertl's estimator (2017), which needs no bias tables: good from few values to very many.
    static func estimate(_ registers: [UInt8]) -> UInt64 {
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

/// `uniqExact`: integers as they are, all else by 128 bits of hash, as ClickHouse does.
final class UniqueExactState<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>: AggregateState {
    private var sets: [WordSet<Word>] = []
    private let words: (_ arguments: [Column], _ rowCount: Int) -> [Word]
    private let isHashed: Bool

    init(isHashed: Bool, words: @escaping (_ arguments: [Column], _ rowCount: Int) -> [Word]) {
        self.isHashed = isHashed
        self.words = words
    }

    deinit { for set in sets { set.release() } }

    var memoryBytes: Int { sets.reduce(0) { $0 + $1.memoryBytes + 40 } }
    func grow(to groups: Int) { growArray(&sets, to: groups, WordSet()) }

    func update(_ arguments: [Column], groups: UnsafePointer<UInt32>?, rowCount: Int) {
        let words = words(arguments, rowCount)
        guard let groups else {
            var set = sets[0]
            words.withUnsafeBufferPointer { words in
                for row in 0..<words.count { set.insert(words[row], isHashed: isHashed) }
            }
            sets[0] = set
            return
        }
        sets.withUnsafeMutableBufferPointer { sets in
            words.withUnsafeBufferPointer { words in
                for row in 0..<words.count { sets[Int(groups[row])].insert(words[row], isHashed: isHashed) }
            }
        }
    }

    func merge(_ other: any AggregateState, mapping: [UInt32]) {
        guard let other = other as? UniqueExactState<Word> else {
            preconditionFailure("BUG: states of two functions merged")
        }
        for (group, target) in mapping.enumerated() {
            let target = Int(target)
            if sets[target].count < other.sets[group].count {
                // The smaller set goes into the larger.
                swapSets(target, other, group)
            }
            sets[target].formUnion(other.sets[group], isHashed: isHashed)
        }
    }

    private func swapSets(_ target: Int, _ other: UniqueExactState<Word>, _ group: Int) {
        let mine = sets[target]
        sets[target] = other.sets[group]
        other.sets[group] = mine
    }

    func finish() -> Column { Column(type: .uint64, data: .uint64(sets.map { UInt64($0.count) })) }
}

/// `uniqExact` for these argument types.
func makeUniqueExactState(_ types: [DataType]) -> any AggregateState {
    if types.count == 1, let type = types.first, type.physical.isWord {
        return UniqueExactState<UInt64>(isHashed: false) { arguments, _ in exactWords(arguments[0]) }
    }
    let low = ValueHasher()
    let high = ValueHasher(salt: 0x1d8e_4e27_c47d_124f)
    return UniqueExactState<UInt128>(isHashed: true) { arguments, rowCount in
        let lows = low.hashes(arguments, rowCount: rowCount)
        let highs = high.hashes(arguments, rowCount: rowCount)
        return (0..<rowCount).map { UInt128(highs[$0]) << 64 | UInt128(lows[$0]) }
    }
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

import Columnar

/// Numbers the distinct combinations of key columns 0, 1, 2 …: the hash table of GROUP BY, DISTINCT and LIMIT BY.
///
/// Strings become numbers first (once a dictionary value where there is a dictionary), so that most keys pack into
/// one or two machine words; what does not is written out as bytes.
final class GroupKeys {
    private enum Shape {
        /// One string key: its number is the group's.
        case string
        /// All keys packed into 64 bits.
        case word
        /// All keys packed into 128 bits.
        case wide
        /// Keys written out as bytes.
        case bytes
    }

    let types: [DataType]
    private let shape: Shape
    private let widths: [Int]
    private var encoders: [KeyEncoder]
    private let words = KeyTable<UInt64>()
    private let wides = KeyTable<UInt128>()
    private let strings = StringTable()
    /// For the shapes `string` and `bytes`: the values by group, kept for what cannot be read back from bytes.
    private var kept: [[Scalar]] = []
    /// For up to `directBits` bits of key: the group's number plus one by key.
    private var direct: [UInt32] = []
    private static let directBits = 16

    /// Keys of these types; LowCardinality and Nullable count as what they wrap plus NULL.
    init(types: [DataType]) {
        self.types = types
        encoders = types.map { KeyEncoder($0) }
        widths = encoders.map(\.bits)
        let total = widths.reduce(0, +)
        if encoders.contains(where: { $0.bits == 0 }) {
            shape = .bytes
        } else if types.count == 1 && types[0].physical == .string && !types[0].isNullable {
            shape = .string
        } else {
            shape = total <= 64 ? .word : total <= 128 ? .wide : .bytes
        }
        if shape == .word && total <= Self.directBits { direct = [UInt32](repeating: 0, count: 1 << total) }
    }

    /// The number of groups.
    var count: Int {
        switch shape {
        case .string: encoders[0].strings.count
        case .word: words.count
        case .wide: wides.count
        case .bytes: kept.count
        }
    }

    var memoryBytes: Int {
        words.memoryBytes + wides.memoryBytes + strings.memoryBytes
            + encoders.reduce(0) { $0 + $1.strings.memoryBytes } + kept.count * (64 + 48 * types.count)
            + direct.count * 4
    }

    /// The group of each row.
    func map(_ columns: [Column], rowCount: Int) -> [UInt32] {
        switch shape {
        case .string: return encoders[0].stringNumbers(columns[0])
        case .word: return mapWords(columns, rowCount)
        case .wide: return mapWides(columns, rowCount)
        case .bytes: return mapBytes(columns, rowCount)
        }
    }

    private func mapWords(_ columns: [Column], _ rowCount: Int) -> [UInt32] {
        var packed = encoders[0].words(columns[0])
        var shift = widths[0]
        for index in 1..<max(1, columns.count) {
            encoders[index].addWords(columns[index], shift: shift, to: &packed)
            shift += widths[index]
        }
        return direct.isEmpty ? mapHashed(packed, words) : mapDirect(packed)
    }

    private func mapDirect(_ packed: [UInt64]) -> [UInt32] {
        let words = words
        return direct.withUnsafeMutableBufferPointer { direct in
            packed.withUnsafeBufferPointer { packed in
                [UInt32](unsafeUninitializedCapacity: packed.count) { target, filled in
                    for row in 0..<packed.count {
                        let key = Int(truncatingIfNeeded: packed[row])
                        var number = direct[key]
                        if number == 0 {
                            number = words.number(packed[row]) + 1
                            direct[key] = number
                        }
                        target.initializeElement(at: row, to: number &- 1)
                    }
                    filled = packed.count
                }
            }
        }
    }

    private func mapWides(_ columns: [Column], _ rowCount: Int) -> [UInt32] {
        var packed = [UInt128](repeating: 0, count: rowCount)
        var shift = 0
        for index in columns.indices {
            encoders[index].addWides(columns[index], shift: shift, to: &packed)
            shift += widths[index]
        }
        return mapHashed(packed, wides)
    }

    private func mapHashed<Key>(_ packed: [Key], _ table: KeyTable<Key>) -> [UInt32] {
        packed.withUnsafeBufferPointer { packed in
            [UInt32](unsafeUninitializedCapacity: packed.count) { target, filled in
                // Neighbours are often equal: time buckets of sorted rows, runs of one service.
                var last: Key = 0
                var number: UInt32 = 0
                if packed.count > 0 {
                    last = packed[0]
                    number = table.number(last)
                }
                for row in 0..<packed.count {
                    let key = packed[row]
                    if key != last {
                        last = key
                        number = table.number(key)
                    }
                    target.initializeElement(at: row, to: number)
                }
                filled = packed.count
            }
        }
    }

    private func mapBytes(_ columns: [Column], _ rowCount: Int) -> [UInt32] {
        var groups: [UInt32] = []
        groups.reserveCapacity(rowCount)
        var bytes: [UInt8] = []
        for row in 0..<rowCount {
            bytes.removeAll(keepingCapacity: true)
            let values = columns.map { $0.scalar(at: row) }
            groups.append(number(of: values, &bytes))
        }
        return groups
    }

    private func number(of values: [Scalar], _ bytes: inout [UInt8]) -> UInt32 {
        for value in values { appendKey(value, to: &bytes) }
        let number = bytes.withUnsafeBytes { buffer -> UInt32 in
            // Zero keys write no bytes at all; their one group still needs an address.
            guard let base = buffer.baseAddress else { return 0 }
            return strings.number(base, buffer.count)
        }
        if Int(number) == kept.count { kept.append(values) }
        return number
    }

    /// The group numbers here of `other`'s groups, adding those that are new.
    func absorb(_ other: GroupKeys) -> [UInt32] {
        switch shape {
        case .string: return encoders[0].strings.absorb(other.encoders[0].strings)
        case .word:
            let maps = stringMaps(other)
            return other.words.keys.map { words.number(UInt64(truncatingIfNeeded: remapped(UInt128($0), maps))) }
        case .wide:
            let maps = stringMaps(other)
            return other.wides.keys.map { wides.number(remapped($0, maps)) }
        case .bytes:
            var bytes: [UInt8] = []
            return other.kept.map { values in
                bytes.removeAll(keepingCapacity: true)
                return number(of: values, &bytes)
            }
        }
    }

    private func stringMaps(_ other: GroupKeys) -> [[UInt32]?] {
        encoders.indices.map { index in
            encoders[index].isString ? encoders[index].strings.absorb(other.encoders[index].strings) : nil
        }
    }

    private func remapped(_ key: UInt128, _ maps: [[UInt32]?]) -> UInt128 {
        var result = key
        var shift = 0
        for (index, map) in maps.enumerated() {
            if let map {
                let field = UInt128(UInt32.max) << UInt128(shift)
                let isNull = types[index].isNullable && (key >> UInt128(shift + 32)) & 1 == 1
                if !isNull {
                    let number = Int(truncatingIfNeeded: (key & field) >> UInt128(shift))
                    result = (result & ~field) | UInt128(map[number]) << UInt128(shift)
                }
            }
            shift += widths[index]
        }
        return result
    }

    /// The key columns, one row a group, of the groups in `range`.
    func columns() -> [Column] {
        switch shape {
        case .string: return [encoders[0].column(numbers: (0..<UInt32(count)).map { $0 }, nulls: nil)]
        case .bytes:
            return types.indices.map { index in Column(type: types[index], scalars: kept.map { $0[index] }) }
        case .word: return unpacked(words.keys)
        case .wide: return unpacked(wides.keys)
        }
    }

    private func unpacked<Key: FixedWidthInteger>(_ keys: [Key]) -> [Column] {
        var shift = 0
        return types.indices.map { index in
            defer { shift += widths[index] }
            let field = keys.map { $0 &>> Key(truncatingIfNeeded: shift) }
            return encoders[index].column(field)
        }
    }
}

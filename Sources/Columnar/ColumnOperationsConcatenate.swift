// Columns put end to end, all of one physical type.

extension ColumnData {
    /// The flat `parts` end to end. A part whose case is not `physical` is a bug of the caller.
    static func concatenated(_ parts: [ColumnData], physical: PhysicalType) -> ColumnData {
        switch physical {
        case .int8: .int8(joined(parts) { if case .int8(let values) = $0 { values } else { nil } })
        case .int16: .int16(joined(parts) { if case .int16(let values) = $0 { values } else { nil } })
        case .int32: .int32(joined(parts) { if case .int32(let values) = $0 { values } else { nil } })
        case .int64: .int64(joined(parts) { if case .int64(let values) = $0 { values } else { nil } })
        case .uint8: .uint8(joined(parts) { if case .uint8(let values) = $0 { values } else { nil } })
        case .uint16: .uint16(joined(parts) { if case .uint16(let values) = $0 { values } else { nil } })
        case .uint32: .uint32(joined(parts) { if case .uint32(let values) = $0 { values } else { nil } })
        case .uint64: .uint64(joined(parts) { if case .uint64(let values) = $0 { values } else { nil } })
        case .uint128: .uint128(joined(parts) { if case .uint128(let values) = $0 { values } else { nil } })
        case .float32: .float32(joined(parts) { if case .float32(let values) = $0 { values } else { nil } })
        case .float64: .float64(joined(parts) { if case .float64(let values) = $0 { values } else { nil } })
        case .string: .string(joinedStrings(parts))
        case .array: .array(joinedArrays(parts))
        case .map: .map(joinedMaps(parts))
        case .tuple: .tuple(joinedTuples(parts))
        }
    }

    private static func joined<Value>(_ parts: [ColumnData], _ values: (ColumnData) -> [Value]?) -> [Value] {
        var result: [Value] = []
        result.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for part in parts {
            guard let own = values(part) else {
                preconditionFailure("BUG: columns of different physical types put together")
            }
            result += own
        }
        return result
    }

    private static func joinedStrings(_ parts: [ColumnData]) -> StringData {
        let strings = parts.map { part -> StringData in
            guard case .string(let values) = part else { preconditionFailure("BUG: a string column expected") }
            return values
        }
        // Room for all at once: memory parts are made of such arrays, and growing would leave half of them empty.
        var result = StringData()
        result.bytes.reserveCapacity(strings.reduce(0) { $0 + Int($1.offsets[$1.count]) })
        result.offsets.reserveCapacity(strings.reduce(1) { $0 + $1.count })
        for values in strings { result.append(contentsOf: values) }
        return result
    }

    private static func joinedOffsets(_ parts: [[UInt32]]) -> [UInt32] {
        var result: [UInt32] = [0]
        for offsets in parts {
            let base = result[result.count - 1]
            result += offsets.dropFirst().map { base + $0 }
        }
        return result
    }

    private static func joinedArrays(_ parts: [ColumnData]) -> ArrayData {
        let arrays = parts.map { part -> ArrayData in
            guard case .array(let values) = part else { preconditionFailure("BUG: an array column expected") }
            return values
        }
        guard let type = (arrays.first { $0.elements.count > 0 } ?? arrays.first)?.elements.type else {
            return ArrayData(offsets: [0], elements: Column(type: .nothing, data: .uint8([])))
        }
        let used = arrays.map { $0.elements.slice(0..<Int($0.offsets[$0.count])) }.filter { $0.count > 0 }
        let elements = used.isEmpty ? Column.defaults(type: type, count: 0) : Column.concatenate(used, type: type)
        return ArrayData(offsets: joinedOffsets(arrays.map(\.offsets)), elements: elements)
    }

    private static func joinedMaps(_ parts: [ColumnData]) -> MapData {
        let maps = parts.map { part -> MapData in
            guard case .map(let values) = part else { preconditionFailure("BUG: a map column expected") }
            return values
        }
        guard let first = maps.first else {
            let none = Column(type: .nothing, data: .uint8([]))
            return MapData(offsets: [0], keys: none, values: none)
        }
        let keys = maps.map { $0.keys.slice(0..<Int($0.offsets[$0.count])) }
        let values = maps.map { $0.values.slice(0..<Int($0.offsets[$0.count])) }
        return MapData(
            offsets: joinedOffsets(maps.map(\.offsets)),
            keys: Column.concatenate(keys, type: first.keys.type),
            values: Column.concatenate(values, type: first.values.type))
    }

    private static func joinedTuples(_ parts: [ColumnData]) -> [Column] {
        let rows = parts.map { part -> [Column] in
            guard case .tuple(let fields) = part else { preconditionFailure("BUG: a tuple column expected") }
            return fields
        }
        guard let first = rows.first else { return [] }
        return first.indices.map { index in Column.concatenate(rows.map { $0[index] }, type: first[index].type) }
    }
}

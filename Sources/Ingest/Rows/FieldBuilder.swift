import Columnar

/// One column in the making: values are added row by row, rows without one are filled in afterwards.
///
/// The buffers are raw memory, kept from block to block, so that adding a value neither allocates nor counts
/// references. `rows` is how many rows are filled; a value for a later row first fills the gap with NULL or the
/// type's default.
struct FieldBuilder: ~Copyable {
    let name: String
    private(set) var type: DataType
    private(set) var kind: FieldKind
    let isNullable: Bool
    /// Rows filled so far.
    private(set) var rows = 0
    /// Rows that hold a value that came, NULLs and fillings left out.
    private(set) var valueCount = 0
    /// DateTime64: ticks a second.
    let ticksPerSecond: Int64
    /// DateTime and DateTime64: the zone that texts without one are in.
    let zone: TimeZone
    let isUTC: Bool
    /// Enums: the first case's value, which stands where no value is.
    let defaultInteger: Int64
    /// Arrays: the elements. Maps: the keys and the values.
    let children: UnsafeMutablePointer<FieldBuilder>?

    /// What a row without a value gets instead of NULL or the type's default: a literal after DEFAULT.
    var defaultValue: Scalar?

    private var capacity = 0
    private var values: UnsafeMutableRawPointer?
    private var nulls: UnsafeMutablePointer<UInt8>?
    private var bytes: UnsafeMutablePointer<UInt8>?
    private(set) var bytesUsed = 0
    private var bytesCapacity = 0

    /// Creates an empty builder for a type that `FieldKind.builds`.
    init(name: String, type: DataType) {
        guard let kind = FieldKind(type) else { preconditionFailure("BUG: a field of type \(type.name)") }
        self.name = name
        self.type = type
        self.kind = kind
        isNullable = type.isNullable
        var ticks: Int64 = 1
        var defaultInteger: Int64 = 0
        var children: UnsafeMutablePointer<FieldBuilder>?
        var zoneName: String?
        switch type.base {
        case .dateTime64(let precision, let name):
            ticks = Civil.powerOfTen(precision)
            zoneName = name
        case .dateTime(let name): zoneName = name
        case .enum8(let cases), .enum16(let cases): defaultInteger = Int64(cases.first?.value ?? 0)
        case .array(let element):
            children = .allocate(capacity: 1)
            children?.initialize(to: FieldBuilder(name: name, type: element))
        case .map(let key, let value):
            children = .allocate(capacity: 2)
            children?.initialize(to: FieldBuilder(name: name, type: key))
            (children.map { $0 + 1 })?.initialize(to: FieldBuilder(name: name, type: value))
        default: break
        }
        ticksPerSecond = ticks
        zone = zoneName.flatMap { TimeZone.named($0) } ?? .utc
        isUTC = zone == .utc
        self.defaultInteger = defaultInteger
        self.children = children
    }

    deinit {
        values?.deallocate()
        nulls?.deallocate()
        bytes?.deallocate()
        if let children {
            children.deinitialize(count: kind == .map ? 2 : 1)
            children.deallocate()
        }
    }
}

// MARK: - Rows

extension FieldBuilder {
    /// Makes ready to add row `row`: fills the gap before it, takes back a value it already has (a name that comes
    /// twice in an object: the last one counts).
    @inline(__always)
    mutating func begin(_ row: Int) {
        if rows != row { settle(row) }
        if row >= capacity { grow(row) }
    }

    @inline(never)
    private mutating func settle(_ row: Int) {
        if rows > row { truncate(row) } else { fill(row) }
    }

    private mutating func grow(_ row: Int) {
        let larger = max(64, (row + 1) * 2)
        let width = kind.width
        let grown = UnsafeMutableRawPointer.allocate(byteCount: larger * width, alignment: 16)
        if let values {
            grown.copyMemory(from: values, byteCount: rows * width)
            values.deallocate()
        }
        values = grown
        if let nulls {
            let grownNulls = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
            grownNulls.update(from: nulls, count: rows)
            nulls.deallocate()
            self.nulls = grownNulls
        }
        capacity = larger
    }

    /// Fills rows up to `row` with the default.
    mutating func fill(_ row: Int) {
        guard row > rows else { return }
        guard let defaultValue else { return fillPlainly(row) }
        for next in rows..<row { putDefault(defaultValue, next) }
    }

    private mutating func putDefault(_ value: Scalar, _ row: Int) {
        switch value {
        case .int(let value): putInteger(value, row)
        case .uint(let value): putInteger(Int64(bitPattern: value), row)
        case .wide(let value): put(value, row)
        case .float(let value): if kind == .float32 { put(Float(value), row) } else { put(value, row) }
        case .string(let bytes):
            bytes.withUnsafeBufferPointer { buffer in
                if let base = buffer.baseAddress { putBytes(base, buffer.count, row) } else { fillPlainly(row + 1) }
            }
        case .null, .array, .map, .tuple: fillPlainly(row + 1)
        }
    }

    /// Fills rows up to `row` with NULL, or zero and empty in a type without.
    private mutating func fillPlainly(_ row: Int) {
        guard row > rows else { return }
        if row > capacity { grow(row - 1) }
        guard let values else { preconditionFailure("BUG: a field of \(rows) rows without memory") }
        let count = row - rows
        if kind.hasEnds {
            let end = rowEnd(rows)
            (values.assumingMemoryBound(to: UInt32.self) + rows).update(repeating: end, count: count)
        } else if defaultInteger != 0 {
            for index in rows..<row { storeInteger(defaultInteger, at: index) }
        } else {
            let width = kind.width
            (values + rows * width).initializeMemory(as: UInt8.self, repeating: 0, count: count * width)
        }
        if isNullable { markNulls(from: rows, count: count) }
        rows = row
    }

    private mutating func markNulls(from row: Int, count: Int) {
        if nulls == nil {
            let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
            fresh.update(repeating: 0, count: row)
            nulls = fresh
        }
        (nulls.map { $0 + row })?.update(repeating: 1, count: count)
    }

    /// Forgets row `row` and all after it.
    mutating func truncate(_ row: Int) {
        guard rows > row else { return }
        if kind.hasEnds {
            let end = Int(rowEnd(row))
            if let children {
                children[0].truncate(end)
                if kind == .map { children[1].truncate(end) }
            } else {
                bytesUsed = end
            }
        }
        // NULLs are few or the rule; either way this is rare.
        for index in row..<rows where nulls == nil || nulls?[index] == 0 { valueCount -= 1 }
        valueCount = max(valueCount, 0)
        rows = row
    }

    /// Forgets all rows and keeps the memory, unless it is more than `maxBytes`.
    mutating func reset(keeping maxBytes: Int) {
        rows = 0
        valueCount = 0
        bytesUsed = 0
        nulls?.deallocate()
        nulls = nil
        if bytesCapacity > maxBytes {
            bytes?.deallocate()
            bytes = nil
            bytesCapacity = 0
        }
        if capacity * kind.width > maxBytes {
            values?.deallocate()
            values = nil
            capacity = 0
        }
        guard let children else { return }
        children[0].reset(keeping: maxBytes)
        if kind == .map { children[1].reset(keeping: maxBytes) }
    }

    /// Bytes of memory held.
    var memoryBytes: Int {
        var total = capacity * (kind.width + (nulls == nil ? 0 : 1)) + bytesCapacity
        if let children {
            total += children[0].memoryBytes
            if kind == .map { total += children[1].memoryBytes }
        }
        return total
    }

    /// Where row `row` ends among the bytes or elements (for row `row` counted from 1; 0 for none).
    @inline(__always)
    func rowEnd(_ row: Int) -> UInt32 {
        guard row > 0, let values else { return 0 }
        return values.assumingMemoryBound(to: UInt32.self)[row &- 1]
    }

    /// Closes the row begun by `begin`.
    @inline(__always)
    private mutating func end(_ row: Int) {
        nulls?[row] = 0
        rows = row &+ 1
        valueCount &+= 1
    }
}

// MARK: - Values

extension FieldBuilder {
    /// Adds a value to row `row`, as the bits its type has in memory. `begin` and the check of the range are done
    /// here or by the caller.
    @inline(__always)
    mutating func put<Value: BitwiseCopyable>(_ value: Value, _ row: Int) {
        begin(row)
        values.unsafelyUnwrapped.assumingMemoryBound(to: Value.self)[row] = value
        end(row)
    }

    /// Adds a NULL, or the default to a type without.
    mutating func putNull(_ row: Int) {
        if rows > row { truncate(row) }
        fill(row)
        if isNullable { fillPlainly(row + 1) } else { fill(row + 1) }
    }

    /// Adds an integer that was found to fit the kind.
    mutating func putInteger(_ value: Int64, _ row: Int) {
        begin(row)
        storeInteger(value, at: row)
        end(row)
    }

    private func storeInteger(_ value: Int64, at row: Int) {
        guard let values else { return }
        switch kind.width {
        case 1: values.assumingMemoryBound(to: UInt8.self)[row] = UInt8(truncatingIfNeeded: value)
        case 2: values.assumingMemoryBound(to: UInt16.self)[row] = UInt16(truncatingIfNeeded: value)
        case 4: values.assumingMemoryBound(to: UInt32.self)[row] = UInt32(truncatingIfNeeded: value)
        default: values.assumingMemoryBound(to: UInt64.self)[row] = UInt64(truncatingIfNeeded: value)
        }
    }

    /// Adds a string as it is. A field's bytes in one block stay below 4 GiB: blocks are cut long before.
    @inline(__always)
    mutating func putBytes(_ source: UnsafePointer<UInt8>, _ count: Int, _ row: Int) {
        begin(row)
        if bytesUsed &+ count >= bytesCapacity { growBytes(count) }
        (bytes.unsafelyUnwrapped + bytesUsed).update(from: source, count: count)
        bytesUsed &+= count
        endBytes(row)
    }

    /// Adds a string with escapes, which `JSONText.scan` has checked.
    mutating func putEscaped(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ row: Int) {
        begin(row)
        if bytesUsed + end - start >= bytesCapacity { growBytes(end - start) }
        bytesUsed += JSONText.unescape(base, start, end, to: bytes.unsafelyUnwrapped + bytesUsed)
        endBytes(row)
    }

    @inline(__always)
    private mutating func endBytes(_ row: Int) {
        values.unsafelyUnwrapped.assumingMemoryBound(to: UInt32.self)[row] = UInt32(truncatingIfNeeded: bytesUsed)
        end(row)
    }

    @inline(never)
    private mutating func growBytes(_ count: Int) {
        let larger = max(1024, (bytesUsed + count) * 2)
        let grown = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        if let bytes {
            grown.update(from: bytes, count: bytesUsed)
            bytes.deallocate()
        }
        bytes = grown
        bytesCapacity = larger
    }

    /// Closes row `row` of an array or map whose elements have been added to `children`.
    mutating func putEnd(_ row: Int) {
        guard let children else { return }
        let elements = children[0].rows
        begin(row)
        values?.assumingMemoryBound(to: UInt32.self)[row] = UInt32(truncatingIfNeeded: elements)
        end(row)
    }

    /// Adds an entry to the map of row `row`, which may have some already. The entry is in `children`.
    mutating func extendMap(_ row: Int) {
        guard let children else { return }
        let elements = UInt32(truncatingIfNeeded: children[0].rows)
        if rows == row + 1 {
            values?.assumingMemoryBound(to: UInt32.self)[row] = elements
            return
        }
        begin(row)
        values?.assumingMemoryBound(to: UInt32.self)[row] = elements
        end(row)
    }

    /// Turns a field of Int64 into one of Float64 (and Array(Int64) likewise), values and all.
    mutating func widen() {
        switch kind {
        case .int64:
            kind = .float64
            type = isNullable ? .nullable(.float64) : .float64
            guard let values else { return }
            let integers = values.assumingMemoryBound(to: Int64.self)
            for row in 0..<rows {
                let value = Double(integers[row])
                values.storeBytes(of: value, toByteOffset: row * 8, as: Double.self)
            }
        case .array:
            guard let children else { return }
            children[0].widen()
            type = .array(children[0].type)
        default: break
        }
    }
}

// MARK: - The finished column

extension FieldBuilder {
    /// The column of the first `count` rows; the builder is to be reset afterwards.
    mutating func finish(_ count: Int) -> Column {
        fill(count)
        let flags = nulls.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
        return Column(type: type, data: data(count), nulls: flags)
    }

    private mutating func data(_ count: Int) -> ColumnData {
        switch type.physical {
        case .int8: .int8(array(count))
        case .int16: .int16(array(count))
        case .int32: .int32(array(count))
        case .int64: .int64(array(count))
        case .uint8: .uint8(array(count))
        case .uint16: .uint16(array(count))
        case .uint32: .uint32(array(count))
        case .uint64: .uint64(array(count))
        case .uint128: .uint128(array(count))
        case .float32: .float32(array(count))
        case .float64: .float64(array(count))
        case .string:
            .string(
                StringData(bytes: Array(UnsafeBufferPointer(start: bytes, count: bytesUsed)), offsets: offsets(count)))
        case .array: .array(ArrayData(offsets: offsets(count), elements: childColumn(0, count)))
        case .map: .map(MapData(offsets: offsets(count), keys: childColumn(0, count), values: childColumn(1, count)))
        case .tuple: preconditionFailure("BUG: a field of tuples")
        }
    }

    private func childColumn(_ index: Int, _ count: Int) -> Column {
        guard let children else { preconditionFailure("BUG: an array or map without elements") }
        return children[index].finish(Int(rowEnd(count)))
    }

    private func array<Value: BitwiseCopyable>(_ count: Int) -> [Value] {
        guard let values, count > 0 else { return [] }
        return Array(UnsafeBufferPointer(start: values.assumingMemoryBound(to: Value.self), count: count))
    }

    private func offsets(_ count: Int) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: count + 1) { buffer, filled in
            buffer.initializeElement(at: 0, to: 0)
            if let values, count > 0, let base = buffer.baseAddress {
                (base + 1).initialize(from: values.assumingMemoryBound(to: UInt32.self), count: count)
            }
            filled = count + 1
        }
    }
}

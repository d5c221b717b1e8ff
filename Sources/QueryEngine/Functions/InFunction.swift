import Columnar

/// `x IN (…)` and `x NOT IN (…)` with a constant set.
struct InFunction: ScalarFunction {
    let isNegated: Bool
    /// The set, once known.
    var values: ConstantSet?

    static let all: [any ScalarFunction] = [InFunction(isNegated: false), InFunction(isNegated: true)]

    var name: String { isNegated ? "notIn" : "in" }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        if values == nil {
            try checkArity(name, arguments.count, 2...2)
            guard arguments[1].constant != nil else {
                throw QueryError(.illegalColumn, "The right side of \(name) must be constants or a subquery")
            }
        }
        return .uint8
    }

    func rewritten(
        _ arguments: [BoundExpression]
    ) throws(QueryError) -> (function: any ScalarFunction, arguments: [BoundExpression])? {
        guard values == nil, arguments.count == 2, let constant = arguments[1].constantValue else { return nil }
        let set = try ConstantSet(of: arguments[0].type.base, constant, arguments[1].type)
        return (InFunction(isNegated: isNegated, values: set), [arguments[0]])
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        guard let values else { preconditionFailure("BUG: a set was not prepared") }
        let mask = values.contains(arguments[0], count: rowCount)
        return Column(type: type, data: .uint8(isNegated ? mapValues(mask) { $0 ^ 1 } : mask))
    }
}

extension FunctionCall {
    /// `expression IN set` (or NOT IN) with the rows of `set` as the set, as a subquery gives them. Values that no
    /// value of the expression's type can equal, and NULLs, are left out.
    public static func isIn(
        _ expression: BoundExpression, _ set: Column, isNegated: Bool, position: Int? = nil
    ) throws(QueryError) -> BoundExpression {
        let base = expression.type.base
        let values = ConstantSet(of: base, (0..<set.count).map { (set.scalar(at: $0), set.type.base) })
        return try make(InFunction(isNegated: isNegated, values: values), arguments: [expression], position: position)
    }
}

/// A set of values of one type, for looking up many rows.
struct ConstantSet: Sendable {
    private enum Kind {
        case integers(IntegerSet)
        case strings(StringSet)
        case scalars(Set<Scalar>)
    }

    private let kind: Kind
    private let type: DataType
    private let precision: Int
    /// The values, as of the left side's type.
    let members: [Scalar]

    /// The set that a constant stands for: a tuple's or array's elements, or the one value.
    init(of type: DataType, _ constant: Scalar, _ constantType: DataType) throws(QueryError) {
        var items: [(Scalar, DataType)] = [(constant, constantType)]
        switch (constant, constantType.base) {
        case (.tuple(let fields), .tuple(let types)):
            // `(1, 'a') IN (1, 'a')` has one tuple at the right, `(1, 'a') IN ((1, 'a'), (2, 'b'))` a list of them.
            let isOne: Bool
            if case .tuple = type, let first = types.first {
                if case .tuple = first.base { isOne = false } else { isOne = true }
            } else {
                isOne = false
            }
            if !isOne { items = Array(zip(fields, types)) }
        case (.array(let elements), .array(let element)):
            if case .array = type, case .array = element.base {} else if case .array = type { break }
            items = elements.map { ($0, element) }
        default: break
        }
        self.init(of: type, items)
    }

    init(of type: DataType, _ items: [(Scalar, DataType)]) {
        self.type = type
        precision = type.tickPrecision
        var values: [Scalar] = []
        for (scalar, source) in items {
            if let value = ConstantSet.convert(scalar, source, to: type) { values.append(value) }
        }
        members = values
        switch type.physical {
        case .string: kind = .strings(StringSet(values))
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64:
            kind = .integers(IntegerSet(values.map { $0.integerBits }))
        default: kind = .scalars(Set(values))
        }
    }

    /// The value as one of `type`; nil when no value of that type equals it.
    static func convert(_ scalar: Scalar, _ source: DataType, to type: DataType) -> Scalar? {
        guard scalar != .null else { return nil }
        if source.base == type { return scalar == .float(-0.0) ? .float(0) : scalar }
        do {
            let one = Column.constant(scalar, type: source, count: 1)
            let converted = try Cast.column(one, to: type)
            // A number that changed on the way (300 as UInt8) equals no value of the type.
            if source.isNumeric || source.isTemporal, type.isNumeric || type.isTemporal {
                guard try compareColumns(.equals, one, converted, count: 1) == [1] else { return nil }
            }
            return converted.scalar(at: 0)
        } catch {
            return nil
        }
    }

    /// One byte a row: 1 where the value is in the set.
    func contains(_ column: Column, count: Int) -> [UInt8] {
        if case .constant(let value, _) = column.data {
            return repeated(contains(value.withType(column.type), count: 1) == [1], count)
        }
        switch kind {
        case .strings(let set): return set.contains(column.strings)
        case .integers(let set):
            switch column.data {
            case .int8(let values): return set.contains(values)
            case .int16(let values): return set.contains(values)
            case .int32(let values): return set.contains(values)
            case .int64(let values): return set.contains(values)
            case .uint8(let values): return set.contains(values)
            case .uint16(let values): return set.contains(values)
            case .uint32(let values): return set.contains(values)
            case .uint64(let values): return set.contains(values)
            default: preconditionFailure("BUG: integers expected")
            }
        case .scalars(let set):
            return (0..<count).map { row in
                let value = column.scalar(at: row)
                return byte(set.contains(value == .float(-0.0) ? .float(0) : value))
            }
        }
    }
}

extension Scalar {
    /// The value's bits, sign-extended to 64.
    var integerBits: UInt64 {
        switch self {
        case .int(let value): UInt64(bitPattern: value)
        case .uint(let value): value
        default: preconditionFailure("BUG: an integer expected")
        }
    }
}

/// A set of integers: compared one by one when few, else by open addressing.
struct IntegerSet: Sendable {
    private let few: [UInt64]
    private let slots: [UInt64]
    private let mask: Int
    /// Slots are empty where they hold this; whether it is itself a member is told apart.
    private static let empty: UInt64 = 0x9E37_79B9_7F4A_7C15
    private let hasEmpty: Bool

    init(_ values: [UInt64]) {
        let distinct = Array(Set(values))
        few = distinct.count <= 8 ? distinct : []
        hasEmpty = distinct.contains(Self.empty)
        var capacity = 16
        while capacity < distinct.count * 2 { capacity *= 2 }
        var slots = [UInt64](repeating: Self.empty, count: distinct.count <= 8 ? 0 : capacity)
        mask = capacity - 1
        if !slots.isEmpty {
            for value in distinct where value != Self.empty {
                var slot = Self.hash(value) & mask
                while slots[slot] != Self.empty { slot = (slot + 1) & mask }
                slots[slot] = value
            }
        }
        self.slots = slots
    }

    @inline(__always)
    private static func hash(_ value: UInt64) -> Int {
        Int(truncatingIfNeeded: (value &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }

    func contains<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(_ values: [Value]) -> [UInt8] {
        if slots.isEmpty {
            var result = [UInt8](repeating: 0, count: values.count)
            for member in few {
                guard let wanted = Self.narrowed(member, to: Value.self) else { continue }
                result = mapPairs(.rows(result), .rows(values), count: values.count) { $0 | byte($1 == wanted) }
            }
            return result
        }
        let mask = mask
        return slots.withUnsafeBufferPointer { slots in
            mapValues(values) { value in
                let bits = UInt64(truncatingIfNeeded: value)
                if bits == Self.empty { return byte(hasEmpty) }
                var slot = Self.hash(bits) & mask
                while slots[slot] != Self.empty {
                    if slots[slot] == bits { return 1 }
                    slot = (slot + 1) & mask
                }
                return 0
            }
        }
    }

    private static func narrowed<Value: FixedWidthInteger>(_ bits: UInt64, to _: Value.Type) -> Value? {
        let value = Value(truncatingIfNeeded: bits)
        return UInt64(truncatingIfNeeded: value) == bits ? value : nil
    }
}

/// A set of byte strings.
struct StringSet: Sendable {
    private let members: StringData
    /// Row of `members` plus one; 0 where empty.
    private let slots: [UInt32]
    private let mask: Int
    private let lengths: Range<Int>

    init(_ values: [Scalar]) {
        var members = StringData()
        for value in Set(values) {
            if case .string(let bytes) = value { members.append(bytes) }
        }
        var capacity = 16
        while capacity < members.count * 2 { capacity *= 2 }
        mask = capacity - 1
        var slots = [UInt32](repeating: 0, count: capacity)
        var shortest = Int.max
        var longest = -1
        let mask = capacity - 1
        members.withRows { rows in
            for row in 0..<rows.count {
                shortest = min(shortest, rows[row].count)
                longest = max(longest, rows[row].count)
                var slot = Self.hash(rows[row]) & mask
                while slots[slot] != 0 { slot = (slot + 1) & mask }
                slots[slot] = UInt32(row + 1)
            }
        }
        self.members = members
        self.slots = slots
        lengths = longest < 0 ? 0..<0 : shortest..<longest + 1
    }

    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash = UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index &+ 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0xFF51_AFD7_ED55_8CCD
            hash ^= hash >> 32
            index &+= 8
        }
        while index < bytes.count {
            hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3
            index &+= 1
        }
        return Int(truncatingIfNeeded: hash ^ (hash >> 29) ^ (hash >> 47))
    }

    func contains(_ strings: StringData) -> [UInt8] {
        let (mask, lengths) = (mask, lengths)
        return members.withRows { members in
            strings.withRows { rows in
                slots.withUnsafeBufferPointer { slots in
                    [UInt8](unsafeUninitializedCapacity: rows.count) { target, filled in
                        filled = rows.count
                        for row in 0..<rows.count {
                            let bytes = rows[row]
                            target[row] = 0
                            guard lengths.contains(bytes.count) else { continue }
                            var slot = Self.hash(bytes) & mask
                            while slots[slot] != 0 {
                                if areEqual(members[Int(slots[slot]) - 1], bytes) {
                                    target[row] = 1
                                    break
                                }
                                slot = (slot + 1) & mask
                            }
                        }
                    }
                }
            }
        }
    }
}

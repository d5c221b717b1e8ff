import Columnar

extension QueryError.Code {
    static let noCommonType = QueryError.Code(386, "NO_COMMON_TYPE")
}

/// The type that holds the values of several, for `if`, `array`, UNION ALL.
public enum CommonType {
    /// The least type that every one of `types` converts to without loss (a 64-bit integer beside a float becomes
    /// Float64). Throws NO_COMMON_TYPE when there is none, as for String beside a number.
    public static func of(_ types: [DataType]) throws(QueryError) -> DataType {
        let isNullable = types.contains { $0.isNullable }
        let bases = types.map(\.base).filter { $0 != .nothing }
        guard let first = bases.first else { return .nothing }
        let isLow = types.allSatisfy { if case .lowCardinality = $0 { true } else { false } }
        var result = first
        for type in bases.dropFirst() {
            guard let wider = pair(result, type) else {
                let names = types.map(\.name).joined(separator: ", ")
                throw QueryError(.noCommonType, "There is no supertype for types \(names)")
            }
            result = wider
        }
        if isNullable { result = result.madeNullable }
        return isLow ? .lowCardinality(result) : result
    }

    private static func pair(_ left: DataType, _ right: DataType) -> DataType? {
        if left == right { return left }
        if left.isNumeric, right.isNumeric { return numbers(left, right) }
        if left.isTemporal, right.isTemporal { return times(left, right) }
        switch (left, right) {
        case (.string, .enum8), (.string, .enum16), (.enum8, .string), (.enum16, .string): return .string
        case (.array(let left), .array(let right)):
            return element(left, right).map { .array($0) }
        case (.map(let leftKey, let leftValue), .map(let rightKey, let rightValue)):
            guard let key = element(leftKey, rightKey), let value = element(leftValue, rightValue) else { return nil }
            return .map(key, value)
        case (.tuple(let left), .tuple(let right)):
            guard left.count == right.count else { return nil }
            var fields: [DataType] = []
            for (left, right) in zip(left, right) {
                guard let field = element(left, right) else { return nil }
                fields.append(field)
            }
            return .tuple(fields)
        default: return nil
        }
    }

    private static func element(_ left: DataType, _ right: DataType) -> DataType? {
        do { return try of([left, right]) } catch { return nil }
    }

    private static func times(_ left: DataType, _ right: DataType) -> DataType? {
        switch (left, right) {
        case (.dateTime64(let first, let zone), .dateTime64(let second, let other)):
            .dateTime64(precision: max(first, second), timeZone: zone ?? other)
        case (.dateTime64, _): left
        case (_, .dateTime64): right
        case (.dateTime, _): left
        default: right
        }
    }

    private static func numbers(_ left: DataType, _ right: DataType) -> DataType? {
        if left == .bool { return right == .uint8 ? .bool : numbers(.uint8, right) }
        if right == .bool { return left == .uint8 ? .bool : numbers(left, .uint8) }
        if left.isFloat || right.isFloat {
            func fits32(_ type: DataType) -> Bool { type == .float32 || (type.isInteger && type.bitWidth <= 16) }
            return fits32(left) && fits32(right) ? .float32 : .float64
        }
        if left.isSignedInteger == right.isSignedInteger { return left.bitWidth >= right.bitWidth ? left : right }
        let signed = left.isSignedInteger ? left : right
        let unsigned = left.isSignedInteger ? right : left
        return DataType.signedInteger(bits: max(signed.bitWidth, unsigned.bitWidth * 2))
    }
}

extension DataType {
    /// Bits of a number; 8 for Bool, 0 for what is none.
    var bitWidth: Int {
        switch base {
        case .int8, .uint8, .bool: 8
        case .int16, .uint16: 16
        case .int32, .uint32, .float32: 32
        case .int64, .uint64, .float64: 64
        default: 0
        }
    }

    var isSignedInteger: Bool {
        switch base {
        case .int8, .int16, .int32, .int64: true
        default: false
        }
    }

    static func signedInteger(bits: Int) -> DataType? {
        switch bits {
        case 8: .int8
        case 16: .int16
        case 32: .int32
        case 64: .int64
        default: nil
        }
    }

    static func unsignedInteger(bits: Int) -> DataType? {
        switch bits {
        case 8: .uint8
        case 16: .uint16
        case 32: .uint32
        case 64: .uint64
        default: nil
        }
    }
}

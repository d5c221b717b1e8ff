import Columnar

extension QueryError.Code {
    static let attemptToReadAfterEof = QueryError.Code(32, "ATTEMPT_TO_READ_AFTER_EOF")
    static let cannotParseUUID = QueryError.Code(376, "CANNOT_PARSE_UUID")
    static let cannotParseIPv4 = QueryError.Code(675, "CANNOT_PARSE_IPV4")
    static let cannotParseIPv6 = QueryError.Code(676, "CANNOT_PARSE_IPV6")
    static let cannotParseBool = QueryError.Code(467, "CANNOT_PARSE_BOOL")
}

// Text to values.

extension Cast {
    /// A flat column of strings as `type` (neither Nullable nor LowCardinality).
    static func parsed(
        _ column: Column, to type: DataType, onFailure: OnFailure, zone: TimeZone? = nil, isBasic: Bool = false
    ) throws(QueryError) -> Column {
        let rows = Rows(column: column, type: type, onFailure: onFailure, isBasic: isBasic)
        switch type {
        case .string: return column
        case .int8: return try rows.integers(Int8.self) { .int8($0) }
        case .int16: return try rows.integers(Int16.self) { .int16($0) }
        case .int32: return try rows.integers(Int32.self) { .int32($0) }
        case .int64, .interval: return try rows.integers(Int64.self) { .int64($0) }
        case .uint8: return try rows.integers(UInt8.self) { .uint8($0) }
        case .uint16: return try rows.integers(UInt16.self) { .uint16($0) }
        case .uint32: return try rows.integers(UInt32.self) { .uint32($0) }
        case .uint64: return try rows.integers(UInt64.self) { .uint64($0) }
        case .float64: return try rows.parse(0, { ValueText.parseDouble($0) }, { .float64($0) })
        case .float32: return try rows.parse(0, { ValueText.parseDouble($0).map { Float($0) } }, { .float32($0) })
        case .bool: return try rows.parse(0, { ValueText.parseBool($0).map { $0 ? 1 : 0 } }, { .uint8($0) })
        case .uuid: return try rows.parse(0, { ValueText.parseUUID($0) }, { .uint128($0) })
        case .ipv4: return try rows.parse(0, { ValueText.parseIPv4($0) }, { .uint32($0) })
        case .ipv6: return try rows.parse(0, { ValueText.parseIPv6($0) }, { .uint128($0) })
        case .date: return try rows.parse(0, { parseDay($0) }, { .uint16($0) })
        case .dateTime, .dateTime64: return try rows.times(zone ?? type.zone ?? .utc)
        case .enum8(let cases), .enum16(let cases): return try rows.enums(cases)
        case .array, .map, .tuple: return try rows.nested()
        case .nullable, .lowCardinality, .nothing: throw notConvertible(column.type, type)
        }
    }

    /// A day from a date or from a date with a time, held to what Date can say.
    private static func parseDay(_ bytes: UnsafeRawBufferPointer) -> UInt16? {
        if let days = ValueText.parseDate(bytes) { return UInt16(clamping: days) }
        guard bytes.count > 10 else { return nil }
        return BestEffortTime.parse(bytes, zone: .utc).map {
            UInt16(clamping: Civil.floorDivide($0.seconds, Civil.daySeconds))
        }
    }

    /// The rows of a column of strings on their way to another type.
    private struct Rows {
        let column: Column
        let type: DataType
        let onFailure: OnFailure
        /// Whether times are read in their plain form only.
        let isBasic: Bool

        /// Reads every row; what `read` refuses becomes NULL, `zero` or an error.
        func parse<Value: BitwiseCopyable>(
            _ zero: Value, _ read: (UnsafeRawBufferPointer) -> Value?, _ wrap: ([Value]) -> ColumnData
        ) throws(QueryError) -> Column {
            let strings = column.strings
            var nulls: [UInt8]?
            var values: [Value] = []
            values.reserveCapacity(strings.count)
            try strings.withRows { (rows) throws(QueryError) in
                for row in 0..<rows.count {
                    if let value = read(rows[row]) {
                        values.append(value)
                        continue
                    }
                    values.append(zero)
                    if column.nulls?[row] == 1 || onFailure == .zero { continue }
                    guard onFailure == .null else { throw failure(rows[row]) }
                    var flags = nulls ?? [UInt8](repeating: 0, count: rows.count)
                    flags[row] = 1
                    nulls = flags
                }
            }
            return Column(type: nulls == nil ? type : .nullable(type), data: wrap(values), nulls: nulls)
        }

        /// Where failing is an error integers wrap; otherwise what does not fit is none.
        func integers<Value: FixedWidthInteger & BitwiseCopyable>(
            _: Value.Type, _ wrap: ([Value]) -> ColumnData
        ) throws(QueryError) -> Column {
            if onFailure == .error { return try parse(0, { wrappingInteger($0) as Value? }, wrap) }
            return try parse(0, { ValueText.parseInteger($0) as Value? }, wrap)
        }

        func times(_ zone: TimeZone) throws(QueryError) -> Column {
            let read: (UnsafeRawBufferPointer) -> (seconds: Int64, nanos: Int32)? =
                isBasic ? { BestEffortTime.parseBasic($0, zone: zone) } : { BestEffortTime.parse($0, zone: zone) }
            guard case .dateTime64(let precision, _) = type else {
                if isBasic {
                    // Seconds only, and all of them: a fraction or a missing part is refused.
                    let whole: (UnsafeRawBufferPointer) -> UInt32? = { bytes in
                        guard bytes.count == 10 || bytes.count == 19 || !bytes.contains(0x2D) else { return nil }
                        return bytes.contains(0x2E) ? nil : read(bytes).map { UInt32(clamping: $0.seconds) }
                    }
                    return try parse(0, whole, { .uint32($0) })
                }
                return try parse(0, { read($0).map { UInt32(clamping: $0.seconds) } }, { .uint32($0) })
            }
            let scale = Civil.powerOfTen(precision)
            let divisor = Int64(Civil.powerOfTen(9 - precision))
            return try parse(
                0,
                { bytes in
                    guard let time = read(bytes) else { return nil }
                    let (scaled, overflow) = time.seconds.multipliedReportingOverflow(by: scale)
                    return overflow ? nil : scaled + Int64(time.nanos) / divisor
                }, { .int64($0) })
        }

        func enums(_ cases: [EnumCase]) throws(QueryError) -> Column {
            var values: [ArraySlice<UInt8>: Int16] = [:]
            for item in cases { values[ArraySlice(Array(item.name.utf8))] = item.value }
            let known = Set(cases.map(\.value))
            let column = try parse(
                cases.first?.value ?? 0,
                { bytes in
                    if let value = values[ArraySlice(Array(bytes))] { return value }
                    guard let number: Int16 = ValueText.parseInteger(bytes), known.contains(number) else { return nil }
                    return number
                }, { .int16($0) })
            if type.physical == .int16 { return column }
            return Column(type: column.type, data: .int8(column.data.integers(as: Int8.self)), nulls: column.nulls)
        }

        func nested() throws(QueryError) -> Column {
            let strings = column.strings
            var scalars: [Scalar] = []
            for row in 0..<strings.count {
                if column.nulls?[row] == 1 {
                    scalars.append(type.defaultScalar)
                    continue
                }
                do throws(ColumnarError) {
                    scalars.append(try ValueText.parseScalar(Array(strings[row]), type: type))
                } catch {
                    throw QueryError(.cannotParseText, error.message)
                }
            }
            return Column(type: type, scalars: scalars)
        }

        private func failure(_ bytes: UnsafeRawBufferPointer) -> QueryError {
            let text = String(decoding: bytes.prefix(200), as: UTF8.self)
            let plain = "Cannot parse '\(text)' as \(type.name)"
            switch type {
            case .bool: return QueryError(.cannotParseBool, plain + ": expected true or false")
            case .uuid: return QueryError(.cannotParseUUID, plain)
            case .ipv4: return QueryError(.cannotParseIPv4, plain)
            case .ipv6: return QueryError(.cannotParseIPv6, plain)
            case .date: return QueryError(.cannotParseDate, plain + ": expected YYYY-MM-DD")
            case .dateTime, .dateTime64: return QueryError(.cannotParseDateTime, plain)
            case .enum8(let cases), .enum16(let cases): return unknownEnumElement(text, cases)
            case .float32, .float64:
                let starts = bytes.first.map { $0 == 0x2E || ($0 >= 0x30 && $0 <= 0x39) } ?? false
                return QueryError(starts ? .cannotParseText : .cannotParseNumber, plain)
            default: break
            }
            if bytes.isEmpty { return QueryError(.attemptToReadAfterEof, plain + ": the text is empty") }
            if bytes[0] == 0x2D, type.isStoredUnsigned {
                return QueryError(.cannotParseNumber, plain + ": it is negative")
            }
            return QueryError(
                .cannotParseText,
                plain
                    + ". Note: there are to\(type.name)OrZero and to\(type.name)OrNull functions, which return zero or "
                    + "NULL instead")
        }
    }
}

/// Reads a decimal integer; one that does not fit keeps its low bits.
private func wrappingInteger<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer) -> Value? {
    var index = 0
    var isNegative = false
    if bytes.count > 0, bytes[0] == 0x2D || bytes[0] == 0x2B {
        isNegative = bytes[0] == 0x2D
        index = 1
    }
    guard index < bytes.count, !isNegative || Value.isSigned else { return nil }
    var value: UInt64 = 0
    while index < bytes.count {
        let digit = bytes[index] &- 0x30
        guard digit < 10 else { return nil }
        value = value &* 10 &+ UInt64(digit)
        index += 1
    }
    return Value(truncatingIfNeeded: isNegative ? 0 &- value : value)
}

import Columnar

// Numbers to numbers, and to and from times.

extension Cast {
    /// Integers, floats, Bool, enums, intervals, Date and DateTime (as what they are stored) to a number.
    static func number(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        let data = column.data
        if column.type.isFloat && type.physical != .float64 && type.physical != .float32 && type != .bool {
            return Column(type: type, data: try floatsToIntegers(column, type))
        }
        switch type {
        case .bool:
            if column.type.isFloat {
                return Column(type: type, data: .uint8(mapValues(data.doubles()) { byte($0 != 0) }))
            }
            return Column(type: type, data: .uint8(mapValues(data.integers(as: Int64.self)) { byte($0 != 0) }))
        case .float64: return Column(type: type, data: .float64(data.doubles()))
        case .float32:
            if case .float64(let values) = data {
                return Column(type: type, data: .float32(mapValues(values) { Float($0) }))
            }
            return Column(type: type, data: .float32(data.floats()))
        default: break
        }
        switch type.physical {
        case .int8: return Column(type: type, data: .int8(data.integers(as: Int8.self)))
        case .int16: return Column(type: type, data: .int16(data.integers(as: Int16.self)))
        case .int32: return Column(type: type, data: .int32(data.integers(as: Int32.self)))
        case .int64: return Column(type: type, data: .int64(data.integers(as: Int64.self)))
        case .uint8: return Column(type: type, data: .uint8(data.integers(as: UInt8.self)))
        case .uint16: return Column(type: type, data: .uint16(data.integers(as: UInt16.self)))
        case .uint32: return Column(type: type, data: .uint32(data.integers(as: UInt32.self)))
        case .uint64: return Column(type: type, data: .uint64(data.integers(as: UInt64.self)))
        default: throw notConvertible(column.type, type)
        }
    }

    private static func floatsToIntegers(_ column: Column, _ type: DataType) throws(QueryError) -> ColumnData {
        let values = column.data.doubles()
        for row in 0..<values.count where !values[row].isFinite && column.nulls?[row] != 1 {
            throw QueryError(.cannotConvertType, "Unexpected inf or nan to integer conversion")
        }
        // As the processor does it: narrow types by way of 32 bits, what does not fit becomes the least number.
        func narrow<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) -> [Value] {
            mapValues(values) { value in
                let fits = value > -2147483649 && value < 2147483648
                return Value(truncatingIfNeeded: fits ? Int32(value) : Int32.min)
            }
        }
        func wide<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) -> [Value] {
            mapValues(values) { wrappedInteger($0) }
        }
        switch type.physical {
        case .int8: return .int8(narrow(Int8.self))
        case .int16: return .int16(narrow(Int16.self))
        case .int32: return .int32(narrow(Int32.self))
        case .int64: return .int64(wide(Int64.self))
        case .uint8: return .uint8(narrow(UInt8.self))
        case .uint16: return .uint16(narrow(UInt16.self))
        case .uint32: return .uint32(wide(UInt32.self))
        case .uint64: return .uint64(wide(UInt64.self))
        default: throw notConvertible(column.type, type)
        }
    }

    /// DateTime64 to a number of seconds.
    static func ticksToNumber(_ column: Column, to type: DataType) throws(QueryError) -> Column {
        let scale = Civil.powerOfTen(column.type.tickPrecision)
        let ticks = column.integerRows(as: Int64.self)
        if type.isFloat {
            let divisor = Double(scale)
            return try number(
                Column(type: .float64, data: .float64(mapValues(ticks) { Double($0) / divisor })), to: type)
        }
        guard type.isInteger || type == .bool else { throw notConvertible(column.type, type) }
        let seconds = mapValues(ticks) { $0 / scale }
        let bits = type.bitWidth
        if bits < 64, type != .bool {
            let low: Int64 = type.isSignedInteger ? -(1 << Int64(bits - 1)) : 0
            let high: Int64 = type.isSignedInteger ? (1 << Int64(bits - 1)) - 1 : (1 << Int64(bits)) - 1
            for row in 0..<seconds.count where (seconds[row] < low || seconds[row] > high) && column.nulls?[row] != 1 {
                throw QueryError(.decimalOverflow, "Convert overflow: a time does not fit \(type.name)")
            }
        }
        return try number(Column(type: .int64, data: .int64(seconds)), to: type)
    }

    /// Numbers and times to Date, DateTime and DateTime64. `zone` is where a day begins when no type says.
    static func toTime(_ column: Column, to type: DataType, zone: TimeZone?) throws(QueryError) -> Column {
        let source = column.type.base
        guard source.isTemporal || source.isNumeric else { throw notConvertible(source, type) }
        switch type {
        case .date: return Column(type: type, data: .uint16(toDays(column, zone ?? source.zone ?? .utc)))
        case .dateTime: return Column(type: type, data: .uint32(toSeconds(column, zone ?? type.zone ?? .utc)))
        case .dateTime64(let precision, _):
            return Column(type: type, data: .int64(toTicks(column, precision, zone ?? type.zone ?? .utc)))
        default: throw notConvertible(source, type)
        }
    }

    private static func toDays(_ column: Column, _ zone: TimeZone) -> [UInt16] {
        switch column.type.base {
        case .date: return column.integerRows(as: UInt16.self)
        case .dateTime, .dateTime64:
            return mapValues(column.localDays(zone: zone)) { UInt16(truncatingIfNeeded: $0) }
        default:
            // A number too large for a day is a time in seconds.
            return mapValues(column.wholeNumbers) { value in
                if value < 65_536 { return UInt16(max(value, 0)) }
                return UInt16(min(value, Int64(UInt32.max)) / Civil.daySeconds)
            }
        }
    }

    private static func toSeconds(_ column: Column, _ zone: TimeZone) -> [UInt32] {
        switch column.type.base {
        case .date:
            return mapValues(column.integerRows(as: Int64.self)) {
                UInt32(truncatingIfNeeded: zone.unix(local: $0 * Civil.daySeconds))
            }
        case .dateTime: return column.integerRows(as: UInt32.self)
        case .dateTime64(let precision, _):
            let divide = FastDivider(Civil.powerOfTen(precision))
            return mapValues(column.integerRows(as: Int64.self)) { UInt32(truncatingIfNeeded: divide($0)) }
        default: return mapValues(column.wholeNumbers) { UInt32(clamping: $0) }
        }
    }

    private static func toTicks(_ column: Column, _ precision: Int, _ zone: TimeZone) -> [Int64] {
        let scale = Civil.powerOfTen(precision)
        func saturated(_ seconds: Int64) -> Int64 {
            let (ticks, overflow) = seconds.multipliedReportingOverflow(by: scale)
            return overflow ? (seconds < 0 ? .min : .max) : ticks
        }
        switch column.type.base {
        case .date:
            return mapValues(column.integerRows(as: Int64.self)) { saturated(zone.unix(local: $0 * Civil.daySeconds)) }
        case .dateTime64(let from, _):
            let values = column.integerRows(as: Int64.self)
            if from > precision {
                let divisor = Civil.powerOfTen(from - precision)
                return mapValues(values) { $0 / divisor }
            }
            let factor = Civil.powerOfTen(precision - from)
            return mapValues(values) { value in
                let (ticks, overflow) = value.multipliedReportingOverflow(by: factor)
                return overflow ? (value < 0 ? .min : .max) : ticks
            }
        case .float32, .float64:
            let factor = Double(scale)
            return mapValues(column.data.doubles()) { value in
                let ticks = value * factor
                if ticks.isNaN { return 0 }
                return ticks >= 9.2e18 ? .max : ticks <= -9.2e18 ? .min : Int64(ticks)
            }
        default: return mapValues(column.wholeNumbers) { saturated($0) }
        }
    }
}

extension Column {
    /// Numbers as Int64: floats without their fraction, all held to its range.
    var wholeNumbers: [Int64] {
        switch flattened().data {
        case .uint64(let values): mapValues(values) { Int64(clamping: $0) }
        case .float32(let values): mapValues(values) { clampedInteger(Double($0)) }
        case .float64(let values): mapValues(values) { clampedInteger($0) }
        case let other: other.integers(as: Int64.self)
        }
    }
}

extension TimeZone {
    /// Every moment as the zone's clock shows it.
    func localSeconds(_ unix: [Int64]) -> [Int64] {
        if let offset = constantOffsetSeconds {
            return offset == 0 ? unix : mapValues(unix) { $0 &+ Int64(offset) }
        }
        // Neighbouring rows mostly lie between the same two transitions.
        var current = period(atUnix: unix.first ?? 0)
        return unix.withUnsafeBufferPointer { source in
            [Int64](unsafeUninitializedCapacity: source.count) { target, filled in
                for row in 0..<source.count {
                    let moment = source[row]
                    if moment < current.from || moment >= current.until { current = period(atUnix: moment) }
                    target[row] = moment &+ Int64(current.offset)
                }
                filled = source.count
            }
        }
    }
}

private func clampedInteger(_ value: Double) -> Int64 {
    if value.isNaN { return 0 }
    return value >= 9.2e18 ? .max : value <= -9.2e18 ? .min : Int64(value)
}

extension ColumnData {
    /// Flat numbers as floats, each rounded once.
    func floats() -> [Float] {
        switch self {
        case .int8(let values): mapValues(values) { Float($0) }
        case .int16(let values): mapValues(values) { Float($0) }
        case .int32(let values): mapValues(values) { Float($0) }
        case .int64(let values): mapValues(values) { Float($0) }
        case .uint8(let values): mapValues(values) { Float($0) }
        case .uint16(let values): mapValues(values) { Float($0) }
        case .uint32(let values): mapValues(values) { Float($0) }
        case .uint64(let values): mapValues(values) { Float($0) }
        case .float32(let values): values
        case .float64(let values): mapValues(values) { Float($0) }
        default: preconditionFailure("BUG: numbers expected")
        }
    }
}

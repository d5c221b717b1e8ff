import Columnar

// What each kind of column makes of a number, a text, a truth value. A value that does not fit is refused and the
// caller finds another place for it: nothing is cut, clamped or wrapped in silence.

extension FieldBuilder {
    /// Adds a number as it stands in the JSON text at `base`.
    @inline(__always)
    mutating func put(
        _ number: JSONNumber, _ base: UnsafePointer<UInt8>, powers: UnsafePointer<Double>, _ row: Int
    ) -> Placement {
        switch kind {
        case .int64:
            guard let value = number.int64 else { return putIntegral(number, base, powers, row) }
            put(value, row)
            return .exact
        case .float64:
            return putDouble(number, base, powers, row)
        case .dateTime64:
            guard let moment = TimeText.epoch(number, base, powers: powers) else { return .refused }
            return putTime(moment, row)
        default:
            return putOther(number, base, powers, row)
        }
    }

    @inline(__always)
    private mutating func putDouble(
        _ number: JSONNumber, _ base: UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>, _ row: Int
    ) -> Placement {
        let value = number.double(base, powers: powers)
        guard value.isFinite else { return .refused }
        put(value, row)
        // Only integers tell that they mean every digit.
        if !number.isInteger || number.mantissa <= 1 << 53 && !number.isCut { return .exact }
        if let integer = number.uint64, let back = UInt64(exactly: value), back == integer { return .exact }
        if let integer = number.int64, let back = Int64(exactly: value), back == integer { return .exact }
        return .rounded
    }

    @inline(never)
    private mutating func putOther(
        _ number: JSONNumber, _ base: UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>, _ row: Int
    ) -> Placement {
        switch kind {
        case .string:
            putBytes(base + number.start, number.end - number.start, row)
            return .exact
        case .float32:
            let value = Float(number.double(base, powers: powers))
            guard value.isFinite else { return .refused }
            put(value, row)
            return number.isInteger && number.mantissa > 1 << 24 ? .rounded : .exact
        case .date, .dateTime:
            guard let moment = TimeText.epoch(number, base, powers: powers) else { return .refused }
            // A small number for a Date is days, as ClickHouse has it.
            if kind == .date, let days = number.uint64, days <= UInt64(UInt16.max) {
                putInteger(Int64(days), row)
                return .exact
            }
            return putTime(moment, row)
        case .uuid, .ipv6, .array, .map:
            return .refused
        default:
            return putIntegral(number, base, powers, row)
        }
    }

    /// Adds a number to a kind of integer; `2.0` and `1e3` count as integers.
    @inline(never)
    private mutating func putIntegral(
        _ number: JSONNumber, _ base: UnsafePointer<UInt8>, _ powers: UnsafePointer<Double>, _ row: Int
    ) -> Placement {
        if let value = number.int64 { return putChecked(value, row) }
        if let value = number.uint64 {
            guard kind == .uint64 else { return .refused }
            put(value, row)
            return .exact
        }
        let value = number.double(base, powers: powers)
        guard !number.isInteger, value.magnitude < 9_007_199_254_740_992, let integer = Int64(exactly: value) else {
            return .refused
        }
        return putChecked(integer, row)
    }

    /// Adds an integer if the kind has it.
    mutating func putChecked(_ value: Int64, _ row: Int) -> Placement {
        let fits: Bool
        switch kind {
        case .bool: fits = value == 0 || value == 1
        case .int8: fits = Int8(exactly: value) != nil
        case .int16: fits = Int16(exactly: value) != nil
        case .int32: fits = Int32(exactly: value) != nil
        case .int64: fits = true
        case .uint8: fits = UInt8(exactly: value) != nil
        case .uint16: fits = UInt16(exactly: value) != nil
        case .uint32, .ipv4: fits = UInt32(exactly: value) != nil
        case .uint64: fits = value >= 0
        case .enum8, .enum16: fits = enumCases.contains { Int64($0.value) == value }
        default: fits = false
        }
        guard fits else { return .refused }
        putInteger(value, row)
        return .exact
    }

    private var enumCases: [EnumCase] {
        switch type.base {
        case .enum8(let cases), .enum16(let cases): cases
        default: []
        }
    }

    /// Adds a truth value.
    mutating func put(_ value: Bool, _ row: Int) -> Placement {
        switch kind {
        case .bool:
            put(value ? UInt8(1) : 0, row)
            return .exact
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64:
            putInteger(value ? 1 : 0, row)
            return .exact
        case .float32: put(value ? Float(1) : 0, row)
        case .float64: put(value ? 1.0 : 0, row)
        case .string:
            let word: StaticString = value ? "true" : "false"
            putBytes(word.utf8Start, word.utf8CodeUnitCount, row)
        default: return .refused
        }
        return .exact
    }

    /// Adds a time. What the column's precision cuts off makes it `.rounded`; what its range lacks is refused.
    @inline(__always)
    mutating func putTime(_ moment: Moment, _ row: Int) -> Placement {
        switch kind {
        case .dateTime64:
            guard let ticks = moment.ticks(perSecond: ticksPerSecond) else { return .refused }
            put(ticks, row)
            return Int64(moment.nanos) % (1_000_000_000 / ticksPerSecond) == 0 ? .exact : .rounded
        case .dateTime:
            guard let seconds = UInt32(exactly: moment.seconds) else { return .refused }
            put(seconds, row)
            return moment.nanos == 0 ? .exact : .rounded
        default:
            let days = Civil.floorDivide(moment.seconds, Civil.daySeconds)
            guard let day = UInt16(exactly: days) else { return .refused }
            put(day, row)
            return moment.nanos == 0 && moment.seconds % Civil.daySeconds == 0 ? .exact : .rounded
        }
    }

    /// Adds a text without escapes to a kind other than String.
    @inline(never)
    mutating func putConverted(
        _ text: UnsafeRawBufferPointer, dates: inout DateCache, powers: UnsafePointer<Double>, _ row: Int
    ) -> Placement {
        switch kind {
        case .date, .dateTime, .dateTime64:
            guard let moment = time(text, &dates, powers) else { return .refused }
            return putTime(moment, row)
        case .uuid:
            guard let value = ValueText.parseUUID(text) else { return .refused }
            put(value, row)
        case .ipv4:
            guard let value = ValueText.parseIPv4(text) else { return .refused }
            put(value, row)
        case .ipv6:
            guard let value = ValueText.parseIPv6(text) else { return .refused }
            put(value, row)
        case .enum8, .enum16:
            guard let found = enumCases.first(where: { text.elementsEqual($0.name.utf8) }) else {
                return putNumberText(text, row)
            }
            putInteger(Int64(found.value), row)
        case .bool:
            guard let value = ValueText.parseBool(text) else { return .refused }
            put(value ? UInt8(1) : 0, row)
        case .float64:
            guard let value = ValueText.parseDouble(text) else { return .refused }
            put(value, row)
        case .float32:
            guard let value = ValueText.parseDouble(text) else { return .refused }
            put(Float(value), row)
        case .uint64:
            guard let value: UInt64 = ValueText.parseInteger(text) else { return .refused }
            put(value, row)
        default: return putNumberText(text, row)
        }
        return .exact
    }

    private mutating func putNumberText(_ text: UnsafeRawBufferPointer, _ row: Int) -> Placement {
        guard let value: Int64 = ValueText.parseInteger(text) else { return .refused }
        return putChecked(value, row)
    }

    private func time(
        _ text: UnsafeRawBufferPointer, _ dates: inout DateCache, _ powers: UnsafePointer<Double>
    ) -> Moment? {
        if isUTC, let moment = TimeText.parse(text, &dates) { return moment }
        if let (seconds, nanos) = ValueText.parseDateTime(text, zone: zone) {
            return Moment(seconds: seconds, nanos: nanos)
        }
        return TimeText.epochText(text, powers: powers)
    }
}

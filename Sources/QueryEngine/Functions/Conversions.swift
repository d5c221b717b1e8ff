import Columnar

// toInt32, toDate, toString and their like; CAST.

enum ConversionFunctions {
    private static let plainTypes: [DataType] = [
        .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float32, .float64, .uuid, .ipv4, .ipv6,
        .bool,
        .date, .dateTime(timeZone: nil),
    ]

    static let all: [any ScalarFunction] = {
        var result: [any ScalarFunction] = []
        for type in plainTypes {
            result.append(ConversionFunction(name: "to\(type.name)", target: type, mode: .error))
            result.append(ConversionFunction(name: "to\(type.name)OrZero", target: type, mode: .zero))
            result.append(ConversionFunction(name: "to\(type.name)OrNull", target: type, mode: .null))
            result.append(ConversionFunction(name: "to\(type.name)OrDefault", target: type, mode: .defaults))
        }
        let ticks = DataType.dateTime64(precision: 3, timeZone: nil)
        result.append(ConversionFunction(name: "toDateTime64", target: ticks, mode: .error))
        result.append(ConversionFunction(name: "toDateTime64OrZero", target: ticks, mode: .zero))
        result.append(ConversionFunction(name: "toDateTime64OrNull", target: ticks, mode: .null))
        result.append(ConversionFunction(name: "toDateTime32", target: .dateTime(timeZone: nil), mode: .error))
        result += bestEffort
        result += [CastFunction(name: "CAST", kind: .plain), CastFunction(name: "_CAST", kind: .plain)]
        result += [
            CastFunction(name: "accurateCast", kind: .accurate),
            CastFunction(name: "accurateCastOrNull", kind: .accurateOrNull),
        ]
        result.append(toString)
        for unit in IntervalUnit.allCases {
            let name = DataType.interval(unit).name
            result.append(ConversionFunction(name: "to\(name)", target: .interval(unit), mode: .error))
        }
        return result
    }()

    private static let bestEffort: [any ScalarFunction] = {
        var result: [any ScalarFunction] = []
        for (suffix, mode) in [("", .error), ("OrNull", .null), ("OrZero", .zero)]
            as [(String, ConversionFunction.Mode)]
        {
            result.append(
                ConversionFunction(
                    name: "parseDateTimeBestEffort\(suffix)", target: .dateTime(timeZone: nil), mode: mode,
                    readsAnyForm: true))
            result.append(
                ConversionFunction(
                    name: "parseDateTime64BestEffort\(suffix)", target: .dateTime64(precision: 3, timeZone: nil),
                    mode: mode,
                    readsAnyForm: true))
        }
        return result
    }()

    private static let toString = PlainFunction(
        "toString", 1...2,
        type: { (arguments) throws(QueryError) in
            if arguments.count == 2 {
                guard arguments[0].type.isTemporal else { throw illegalArgument("toString", 0, arguments[0].type) }
                _ = try constantZone("toString", arguments, 1)
            }
            return .string
        },
        body: { (columns, _, _, _) throws(QueryError) in
            var column = columns[0].flattened()
            if columns.count == 2, let zone = columns[1].constantBytes.map({ String(decoding: $0, as: UTF8.self) }) {
                column.type = column.type.inZone(zone)
            }
            return Column(type: .string, data: .string(ValueText.strings(column)))
        })
}

extension DataType {
    /// The same time type shown in another zone.
    func inZone(_ name: String?) -> DataType {
        switch base {
        case .dateTime: .dateTime(timeZone: name)
        case .dateTime64(let precision, _): .dateTime64(precision: precision, timeZone: name)
        default: self
        }
    }
}

/// The zone's name that argument `index` gives. Throws when it is no constant string or no known zone.
func constantZone(_ name: String, _ arguments: [FunctionArgument], _ index: Int) throws(QueryError) -> String? {
    guard index < arguments.count else { return nil }
    guard let zone = arguments[index].constantText else {
        throw illegalArgument(name, index, arguments[index].type, expected: "a constant time zone name")
    }
    guard TimeZone.named(zone) != nil else { throw QueryError(.badArguments, "Cannot load time zone \(zone)") }
    return zone
}

/// `toInt32(x)`, `toInt32OrZero(s)`, `toInt32OrNull(s)`, `toInt32OrDefault(s, d)`.
struct ConversionFunction: ScalarFunction {
    enum Mode { case error, zero, null, defaults }

    let name: String
    let target: DataType
    let mode: Mode
    /// parseDateTimeBestEffort: strings only, any form whatever the mode.
    var readsAnyForm = false

    var canFail: Bool { mode == .error }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        var type = target
        switch target {
        case .dateTime64:
            // BestEffort's precision may be left out.
            try checkArity(name, arguments.count, readsAnyForm ? 1...3 : 2...3)
            var precision: Int64 = 3
            if arguments.count > 1 {
                guard let given = arguments[1].constantInteger else {
                    throw illegalArgument(name, 1, arguments[1].type)
                }
                precision = given
            }
            guard (0...9).contains(precision) else {
                throw QueryError(.argumentOutOfBound, "Scale \(precision) is too large for DateTime64: at most 9")
            }
            type = .dateTime64(precision: Int(precision), timeZone: try constantZone(name, arguments, 2))
        case .dateTime:
            try checkArity(name, arguments.count, 1...2)
            if mode != .defaults { type = .dateTime(timeZone: try constantZone(name, arguments, 1)) }
        case .date:
            try checkArity(name, arguments.count, 1...2)
            if mode != .defaults { _ = try constantZone(name, arguments, 1) }
        default: try checkArity(name, arguments.count, mode == .defaults ? 1...2 : 1...1)
        }
        if (mode == .zero || mode == .null || readsAnyForm) && arguments[0].type.base != .string {
            throw illegalArgument(name, 0, arguments[0].type, expected: "String")
        }
        if mode == .defaults, arguments.count == 2, arguments[1].type.base != type {
            throw QueryError(
                .badArguments,
                "Default value type should be same as cast type. Expected \(type.name). "
                    + "Actual \(arguments[1].type.name)"
            )
        }
        try checkSource(arguments[0].type.base, type)
        return mode == .null ? .nullable(type) : type
    }

    private func checkSource(_ source: DataType, _ type: DataType) throws(QueryError) {
        switch source {
        case .array, .map, .tuple: throw illegalArgument(name, 0, source)
        default: if !Cast.converts(source, to: type.base) { throw Cast.notConvertible(source, type) }
        }
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let inner = type.base
        let column = arguments[0].flattened()
        let zone = zone(arguments)
        if column.type == .string {
            let onFailure: Cast.OnFailure = mode == .error ? .error : mode == .zero ? .zero : .null
            let isBasic = !readsAnyForm && mode != .error
            let parsed = try Cast.parsed(column, to: inner, onFailure: onFailure, zone: zone, isBasic: isBasic)
            return mode == .defaults ? filled(parsed, arguments, inner) : parsed.withType(type)
        }
        if inner.isTemporal {
            guard column.type.isTemporal || column.type.isNumeric else { throw Cast.notConvertible(column.type, inner) }
            return try Cast.toTime(column, to: inner, zone: zone)
        }
        return try Cast.column(column, to: inner)
    }

    private func zone(_ arguments: [Column]) -> TimeZone? {
        let index = target.tickPrecision > 0 ? 2 : 1
        guard target.isTemporal, index < arguments.count, let bytes = arguments[index].constantBytes else { return nil }
        return TimeZone.named(String(decoding: bytes, as: UTF8.self))
    }

    /// What could not be read replaced by the second argument, or by zero.
    private func filled(_ parsed: Column, _ arguments: [Column], _ type: DataType) -> Column {
        guard let nulls = parsed.nulls else { return parsed.withType(type) }
        let fallback =
            arguments.count == 2
            ? arguments[1].flattened() : Column.constant(type.zeroScalar, type: type, count: parsed.count)
        let both = Column.concatenate([parsed.withoutNulls, fallback.flattened().withoutNulls], type: type)
        let count = parsed.count
        return both.gather((0..<count).map { UInt32(nulls[$0] == 1 ? $0 + count : $0) })
    }
}

extension DataType {
    /// Zero, empty, whatever is no NULL.
    var zeroScalar: Scalar { base.defaultScalar }
}

/// `CAST(x, 'Type')`, which `x::Type` is too; `accurateCast`, which refuses to change a value.
struct CastFunction: ScalarFunction {
    enum Kind { case plain, accurate, accurateOrNull }

    let name: String
    let kind: Kind
    var handlesNulls: Bool { true }
    var canFail: Bool { true }
    var seesWholeTypes: Bool { true }
    var keepsDictionary: Bool { false }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 2...2)
        guard let text = arguments[1].constantText else {
            throw illegalArgument(name, 1, arguments[1].type, expected: "a constant string naming a type")
        }
        let type: DataType
        do throws(ColumnarError) {
            type = try DataType(parsing: text)
        } catch {
            throw QueryError(.unknownType, error.message)
        }
        if kind == .accurateOrNull { return type.madeNullable }
        if type.base == .nothing && arguments[0].type.base != .nothing {
            throw Cast.notConvertible(arguments[0].type, type)
        }
        return type
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        switch kind {
        case .plain: return try Cast.column(arguments[0], to: type)
        case .accurate: return try accurate(arguments[0], type)
        case .accurateOrNull:
            // Row by row: one bad value must not spoil the others.
            var parts: [Column] = []
            let column = arguments[0].flattened()
            for row in 0..<column.count {
                do {
                    parts.append(try accurate(column.slice(row..<row + 1), type))
                } catch {
                    parts.append(Column.constant(.null, type: type, count: 1))
                }
            }
            return Column.concatenate(parts, type: type)
        }
    }

    private func accurate(_ column: Column, _ type: DataType) throws(QueryError) -> Column {
        let column = column.flattened()
        let converted: Column
        if column.type.base == .string {
            let strict = try Cast.parsed(
                Column(type: .string, data: column.data, nulls: column.nulls), to: type.base, onFailure: .null)
            converted = Column(type: type, data: strict.data, nulls: joinedNulls(strict.nulls, column.nulls))
            if strict.nulls != nil, kind == .accurate { throw unsafe(column.type, type) }
            return converted
        }
        converted = try Cast.column(column, to: type)
        guard column.type.isNumeric && type.isNumeric else { return converted }
        let same = try compareColumns(
            .equals, column.withoutNulls, converted.flattened().withoutNulls, count: column.count)
        if same.enumerated().contains(where: { $1 == 0 && column.nulls?[$0] != 1 }) { throw unsafe(column.type, type) }
        return converted
    }

    private func unsafe(_ source: DataType, _ target: DataType) -> QueryError {
        QueryError(
            .cannotConvertType, "A value of type \(source.name) cannot be safely converted into type \(target.name)")
    }
}

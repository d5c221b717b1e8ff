import Columnar

/// `JSONExtractString(json, 'a', 'b', 1)` and its like.
enum JSONFunctions {
    static let all: [any ScalarFunction] =
        plain + [JSONExtractFunction(), isValid]
        + [
            simple("simpleJSONExtractString", "JSONExtractString"), simple("simpleJSONExtractInt", "JSONExtractInt"),
            simple("simpleJSONExtractUInt", "JSONExtractUInt"), simple("simpleJSONExtractFloat", "JSONExtractFloat"),
            simple("simpleJSONExtractBool", "JSONExtractBool"), simple("simpleJSONExtractRaw", "JSONExtractRaw"),
            simple("simpleJSONHas", "JSONHas"),
        ]

    private static let plain: [any ScalarFunction] =
        [
            extract("JSONExtractString", .string) { json, range in .string(text(json, range)) },
            extract("JSONExtractRaw", .string) { json, range in
                var bytes: [UInt8] = []
                if let range { json.compact(range, to: &bytes) }
                return .string(bytes)
            },
            extract("JSONExtractInt", .int64) { json, range in .int(number(json, range).map { wrappedInteger($0) } ?? 0)
            },
            extract("JSONExtractUInt", .uint64) { json, range in
                .uint(number(json, range).map { wrappedInteger($0) } ?? 0)
            },
            extract("JSONExtractFloat", .float64) { json, range in .float(number(json, range) ?? 0) },
            extract("JSONExtractBool", .uint8) { json, range in .uint(isTrue(json, range) ? 1 : 0) },
            extract("JSONHas", .uint8) { _, range in .uint(range == nil ? 0 : 1) },
            extract("JSONLength", .uint64) { json, range in .uint(UInt64(members(json, range).count)) },
            extract("JSONType", typeEnum) { json, range in .int(kind(json, range)) },
            extract("JSONExtractKeys", .array(.string)) { json, range in
                guard let range, json.bytes[range.lowerBound] == 0x7B else { return .array([]) }
                return .array(members(json, range).map { .string(json.unescaped($0.name)) })
            },
            extract("JSONExtractArrayRaw", .array(.string)) { json, range in
                guard let range, json.bytes[range.lowerBound] == 0x5B else { return .array([]) }
                return .array(
                    members(json, range).map { member in
                        var bytes: [UInt8] = []
                        json.compact(member.value, to: &bytes)
                        return .string(bytes)
                    })
            },
        ]

    private static let typeEnum = DataType.enum8([
        EnumCase(name: "Null", value: 0), EnumCase(name: "String", value: 34), EnumCase(name: "Array", value: 91),
        EnumCase(name: "Bool", value: 98), EnumCase(name: "Double", value: 100), EnumCase(name: "Int64", value: 105),
        EnumCase(name: "UInt64", value: 117), EnumCase(name: "Object", value: 123),
    ])

    typealias Reader = @Sendable (JSONText, Range<Int>?) -> Scalar

    private static func extract(_ name: String, _ type: DataType, _ read: @escaping Reader) -> PlainFunction {
        PlainFunction(
            name, 1...100,
            type: { (arguments) throws(QueryError) in
                try checkPath(name, arguments)
                return type
            },
            body: { (columns, type, count, _) throws(QueryError) in
                evaluate(columns, type, count, read)
            }
        )
    }

    static func checkPath(_ name: String, _ arguments: [FunctionArgument]) throws(QueryError) {
        guard arguments[0].type.base == .string else {
            throw illegalArgument(name, 0, arguments[0].type, expected: "String")
        }
        for (index, argument) in arguments.enumerated().dropFirst()
        where argument.type.base != .string && !argument.type.isInteger {
            throw illegalArgument(name, index, argument.type, expected: "a name or a place")
        }
    }

    /// Reads each row's value at the end of its path.
    static func evaluate(_ columns: [Column], _ type: DataType, _ count: Int, _ read: Reader) -> Column {
        let texts = columns[0].strings
        let isConstant = columns.dropFirst().allSatisfy(\.isConstant)
        var path = steps(columns, row: 0, count: count)
        let scalars = texts.withRows { rows in
            (0..<count).map { row -> Scalar in
                if !isConstant { path = steps(columns, row: row, count: count) }
                let json = JSONText(rows[row])
                return read(json, json.find(path))
            }
        }
        return Column(type: type, scalars: scalars)
    }

    private static func steps(_ columns: [Column], row: Int, count: Int) -> [JSONText.Step] {
        guard row < count else { return [] }
        return columns.dropFirst().map { column in
            switch column.scalar(at: row) {
            case .string(let name): .name(name)
            case let other: .place(other.asInteger ?? 0)
            }
        }
    }

    private static func simple(_ name: String, _ other: String) -> any ScalarFunction {
        PlainFunction(
            name, 2...2,
            type: { (arguments) throws(QueryError) in
                guard let function = JSONFunctions.functions[other] else {
                    preconditionFailure("BUG: \(other) is missing")
                }
                return try function.resultType(arguments)
            },
            body: { (columns, type, count, context) throws(QueryError) in
                guard let function = JSONFunctions.functions[other] else {
                    preconditionFailure("BUG: \(other) is missing")
                }
                return try function.evaluate(columns, type: type, rowCount: count, context: context)
            })
    }

    private static let functions: [String: any ScalarFunction] = {
        var result: [String: any ScalarFunction] = [:]
        for function in plain { result[function.name] = function }
        return result
    }()

    private static let isValid = StringFunctions.make("isValidJSON", 1...1, .uint8) {
        (columns, type, _, _) throws(QueryError) in
        Column(type: type, data: .uint8(columns[0].strings.mask { JSONText($0).root != nil }))
    }

    // MARK: Reading values

    private static func isString(_ json: JSONText, _ range: Range<Int>) -> Bool { json.bytes[range.lowerBound] == 0x22 }

    /// A string's text; of other values their JSON, of null nothing.
    static func text(_ json: JSONText, _ range: Range<Int>?) -> [UInt8] {
        guard let range else { return [] }
        if isString(json, range) { return json.unescaped(range) }
        if json.bytes[range.lowerBound] == UInt8(ascii: "n") { return [] }
        var bytes: [UInt8] = []
        json.compact(range, to: &bytes)
        return bytes
    }

    static func number(_ json: JSONText, _ range: Range<Int>?) -> Double? {
        guard let range else { return nil }
        switch json.bytes[range.lowerBound] {
        case UInt8(ascii: "t"): return 1
        case UInt8(ascii: "f"): return 0
        case 0x22: return json.unescaped(range).withUnsafeBytes { ValueText.parseDouble($0) }
        default: return ValueText.parseDouble(UnsafeRawBufferPointer(rebasing: json.bytes[range]))
        }
    }

    private static func isTrue(_ json: JSONText, _ range: Range<Int>?) -> Bool {
        guard let range else { return false }
        if json.bytes[range.lowerBound] == UInt8(ascii: "t") { return true }
        return !isString(json, range) && number(json, range) ?? 0 != 0
    }

    static func members(_ json: JSONText, _ range: Range<Int>?) -> [(name: Range<Int>, value: Range<Int>)] {
        guard let range else { return [] }
        var result: [(name: Range<Int>, value: Range<Int>)] = []
        json.forEachMember(range) { name, value in
            result.append((name, value))
            return true
        }
        return result
    }

    private static func kind(_ json: JSONText, _ range: Range<Int>?) -> Int64 {
        guard let range else { return 0 }
        switch json.bytes[range.lowerBound] {
        case 0x22: return 34
        case 0x5B: return 91
        case 0x7B: return 123
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return 98
        case UInt8(ascii: "n"): return 0
        default: break
        }
        let text = UnsafeRawBufferPointer(rebasing: json.bytes[range])
        if (ValueText.parseInteger(text) as Int64?) != nil { return 105 }
        return (ValueText.parseInteger(text) as UInt64?) != nil ? 117 : 100
    }
}

/// `JSONExtract(json, path…, 'Type')`.
private struct JSONExtractFunction: ScalarFunction {
    let name = "JSONExtract"

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 2...100)
        guard let text = arguments[arguments.count - 1].constantText else {
            throw illegalArgument(
                name, arguments.count - 1, arguments[arguments.count - 1].type, expected: "a constant type name")
        }
        try JSONFunctions.checkPath(name, Array(arguments.dropLast()))
        do throws(ColumnarError) {
            return try DataType(parsing: text)
        } catch {
            throw QueryError(.unknownType, error.message)
        }
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        JSONFunctions.evaluate(Array(arguments.dropLast()), type, rowCount) { json, range in
            range.flatMap { scalar(json, $0, type) } ?? type.defaultScalar
        }
    }

    /// The value as one of `type`; nil when it is none.
    private func scalar(_ json: JSONText, _ range: Range<Int>, _ type: DataType) -> Scalar? {
        switch type.base {
        case .array(let element):
            guard json.bytes[range.lowerBound] == 0x5B else { return nil }
            return .array(
                JSONFunctions.members(json, range).map { scalar(json, $0.value, element) ?? element.defaultScalar })
        case .map(.string, let value):
            guard json.bytes[range.lowerBound] == 0x7B else { return nil }
            return .map(
                JSONFunctions.members(json, range).flatMap { member in
                    [.string(json.unescaped(member.name)), scalar(json, member.value, value) ?? value.defaultScalar]
                })
        case .tuple(let types):
            let members = JSONFunctions.members(json, range)
            return .tuple(
                types.enumerated().map { index, type in
                    index < members.count
                        ? scalar(json, members[index].value, type) ?? type.defaultScalar : type.defaultScalar
                })
        case .string:
            return json.bytes[range.lowerBound] == UInt8(ascii: "n") ? nil : .string(JSONFunctions.text(json, range))
        default:
            if json.bytes[range.lowerBound] == UInt8(ascii: "n") { return nil }
            if type.isInteger, let number = JSONFunctions.number(json, range), number != number.rounded() { return nil }
            do throws(ColumnarError) {
                return try ValueText.parseScalar(JSONFunctions.text(json, range), type: type)
            } catch {
                return nil
            }
        }
    }
}

extension DataType {
    /// Reads a type as SQL spells it: `LowCardinality(Nullable(String))`, `DateTime64(3, 'UTC')`, `Enum8('a' = 1)`,
    /// and the names of other databases that ClickHouse takes (`VARCHAR(10)`, `BIGINT UNSIGNED`).
    /// Throws `.invalidDefinition` saying what is not understood.
    public init(parsing text: String) throws(ColumnarError) {
        var parser = TypeParser(bytes: Array(text.utf8))
        self = try parser.type(depth: 0)
        try parser.expectEnd()
    }
}

/// A recursive-descent parser of type names.
private struct TypeParser {
    /// Deeper nesting is refused, so that no text can exhaust the stack.
    static let maxDepth = 50
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    func failure(_ message: String) -> ColumnarError { ColumnarError(.invalidDefinition, message) }

    // MARK: Types

    mutating func type(depth: Int) throws(ColumnarError) -> DataType {
        guard depth < Self.maxDepth else { throw failure("Type is nested more than \(Self.maxDepth) levels deep") }
        var name = word()
        guard !name.isEmpty else { throw failure("Expected a type name at \(rest())") }
        // `DOUBLE PRECISION`, `BIGINT UNSIGNED`, `CHARACTER VARYING`.
        while let next = followingWord(of: name) { name += " " + next }
        if let simple = try simpleType(name) { return simple }
        return try parametric(name, depth: depth)
    }

    private mutating func simpleType(_ name: String) throws(ColumnarError) -> DataType? {
        if let exact = TypeNames.exact[name] { return exact }
        guard let alias = TypeNames.aliases[name.uppercased()] else { return nil }
        // Lengths of other databases' types mean nothing here.
        if take("(") {
            repeat { _ = try integer() } while take(",")
            try expect(")")
        }
        return alias
    }

    private mutating func parametric(_ name: String, depth: Int) throws(ColumnarError) -> DataType {
        switch name {
        case "Nullable": return try nullable(depth)
        case "LowCardinality": return try lowCardinality(depth)
        case "Array":
            let inner = try arguments(count: 1, of: name, depth)[0]
            return .array(inner)
        case "Map":
            let inner = try arguments(count: 2, of: name, depth)
            guard !inner[0].isNullable else { throw failure("Map cannot have a key of type \(inner[0].name)") }
            return .map(inner[0], inner[1])
        case "Tuple": return .tuple(try arguments(count: nil, of: name, depth))
        case "Enum", "Enum8", "Enum16": return try enumeration(name)
        default: break
        }
        switch name.uppercased() {
        case "DATETIME", "DATETIME32", "TIMESTAMP": return .dateTime(timeZone: take("(") ? try zoneAndClose() : nil)
        case "DATETIME64": return try dateTime64()
        case "ENUM": return try enumeration("Enum")
        default: throw unknown(name)
        }
    }

    private func unknown(_ name: String) -> ColumnarError {
        if TypeNames.unsupported.contains(name) { return failure("Data type \(name) is not supported") }
        let nearest = nearestName(to: name, in: TypeNames.families)
        return failure("Unknown data type family: \(name)" + (nearest.map { ". Maybe you meant: ['\($0)']" } ?? ""))
    }

    private mutating func arguments(count: Int?, of name: String, _ depth: Int) throws(ColumnarError) -> [DataType] {
        var result: [DataType] = []
        try expect("(")
        if count == nil, take(")") { return [] }
        repeat { result.append(try type(depth: depth + 1)) } while take(",")
        try expect(")")
        if let count, result.count != count {
            throw failure("\(name) takes \(count) type\(count == 1 ? "" : "s"), not \(result.count)")
        }
        return result
    }

    private mutating func nullable(_ depth: Int) throws(ColumnarError) -> DataType {
        let inner = try arguments(count: 1, of: "Nullable", depth)[0]
        switch inner {
        case .array, .map, .tuple, .nullable, .lowCardinality:
            throw failure("Nested type \(inner.name) cannot be inside Nullable type")
        case .nothing: return .nothing
        default: return .nullable(inner)
        }
    }

    private mutating func lowCardinality(_ depth: Int) throws(ColumnarError) -> DataType {
        let inner = try arguments(count: 1, of: "LowCardinality", depth)[0]
        switch inner {
        case .string, .nullable(.string), .date, .dateTime, .nullable(.date), .nullable(.dateTime):
            return .lowCardinality(inner)
        default:
            if inner.isNumeric, inner.base != .bool { return .lowCardinality(inner) }
            throw failure(
                "LowCardinality is supported only for numbers, strings, Date or DateTime, but got \(inner.name)")
        }
    }

    // MARK: Parameters

    private mutating func zoneAndClose() throws(ColumnarError) -> String {
        let zone = try quoted()
        guard TimeZone.named(zone) != nil else { throw failure("Cannot load time zone \(zone)") }
        try expect(")")
        return zone
    }

    private mutating func dateTime64() throws(ColumnarError) -> DataType {
        guard take("(") else { return .dateTime64(precision: 3, timeZone: nil) }
        let precision = try integer()
        guard (0...9).contains(precision) else {
            throw failure("Scale \(precision) is too large for DateTime64. Maximum is up to nanoseconds (9)")
        }
        if take(",") { return .dateTime64(precision: precision, timeZone: try zoneAndClose()) }
        try expect(")")
        return .dateTime64(precision: precision, timeZone: nil)
    }

    private mutating func enumeration(_ name: String) throws(ColumnarError) -> DataType {
        var cases: [EnumCase] = []
        var names: Set<String> = []
        var values: Set<Int> = []
        try expect("(")
        var next = 1
        repeat {
            let text = try quoted()
            let value = take("=") ? try integer() : next
            guard (-32_768...32_767).contains(value) else { throw failure("Enum value \(value) is out of range") }
            guard names.insert(text).inserted else { throw failure("Duplicate names in enum: '\(text)'") }
            guard values.insert(value).inserted else { throw failure("Duplicate values in enum: '\(text)' = \(value)") }
            cases.append(EnumCase(name: text, value: Int16(value)))
            next = value + 1
        } while take(",")
        try expect(")")
        cases.sort { $0.value < $1.value }
        let fits8 = cases.allSatisfy { (-128...127).contains($0.value) }
        switch name {
        case "Enum16": return .enum16(cases)
        case "Enum8" where !fits8: throw failure("A value of Enum8 must lie between -128 and 127")
        case "Enum8": return .enum8(cases)
        default: return fits8 ? .enum8(cases) : .enum16(cases)
        }
    }

    // MARK: Tokens

    mutating func skipSpaces() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    func rest() -> String {
        index < bytes.count ? "'\(String(decoding: bytes[index...].prefix(20), as: UTF8.self))'" : "the end"
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpaces()
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(ColumnarError) {
        guard take(character) else { throw failure("Expected '\(character)' in a type, found \(rest())") }
    }

    mutating func expectEnd() throws(ColumnarError) {
        skipSpaces()
        guard index == bytes.count else { throw failure("Unexpected \(rest()) after a type") }
    }

    mutating func word() -> String {
        skipSpaces()
        let start = index
        while index < bytes.count {
            let byte = bytes[index]
            let isLetter = byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A
            guard isLetter || byte == 0x5F || (byte >= 0x30 && byte <= 0x39) else { break }
            index += 1
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func followingWord(of name: String) -> String? {
        let start = index
        let next = word().uppercased()
        if !next.isEmpty, TypeNames.aliasPrefixes.contains(name.uppercased() + " " + next) { return next }
        index = start
        return nil
    }

    mutating func integer() throws(ColumnarError) -> Int {
        let isNegative = take("-")
        skipSpaces()
        let start = index
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 { index += 1 }
        guard index > start, index - start <= 9,
            let value = Int(String(decoding: bytes[start..<index], as: UTF8.self))
        else { throw failure("Expected a number in a type, found \(rest())") }
        return isNegative ? -value : value
    }

    mutating func quoted() throws(ColumnarError) -> String {
        skipSpaces()
        guard let text = QuotedText.parse(bytes, &index) else {
            throw failure("Expected a quoted string in a type, found \(rest())")
        }
        return String(decoding: text, as: UTF8.self)
    }
}

private enum TypeNames {
    static let exact: [String: DataType] = [
        "Int8": .int8, "Int16": .int16, "Int32": .int32, "Int64": .int64, "UInt8": .uint8, "UInt16": .uint16,
        "UInt32": .uint32, "UInt64": .uint64, "Float32": .float32, "Float64": .float64, "String": .string,
        "UUID": .uuid, "IPv4": .ipv4, "IPv6": .ipv6, "Nothing": .nothing,
        "IntervalNanosecond": .interval(.nanosecond), "IntervalMicrosecond": .interval(.microsecond),
        "IntervalMillisecond": .interval(.millisecond), "IntervalSecond": .interval(.second),
        "IntervalMinute": .interval(.minute), "IntervalHour": .interval(.hour), "IntervalDay": .interval(.day),
        "IntervalWeek": .interval(.week), "IntervalMonth": .interval(.month), "IntervalQuarter": .interval(.quarter),
        "IntervalYear": .interval(.year),
    ]
    /// By upper-case name; these are taken in any case.
    static let aliases: [String: DataType] = {
        var result: [String: DataType] = [
            "BOOL": .bool, "BOOLEAN": .bool, "DATE": .date, "INET4": .ipv4, "INET6": .ipv6,
        ]
        for name in ["FLOAT", "REAL", "SINGLE"] { result[name] = .float32 }
        for name in ["DOUBLE", "DOUBLE PRECISION"] { result[name] = .float64 }
        let signed: [(String, DataType, DataType)] = [
            ("TINYINT", .int8, .uint8), ("INT1", .int8, .uint8), ("SMALLINT", .int16, .uint16),
            ("INT", .int32, .uint32),
            ("INTEGER", .int32, .uint32), ("MEDIUMINT", .int32, .uint32), ("BIGINT", .int64, .uint64),
        ]
        for (name, type, unsigned) in signed {
            result[name] = type
            result[name + " SIGNED"] = type
            result[name + " UNSIGNED"] = unsigned
        }
        result["BYTE"] = .int8
        result["SIGNED"] = .int64
        result["UNSIGNED"] = .uint64
        result["BIT"] = .uint64
        result["YEAR"] = .uint16
        for name in strings { result[name] = .string }
        return result
    }()
    private static let strings = [
        "BINARY LARGE OBJECT", "BINARY VARYING", "BLOB", "BYTEA", "CHAR", "CHAR LARGE OBJECT", "CHAR VARYING",
        "CHARACTER",
        "CHARACTER LARGE OBJECT", "CHARACTER VARYING", "CLOB", "LONGBLOB", "LONGTEXT", "MEDIUMBLOB", "MEDIUMTEXT",
        "NATIONAL CHAR", "NATIONAL CHAR VARYING", "NATIONAL CHARACTER", "NATIONAL CHARACTER LARGE OBJECT",
        "NATIONAL CHARACTER VARYING", "NCHAR", "NCHAR LARGE OBJECT", "NCHAR VARYING", "NVARCHAR", "TEXT", "TINYBLOB",
        "TINYTEXT", "VARBINARY", "VARCHAR", "VARCHAR2",
    ]
    /// Every alias of several words and its beginnings of two words and more.
    static let aliasPrefixes: Set<String> = {
        var result: Set<String> = []
        for alias in aliases.keys {
            let words = alias.split(separator: " ")
            guard words.count > 1 else { continue }
            for count in 2...words.count { result.insert(words[..<count].joined(separator: " ")) }
        }
        return result
    }()
    static let unsupported: Set<String> = [
        "Date32", "Decimal", "Decimal32", "Decimal64", "Decimal128", "Decimal256", "FixedString", "JSON", "Dynamic",
        "Variant", "Nested", "Int128", "Int256", "UInt128", "UInt256", "BFloat16", "Time", "Time64",
        "AggregateFunction",
        "SimpleAggregateFunction", "Point", "Ring", "Polygon", "MultiPolygon", "Object",
    ]
    static let families: [String] =
        exact.keys.sorted() + [
            "Array", "Bool", "Date", "DateTime", "DateTime64", "Enum8", "Enum16", "LowCardinality", "Map", "Nullable",
            "Tuple",
        ]
}

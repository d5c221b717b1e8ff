import Columnar

// Splitting and replacing by plain text.

enum SplitFunctions {
    static let all: [any ScalarFunction] = [
        splitByChar, splitByString,
        words("splitByWhitespace") { byte in byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) },
        words("splitByNonAlpha") { byte in
            byte < 0x80 && !(byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) && !(byte >= 0x30 && byte <= 0x39)
        },
        words("tokens") { byte in
            byte < 0x80 && !(byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) && !(byte >= 0x30 && byte <= 0x39)
        },
        words("alphaTokens") { byte in !(byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) },
        replacement("replaceOne", isAll: false), replacement("replaceAll", isAll: true), multiSearchAny, format,
    ]

    private static func delimiter(_ name: String, _ arguments: [FunctionArgument]) throws(QueryError) -> [UInt8] {
        guard let bytes = arguments[0].constantBytes else {
            throw illegalArgument(name, 0, arguments[0].type, expected: "a constant separator")
        }
        guard arguments[1].type.base == .string else {
            throw illegalArgument(name, 1, arguments[1].type, expected: "String")
        }
        if arguments.count > 2, arguments[2].constantInteger == nil {
            throw illegalArgument(name, 2, arguments[2].type)
        }
        return bytes
    }

    private static func limit(_ columns: [Column]) -> Int {
        guard columns.count > 2, let value = columns[2].constantScalar?.asInteger, value > 0 else { return .max }
        return Int(value)
    }

    private static let splitByChar = PlainFunction(
        "splitByChar", 2...3,
        type: { (arguments) throws(QueryError) in
            guard try delimiter("splitByChar", arguments).count == 1 else {
                throw QueryError(.badArguments, "Separator of splitByChar must be exactly one byte")
            }
            return .array(.string)
        },
        body: { (columns, _, _, _) throws(QueryError) in
            let separator = columns[0].constantBytes ?? []
            let limit = limit(columns)
            return columns[1].strings.mapLists { text, list in split(text, separator, limit, &list) }
        })

    private static let splitByString = PlainFunction(
        "splitByString", 2...3,
        type: { (arguments) throws(QueryError) in
            _ = try delimiter("splitByString", arguments)
            return .array(.string)
        },
        body: { (columns, _, _, _) throws(QueryError) in
            let separator = columns[0].constantBytes ?? []
            let limit = limit(columns)
            return columns[1].strings.mapLists { text, list in
                guard separator.isEmpty else { return split(text, separator, limit, &list) }
                for byte in text.prefix(limit) { list.append([byte]) }
            }
        })

    private static func split(
        _ text: UnsafeRawBufferPointer, _ separator: [UInt8], _ limit: Int, _ list: inout StringData
    ) {
        separator.withUnsafeBytes { separator in
            var start = 0
            var count = 0
            while count < limit, let found = find(separator, in: text, from: start) {
                list.append(text[start..<found])
                start = found + separator.count
                count += 1
            }
            if count < limit { list.append(text[start...]) }
        }
    }

    /// Runs of bytes that do not separate.
    private static func words(_ name: String, _ separates: @escaping @Sendable (UInt8) -> Bool) -> any ScalarFunction {
        StringFunctions.make(name, 1...2, .array(.string)) { (columns, _, _, _) throws(QueryError) in
            columns[0].strings.mapLists { text, list in
                var index = 0
                while index < text.count {
                    if separates(text[index]) {
                        index += 1
                        continue
                    }
                    let start = index
                    while index < text.count, !separates(text[index]) { index += 1 }
                    list.append(text[start..<index])
                }
            }
        }
    }

    private static func replacement(_ name: String, isAll: Bool) -> any ScalarFunction {
        StringFunctions.make(name, 3...3, .string, strings: 3) { (columns, _, _, _) throws(QueryError) in
            let (needles, texts) = (columns[1].strings, columns[2].strings)
            var row = 0
            let result = needles.withRows { needles in
                texts.withRows { texts in
                    columns[0].strings.mapStrings { text, out in
                        let (needle, replacement) = (needles[row], texts[row])
                        row += 1
                        var start = 0
                        while !needle.isEmpty, let found = find(needle, in: text, from: start) {
                            out.append(contentsOf: text[start..<found])
                            out.append(contentsOf: replacement)
                            start = found + needle.count
                            if !isAll { break }
                        }
                        out.append(contentsOf: text[start...])
                    }
                }
            }
            return StringFunctions.result(result)
        }
    }

    private static let multiSearchAny = PlainFunction(
        "multiSearchAny", 2...2,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.base == .string else {
                throw illegalArgument("multiSearchAny", 0, arguments[0].type)
            }
            guard arguments[1].type.base == .array(.string), arguments[1].constant != nil else {
                throw illegalArgument("multiSearchAny", 1, arguments[1].type, expected: "a constant Array(String)")
            }
            return .uint8
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let text = columns[0].strings
            var mask = [UInt8](repeating: 0, count: count)
            guard case .array(let needles)? = columns[1].constantScalar else {
                return Column(type: type, data: .uint8(mask))
            }
            for case .string(let needle) in needles { mask = joinedNulls(mask, text.contains(needle)) ?? mask }
            return Column(type: type, data: .uint8(mask))
        })

    private static let format = PlainFunction(
        "format", 2...1000,
        type: { (arguments) throws(QueryError) in
            guard let pattern = arguments[0].constantBytes else {
                throw illegalArgument("format", 0, arguments[0].type, expected: "a constant pattern")
            }
            _ = try pieces(pattern, arguments: arguments.count - 1)
            return .string
        },
        body: { (columns, _, count, _) throws(QueryError) in
            let parts = try pieces(columns[0].constantBytes ?? [], arguments: columns.count - 1)
            let values = columns.dropFirst().map { ValueText.strings($0) }
            var bytes: [UInt8] = []
            var offsets: [UInt32] = [0]
            for row in 0..<count {
                for part in parts {
                    bytes += part.text
                    if let index = part.argument { bytes += values[index][row] }
                }
                offsets.append(UInt32(bytes.count))
            }
            return StringFunctions.result(StringData(bytes: bytes, offsets: offsets))
        })

    private static func pieces(_ pattern: [UInt8], arguments: Int) throws(QueryError) -> [(
        text: [UInt8], argument: Int?
    )] {
        var result: [(text: [UInt8], argument: Int?)] = []
        var text: [UInt8] = []
        var index = 0
        var next = 0
        while index < pattern.count {
            let byte = pattern[index]
            index += 1
            if byte == 0x7B || byte == 0x7D, index < pattern.count, pattern[index] == byte {
                text.append(byte)
                index += 1
                continue
            }
            guard byte == 0x7B else {
                text.append(byte)
                continue
            }
            guard let end = pattern[index...].firstIndex(of: 0x7D) else {
                throw QueryError(.badArguments, "Unclosed '{' in the pattern of format")
            }
            let digits = pattern[index..<end]
            let number = digits.isEmpty ? next : digits.withUnsafeBytes { ValueText.parseInteger($0) as Int? } ?? -1
            next += 1
            index = end + 1
            guard (0..<arguments).contains(number) else {
                throw QueryError(.badArguments, "format has no argument {\(number)}")
            }
            result.append((text, number))
            text = []
        }
        result.append((text, nil))
        return result
    }
}

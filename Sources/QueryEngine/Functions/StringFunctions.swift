import Columnar

// Functions of strings that need no pattern.

enum StringFunctions {
    static let all: [any ScalarFunction] = cases + lengths + affixes + positions + cuts + joins + pads

    /// A function whose first `strings` arguments are strings and the rest integers.
    static func make(
        _ name: String, _ arity: ClosedRange<Int>, _ type: DataType, strings: Int = 1,
        body: @escaping PlainFunction.Body
    ) -> PlainFunction {
        PlainFunction(
            name, arity,
            type: { (arguments) throws(QueryError) in
                for (index, argument) in arguments.enumerated() {
                    let isFine = index < strings ? argument.type.base == .string : argument.type.isNumeric
                    guard isFine else {
                        throw illegalArgument(
                            name, index, argument.type, expected: index < strings ? "String" : "a number")
                    }
                }
                return type
            }, body: body)
    }

    static func result(_ strings: StringData) -> Column { Column(type: .string, data: .string(strings)) }

    // MARK: Case

    private static let cases: [any ScalarFunction] = [
        make("lower", 1...1, .string) { (columns, _, _, _) throws(QueryError) in
            result(columns[0].strings.lowercasedASCII())
        },
        make("upper", 1...1, .string) { (columns, _, _, _) throws(QueryError) in
            result(columns[0].strings.uppercasedASCII())
        },
        unicode("lowerUTF8") { $0.lowercased() }, unicode("upperUTF8") { $0.uppercased() },
        unicode("initcap") { text in
            var result = ""
            var isInside = false
            for character in text {
                let isWord = character.isLetter || character.isNumber
                result += isWord ? (isInside ? character.lowercased() : character.uppercased()) : String(character)
                isInside = isWord
            }
            return result
        },
        reverse,
        unicode("reverseUTF8") { String(String.UnicodeScalarView($0.unicodeScalars.reversed())) },
        unicode("toValidUTF8") { $0 },
        make("isValidUTF8", 1...1, .uint8) { (columns, _, _, _) throws(QueryError) in
            Column(type: .uint8, data: .uint8(columns[0].strings.mask { String(validating: $0, as: UTF8.self) != nil }))
        },
    ]

    private static let reverse = PlainFunction(
        "reverse", 1...1,
        type: { (arguments) throws(QueryError) in
            if case .array = arguments[0].type.base { return arguments[0].type }
            guard arguments[0].type.base == .string else {
                throw illegalArgument("reverse", 0, arguments[0].type, expected: "String or Array")
            }
            return .string
        },
        body: { (columns, type, count, context) throws(QueryError) in
            if case .array = type {
                return try ArrayShapingFunctions.reverseOfArrays.body(columns, type, count, context)
            }
            return result(columns[0].strings.mapStrings { text, out in out.append(contentsOf: text.reversed()) })
        })

    private static func unicode(_ name: String, _ body: @escaping @Sendable (String) -> String) -> any ScalarFunction {
        make(name, 1...1, .string) { (columns, _, _, _) throws(QueryError) in
            result(
                columns[0].strings.mapStrings { text, out in
                    out.append(contentsOf: body(String(decoding: text, as: UTF8.self)).utf8)
                })
        }
    }

    // MARK: Lengths

    private static let lengths: [any ScalarFunction] = [
        sized("length", .uint64) { UInt64($0) }, sized("empty", .uint8) { $0 == 0 ? 1 : 0 },
        sized("notEmpty", .uint8) { $0 == 0 ? 0 : 1 },
        make("lengthUTF8", 1...1, .uint64) { (columns, type, _, _) throws(QueryError) in
            Column(
                type: type,
                data: .uint64(
                    columns[0].strings.map { text in
                        var count = 0
                        // Every byte but those that go on a character begins one.
                        for byte in text { count &+= byte & 0xC0 == 0x80 ? 0 : 1 }
                        return UInt64(count)
                    }))
        },
        make("ascii", 1...1, .int32) { (columns, type, _, _) throws(QueryError) in
            Column(type: type, data: .int32(columns[0].strings.map { Int32($0.first ?? 0) }))
        },
    ]

    /// A number from the length of a string, array or map.
    private static func sized(_ name: String, _ type: DataType, _ body: @escaping @Sendable (UInt32) -> UInt64)
        -> any ScalarFunction
    {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                switch arguments[0].type.base {
                case .string, .array, .map: return type
                default: throw illegalArgument(name, 0, arguments[0].type, expected: "String, Array or Map")
                }
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let offsets: [UInt32]
                switch columns[0].flattened().data {
                case .string(let values): offsets = values.offsets
                case .array(let values): offsets = values.offsets
                case .map(let values): offsets = values.offsets
                default: preconditionFailure("BUG: \(name) of \(columns[0].type)")
                }
                if type == .uint8 {
                    return Column(
                        type: type, data: .uint8((0..<count).map { UInt8(body(offsets[$0 + 1] - offsets[$0])) }))
                }
                return Column(type: type, data: .uint64((0..<count).map { body(offsets[$0 + 1] - offsets[$0]) }))
            })
    }

    // MARK: Beginnings and ends

    private static let affixes: [any ScalarFunction] = [
        pairTest("startsWith") {
            $0.count >= $1.count && areEqual(UnsafeRawBufferPointer(rebasing: $0[..<$1.count]), $1)
        },
        pairTest("endsWith") {
            $0.count >= $1.count && areEqual(UnsafeRawBufferPointer(rebasing: $0[($0.count - $1.count)...]), $1)
        },
        pairTest("hasSubsequence") { text, wanted in
            var index = 0
            for byte in text where index < wanted.count && byte == wanted[index] { index += 1 }
            return index == wanted.count
        },
        pairTest("hasToken") { hasToken($0, $1) },
        PlainFunction(
            "hasTokenCaseInsensitive", 2...2,
            type: { (arguments) throws(QueryError) in
                for index in 0..<2 where arguments[index].type.base != .string {
                    throw illegalArgument("hasTokenCaseInsensitive", index, arguments[index].type)
                }
                return .uint8
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let text = columns[0].strings.lowercasedASCII()
                let token = columns[1].strings.lowercasedASCII()
                return Column(type: type, data: .uint8(pairs(text, token, count) { byte(hasToken($0, $1)) }))
            }),
    ]

    private static func hasToken(_ text: UnsafeRawBufferPointer, _ token: UnsafeRawBufferPointer) -> Bool {
        func isPart(_ byte: UInt8) -> Bool {
            byte >= 0x80 || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
        }
        var start = 0
        while !token.isEmpty, let found = find(token, in: text, from: start) {
            let end = found + token.count
            if (found == 0 || !isPart(text[found - 1])) && (end == text.count || !isPart(text[end])) { return true }
            start = found + 1
        }
        return false
    }

    /// A value from each pair of strings.
    static func pairs<Value: BitwiseCopyable>(
        _ left: StringData, _ right: StringData, _ count: Int,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Value
    ) -> [Value] {
        left.withRows { left in
            right.withRows { right in
                [Value](unsafeUninitializedCapacity: count) { target, filled in
                    for row in 0..<count { target.initializeElement(at: row, to: body(left[row], right[row])) }
                    filled = count
                }
            }
        }
    }

    private static func pairTest(
        _ name: String, _ body: @escaping @Sendable (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) -> any ScalarFunction {
        make(name, 2...2, .uint8, strings: 2) { (columns, type, count, _) throws(QueryError) in
            if let constant = columns[1].constantBytes {
                return Column(
                    type: type,
                    data: .uint8(constant.withUnsafeBytes { wanted in columns[0].strings.mask { body($0, wanted) } }))
            }
            return Column(
                type: type, data: .uint8(pairs(columns[0].strings, columns[1].strings, count) { byte(body($0, $1)) }))
        }
    }

    // MARK: Positions

    private static let positions: [any ScalarFunction] = [
        position("position", isSwapped: false, ignoresCase: false),
        position("positionCaseInsensitive", isSwapped: false, ignoresCase: true),
        position("locate", isSwapped: true, ignoresCase: false),
        make("positionUTF8", 2...2, .uint64, strings: 2) { (columns, type, count, _) throws(QueryError) in
            Column(
                type: type,
                data: .uint64(
                    pairs(columns[0].strings, columns[1].strings, count) { text, needle in
                        guard let found = find(needle, in: text) else { return 0 }
                        return UInt64(text[..<found].reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }) + 1
                    }))
        },
        make("countSubstrings", 2...2, .uint64, strings: 2) { (columns, type, count, _) throws(QueryError) in
            Column(
                type: type,
                data: .uint64(
                    pairs(columns[0].strings, columns[1].strings, count) { text, needle in
                        guard !needle.isEmpty else { return 0 }
                        var (found, start) = (UInt64(0), 0)
                        while let next = find(needle, in: text, from: start) {
                            found += 1
                            start = next + needle.count
                        }
                        return found
                    }))
        },
    ]

    private static func position(_ name: String, isSwapped: Bool, ignoresCase: Bool) -> any ScalarFunction {
        make(name, 2...3, .uint64, strings: 2) { (columns, type, count, _) throws(QueryError) in
            var text = columns[isSwapped ? 1 : 0].strings
            var needle = columns[isSwapped ? 0 : 1].strings
            if ignoresCase { (text, needle) = (text.lowercasedASCII(), needle.lowercasedASCII()) }
            if columns.count == 2 {
                return Column(
                    type: type, data: .uint64(pairs(text, needle, count) { UInt64((find($1, in: $0) ?? -1) + 1) }))
            }
            let starts = columns[2].wholeNumbers
            var row = 0
            return Column(
                type: type,
                data: .uint64(
                    pairs(text, needle, count) { text, needle in
                        let start = Int(clamping: max(1, starts[row])) - 1
                        row += 1
                        guard start <= text.count else { return 0 }
                        return UInt64((find(needle, in: text, from: start) ?? -1) + 1)
                    }))
        }
    }

    // MARK: Parts

    private static let cuts: [any ScalarFunction] = [
        substring("substring", isUTF8: false), substring("substringUTF8", isUTF8: true),
        make("left", 2...2, .string) { (columns, _, _, _) throws(QueryError) in
            let lengths = columns[1].wholeNumbers
            return result(
                cut(columns[0].strings) { row, count in
                    let wanted =
                        lengths[row] < 0 ? max(0, Int64(count) + lengths[row]) : min(lengths[row], Int64(count))
                    return 0..<Int(wanted)
                })
        },
        make("right", 2...2, .string) { (columns, _, _, _) throws(QueryError) in
            let lengths = columns[1].wholeNumbers
            return result(
                cut(columns[0].strings) { row, count in
                    let start =
                        lengths[row] < 0
                        ? min(Int64(count), 0 - max(lengths[row], -1 << 40)) : max(0, Int64(count) - lengths[row])
                    return Int(start)..<count
                })
        },
        trim("trimBoth", left: true, right: true), trim("trimLeft", left: true, right: false),
        trim("trimRight", left: false, right: true),
        make("substringIndex", 3...3, .string, strings: 2) { (columns, _, count, _) throws(QueryError) in
            let counts = columns[2].wholeNumbers
            let delimiters = columns[1].strings
            return result(
                delimiters.withRows { delimiters in
                    cut(columns[0].strings, rows: { row, text in indexCut(text, delimiters[row], counts[row]) })
                })
        },
    ]

    private static func indexCut(_ text: UnsafeRawBufferPointer, _ delimiter: UnsafeRawBufferPointer, _ count: Int64)
        -> Range<Int>
    {
        guard !delimiter.isEmpty, count != 0 else { return 0..<0 }
        var places: [Int] = []
        var start = 0
        while let found = find(delimiter, in: text, from: start) {
            places.append(found)
            start = found + delimiter.count
        }
        if count > 0 { return 0..<(count <= Int64(places.count) ? places[Int(count) - 1] : text.count) }
        let back = Int64(places.count) + count
        return (back >= 0 ? places[Int(back)] + delimiter.count : 0)..<text.count
    }

    static func cut(_ strings: StringData, _ range: (Int, Int) -> Range<Int>) -> StringData {
        cut(strings, rows: { row, text in range(row, text.count) })
    }

    static func cut(_ strings: StringData, rows range: (Int, UnsafeRawBufferPointer) -> Range<Int>) -> StringData {
        var row = 0
        return strings.mapStrings { text, out in
            out.append(contentsOf: text[range(row, text)])
            row += 1
        }
    }

    /// Where a substring lies: `start` counts from 1, negative ones from the end; a negative length leaves off the end.
    private static func span(_ count: Int, _ start: Int64, _ length: Int64?) -> Range<Int> {
        let total = Int64(count)
        guard start != 0 else { return 0..<0 }
        let begin = start > 0 ? start - 1 : total + start
        guard begin < total else { return 0..<0 }
        var end = total
        if let length { end = length < 0 ? total + max(length, -total) : min(total, begin + min(length, 1 << 40)) }
        let low = max(0, begin)
        return end > low ? Int(low)..<Int(end) : 0..<0
    }

    private static func substring(_ name: String, isUTF8: Bool) -> any ScalarFunction {
        make(name, 2...3, .string) { (columns, _, _, _) throws(QueryError) in
            let starts = columns[1].wholeNumbers
            let lengths = columns.count > 2 ? columns[2].wholeNumbers : nil
            return result(
                cut(
                    columns[0].strings,
                    rows: { row, text in
                        guard isUTF8 else { return span(text.count, starts[row], lengths?[row]) }
                        let begins = text.indices.filter { text[$0] & 0xC0 != 0x80 }
                        let characters = span(begins.count, starts[row], lengths?[row])
                        if characters.isEmpty { return 0..<0 }
                        return begins[
                            characters.lowerBound]..<(characters.upperBound < begins.count
                            ? begins[characters.upperBound] : text.count)
                    }))
        }
    }

    private static func trim(_ name: String, left: Bool, right: Bool) -> any ScalarFunction {
        make(name, 1...2, .string, strings: 2) { (columns, _, _, _) throws(QueryError) in
            let constant: Set<UInt8>? = columns.count == 1 ? [0x20] : columns[1].constantBytes.map { Set($0) }
            let sets = constant == nil ? columns[1].strings : StringData()
            return result(
                cut(
                    columns[0].strings,
                    rows: { row, text in
                        let set = constant ?? Set(sets[row])
                        var (start, end) = (0, text.count)
                        while left, start < end, set.contains(text[start]) { start += 1 }
                        while right, end > start, set.contains(text[end - 1]) { end -= 1 }
                        return start..<end
                    }))
        }
    }

    // MARK: Joining and repeating

    private static let joins: [any ScalarFunction] = [
        concatenation("concat", hasSeparator: false), concatenation("concatWithSeparator", hasSeparator: true),
        PlainFunction(
            "repeat", 2...2, canFail: true,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.base == .string else { throw illegalArgument("repeat", 0, arguments[0].type) }
                guard arguments[1].type.isInteger else { throw illegalArgument("repeat", 1, arguments[1].type) }
                return .string
            },
            body: { (columns, _, count, _) throws(QueryError) in
                let times = columns[1].wholeNumbers
                let strings = columns[0].strings
                var total = 0
                for row in 0..<count {
                    guard times[row] <= 1_000_000 else {
                        throw QueryError(.badArguments, "Too many times to repeat: \(times[row])")
                    }
                    total += strings[row].count * Int(max(0, times[row]))
                }
                try checkSize(total)
                var row = 0
                return result(
                    strings.mapStrings { text, out in
                        for _ in 0..<max(0, times[row]) { out.append(contentsOf: text) }
                        row += 1
                    })
            }),
        PlainFunction(
            "char", 1...100,
            type: { (arguments) throws(QueryError) in
                for (index, argument) in arguments.enumerated() where !argument.type.isNumeric {
                    throw illegalArgument("char", index, argument.type)
                }
                return .string
            },
            body: { (columns, _, count, _) throws(QueryError) in
                let codes = columns.map(\.wholeNumbers)
                var strings = StringData()
                for row in 0..<count { strings.append(codes.map { UInt8(truncatingIfNeeded: $0[row]) }) }
                return result(strings)
            }),
    ]

    /// Strings of a block may have no more bytes than offsets can say.
    static func checkSize(_ bytes: Int) throws(QueryError) {
        guard bytes < 1 << 30 else {
            throw QueryError(.memoryLimitExceeded, "A block of strings would take \(bytes) bytes, more than 1 GiB")
        }
    }

    private static func concatenation(_ name: String, hasSeparator: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 1...1000,
            type: { (arguments) throws(QueryError) in .string },
            body: { (columns, _, count, _) throws(QueryError) in
                var pieces: [(constant: [UInt8]?, rows: StringData)] = []
                for column in columns {
                    if column.isConstant {
                        pieces.append((Array(ValueText.strings(column.slice(0..<1))[0]), StringData()))
                    } else {
                        pieces.append((nil, ValueText.strings(column)))
                    }
                }
                let separator = hasSeparator ? pieces.removeFirst() : nil
                var total = 0
                for piece in pieces { total += piece.constant.map { $0.count * count } ?? piece.rows.bytes.count }
                try checkSize(total)
                var bytes: [UInt8] = []
                bytes.reserveCapacity(total)
                var offsets: [UInt32] = [0]
                offsets.reserveCapacity(count + 1)
                for row in 0..<count {
                    for (index, piece) in pieces.enumerated() {
                        if index > 0, let separator {
                            if let constant = separator.constant {
                                bytes += constant
                            } else {
                                bytes += separator.rows[row]
                            }
                        }
                        if let constant = piece.constant { bytes += constant } else { bytes += piece.rows[row] }
                    }
                    offsets.append(UInt32(bytes.count))
                }
                return result(StringData(bytes: bytes, offsets: offsets))
            })
    }

    private static let pads: [any ScalarFunction] = [pad("leftPad", isLeft: true), pad("rightPad", isLeft: false)]

    private static func pad(_ name: String, isLeft: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 2...3, canFail: true,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.base == .string else { throw illegalArgument(name, 0, arguments[0].type) }
                guard arguments[1].type.isInteger else { throw illegalArgument(name, 1, arguments[1].type) }
                if arguments.count > 2, arguments[2].constantBytes == nil {
                    throw illegalArgument(name, 2, arguments[2].type)
                }
                return .string
            },
            body: { (columns, _, count, _) throws(QueryError) in
                let lengths = columns[1].wholeNumbers
                var fill = columns.count > 2 ? columns[2].constantBytes ?? [] : [0x20]
                if fill.isEmpty { fill = [0x20] }
                var total = 0
                for length in lengths {
                    guard length <= 1_000_000 else { throw QueryError(.badArguments, "Too long a pad: \(length)") }
                    total += Int(max(0, length))
                }
                try checkSize(total)
                var row = 0
                return result(
                    columns[0].strings.mapStrings { text, out in
                        let length = Int(max(0, lengths[row]))
                        row += 1
                        if text.count >= length { return out.append(contentsOf: text[..<length]) }
                        if !isLeft { out.append(contentsOf: text) }
                        for index in 0..<(length - text.count) { out.append(fill[index % fill.count]) }
                        if isLeft { out.append(contentsOf: text) }
                    })
            })
    }
}
